"""Asking for embeddings: how texts are divided, kept, paid for and refused, by a real server."""

from __future__ import annotations

import json
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from daydream.calls.embedding import Embedding, Text
from daydream.calls.ledger import LEDGER, Ledger
from daydream.calls.stop import Stop
from daydream.errors import CallError, DaydreamError, StoppedError, StoreError
from daydream.files import text_sha256
from daydream.llm import Providers
from daydream.reports.embeddings import text_of
from daydream.settings import Settings
from daydream.store.embeddings import Space, find_embedding, kept_embeddings
from support.provider_server import ProviderServer, Reply, embeddings, failure, slow, vector

KEY = "sk-test-0123456789"
Asking = Callable[..., Embedding]


def settings(url: str, options: dict[str, Any], asked: dict[str, Any]) -> Settings:
    provider = {"type": "openai", "base_url": url, "api_key_env": "KEY", "first_wait": 0}
    return Settings.model_validate(
        {
            "cohorts": ["c1"],
            "stages": {"draft": {"prefix": "d"}},
            "default_provider": "p",
            "providers": {"p": provider},
            "embeddings": {"provider": "p", "model": "org/m", "usd_per_mtok": 2, **asked},
            **options,
        }
    )


@pytest.fixture
def server() -> Iterator[ProviderServer]:
    with ProviderServer() as server:
        yield server


@pytest.fixture
def asking(
    server: ProviderServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Asking]:
    """Return a function that makes what asks the server, of a run of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KEY", KEY)
    (tmp_path / "data").mkdir()
    opened = []

    def make(run: str = "r", stop: Stop | None = None, **given: Any) -> Embedding:
        options = {name: given.pop(name) for name in ("budget", "pools") if name in given}
        found = settings(server.url, options, given)
        stop = stop or Stop()
        providers = Providers(found.providers, base_dir=Path(), pools=found.pools, stop=stop.event)
        opened.append(providers)
        ledger = Ledger(LEDGER, run=run, budget=found.budget, cohort_budget=found.cohort_budget)
        return Embedding(found, providers, ledger, stop)

    yield make
    for providers in opened:
        providers.close()


def texts(*contents: str) -> list[Text]:
    """Return these texts, each in a file of its own."""
    found = []
    for content in contents:
        path = Path(f"{text_sha256(content)[:12]}.txt")
        path.write_text(content)
        text = text_of(str(path))
        assert text is not None
        found.append(text)
    return found


def words(count: int, first: int = 0) -> list[Text]:
    return texts(*(f"text number {number}" for number in range(first, first + count)))


def inputs(server: ProviderServer) -> list[list[str]]:
    return [call.body["input"] for call in server.embedding_calls]


def entries() -> list[dict[str, Any]]:
    return [json.loads(line) for line in LEDGER.read_text().splitlines()]


def kept(text: Text, space: Space) -> list[float] | None:
    found = find_embedding(space, text.sha256)
    return None if found is None else [*struct.unpack(f"<{len(found) // 4}f", found)]


def test_each_text_gets_its_own_vector_and_only_once(
    server: ProviderServer, asking: Asking
) -> None:
    """In requests of so many texts; another run, or an equal text, asks for nothing more."""
    asked = asking(texts=4)
    wanted = [*words(10), *words(3)]
    asked.embed(wanted, cohort="c1")
    assert sorted(map(len, inputs(server))) == [2, 4, 4]
    for text in wanted:
        expected = vector(Path(text.file).read_text())
        assert kept(text, asked.space) == pytest.approx(expected, abs=1e-6)
    asking("later", texts=4).embed(wanted, cohort="c2")
    assert server.billed == Counter(f"text number {number}" for number in range(10))
    assert len(list(kept_embeddings())) == 10
    assert not list(Path("data").rglob("*.part"))
    assert asked.space.directory == Path("data/embeddings/p/org%2Fm")


def test_a_request_is_bounded_by_tokens_and_a_long_text_goes_alone(
    server: ProviderServer, asking: Asking
) -> None:
    """With a token per three bytes."""
    long, short = "long " * 30, "short" * 3
    asking(tokens=20).embed(texts(short, long, *(f"{short}{n}" for n in range(5))), cohort="c1")
    sizes = [sum(-(-len(text) // 3) for text in each) for each in inputs(server)]
    assert sorted(sizes)[-1] == 50
    assert [each for each in inputs(server) if long in each] == [[long]]
    assert max(sorted(sizes)[:-1]) <= 20
    assert sum(map(len, inputs(server))) == 7


def test_models_and_dimensions_have_vectors_of_their_own(
    server: ProviderServer, asking: Asking
) -> None:
    """And the server is asked for the dimensions."""
    (text,) = words(1)
    for given in ({}, {"dimensions": 4}, {"model": "other"}, {"model": ".."}):
        asked = asking(**given)
        asked.embed([text], cohort="c1")
        assert len(kept(text, asked.space) or ()) == given.get("dimensions", 8)
    assert len(server.embedding_calls) == len(list(kept_embeddings())) == 4
    assert all(path.is_relative_to("data/embeddings/p") for path in kept_embeddings())
    assert not any(".." in path.parts for path in kept_embeddings())


def test_the_ledger_is_the_servers_bill(server: ProviderServer, asking: Asking) -> None:
    """Also where requests were refused or sent again; what was reserved is never less."""
    server.script(failure(429, retry_after=0), failure(500))
    asked = asking(texts=3, usd_per_mtok=1000)
    asked.embed(words(7), cohort="c1")
    ends = [each for each in entries() if each["event"] == "end"]
    assert sum(each["tokens"] for each in ends) == server.billed_tokens == 7 * 3
    assert sum(each["usd"] for each in ends) == pytest.approx(server.billed_tokens / 1000)
    assert {each["price_source"] for each in ends} == {"embeddings.usd_per_mtok"}
    begun = {each["call"]: each for each in entries() if each["event"] == "begin"}
    assert all(begun[each["call"]]["tokens"] >= each["tokens"] for each in ends)
    assert all(begun[each["call"]]["usd"] >= each["usd"] for each in ends)
    events = Counter(each["event"] for each in entries())
    assert events == {"begin": 5, "end": 3, "reject": 1, "lose": 1}
    assert len(server.embedding_calls) == 5
    assert KEY not in LEDGER.read_text()


def test_texts_that_are_missing_in_an_answer_are_asked_for_again(
    server: ProviderServer, asking: Asking
) -> None:
    """What came is kept, and paid for once."""

    def some(body: dict[str, Any]) -> Reply:
        whole = embeddings(body).body
        assert whole is not None
        assert not isinstance(whole, bytes)
        return Reply(body={**whole, "data": whole["data"][:2]})

    server.embed = some
    asked = asking()
    asked.embed(words(5), cohort="c1")
    assert [len(each) for each in inputs(server)] == [5, 3, 1]
    assert not asked.missing(words(5))


def test_an_answer_without_any_is_asked_for_again_and_then_an_error(
    server: ProviderServer, asking: Asking
) -> None:
    """As answers that are no chat completions are; each may have been paid for."""
    empty = Reply(body={"data": [], "usage": {"prompt_tokens": 0}})
    server.script(empty)
    asking().embed(words(2), cohort="c1")
    assert len(inputs(server)) == 2
    server.script(*[empty] * 6)
    with pytest.raises(CallError, match="answered no embedding after 6 attempts; check the model"):
        asking().embed(texts("another"), cohort="c1")
    assert Counter(each["event"] for each in entries())["lose"] == 7


def test_wrong_dimensions_are_not_kept(server: ProviderServer, asking: Asking) -> None:
    """And not asked for again, as the next answer would be the same."""
    reply = embeddings({"model": "m", "input": ["a"]})
    server.script(reply)
    with pytest.raises(CallError, match=r"of 8 numbers, not of 3; set embeddings.dimensions to"):
        asking(dimensions=3).embed(texts("a"), cohort="c1")
    assert len(server.embedding_calls) == 1
    assert not list(kept_embeddings())


def refusing(*bad: str) -> Callable[[dict[str, Any]], Reply]:
    """Return what refuses every request that holds one of these texts."""

    def embed(body: dict[str, Any]) -> Reply:
        if not set(bad).isdisjoint(body["input"]):
            return failure(400, "maximum context length is 8192 tokens")
        return embeddings(body)

    return embed


def test_a_text_that_is_refused_is_named_and_the_others_are_kept(
    server: ProviderServer, asking: Asking
) -> None:
    """Refused requests are divided; they cost nothing."""
    wanted = words(20)
    server.embed = refusing("text number 13")
    with pytest.raises(CallError) as caught:
        asking(usd_per_mtok=1000).embed(wanted, cohort="c1")
    line = str(caught.value)
    assert line.startswith(f"[call] {wanted[13].file}: has no embedding: provider 'p'")
    assert "answered 400 'maximum context length is 8192 tokens'; check the texts" in line
    assert line.endswith("shorten the text, or leave it out with `exclude`")
    assert asking().missing(wanted) == [wanted[13]]
    assert all(count == 1 for count in server.billed.values())
    usd = sum(each["usd"] for each in entries() if each["event"] == "end")
    assert usd == pytest.approx(19 * 3 / 1000)


def test_if_everything_is_refused_not_every_text_is_tried(
    server: ProviderServer, asking: Asking
) -> None:
    """As where the model does not take dimensions."""
    wanted = words(64)
    server.embed = lambda _: failure(400, "no dimensions here")
    with pytest.raises(CallError, match=r"other text.*no dimensions here"):
        asking(dimensions=5).embed(wanted, cohort="c1")
    assert len(inputs(server)) <= 10


def test_a_provider_that_is_gone_ends_it_soon(server: ProviderServer, asking: Asking) -> None:
    """Requests that have not begun do not begin."""
    server.embed = lambda _: failure(404, "no such model")
    with pytest.raises(CallError, match=r"check embeddings.model, and base_url"):
        asking(texts=1).embed(words(200), cohort="c1")
    assert len(inputs(server)) < 60


def test_two_at_once_ask_for_each_text_once(server: ProviderServer, asking: Asking) -> None:
    """Threads of one process, or two of them; what both want is paid for once."""
    server.latency = 0.05
    both = [(words(30), "c1"), (words(40, first=10), "c2")]
    jobs = [(asking(f"run{n}", texts=5), *each) for n, each in enumerate(both)]
    with ThreadPoolExecutor(2) as pool:
        done = [pool.submit(asked.embed, wanted, cohort=name) for asked, wanted, name in jobs]
        for each in done:
            each.result()
    assert server.billed == Counter(f"text number {number}" for number in range(50))
    tokens = sum(each["tokens"] for each in entries() if each["event"] == "end")
    assert tokens == server.billed_tokens == 50 * 3


@pytest.mark.parametrize("whose", ["run", "cohort"])
def test_a_budget_is_kept(server: ProviderServer, asking: Asking, whose: str) -> None:
    """Of the run and of the cohort; what was paid for stays."""
    limit = {"calls": 3}
    budget = limit if whose == "run" else {"cohort": limit}
    wanted = words(20)
    with pytest.raises(StoppedError, match="3 calls, allows no further call"):
        asking(texts=2, budget=budget).embed(wanted, cohort="c1")
    assert len(inputs(server)) == 3
    assert len(asking().missing(wanted)) == 14


def test_a_budget_in_usd_bounds_the_servers_bill(server: ProviderServer, asking: Asking) -> None:
    """The most that requests in flight can cost counts until their answers are there."""
    server.latency = 0.02
    # A text takes at most its bytes and 16 tokens: about 30 of the 3 that it then takes.
    budget = {"usd": 0.2}
    with pytest.raises(StoppedError, match=r"0\.2 USD, allows no further call"):
        asking(texts=2, usd_per_mtok=1000, budget=budget).embed(words(200), cohort="c1")
    assert 0.05 < server.billed_tokens / 1000 <= 0.2


def test_the_limits_of_the_pool_hold(server: ProviderServer, asking: Asking) -> None:
    """Of the pool that is named after the provider."""
    server.latency = 0.02
    asking(texts=1, pools={"p": {"concurrent": 2}}).embed(words(12), cohort="c1")
    assert server.max_in_flight == 2


def test_a_stop_keeps_what_is_in_flight(server: ProviderServer, asking: Asking) -> None:
    """No request begins any more."""
    stop = Stop()
    server.script(*[slow(0.5)] * 8)
    asked, wanted = asking(texts=1, stop=stop), words(40)
    timer = threading.Timer(0.25, stop.request, ("a test",))
    timer.start()
    with pytest.raises(StoppedError):
        asked.embed(wanted, cohort="c1")
    timer.join()
    assert len(inputs(server)) == 8
    assert len(asked.missing(wanted)) == 32
    assert Counter(each["event"] for each in entries()) == {"begin": 8, "end": 8}


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"half of it"])
def test_a_damaged_file_is_named_and_not_paid_for_again(
    server: ProviderServer, asking: Asking, content: bytes
) -> None:
    """In one line."""
    asked, (text,) = asking(), words(1)
    asked.embed([text], cohort="c1")
    path = asked.space.file(text.sha256)
    path.write_bytes(content)
    with pytest.raises(StoreError) as caught:
        kept(text, asked.space)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    asked.embed([text], cohort="c1")
    assert len(inputs(server)) == 1


def test_a_vector_that_was_changed_is_found(asking: Asking) -> None:
    """By its checksum; and one under another text's name."""
    asked, (one, other) = asking(), words(2)
    asked.embed([one, other], cohort="c1")
    path = asked.space.file(one.sha256)
    entry = json.loads(path.read_text())
    path.write_text(json.dumps({**entry, "embedding": "AACAPwAAgD8="}))
    with pytest.raises(StoreError, match="is not what was written"):
        kept(one, asked.space)
    path.write_text(asked.space.file(other.sha256).read_text())
    with pytest.raises(StoreError, match="is not what was written"):
        kept(one, asked.space)


def test_a_text_that_changes_in_the_meantime_is_not_mistaken(
    server: ProviderServer, asking: Asking
) -> None:
    """Its old digest gets no vector of the new content."""
    (text,) = words(1)
    Path(text.file).write_text("something else")
    with pytest.raises(StoreError, match="was changed during this run"):
        asking().embed([text], cohort="c1")
    assert not inputs(server)


def test_a_store_that_cannot_be_written_costs_nothing(
    server: ProviderServer, asking: Asking
) -> None:
    """A file is in the way of the directory: it is noticed before the call."""
    Path("data/embeddings").write_text("")
    with pytest.raises(DaydreamError, match="cannot be written"):
        asking().embed(words(1), cohort="c1")
    assert not inputs(server)


def test_an_empty_text_has_none(tmp_path: Path) -> None:
    """Servers refuse it."""
    (tmp_path / "a.txt").write_text(" \n")
    assert text_of(str(tmp_path / "a.txt")) is None
