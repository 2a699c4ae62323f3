"""A JSON object with a long list in it, read as it comes: one value of the list is held at a time.

Some providers answer with all results of a batch in one object, which may have some hundred MB.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterable, Iterator

from daydream.llm.request import one_line

# How many characters a single value may have.
MOST = 64 * 2**20
# How many characters are read at least before a value that was not there whole is tried again.
STEP = 2**16

_SPACE = re.compile(r"[ \t\n\r]*")
_CONTROL = re.compile(r"[\x00-\x1f]")
# Some servers put line ends into texts as they are.
_DECODER = json.JSONDecoder(strict=False)


class Listed:
    """The object in `chunks` of UTF-8. Iterating yields the values of its list `name`, as JSON.

    Each is on one line. Afterwards, `rest` has the other members of the object, and `found` tells
    whether it had that list.

    Raises:
        ValueError: it is not such an object, or ends early.
    """

    def __init__(self, chunks: Iterable[bytes], name: str) -> None:
        self.rest: dict[str, object] = {}
        self.found = False
        self._name = name
        self._texts = codecs.iterdecode(chunks, "utf-8", errors="replace")
        self._text = ""
        self._at = 0

    def __iter__(self) -> Iterator[str]:
        """Yield the values of the list."""
        self._take("{")
        if self._peek() == "}":
            return
        while True:
            name = self._value()[1]
            self._take(":")
            if name == self._name and self._peek() == "[":
                self.found = True
                yield from self._values()
            else:
                self.rest[str(name)] = self._value()[1]
            if self._take(",}") == "}":
                return

    def _values(self) -> Iterator[str]:
        self._take("[")
        if self._peek() == "]":
            self._take("]")
            return
        while True:
            text, value = self._value()
            yield json.dumps(value) if _CONTROL.search(text) else text
            if self._take(",]") == "]":
                return

    def _value(self) -> tuple[str, object]:
        """Return the next value, as it stands there and read."""
        self._peek()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except RecursionError as error:
                raise ValueError("it is nested too deeply") from error
            except ValueError:
                # It may only not be there whole; a number may also go on.
                value, end = None, len(self._text)
            if end < len(self._text):
                text = self._text[self._at : end]
                self._at = end
                return text, value
            held = len(self._text) - self._at
            if held > MOST or not self._read(max(STEP, held)):
                raise ValueError(f"it is not JSON at {self._here()}")

    def _take(self, allowed: str) -> str:
        """Pass the next character, which must be one of these."""
        found = self._peek()
        if not found or found not in allowed:
            raise ValueError(f"it is not JSON at {self._here()}")
        self._at += 1
        return found

    def _peek(self) -> str:
        """Return the next character that is not a space; empty at the end."""
        while True:
            match = _SPACE.match(self._text, self._at)
            self._at = self._at if match is None else match.end()
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._read(1):
                return ""

    def _read(self, least: int) -> bool:
        """Read at least so many characters more, if there are; tell whether there were any."""
        parts, size = [self._text[self._at :]], 0
        for text in self._texts:
            parts.append(text)
            size += len(text)
            if size >= least:
                break
        self._text, self._at = "".join(parts), 0
        return size > 0

    def _here(self) -> str:
        return one_line(self._text[self._at :], limit=80) if self._peek() else "its end"
