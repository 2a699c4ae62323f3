"""Stages of a chain, where nothing else of the settings matters."""

from __future__ import annotations

from daydream.settings import Stage


def stage(name: str, parent: str | None = None, *dimensions: str) -> Stage:
    """Return a stage of that name; its prefix is the first letter."""
    return Stage(name=name, prefix=name[0], parent=parent, dimensions=dimensions)
