"""Runs that ask directly beside runs that ask in batches: each request is in one of them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from support.background import Run, until
from support.batch_server import BatchServer
from support.project import Project
from support.served import RefusedError

DRAFTS = 10


def ready(project: Project, url: str) -> None:
    project.spec["axes"].update(
        essay_template=["grow"], draft_replicate=list(range(1, DRAFTS + 1)), combo_id=["pair"]
    )
    for stage in project.config["stages"].values():
        stage["sampling"] = {"max_tokens": 50, "seed": "gen_id"}
    project.serve(url, batch={"poll": 0.1})


@contextmanager
def held_calls(**options: Any) -> Iterator[tuple[BatchServer, threading.Event]]:
    """Yield a server whose direct calls wait, after the first `free`, until the event is set."""
    go = threading.Event()
    free = options.pop("free", 0)

    def refuse(_: str, path: str) -> None:
        if path.endswith("/chat/completions") and server.requests["POST", path] > free:
            go.wait(60)

    with BatchServer(refuse=refuse, **options) as server:
        try:
            yield server, go
        finally:
            go.set()


CALLS = ("POST", "/v1/chat/completions")


def test_a_batch_leaves_out_what_is_asked_for_directly(project: Project) -> None:
    """The run that sends it waits for these answers, and neither pays for one of the other's."""
    with held_calls() as (server, go):
        ready(project, server.url)
        direct = Run(project, "--cores", "4", "--nolock", "--", "drafts")
        until(lambda: server.requests[CALLS] == 4)
        batch = Run(project, "--cores", "4", "--nolock", "--config", "batch=true", "--", "drafts")
        until(lambda: server.batches)
        assert sum(server.sent.values()) == DRAFTS - 4
        go.set()
        told = batch.wait()
        assert batch.process.returncode == 0, told
        told = direct.wait()
        assert len(server.direct) == 4
        assert sum(server.sent.values()) == DRAFTS - 4
        assert "Traceback" not in told
        assert "which another run has sent" in told or direct.process.returncode == 0
        project.snakemake("drafts")
        assert len(server.direct) + sum(server.sent.values()) == DRAFTS


def test_a_call_that_fails_is_put_in_a_batch(project: Project) -> None:
    """All were asked for by another run at first, so that there was no batch to wait for."""
    with held_calls() as (server, go):
        ready(project, server.url)
        direct = Run(project, "--cores", "16", "--nolock", "--", "drafts")
        until(lambda: server.requests[CALLS] == DRAFTS)
        batch = Run(project, "--cores", "4", "--nolock", "--config", "batch=true", "--", "drafts")
        until(lambda: "asked for by another run" in batch.log.read_text())
        assert not server.batches
        server.script(RefusedError(400, {"error": {"message": "no"}}))
        go.set()
        direct.wait()
        told = batch.wait()
        assert batch.process.returncode == 0, told
        assert sum(server.sent.values()) == 1


def test_a_run_whose_texts_another_run_takes_away_has_failed(project: Project) -> None:
    """Without a lock, that may be; it is not to look like a success.

    Nothing in the run itself needs a draft any more whose essay is there.
    """
    with held_calls(free=3 * DRAFTS - 1) as (server, go):
        ready(project, server.url)
        run = Run(project, "--cores", "1", "--", "evaluations")
        until(lambda: server.requests[CALLS] == 3 * DRAFTS)
        next(project.path("data/gens/draft").glob("*/parsed.txt")).unlink()
        go.set()
        told = run.wait()
        assert run.process.returncode == 1, told
        assert "1 text is gone that this run had made or found" in told
        assert "Traceback" not in told
        project.snakemake("evaluations")
        assert len(server.direct) == 3 * DRAFTS
