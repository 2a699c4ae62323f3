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

# An ASCII character that is escaped: in JSON (or JSON in JSON), in a URL, or in HTML.
_ESCAPE = re.compile(
    rb"\\+([^\w\s\\])|\\+u00([0-9a-f]{2})|%([0-9a-f]{2})|&#0*(\d{1,3});|&#x0*([0-9a-f]{1,2});",
    re.IGNORECASE,
)
_IN_URL = re.compile(r"(?<=://)[^/?#@\s'\"]+@")


class Redaction:
    """Replaces a key with ``[key]``, also in base64, in a URL, or escaped in JSON or HTML."""

    def __init__(self, key: str) -> None:
        spellings = sorted(_spellings(key), key=len, reverse=True) if key else []
        escaped = "|".join(map(_escaped, spellings))
        self._plain = [spelling.encode() for spelling in spellings]
        self._text = re.compile(escaped)
        self._bytes = re.compile(escaped.encode())
        self._is_placeholder = len(key) < SHORTEST_KEY
        # An answer with none of these has no escaped character of the key.
        punctuation = {character for character in key if not character.isalnum()}
        escapes = ["\\u00", "\\U00", "%", "&#", *(f"\\{character}" for character in punctuation)]
        self._marks = [escape.encode() for escape in escapes]

    def text(self, text: str) -> str:
        """Return a message without the key, and without the names and passwords of its URLs."""
        if self._may_be_in(text.encode(errors="replace")):
            text = self._text.sub(SHOWN, text)
        return _IN_URL.sub(f"{SHOWN}@", text)

    def content(self, content: bytes) -> bytes:
        """Return the bytes of an answer, in UTF-8, without the key."""
        return self._bytes.sub(SHOWN.encode(), content) if self.is_in(content) else content

    def is_in(self, content: bytes) -> bool:
        """Tell whether the bytes of an answer, in UTF-8, hold the key."""
        return not self._is_placeholder and self._may_be_in(content)

    def header(self, value: str) -> str:
        """Return the value of a header without the key."""
        return self.content(value.encode()).decode()

    def _may_be_in(self, content: bytes) -> bool:
        """Tell the same without the pattern, which takes a hundred times as long."""
        if any(spelling in content for spelling in self._plain):
            return True
        if not any(mark in content for mark in self._marks):
            return False
        plain = _ESCAPE.sub(_unescaped, content)
        return any(spelling in plain for spelling in self._plain)


def _unescaped(found: re.Match[bytes]) -> bytes:
    sign, *numbers = found.groups()
    if sign:
        return bytes(sign)
    in_hex, in_decimal = numbers[0] or numbers[1] or numbers[3], numbers[2]
    code = int(in_hex, 16) if in_hex else int(in_decimal)
    return bytes([code]) if code < 128 else found[0]


def _escaped(text: str) -> str:
    """Return a pattern for a text whose characters may each be escaped, as in JSON or HTML."""
    return "".join(map(_character, text))


def _character(character: str) -> str:
    plain = re.escape(character)
    if not character.isascii():
        return plain
    code = ord(character)
    # Backslashes double where JSON stands in JSON.
    unicode = "".join(f"[{digit}{digit.upper()}]" for digit in f"u{code:04x}")
    in_url = "".join(f"[{digit}{digit.upper()}]" for digit in f"{code:02x}")
    return rf"(?:{plain}|\\+(?:{plain}|{unicode})|%{in_url}|&#0*{code};|&#[xX]0*{in_url};)"


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
