"""A failure is one line, wherever it is printed; errors not of the library stay unchanged."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from support.project import ROOT, Project

FAILS = """
def complete(body):
    raise RuntimeError("not today")
"""
PLAIN = ("--workflow-profile", "none", "--force-use-threads", "--keep-going", "--show-failed-logs")


def widen(project: Project, drafts: int) -> None:
    project.spec["axes"] |= {"draft_replicate": drafts, "essay_template": ["grow"]}
    project.save()


@pytest.mark.parametrize("profile", [(), PLAIN], ids=["rich", "plain"])
def test_each_failure_is_told_once(project: Project, profile: tuple[str, ...]) -> None:
    """A line with the generation in it; the log, the exception and the last words are left out.

    Of one cause the first three stand on the terminal, and all in the log file.
    """
    widen(project, 20)
    project.write("echo.py", FAILS)
    output = project.snakemake("drafts", *profile, code=1)
    lines = [line for line in output.splitlines() if "not today" in line]
    assert len([line for line in lines if line.startswith("[call] ")]) == 3
    assert len(lines) == 5, "the notice and the summary have it again"
    assert output.count("More failures like this are only counted here") == 1
    assert "40 × [call]" in output
    (log,) = project.path(".snakemake/log").glob("*.log")
    told = re.findall(r"\[call\] .*not today.*\(draft (d_\w+)\)$", log.read_text(), re.MULTILINE)
    assert len(told) == len({*told}) == 40
    for noise in ("Traceback", "Logfile", "Log file:", "RuleException", "Look above", "At least"):
        assert noise not in output
    assert "Error in rule" not in output


def test_a_dry_run_lists_the_first_failures_of_a_cause(project: Project) -> None:
    """As a run does: the others, and what comes after them, are counted; new texts are listed."""
    widen(project, 20)
    project.write("echo.py", FAILS)
    project.snakemake("drafts", "--config", "where={combo_id: pair}", code=1)
    output = project.snakemake("-n", "essays")
    listed = re.findall(r"^generate_raw stage=(\w+) .*# (.*)", output, re.MULTILINE)
    drafts = [reason for stage, reason in listed if stage == "draft"]
    assert len([reason for reason in drafts if "not today" in reason]) == 3
    assert len([reason for reason in drafts if "missing" in reason]) == 20
    assert len([stage for stage, _ in listed if stage == "essay"]) == 3 + 20
    assert "generate_raw …  # more like these: its draft … failed" in output
    assert "20 × [call] echo.py:3: RuntimeError: 'not today'" in output


@pytest.mark.parametrize("profile", [(), PLAIN], ids=["rich", "plain"])
def test_what_is_no_error_of_the_library_is_not_hidden(
    project: Project, profile: tuple[str, ...]
) -> None:
    """A defect keeps its traceback, and Snakemake its words."""
    project.edit(
        "rules/generation.smk",
        "            render_prompt(",
        '            raise RuntimeError("a defect")\n            render_prompt(',
    )
    output = project.snakemake("drafts", *profile, code=1)
    assert "Traceback" in output
    assert "RuntimeError: a defect" in output
    assert "At least one job did not complete successfully." in output
    assert "rule render_prompt failed" in output


def test_a_failed_script_is_one_line(project: Project) -> None:
    """The exception of its process says nothing that its log does not."""
    project.snakemake()
    scores = "data/cohorts/c1/reports/parsing/aggregated_scores.csv"
    project.write(scores, "gen_id,score\nv_1,3\n")
    output = project.snakemake("--touch", "scores")
    output = project.snakemake("tables", code=1)
    assert output.count("[scores]") >= 1
    assert "CalledProcessError" not in output
    assert "non-zero exit status" not in output


def test_a_defect_of_a_script_is_not_hidden(project: Project) -> None:
    """The exception of its process is told, and its log."""
    project.write("rules/../broken.py", "raise RuntimeError('a defect')\n")
    project.edit("rules/reports.smk", '"../scripts/tabulate_scores.py"', '"../broken.py"')
    output = project.snakemake("tables", code=1)
    assert "a defect" in output
    assert "CalledProcessError" in output


def test_a_quiet_run_still_tells_of_its_failures(project: Project) -> None:
    """`--quiet rules` leaves jobs out, and not what went wrong."""
    project.write("echo.py", FAILS)
    output = project.snakemake("drafts", *PLAIN, "--quiet", "rules", code=1)
    assert output.count("\n[call] ") == 2


def test_a_start_that_prints_no_table_does_without_rich() -> None:
    """What every start imports."""
    code = (
        "import sys, daydream.workflow.console, daydream.workflow.summary; "
        "sys.exit('rich' in sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "scripts")}
    assert (
        subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0
    )


def test_jobs_in_processes_of_their_own_are_told_of_once(project: Project) -> None:
    """Without threads a `run:` block is a Snakemake of its own, which prints what it prints."""
    project.write("echo.py", FAILS)
    profile = [word for word in PLAIN if word != "--force-use-threads"]
    output = project.snakemake("drafts", *profile, "--config", "where={combo_id: pair}", code=1)
    assert output.count("\n[call] ") == 1


def test_a_shard_that_fails_is_one_line(project: Project) -> None:
    """Its log is the output of a whole run; the numbers are those of the whole."""
    project.write("echo.py", FAILS)
    output = project.snakemake("all", "--config", "shards=2", code=1)
    assert len(re.findall(r"^\[shard\] ", output, flags=re.MULTILINE)) == 2
    assert len(re.findall(r"^\[call\] .*\(draft d_\w+\)$", output, flags=re.MULTILINE)) == 2
    assert "all                0       2        8" in output
    assert "2 × [call] echo.py" in output
    assert output.count("complete  failed  waiting") == 1


BROKEN = """
from daydream.workflow.console import LOGGER, Forgiving


class Broken(Forgiving):
    def passes(self, record):
        if getattr(record, "event", None) == "job_error":
            raise RuntimeError("a broken filter")
        return True


LOGGER.filters.insert(0, Broken())
"""


def test_a_defect_in_a_filter_of_the_log_does_not_stop_the_run(project: Project) -> None:
    """Such a filter runs in a job's thread, whose end the run waits for."""
    project.write("echo.py", FAILS)
    project.write("Snakefile", project.read("Snakefile") + BROKEN)
    output = project.snakemake("drafts", code=1)
    assert "RuntimeError: a broken filter" in output
    assert "not today" in output


@pytest.mark.parametrize("quiet", ["progress", "all"])
def test_quiet_is_heeded(project: Project, quiet: str) -> None:
    """No table of jobs, no progress; failures and the summary stay, unless all is quiet."""
    project.edit("echo.py", "    prompt =", "    time.sleep(0.01)\n    prompt =")
    project.edit("echo.py", "import hashlib", "import hashlib\nimport time")
    output = project.run("--cores", "2", "-q", *([quiet] if quiet == "all" else []), "--", "scores")
    assert "Job stats" not in output
    assert ("This run: " in output) is (quiet != "all")
    if quiet == "all":
        assert output.splitlines() == [line for line in output.splitlines() if "profile" in line]
    project.edit("echo.py", "    prompt =", "    raise ValueError('no tide')\n    prompt =")
    project.edit("data/1_raw/templates/draft/plain.txt", "Join", "Now join")
    output = project.run("--cores", "2", "-q", quiet, "--", "scores", code=1)
    assert ("ValueError: 'no tide'" in output) is (quiet != "all")


def test_a_report_of_what_is_not_made_yet_is_one_line(project: Project) -> None:
    """It says which command makes the files; the report of what there is works."""
    project.snakemake()
    output = project.run("--report", "report.html", code=1)
    lines = [line for line in output.splitlines() if line]
    assert lines[-1].startswith("[report] data/cohorts/c1/reports/")
    assert " is not made yet; run the same command without --report, or" in lines[-1]
    assert "Missing metadata" not in output
    project.run("scores", "--report", "report.html")


def test_a_report_of_other_texts_than_todays_says_so(project: Project) -> None:
    """In one line, with what to do; a report of failed texts is one of today's."""
    report = ("scores", "--report", "report.html")
    project.snakemake()
    assert "[report]" not in project.run(*report)
    project.edit("data/1_raw/templates/essay/grow.txt", "Grow", "Raise")
    (line,) = re.findall(r"^\[report\] .*$", project.run(*report), re.MULTILINE)
    assert "what it shows of c1 is not of today's texts" in line
    assert "run the same command without --report" in line
    project.write("echo.py", FAILS)
    project.snakemake(code=1)
    assert "[report]" not in project.run(*report)


def test_code_that_exits_is_a_failure_like_any_other(project: Project) -> None:
    """An exit would end the thread of the job alone, and the run would wait for it forever."""
    project.write("echo.py", "def complete(body):\n    exit(3)\n")
    output = project.snakemake("drafts", code=1)
    assert "[call] echo.py:2: SystemExit: '3'; fix the function of provider 'echo'" in output
    assert "Traceback" not in output


@pytest.mark.parametrize("quiet", [("-q",), ("-q", "rules"), ("-q", "all")])
def test_a_quiet_dry_run_still_says_what_is_to_pay(
    project: Project, quiet: tuple[str, ...]
) -> None:
    """Without a line for each job; Snakemake would end before anything is said of costs."""
    output = project.snakemake("-n", *quiet, "--", "evaluations")
    assert "gen_id=" not in output
    assert "calls at most" in output
