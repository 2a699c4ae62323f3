"""A whole run of which the provider refuses, cuts and breaks off many answers."""

from __future__ import annotations

from typing import Any

from support.project import Project
from support.provider_server import (
    ProviderServer,
    Reply,
    default_answer,
    failure,
    html,
    no_choices,
    reset,
    truncated,
)

FAULTS = [
    failure(429, "slow down", retry_after=0.05),
    failure(500),
    reset(),
    Reply(delay=0.4),
    html(),
    no_choices(),
    truncated("This answer was cu"),
]


def test_a_storm(project: Project) -> None:
    """With 30 % faults 500 generations complete; accepted calls are the distinct requests."""
    project.widen(100, evaluation_replicate=3)
    for stage in project.config["stages"].values():
        stage |= {"resample": 3, "sampling": {"seed": "gen_id"}}
    counted = iter(range(10**6))

    def stormy(body: dict[str, Any]) -> Reply | str:
        number = next(counted)
        return FAULTS[number // 3 % len(FAULTS)] if number % 10 < 3 else default_answer(body)

    with ProviderServer(answer=stormy) as server:
        project.serve(server.url, first_wait=0.05, read_timeout=0.3, max_attempts=12)
        project.snakemake("--cores", "32")
        asked = len(server.history)
    rows = project.membership()
    assert len(rows) == 500
    store = project.store()
    assert len(store) == 3 * 500
    assert not [name for name, text in store.items() if "Welcome" in text or text[-2:] == "cu"]
    entries = list(project.path("data/gens").glob("*/*/responses/*.json"))
    cut = sum('"finish_reason": "length"' in path.read_text() for path in entries)
    assert len(entries) == 500 + cut
    assert cut > 0
    assert not project.holding("sk-test-secret")
    print(f"\n{asked} requests, {asked - len(entries)} faults asked again, {cut} cut and resampled")
