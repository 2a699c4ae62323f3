"""Unfinished files that killed processes have left: which they are, and that nobody writes them.

A file is written under a temporary name, which says on which machine and by which process
(`daydream.files`), or, if it holds the place of a paid answer, under a lock. So it can be told from
the file alone whether anybody still writes it.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from daydream.files import HOST, PART, TEMPORARY

# What another machine has not finished by now it will not finish; its processes are not seen here.
FOREIGN_S = 24 * 3600
PLACES = (Path("data"),)


def leftovers() -> Iterator[Path]:
    """Yield the unfinished files below `data` that nobody writes any more."""
    for place in PLACES:
        for directory, _, names in os.walk(place):
            for name in names:
                if name.endswith((".tmp", PART)) and _is_dead(path := Path(directory, name)):
                    yield path


def remove_leftovers() -> int:
    """Remove them, and return how many there were."""
    count = 0
    for path in leftovers():
        path.unlink(missing_ok=True)
        count += 1
    return count


def _is_dead(path: Path) -> bool:
    if path.name.endswith(PART):
        return _is_unlocked(path)
    found = TEMPORARY.search(path.name)
    if found is None:
        # Not a name of ours.
        return False
    try:
        age = time.time() - path.stat().st_mtime
    except OSError:
        return False
    return age > FOREIGN_S if found["host"] != HOST else not _is_alive(int(found["pid"]))


def _is_unlocked(path: Path) -> bool:
    try:
        file = os.open(path, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    else:
        return True
    finally:
        os.close(file)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
