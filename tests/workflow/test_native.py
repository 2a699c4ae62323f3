"""A whole run on Google's API: directly and in batches, with answers that are cut and grow."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from support.gemini_server import GeminiServer, generated, prompt_of
from support.project import Project
from support.served import RefusedError


def answer(body: dict[str, Any]) -> str:
    prompt = prompt_of(body)
    return f"SCORE: {len(prompt) % 10}" if "SCORE" in prompt else f"text\nof {len(prompt)}"


@pytest.fixture
def server() -> Iterator[GeminiServer]:
    with GeminiServer(answer=answer) as server:
        yield server


def ready(project: Project, server: GeminiServer) -> None:
    for stage in project.config["stages"].values():
        stage["sampling"] = {"max_tokens": 50, "seed": "gen_id"}
        stage |= {"on_truncation": "grow", "max_tokens_limit": 100}
    header = "id,model,provider,usd_per_mtok_in,usd_per_mtok_out"
    project.write("data/1_raw/llm_models.csv", f"{header}\nm1,gemini-x,echo,3,12\n")
    project.config["providers"]["echo"] = {
        "type": "gemini",
        "base_url": server.url,
        "api_key_env": "TEST_API_KEY",
        "batch": {"poll": 0.1},
        "first_wait": 0.01,
    }
    project.save()


def test_a_cohort_directly_and_in_batches(project: Project, server: GeminiServer) -> None:
    """Failures are asked again, cut answers grow, and the store is that of any provider."""
    ready(project, server)
    cut = generated("half", finish="MAX_TOKENS")
    server.script(RefusedError(503, [{"error": {"code": 503, "message": "busy"}}]), cut)
    project.snakemake("drafts")
    asked = [body["generationConfig"]["maxOutputTokens"] for body in server.direct]
    assert sorted(asked) == [50, 50, 50, 100]
    project.snakemake("--config", "batch=true")
    assert len(server.direct) == len(asked)
    assert set(server.sent.values()) == {1}
    assert len(project.scores()) == 4
    for path in project.path("data/gens").glob("*/*/metadata.json"):
        told = json.loads(path.read_text())
        if told["mode"] == "llm":
            assert told["finish_reason"] == "stop"
            assert told["usage"]["promptTokenCount"] > 0
            assert "contents" not in told["sampling"]
            assert told["cost_usd"] > 0
    for path in project.path("data/gens").glob("*/*/responses/*.json"):
        entry = json.loads(path.read_text())
        assert entry["request"]["contents"][0]["parts"][0]["text"]
        assert entry["response"]["candidates"]
    before = (len(server.direct), sum(server.sent.values()))
    project.snakemake()
    assert (len(server.direct), sum(server.sent.values())) == before
