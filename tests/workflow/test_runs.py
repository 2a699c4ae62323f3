"""Whole runs of `snakemake` in a directory of their own: the files made, and the calls.

The small project has 2 drafts, 4 essays (2 of them copies) and 4 evaluations: 8 model calls.
"""

from __future__ import annotations

import json
import os
import re
import time

import pytest

from support.project import Project

NOTHING = "Nothing to be done"
CALLS = 8
TIMERS = """
import threading


def complete(body, complete=complete):
    timers = [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]
    with Path("timers.log").open("a") as log:
        log.write("x" * len(timers))
    return complete(body)
"""
LOUD = """
from daydream.parsers import parser


@parser
def loud(answer):
    return answer.upper()
"""


def test_a_cohort_end_to_end(project: Project) -> None:
    """Every generation has its files and its metadata, every evaluation a number."""
    project.snakemake()
    rows = project.membership()
    assert [row["stage"] for row in rows] == ["draft"] * 2 + ["essay"] * 4 + ["evaluation"] * 4
    for row in rows:
        directory = project.path(f"data/gens/{row['stage']}/{row['gen_id']}")
        names = {path.name for path in directory.iterdir()}
        assert {"prompt.txt", "raw.txt", "parsed.txt", "metadata.json"} <= names
        metadata = json.loads((directory / "metadata.json").read_text())
        for name in ("gen_id", "key", "template_id", "llm_model_id", "combo_id"):
            assert metadata[name] == row[name]
        assert (directory / "responses").is_dir() == (metadata["mode"] == "llm")
    scores = project.scores()
    assert len(scores) == 4
    for score in scores:
        assert 0 <= float(score["score"]) <= 9
        assert score["error"] == ""
        assert score["essay_mode"] == ("copy" if score["essay_template"] == "same" else "llm")
    assert project.calls() == CALLS


@pytest.mark.parametrize(
    ("arguments", "timers"), [((), False), (("--max-jobs-per-timespan", "1000/1s"), True)]
)
def test_a_limit_of_jobs_a_second_is_only_kept_where_it_was_asked_for(
    project: Project, arguments: tuple[str, ...], timers: bool
) -> None:
    """For each round of its scheduler Snakemake starts a timer, whose end is another round."""
    project.write("echo.py", project.read("echo.py") + TIMERS)
    project.snakemake(*arguments)
    assert bool(project.read("timers.log")) == timers


def test_a_second_run_has_nothing_to_do(project: Project) -> None:
    """Neither has a third after every template and catalog was touched: the content is the same."""
    project.snakemake()
    assert NOTHING in project.snakemake()
    for path in project.path("data/1_raw").rglob("*"):
        path.touch()
    project.path("data/combo_mappings.csv").touch()
    project.snakemake()
    assert project.calls() == CALLS
    assert NOTHING in project.snakemake()


@pytest.mark.parametrize("tuning", [True, False])
def test_files_of_a_clock_that_is_ahead(project: Project, tuning: bool) -> None:
    """Times of files do not count: neither those of inputs, nor those of texts from elsewhere."""
    project.config["tuning"] = tuning
    project.save()
    date_tomorrow(project, "data/1_raw")
    project.snakemake()
    assert project.calls() == CALLS
    date_tomorrow(project, "data")
    assert NOTHING in project.snakemake()
    project.edit("data/1_raw/templates/evaluation/judge.txt", "SCORE?", "SCORE, please?")
    project.snakemake()
    assert project.calls() == CALLS + 4
    assert len([row for row in project.scores() if row["score"]]) == 4
    assert NOTHING in project.snakemake()


def date_tomorrow(project: Project, directory: str) -> None:
    """Date all files of a directory in the future, as if another machine had written them."""
    tomorrow = time.time() + 86_400
    for path in project.path(directory).rglob("*"):
        os.utime(path, (tomorrow, tomorrow))


def test_a_dry_run_shows_every_job(project: Project) -> None:
    """Before the membership exists as after it, with the reason of each; nothing is written."""
    fresh = project.snakemake("-n")
    assert "build_membership" in fresh
    assert not list(project.path("data").glob("cohorts/c1/[!s]*"))
    project.snakemake("membership")
    later = project.snakemake("-n")
    assert "build_membership" not in later
    for output in (fresh, later):
        for row in project.membership():
            for rule in ("render_prompt", "generate_raw", "parse_response"):
                job = f"{rule} stage={row['stage']} gen_id={row['gen_id']}"
                assert re.search(rf"^{job}  # .* missing", output, re.MULTILINE)
    assert not project.path("data/gens").exists()


def test_one_target_builds_its_ancestors_alone(project: Project) -> None:
    """An essay's parsed.txt takes its own draft, and nothing else."""
    project.snakemake("membership")
    essay = next(row for row in project.membership() if row["template_id"] == "grow")
    project.snakemake(f"data/gens/essay/{essay['gen_id']}/parsed.txt")
    made = {path.parent.name for path in project.path("data/gens").glob("*/*/parsed.txt")}
    assert made == {essay["gen_id"], essay["parent_gen_id"]}
    assert project.calls() == 2


def test_a_target_file_of_a_fresh_clone(project: Project) -> None:
    """A file can be asked for before the membership exists."""
    known = project.snakemake("membership") and project.membership()[0]
    project.path("data/cohorts/c1/membership.csv").unlink()
    project.snakemake(f"data/gens/draft/{known['gen_id']}/parsed.txt")
    assert project.calls() == 1


@pytest.mark.parametrize(("target", "calls"), [("drafts", 2), ("essays", 4), ("evaluations", 8)])
def test_the_target_of_a_stage(project: Project, target: str, calls: int) -> None:
    """`drafts` makes all drafts and no essay, and so on; `scores` is the whole."""
    project.snakemake(target)
    assert project.calls() == calls
    project.snakemake("scores")
    assert project.calls() == CALLS


def test_an_edited_template_calls_for_what_descends_from_it(project: Project) -> None:
    """The essays of that template and their evaluations; drafts and copies are left alone."""
    project.snakemake()
    before = project.store()
    project.edit("data/1_raw/templates/essay/grow.txt", "Grow this", "Let this grow")
    project.snakemake()
    assert project.calls() == CALLS + 2 + 2
    after = project.store()
    changed = {name.split("/")[1] for name in before if before[name] != after[name]}
    grown = {row["gen_id"] for row in project.membership() if row["template_id"] == "grow"}
    judged = {row["gen_id"] for row in project.membership() if row["parent_gen_id"] in grown}
    assert changed == grown | judged


def test_an_edit_that_leaves_the_prompts_equal_calls_for_nothing(project: Project) -> None:
    """A comment in a template is not part of the prompt."""
    project.snakemake()
    project.edit("data/1_raw/templates/essay/grow.txt", "Grow", "{# gently #}Grow")
    project.snakemake()
    assert project.calls() == CALLS


def test_changed_sampling_calls_again_and_changed_back_does_not(project: Project) -> None:
    """The request's hash covers the sampling settings; old answers stay in the journal."""
    project.snakemake()
    project.config["stages"]["evaluation"]["sampling"] = {"temperature": 0.5}
    project.save()
    project.snakemake()
    assert project.calls() == CALLS + 4
    project.config["stages"]["evaluation"]["sampling"] = {}
    project.save()
    project.snakemake()
    assert project.calls() == CALLS + 4


def test_a_widened_cohort_makes_only_the_new(project: Project) -> None:
    """A re-expansion that changes nothing for a generation makes none of its jobs run."""
    project.snakemake()
    known = {row["gen_id"] for row in project.scores()}
    project.spec["axes"]["evaluation_replicate"] = [1, 2]
    project.save()
    project.snakemake("membership")
    jobs = [line for line in project.snakemake("-n").splitlines() if "gen_id=" in line]
    assert len(jobs) == 4 * 3
    assert not any(gen_id in line for line in jobs for gen_id in known)
    project.snakemake()
    assert project.calls() == CALLS + 4


def test_a_failed_answer_leaves_the_others_and_is_retried_alone(project: Project) -> None:
    """One refusal: its line is shown, no traceback; the rest is done; the next run fixes it."""
    project.edit(
        "echo.py", 'if "SCORE" in prompt:', 'if "SCORE" in prompt and BREAK not in prompt:'
    )
    project.edit("echo.py", "import hashlib", 'import hashlib\n\nBREAK = "as a sentence"')
    project.edit("data/1_raw/templates/evaluation/judge.txt", "Judge", "Judge {{ parent[:9] }}")
    project.edit("echo.py", '"as a sentence"', '"Judge text"')
    output = project.snakemake(code=1)
    assert "Traceback" not in output
    assert "4 × [parse]" in output
    assert project.calls() == CALLS
    failed = [path.parent.name for path in project.path("data/gens/evaluation").glob("*/raw.txt")]
    assert len(failed) == 4
    reasons = re.findall("^parse_response .*  # (.*)$", project.snakemake("-n"), re.MULTILINE)
    assert len(reasons) == 4
    assert reasons.pop().startswith("more like these: [parse] no score")
    assert all(reason.startswith("[parse]") and len(reason) <= 120 for reason in reasons)
    assert not list(project.path("data/gens/evaluation").glob("*/parsed.txt"))
    project.snakemake("--config", "partial=true")
    assert all("no score" in row["error"] or row["error"] for row in project.scores())
    project.edit("data/1_raw/evaluation_templates.csv", "in_last_line", "three_scores_last_line")
    project.snakemake(code=1)
    assert project.calls() == CALLS


def test_deleting_any_output_sends_no_call(project: Project) -> None:
    """Whatever output is lost comes back equal, from the journal."""
    project.snakemake()
    store = project.store()
    row = next(row for row in project.membership() if row["template_id"] == "grow")
    for name in ("prompt.txt", "raw.txt", "metadata.json", "parsed.txt"):
        project.path(f"data/gens/essay/{row['gen_id']}/{name}").unlink()
        project.snakemake()
        assert project.store() == store
    assert project.calls() == CALLS


def test_a_parser_of_the_users_own(project: Project) -> None:
    """It is named in the config, and an edit of it parses again without a call."""
    project.write("mine.py", LOUD)
    project.config["parsers"] = ["mine.py"]
    project.save()
    project.edit("data/1_raw/draft_templates.csv", "identity", "loud")
    project.snakemake("drafts")
    assert all(
        path.read_text().isupper() for path in project.path("data/gens/draft").glob("*/parsed.txt")
    )
    project.edit("mine.py", "upper", "lower")
    project.snakemake("drafts")
    assert all(
        path.read_text().islower() for path in project.path("data/gens/draft").glob("*/parsed.txt")
    )
    assert project.calls() == 2


def test_a_large_cohort_plans_only_what_is_not_complete(project: Project) -> None:
    """The same jobs as when all are planned; what is asked of all files is done with all."""
    project.spec["axes"]["draft_replicate"] = 100
    project.save()
    project.snakemake("--cores", "16")
    assert len(project.membership()) == 1_000
    project.edit("data/1_raw/templates/evaluation/judge.txt", "Judge", "Weigh")
    for draft in sorted(project.path("data/gens/draft").iterdir())[:3]:
        (draft / "parsed.txt").unlink()

    def planned(*arguments: str) -> tuple[int, set[str]]:
        """Return how many jobs of texts the DAG of a dry run has, and which it would run."""
        output = project.run("-n", "--cores", "1", *arguments)
        made = re.findall(r"^(\w+ stage=\w+ gen_id=\w+)", output, re.MULTILINE)
        return len(made), {*made}

    each, auto = planned("evaluations")
    # Three parsers, the essays of their drafts, and all evaluations.
    assert each == len(auto) == 3 + 6 * 3 + 400 * 3
    assert auto == planned("evaluations", "--config", "expand=all")[1]
    assert len(planned("evaluations", "--forceall")[1]) == 1_000 * 3
    listed = project.run("--summary", "evaluations")
    assert listed.count("data/gens/draft/") >= 200
    project.snakemake("--cores", "16")
    assert not planned("evaluations")[1]
    assert len(project.scores()) == 400


def test_pending_names_only_what_is_not_complete(project: Project) -> None:
    """Deleted, edited, changed: the same jobs as by Snakemake's own records; then no job at all."""
    pending = ("--config", "expand=pending")
    project.snakemake(*pending)
    assert "gen_id=" not in project.snakemake("-n", *pending)
    project.edit("data/1_raw/templates/essay/grow.txt", "Grow", "Raise")
    next(project.path("data/gens/evaluation").glob("*/raw.txt")).unlink()
    project.snakemake("membership")

    def jobs(*arguments: str) -> set[str]:
        lines = project.snakemake("-n", *arguments).splitlines()
        return {line.split("  #")[0] for line in lines if "gen_id=" in line}

    assert jobs() == jobs(*pending) != set()
    project.snakemake(*pending)
    assert "gen_id=" not in project.snakemake("-n", *pending)
    assert "gen_id=" not in project.snakemake("-n")
    assert len(project.scores()) == 4
