"""Limits of a pool in a whole run."""

from __future__ import annotations

from support.project import Project
from support.provider_server import ProviderServer


def test_waiting_jobs_hold_no_thread(project: Project) -> None:
    """A pool with `concurrent` is a resource of Snakemake's: copies and parsers go on meanwhile."""
    project.config["pools"] = {"echo": {"concurrent": 2}}
    project.spec["axes"] |= {"draft_replicate": 5}
    with ProviderServer(latency=0.1) as server:
        project.serve(server.url)
        project.snakemake("drafts", "--cores", "8")
        assert server.max_in_flight == 2
        assert len(server.history) == 10
