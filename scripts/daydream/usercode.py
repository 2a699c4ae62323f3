"""Python files of the user's own, run by path: parsers, and functions that answer.

A file is run each time it is loaded, in a module of its own, from the bytes that were read: its
digest is of what was run. What is wrong with a file is for the caller to say, who knows which
setting names it; `line_in` says where in the file it came up.
"""

from __future__ import annotations

import hashlib
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any


@dataclass(frozen=True, slots=True)
class UserFile:
    """A file that was run: the names it defines, and 16 digits of the SHA-256 of its bytes."""

    namespace: dict[str, Any]
    digest: str


class UnreadableFileError(Exception):
    """A user's file that cannot be read; `reason` is the system's."""

    def __init__(self, reason: str | None) -> None:
        super().__init__(reason)
        self.reason = reason


class BrokenFileError(Exception):
    """A user's file that raised while it ran, or is not Python; `error` is what it raised."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(error)
        self.error = error


def run_file(path: Path, *, shown: str) -> UserFile:
    """Run a Python file; tracebacks and `line_in` call it `shown`.

    Raises:
        UnreadableFileError: the file is missing or cannot be read.
        BrokenFileError: it cannot be compiled, or raised; it then leaves no module.
    """
    try:
        source = path.read_bytes()
    except OSError as error:
        raise UnreadableFileError(error.strerror) from error
    module = ModuleType(f"daydream_usercode_{digest(str(path).encode() + source)}")
    module.__file__ = shown
    try:
        # Compiled here, as Python's own cache can miss an edit within the same second.
        code = compile(source, shown, "exec", dont_inherit=True)
        # Dataclasses and the like look up the module they stand in, even after it has run.
        sys.modules[module.__name__] = module
        exec(code, module.__dict__)  # noqa: S102 - running the user's own file is the task
    except (Exception, SystemExit) as error:
        sys.modules.pop(module.__name__, None)
        raise BrokenFileError(error) from error
    return UserFile(module.__dict__, digest(source))


def digest(source: bytes) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of a file's bytes."""
    return hashlib.sha256(source).hexdigest()[:16]


def message_of(error: BaseException) -> str:
    """Return an exception's text; of a syntax error without the place, which `line_in` says."""
    return error.msg if isinstance(error, SyntaxError) else str(error)


def line_in(file: str, error: BaseException) -> int | None:
    """Return the line of `file` in which an exception came up, if it did."""
    if isinstance(error, SyntaxError) and error.filename == file:
        return error.lineno
    frames = traceback.walk_tb(error.__traceback__)
    lines = [line for frame, line in frames if frame.f_code.co_filename == file]
    return lines[-1] if lines else None
