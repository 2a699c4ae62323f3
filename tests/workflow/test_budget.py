"""A budget, kept by a run of many calls at once."""

from __future__ import annotations

import csv
import json
import signal

import pytest

from support.background import Run, until
from support.project import Project
from support.provider_server import (
    Call,
    ProviderServer,
    Reply,
    completion,
    failure,
    html,
    reset,
    slow,
)


def test_a_budget_of_100_calls_with_64_in_flight(project: Project) -> None:
    """The server gets 100 calls; the run ends with a paragraph, and goes on where it stopped."""
    project.widen(60)
    with ProviderServer(latency=0.3) as server:
        project.serve(server.url)
        budget = ("--cores", "64", "--config", "budget={calls: 100}")
        output = project.snakemake(*budget, code=1)
        assert len(server.history) == 100
        assert "the budget of this run, 100 calls, allows no further call" in output
        assert "This run: 100 calls, 1,500 tokens" in output
        assert "To go on (raise or remove `budget` first); what was paid for is kept:" in output
        assert " --cores 64 --config 'budget={calls: 100}' -- scores drafts" in output
        assert output.count("[stopped]") == 0
        assert "Traceback" not in output
        kept = len(list(project.path("data/gens").glob("*/*/responses/*.json")))
        assert kept == 100
        project.snakemake("--cores", "64")
        assert len(server.history) == 180
    events = [json.loads(line) for line in project.read("data/ledger.jsonl").splitlines()]
    ends = [event for event in events if event["event"] == "end"]
    assert len(ends) == 180
    assert {event["cohort"] for event in ends} == {"c1"}


def money(project: Project, drafts: int, **budget: object) -> None:
    """Make the cohort so many drafts, with prices, a limit of answers, and a budget."""
    project.widen(drafts)
    project.config["stages"]["draft"]["sampling"] = {"seed": "gen_id", "max_tokens": 100}
    project.config["budget"] = budget
    path = "data/1_raw/llm_models.csv"
    header, *rows = project.read(path).splitlines()
    prices = [f"{header},usd_per_mtok_in,usd_per_mtok_out", *(f"{row},1,10" for row in rows)]
    project.write(path, "\n".join(prices) + "\n")


def tokens_of(call: Call) -> int:
    """Return how many tokens a tokenizer of bytes, the worst there is, counts in a prompt."""
    return sum(len(message["content"].encode()) + 8 for message in call.body["messages"])


def bill(server: ProviderServer, answers: int = 100) -> float:
    """Return what the server charges at the worst: whole prompts, and answers of full length."""
    return sum(tokens_of(call) * 1 + answers * 10 for call in server.history) / 1e6


def run(project: Project, *arguments: str, code: int | None = 1) -> str:
    output = project.snakemake("drafts", "--cores", "16", *arguments, code=code)
    assert "Traceback" not in output
    return output


USAGES = {
    "none": None,
    "texts": {"prompt_tokens": "10", "completion_tokens": "5"},
    "an object": {"prompt_tokens": {"a": 1}, "completion_tokens": 5},
    "negative": {"prompt_tokens": -10, "completion_tokens": -500_000},
    "a list": [10, 5],
    "true": {"prompt_tokens": True, "completion_tokens": True},
}


@pytest.mark.parametrize("usage", USAGES.values(), ids=USAGES)
def test_answers_that_do_not_tell_what_they_took(project: Project, usage: object) -> None:
    """Each stays charged with the most that it can be: the server's bill is within the budget."""
    money(project, 40, usd=0.03)
    with ProviderServer(
        lambda body: Reply(body=completion("An answer.\nof two lines", usage=usage)), latency=0.05
    ) as server:
        project.serve(server.url)
        output = run(project)
        assert "the budget of this run, 0.03 USD, allows no further call" in output
        assert 5 <= len(server.history) < 40
        assert bill(server) <= 0.03
        # A second run has a budget of its own, and finds what is there.
        asked = len(server.history)
        run(project, code=None)
        assert bill(server) <= 2 * 0.03
        assert len(server.history) > asked


def test_calls_wait_for_what_those_in_flight_leave(project: Project) -> None:
    """All answers together cost half of the budget, the most of 16 at once more than it."""
    money(project, 40, usd=0.008)
    with ProviderServer(latency=0.2) as server:
        project.serve(server.url)
        run(project, code=0)
        assert len(server.history) == 40
        assert server.max_in_flight < 16
    lines = [json.loads(line) for line in project.read("data/ledger.jsonl").splitlines()]
    open_: dict[str, float] = {}
    spent = 0.0
    for line in lines:
        if line["event"] == "begin":
            open_[line["call"]] = line["usd"]
        else:
            del open_[line["call"]]
            spent += line["usd"]
        assert spent + sum(open_.values()) <= 0.008


@pytest.mark.parametrize(
    "reply", [failure(500), failure(429, retry_after=0), reset(), html(), slow(2)], ids=repr
)
def test_attempts_that_fail_after_sending(project: Project, reply: Reply) -> None:
    """Each request that reaches the provider counts for a budget of calls."""
    money(project, 10, calls=5)
    with ProviderServer(answer=lambda _: reply) as server:
        project.serve(server.url, first_wait=0.01, read_timeout=0.5)
        run(project)
        assert len(server.history) == 5
        lines = [json.loads(line) for line in project.read("data/ledger.jsonl").splitlines()]
        assert sum(line["event"] == "begin" for line in lines) == 5


def test_attempts_that_fail_after_sending_are_charged(project: Project) -> None:
    """A provider that fails after half its work may bill it: the budget in USD is kept."""
    money(project, 20, usd=0.02)
    with ProviderServer(answer=lambda _: failure(500)) as server:
        project.serve(server.url, first_wait=0.01)
        output = run(project)
        assert bill(server) <= 0.02
        assert len(server.history) >= 5
        assert "without an answer; at most 0.0" in output


def test_attempts_that_are_turned_away_are_not_charged(project: Project) -> None:
    """A provider that is busy takes no money, so that a budget in USD goes on."""
    money(project, 10, usd=0.1)
    with ProviderServer() as server:
        project.serve(server.url, first_wait=0.01, max_attempts=20)
        server.script(*[failure(429, retry_after=0)] * 8)
        run(project, code=0)
        assert len(server.history) == 18


@pytest.mark.parametrize(
    ("extra", "answers"),
    [({"n": 5}, 500), ({"max_completion_tokens": 2000}, 2000), ({"n": 3, "best_of": 4}, 400)],
)
def test_fields_that_raise_what_is_billed(
    project: Project, extra: dict[str, int], answers: int
) -> None:
    money(project, 40, usd=0.1)
    project.config["stages"]["draft"]["sampling"]["extra_body"] = extra
    with ProviderServer(
        lambda body: Reply(body=completion("An answer.\nof two lines", usage=None))
    ) as server:
        project.serve(server.url)
        run(project)
        assert server.history
        assert bill(server, answers) <= 0.1


def test_prompts_of_many_bytes(project: Project) -> None:
    """A character may be four tokens: they are counted by their bytes."""
    project.write("data/1_raw/concepts/descriptions-sentence/tide.txt", "𝕬🜁" * 500)
    money(project, 40, tokens=60_000)
    with ProviderServer(
        lambda body: Reply(body=completion("An answer.\nof two lines", usage=None))
    ) as server:
        project.serve(server.url)
        run(project)
        assert server.history
        assert sum(tokens_of(call) + 100 for call in server.history) <= 60_000


def test_a_budget_that_cannot_be_kept_is_refused_before_the_first_call(project: Project) -> None:
    """Nothing bounds an answer, or there is no price: each is a line, with what to do."""
    money(project, 4, usd=1)
    del project.config["stages"]["draft"]["sampling"]["max_tokens"]
    path = "data/1_raw/llm_models.csv"
    with ProviderServer() as server:
        project.serve(server.url)
        output = run(project)
        assert "[budget] stage draft, model m1: nothing bounds an answer" in output
        assert "set max_tokens in stages.draft.sampling" in output
        project.write(path, project.read(path).replace(",1,10\n", ",,\n"))
        output = run(project)
        assert "[budget] stage draft, model m1: the model has no price" in output
        assert server.history == []
        project.config["budget"] = {"calls": 4}
        project.save()
        run(project, code=0)


def test_two_runs_share_the_budget_of_a_cohort(project: Project) -> None:
    """And one that was killed stays charged with what was in flight."""
    money(project, 40, cohort={"usd": 0.04})
    with ProviderServer(
        lambda body: Reply(body=completion("An answer.\nof two lines", usage=None)), latency=0.3
    ) as server:
        project.serve(server.url)
        killed = Run(project, "drafts", "--cores", "4")
        until(lambda: len(server.history) >= 6)
        killed.signal(signal.SIGKILL)
        killed.process.wait()
        runs = [Run(project, "drafts", "--cores", "8", "--nolock") for _ in range(2)]
        for each in runs:
            assert "the budget of cohort 'c1', 0.04 USD" in each.wait()
        assert 6 < len(server.history) < 40
        assert bill(server) <= 0.04


def test_the_provider_s_own_price_and_cached_tokens(project: Project) -> None:
    """Each figure says whose it is, and usage overwrites no column of the table."""
    money(project, 2)
    details = {"prompt_tokens_details": {"cached_tokens": 400}}
    usages = [
        {"prompt_tokens": 500, "completion_tokens": 50, **details},
        {"prompt_tokens": 500, "completion_tokens": 50, "cost": 0.123, "gen_id": "x", "mode": "y"},
    ]
    path = "data/1_raw/llm_models.csv"
    header, *rows = project.read(path).splitlines()
    cached = [f"{header},usd_per_mtok_cached_in", *(f"{row},0.1" for row in rows)]
    project.write(path, "\n".join(cached) + "\n")
    with ProviderServer(
        lambda body: Reply(body=completion("An answer.\nof two lines", usage=usages.pop()))
    ) as server:
        project.serve(server.url)
        run(project, code=0)
        project.snakemake("data/cohorts/c1/reports/parsing/calls.csv", "--config", "partial=true")
    with project.path("data/cohorts/c1/reports/parsing/calls.csv").open() as file:
        found = [row for row in csv.DictReader(file) if row["mode"]]
    assert {(row["cost_usd"], row["price_source"]) for row in found} == {
        ("0.123", "provider"),
        (repr((100 * 1 + 400 * 0.1 + 50 * 10) / 1e6), "llm_models.csv"),
    }
    assert {row["gen_id"] for row in found} == {row["gen_id"] for row in project.membership()[:2]}
    ends = [json.loads(line) for line in project.read("data/ledger.jsonl").splitlines()]
    sources = {line["price_source"] for line in ends if line["event"] == "end"}
    assert sources == {"provider", "llm_models.csv"}
