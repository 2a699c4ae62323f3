"""Runs within a run: each shard is a normal threaded run of Snakemake, started by a rule.

All shards write to the same store and to the same records in `.snakemake`, one file per output. So
a later run finds their results as if it had made them itself. They do not take Snakemake's lock,
because the outer run holds it for them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from daydream.errors import DaydreamError, StoreError
from daydream.files import held

_SETTINGS = "DAYDREAM_INNER_SETTINGS"
_PARENT = "DAYDREAM_INNER_PARENT"


class ShardError(DaydreamError):
    """A run within a run that failed."""

    code = "shard"


@dataclass(frozen=True, kw_only=True, slots=True)
class Inner:
    """A run within a run: its command line, and the settings that differ."""

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

    `configfiles` and `config` (``name=value``) are those of the outer run's command line. The
    `settings` that differ are passed through the environment (`inner_arguments`). If another
    workflow imports this one, only that one knows where in its ``--config`` our settings are.
    """
    # -P: import nothing from the working directory, which may hold files with any name.
    command = [sys.executable, "-P", "-m", "snakemake", *targets, "--nolock"]
    # The outer run may have been sent to a cluster; the inner one must not be sent again.
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
    """Return the settings that the outer run has set for this process, as for ``--config``.

    The last value of a setting counts.
    """
    settings = json.loads(os.environ.get(_SETTINGS, "{}"))
    return [f"{name}={json.dumps(value)}" for name, value in settings.items()]


def run_inner(inner: Inner, *, log: str) -> None:
    """Run one, with its output in `log`. First wait for the same one if it is still running.

    That happens if the outer run was killed alone and started again; the inner one is then about to
    end (see `watch_parent`). The command inherits the lock on the file beside the log, and keeps it
    however this process ends.

    Raises:
        ShardError: the command failed.
        StoreError: its log cannot be written.
    """
    try:
        with held(Path(log).with_suffix(".lock")) as lock, Path(log).open("wb") as file:
            code = _run(inner, output=file, kept=lock.fileno())
            if code == 0:
                return
            error = ShardError(
                f"{Path(log).stem}: ended with code {code}; what it made is kept: run the same "
                f"command again to go on"
            )
            file.write(f"{error}\n".encode())
    except OSError as failure:
        raise StoreError(
            f"{log}: cannot be written ({failure.strerror}); fix that and run snakemake again"
        ) from failure
    raise error


def _run(inner: Inner, *, output: BinaryIO, kept: int) -> int:
    # Nothing is ever written to the pipe. The system closes our end when this process ends.
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
    """Call `at_end` when the run that started this process ends, however it ends.

    So if the outer process is killed alone, the inner run does not continue to pay for calls.
    """
    file = os.environ.pop(_PARENT, None)
    if file is None:
        return

    def watch() -> None:
        os.read(int(file), 1)
        at_end()

    threading.Thread(target=watch, daemon=True).start()
