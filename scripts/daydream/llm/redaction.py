"""Removing a key from what a server says. Some repeat it in an error, an answer or a header."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from urllib.parse import quote

# A shorter key is a placeholder such as "ollama", and can be a normal word in an answer.
SHORTEST_KEY = 8
SHOWN = "[key]"

_IN_URL = re.compile(r"(?<=://)[^/?#@\s'\"]+@")


class Redaction:
    """Replaces a key with ``[key]``, also in base64 or in a URL."""

    def __init__(self, key: str) -> None:
        self._texts = tuple(sorted(_spellings(key), key=len, reverse=True)) if key else ()
        self._bytes = tuple(text.encode() for text in self._texts if len(key) >= SHORTEST_KEY)

    def text(self, text: str) -> str:
        """Return a message without the key, and without the names and passwords of its URLs."""
        for spelling in self._texts:
            text = text.replace(spelling, SHOWN)
        return _IN_URL.sub(f"{SHOWN}@", text)

    def content(self, content: bytes) -> bytes:
        """Return the bytes of an answer without the key."""
        for spelling in self._bytes:
            if spelling in content:
                content = content.replace(spelling, SHOWN.encode())
        return content

    def header(self, value: str) -> str:
        """Return the value of a header without the key."""
        return self.content(value.encode()).decode()


def _spellings(key: str) -> set[str]:
    return {key, quote(key, safe=""), json.dumps(key)[1:-1], *_base64(key.encode())}


def _base64(key: bytes) -> Iterator[str]:
    """Yield the base64 digits of the key, for each position at which it can begin."""
    for before in range(3):
        text = base64.b64encode(b"\0" * before + key).decode()
        # The first and last digits also depend on what comes before and after the key.
        first = (before * 8 + 5) // 6
        whole = text[first : (before + len(key)) * 8 // 6]
        if len(whole) >= SHORTEST_KEY:
            yield whole
            yield whole.translate(str.maketrans("+/", "-_"))
