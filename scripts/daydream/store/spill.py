"""Paid answers that the journal could not take, kept elsewhere until it can.

A full or faulty disk must not lose an answer. So the answer goes to a directory for this project on
another file system, under the same relative path. The next run moves it into the journal before its
first call, and removes the directories that are empty then. A user can also do this by hand.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from daydream.errors import StoreError
from daydream.files import NO_FILES, ReservedFile, read_text, remedy_of, sync_directory, write_text
from daydream.store.layout import GENS, RESPONSES

# Added to the name of an answer that another run has asked for again in the meantime.
OTHER = ".other"
_KEPT = f"{GENS}/*/*/{RESPONSES}/*.json"


def spill(entry: Path, text: str) -> Path:
    """Keep the text of a journal entry elsewhere, durably, and return its path there.

    Raises:
        StoreError: no place takes it.
    """
    refused: list[str] = []
    remedy = "make room there"
    for place in _places():
        kept = place / entry
        try:
            place.mkdir(mode=0o700, exist_ok=True)
            if not _is_own(place):
                continue
            kept.parent.mkdir(parents=True, exist_ok=True)
            write_text(kept, text, durable=True)
        except (OSError, StoreError) as error:
            cause = _cause(error)
            refused.append(f"{place.parent} ({cause.strerror})")
            if cause.errno in NO_FILES:
                # It is the same in any other place.
                remedy = remedy_of(cause, remedy)
                break
        else:
            return kept
    raise StoreError(
        f"{entry}: the answer is lost, as neither the journal nor {', '.join(refused)} can be "
        f"written; {remedy} and run snakemake again"
    )


def _cause(error: OSError | StoreError) -> OSError:
    """Return what the system has said."""
    cause = error.__cause__ if isinstance(error, StoreError) else error
    return cause if isinstance(cause, OSError) else OSError(None, str(error))


def take_in() -> list[Path]:
    """Move the answers that are kept elsewhere into the journal; return where they were.

    If another run has asked again in the meantime, its answer stays, and the one from elsewhere is
    renamed there.

    Raises:
        StoreError: the journal still cannot take one of them.
    """
    taken = []
    for place in _places():
        if not _is_own(place):
            continue
        for kept in sorted(place.glob(_KEPT)):
            _move(kept, kept.relative_to(place))
            taken.append(kept)
        _remove_empty(place)
    return taken


def _remove_empty(place: Path) -> None:
    """Remove the directories that hold nothing, the place itself included."""
    for directory, *_ in os.walk(place, topdown=False):
        with suppress(OSError):
            os.rmdir(directory)  # noqa: PTH106 - it comes as a text


def spilled() -> list[Path]:
    """Return the answers that are kept elsewhere."""
    places = [place for place in _places() if _is_own(place)]
    return [kept for place in places for kept in sorted(place.glob(_KEPT))]


def _move(kept: Path, entry: Path) -> None:
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        text = read_text(kept)
        with ReservedFile(entry, size=len(text.encode()), wait=_wait) as file:
            if not entry.exists():
                file.write(text)
            elif read_text(entry) != text:
                kept.rename(f"{kept}{OTHER}")
                return
        kept.unlink()
        sync_directory(kept.parent)
    except (OSError, StoreError) as error:
        reason = error.strerror if isinstance(error, OSError) else error.args[0]
        remedy = remedy_of(_cause(error), "make room there")
        raise StoreError(
            f"{kept}: holds a paid answer that cannot be moved to {entry} ({reason}); {remedy} and "
            f"run snakemake again"
        ) from error


def _wait() -> None:
    time.sleep(0.1)


def _places() -> Iterator[Path]:
    """Yield the directories that this project can use elsewhere, the best one first."""
    project = hashlib.sha256(os.fsencode(Path.cwd().resolve())).hexdigest()[:16]
    name = f"daydream-{os.getuid()}-{project}"
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111 - without a home it stays "~"
    seen = set()
    for parent in (os.environ.get("TMPDIR"), "/tmp", "/var/tmp", cache, "/dev/shm"):  # noqa: S108 - the directory is checked
        if parent and Path(parent).is_absolute() and parent not in seen:
            seen.add(parent)
            yield Path(parent) / name


def _is_own(place: Path) -> bool:
    """Tell whether there is a directory that only this user can write to."""
    try:
        status = place.lstat()
    except OSError:
        return False
    return (
        stat.S_ISDIR(status.st_mode)
        and status.st_uid == os.getuid()
        and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    )
