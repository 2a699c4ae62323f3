"""Composite keys and the ids made from them: the only code that encodes or decodes a key.

A generation is named by its dimensions, in the one order its stage declares (`stage_fields`):

    root stage    combo_id | template_id | llm_model_id | replicate | further dimensions ...
    later stages  parent_gen_id | template_id | llm_model_id | replicate | further dimensions ...

`KeyCodec` writes them as one printable line. The delimiter ``|``, the escape sign ``%``, control
characters, line separators and lone surrogates are percent-encoded as UTF-8 bytes; everything else
stands as it is. Each key has exactly one spelling: `decode` rejects any other.

`gen_id` hashes stage and key, so that names that differ in case, or in Unicode normalisation only,
get different directories on every file system.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from daydream.errors import DaydreamError

DELIMITER = "|"
ID_PATTERN = r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}"

_VALID_ID = re.compile(ID_PATTERN)
_UNSAFE = re.compile(r"[%|\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_ESCAPED = re.compile(r"(?:%[0-9A-F]{2})+")
_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"
_PAIRS = tuple(high + low for high in _ALPHABET for low in _ALPHABET)
_DIGITS = 16


class KeyCodecError(DaydreamError):
    """A key that no codec of that stage could have written."""

    code = "key"


@lru_cache(maxsize=1 << 16)
def _escape(value: str) -> str:
    def percent(match: re.Match[str]) -> str:
        return "".join(f"%{byte:02X}" for byte in match[0].encode("utf-8", "surrogatepass"))

    return _UNSAFE.sub(percent, value)


def _unescape(value: str) -> str:
    def text(match: re.Match[str]) -> str:
        return bytes.fromhex(match[0].replace("%", "")).decode("utf-8", "surrogatepass")

    return _ESCAPED.sub(text, value)


class KeyCodec:
    """Encodes the dimensions of one stage as a key, and back.

    ``decode(encode_values(values))`` has these values, for all strings; encoding what `decode`
    returns gives the key again, for every key that it accepts.
    """

    def __init__(self, fields: Iterable[str]) -> None:
        self.fields = tuple(fields)

    def encode_values(self, values: Sequence[str]) -> str:
        """Return the key of `values`, given in the order of `fields`."""
        return DELIMITER.join(map(_escape, values))

    def decode(self, key: str) -> dict[str, str]:
        """Return the dimensions of `key` by field name.

        Raises:
            KeyCodecError: `key` has another number of fields, or another spelling than its own.
        """
        parts = key.split(DELIMITER)
        if len(parts) != len(self.fields):
            raise KeyCodecError(
                f"key {key!r} has {len(parts)} fields, not {len(self.fields)} "
                f"({DELIMITER.join(self.fields)}); write it with KeyCodec.encode_values"
            )
        try:
            values = [_unescape(part) for part in parts]
        except UnicodeDecodeError as error:
            raise KeyCodecError(
                f"key {key!r} escapes bytes that are not text; write it with KeyCodec.encode_values"
            ) from error
        if self.encode_values(values) != key:
            raise KeyCodecError(
                f"key {key!r} is not spelled canonically; write it with KeyCodec.encode_values"
            )
        return dict(zip(self.fields, values, strict=True))


def stage_fields(*, root: bool, dimensions: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the key fields of a stage: of the first one if `root`, else of a later one."""
    subject = "combo_id" if root else "parent_gen_id"
    return (subject, "template_id", "llm_model_id", "replicate", *dimensions)


def gen_id(*, stage: str, prefix: str, key: str) -> str:
    """Return the id of a generation: ``<prefix>_`` and 16 lower-case base-36 digits.

    The digits are blake2b-80 (RFC 7693 with a 10-byte digest) of the key tagged with its stage. For
    n ids the chance of any collision is about n² / 2^81: 4e-13 for a million.
    """
    tagged = f"{stage}{DELIMITER}{key}".encode()
    number = int.from_bytes(hashlib.blake2b(tagged, digest_size=10).digest())
    digits = []
    for _ in range(_DIGITS // 2):
        number, pair = divmod(number, 1296)
        digits.append(_PAIRS[pair])
    return f"{prefix}_{''.join(reversed(digits))}"


def is_gen_id(value: str) -> bool:
    """Tell whether `value` can name a generation's directory, imported ids included."""
    return _VALID_ID.fullmatch(value) is not None
