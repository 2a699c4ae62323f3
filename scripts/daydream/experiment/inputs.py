"""The inputs that a run has read, each once: what changes meanwhile counts in the next run."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from daydream.errors import InputError
from daydream.files import file_sha256, parse_json, text_sha256
from daydream.tables import read_text


class Inputs:
    """Texts of the catalogs as they were read, and the digests of the other files."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._text_digests: dict[str, str] = {}
        self._values: dict[str, Any] = {}
        self._files: dict[str, str] = {}

    def text(self, path: str) -> str:
        """Return a text of the catalogs, which is read once.

        Raises:
            InputError: it is not UTF-8.
        """
        if path not in self._texts:
            self._texts[path] = read_text(Path(path), code="catalog")
        return self._texts[path]

    def sha256(self, path: str) -> str:
        """Return the digest of a text of the catalogs."""
        if path not in self._text_digests:
            self._text_digests[path] = text_sha256(self.text(path))
        return self._text_digests[path]

    def value(self, path: str) -> Any:  # noqa: ANN401 - any JSON
        """Return the value of a text of the catalogs in JSON, which is parsed once.

        Raises:
            InputError: it cannot be read.
            ValueError: it is not JSON.
        """
        if path not in self._values:
            self._values[path] = parse_json(self.text(path))
        return self._values[path]

    def note(self, paths: Iterable[str | Path]) -> None:
        """Note that files are read as they are now; names of no file are left out."""
        for path in map(str, paths):
            if digest := _digest(path):
                self._files.setdefault(path, digest)

    def changed(self) -> list[str]:
        """Return the files that are no longer what was read of them, sorted."""
        files = [path for path, digest in self._files.items() if _digest(path) != digest]
        texts = [path for path, text in self._texts.items() if not _holds(path, text)]
        return sorted({*files, *texts})


def _digest(path: str) -> str:
    """Return the digest of a file; empty if there is none."""
    try:
        return file_sha256(Path(path))
    except OSError:
        return ""


def _holds(path: str, text: str) -> bool:
    try:
        return read_text(Path(path), code="catalog") == text
    except InputError:
        return False
