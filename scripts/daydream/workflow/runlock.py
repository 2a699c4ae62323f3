"""Which runs are alive in a working directory, and what killed ones have left locked.

Each run holds a lock (flock) on its own file, `.snakemake/runs/<host>-<pid>.lock`, but for one that
only looks. The system releases it when the process ends, however it ends. So a run that finds no
other live run may remove the locks that a killed one has left. Snakemake alone would ask the user
to do that.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from daydream.files import is_locked
from daydream.store.leftovers import remove_leftovers

RUNS = Path(".snakemake/runs")
SNAKEMAKE_LOCKS = Path(".snakemake/locks")

# The lock of this process.
_held: list[int] = []


def enter() -> None:
    """Announce this run, and remove what killed ones have left; nothing if it is announced.

    Killed runs leave Snakemake's locks and unfinished files behind.

    The announcement ends with the process. If the directory cannot be written, there is nothing to
    lock.
    """
    if _held:
        return
    with suppress(OSError):
        with _alone():
            known = sorted(RUNS.glob("*.lock"))
            dead = [path for path in known if not is_locked(path)]
            # First, as the name of one may be that of this run.
            for path in dead:
                path.unlink(missing_ok=True)
            own = os.open(_own(), os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
            fcntl.flock(own, fcntl.LOCK_EX)
            _held.append(own)
            atexit.register(_end, os.getpid())
            for path in SNAKEMAKE_LOCKS.glob("*.lock") if known == dead else ():
                path.unlink(missing_ok=True)
        if dead:
            # A run that ends by itself removes its announcement, so one was killed.
            remove_leftovers()


def leave() -> None:
    """Withdraw the announcement: this process only looks, and is no run to wait for."""
    while _held:
        _own().unlink(missing_ok=True)
        os.close(_held.pop())


def others() -> list[str]:
    """Describe each live run but this one."""
    try:
        with _alone():
            known = sorted({*RUNS.glob("*.lock")} - {_own()})
            return [_holder(path) for path in known if is_locked(path)]
    except OSError:
        return []


@contextmanager
def _alone() -> Iterator[None]:
    """Keep other runs from entering, and from looking, meanwhile."""
    RUNS.mkdir(parents=True, exist_ok=True)
    mutex = os.open(RUNS / "mutex", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(mutex, fcntl.LOCK_EX)
        yield
    finally:
        os.close(mutex)


def _end(pid: int) -> None:
    """Leave, but not in a child that was forked from this process."""
    if os.getpid() == pid:
        leave()


def _own() -> Path:
    return RUNS / f"{socket.gethostname()}-{os.getpid()}.lock"


def _holder(path: Path) -> str:
    host, _, pid = path.stem.rpartition("-")
    since = datetime.fromtimestamp(path.stat().st_mtime).astimezone()
    return f"process {pid} on {host}, since {since:%Y-%m-%d %H:%M:%S}"
