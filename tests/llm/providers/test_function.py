"""Functions as providers: what they get, what they may return, and how their failures read."""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from daydream.errors import CallError
from daydream.llm import Provider, Request, open_provider
from daydream.settings import Function

Write = Callable[..., Provider]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return a function that writes a file and opens it as the provider `mine`."""

    def write(source: str, **settings: object) -> Provider:
        (tmp_path / "mine.py").write_text(source)
        options = Function(path="mine.py", **settings)
        return open_provider("mine", options, base_dir=tmp_path)

    return write


def request(text: str = "hello") -> Request:
    return Request(
        provider="mine",
        model="model-1",
        messages=({"role": "user", "content": text},),
        sampling={"temperature": 0.5},
        extra_body={"stop": ["a"]},
    )


def refusal(provider: Provider) -> str:
    with pytest.raises(CallError) as error:
        provider.complete(request())
    text = str(error.value)
    assert text.startswith("[call] mine.py")
    assert "; " in text
    assert len(text.splitlines()) == 1
    return text


def test_a_text_is_an_answer(write: Write) -> None:
    """The function gets the body that a server would get; its text is the whole answer."""
    answer = write("def complete(body): return repr(sorted(body.items()))").complete(request())
    assert answer.text == repr(sorted(request().body().items()))
    assert (answer.finish_reason, answer.model, answer.attempts) == ("stop", "model-1", 1)
    assert (answer.usage, answer.headers) == ({}, {})
    assert answer.duration_s >= 0


def test_a_whole_completion_is_taken_as_it_is(write: Write) -> None:
    """So a function can tell of usage and of truncation."""
    choice = {"message": {"content": "half"}, "finish_reason": "length"}
    body = {"choices": [choice], "usage": {"prompt_tokens": 3}, "mine": 1}
    answer = write(f"def judge(body): return {body!r}", name="judge").complete(request())
    assert answer.body == body
    assert answer.truncated
    assert answer.text == "half"


def test_the_request_stays_what_its_hash_says(write: Write) -> None:
    """A function may change the body it gets; the request is journaled as it was."""
    source = (
        "def complete(body):\n body['messages'][0]['content'] = body['stop'][0] = 'X'\n return ''"
    )
    asked = request()
    write(source).complete(asked)
    assert asked == request()
    assert asked.body() == request().body()


def test_the_file_runs_once(write: Write) -> None:
    """However many threads call at once, they share one state."""
    source = (
        "import itertools\ncount = itertools.count()\ndef complete(body): return str(next(count))"
    )
    provider = write(source)
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: provider.complete(request()).text, range(40)))
    assert sorted(map(int, answers)) == list(range(40))


def test_a_file_may_define_classes(write: Write) -> None:
    """Dataclasses look up their module, which is there under a name of its own."""
    before = set(sys.modules)
    source = (
        "from __future__ import annotations\nfrom dataclasses import dataclass\n"
        "@dataclass(slots=True, kw_only=True)\nclass A:\n    x: int\n"
        "class Model:\n    def __call__(self, body): return str(A(x=1))\ncomplete = Model()"
    )
    assert write(source).complete(request()).text == "A(x=1)"
    assert {name.partition("_")[0] for name in set(sys.modules) - before} <= {"daydream"}


def test_a_lone_surrogate_is_made_storable(write: Write) -> None:
    """As for every provider."""
    answer = write(r"def complete(body): return 'a \ud83d'").complete(request())
    assert answer.text == "a \ufffd"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("def other(body): return ''", "defines no function 'complete'"),
        ("complete = 3", "defines no function 'complete'"),
        ("x = 1\n\ndef complete(body:\n", "mine.py:3: SyntaxError: "),
        ("x = 1\nimport nothing_here", "mine.py:2: ModuleNotFoundError: "),
        ("import sys\nsys.exit(2)", "mine.py:2: SystemExit: '2'"),
        ("def complete(body):\n\n    return body['no']", "mine.py:3: KeyError: "),
        ("def complete(body):\n    raise ValueError('a\\nb')", "mine.py:2: ValueError: 'a b'"),
        ("import json\ndef complete(body):\n    json.loads('{')", "mine.py:3: JSONDecodeError: "),
        ("def complete(): return ''", "TypeError: "),
        ("def complete(body): return None", "returned 'None'; return the text of the answer"),
        ("def complete(body): exit(3)", "SystemExit: '3'; fix the function of provider"),
        ("def complete(body): return {}", "answered without choices"),
        ("def complete(body): return {'choices': [{'x': {1}}]}", "not JSON"),
        ("def complete(body): return {'error': 'too hot'}", "error 'too hot'"),
    ],
)
def test_failures_name_file_and_line(write: Write, source: str, found: str) -> None:
    """Whatever goes wrong in the user's file is one line that leads there."""
    assert found in refusal(write(source))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """It is shown as the configuration writes it, and looked for at each call."""
    provider = open_provider("mine", Function(path="mine.py"), base_dir=tmp_path)
    text = refusal(provider)
    assert "cannot be read (No such file or directory)" in text
    assert str(tmp_path) not in text
    (tmp_path / "mine.py").write_text("def complete(body): return 'now'")
    assert provider.complete(request()).text == "now"
