"""Embeddings over HTTP: what is sent, and what of an answer can be used."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from daydream.errors import CallError
from daydream.llm.embeddings import EmbeddingRequest, NoEmbeddingsError, read_embeddings
from daydream.llm.failures import CallFailedError
from daydream.llm.providers.openai import OpenAIProvider
from support.provider_server import ProviderServer, Reply, embeddings, failure, html, vector

KEY = "sk-test-0123456789"
REQUEST = EmbeddingRequest(provider="p", model="m", texts=("one", "two", "three"))


def item(number: Any, values: Any = (3.0, 4.0)) -> dict[str, Any]:
    return {"index": number, "embedding": list(values) if isinstance(values, tuple) else values}


def read(data: Any, request: EmbeddingRequest = REQUEST, **fields: Any) -> Mapping[int, bytes]:
    content = json.dumps({"data": data, **fields}).encode()
    return read_embeddings(content, request, started_at="now").vectors


def test_the_index_counts_and_not_the_place() -> None:
    """Each vector is that of the text whose number it bears."""
    found = read([item(2, (1.0, 2.0)), item(0, (3.0, 4.0)), item(1, (5.0, 6.0))])
    values = {number: struct.unpack("<2f", data) for number, data in found.items()}
    assert values == {0: (3.0, 4.0), 1: (5.0, 6.0), 2: (1.0, 2.0)}


def test_base64_is_the_same_as_a_list() -> None:
    """Of little-endian numbers of four bytes, as OpenAI sends them."""
    text = base64.b64encode(struct.pack("<2f", 0.25, -1.5)).decode()
    assert read([item(0, text)]) == read([item(0, (0.25, -1.5))])


def test_some_may_be_missing_and_usage_may_be_strange() -> None:
    """What there is can be kept; what it took is then not known."""
    assert set(read([item(1)], usage={"prompt_tokens": "5"})) == {1}
    content = json.dumps({"data": [item(0)], "usage": {"prompt_tokens": 7}}).encode()
    assert read_embeddings(content, REQUEST, started_at="").counted.tokens == 7


@pytest.mark.parametrize(
    ("data", "found"),
    [
        ([item(0), item(0)], "two embeddings of the same index 0"),
        ([item(3)], "index 3, of 3 texts"),
        ([item(None)], "index None"),
        ([item(True)], "index True"),
        ([item(0), item(1, (1.0,))], "embeddings of 1 and of 2 numbers"),
        ([item(0, ())], "in place of an embedding"),
        ([item(0, (0.0, 0.0))], "in place of an embedding"),
        ([item(0, (1e39, 1.0))], "in place of an embedding"),
        ([item(0, (float("nan"), 1.0))], "in place of an embedding"),
        ([item(0, ["1.0"])], "in place of an embedding"),
        ([item(0, "###")], "in place of an embedding"),
        ([item(0, "AAAA")], "in place of an embedding"),
        ([item(0, None)], "in place of an embedding"),
        (["text"], "index None"),
        ([], "answered no embedding"),
        ({}, "has no embeddings"),
    ],
)
def test_what_cannot_be_used(data: Any, found: str) -> None:
    """Is one line, and nothing of it is kept."""
    with pytest.raises(NoEmbeddingsError, match=found):
        read(data)


def test_other_dimensions_than_those_asked_for() -> None:
    """Are told with both numbers."""
    request = EmbeddingRequest(provider="p", model="m", texts=("one",), dimensions=3)
    assert request.body()["dimensions"] == 3
    with pytest.raises(NoEmbeddingsError, match="of 2 numbers, not of 3") as caught:
        read([item(0)], request)
    assert caught.value.remedy == "set embeddings.dimensions to null or to 2"


def test_requests_are_the_same_only_if_all_of_them_is() -> None:
    """Provider, model, texts and dimensions are in the hash."""
    others = [
        {"provider": "q"},
        {"model": "n"},
        {"texts": ("one", "two")},
        {"dimensions": 3},
    ]
    given = {"provider": "p", "model": "m", "texts": REQUEST.texts}
    hashes = {EmbeddingRequest(**{**given, **other}).sha256 for other in others}  # type: ignore[arg-type]
    assert len(hashes | {REQUEST.sha256}) == 5
    assert EmbeddingRequest(**given).sha256 == REQUEST.sha256  # type: ignore[arg-type]


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], OpenAIProvider]]:
    monkeypatch.setenv("ROUTER_KEY", KEY)
    opened = []

    def connect(url: str) -> OpenAIProvider:
        opened.append(OpenAIProvider("router", base_url=url, api_key_env="ROUTER_KEY"))
        return opened[-1]

    yield connect
    for each in opened:
        each.close()


def test_what_is_sent(provider: Callable[[str], OpenAIProvider]) -> None:
    """The texts in order, with the key, to /embeddings."""
    with ProviderServer() as server:
        found = provider(server.url).embed(REQUEST)
        (call,) = server.embedding_calls
    assert call.body == {"model": "m", "input": [*REQUEST.texts], "encoding_format": "float"}
    assert call.headers["authorization"] == f"Bearer {KEY}"
    for number, text in enumerate(REQUEST.texts):
        assert struct.unpack("<8f", found.vectors[number]) == pytest.approx(vector(text))
    assert (found.counted.tokens, found.model) == (3, "m")


@pytest.mark.parametrize(
    ("reply", "again", "line"),
    [
        (failure(429, "slow down"), True, "answered 429 'slow down'"),
        (failure(500, "oh"), True, "answered 500 'oh'"),
        (
            failure(400, "too long"),
            False,
            "answered 400 'too long'; check the texts, and the model",
        ),
        (failure(404, "no model"), False, "check embeddings.model, and base_url"),
        (failure(401, f"bad key {KEY}"), False, r"bad key \[key\]"),
        (html(), True, "which is not JSON"),
        (Reply(body={"error": {"message": f"busy {KEY}"}}), True, r"busy \[key\]"),
        (Reply(body={"choices": []}), False, "has no embeddings"),
    ],
)
def test_failures(
    provider: Callable[[str], OpenAIProvider], reply: Reply, again: bool, line: str
) -> None:
    """Say in one line what came, without the key, and whether to ask again."""
    with ProviderServer() as server, pytest.raises(CallFailedError, match=line) as caught:
        server.script(reply)
        provider(server.url).embed(REQUEST)
    assert caught.value.again is again
    assert KEY not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_other_types_have_none(tmp_path: Path) -> None:
    """In one line."""
    from daydream.llm import Providers
    from daydream.settings import Function

    (tmp_path / "m.py").write_text("def complete(body):\n    return ''\n")
    providers = Providers({"p": Function(path="m.py")}, base_dir=tmp_path)
    with pytest.raises(CallError, match="provider 'p' has no embeddings; name one of type openai"):
        providers.embed(REQUEST)


def test_the_servers_answers_are_in_reverse() -> None:
    """So that all other tests see an order that is not that of the texts."""
    body = embeddings({"model": "m", "input": ["a", "b"]}).body
    assert isinstance(body, Mapping)
    assert [each["index"] for each in body["data"]] == [1, 0]
