"""A model server of the run's own, in a whole run."""

from __future__ import annotations

from support.project import Project
from support.servers import SERVER, processes


def test_a_run_with_a_server_of_its_own(project: Project) -> None:
    """Started once for all calls of the run, and not left behind."""
    project.config["providers"]["echo"] = {"type": "command", "command": SERVER}
    for stage in project.config["stages"].values():
        stage["sampling"] = {"max_tokens": 40, "extra_body": {"grammar": 'root ::= "SCORE: 3"'}}
    project.save()
    project.snakemake()
    assert {score["score"] for score in project.scores()} == {"3.0"}
    (log,) = project.path("logs/servers").iterdir()
    assert not processes(f"model_server.py\0{log.stem.rpartition('-')[2]}")
