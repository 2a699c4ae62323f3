"""Which jobs begin next: N calls in flight with `--cores N`, whatever else there is to do."""

from __future__ import annotations

import csv
import shutil

import pytest

from support.background import Run, until
from support.project import Project

# Each call notes its stage and model, and answers when there is a file that lets it.
HELD = """
import time
from pathlib import Path


def complete(body):
    prompt = body["messages"][-1]["content"]
    stage = {"Join": "draft", "Grow": "essay", "Judg": "evaluation"}[prompt[:4]]
    with Path("calls.log").open("a") as log:
        log.write(f"{stage} {body['model']}\\n")
    while Path("hold", body["model"]).exists():
        time.sleep(0.01)
    return "SCORE: 5" if stage == "evaluation" else f"A text of {prompt}"
"""


@pytest.fixture
def held(project: Project) -> Project:
    """40 chains of three calls, on a model that holds its answers back if it is told to."""
    project.spec["axes"] |= {"draft_replicate": 20, "essay_template": ["grow"]}
    project.write("echo.py", HELD)
    project.save()
    return project


def called(project: Project) -> list[str]:
    """Return the stage and the model of each call so far."""
    log = project.path("calls.log")
    return log.read_text().splitlines() if log.exists() else []


def test_prompts_take_no_place_of_a_call(held: Project) -> None:
    """While all cores wait for a model, the prompts of the calls to come are made."""
    held.write("hold/echo-1", "")
    run = Run(held, "--cores", "3", "evaluations")
    until(lambda: len(held.store("draft/*/prompt.txt")) == 40)
    until(lambda: len(called(held)) == 3)
    held.path("hold/echo-1").unlink()
    run.wait()
    assert run.process.returncode == 0
    assert len(called(held)) == 120


def test_the_report_of_a_cohort_that_is_done_does_not_wait_for_another(held: Project) -> None:
    """Though the calls of the other one would take every core that becomes free."""
    held.edit("echo.py", "while Path", "time.sleep(0.1)\n    while Path")
    spec = "data/cohorts/c{}/spec/config.yaml"
    held.write(spec.format(2), held.read(spec.format(1)))
    held.spec["axes"] |= {"draft_replicate": 1, "combo_id": ["pair"]}
    held.config["cohorts"] = ["c1", "c2"]
    held.save()
    held.run("--cores", "3", "evaluations", "--config", "cohorts=[c1]")
    shutil.rmtree(held.path("data/gens/evaluation"))
    held.run("--cores", "3", "scores")
    scores = held.path("data/cohorts/c1/reports/parsing/aggregated_scores.csv").stat().st_mtime
    answers = sorted(path.stat().st_mtime for path in held.path("data/gens").glob("*/*/raw.txt"))
    assert len(answers) == 120
    assert scores < answers[60]


def test_all_places_are_taken_at_once(held: Project) -> None:
    """Where the prompts are there already, no call waits for another one to end.

    Snakemake alone begins 64 of the jobs that are ready, and looks again when one has ended.
    """
    held.spec["axes"] |= {"draft_replicate": 75}
    held.save()
    held.snakemake("membership")
    prompts = [held.first("draft", number).replace("parsed", "prompt") for number in range(150)]
    held.snakemake(*prompts)
    held.write("hold/echo-1", "")
    run = Run(held, "--cores", "140", "drafts")
    until(lambda: len(called(held)) == 140)
    held.path("hold/echo-1").unlink()
    run.wait()
    assert run.process.returncode == 0
    assert len(called(held)) == 150


def test_a_few_chains_go_ahead(held: Project) -> None:
    """What is wrong in the last stage shows before the first one is done."""
    held.edit("echo.py", "    while", "    time.sleep(0.05)\n    while")
    held.snakemake("evaluations", "--cores", "1")
    stages = [line.split()[0] for line in called(held)]
    assert stages.index("evaluation") < 20
    last_draft = len(stages) - stages[::-1].index("draft")
    # What has most before it goes first, so that a run does not end with a few long chains.
    assert 8 <= stages[:last_draft].count("evaluation") < 20


def test_a_pool_that_is_full_holds_up_no_other(held: Project) -> None:
    """The calls of one wait; the other's are all made."""
    held.config["pools"] = {"slow": {"concurrent": 1}}
    held.write(
        "data/1_raw/llm_models.csv",
        "id,model,provider,pool\nm1,echo-1,echo,slow\nm2,echo-2,echo,\n",
    )
    held.spec["axes"] |= {"draft_llm": ["m1", "m2"]}
    held.save()
    held.write("hold/echo-1", "")
    run = Run(held, "--cores", "4", "drafts")
    until(lambda: called(held).count("draft echo-2") == 40)
    until(lambda: called(held).count("draft echo-1") == 1)
    held.path("hold/echo-1").unlink()
    run.wait()
    assert run.process.returncode == 0
    assert len(called(held)) == 80


@pytest.mark.parametrize(
    "options",
    [
        ("--set-threads", "parse_response=2"),
        ("--resources", "gpu=1", "--set-resources", "generate_raw:gpu=1"),
        ("--max-jobs-per-timespan", "50/1s"),
        ("--default-resources", "mem_mb=max(input.size_mb, 100)"),
        ("--config", "tuning=false"),
        ("--scheduler", "ilp"),
        ("--retries", "2"),
    ],
    ids=lambda options: options[0].strip("-"),
)
def test_options_of_scheduling(held: Project, options: tuple[str, ...]) -> None:
    """Each makes the same texts, one call for each."""
    held.spec["axes"] |= {"draft_replicate": 3}
    held.save()
    held.snakemake("evaluations", *options)
    assert sorted(called(held)) == sorted(
        f"{stage} echo-1" for stage in ("draft", "essay", "evaluation") for _ in range(6)
    )
    with held.path("data/cohorts/c1/membership.csv").open(newline="") as file:
        assert len(held.store("*/*/parsed.txt")) == len(list(csv.DictReader(file)))


def test_a_resource_is_kept(held: Project) -> None:
    """A resource of the command line limits the calls, not the prompts."""
    held.write("hold/echo-1", "")
    limit = ("--resources", "gpu=2", "--set-resources", "generate_raw:gpu=1")
    run = Run(held, "--cores", "6", "drafts", *limit)
    until(lambda: len(held.store("draft/*/prompt.txt")) == 40)
    until(lambda: len(called(held)) == 2)
    held.path("hold/echo-1").unlink()
    run.wait()
    assert run.process.returncode == 0
