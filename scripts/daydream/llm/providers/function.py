"""A provider that is the user's own Python function: a stub, a rule, another kind of model.

The function takes the request's body (model, messages and the sampling settings, as the API has
them) and returns the answer's text, or a whole chat completion. It is called from many threads at
once.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from daydream.errors import CallError
from daydream.llm.reading import check_completion
from daydream.llm.request import CallClock, Request, Response, one_line
from daydream.usercode import (
    BrokenFileError,
    UnreadableFileError,
    UserFile,
    line_in,
    message_of,
    run_file,
)

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
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            # An exit, too: it would end this job's thread alone, and the run would wait for it.
            raise self._failed(error) from error
        duration_s = clock.duration_s
        if isinstance(answer, str):
            answer = _completion(request.model, answer)
        elif not isinstance(answer, dict):
            raise CallError(
                f"{self._path}, {self._name}(): returned {one_line(answer)}; return the text "
                "of the answer, or a chat completion as a dict"
            )
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
                found = self._run_file().namespace.get(self._name)
                if not callable(found):
                    raise CallError(
                        f"{self._path}: defines no function {self._name!r}; write "
                        f"`def {self._name}(body):`, or correct providers.{self._provider}.name"
                    )
                self._function = found
            return self._function

    def _run_file(self) -> UserFile:
        try:
            return run_file(self._base_dir / self._path, shown=self._path)
        except UnreadableFileError as error:
            raise CallError(
                f"{self._path}: cannot be read ({error.reason}); create the file, or correct "
                f"providers.{self._provider}.path"
            ) from error
        except BrokenFileError as broken:
            raise self._failed(broken.error) from broken.error

    def _failed(self, error: BaseException) -> CallError:
        line = line_in(self._path, error)
        place = self._path if line is None else f"{self._path}:{line}"
        found = f"{type(error).__name__}: {one_line(message_of(error))}"
        return CallError(f"{place}: {found}; fix the function of provider {self._provider!r}")


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
