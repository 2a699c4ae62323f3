"""The plan counts what a run then asks: in each situation the run is made and its calls counted."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable

import pytest

from support.project import Project

Situation = Callable[[Project], list[str]]


def planned(project: Project, *arguments: str) -> tuple[int, str]:
    """Return the calls of the plan: those to make now, and those that wait for a parent."""
    output = project.snakemake("plan", *arguments)
    match = re.search(r"A run makes ([\d,]+) calls, and ([\d,]+) more", output)
    assert match, output
    return sum(int(number.replace(",", "")) for number in match.groups()), output


def fresh(project: Project) -> list[str]:
    return []


def half_done(project: Project) -> list[str]:
    project.snakemake("essays")
    return []


def finished(project: Project) -> list[str]:
    project.snakemake()
    return []


def template_edited(project: Project) -> list[str]:
    project.snakemake()
    project.edit("data/1_raw/templates/essay/grow.txt", "Grow", "Raise")
    return []


def parser_edited(project: Project) -> list[str]:
    """Change an essay's text, and with it what its evaluation is asked."""
    project.config["parsers"] = ["mine.py"]
    project.write(
        "mine.py", "from daydream.parsers import parser\n\n@parser\ndef mine(t): return t\n"
    )
    project.edit("data/1_raw/essay_templates.csv", "grow,Grow,,identity", "grow,Grow,,mine")
    project.save()
    project.snakemake()
    project.edit("mine.py", "return t", "return t.upper()")
    return []


def settings_changed(project: Project) -> list[str]:
    project.snakemake()
    project.config["stages"]["evaluation"]["sampling"] = {"temperature": 0.1}
    project.save()
    return []


def resampled(project: Project) -> list[str]:
    """Every score is refused now, and asked for again."""
    project.snakemake()
    project.edit("data/1_raw/evaluation_templates.csv", "llm,0,9", "llm,20,90")
    project.config["stages"]["evaluation"]["resample"] = 1
    project.save()
    return ["--keep-going"]


def copies_only(project: Project) -> list[str]:
    project.snakemake("drafts")
    return ["--config", "where={essay_template: same}"]


def a_slice(project: Project) -> list[str]:
    return ["--config", "where={combo_id: pair, essay_template: grow}"]


def a_second_cohort(project: Project) -> list[str]:
    project.snakemake()
    spec = project.read("data/cohorts/c1/spec/config.yaml")
    project.write("data/cohorts/c2/spec/config.yaml", spec.replace("- grow", "- grow\n", 1))
    wider = spec.replace("  evaluation_llm:", "  evaluation_replicate: [1, 2]\n  evaluation_llm:")
    project.write("data/cohorts/c2/spec/config.yaml", wider)
    return ["--config", "cohorts=[c1, c2]"]


def raw_deleted(project: Project) -> list[str]:
    project.snakemake()
    for path in project.path("data/gens").glob("*/*/raw.txt"):
        path.unlink()
    return []


SITUATIONS: dict[str, tuple[Situation, int]] = {
    "fresh": (fresh, 8),
    "half done": (half_done, 4),
    "finished": (finished, 0),
    "template edited": (template_edited, 4),
    "parser edited": (parser_edited, 2),
    "settings changed": (settings_changed, 4),
    "resample": (resampled, 4),
    "copy stage": (copies_only, 2),
    "slice": (a_slice, 3),
    "second cohort sharing generations": (a_second_cohort, 4),
    "deleted raw": (raw_deleted, 0),
}


@pytest.mark.parametrize("name", SITUATIONS)
def test_the_plan_is_what_the_run_does(project: Project, name: str) -> None:
    """The calls that the plan foresees are those that the model gets, no more and no fewer."""
    situation, expected = SITUATIONS[name]
    arguments = situation(project)
    before = project.calls()
    calls, _ = planned(project, *arguments)
    assert project.calls() == before
    project.snakemake(*arguments, code=None)
    assert project.calls() - before == calls == expected


def test_the_estimate_says_where_it_comes_from(project: Project) -> None:
    """From lengths at first, then from finished calls; prices make USD of tokens."""
    project.write(
        "data/1_raw/llm_models.csv",
        "id,model,provider,usd_per_mtok_in,usd_per_mtok_out\nm1,echo-1,echo,1,10\n",
    )
    project.write(
        "echo.py",
        "def complete(body):\n"
        "    message = {'content': 'Yes.\\nSCORE: 5'}\n"
        "    return {'choices': [{'message': message, 'finish_reason': 'stop'}],"
        " 'usage': {'prompt_tokens': 1000, 'completion_tokens': 100}}\n",
    )
    _, output = planned(project)
    assert "Tokens are estimated from prompt length and max_tokens." in output
    project.snakemake("--config", "where={combo_id: pair}")
    _, output = planned(project)
    assert "Tokens are estimated from finished calls." in output
    with project.path("data/plan.csv").open(newline="") as file:
        rows = {row["stage"]: row for row in csv.DictReader(file)}
    assert rows["draft"]["done"] == rows["draft"]["call"] == "1"
    assert rows["draft"]["prompt_tokens"] == "1000"
    assert float(rows["draft"]["usd"]) == pytest.approx(0.002)
    assert rows["evaluation"]["waiting"] == "2"
    assert {row["estimated_from"] for row in rows.values()} == {"finished calls"}


def test_a_dry_run_of_a_stage_counts_that_stage_alone(project: Project) -> None:
    """With the stages that it needs; what comes after it is not part of the run."""
    output = project.snakemake("drafts", "-n")
    assert "draft " in output
    assert "evaluation " not in output
    output = project.snakemake("essays", "-n")
    table = output[output.index("generations") :]
    assert [line.split()[0] for line in table.splitlines()[1:4]] == ["draft", "essay", "all"]
    project.snakemake("drafts")
    project.edit("data/1_raw/templates/evaluation/judge.txt", "Judge:", "Judge strictly:")
    output = project.snakemake("drafts", "-n")
    assert "evaluation" not in output


def test_the_plan_says_how_often_refused_answers_are_asked_for_again(project: Project) -> None:
    """The most is what a run asks whose judges are all refused; a dry run counts the same."""
    project.edit("data/1_raw/evaluation_templates.csv", "llm,0,9", "llm,20,90")
    project.config["stages"]["evaluation"]["resample"] = 2
    project.save()
    assert "; 16 at most, if answers are refused or cut" in project.snakemake("plan")
    table = project.snakemake("-n")
    (evaluations,) = (line for line in table.splitlines() if line.startswith("evaluation "))
    assert evaluations.split()[4] == "12"
    project.snakemake("--keep-going", code=None)
    assert project.calls() == 16


def test_the_plan_and_a_dry_run_say_that_a_key_is_missing(project: Project) -> None:
    """What would end a run before its first job is said by those who only look."""
    project.serve("http://127.0.0.1:9/v1", api_key_env="KEY_OF_NOBODY")
    for look in ("plan", "-n"):
        output = project.snakemake(look)
        assert "A run would end before its first job:" in output
        assert "KEY_OF_NOBODY" in output
    assert project.calls() == 0


def test_plan_and_explain_expect_the_same_price_after_an_edit(project: Project) -> None:
    """Old calls of an edited template say what the new ones may take, in both."""
    project.write(
        "data/1_raw/llm_models.csv",
        "id,model,provider,usd_per_mtok_in,usd_per_mtok_out\nm1,echo-1,echo,1,10\n",
    )
    project.write(
        "echo.py",
        "def complete(body):\n"
        "    message = {'content': 'Yes.\\nSCORE: 5'}\n"
        "    return {'choices': [{'message': message, 'finish_reason': 'stop'}],"
        " 'usage': {'prompt_tokens': 1000, 'completion_tokens': 100}}\n",
    )
    project.snakemake()
    project.edit("data/1_raw/templates/evaluation/judge.txt", "Judge:", "Judge strictly:")
    planned(project)
    with project.path("data/plan.csv").open(newline="") as file:
        (row,) = (row for row in csv.DictReader(file) if row["stage"] == "evaluation")
    assert float(row["usd"]) == pytest.approx(0.002 * int(row["call"]))
    (judged, *_) = (row for row in project.membership() if row["stage"] == "evaluation")
    output = project.snakemake("explain", "--config", f"gen_id={judged['gen_id']}")
    assert "1 call, about 0.0020 USD" in output


@pytest.mark.parametrize("command", ["plan", "restore"])
def test_a_condition_that_nothing_matches_is_said_once(project: Project, command: str) -> None:
    """Not again at the end, by what would make reports of the rest of a run."""
    where = "where={draft_template: other}"
    output = project.snakemake(command, "--config", where, code=1)
    assert output.count("found 'other', which no generation has there") == 1
    assert "Traceback" not in output
