"""Which proxy from the environment a call goes through, for messages that name it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies_environment, proxy_bypass

# The proxies that the HTTP library reads.
SCHEMES = ("http", "https", "all")
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


def forwarding_variable(url: str) -> str:
    """Return the same if the proxy sees the calls, and can answer them itself; else empty.

    It passes on what is encrypted, and a SOCKS proxy whatever there is.
    """
    name = proxy_variable(url)
    if not url.startswith("http://") or os.environ.get(name, "").startswith("socks"):
        return ""
    return name


def proxy_variables() -> dict[str, str]:
    """Return the URL of the proxy in each variable that has one."""
    proxies = getproxies_environment()
    return {
        _as_set(f"{scheme}_proxy", os.environ): url if "://" in url else f"http://{url}"
        for scheme in SCHEMES
        if (url := proxies.get(scheme))
    }


def connection_variables() -> list[str]:
    """Return the variables that are set and change how connections are made."""
    proxies = [_as_set(f"{name}_proxy", os.environ) for name in getproxies_environment()]
    return sorted({*proxies, *(name for name in CERTIFICATES if os.environ.get(name))})


def proxy_logins() -> Iterator[tuple[str, str]]:
    """Yield the user and password of each proxy in the environment, as written and as sent."""
    logins: dict[tuple[str, str], None] = {}
    for url in proxy_variables().values():
        # Not by a parser of URLs: a password with a slash in it makes a URL that has none, and
        # pieces of it stand in the message about that.
        login, at, _ = url.rpartition("@")
        user, colon, password = login.partition("://")[2].partition(":")
        if at and colon and password:
            pieces = re.split(r"[/?#@]", password)
            written = [(user, each) for each in (password, *pieces) if each]
            logins.update(dict.fromkeys([*written, (unquote(user), unquote(password))]))
    yield from logins


def _as_set(name: str, environment: Mapping[str, str]) -> str:
    """Return a variable's name as the environment spells it: in lower or upper case."""
    return name if environment.get(name) else name.upper()
