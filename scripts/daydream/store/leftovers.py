"""Unfinished files that killed processes have left behind.

While a file is written, its temporary name says on which machine and by which process
(`daydream.files`). The file that reserves space for a paid answer is locked instead. So the file
alone shows whether a process is still writing it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from daydream.files import HOST, PART, TEMPORARY, is_locked

# After this time, an unfinished file of another machine counts as left behind.
FOREIGN_S = 24 * 3600
PLACES = (Path("data"),)


def leftovers() -> Iterator[Path]:
    """Yield the unfinished files below `data` that no process is writing."""
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
    try:
        if path.name.endswith(PART):
            return not is_locked(path)
        found = TEMPORARY.search(path.name)
        if found is None:
            # This is not one of our names.
            return False
        age = time.time() - path.stat().st_mtime
    except OSError:
        return False
    return age > FOREIGN_S if found["host"] != HOST else not _is_alive(int(found["pid"]))


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
