"""A provider that is a Python function of the user's own: a stub, a rule, a model of another kind.

The function takes the request's body (model, messages and the sampling settings, as the API has
them) and returns the answer's text, or a whole chat completion. It is called from many threads at
once.
"""

from __future__ import annotations

import copy
import hashlib
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from daydream.errors import CallError
from daydream.llm.request import CallClock, Request, Response, check_completion, one_line

Complete = Callable[[dict[str, Any]], object]


class FunctionProvider:
    """Answers with the function `name` of the Python file `path`, which is run once."""

    def __init__(self, provider: str, *, base_dir: Path, path: str, name: str = "complete") -> None:
        self._provider = provider
        self._base_dir = base_dir
        self._path = path
        self._name = name
        self._function: Complete | None = None
        self._lock = threading.Lock()

    def complete(self, request: Request) -> Response:
        """Return what the function makes of a request.

        Raises:
            CallError: the file cannot be run, lacks the function, or the function failed.
        """
        function = self._load()
        # A copy: whatever the function does to it, the request stays what its hash says.
        body = copy.deepcopy(request.body())
        clock = CallClock()
        try:
            answer = function(body)
        except Exception as error:
            raise self._failed(error) from error
        duration_s = clock.duration_s
        if isinstance(answer, str):
            answer = _completion(request.model, answer)
        return Response(
            body=check_completion(answer, source=f"{self._path}, {self._name}()"),
            started_at=clock.started_at,
            duration_s=duration_s,
        )

    def check(self) -> None:
        """Load the function.

        Raises:
            CallError: the file cannot be run, or lacks the function.
        """
        self._load()

    def close(self) -> None:
        """Forget the function."""
        self._function = None

    def _load(self) -> Complete:
        with self._lock:
            if self._function is None:
                found = self._run_file().__dict__.get(self._name)
                if not callable(found):
                    raise CallError(
                        f"{self._path}: defines no function {self._name!r}; write "
                        f"`def {self._name}(body):`, or mend providers.{self._provider}.name"
                    )
                self._function = found
            return self._function

    def _run_file(self) -> ModuleType:
        try:
            source = (self._base_dir / self._path).read_bytes()
        except OSError as error:
            raise CallError(
                f"{self._path}: cannot be read ({error.strerror}); create the file, or mend "
                f"providers.{self._provider}.path"
            ) from error
        digest = hashlib.sha256(str(self._base_dir / self._path).encode()).hexdigest()
        module = ModuleType(f"daydream_function_{digest[:16]}")
        module.__file__ = self._path
        try:
            code = compile(source, self._path, "exec", dont_inherit=True)
            # Dataclasses and the like look up the module they stand in, even after it has run.
            sys.modules[module.__name__] = module
            exec(code, module.__dict__)  # noqa: S102 - running the user's own file is the task
        except (Exception, SystemExit) as error:
            sys.modules.pop(module.__name__, None)
            raise self._failed(error) from error
        return module

    def _failed(self, error: BaseException) -> CallError:
        line = _line_in(self._path, error)
        place = self._path if line is None else f"{self._path}:{line}"
        text = error.msg if isinstance(error, SyntaxError) else str(error)
        return CallError(
            f"{place}: {type(error).__name__}: {one_line(text)}; mend the function of provider "
            f"{self._provider!r}"
        )


def _completion(model: str, text: str) -> dict[str, Any]:
    return {
        "object": "chat.completion",
        "model": model,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text},
                "finish_reason": "stop",
            }
        ],
    }


def _line_in(file: str, error: BaseException) -> int | None:
    """Return the line of `file` in which an exception came up, if it did."""
    if isinstance(error, SyntaxError) and error.filename == file:
        return error.lineno
    frames = traceback.walk_tb(error.__traceback__)
    lines = [line for frame, line in frames if frame.f_code.co_filename == file]
    return lines[-1] if lines else None
