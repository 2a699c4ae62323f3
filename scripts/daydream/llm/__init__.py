"""Model calls: one interface to providers over HTTP, a model in this process, or a function.

Importing this package is fast, because a provider imports what it needs at its first call.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import cast

from daydream.errors import CallError, nearest
from daydream.llm.batches import BatchProvider
from daydream.llm.deadline import Notices
from daydream.llm.embeddings import Embedded, EmbeddingRequest
from daydream.llm.limits import Limits
from daydream.llm.prefixes import Prefixes
from daydream.llm.providers.anthropic import AnthropicProvider
from daydream.llm.providers.anthropic_batches import AnthropicBatches
from daydream.llm.providers.function import FunctionProvider
from daydream.llm.providers.gemini import GeminiProvider
from daydream.llm.providers.gemini_batches import GeminiBatches
from daydream.llm.providers.http import HttpProvider
from daydream.llm.providers.inline_batches import InlineBatches
from daydream.llm.providers.local import LocalProvider
from daydream.llm.providers.openai import OpenAIProvider
from daydream.llm.providers.openai_batches import OpenAIBatches
from daydream.llm.request import Provider, Request, Response, derive_seed
from daydream.llm.retry import Attempt, RemoteProvider, Retrying
from daydream.settings import Api, Command, Function, Local, OpenAI, Pool, Remote
from daydream.settings import Provider as ProviderSettings

__all__ = ["Provider", "Providers", "Request", "Response", "derive_seed", "open_provider"]

_API_PROVIDERS: Mapping[str, Callable[..., HttpProvider]] = {
    "openai": OpenAIProvider,
    "anthropic": AnthropicProvider,
    "gemini": GeminiProvider,
}


def open_provider(name: str, settings: ProviderSettings, *, base_dir: Path) -> Provider:
    """Return the provider that the configuration's `settings` describe, under its `name`.

    Relative paths in the settings start at `base_dir`. Nothing is connected or loaded yet.
    """
    match settings:
        case Api():
            return _API_PROVIDERS[settings.type](
                name,
                base_url=settings.base_url,
                api_key_env=settings.api_key_env,
                connect_timeout=settings.connect_timeout,
                read_timeout=settings.read_timeout,
            )
        case Local():
            return LocalProvider(
                name,
                base_dir=base_dir,
                model_path=settings.model_path,
                n_ctx=settings.n_ctx,
                threads=settings.threads,
            )
        case Command():
            from daydream.llm.providers.command import CommandProvider  # noqa: PLC0415 - for those who use it

            return CommandProvider(
                name,
                base_dir=base_dir,
                command=settings.command,
                health=settings.health,
                start_timeout=settings.start_timeout,
                connect_timeout=settings.connect_timeout,
                read_timeout=settings.read_timeout,
            )
        case Function():
            return FunctionProvider(name, base_dir=base_dir, path=settings.path, name=settings.name)


class Providers:
    """The configured providers by name. Each process opens a provider once, at its first call.

    `pools` holds the limits of pools of models by name. The files in `limits_dir` let processes
    share them. When `stop` is set, every wait ends and no further attempt begins.
    """

    def __init__(
        self,
        settings: Mapping[str, ProviderSettings],
        *,
        base_dir: Path,
        pools: Mapping[str, Pool] | None = None,
        limits_dir: Path = Path("data/limits"),
        stop: threading.Event | None = None,
    ) -> None:
        self._settings = settings
        self._base_dir = base_dir
        self._pools = pools or {}
        self._limits_dir = base_dir / limits_dir
        self._stop = stop or threading.Event()
        self._open: dict[str, Provider] = {}
        self._retrying: dict[str, Retrying] = {}
        self._limits: dict[str, Limits] = {}
        self._notices = Notices()
        self._prefixes = Prefixes(self._stop)
        self._lock = threading.Lock()

    def __getitem__(self, name: str) -> Provider:
        """Return the provider of that name.

        Raises:
            CallError: the configuration has none.
        """
        with self._lock:
            if name not in self._open:
                if name not in self._settings:
                    raise CallError(
                        f"found the provider {name!r}, which is not configured; add it to "
                        f"providers; {nearest(name, self._settings)}"
                    )
                settings = self._settings[name]
                provider = open_provider(name, settings, base_dir=self._base_dir)
                if isinstance(settings, Remote):
                    self._retrying[name] = Retrying(
                        name,
                        cast("RemoteProvider", provider),
                        stop=self._stop,
                        max_attempts=settings.max_attempts,
                        deadline=settings.deadline,
                        first_wait=settings.first_wait,
                        notices=self._notices,
                    )
                self._open[name] = provider
            return self._open[name]

    def complete(
        self, request: Request, *, pool: str = "", metered: Attempt = nullcontext
    ) -> Response:
        """Return the answer of the request's provider, within the limits of a pool.

        Without a name, the pool is the one with the provider's name. `metered` is entered around
        each attempt, once it may be sent.

        Raises:
            CallError: there is none; one line says who, why and what to do.
            StoppedError: the run is ending, and the call is not in flight.
        """
        provider = self[request.provider]
        limits = self._limits_of(pool or request.provider)
        retrying = self._retrying.get(request.provider)
        if retrying is not None:
            with self._prefixes.turn(request.beginning):
                return retrying.complete(request, limits, metered=metered)
        with limits.call(request) as told, metered():
            response = provider.complete(request)
            told.append(response.counted)
        return response

    def embed(self, request: EmbeddingRequest, *, metered: Attempt = nullcontext) -> Embedded:
        """Return the embeddings of some texts, within the limits of their provider's pool.

        Raises:
            CallError: there are none; one line says who, why and what to do.
            StoppedError: the run is ending, and the call is not in flight.
        """
        provider = self[request.provider]
        if not isinstance(provider, OpenAIProvider):
            raise CallError(
                f"provider {request.provider!r} has no embeddings; name one of type openai in "
                f"embeddings.provider"
            )

        def ask(within: float) -> Embedded:
            return provider.embed(request, within=within)

        limits = self._limits_of(request.provider)
        retrying = self._retrying[request.provider]
        return retrying.until_answered(request, limits, ask, metered=metered)

    def batches(self, name: str) -> BatchProvider:
        """Return what answers the batches of a provider of that name.

        Raises:
            CallError: it has none.
        """
        provider = self[name]
        match provider:
            case OpenAIProvider():
                settings = self._settings[name]
                inline = isinstance(settings, OpenAI) and settings.has_inline_batches
                return InlineBatches(provider) if inline else OpenAIBatches(provider)
            case AnthropicProvider():
                return AnthropicBatches(provider)
            case GeminiProvider():
                return GeminiBatches(provider)
        raise CallError(f"provider {name!r} has no batches; leave its stages out of batch")

    def _limits_of(self, pool: str) -> Limits:
        with self._lock:
            if pool not in self._limits:
                settings = self._pools.get(pool, Pool())
                self._limits[pool] = Limits(
                    self._limits_dir,
                    pool,
                    stop=self._stop,
                    requests_per_minute=settings.requests_per_minute,
                    tokens_per_minute=settings.tokens_per_minute,
                    concurrent=settings.concurrent,
                    notices=self._notices,
                )
            return self._limits[pool]

    def close(self) -> None:
        """Close every open provider; a later call opens it again."""
        with self._lock:
            opened, self._open, self._retrying = self._open, {}, {}
        for provider in opened.values():
            provider.close()
