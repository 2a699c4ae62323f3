"""The command line of a run, and the commands to type after it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple


class Commands(NamedTuple):
    """The commands after a run: the same again, and the scores of what exists."""

    again: str
    partial: str


def commands(
    argv: Sequence[str], *, targets: Collection[str], parent: str | None = None
) -> Commands:
    """Return the command lines that continue the run that `argv` started.

    `targets` are the targets in it. `parent` is the command line of the process that started it, as
    `parent_command` returns it.
    """
    program = _program(argv[0], parent)
    words = list(_split(argv[1:]))
    # This run has already decided what to ask again. A second refresh would make new calls.
    same = [word for word in words if word != "refresh=true"]
    # A partial run only makes reports.
    again = _tidy([word for word in same if not word.startswith("partial=")])
    partial = [
        word
        for word in same
        if word not in targets and word != "--" and not word.startswith("partial=")
    ]
    if not {"--config", "-C"} & {*partial}:
        partial.append("--config")
    at = next(place for place, word in enumerate(partial) if word in ("--config", "-C")) + 1
    partial[at:at] = ["partial=true"]
    return Commands(
        again=shlex.join([*program, *again]), partial=shlex.join([*program, "scores", *partial])
    )


def _split(words: Iterable[str]) -> Iterable[str]:
    for word in words:
        if word.startswith("--config="):
            yield from ("--config", word.removeprefix("--config="))
        else:
            yield word


def _tidy(words: Sequence[str]) -> list[str]:
    """Leave out a ``--config`` without arguments."""
    following = [*words[1:], "--"]
    return [
        word
        for word, after in zip(words, following, strict=True)
        if not (word in ("--config", "-C") and after.startswith("-"))
    ]


def _program(argv0: str, parent: str | None) -> list[str]:
    """Return how snakemake was called: by its name, as a module, or with ``uv run``."""
    words = (parent or "").split("\0")
    if Path(words[0]).name == "uv" and words[1:2] == ["run"]:
        ends = [place for place, word in enumerate(words) if word == "snakemake"]
        if ends:
            return ["uv", *words[1 : ends[0] + 1]]
    if Path(argv0).name == "__main__.py":
        return ["python", "-m", "snakemake"]
    return [Path(argv0).name]


def parent_command() -> str | None:
    """Return the command line of this process's parent, each word ended by a NUL."""
    try:
        return Path(f"/proc/{os.getppid()}/cmdline").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
