"""What would keep a call of the run from being answered is said before its first call.

Whatever the targets are: the stages before theirs are made first, and those after them are not
made at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from support.project import Project
from support.provider_server import ProviderServer

Fault = Callable[[Project, ProviderServer, str], str]


@pytest.fixture
def server() -> Iterator[ProviderServer]:
    with ProviderServer() as server:
        yield server


def two_providers(project: Project, server: ProviderServer, stage: str, **its: object) -> None:
    """Let a stage be answered by a provider of its own, and all else by another one."""
    project.serve(server.url)
    project.config["providers"]["own"] = project.config["providers"]["echo"] | its
    for name, settings in project.config["stages"].items():
        project.spec["axes"][f"{name}_llm"] = ["own" if name == stage else "m1"]
        settings["sampling"] = {"max_tokens": 10}
    header = "id,model,provider,usd_per_mtok_in,usd_per_mtok_out"
    models = "own,echo-1,own,,\nm1,echo-1,echo,1,1\n"
    project.write("data/1_raw/llm_models.csv", f"{header}\n{models}")
    project.save()


def no_key(project: Project, server: ProviderServer, stage: str) -> str:
    two_providers(project, server, stage, api_key_env="KEY_THAT_IS_NOT_SET")
    return "KEY_THAT_IS_NOT_SET is not set"


def no_price(project: Project, server: ProviderServer, stage: str) -> str:
    two_providers(project, server, stage)
    project.config["budget"] = {"usd": 1}
    project.save()
    return f"[budget] stage {stage}, model own: the model has no price"


def no_such_setting(project: Project, server: ProviderServer, stage: str) -> str:
    two_providers(project, server, stage, type="anthropic")
    project.config["stages"][stage]["sampling"]["seed"] = "gen_id"
    project.save()
    return f"[call] stage {stage}, model own, seed: found"


SPEC = "data/cohorts/c1/spec/config.yaml"
FAULTS = [no_key, no_price, no_such_setting]


def targets(project: Project, target: str) -> list[str]:
    """Return the arguments of a run; `file of <stage>` is a text of it."""
    project.run("-c1", "membership")
    kind, of, stage = target.partition(" of ")
    if of:
        text = project.first(stage)
        return [text.replace("parsed", "prompt") if kind == "prompt" else text]
    return [] if target == "default" else target.split()


@pytest.mark.parametrize(
    "target",
    ["evaluations", "file of evaluation", "scores", "default", "drafts {scores}", "top"],
)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_an_earlier_stage(
    project: Project, server: ProviderServer, fault: Fault, target: str
) -> None:
    line = fault(project, server, "draft")
    scores = "data/cohorts/c1/reports/parsing/aggregated_scores.csv"
    arguments = targets(project, target.format(scores=scores))
    planned = project.run("-n", *arguments)
    assert line in planned.partition("A run would end before its first job:")[2]
    assert line in project.run("-c2", *arguments, code=1)
    assert "Traceback" not in project.output
    assert not server.history


@pytest.mark.parametrize(
    "target", ["drafts", "membership drafts", "file of draft", "prompt of essay"]
)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_a_later_stage(
    project: Project, server: ProviderServer, fault: Fault, target: str
) -> None:
    """It keeps nothing from being made that does not need the stage."""
    line = fault(project, server, "essay")
    arguments = targets(project, target)
    assert line not in project.run("-n", *arguments)
    project.run("-c2", *arguments)
    assert server.history
    assert line in project.run("-n", "essays")


@pytest.mark.parametrize("fault", FAULTS)
def test_what_the_journal_has_needs_nothing(
    project: Project, server: ProviderServer, fault: Fault
) -> None:
    """A text that is lost comes back, though its model could not be asked any more."""
    two_providers(project, server, "draft")
    project.run("-c2", "drafts")
    asked = len(server.history)
    first = project.path(project.first("draft"))
    fault(project, server, "draft")
    first.with_name("raw.txt").unlink()
    assert "A run would end" not in project.run("-n", "drafts")
    project.run("-c2", "drafts")
    assert first.with_name("raw.txt").exists()
    assert len(server.history) == asked


def test_a_report_needs_its_own_cohort_alone(project: Project, server: ProviderServer) -> None:
    """Another one's model may be without a key."""
    line = no_key(project, server, "draft")
    project.write("data/cohorts/c2/spec/config.yaml", project.read(SPEC).replace("own", "m1"))
    project.config["cohorts"] = ["c1", "c2"]
    project.save()
    scores = "data/cohorts/{}/reports/parsing/aggregated_scores.csv"
    assert line in project.run("-c2", scores.format("c1"), code=1)
    assert line not in project.run("-n", scores.format("c2"))
    project.run("-c2", scores.format("c2"))
    assert project.path(scores.format("c2")).exists()
