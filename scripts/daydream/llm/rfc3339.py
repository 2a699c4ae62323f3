"""Dates and times as APIs write them."""

from __future__ import annotations

from datetime import datetime


def time_of(value: object) -> float | None:
    """Return the Unix time of a date and time in RFC 3339; None if it is none."""
    if not isinstance(value, str):
        return None
    try:
        return datetime.fromisoformat(value).timestamp()
    except ValueError:
        return None
