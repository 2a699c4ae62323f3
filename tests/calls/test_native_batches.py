"""Batches of Anthropic's, Google's and OpenRouter's APIs: each answer is asked for once and kept.

The lane is the one that runs use; the servers do what the APIs document.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from daydream.calls.batch import sending, troubles
from daydream.calls.batch.items import Item, Means
from daydream.calls.batch.lane import Batching
from daydream.calls.calling import Calls
from daydream.calls.stop import Stop
from daydream.catalog.records import Model
from daydream.errors import BatchError, CallError
from daydream.generations.row import Generation
from daydream.llm import Providers, bounded
from daydream.llm.dialects import Question, write
from daydream.settings import Anthropic, Gemini, OpenAI, Settings
from daydream.settings.budget import RunBudget
from daydream.store.batches import BATCHES, open_records, read_records
from daydream.store.journal import find_response
from daydream.store.layout import generation_file
from support.anthropic_server import AnthropicServer, Row, errored
from support.batch_server import failed
from support.gemini_server import GeminiServer, prompt_of
from support.inline_server import InlineServer
from support.served import RefusedError

IN, OUT, TEXTS = 3.0, 12.0, 8
MODEL = Model(
    model_id="m1",
    model="model-x",
    provider="p",
    display_name="M1",
    pool="",
    usd_per_mtok_in=IN,
    usd_per_mtok_out=OUT,
)
EACH = 0.5 * (100 * IN + 10 * OUT) / 1e6


@dataclass
class Lane:
    """A working directory, the requests of some texts, and runs that ask them in batches."""

    url: str
    kind: type[Anthropic | Gemini | OpenAI]
    api: dict[str, Any] = field(default_factory=dict)
    items: list[Item] = field(default_factory=list)
    opened: list[Providers] = field(default_factory=list)

    def run(self) -> Batching:
        """Return the batches of a new run."""
        provider = self.kind.model_validate(
            {"base_url": self.url, "batch": {"poll": 0.02, **self.api}}
        )
        settings = Settings.model_construct(
            providers={"p": provider}, default_provider="p", budget=RunBudget()
        )
        self.items = [item(number, provider) for number in range(TEXTS)]
        stop = Stop()
        providers = Providers(settings.providers, base_dir=Path(), stop=stop.event)
        self.opened.append(providers)
        calls = Calls(settings, {"m1": MODEL}, providers, stop)
        means = Means(
            settings=settings,
            models={"m1": MODEL},
            providers=providers,
            ledger=calls.ledger,
            stop=stop,
            run=calls.run,
        )
        return Batching(means)

    def answer(self, *, wait: bool = True) -> None:
        """Have all requests answered in batches by a new run."""
        self.run().answer(self.missing, wait=wait)

    def missing(self) -> list[Item]:
        """Return the requests whose answers the journal lacks."""
        return [each for each in self.items if find_response(directory(each), each.request) is None]

    @staticmethod
    def ledger() -> list[dict[str, Any]]:
        """Return the entries of the ledger."""
        return [json.loads(line) for line in Path("data/ledger.jsonl").read_text().splitlines()]

    def events(self, event: str) -> list[dict[str, Any]]:
        """Return the entries of one kind."""
        return [entry for entry in self.ledger() if entry["event"] == event]


def item(
    number: int,
    api: Anthropic | Gemini | OpenAI,
    model: str = "model-x",
    **fields: object,
) -> Item:
    row = Generation("draft", f"d_{number}", "c1", "", "pair", "t", "m1", "1", (), f"k{number}")
    question = Question(prompt=f"text {number}", sampling={"max_tokens": 50}, extra_body=fields)
    return Item(row, write(question, api, provider="p", model=model))


OTHER = {"messages": [{"role": "user", "content": "another question"}]}


def directory(each: Item) -> Path:
    return Path(generation_file("draft", each.generation.gen_id, ""))


def answer(body: dict[str, Any]) -> str:
    asked = prompt_of(body) if "contents" in body else body["messages"][-1]["content"]
    return f"answer to {asked}"


Server = AnthropicServer | GeminiServer | InlineServer
Start = Callable[..., tuple[Any, Lane]]
KINDS: dict[str, tuple[Callable[..., Server], type[Anthropic | Gemini | OpenAI]]] = {
    "anthropic": (AnthropicServer, Anthropic),
    "gemini": (GeminiServer, Gemini),
    "inline": (InlineServer, OpenAI),
    "inline without pages": (partial(InlineServer, pages=False), OpenAI),
}
each_kind = pytest.mark.parametrize("kind", KINDS)
each_inline = pytest.mark.parametrize("kind", ["inline", "inline without pages"])
each_nameless = pytest.mark.parametrize("kind", ["anthropic", "inline", "inline without pages"])


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Return a function that starts a server, and gives the lane to it."""
    monkeypatch.chdir(tmp_path)
    for name in ("ANTHROPIC_API_KEY", "GEMINI_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.setenv(name, "sk-test-0123456789")
    monkeypatch.delenv("DAYDREAM_RUN", raising=False)
    monkeypatch.setattr(sending, "SETTLE_S", 0.02)
    monkeypatch.setattr(troubles, "LONGEST_PAUSE_S", 0.1)
    running: list[Server] = []
    lanes: list[Lane] = []

    def begin(kind: str = "anthropic", **options: Any) -> tuple[Any, Lane]:
        api = options.pop("api", {})
        make, settings = KINDS[kind]
        if settings is OpenAI:
            api = {"shape": "inline", **api}
        server = make(answer=answer, **options).__enter__()
        running.append(server)
        lanes.append(Lane(server.url, settings, api))
        return server, lanes[-1]

    yield begin
    for each in lanes:
        for providers in each.opened:
            providers.close()
    for server in running:
        server.__exit__()


def answer_each_sent_once(server: Any, own: Lane) -> None:
    """Have all texts answered; in all, each request was sent once."""
    own.answer()
    assert own.missing() == []
    assert set(server.sent.values()) == {1}


@each_kind
def test_answers_come_from_a_batch_at_half_the_price(start: Start, kind: str) -> None:
    """As they came, under the hashes of direct calls; a second run asks nothing."""
    server, own = start(kind)
    answer_each_sent_once(server, own)
    assert len(server.sent) == TEXTS
    assert server.direct == []
    for each in own.items:
        response = find_response(directory(each), each.request)
        assert response is not None
        assert response.text == f"answer to {each.request.asked[-1][1]}"
        assert ("choices" in response.body) == ("inline" in kind)
    assert sum(entry["usd"] for entry in own.events("end")) == pytest.approx(TEXTS * EACH)
    own.answer()
    assert sum(server.sent.values()) == TEXTS


def test_the_requests_are_those_of_direct_calls(start: Start) -> None:
    server, own = start()
    own.answer()
    (rows,) = server._rows.values()
    sent = {row["custom_id"]: row["params"] for row in rows}
    assert sent == {each.name: each.request.body() for each in own.items}
    assert server.headers["x-api-key"] == "sk-test-0123456789"


@each_kind
def test_limits_divide_a_batch(start: Start, kind: str) -> None:
    server, own = start(kind, api={"requests": 3})
    own.answer()
    assert sorted(record.size for record in read_records()) == [2, 3, 3]
    assert len(server.batches) == 3


@each_kind
def test_rows_that_are_missing_end_the_run(start: Start, kind: str) -> None:
    """Nothing says why, so they may have been charged: a later run asks for them, not this one."""
    server, own = start(kind)
    server.fault = lambda name, row: None if name.startswith("d_1-") else row
    with pytest.raises(BatchError, match="8 requests were sent, and of 1 nothing came back"):
        own.answer()
    assert [each.generation.gen_id for each in own.missing()] == ["d_1"]
    assert [entry["reason"] for entry in own.events("lose")] == ["no row came back"]
    assert set(server.sent.values()) == {1}
    server.fault = lambda _, row: row
    own.answer()
    assert own.missing() == []


def test_a_row_that_is_missing_of_an_expired_batch(start: Start) -> None:
    """The provider does not count it among those that have expired: it may have been charged."""
    server, own = start(end="expired")
    server.fault = lambda name, row: None if name.startswith("d_1-") else row
    with pytest.raises(BatchError, match="8 requests were sent, and of 1 nothing came back"):
        own.answer()
    assert [entry["reason"] for entry in own.events("lose")] == ["no row came back"]
    assert len(own.events("reject")) == TEXTS // 2


def test_a_request_that_fits_in_no_batch_is_named(start: Start) -> None:
    """The run ends, and does not try without end."""
    _, own = start(api={"tokens": 1})
    with pytest.raises(BatchError, match="8 requests fit in no batch"):
        own.answer()


def test_rows_twice_and_failed(start: Start) -> None:
    """What may pass is asked again, and what is refused for good is left for direct calls."""

    def fault(name: str, row: Row) -> Row | list[Row] | None:
        number = int(name.removeprefix("d_").partition("-")[0])
        first = server.sent[name] == 1
        return {
            0: [row, row],
            2: errored(row, "api_error") if first else row,
            3: errored(row, "invalid_request_error", "too long"),
            4: {**row, "result": {"type": "expired"}} if first else row,
            5: [row, {**row, "custom_id": "stranger"}],
            6: errored(row, "overloaded_error") if first else row,
        }.get(number, row)

    server, own = start(fault=fault)
    own.answer()
    assert [each.generation.gen_id for each in own.missing()] == ["d_3"]
    times = {name.partition("-")[0]: number for name, number in server.sent.items()}
    assert times == {f"d_{n}": 2 if n in (2, 4, 6) else 1 for n in range(TEXTS)}
    assert len(own.events("end")) == TEXTS - 1
    rejected = {entry["reason"] for entry in own.events("reject")}
    assert rejected == {
        "500 'scripted'",
        "400 'too long'",
        "'expired'",
        "529 'scripted'",
    }


def test_an_expired_batch_is_asked_again(start: Start) -> None:
    """What was answered by then is kept, and the rest is put in another batch."""
    server, own = start(end="expired")
    server.fault = lambda name, row: row if server.sent[name] == 1 else _ended(row)
    own.answer()
    assert own.missing() == []
    assert sorted(server.sent.values()) == [1] * (TEXTS // 2) + [2] * (TEXTS // 2)


def _ended(row: Row) -> Row:
    message = {"type": "message", "content": [{"type": "text", "text": "late"}], "usage": {}}
    return {**row, "result": {"type": "succeeded", "message": message}}


@pytest.mark.parametrize("kind", ["anthropic", "gemini"])
def test_a_cancelled_batch_keeps_its_answers(start: Start, kind: str) -> None:
    server, own = start(kind, looks=100)
    with pytest.raises(BatchError, match="under way"):
        own.answer(wait=False)
    run = own.run()
    (record,) = open_records()
    run.cancel(record)
    (told,) = run.collect_ended()
    assert f"was cancelled; {TEXTS // 2} of its answers are kept" in told
    assert len(own.missing()) == TEXTS // 2
    assert len(server.batches) == 1


# Crashes and lost answers


@each_nameless
@pytest.mark.parametrize("ended", [False, True])
def test_a_batch_whose_answer_was_lost_is_found(start: Start, kind: str, ended: bool) -> None:
    """The API has no name for it: its size and time say which it is, and then its results.

    Another user of the account has begun one that is as large, a little later.
    """
    server, own = start(kind)

    def others() -> None:
        begin_others(server)
        for each in server.batches.values() if ended else ():
            server._finish(each, server.END)

    drop_first(server, others)
    answer_each_sent_once(server, own)
    assert len(server.batches) == 2
    assert sum(entry["usd"] for entry in own.events("end")) == pytest.approx(TEXTS * EACH)
    assert own.events("lose") == []


def begin_others(server: AnthropicServer | InlineServer) -> None:
    """Begin a batch of another user of the account, as large as ours."""
    name = "params" if isinstance(server, AnthropicServer) else "body"
    rows = [{"custom_id": f"other-{n}", name: OTHER} for n in range(TEXTS)]
    if isinstance(server, AnthropicServer):
        server._create(rows)
    else:
        server._create({"endpoint": "/v1/x", "model": "model-x", "requests": rows})


@each_kind
def test_a_run_that_died_before_it_sent(
    start: Start, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The intent is written down; a later run looks, finds nothing, and sends it once."""
    server, own = start(kind)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr(sending.Sender, "_create", die)
        with pytest.raises(KeyboardInterrupt):
            own.answer()
    assert [record.state for record in read_records()] == ["intended"]
    assert not server.batches
    answer_each_sent_once(server, own)
    assert len(own.events("begin")) == TEXTS


@each_kind
def test_a_run_that_died_before_it_wrote_down_the_answer(
    start: Start, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The batch has begun; a later run finds it, and sends nothing."""
    server, own = start(kind)
    create = sending.Sender._create

    def die(*arguments: Any) -> None:
        create(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr(sending.Sender, "_create", die)
        with pytest.raises(KeyboardInterrupt):
            own.answer()
    assert len(server.batches) == 1
    answer_each_sent_once(server, own)
    assert sum(entry["usd"] for entry in own.events("end")) == pytest.approx(TEXTS * EACH)


def test_a_batch_of_another_record_is_not_taken(start: Start) -> None:
    """Two batches of one size: each record keeps its own."""
    server, own = start(api={"requests": TEXTS // 2})
    own.answer()
    ids = [record.remote_id for record in read_records()]
    assert sorted(ids) == sorted(server.batches)
    assert set(server.sent.values()) == {1}


@each_kind
def test_results_that_are_gone(start: Start, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    """They are kept for 29 days; the batch is given up, and what it held can be asked again."""
    server, own = start(kind)
    server.gone = True
    with pytest.raises(BatchError, match=r"is lost: its answers .* paid again"):
        own.answer()
    told = capsys.readouterr().err
    assert told.count("the provider says (404) that its answers are gone; after 3 more times") == 1
    assert "llm_models" not in told
    assert "goes on" not in told
    assert len(own.events("lose")) == TEXTS
    server.gone = False
    own.answer()
    assert own.missing() == []


@each_kind
@pytest.mark.parametrize("status", [429, 500, 529])
def test_a_provider_that_cannot_be_asked_is_asked_later(
    start: Start, kind: str, status: int
) -> None:
    """While it is looked at, and while its results are fetched."""
    server, own = start(kind)
    failed: list[str] = []

    def refuse(method: str, path: str) -> int | None:
        if method == "GET" and failed.count(path) < 2:
            failed.append(path)
            return status
        return None

    server.refuse = refuse
    own.answer()
    assert own.missing() == []
    assert len(failed) >= 4
    assert set(server.sent.values()) == {1}


PAGE = b"<html><body>Please log in</body></html>"


@each_kind
@pytest.mark.parametrize("answer", [PAGE, b"{}", 401, 403])
def test_a_provider_that_does_not_tell_is_asked_later(
    start: Start, kind: str, answer: bytes | int, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is said once; the batch goes on meanwhile."""
    server, own = start(kind)
    left = [answer] * 6
    looks = ("/messages/batches/msgbatch_0", "/batches/b0", "/batches/batch-0")

    def refuse(method: str, path: str) -> bytes | int | None:
        return left.pop() if left and method == "GET" and path.endswith(looks) else None

    server.refuse = refuse
    own.answer()
    assert own.missing() == []
    assert not left
    assert set(server.sent.values()) == {1}
    told = capsys.readouterr().err
    assert told.count("cannot be asked for now") == 1
    assert told.count("can be asked for again") == 1
    assert "b'" not in told


@each_kind
@pytest.mark.parametrize("answer", [PAGE, 401])
def test_a_provider_that_never_tells_ends_the_run_and_keeps_the_batch(
    start: Start, kind: str, answer: bytes | int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a while; a later run collects it."""
    monkeypatch.setattr(troubles, "REFUSED_S" if answer == 401 else "SILENT_S", 0.3)
    server, own = start(kind)
    server.refuse = lambda method, _: answer if method == "GET" else None
    with pytest.raises(BatchError, match=r"could not be asked .*: provider 'p', .* kept") as error:
        own.answer()
    assert len(str(error.value).splitlines()) == 1
    assert len(open_records()) == 1
    server.refuse = lambda *_: None
    answer_each_sent_once(server, own)


@each_kind
def test_a_batch_that_begins_with_a_page(start: Start, kind: str) -> None:
    """What was answered says nothing of it: it is looked for, and not begun twice."""
    server, own = start(kind)
    left = [PAGE]

    def refuse(method: str, path: str) -> str | bytes | None:
        begin = ("/batches", ":batchGenerateContent")
        return left.pop() if left and method == "POST" and path.endswith(begin) else None

    server.refuse = refuse
    answer_each_sent_once(server, own)


@each_kind
def test_a_batch_that_is_refused_ends_the_run(start: Start, kind: str) -> None:
    """Nothing was charged, and the line says why."""
    begin = ("/batches", ":batchGenerateContent")
    server, own = start(kind, refuse=lambda _, path: 400 if path.endswith(begin) else None)
    with pytest.raises(CallError, match="answered 400 'scripted 400'"):
        own.answer()
    assert [record.state for record in read_records()] == ["refused"]
    assert len(own.events("fail")) == TEXTS
    assert not server.batches


@each_kind
def test_what_is_not_a_batch_is_one_line(start: Start, kind: str) -> None:
    server, own = start(kind)
    server.respond = lambda *_: {"status": "?"}  # type: ignore[method-assign]
    with pytest.raises(CallError, match="answered what is not a batch"):
        own.answer()
    assert BATCHES.is_dir()


# Google's own


def test_rows_of_google_twice_and_failed(start: Start) -> None:
    """Its errors have gRPC's codes; an invalid argument is not asked again in a batch."""

    def fault(name: str, row: Row) -> Row | list[Row] | None:
        number = int(name.removeprefix("d_").partition("-")[0])
        first = server.sent[name] == 1
        lost = {"key": name, "error": {"code": 13, "message": "internal"}}
        refused = {"key": name, "error": {"code": 3, "message": "too long"}}
        return {
            0: [row, row],
            2: lost if first else row,
            3: refused,
            4: [row, {**row, "key": "stranger"}],
        }.get(number, row)

    server, own = start("gemini", fault=fault)
    own.answer()
    assert [each.generation.gen_id for each in own.missing()] == ["d_3"]
    times = {name.partition("-")[0]: number for name, number in server.sent.items()}
    assert times == {f"d_{n}": 2 if n == 2 else 1 for n in range(TEXTS)}
    assert {entry["reason"] for entry in own.events("reject")} == {"'internal'", "'too long'"}


def test_a_batch_of_google_is_of_one_model(start: Start) -> None:
    """The file holds the requests without it; the address has it."""
    server, own = start("gemini")
    run = own.run()
    provider = Gemini(base_url=server.url)
    own.items = [item(n, provider, model=f"model-{n % 2}") for n in range(TEXTS)]
    run.answer(own.missing, wait=True)
    assert own.missing() == []
    models = [batch["metadata"]["model"] for batch in server.batches.values()]
    assert sorted(models) == ["models/model-0", "models/model-1"]
    sent = [json.loads(line) for line in server.files["files/f0"].splitlines()]
    for row in sent:
        (each,) = [each for each in own.items if each.name == row["key"]]
        body = each.request.body()
        assert {"model": body["model"], **row["request"]} == body


def test_a_batch_of_google_that_expired_is_asked_again(start: Start) -> None:
    """It has no results at all, and costs nothing."""
    server, own = start("gemini", end="EXPIRED")
    finish = server._finish

    def once(batch: dict[str, Any], state: str) -> None:
        finish(batch, state if batch["name"] == "batches/b0" else "SUCCEEDED")

    server._finish = once
    own.answer()
    assert own.missing() == []
    assert set(server.sent.values()) == {2}
    assert len(own.events("reject")) == TEXTS


def test_a_batch_that_google_refuses_as_a_whole(start: Start) -> None:
    _, own = start("gemini", end="FAILED")
    with pytest.raises(BatchError, match="was refused as a whole: the file is not valid"):
        own.answer()


def test_an_upload_goes_to_the_same_server_only(start: Start) -> None:
    """The key goes with it."""
    server, own = start("gemini")

    def respond(*_: object) -> object:
        raise RefusedError(200, {}, {"x-goog-upload-url": "http://elsewhere.invalid/upload"})

    server.respond = respond
    with pytest.raises(CallError, match="upload to 'http://elsewhere"):
        own.answer()


# OpenRouter's own


@pytest.mark.parametrize(
    ("url", "batch", "inline"),
    [
        ("https://openrouter.ai/api/v1", {}, True),
        ("https://eu.openrouter.ai/api/v1", {"poll": 5}, True),
        ("https://openrouter.ai/api/v1", {"shape": "files"}, False),
        ("https://openrouter.ai/api/v1", None, True),
        ("https://notopenrouter.ai/v1", {}, False),
        ("http://127.0.0.1:1/v1", {"shape": "inline"}, True),
        (None, {}, False),
    ],
)
def test_the_shape_is_that_of_the_api(url: str, batch: dict[str, Any] | None, inline: bool) -> None:
    """OpenRouter takes no files, so nothing has to be said of it."""
    provider = OpenAI.model_validate({"base_url": url, "batch": batch})
    assert provider.has_inline_batches == inline
    assert provider.batch_limits == ((5_000, 200_000_000) if inline else (50_000, 100_000_000))


def test_limits_of_an_api_hold_beside_other_settings() -> None:
    """Those of Anthropic were lost as soon as anything was set in `batch`."""
    provider = Anthropic.model_validate({"batch": {"poll": 5, "requests": 7}})
    assert provider.batch_limits == (7, 256_000_000)


def test_requests_of_openrouter_are_those_of_direct_calls(start: Start) -> None:
    server, own = start("inline")
    own.answer()
    (asked,) = server.asked.values()
    sent = {row["custom_id"]: row["body"] for row in asked["requests"]}
    assert sent == {each.name: each.request.body() for each in own.items}
    assert server.headers["authorization"] == "Bearer sk-test-0123456789"


def test_a_batch_of_openrouter_is_of_one_model_and_format(start: Start) -> None:
    """The format of answers is one for Google's models."""
    server, own = start("inline")
    run = own.run()
    provider = OpenAI(base_url=server.url)
    form = {"response_format": {"type": "json_object"}}
    own.items = [
        item(n, provider, f"model-{n % 2}", **(form if n < 4 else {})) for n in range(TEXTS)
    ]
    run.answer(own.missing, wait=True)
    assert own.missing() == []
    assert len(server.asked) == 4
    for asked in server.asked.values():
        formats = [row["body"].get("response_format") for row in asked["requests"]]
        assert len(formats) == 2
        assert formats[0] == formats[1]


def test_who_is_to_serve_a_batch_of_openrouter(start: Start) -> None:
    """What requests say of it is said of their batch."""
    server, own = start("inline")
    run = own.run()
    only = [{"only": ["a"]}, {"only": ["b"]}]
    api = OpenAI(base_url=server.url)
    own.items = [item(n, api, provider=only[n % 2]) for n in range(TEXTS)]
    run.answer(own.missing, wait=True)
    assert own.missing() == []
    for asked in server.asked.values():
        assert {json.dumps(row["body"]["provider"]) for row in asked["requests"]} == {
            json.dumps(asked["provider"])
        }
    assert len(server.asked) == 2


@each_inline
def test_rows_of_openrouter_twice_and_failed(start: Start, kind: str) -> None:
    """An error has HTTP's code, in a response or without one."""

    def without(row: Row, code: object) -> Row:
        return {**row, "response": None, "error": {"code": code, "message": "scripted"}}

    def fault(name: str, row: Row) -> Row | list[Row] | None:
        number = int(name.removeprefix("d_").partition("-")[0])
        first = server.sent[name] == 1
        return {
            0: [row, row],
            1: without(row, 429) if first else row,
            2: without(row, "server_error") if first else row,
            3: without(row, 400),
            4: failed(row, 500) if first else row,
            5: [row, {**row, "custom_id": "stranger"}],
            6: failed(row, 422),
        }.get(number, row)

    server, own = start(kind, fault=fault)
    own.answer()
    assert [each.generation.gen_id for each in own.missing()] == ["d_3", "d_6"]
    times = {name.partition("-")[0]: number for name, number in server.sent.items()}
    assert times == {f"d_{n}": 2 if n in (1, 2, 4) else 1 for n in range(TEXTS)}
    assert len(own.events("end")) == TEXTS - 2


@each_inline
def test_a_batch_of_openrouter_that_expired_is_asked_again(start: Start, kind: str) -> None:
    """What was answered by then is kept, and the rest is put in another batch."""
    server, own = start(kind)
    finish = server._finish

    def once(batch: dict[str, Any], state: str) -> None:
        finish(batch, "expired" if batch["id"] == "batch-0" else state)

    server._finish = once
    own.answer()
    assert own.missing() == []
    assert sorted(server.sent.values()) == [1] * (TEXTS // 2) + [2] * (TEXTS // 2)
    assert {entry["reason"] for entry in own.events("reject")} == {"not answered"}


def test_a_batch_that_openrouter_refuses_as_a_whole(start: Start) -> None:
    """It says so only later; nothing was charged."""
    server, own = start("inline", end="failed")
    with pytest.raises(BatchError, match="refused as a whole: the requests are not valid"):
        own.answer()
    assert [record.state for record in read_records()] == ["refused"]
    assert len(own.events("reject")) == TEXTS
    server.end = "completed"
    own.answer()
    assert own.missing() == []


@each_inline
def test_answers_of_a_batch_that_failed_are_kept(start: Start, kind: str) -> None:
    """They were paid for; the rest is put in another batch."""
    server, own = start(kind)
    finish = server._finish

    def fail_once(batch: dict[str, Any], state: str) -> None:
        first = batch["id"] == "batch-0"
        finish(batch, "expired" if first else state)
        batch["status"] = "failed" if first else state

    server._finish = fail_once
    own.answer()
    assert own.missing() == []
    assert sorted(server.sent.values()) == [1] * (TEXTS // 2) + [2] * (TEXTS // 2)


def test_what_openrouter_charges_is_what_counts(start: Start) -> None:
    """Each result says it; the share of the price is for those that do not."""

    def fault(_: str, row: Row) -> Row:
        row["response"]["body"]["usage"]["cost"] = 0.25
        return row

    _, own = start("inline", fault=lambda name, row: fault(name, json.loads(json.dumps(row))))
    own.answer()
    assert sum(entry["usd"] for entry in own.events("end")) == pytest.approx(TEXTS * 0.25)


@each_inline
def test_results_larger_than_an_answer_may_be(
    start: Start, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are read as they come."""
    monkeypatch.setattr(bounded, "MOST_BYTES", 10_000)
    server, own = start(kind)
    server.answer = lambda _: "x" * 5_000
    own.answer()
    assert own.missing() == []


@each_inline
def test_results_are_kept_without_the_key(start: Start, kind: str) -> None:
    server, own = start(kind)
    server.answer = lambda _: "it is sk-test-0123456789"
    own.answer()
    (record,) = read_records()
    lines = (record.directory / "output.jsonl").read_text().splitlines()
    assert len(lines) == TEXTS
    assert all("it is [key]" in line for line in lines)


def test_lists_of_openrouter_come_in_pages(start: Start) -> None:
    """A server that answers with the first page, whichever is asked for, is not asked on."""
    server, own = start("inline", api={"requests": 1})
    own.answer()
    batches = own.opened[0].batches("p")
    assert [each.remote_id for each in batches.recent()] == [f"batch-{n}" for n in range(8)][::-1]
    server.first_page_only = True
    assert [each.remote_id for each in batches.recent()] == ["batch-7", "batch-6", "batch-5"]


def test_results_whose_first_page_comes_again(start: Start) -> None:
    """The batch says that there are more: they are missing, and fetched later."""
    server, own = start("inline", first_page_only=True)
    with pytest.raises(BatchError, match="8 requests are done, but the files have answers of 3"):
        own.answer()
    server.first_page_only = False
    answer_each_sent_once(server, own)


# What is known again by its size alone


def drop_first(server: Any, then: Callable[[], None] = lambda: None) -> None:
    """Let the answer to the first batch be lost; `then` happens before the batches are listed."""
    seen: list[str] = []

    def refuse(method: str, path: str) -> str | None:
        begins = path.endswith("/batches")
        seen.append(method)
        if seen == ["POST"] and begins:
            return "drop"
        if seen == ["POST", "GET"] and begins:
            with server._lock:
                then()
        return None

    server.refuse = refuse


def test_a_batch_whose_size_is_not_told_yet_is_found(start: Start) -> None:
    """It has only been stored when it is looked for."""
    server, own = start("inline", counts_late=True)
    drop_first(server)
    answer_each_sent_once(server, own)


@pytest.mark.parametrize("end", ["failed", "empty", "deleted"])
def test_a_batch_of_others_that_comes_to_nothing(start: Start, end: str) -> None:
    """It was taken for ours: ours is not given up, nor sent again, as that one fails."""
    server, own = start("inline")
    finish = server._finish

    def end_it(batch: dict[str, Any], state: str) -> None:
        if batch["id"] != "batch-1":
            finish(batch, state)
        elif end == "empty":
            finish(batch, "expired")
            server.results[batch["id"]] = []
            batch["request_counts"] |= {"completed": 0, "failed": 0}
        elif end == "failed":
            finish(batch, end)
        else:
            del server.batches[batch["id"]]

    server._finish = end_it
    drop_first(server, lambda: begin_others(server))
    own.answer()
    assert own.missing() == []
    ours = {name: count for name, count in server.sent.items() if name.startswith("d_")}
    assert set(ours.values()) == {1}
    assert own.events("lose") == own.events("reject") == []


@each_nameless
def test_results_that_cannot_be_asked_for_say_nothing(start: Start, kind: str) -> None:
    """Whose a batch is that has ended is then not known, and nothing is sent again."""
    server, own = start(kind)

    def finish() -> None:
        for each in server.batches.values():
            server._finish(each, server.END)

    drop_first(server, finish)
    dropping = server.refuse

    def refuse(method: str, path: str) -> int | str | None:
        asked = path.endswith(("/results", "/batch-0"))
        return 500 if asked and method == "GET" else dropping(method, path)

    server.refuse = refuse
    with pytest.raises(CallError, match="answered 500"):
        own.answer()
    server.refuse = lambda *_: None
    answer_each_sent_once(server, own)


@each_nameless
def test_a_refusal_after_an_answer_that_was_lost(start: Start, kind: str) -> None:
    """It is of the second attempt: the first one has begun, and was not listed yet."""
    server, own = start(kind)
    left: list[int | str | bytes] = [400, b'{"data": [], "has_more": false}', "drop"]

    def refuse(_method: str, path: str) -> int | str | bytes | None:
        return left.pop() if left and path.endswith("/batches") else None

    server.refuse = refuse
    answer_each_sent_once(server, own)


@each_nameless
def test_a_key_that_is_refused_after_an_answer_that_was_lost(start: Start, kind: str) -> None:
    """Nobody knows then whether the batch has begun: it is not given up."""
    server, own = start(kind)
    drop_first(server)
    dropping = server.refuse
    server.refuse = lambda method, path: 401 if method == "GET" else dropping(method, path)
    with pytest.raises(CallError, match="answered 401"):
        own.answer()
    assert [record.state for record in read_records()] == ["intended"]
    server.refuse = lambda *_: None
    answer_each_sent_once(server, own)


@each_nameless
def test_something_else_in_place_of_the_list_says_nothing(start: Start, kind: str) -> None:
    """What has begun is then not known, and nothing is sent again."""
    server, own = start(kind)
    drop_first(server)
    dropping = server.refuse

    def refuse(method: str, path: str) -> bytes | str | None:
        listed = method == "GET" and path.endswith("/batches")
        return b'{"status": "ok"}' if listed else dropping(method, path)

    server.refuse = refuse
    with pytest.raises(CallError, match="not a batch"):
        own.answer()
    server.refuse = lambda *_: None
    answer_each_sent_once(server, own)


# An API that cannot cancel


@each_inline
def test_a_batch_that_cannot_be_cancelled_goes_on(start: Start, kind: str) -> None:
    """It is paid for, and its answers are kept."""
    server, own = start(kind, looks=100)
    with pytest.raises(BatchError, match="under way"):
        own.answer(wait=False)
    (record,) = open_records()
    told = own.run().cancel(record)
    assert told == (
        f"Batch {record.batch_id} cannot be cancelled: the API of 'p' cannot do that. It goes on "
        "and is paid for, and a later run collects it"
    )
    assert own.run().collect_ended() == []
    server.looks = 0
    answer_each_sent_once(server, own)
    assert {method for method, _ in server.requests} == {"GET", "POST"}


def test_what_there_is_of_a_batch_can_be_taken(start: Start) -> None:
    """Where results are missing that are said to be there."""
    server, own = start("inline", first_page_only=True)
    with pytest.raises(BatchError, match="config cancel="):
        own.answer()
    (record,) = open_records()
    run = own.run()
    assert run.cancel(record).endswith("is cancelled")
    assert "of 5 nothing came back" in run.collect_ended()[0]
    server.first_page_only = False
    own.answer()
    assert own.missing() == []


@each_nameless
def test_cancelling_what_may_have_begun(
    start: Start, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is looked for first, and not ended before it is known to be ours."""
    server, own = start(kind, looks=3)
    create = sending.Sender._create

    def die(*arguments: Any) -> None:
        create(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr(sending.Sender, "_create", die)
        with pytest.raises(KeyboardInterrupt):
            own.answer()
    (record,) = open_records()
    assert record.state == "intended"
    assert "cannot be cancelled" in own.run().cancel(record)
    answer_each_sent_once(server, own)
