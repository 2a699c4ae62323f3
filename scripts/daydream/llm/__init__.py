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
from daydream.llm.local import LocalProvider
from daydream.llm.openai_api import OpenAIProvider
from daydream.llm.request import Provider, Request, Response, derive_seed

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


class Providers:
    """The configured providers by name; each is opened once a process, at its first call."""

    def __init__(self, settings: Mapping[str, Mapping[str, Any]], *, base_dir: Path) -> None:
        self._settings = settings
        self._base_dir = base_dir
        self._open: dict[str, Provider] = {}
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
                self._open[name] = open_provider(name, settings, base_dir=self._base_dir)
            return self._open[name]

    def complete(self, request: Request) -> Response:
        """Return the answer of the request's provider.

        Raises:
            CallError: there is none; one line says who, why and what to do.
        """
        return self[request.provider].complete(request)

    def close(self) -> None:
        """Close every provider that was opened; a later call opens it anew."""
        with self._lock:
            opened, self._open = self._open, {}
        for provider in opened.values():
            provider.close()
