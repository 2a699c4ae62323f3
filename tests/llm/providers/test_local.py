"""The bundled model: it answers without network or key, and says the same whenever it is asked."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from daydream.errors import CallError
from daydream.llm import Provider, Request, open_provider
from daydream.llm.providers.local import LocalProvider, available_cores
from daydream.settings import Local
from support.project import ROOT

SCORE = 'root ::= [a-z ]{1,20} "\\nSCORE: " [0-9]'


@pytest.fixture(scope="module")
def local() -> Iterator[LocalProvider]:
    provider = open_provider("local", Local(n_ctx=512), base_dir=Path())
    assert isinstance(provider, LocalProvider)
    yield provider
    provider.close()


def request(text: str = "Say hello.", *, extra: dict[str, Any] | None = None, **sampling: object):
    return Request(
        provider="local",
        model="smollm2",
        messages=({"role": "user", "content": text},),
        sampling={"max_tokens": 12, "temperature": 0.8, **sampling},
        extra_body=extra or {},
    )


def refusal(provider: Provider, asked: Request) -> str:
    with pytest.raises(CallError) as error:
        provider.complete(asked)
    text = str(error.value)
    assert text.startswith("[call] provider 'local'")
    assert "; " in text
    assert len(text.splitlines()) == 1
    return text


def test_it_answers(local: LocalProvider) -> None:
    """An answer has the form of every provider's, and holds no path of this machine."""
    got = local.complete(request(max_tokens=5))
    assert got.text
    assert got.truncated
    assert got.usage["completion_tokens"] == 5
    assert got.model == "SmolLM2-135M-Instruct.Q4_1.gguf"
    assert "site-packages" not in json.dumps(got.body)
    assert (got.headers, got.attempts) == ({}, 1)


def test_the_order_of_calls_is_not_in_the_answers(local: LocalProvider) -> None:
    """Alone or from four threads, in whatever order: the same request, the same text."""
    words = ["the sea", "the sea at night, and all its waves", "fog", "looms " * 30]
    asked = [
        request(f"Write about {word}.", seed=seed, max_tokens=8)
        for word in words
        for seed in (1, 2)
    ]
    alone = [local.complete(one).text for one in asked]
    assert len(set(alone)) == len(alone)
    order = list(range(len(asked)))
    random.Random(5).shuffle(order)
    with ThreadPoolExecutor(4) as threads:
        texts = threads.map(lambda number: local.complete(asked[number]).text, order)
        assert list(texts) == [alone[number] for number in order]


def test_without_a_seed_it_has_one_of_its_own(local: LocalProvider) -> None:
    """An unseeded request repeats its answer too, and a deliberate new sample is another."""
    fields: dict[str, Any] = {"provider": "local", "model": "m", "messages": request().messages}
    sampling = {"max_tokens": 12, "temperature": 1.5}
    texts = [
        local.complete(Request(**fields, sampling=sampling, sample=sample)).text
        for sample in (0, 0, 1)
    ]
    assert texts[0] == texts[1] != texts[2]


def test_a_grammar_shapes_the_answer(local: LocalProvider) -> None:
    """So a judge of any size ends in a score."""
    asked = request("Rate the sea.", extra={"grammar": SCORE}, max_tokens=60)
    assert re.fullmatch(r"[a-z ]{1,20}\nSCORE: [0-9]", local.complete(asked).text)


def test_other_threads_go_on(local: LocalProvider) -> None:
    """A call lets go of Python's lock: the thread that counts here does so while it runs."""
    done = threading.Event()
    counted = [0]

    def count() -> None:
        while not done.wait(0.001):
            counted[0] += 1

    thread = threading.Thread(target=count)
    thread.start()
    try:
        local.complete(request(max_tokens=30))
    finally:
        done.set()
        thread.join()
    assert counted[0] > 1


def test_a_long_prompt_is_refused(local: LocalProvider) -> None:
    """With its length, the context's, and the setting to change."""
    text = refusal(local, request("word " * 600))
    assert re.search(
        r"the prompt has 6\d\d tokens, the context 512; .*providers\.local\.n_ctx", text
    )


def test_a_full_context_is_a_cut_answer(local: LocalProvider) -> None:
    """Without max_tokens, the context is the limit."""
    prompt = request("word " * 465).messages
    asked = Request(provider="local", model="m", messages=prompt, extra_body={"ignore_eos": True})
    got = local.complete(asked)
    assert got.truncated
    assert got.usage["total_tokens"] == 512


@pytest.mark.parametrize(
    ("extra", "found"),
    [
        ({"grammar": "root ::= ("}, "failed to parse grammar'; fix the grammar in extra_body"),
        ({"n": 3}, "Field 'n'"),
        ({"stream": True}, "was refused"),
        ({"tools": [{"x": 1}]}, "Missing tool type"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "no"}}}},
            "",
        ),
    ],
)
def test_a_request_it_cannot_meet_is_refused(
    local: LocalProvider, extra: dict[str, Any], found: str
) -> None:
    """In one line, and the next request is answered."""
    assert found in refusal(local, request(extra=extra))
    assert local.complete(request(max_tokens=1)).text


def test_a_model_that_is_none_is_refused(tmp_path: Path) -> None:
    """A missing file, a damaged one: shown without the machine's paths."""
    (tmp_path / "bad.gguf").write_bytes(b"GGUF" + b"\0" * 100)
    for name, found in (("no.gguf", "found no file 'no.gguf'"), ("bad.gguf", "'bad.gguf' cannot")):
        provider = open_provider("local", Local(model_path=name), base_dir=tmp_path)
        text = refusal(provider, request())
        assert found in text
        assert str(tmp_path) not in text


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the bundled model, the line says how to get one."""
    monkeypatch.setattr("daydream.llm.providers.local.BUNDLED", "no-such-package")
    provider = open_provider("local", Local(), base_dir=Path())
    assert "no-such-package is not installed; install it, or set model_path" in refusal(
        provider, request()
    )


def test_it_is_quiet_and_its_port_is_shut(tmp_path: Path) -> None:
    """Nothing but the answer is printed, and llama.cpp's own HTTP server lets nobody in."""
    program = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(ROOT / "scripts")!r})
from daydream.llm import Request, open_provider
from daydream.settings import Local
local = open_provider("local", Local(n_ctx=256), base_dir=Path())
messages = ({{"role": "user", "content": "Hi"}},)
asked = Request(provider="local", model="m", messages=messages, sampling={{"max_tokens": 2}})
local.complete(asked)
print(local._server.listening_address, flush=True)
sys.stdin.readline()
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    url = process.stdout.readline().strip()
    body = json.dumps({"messages": [{"role": "user", "content": "Hi"}]}).encode()
    with pytest.raises(urllib.error.HTTPError, match="401") as error:
        urllib.request.urlopen(f"{url}/v1/chat/completions", data=body, timeout=60)
    error.value.close()
    assert process.communicate("\n", timeout=60) == ("", "")
    assert process.returncode == 0


def test_threads_are_those_of_this_process() -> None:
    """At least one, and no more than the machine has."""
    assert available_cores() >= 1
