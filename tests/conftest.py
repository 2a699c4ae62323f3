"""Fixtures shared by the tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from project import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return a small experiment of six evaluations at most in an empty directory."""
    return Project(tmp_path)
