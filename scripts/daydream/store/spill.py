"""Paid answers that the journal could not take, kept elsewhere until it can.

A full disk or a faulty one must not cost an answer. So it goes to a directory of this project on
another file system, where it has the path that it would have here; the next run moves it into the
journal before its first call. Whoever looks can do so by hand, too.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from daydream.errors import StoreError
from daydream.files import ReservedFile, read_text, sync_directory, write_text
from daydream.store.layout import GENS, RESPONSES

# Beside `name`, what another run had asked for again meanwhile.
OTHER = ".other"
_KEPT = f"{GENS}/*/*/{RESPONSES}/*.json"


def spill(entry: Path, text: str) -> Path:
    """Keep the text of a journal entry elsewhere, durably, and return its path there.

    Raises:
        StoreError: no place takes it.
    """
    refused = []
    for place in _places():
        kept = place / entry
        try:
            place.mkdir(mode=0o700, exist_ok=True)
            if not _is_own(place):
                continue
            kept.parent.mkdir(parents=True, exist_ok=True)
            write_text(kept, text, durable=True)
        except (OSError, StoreError):
            refused.append(str(place.parent))
        else:
            return kept
    raise StoreError(
        f"{entry}: the answer is lost, as neither the journal nor {', '.join(refused)} can be "
        f"written; make room there and run snakemake again"
    )


def take_in() -> list[Path]:
    """Move the answers that are kept elsewhere into the journal; return where they were.

    Where another run has asked again meanwhile, its answer stays, and the one from elsewhere is set
    aside there.

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
    return taken


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
        raise StoreError(
            f"{kept}: holds a paid answer that cannot be moved to {entry} ({reason}); make room "
            f"there and run snakemake again"
        ) from error


def _wait() -> None:
    time.sleep(0.1)


def _places() -> Iterator[Path]:
    """Yield the directories that this project may use elsewhere, the best first."""
    project = hashlib.sha256(os.fsencode(Path.cwd().resolve())).hexdigest()[:16]
    name = f"daydream-{os.getuid()}-{project}"
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111 - without a home it stays "~"
    seen = set()
    for parent in (os.environ.get("TMPDIR"), "/tmp", "/var/tmp", cache, "/dev/shm"):  # noqa: S108 - the directory is checked
        if parent and Path(parent).is_absolute() and parent not in seen:
            seen.add(parent)
            yield Path(parent) / name


def _is_own(place: Path) -> bool:
    """Tell whether a directory is there which only this user can have filled."""
    try:
        status = place.lstat()
    except OSError:
        return False
    return (
        stat.S_ISDIR(status.st_mode)
        and status.st_uid == os.getuid()
        and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    )
