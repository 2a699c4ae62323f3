"""A look beside a run takes no lock and breaks none, so no answer is paid for twice."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from daydream.files import is_locked
from daydream.workflow import runlock
from support.background import Run, until
from support.project import Project
from support.provider_server import ProviderServer

LOCKS = ".snakemake/locks"


def locks(project: Project) -> dict[str, str]:
    return {path.name: path.read_text() for path in project.path(LOCKS).glob("*.lock")}


@pytest.mark.parametrize(
    "look",
    [
        ("plan",),
        ("explain", "--config"),
        ("diff", "--config"),
        ("scores", "--config", "partial=true"),
    ],
)
def test_a_look_beside_a_run_leaves_its_lock(project: Project, look: tuple[str, ...]) -> None:
    """A second run is still refused after it, and each generation is asked for once."""
    project.spec["axes"]["draft_replicate"] = list(range(1, 9))
    # So slow that the run lasts until both others have ended, however busy the machine is.
    with ProviderServer(latency=3) as server:
        project.serve(server.url)
        project.snakemake("membership")
        gen_id = project.membership()[-1]["gen_id"]
        given = {
            "explain": (f"gen_id={gen_id}",),
            "diff": ("left=c1", "right=c1"),
        }.get(look[0], ())
        run = Run(project, "--cores", "4", "scores")
        until(lambda: server.history)
        before = locks(project)
        assert before
        seen = project.snakemake(*look, *given)
        assert "Traceback" not in seen
        assert locks(project) == before
        second = project.snakemake("scores", code=1)
        assert "another run makes the same files here" in second
        server.latency = 0
        output = run.wait()
        assert run.process.returncode == 0, output
        calls = sum(row["template_id"] != "same" for row in project.membership())
        assert len(server.history) == calls
        assert not locks(project)


LOOKS_FOR_RUNS = """
from pathlib import Path

from daydream.parsers import parser


def look():
    with Path("seen").open("a") as seen:
        seen.write(f"{len([*Path('.snakemake/runs').glob('*.lock')])} ")


@parser
def looking(answer: str) -> str:
    look()
    return answer


look()
"""


def test_a_look_is_no_run_from_its_beginning(project: Project) -> None:
    """Not even before its rules are read, by when a run beside it would find it."""
    project.write("parsers.py", LOOKS_FOR_RUNS)
    project.config["parsers"] = ["parsers.py"]
    project.save()
    project.edit("data/1_raw/draft_templates.csv", "identity", "looking")
    for look in ("plan", "check", "follow", "batches"):
        project.snakemake(look)
    assert {*project.read("seen").split()} == {"0"}
    for targets in (["drafts"], ["plan", "essays"]):
        project.edit("data/1_raw/templates/draft/plain.txt", "Join", "Join now")
        project.snakemake(*targets)
        assert project.read("seen").split()[-1] == "1"


def test_an_import_is_not_held_up_by_another_cohort(project: Project) -> None:
    """The lock is taken without compiling cohorts: what is wrong with one is not asked for."""
    project.spec["axes"]["combo_id"] = ["nowhere"]
    project.save()
    output = project.snakemake("import_store", "--config", "source=src", "cohort=old", code=1)
    assert "src/gens" in output


def test_a_run_may_have_the_name_of_a_killed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a container each run may be the same process of the same host."""
    monkeypatch.chdir(tmp_path)
    own = runlock.RUNS / f"{socket.gethostname()}-{os.getpid()}.lock"
    own.parent.mkdir(parents=True)
    own.touch()
    runlock.enter()
    assert is_locked(own)
    assert not runlock.others()
    runlock.leave()
    assert not own.exists()
