"""Stages that ask in batches, against a server with batches of its own."""

from __future__ import annotations

import csv
import hashlib
import json
import re
import signal
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from daydream.llm.request import Request
from daydream.store.batches import Member, OpenRequests, announce, custom_id, new_record
from support.background import Run, until
from support.batch_server import BatchServer, failed
from support.inline_server import InlineServer
from support.project import Project
from support.served import Row

IN, OUT = 3.0, 12.0
DRAFTS = 10
LATER = "run the same command again to collect them"


def answer(body: dict[str, Any]) -> str:
    """Return a text that follows from the prompt alone."""
    prompt = body["messages"][-1]["content"]
    digest = hashlib.sha256(prompt.encode()).hexdigest()
    return f"SCORE: {int(digest, 16) % 10}" if "SCORE" in prompt else f"text {digest}"


def ready(project: Project, url: str, *, batch: object = True, **api: object) -> None:
    """Let all models be answered by the server, with prices."""
    project.spec["axes"].update(
        essay_template=["grow"], draft_replicate=list(range(1, DRAFTS + 1)), combo_id=["pair"]
    )
    project.config["batch"] = batch
    table = "data/1_raw/llm_models.csv"
    header = "id,model,provider,usd_per_mtok_in,usd_per_mtok_out"
    project.write(table, f"{header}\nm1,echo-1,echo,{IN},{OUT}\n")
    for stage in project.config["stages"].values():
        stage["sampling"] = {"max_tokens": 50, "seed": "gen_id"}
    project.serve(url, batch={"poll": 0.1, **api})


def ledger(project: Project) -> list[dict[str, Any]]:
    return [json.loads(line) for line in project.read("data/ledger.jsonl").splitlines()]


def charged(project: Project) -> float:
    """Return the sum of what the ledger says that answers cost."""
    return sum(entry["usd"] for entry in ledger(project) if entry["event"] == "end")


def journal(project: Project) -> Counter[str]:
    """Return how many answers each generation's journal has."""
    root = project.path("data/gens")
    return Counter(path.parent.parent.name for path in root.glob("*/*/responses/*.json"))


def test_three_stages_in_batches_give_the_store_of_direct_calls(
    project: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The same texts and requests, at half the price, and nothing to do in the second run."""
    other = Project(tmp_path_factory.mktemp("direct"))
    with BatchServer(answer=answer) as server:
        ready(project, server.url)
        project.snakemake()
        assert not server.direct
        assert len(server.batches) == 3
        assert set(server.sent.values()) == {1}
        assert charged(project) == pytest.approx(server.bill(IN, OUT), abs=1e-9)
        table = project.read("data/cohorts/c1/reports/parsing/aggregated_scores.csv")
        project.snakemake()
        assert sum(server.sent.values()) == 3 * DRAFTS
        half = charged(project)
        ready(other, server.url, batch=False)
        other.snakemake()
        assert len(server.direct) == 3 * DRAFTS
        assert half == pytest.approx(charged(other) / 2)
    assert project.store("*/*/*.txt") == other.store("*/*/*.txt")
    names = [path.name for path in project.dir.glob("data/gens/*/*/responses/*.json")]
    assert sorted(names) == sorted(
        path.name for path in other.dir.glob("data/gens/*/*/responses/*.json")
    )
    assert "score" in table
    rows = [row["usd"] for row in project.scores()]
    assert all(float(usd) == pytest.approx(0.5 * (100 * IN + 10 * OUT) / 1e6) for usd in rows)


def test_the_plan_shows_both_prices(project: Project) -> None:
    """As the settings ask, and the other way; the table has both."""
    with BatchServer(answer=answer) as server:
        ready(project, server.url, batch=False)
        direct = project.snakemake("plan")
        line = next(line for line in direct.splitlines() if "In batches" in line)
        cheap = float(line.split(": ")[1].split()[0])
        batched = project.snakemake("plan", "--config", "batch=true")
        line = next(line for line in batched.splitlines() if "Without batches" in line)
        dear = float(line.split(": ")[1].split()[0])
        assert cheap == pytest.approx(dear / 2, abs=1e-4)
        (sums,) = [line for line in batched.splitlines() if line.startswith("all ")]
        assert sums.endswith(f"{cheap:.4f}")
        with project.path("data/plan.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert all(float(row["usd"]) == float(row["usd_batch"]) for row in rows)
        assert sum(float(row["usd_direct"]) for row in rows) == pytest.approx(dear, abs=1e-4)
        assert not server.direct
        assert not server.batches


def test_one_stage_only(project: Project) -> None:
    """The others ask directly."""
    with BatchServer(answer=answer) as server:
        ready(project, server.url, batch={"stages": ["evaluation"]})
        project.snakemake()
        assert len(server.direct) == 2 * DRAFTS
        assert all("SCORE" not in json.dumps(body) for body in server.direct)
        assert len(server.sent) == DRAFTS


def test_a_run_that_does_not_wait(project: Project) -> None:
    """It says what is under way; a later one collects it, also without the setting."""
    with BatchServer(answer=answer, looks=5) as server:
        ready(project, server.url)
        output = project.snakemake("drafts", "--config", "batch_wait=false", code=1)
        assert LATER in output
        assert "Traceback" not in output
        assert "1 batch is under way: 0 of 10 requests done" in output
        assert "Waiting for batches:\n  1 × [waiting] 1 batch is under way" in output
        assert "Failed" not in output
        listed = project.snakemake("batches")
        assert "in_progress" in listed
        with_batch = project.snakemake("plan", "--config", "batch=true")
        assert "A run makes 0 calls" in with_batch
        server.looks = 0
        project.config["batch"] = False
        project.save()
        output = project.snakemake("drafts")
        assert not server.direct
        assert set(server.sent.values()) == {1}
        usd = server.bill(IN, OUT)
        assert f"Of batches that other runs sent: 10 answers, {usd:.4f} USD" in output


def spoiled(custom_id: str, row: Row) -> Row | list[Row] | None:
    """Spoil every request in some way the first time it is asked, by its name."""
    kind = int(hashlib.sha256(custom_id.encode()).hexdigest(), 16) % 7
    return {
        0: {**row, "response": None, "error": {"code": "batch_expired", "message": "too late"}},
        1: [row, row],
        2: failed(row, 429),
        3: failed(row, 500),
        4: {**row, "response": {"status_code": 200, "body": {"what": "is this"}}},
        5: [row, {**row, "custom_id": "somebody-else"}],
        6: row,
    }[kind]


def test_spoiled_rows_are_asked_again(project: Project) -> None:
    """Duplicated, failed and strange rows; each answer is journaled once."""
    seen: Counter[str] = Counter()

    def once(custom_id: str, row: Row) -> Row | list[Row] | None:
        seen[custom_id] += 1
        return spoiled(custom_id, row) if seen[custom_id] == 1 else row

    with BatchServer(answer=answer, fault=once) as server:
        ready(project, server.url)
        output = project.snakemake()
        assert not server.direct
        assert max(server.sent.values()) == 2
        assert charged(project) == pytest.approx(server.bill(IN, OUT), abs=1e-9)
    assert set(journal(project).values()) == {1}
    assert "rows are of no request of this batch" in output
    events = Counter(entry["event"] for entry in ledger(project))
    assert events["begin"] == events["end"] + events["reject"] + events["lose"]


class Forgetful(BatchServer):
    """A server that counts no more requests than it has rows for."""

    def _finish(self, batch: dict[str, Any], state: str) -> None:
        super()._finish(batch, state)
        batch["request_counts"]["total"] = batch["request_counts"]["completed"]


@pytest.mark.parametrize("make", [BatchServer, Forgetful])
def test_rows_that_are_missing_are_not_paid_again_unasked(
    project: Project, make: type[BatchServer]
) -> None:
    """The provider counts as done only what it gives back: the run ends, and keeps that.

    What is missing is charged with its most; the next run asks for it, once.
    """
    kept: dict[str, bool] = {}

    def fault(custom_id: str, row: Row) -> Row | None:
        return row if kept.setdefault(custom_id, len(kept) >= 2) else None

    with make(answer=answer, fault=fault) as server:
        ready(project, server.url, batch={"stages": "draft"})
        output = project.snakemake("drafts", code=1)
        assert "10 requests were sent, and of 2 nothing came back" in output
        assert set(server.sent.values()) == {1}
        assert not server.direct
        assert len(journal(project)) == DRAFTS - 2
        assert Counter(entry["event"] for entry in ledger(project))["lose"] == 2
        kept.update(dict.fromkeys(kept, True))
        project.snakemake("drafts")
        assert sorted(server.sent.values()) == [1] * 8 + [2] * 2
        assert not server.direct


def test_what_fails_in_every_batch_is_asked_directly(project: Project) -> None:
    """After the attempts of the setting; what is refused for good, at once."""
    bad: dict[str, int] = {}

    def fault(custom_id: str, row: Row) -> Row:
        status = bad.setdefault(custom_id, {0: 400, 1: 503}.get(len(bad), 200))
        return row if status == 200 else failed(row, status)

    with BatchServer(answer=answer, fault=fault) as server:
        ready(project, server.url, batch={"stages": "draft"}, attempts=2)
        output = project.snakemake("drafts")
        assert len(server.direct) == 2
        assert sorted(server.sent.values()) == [1] * 9 + [2]
    # At once, and in the summary.
    moved = re.findall("2 requests without an answer from batches .* directly, .* more", output)
    assert len(moved) == 2
    assert "8 answers" in output
    assert "2 without one (1 × 400 'failed with 400', 1 × 503 'failed with 503')" in output


@pytest.mark.parametrize("state", ["expired", "an_unknown_state", "completed"])
def test_how_a_batch_may_end(project: Project, state: str) -> None:
    """Expired: what is there is kept, the rest is asked again. Unknown: the run goes on waiting."""
    with BatchServer(answer=answer, end=state) as server:
        ready(project, server.url, batch={"stages": "draft"})
        if state == "an_unknown_state":
            output = project.snakemake("drafts", "--config", "batch_wait=false", code=1)
            assert LATER in output
            return
        if state == "expired":
            seen: Counter[str] = Counter()

            def end(method: str, path: str) -> None:
                seen[path] += method == "POST"
                if seen["/v1/batches"] > 1:
                    server.end = "completed"

            server.refuse = end
        output = project.snakemake("drafts")
        assert not server.direct
        assert charged(project) == pytest.approx(server.bill(IN, OUT), abs=1e-9)
    assert set(journal(project).values()) == {1}
    said = re.findall(r"Batch \S+ has expired: 5 answers, .* 5 without one", output)
    assert len(said) == (2 if state == "expired" else 0)


def test_a_batch_that_is_refused_as_a_whole(project: Project) -> None:
    """One line, nothing is asked directly, and nothing is charged; the next run asks again."""
    with BatchServer(answer=answer, end="failed") as server:
        ready(project, server.url, batch={"stages": "draft"})
        output = project.snakemake("drafts", code=1)
        assert "was refused as a whole: the file is not valid" in output
        assert "Traceback" not in output
        assert not server.direct
        server.end = "completed"
        project.snakemake("drafts")
        assert charged(project) == pytest.approx(server.bill(IN, OUT), abs=1e-9)


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/v1/files", "POST", 500),
        ("/v1/batches", "POST", 503),
        ("/v1/batches", "POST", "drop"),
        ("/v1/batches", "POST", 429),
        ("/v1/batches/batch-0", "GET", 429),
        ("/v1/batches/batch-0", "GET", 500),
        ("/v1/files/file-output-batch-0/content", "GET", 502),
    ],
)
def test_a_question_that_fails_once(
    project: Project, path: str, method: str, status: int | str
) -> None:
    """It is asked again, and no batch begins twice."""
    left = [status]

    def refuse(asked: str, where: str) -> int | str | None:
        return left.pop() if left and (asked, where) == (method, path) else None

    with BatchServer(answer=answer, refuse=refuse) as server:
        ready(project, server.url, batch={"stages": "draft"})
        project.snakemake("drafts")
        assert not left
        assert set(server.sent.values()) == {1}
        assert not server.direct
        assert charged(project) == pytest.approx(server.bill(IN, OUT), abs=1e-9)


def test_answers_that_nobody_understands_are_waited_out(project: Project) -> None:
    """A page and a refused key in place of how far the batch is: said once, asked again."""
    left: list[int | bytes] = [401, 403, b"<html>Log in</html>", b"<html>Log in</html>"]

    def refuse(method: str, path: str) -> int | bytes | None:
        return left.pop() if left and (method, path) == ("GET", "/v1/batches/batch-0") else None

    with BatchServer(answer=answer, refuse=refuse) as server:
        ready(project, server.url, batch={"stages": "draft"})
        output = project.snakemake("drafts")
        assert not left
        assert output.count("cannot be asked for now") == 1
        assert "'<html>Log in</html>'" in output
        assert "can be asked for again" in output
        assert set(server.sent.values()) == {1}
        assert not server.direct


def test_a_server_without_batches(project: Project) -> None:
    """One line says how to go on; nothing is charged."""
    with BatchServer(
        answer=answer, refuse=lambda _, path: 404 if path == "/v1/files" else None
    ) as server:
        ready(project, server.url)
        output = project.snakemake("drafts", code=1)
        assert "answered 404" in output
        assert "batch" in output
        assert "Traceback" not in output
        assert not server.direct


def test_answers_that_are_gone(project: Project) -> None:
    """They are said to be, count with their most, and are asked again by the next run."""
    with BatchServer(answer=answer) as server:
        ready(project, server.url, batch={"stages": "draft"})
        server.refuse = lambda _, path: 404 if path.endswith("/content") else None
        output = project.snakemake("drafts", code=1)
        assert "are gone" in output
        assert Counter(entry["event"] for entry in ledger(project))["lose"] == DRAFTS
        server.refuse = lambda _method, _path: None
        project.snakemake("drafts")
        assert set(server.sent.values()) == {2}
    assert set(journal(project).values()) == {1}


def test_limits_divide_a_stage_into_batches(project: Project) -> None:
    """Of requests, of bytes, and of tokens at once."""
    with BatchServer(answer=answer) as server:
        ready(project, server.url, batch={"stages": "draft"}, requests=4)
        project.snakemake("drafts")
        counts = [batch["request_counts"]["total"] for batch in server.batches.values()]
        assert counts == [4, 4, 2]
        line = max(len(each) for each in server.files["file-0"].splitlines())
        ready(project, server.url, batch={"stages": "essay"}, tokens=3 * line // 3)
        project.snakemake("essays")
        counts = [batch["request_counts"]["total"] for batch in server.batches.values()][3:]
        assert sum(counts) == DRAFTS
        assert max(counts) <= 3


def test_a_budget_bounds_batches(project: Project) -> None:
    """What fits is sent, and given back when it costs less; nothing exceeds it."""
    with BatchServer(answer=answer) as server:
        ready(project, server.url, batch={"stages": "draft"})
        project.config["budget"] = {"calls": 6}
        project.save()
        output = project.snakemake("drafts", code=1)
        assert "6 calls, allows no further call" in output
        assert sum(server.sent.values()) == 6
        assert sum(journal(project).values()) == 6
        project.config["budget"] = {}
        project.save()
        project.snakemake("drafts")
        assert set(server.sent.values()) == {1}
        assert len(server.sent) == DRAFTS


def test_a_failed_text_does_not_hold_up_the_batch_of_the_next_stage(project: Project) -> None:
    """What is ready is judged in this run; the failed one and its children are not."""

    def spoil(body: dict[str, Any]) -> str:
        return " " if body.get("seed") in seeds else answer(body)

    seeds: list[int] = []
    with BatchServer(answer=spoil) as server:
        ready(project, server.url, batch={"stages": ["essay", "evaluation"]})
        project.snakemake("membership")
        project.snakemake("--", project.first("draft"))
        seeds.append(server.direct[0]["seed"])
        project.path(project.first("draft")).unlink()
        for path in project.dir.glob("data/gens/draft/*/*"):
            if path.is_file():
                path.unlink()
        for path in project.dir.glob("data/gens/draft/*/responses/*"):
            path.unlink()
        output = project.snakemake(code=1)
        assert "the answer is blank" in output
        scores = [row for row in project.scores() if row["score"]]
        assert len(scores) == DRAFTS - 1
        assert set(server.sent.values()) == {1}
        assert len(server.batches) == 2


def test_cancelling(project: Project) -> None:
    """What is answered by then is kept; the next run asks for the rest."""
    with BatchServer(answer=answer, looks=100) as server:
        ready(project, server.url, batch={"stages": "draft"})
        project.snakemake("drafts", "--config", "batch_wait=false", code=1)
        output = project.snakemake("batches", "--config", "cancel=all")
        assert "was cancelled; 5 of its answers are kept, 5 are missing" in output
        assert "no batch is under way" in project.snakemake(
            "batches", "--config", "cancel=x", code=1
        )
        server.looks = 0
        project.snakemake("drafts")
        assert sorted(server.sent.values()) == [1] * 5 + [2] * 5
        assert charged(project) == pytest.approx(server.bill(IN, OUT), abs=1e-9)


def test_a_budget_does_not_wait_for_a_batch_that_nothing_needs(project: Project) -> None:
    """What an edit has left behind counts with its most; the run says so and ends."""
    with BatchServer(answer=answer, looks=100_000) as server:
        ready(project, server.url, batch={"stages": "draft"})
        project.snakemake("drafts", "--config", "batch_wait=false", code=1)
        project.edit("data/1_raw/templates/draft/plain.txt", "Join", "Now join")
        project.config["budget"] = {"cohort": {"calls": DRAFTS}}
        project.save()
        output = project.snakemake("drafts", code=1)
        assert "10 calls, allows no further call" in output
        assert len(list(project.path("data/batches").glob("2*"))) == 1
        assert sum(server.sent.values()) == DRAFTS


def test_what_an_edit_has_left_behind_is_collected(project: Project) -> None:
    """By the next run that asks in batches, or by the command."""
    with BatchServer(answer=answer, looks=100_000) as server:
        ready(project, server.url, batch={"stages": "draft"})
        project.snakemake("drafts", "--config", "batch_wait=false", code=1)
        project.edit("data/1_raw/templates/draft/plain.txt", "Join", "Now join")
        server.looks = 0
        assert "collected" in project.snakemake("batches")
        assert sum(journal(project).values()) == DRAFTS
        assert charged(project) == pytest.approx(server.bill(IN, OUT), abs=1e-9)


def test_a_batch_that_the_provider_has_forgotten(project: Project) -> None:
    """It is lost once this was said several times; then the next run asks again."""
    with BatchServer(answer=answer, looks=10) as server:
        ready(project, server.url, batch={"stages": "draft"})
        project.snakemake("drafts", "--config", "batch_wait=false", code=1)
        del server.batches["batch-0"]
        output = project.snakemake("drafts", code=1)
        assert "is lost: the provider does not know it any more" in output
        server.looks = 0
        project.snakemake("drafts")
        assert set(server.sent.values()) == {2}
        assert not server.direct


def test_files_with_fewer_rows_than_are_done_are_fetched_again(project: Project) -> None:
    """Nothing is paid twice for an answer that is somewhere; what there is can be taken."""
    cut = [b""]

    def refuse(method: str, path: str) -> None:
        if path == "/v1/files/file-output-batch-0/content" and cut:
            whole = server.files["file-output-batch-0"]
            server.files["file-output-batch-0"] = whole[: len(whole) // 2]
            if len(cut) == 1:
                cut.append(whole)

    with BatchServer(answer=answer, refuse=refuse) as server:
        ready(project, server.url, batch={"stages": "draft"})
        output = project.snakemake("drafts", code=1)
        assert "10 requests are done, but the files have answers of" in output
        assert set(server.sent.values()) == {1}
        assert not server.direct
        server.files["file-output-batch-0"] = cut[1]
        cut.clear()
        project.snakemake("drafts")
        assert set(server.sent.values()) == {1}
        assert not server.direct


def test_shards_ask_in_batches_whatever_the_target_is(project: Project) -> None:
    """A stage's target is not divided; the default one is."""
    with BatchServer(answer=answer) as server:
        ready(project, server.url, batch={"stages": "draft"})
        project.snakemake("drafts", "--config", "shards=2")
        assert not server.direct
        assert set(server.sent.values()) == {1}


def test_single_files_are_asked_for_directly(project: Project) -> None:
    """And what is under way in a batch is not asked for twice."""
    with BatchServer(answer=answer, looks=100) as server:
        ready(project, server.url)
        project.snakemake("membership")
        project.snakemake("--", project.first("draft"))
        assert len(server.direct) == 1
        project.snakemake("drafts", "--config", "batch_wait=false", code=1)
        second = project.first("draft", 1)
        output = project.snakemake("--", second, code=1)
        assert "its answer is under way in batch" in output
        assert len(server.direct) == 1


@pytest.mark.parametrize(
    ("method", "path", "when"),
    [
        ("POST", "/v1/files", "before"),
        ("POST", "/v1/files", "after"),
        ("POST", "/v1/batches", "before"),
        ("POST", "/v1/batches", "after"),
        ("GET", "/v1/batches/batch-0", "after"),
        ("GET", "/v1/files/file-output-batch-0/content", "after"),
        ("journal", "", ""),
        ("POST", "/v1/batches", "inline before"),
        ("POST", "/v1/batches", "inline after"),
        ("GET", "/v1/batches/batch-0", "inline after"),
        ("GET", "/v1/batches/batch-0/results", "inline after"),
    ],
)
def test_a_kill_at_any_moment(project: Project, method: str, path: str, when: str) -> None:
    """Nothing is in two batches, each answer is journaled once, and the ledger is the bill."""
    runs: list[Run] = []

    def refuse(asked: str, where: str) -> str | None:
        if not runs or (asked, where) != (method, path):
            return None
        if when.endswith("before"):
            kill(runs.pop())
            raise ConnectionResetError
        threading.Timer(0, kill, (runs.pop(),)).start()
        return "drop"

    def kill(run: Run) -> None:
        run.signal(signal.SIGKILL)

    arguments = ("--cores", "4", "--config", "batch=draft", "--", "drafts")
    inline = when.startswith("inline")
    kind: type[BatchServer] = InlineServer if inline else BatchServer
    with kind(answer=answer, refuse=refuse) as server:
        ready(project, server.url, batch=False, shape="inline" if inline else "files")
        run = Run(project, *arguments)
        runs.append(run)
        if method == "journal":
            until(lambda: len(journal(project)) > 2)
            kill(runs.pop())
        run.process.wait(60)
        assert not runs, "it was killed"
        project.snakemake("drafts", "--config", "batch=draft")
        assert set(server.sent.values()) == {1}
        assert not server.direct
        assert charged(project) == pytest.approx(server.bill(IN, OUT), abs=1e-9)
    assert set(journal(project).values()) == {1}
    assert len(journal(project)) == DRAFTS


def test_a_signal_while_it_waits_keeps_the_batch(project: Project) -> None:
    """The run ends, says how to go on, and a later one collects the answers."""
    with BatchServer(answer=answer, looks=10_000) as server:
        ready(project, server.url, batch={"stages": "draft"})
        run = Run(project, "--cores", "4", "--", "drafts")
        until(lambda: server.requests["GET", "/v1/batches/batch-0"] > 2)
        run.signal(signal.SIGINT)
        output = run.wait()
        assert "run it again to collect them" in output
        assert "Traceback" not in output
        server.looks = 0
        project.snakemake("drafts")
        assert set(server.sent.values()) == {1}
        assert not server.direct


@pytest.mark.parametrize("where", ["here", "at the provider"])
def test_cancelling_while_a_run_waits(project: Project, where: str) -> None:
    """The run ends, and does not ask again for what the user has cancelled."""
    with BatchServer(answer=answer, looks=10_000) as server:
        ready(project, server.url, batch={"stages": "draft"})
        run = Run(project, "--cores", "4", "--", "drafts")
        until(lambda: server.requests["GET", "/v1/batches/batch-0"] > 2)
        if where == "here":
            project.snakemake("batches", "--config", "cancel=all")
        else:
            server.respond("POST", "/v1/batches/batch-0/cancel", b"", {})
        output = run.wait()
        assert run.process.returncode == 1
        assert "was cancelled; 5 of its answers are kept, 5 are missing" in output
        assert set(server.sent.values()) == {1}
        assert not server.direct


def test_what_cannot_be_cancelled(project: Project) -> None:
    """Ctrl-C and the command say so; the batch goes on, and a later run collects it."""
    with InlineServer(answer=answer, looks=10_000) as server:
        ready(project, server.url, batch={"stages": "draft"}, shape="inline")
        run = Run(project, "--cores", "4", "--", "drafts")
        until(lambda: server.requests["GET", "/v1/batches/batch-0"] > 2)
        run.signal(signal.SIGINT)
        output = run.wait()
        assert "run it again to collect them (they cannot be cancelled)" in output
        assert "cancel=all" not in output
        output = project.snakemake("batches", "--config", "cancel=all")
        assert "cannot be cancelled: the API of 'echo' cannot do that. It goes on" in output
        assert "is cancelled" not in output
        server.looks = 0
        project.snakemake("drafts")
        assert set(server.sent.values()) == {1}
        assert not server.direct


def test_looking_at_batches_sends_none(project: Project) -> None:
    """Also not one that a killed run was about to send; the next run does."""
    with BatchServer(
        answer=answer, refuse=lambda _, path: 503 if path == "/v1/files" else None
    ) as server:
        ready(project, server.url, batch={"stages": "draft"})
        project.snakemake("drafts", code=1)
        server.refuse = lambda _method, _path: None
        assert "intended" in project.snakemake("batches")
        assert not server.batches
        project.snakemake("drafts")
        assert set(server.sent.values()) == {1}


def test_a_batch_is_seen_by_who_has_looked_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even by one that has looked when its directory was there, and its manifest was not yet."""
    monkeypatch.chdir(tmp_path)
    request = Request(provider="p", model="m", messages=({"role": "user", "content": "Why?"},))
    name = custom_id("d_1", request)
    member = Member(
        stage="draft",
        gen_id="d_1",
        cohort_id="c1",
        llm_model_id="m1",
        sample=0,
        request_sha256=request.sha256,
    )
    record = new_record("p", "run", {name: member})
    record.directory.mkdir(parents=True)
    seen = OpenRequests()
    assert seen.holder("d_1", request) is None
    record.save()
    announce()
    assert seen.holder("d_1", request) == record


def test_two_runs_send_each_request_once(project: Project) -> None:
    """The second cohort's run shares the drafts of the first."""
    with BatchServer(answer=answer, looks=20) as server:
        ready(project, server.url, batch={"stages": "draft"})
        runs = [Run(project, "--cores", "2", "--nolock", "--", "drafts") for _ in range(2)]
        for run in runs:
            run.wait(120)
        assert set(server.sent.values()) == {1}
        assert not server.direct
        assert charged(project) == pytest.approx(server.bill(IN, OUT), abs=1e-9)
