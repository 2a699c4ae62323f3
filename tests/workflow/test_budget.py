"""A budget, kept by a run of many calls at once."""

from __future__ import annotations

import json

from support.project import Project
from support.provider_server import ProviderServer


def test_a_budget_of_100_calls_with_64_in_flight(project: Project) -> None:
    """The server gets 100 calls; the run ends with a paragraph, and goes on where it stopped."""
    project.spec["axes"] |= {
        "combo_id": ["pair"],
        "draft_replicate": 60,
        "essay_template": ["grow"],
    }
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
