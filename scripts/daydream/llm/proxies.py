"""Which proxy from the environment a call goes through, for messages that name it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass

CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


def proxy_variable(url: str) -> str:
    """Return the environment variable of the proxy that calls to `url` go through; empty if none.

    As in HTTP libraries, the variable of the URL's scheme takes precedence over ``ALL_PROXY``.
    """
    parts = urlsplit(url)
    if not parts.hostname or proxy_bypass(parts.hostname):
        return ""
    proxies = getproxies_environment()
    for scheme in (parts.scheme, "all"):
        if proxies.get(scheme):
            return _as_set(f"{scheme}_proxy", os.environ)
    return ""


def connection_variables() -> list[str]:
    """Return the variables that are set and change how connections are made."""
    proxies = [_as_set(f"{name}_proxy", os.environ) for name in getproxies_environment()]
    return sorted({*proxies, *(name for name in CERTIFICATES if os.environ.get(name))})


def _as_set(name: str, environment: Mapping[str, str]) -> str:
    """Return a variable's name as the environment spells it: in lower or upper case."""
    return name if environment.get(name) else name.upper()
