"""Removing a key, and proxies' passwords, from what a server says.

Some servers repeat them in an error, an answer or a header.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote

# A shorter key is a placeholder such as "ollama", and can be a normal word in an answer.
SHORTEST_KEY = 8
SHOWN = "[key]"
# A shorter password of a proxy can stand in the middle of words.
SHORTEST_PASSWORD = 4
HIDDEN = "[password]"

# An ASCII character that is escaped: in JSON (or JSON in JSON), in a URL, or in HTML.
_ESCAPE = re.compile(
    rb"\\+([^\w\s\\])|\\+u00([0-9a-f]{2})|%([0-9a-f]{2})|&#0*(\d{1,3});|&#x0*([0-9a-f]{1,2});",
    re.IGNORECASE,
)
_IN_URL = re.compile(r"(?<=://)[^/?#@\s'\"]+@")


class Redaction:
    """Replaces a key with ``[key]``, and passwords of proxies with ``[password]``.

    Also in base64, in a URL, or escaped in JSON or HTML.
    """

    def __init__(self, key: str, logins: Iterable[tuple[str, str]] = ()) -> None:
        """Take the key, and each user and password that a proxy is given."""
        self._secrets = [_Secret(key, SHOWN, answers=len(key) >= SHORTEST_KEY)] if key else []
        for user, password in logins:
            # What is sent, and so repeated most: the base64 of both. It is no word of an answer.
            self._secrets.append(_Secret(f"{user}:{password}", HIDDEN, answers=True))
            # A key is random; people choose passwords, and "elephant" may be what was asked for.
            # So an answer keeps a password that is not mixed of letters and digits, and a message
            # keeps one that is so short that it would be found in the middle of words.
            mixed = re.search("[0-9]", password) and re.search("[A-Za-z]", password)
            if len(password) >= SHORTEST_PASSWORD:
                answers = bool(mixed) and len(password) >= SHORTEST_KEY
                self._secrets.append(_Secret(password, HIDDEN, answers=answers))

    def text(self, text: str) -> str:
        """Return a message without the secrets, nor the names and passwords of its URLs."""
        for secret in self._secrets:
            if secret.is_in(text.encode(errors="replace")):
                text = secret.out_of_text(text)
        return _IN_URL.sub(f"{SHOWN}@", text)

    def content(self, content: bytes) -> bytes:
        """Return the bytes of an answer, in UTF-8, without the secrets."""
        for secret in self._secrets:
            if secret.answers and secret.is_in(content):
                content = secret.out_of(content)
        return content

    def is_in(self, content: bytes) -> bool:
        """Tell whether the bytes of an answer, in UTF-8, hold a secret."""
        return any(secret.answers and secret.is_in(content) for secret in self._secrets)

    def header(self, value: str) -> str:
        """Return the value of a header without the secrets."""
        return self.content(value.encode()).decode()


class _Secret:
    """A text that is replaced by `shown`; in answers, too, if `answers`."""

    def __init__(self, secret: str, shown: str, *, answers: bool) -> None:
        spellings = sorted(_spellings(secret), key=len, reverse=True)
        escaped = "|".join(map(_escaped, spellings))
        self.answers = answers
        self._shown = shown
        self._plain = [spelling.encode() for spelling in spellings]
        self._text = re.compile(escaped)
        self._bytes = re.compile(escaped.encode())
        # An answer with none of these has no escaped character of the secret.
        punctuation = {character for character in secret if not character.isalnum()}
        escapes = ["\\u00", "\\U00", "%", "&#", *(f"\\{character}" for character in punctuation)]
        self._marks = [escape.encode() for escape in escapes]

    def is_in(self, content: bytes) -> bool:
        """Tell whether it is there, without the pattern, which takes a hundred times as long."""
        if any(spelling in content for spelling in self._plain):
            return True
        if not any(mark in content for mark in self._marks):
            return False
        plain = _ESCAPE.sub(_unescaped, content)
        return any(spelling in plain for spelling in self._plain)

    def out_of_text(self, text: str) -> str:
        """Return a text without it."""
        return self._text.sub(self._shown, text)

    def out_of(self, content: bytes) -> bytes:
        """Return bytes without it."""
        return self._bytes.sub(self._shown.encode(), content)


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
