"""Which software makes the calls of a provider, as the journal names it."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version

# The packages that make the calls of a type of provider.
_PACKAGES = {
    "openai": "httpx2",
    "anthropic": "httpx2",
    "gemini": "httpx2",
    "local": "xllamacpp",
}


@cache
def client_of(kind: str) -> str:
    """Return the package that calls providers of a type, with its version; or the type itself."""
    package = _PACKAGES.get(kind)
    return f"{package} {version(package)}" if package else kind
