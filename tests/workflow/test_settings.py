"""Settings as they are given on a command line: what Snakemake makes of them comes through."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from support.project import Project


def refused(project: Project, *arguments: str) -> list[str]:
    output = project.snakemake("-n", "membership", *arguments, code=1)
    assert "Traceback" not in output
    return [line for line in output.splitlines() if line.startswith("[config] ")]


def test_a_setting_of_a_stage_is_given_on_the_command_line(project: Project) -> None:
    """As text that means a number, three levels deep; the rest of the chain is config.yaml's."""
    project.snakemake(
        "drafts",
        "--config",
        "stages={draft: {sampling: {temperature: 0, max_tokens: 77}}}",
        "pools={echo: {concurrent: 1}}",
        "where={draft_template: plain, combo_id: pair}",
    )
    [metadata] = project.path("data/gens/draft").glob("*/metadata.json")
    assert json.loads(metadata.read_text())["sampling"] == {"temperature": 0, "max_tokens": 77}


def test_a_file_changes_one_stage_or_gives_the_chain_in_any_order(project: Project) -> None:
    """Snakemake puts its stages first; their parents say how they follow each other."""
    stages = project.config["stages"]
    files = {
        "one.yaml": {"evaluation": {"sampling": {"temperature": 0.1}}},
        "chain.yaml": {name: stages[name] for name in reversed(stages)},
    }
    before = None
    for name, given in files.items():
        project.write(name, yaml.safe_dump({"stages": given}, sort_keys=False))
        project.snakemake("membership", "--configfile", name)
        assert before in (None, project.read("data/cohorts/c1/membership.csv"))
        before = project.read("data/cohorts/c1/membership.csv")
    assert len(project.membership()) == 10


def test_a_single_cohort_and_a_hash_that_looks_like_a_number(project: Project) -> None:
    """They are texts, as typed."""
    project.snakemake("membership", "--config", "cohorts=c1")
    row = project.membership()[0]["gen_id"]
    output = project.snakemake("restore", "--config", f"gen_id={row}", "request=9e59", code=1)
    assert "found '9e59', which names no answer of the journal" in output


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            ["expand=al"],
            "--config on the command line, expand: found 'al'; give one of auto, all, pend",
        ),
        (["exclude={bogus: x}"], "--config on the command line, exclude.bogus: found 'bogus', whi"),
        (["where={draft_template: x"], "--config on the command line, where: found '{draft_templ"),
    ],
)
def test_a_wrong_argument(project: Project, arguments: list[str], line: str) -> None:
    """Names the option, not config.yaml."""
    [found] = refused(project, "--config", *arguments)
    assert found.startswith(f"[config] {line}")


def test_conditions_that_leave_nothing_name_their_setting(project: Project) -> None:
    """There is no `where` to widen."""
    project.snakemake("membership")
    output = project.snakemake("-n", "--config", "exclude={combo_id: '*'}", code=1)
    assert "--config on the command line, exclude: no generation matches exclude" in output


def test_a_wrong_file_is_named_as_it_was_given(project: Project) -> None:
    """Whichever of them holds the mistake."""
    project.write("mine.yaml", "partial: maybe\n")
    assert refused(project, "--configfile", "mine.yaml") == [
        "[config] mine.yaml, partial: found 'maybe'; give true or false"
    ]
    project.write("mine.yaml", "partial: true\nshards: 2\npartial: false\n")
    assert refused(project, "--configfile", "mine.yaml") == [
        "[config] mine.yaml, line 3: found partial twice, first on line 1; keep one of them"
    ]


def test_config_yaml_that_cannot_be_read_is_one_line(project: Project) -> None:
    """In UTF-16, with a key twice: told before Snakemake stumbles over it, or does not see it."""
    text = project.read("config/config.yaml")
    path = Path("config/config.yaml")
    project.write(str(path), text.encode("utf-16"))
    [found] = refused(project)
    assert found.endswith("which is not UTF-8; save the file as UTF-8")
    project.write(str(path), f"{text}cohorts: [c1]\n")
    [found] = refused(project)
    assert "found cohorts twice, first on line 1; keep one of them" in found


def test_a_condition_without_a_space_says_so(project: Project) -> None:
    """YAML reads `{a:b}` as a name without a value."""
    output = project.snakemake("-n", "--config", "where={combo_id:pair}", code=1)
    assert "give a value, with a space after the colon, as in {combo_id: pair}" in output
