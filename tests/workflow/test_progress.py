"""How far a run is, in lines where no terminal shows it."""

from __future__ import annotations

import logging
import re
import threading
import time

import pytest

from daydream.calls.spent import Spent
from daydream.generations.row import Generation
from daydream.workflow import progress
from daydream.workflow.failures import Failure
from daydream.workflow.progress import Moment, Progress, line
from daydream.workflow.workload import Workload
from support.project import Project
from support.provider_server import ProviderServer, failure


def moment(seconds: float, done: int, **others: float) -> Moment:
    values = {"total": 9000, "calls": 0, "usd": 0.0, "unpriced": 0, "failed": 0, **others}
    return Moment(seconds=seconds, done=done, **values)  # type: ignore[arg-type]


START = moment(0, 0)
FAST = "import daydream.workflow.progress as p; p.INTERVALS = ((float('inf'), 0.2),); "


@pytest.mark.parametrize(
    ("now", "earlier", "last", "text"),
    [
        (moment(10, 0), START, START, "10 s: 0 of 9,000 jobs"),
        (moment(10, 30, total=0), START, START, "10 s: 30 jobs"),
        (
            moment(80, 900, calls=300, usd=1.25, failed=2),
            START,
            moment(70, 800, calls=260),
            "1 min 20 s: 900 of 9,000 jobs; 4.0 calls per second; 1.2500 USD; 2 failed; "
            "about 12 min left",
        ),
        (
            moment(7200, 100, calls=10, unpriced=10),
            START,
            moment(7140, 90, calls=10),
            "2 h: 100 of 9,000 jobs; 0.0 calls per second; about 178 h left",
        ),
        (moment(60, 9000), START, START, "1 min: 9,000 of 9,000 jobs"),
        (moment(10, 0, total=0, failed=8), START, START, "10 s: no job is done yet; 8 failed"),
        (
            moment(60, 8990, calls=20, usd=0.5, failed=8, making="the figures of c1"),
            START,
            START,
            "1 min: making the figures of c1; 0.5000 USD; 8 failed",
        ),
        (
            moment(60, 8970, calls=2, usd=0.1, unpriced=1),
            START,
            START,
            "1 min: 8,970 of 9,000 jobs; 0.0 calls per second; 0.1000 USD and more; "
            "about 10 s left",
        ),
        (
            moment(60, 20, calls=30, usd=0.3, answers=30, expected=300, in_flight=8, again=5),
            moment(0, 0, expected=300),
            moment(50, 15, calls=25, answers=25, expected=300),
            "1 min: 30 of 300 answers (10 %); 8 in flight; 0.5 calls per second; "
            "0.3000 USD of about 3.00; 5 asked again; about 9 min left",
        ),
        (
            moment(60, 90, calls=0, failed=83, missed=83, expected=100, in_flight=17),
            moment(0, 0, expected=100),
            moment(50, 80, missed=70, expected=100),
            "1 min: 0 of 100 answers (0 %); 17 in flight; 83 failed; about 10 s left",
        ),
        (
            moment(60, 0, calls=20, usd=1, failed=30, answers=20, missed=30, expected=100),
            START,
            START,
            "1 min: 20 of 100 answers (20 %); 0.3 calls per second; 1.0000 USD of about 3.50; "
            "30 failed",
        ),
    ],
)
def test_a_line(now: Moment, earlier: Moment, last: Moment, text: str) -> None:
    """Jobs, calls, money, failures and what is left, as far as they are known."""
    assert line(now, earlier, last) == text


def record(event: str, **fields: object) -> logging.LogRecord:
    made = logging.LogRecord("snakemake.logging", logging.INFO, "", 0, None, (), None)
    vars(made).update(event=event, **fields)
    return made


def test_what_it_counts() -> None:
    """A job that succeeded when tried again is not a failure; a command makes no result."""
    watch = Progress(lambda _: None)
    watch.emit(record("job_info", output=["data/plan.csv"]))
    assert not watch.worked
    watch.emit(record("job_info", output=["data/gens/draft/d_1/prompt.txt"]))
    assert watch.worked
    failed = Failure("[call] no; wait", "draft d_1", "d_1")
    watch.emit(record("", failures=[failed], failed_job=7))
    assert watch.failures == [failed]
    watch.emit(record("job_finished", job_id=7))
    assert watch.failures == []


def test_it_names_the_reports_that_are_made() -> None:
    """Once no answer is to come any more."""
    watch = Progress(lambda _: None)
    table, page = (
        f"data/cohorts/c1/reports/{name}" for name in ("summary/x.csv", "explorer/i.html")
    )
    job = record("job_info", output=["data/gens/draft/d_1/raw.txt"], jobid=1)
    vars(job).update(rule_name="generate_raw", wildcards={"gen_id": "d_1"})
    watch.emit(job)
    watch.emit(record("job_info", output=[table], jobid=2, rule_name="tabulate_scores"))
    assert watch.moments()[0].making == ""
    watch.emit(record("job_finished", job_id=1))
    assert watch.moments()[0].making == "the tables of c1"
    watch.emit(record("job_info", output=[page], jobid=3, rule_name="build_explorer"))
    assert watch.moments()[0].making == "the tables of c1 and the explorer of c1"
    watch.emit(record("", failures=[Failure("[x] no; wait", "x", "")], failed_job=2))
    watch.emit(record("job_finished", job_id=3))
    assert watch.moments()[0].making == ""
    watch.make("the reports of what there is")
    assert watch.moments()[0].making == "the reports of what there is"


def test_a_failure_takes_what_comes_after_it_from_the_workload() -> None:
    """Of two chains of three answers, one fails at its second: four are to come in all, not six."""
    rows = [
        Generation(
            stage,
            f"{stage}_{n}",
            "c1",
            f"{parent}_{n}" if parent else "",
            "pair",
            "t",
            "m1",
            "1",
            (),
            "",
        )
        for n in (1, 2)
        for stage, parent in (("draft", ""), ("essay", "draft"), ("evaluation", "essay"))
    ]
    load = Workload(rows, [row.gen_id for row in rows])
    assert (load.done, load.total) == (0, 6)
    load.settle("draft_1")
    load.settle("draft_1")
    assert (load.done, load.total) == (1, 6)
    load.settle("draft_2")
    load.fail("essay_2")
    # The failure is done with, but it is not an answer.
    assert (load.done, load.answered, load.total) == (3, 2, 5)
    load.fail("essay_2")
    assert (load.done, load.answered, load.total) == (3, 2, 5)
    # A later attempt has made it: what comes after it is expected again.
    load.recover("essay_2")
    assert (load.done, load.answered, load.total) == (3, 3, 6)
    # The parser of an answer that is there fails.
    load.fail("draft_1")
    assert (load.done, load.answered) == (3, 3)


def test_it_tells_until_it_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """And no process waits for it."""
    monkeypatch.setattr(progress, "INTERVALS", ((0.15, 0.05), (float("inf"), 10.0)))
    told: list[str] = []
    watch = Progress(told.append)
    watch.emit(record("progress", done=3, total=12))
    watch.start(lambda: Spent(calls=1), lambda: None)
    time.sleep(0.5)
    assert 2 <= len(told) <= 4, "more rarely after a while"
    assert "3 of 12 jobs; 0.0 calls per second" in told[0]
    begin = time.monotonic()
    watch.close()
    for thread in threading.enumerate():
        if thread.name == "progress":
            assert thread.daemon
            thread.join()
    assert time.monotonic() - begin < 1


def test_a_run_without_a_terminal_tells_how_far_it_is(project: Project) -> None:
    """Into its output, and into Snakemake's own log."""
    project.edit("rules/run.smk", "progress.start(", FAST + "progress.start(")
    with ProviderServer(latency=0.5) as server:
        project.serve(server.url)
        output = project.snakemake()
    assert " of " in output
    assert " answers (" in output
    assert "calls per second" in output
    (log,) = project.path(".snakemake/log").glob("*.log")
    assert "calls per second" in log.read_text()


def test_failures_are_no_answers(project: Project) -> None:
    """In the lines of a run whose calls are all refused."""
    project.edit("rules/run.smk", "progress.start(", FAST + "progress.start(")
    project.spec["axes"].update(combo_id=["pair"], draft_replicate=list(range(1, 21)))
    with ProviderServer(lambda _: failure(400, "no"), latency=0.5) as server:
        project.serve(server.url)
        output = project.snakemake(code=1)
    lines = [line for line in output.splitlines() if " answers (" in line]
    assert any(" failed" in line for line in lines)
    assert all(re.search(r"\b0 of \d+ answers \(0 %\)", line) for line in lines)
