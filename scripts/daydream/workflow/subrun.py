"""Runs within a run: each shard is a plain run of Snakemake in threads, which a rule starts.

All shards write the same store and the same records in `.snakemake`, one file per output, so that a
later run finds what they made as if it had made it itself. They do not take Snakemake's lock: the
outer run holds it for them.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from daydream.errors import DaydreamError

_SETTINGS = "DAYDREAM_INNER_SETTINGS"
_PARENT = "DAYDREAM_INNER_PARENT"


class ShardError(DaydreamError):
    """A run within a run that did not reach its end."""

    code = "shard"


@dataclass(frozen=True, kw_only=True, slots=True)
class Inner:
    """A run within a run: its command line, and the settings it is to have otherwise."""

    command: list[str]
    settings: Mapping[str, object]


def inner_command(
    targets: Sequence[str],
    *,
    snakefile: str,
    cores: int,
    profile: str | None,
    configfiles: Iterable[object],
    config: Iterable[str],
    settings: Mapping[str, object],
) -> Inner:
    """Return a run of `targets` within a run.

    `configfiles` and `config` (``name=value``) are those of the outer run's command line. What the
    inner one is to have otherwise, `settings`, goes through its environment (`inner_arguments`):
    where another workflow has imported this one, it alone knows where in its ``--config`` ours are.
    """
    # -P: not from the working directory, which may hold a file of any name.
    command = [sys.executable, "-P", "-m", "snakemake", *targets, "--nolock"]
    # What sent the outer run to a cluster must not send the inner one there too.
    command += ["--executor", "local", "--profile", "none"]
    if profile is not None:
        command += ["--workflow-profile", profile]
    command += ["--snakefile", snakefile, "--cores", str(cores)]
    if files := [str(file) for file in configfiles]:
        command += ["--configfile", *files]
    if given := list(config):
        command += ["--config", *given]
    return Inner(command=command, settings=settings)


def inner_arguments() -> list[str]:
    """Return the settings that the run which started this process has set for it, as ``--config``.

    What comes last of these counts.
    """
    settings = json.loads(os.environ.get(_SETTINGS, "{}"))
    return [f"{name}={json.dumps(value)}" for name, value in settings.items()]


def run_inner(inner: Inner, *, log: str) -> None:
    """Run one, its output in `log`; wait first for an equal one that is still running.

    There is one if the outer run died alone and was started again: it is about to end (see
    `watch_parent`). The lock on the file beside the log is the command's own: it inherits it, and
    keeps it however this process ends.

    Raises:
        ShardError: the command failed.
    """
    Path(log).parent.mkdir(parents=True, exist_ok=True)
    with Path(log).with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with Path(log).open("wb") as file:
            code = _run(inner, output=file, kept=lock.fileno())
            if code != 0:
                error = ShardError(
                    f"{Path(log).stem}: ended with code {code}; what it made is kept: run the "
                    f"same command again to go on"
                )
                file.write(f"{error}\n".encode())
                raise error


def _run(inner: Inner, *, output: BinaryIO, kept: int) -> int:
    # Nothing is ever written to it: the system closes our end when this process ends.
    theirs, ours = os.pipe()
    try:
        return subprocess.run(  # noqa: S603 - our own command line
            inner.command,
            env={
                **os.environ,
                _SETTINGS: json.dumps(inner.settings),
                _PARENT: str(theirs),
            },
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=[kept, theirs],
            check=False,
        ).returncode
    finally:
        os.close(theirs)
        os.close(ours)


def watch_parent(at_end: Callable[[], object]) -> None:
    """Call `at_end` when the run that started this process ends, however it does.

    So a run whose outer process is killed alone does not go on paying for calls.
    """
    file = os.environ.pop(_PARENT, None)
    if file is None:
        return

    def watch() -> None:
        os.read(int(file), 1)
        at_end()

    threading.Thread(target=watch, daemon=True).start()
