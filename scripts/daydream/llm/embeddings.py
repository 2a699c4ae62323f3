"""Embeddings as data: the texts that are asked about, and what the bytes of an answer say of them.

https://platform.openai.com/docs/api-reference/embeddings describes the API. The items of an answer
name their text by `index`, and may come in any order.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import sys
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import Any

from daydream.files import parse_json
from daydream.llm.request import CHARACTERS_PER_TOKEN, error_message, one_line
from daydream.llm.usage import Usage, read_usage

# A vector is kept as so many bytes per number: IEEE 754, single precision, little-endian.
NUMBER_BYTES = 4


@dataclass(frozen=True, kw_only=True)
class EmbeddingRequest:
    """One request for the embeddings of some texts."""

    provider: str
    model: str
    texts: tuple[str, ...]
    dimensions: int | None = None

    def body(self) -> dict[str, Any]:
        """Return the JSON object that is sent."""
        body: dict[str, Any] = {
            "model": self.model,
            "input": list(self.texts),
            "encoding_format": "float",
        }
        return body if self.dimensions is None else {**body, "dimensions": self.dimensions}

    @cached_property
    def sha256(self) -> str:
        """The hash of what is asked, and of whom."""
        identity = {"provider": self.provider, "body": self.body()}
        return sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()

    def expected_tokens(self, _: float | None = None) -> float:
        """Return about how many tokens it takes; there are none of an answer."""
        return sum(map(len, self.texts)) / CHARACTERS_PER_TOKEN

    def __str__(self) -> str:
        return f"provider {self.provider!r}, model {self.model!r}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Embedded:
    """An answer: the vectors that it holds, by the number of their text.

    `model` is the provider's name for the model that answered; None if it does not say.
    """

    vectors: Mapping[int, bytes]
    counted: Usage
    model: str | None
    started_at: str
    attempts: int = 1
    usage: Mapping[str, Any] = field(default_factory=dict)


class NoEmbeddingsError(ValueError):
    """The bytes of an answer hold no usable embeddings; `remedy` says what to do.

    `again`: another attempt may help.
    """

    def __init__(self, found: str, remedy: str, *, again: bool = False) -> None:
        super().__init__(found)
        self.remedy = remedy
        self.again = again


def read_embeddings(content: bytes, request: EmbeddingRequest, *, started_at: str) -> Embedded:
    """Read an answer with status 200. Some texts may be missing in it, but not all.

    Raises:
        NoEmbeddingsError: it holds none, or vectors that cannot be told apart or compared.
    """
    value = _object(content)
    vectors: dict[int, bytes] = {}
    for item in value["data"]:
        number = _index(item, len(request.texts))
        if number in vectors:
            raise NoEmbeddingsError(
                f"answered two embeddings of the same index {number}", "set embeddings.texts to 1"
            )
        vectors[number] = _vector(item.get("embedding"))
    if not vectors:
        raise NoEmbeddingsError("answered no embedding", "check the model", again=True)
    _check_lengths(vectors, request)
    usage = value.get("usage")
    model = value.get("model")
    counted = read_usage(usage)
    return Embedded(
        vectors=vectors,
        counted=counted if counted.prompt is None else counted._replace(completion=0),
        model=model if isinstance(model, str) else None,
        started_at=started_at,
        usage=usage if isinstance(usage, dict) else {},
    )


def _object(content: bytes) -> dict[str, Any]:
    try:
        value = parse_json(content)
    except ValueError:
        shown = one_line(content.decode(errors="replace"), limit=200)
        raise NoEmbeddingsError(
            f"answered {shown}, which is not JSON", "check base_url", again=True
        ) from None
    if isinstance(value, dict) and isinstance(value.get("data"), list):
        return value
    if isinstance(value, dict) and value.get("error"):
        message = one_line(error_message(value["error"]))
        raise NoEmbeddingsError(f"answered {message}", "run snakemake again later", again=True)
    shown = one_line(content.decode(errors="replace"), limit=200)
    raise NoEmbeddingsError(f"answered {shown}, which has no embeddings", "check base_url")


def _index(item: object, count: int) -> int:
    number = item.get("index") if isinstance(item, Mapping) else None
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < count:
        raise NoEmbeddingsError(
            f"answered an embedding with the index {number!r}, of {count} texts",
            "set embeddings.texts to 1, or use another server",
        )
    return number


def _vector(value: object) -> bytes:
    """Return a vector as bytes; servers send a list of numbers, or the bytes in base64."""
    try:
        if isinstance(value, str):
            return _checked(_from_bytes(base64.b64decode(value, validate=True)))
        if isinstance(value, list) and not any(isinstance(each, bool) for each in value):
            return _checked(array("f", value))
    except (TypeError, ValueError, OverflowError, binascii.Error):
        pass
    raise NoEmbeddingsError(
        f"answered {one_line(json.dumps(value), limit=80)} in place of an embedding",
        "check the model",
    )


def _from_bytes(data: bytes) -> array[float]:
    numbers = array("f")
    numbers.frombytes(data)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def _checked(numbers: array[float]) -> bytes:
    """Return the bytes of a vector that can be compared: finite, and not zero."""
    if not any(numbers) or not all(map(math.isfinite, numbers)):
        raise ValueError
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()


def _check_lengths(vectors: Mapping[int, bytes], request: EmbeddingRequest) -> None:
    found = sorted({len(vector) // NUMBER_BYTES for vector in vectors.values()})
    if len(found) > 1:
        raise NoEmbeddingsError(
            f"answered embeddings of {found[0]} and of {found[-1]} numbers", "check the model"
        )
    if request.dimensions is not None and found != [request.dimensions]:
        raise NoEmbeddingsError(
            f"answered embeddings of {found[0]} numbers, not of {request.dimensions}",
            f"set embeddings.dimensions to null or to {found[0]}",
        )
