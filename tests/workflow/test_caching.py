"""Judges whose rubric is read from the provider's cache, in a whole run on Anthropic's API."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator

import pytest

from support.anthropic_server import AnthropicServer
from support.project import Project
from support.prompt_cache import PromptCache
from support.provider_server import ProviderServer

RUBRIC = "Judge the text by these criteria, one by one. " * 120
JUDGE = "data/1_raw/templates/evaluation/judge.txt"
TABLE = "data/cohorts/c1/reports/parsing/calls.csv"
TEXTS = 30


@pytest.fixture
def server() -> Iterator[AnthropicServer]:
    with AnthropicServer(latency=0.05) as server:
        yield server


def ready_for(project: Project, url: str, rubric: str) -> None:
    """Let one judge at a provider of OpenAI's kind read all texts, after a rubric."""
    project.spec["axes"].update(
        combo_id=["pair"], essay_template=["grow"], draft_replicate=list(range(1, TEXTS + 1))
    )
    project.write(JUDGE, f"{rubric}\n{{{{ parent }}}}\nEnd with SCORE: n")
    project.config["providers"]["echo"] = {
        "type": "openai",
        "base_url": url,
        "api_key_env": "TEST_API_KEY",
    }
    project.save()


def ready(project: Project, server: AnthropicServer, rubric: str) -> None:
    """Let one judge read all texts, after a rubric."""
    ready_for(project, server.url, rubric)
    header = "id,model,provider,usd_per_mtok_in,usd_per_mtok_out"
    prices = "usd_per_mtok_cached_in,usd_per_mtok_cache_write"
    project.write(
        "data/1_raw/llm_models.csv", f"{header},{prices}\nm1,claude-x,echo,3,15,0.3,3.75\n"
    )
    for stage in project.config["stages"].values():
        stage["sampling"] = {"max_tokens": 50}
    project.config["providers"]["echo"]["type"] = "anthropic"
    project.save()


def test_a_cohort_whose_judge_has_a_cache_point(project: Project, server: AnthropicServer) -> None:
    """Nearly all of the rubric comes from the cache, and the ledger says so.

    Moving the point, or taking it out, changes no text: nothing is asked again.
    """
    ready(project, server, RUBRIC + "{{ cache_point }}")
    output = project.snakemake("--cores", "64", "scores", TABLE)
    judged = [body for body in server.direct if RUBRIC in json.dumps(body)]
    assert len(judged) == TEXTS
    whole = TEXTS * (len(RUBRIC) // 4)
    assert server.read / whole >= 0.9
    entries = [json.loads(line) for line in project.read("data/ledger.jsonl").splitlines()]
    ends = [entry for entry in entries if entry["event"] == "end"]
    assert sum(entry["cached_tokens"] for entry in ends) == server.read
    assert sum(entry["cache_write_tokens"] for entry in ends) == server.written
    for entry in ends:
        cached, written = entry["cached_tokens"], entry["cache_write_tokens"]
        rest = entry["prompt_tokens"] - cached - written
        usd = (3 * rest + 0.3 * cached + 3.75 * written + 15 * entry["completion_tokens"]) / 1e6
        assert entry["usd"] == pytest.approx(usd)
    assert f"({server.read:,} from the provider's cache)" in output
    prompt = next(iter(project.store("evaluation/*/prompt.txt").values()))
    assert prompt.startswith(f"{RUBRIC}\n")
    assert "cache" not in prompt
    with project.path(TABLE).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert sum(int(row["cached_tokens"] or 0) for row in rows) == server.read
    asked = len(server.direct)
    for point in ("", "{{ cache_point }}\n"):
        project.write(JUDGE, f"{RUBRIC}\n{point}{{{{ parent }}}}\nEnd with SCORE: n")
        project.snakemake("scores")
        assert len(server.direct) == asked


def test_a_beginning_that_is_kept_for_an_hour(project: Project, server: AnthropicServer) -> None:
    """It is asked for, priced, and no part of what is asked: another time asks nothing again."""
    ready(project, server, RUBRIC + "{{ cache_point }}")
    project.config["providers"]["echo"]["cache_ttl"] = "1h"
    project.save()
    table = project.read("data/1_raw/llm_models.csv")
    table = table.replace("cache_write\n", "cache_write,usd_per_mtok_cache_write_1h\n")
    project.write("data/1_raw/llm_models.csv", table.replace("3.75\n", "3.75,6\n"))
    project.snakemake("--cores", "64", "scores")
    assert all("ttl" in json.dumps(body) for body in server.direct if RUBRIC in json.dumps(body))
    entries = [json.loads(line) for line in project.read("data/ledger.jsonl").splitlines()]
    written = [e for e in entries if e["event"] == "end" and e["cache_write_tokens"]]
    assert written
    for entry in written:
        parts = entry["prompt_tokens"] - entry["cache_write_tokens"], entry["cache_write_tokens"]
        usd = (3 * parts[0] + 6 * parts[1] + 15 * entry["completion_tokens"]) / 1e6
        assert entry["usd"] == pytest.approx(usd)
    asked = len(server.direct)
    project.config["providers"]["echo"]["cache_ttl"] = "5m"
    project.save()
    project.snakemake("scores")
    assert len(server.direct) == asked


@pytest.mark.parametrize("place", ["template", "system prompt"])
def test_a_long_beginning_needs_no_mark(project: Project, place: str) -> None:
    """Where the provider caches by itself, the first call goes ahead; no request changes by it."""
    cache = PromptCache(latency=0.3)
    with ProviderServer(answer=cache, latency=0.3) as server:
        ready_for(project, server.url, RUBRIC if place == "template" else "Judge it.")
        if place != "template":
            project.config["stages"]["evaluation"]["sampling"] = {"system_prompt": RUBRIC}
            project.save()
        output = project.snakemake("--cores", "64", "scores")
        judged = [call for call in server.history if RUBRIC in json.dumps(call.body)]
        assert len(judged) == TEXTS
        first, second, *_ = sorted(call.at for call in judged)
        assert second - first >= 0.3, "the first goes ahead"
        assert cache.read / (TEXTS * (len(RUBRIC) // 4)) >= 0.85
        assert f"({cache.read:,} from the provider's cache)" in output
        # As before: a mark changes no text and no hash.
        project.edit(JUDGE, "{{ parent }}", "{{ cache_point }}{{ parent }}")
        asked = len(server.history)
        project.snakemake("scores")
        assert len(server.history) == asked


def test_a_short_beginning_makes_no_call_wait(project: Project) -> None:
    """It is in no cache, so all judgements begin at once."""
    with ProviderServer(latency=1) as server:
        ready_for(project, server.url, RUBRIC[:4000])
        project.snakemake("essays")
        project.snakemake("--cores", "64", "scores")
        judged = sorted(c.at for c in server.history if RUBRIC[:4000] in json.dumps(c.body))
        assert len(judged) == TEXTS
        assert judged[1] - judged[0] < 0.9


def test_a_setting_that_the_api_lacks_ends_the_run_before_its_first_call(
    project: Project, server: AnthropicServer
) -> None:
    """One line for each stage, model and setting; the plan says it too."""
    ready(project, server, RUBRIC)
    project.config["stages"]["draft"]["sampling"] = {"seed": "gen_id", "reasoning": "minimal"}
    project.save()
    output = project.snakemake("drafts", code=1)
    assert "stage draft, model m1, seed: found 'gen_id', but Anthropic's API has no seed" in output
    assert "max_tokens: max_tokens is not set" in output
    assert "reasoning: found 'minimal', but Anthropic's API has no such effort" in output
    assert server.direct == []
