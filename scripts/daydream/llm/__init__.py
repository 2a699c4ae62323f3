"""Model calls: one interface to providers over HTTP, to a model in this process, to a function.

Importing this package costs nothing: a provider imports what it needs at its first call.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from daydream.errors import CallError, nearest
from daydream.llm.function import FunctionProvider
from daydream.llm.limits import Limits
from daydream.llm.local import LocalProvider
from daydream.llm.openai_api import OpenAIProvider
from daydream.llm.request import Provider, Request, Response, derive_seed
from daydream.llm.retry import Retrying

__all__ = ["Provider", "Providers", "Request", "Response", "derive_seed", "open_provider"]


def open_provider(name: str, settings: Mapping[str, Any], *, base_dir: Path) -> Provider:
    """Return the provider that the configuration's `settings` describe, under its `name`.

    Relative paths of the settings start at `base_dir`. Nothing is connected to or loaded yet.
    """
    options = {key: value for key, value in settings.items() if key != "type"}
    match settings["type"]:
        case "openai":
            return OpenAIProvider(name, **options)
        case "local":
            return LocalProvider(name, base_dir=base_dir, **options)
        case "command":
            from daydream.llm.command import CommandProvider  # noqa: PLC0415 - for those who use it

            return CommandProvider(name, base_dir=base_dir, **options)
        case "function":
            return FunctionProvider(name, base_dir=base_dir, **options)
        case other:
            known = nearest(str(other), ("openai", "local", "function", "command"))
            raise CallError(f"provider {name!r}: found the type {other!r}; {known}")


# What a provider over a network is told for asking again.
RETRY = ("max_attempts", "deadline", "first_wait")


class Providers:
    """The configured providers by name; each is opened once a process, at its first call.

    `pools` holds the limits of pools of models, by name; `limits_dir` what processes share of them.
    `stop`, when it is set, ends every wait: no further attempt begins.
    """

    def __init__(
        self,
        settings: Mapping[str, Mapping[str, Any]],
        *,
        base_dir: Path,
        pools: Mapping[str, Mapping[str, Any]] | None = None,
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
                settings = dict(self._settings[name])
                retry = {key: settings.pop(key) for key in RETRY if key in settings}
                provider = open_provider(name, settings, base_dir=self._base_dir)
                if settings["type"] in ("openai", "command"):
                    self._retrying[name] = Retrying(name, provider, stop=self._stop, **retry)
                self._open[name] = provider
            return self._open[name]

    def complete(self, request: Request, *, pool: str = "") -> Response:
        """Return the answer of the request's provider, within the limits of a pool.

        A pool that is not named is that of the provider's name.

        Raises:
            CallError: there is none; one line says who, why and what to do.
            StoppedError: the run is to end, and the call was not in flight.
        """
        provider = self[request.provider]
        limits = self._limits_of(pool or request.provider)
        retrying = self._retrying.get(request.provider)
        if retrying is not None:
            return retrying.complete(request, limits)
        with limits.call(request) as usage:
            response = provider.complete(request)
            usage.update(response.usage)
        return response

    def _limits_of(self, pool: str) -> Limits:
        with self._lock:
            if pool not in self._limits:
                self._limits[pool] = Limits(
                    self._limits_dir, pool, stop=self._stop, **self._pools.get(pool, {})
                )
            return self._limits[pool]

    def close(self) -> None:
        """Close every provider that was opened; a later call opens it anew."""
        with self._lock:
            opened, self._open, self._retrying = self._open, {}, {}
        for provider in opened.values():
            provider.close()
