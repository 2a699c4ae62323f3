"""Which answer counts: asked again, grown, refreshed, restored; each one kept and counted."""

from __future__ import annotations

import csv
import json
import re

import pytest

from support.project import Project
from support.provider_server import ProviderServer, Reply, answer, completion, truncated

ONE = ("--config", "where={combo_id: pair, essay_template: grow}")


def metadata(project: Project, stage: str) -> dict[str, object]:
    (path,) = project.path(f"data/gens/{stage}").glob("*/metadata.json")
    loaded: dict[str, object] = json.loads(path.read_text())
    return loaded


def test_a_refused_answer_is_asked_for_again(project: Project) -> None:
    """As often as `resample` says; metadata.json has the accepted one, and lists the others."""
    project.config["stages"]["evaluation"]["resample"] = 2
    with ProviderServer() as server:
        project.serve(server.url)
        project.snakemake("essays", *ONE)
        server.script(answer("I like it."), answer("So be it.\nSCORE: 70"))
        project.snakemake(*ONE)
        assert len(server.history) == 2 + 3
        known = metadata(project, "evaluation")
        assert known["sample"] == 2
        assert [refusal["reason"][:6] for refusal in known["refused"]] == ["[parse"] * 2
        (gen,) = project.path("data/gens/evaluation").iterdir()
        names = {path.stem for path in (gen / "responses").iterdir()}
        assert names == {known["request_sha256"], *(r["request_sha256"] for r in known["refused"])}
        (gen / "raw.txt").unlink()
        project.snakemake(*ONE)
        assert len(server.history) == 2 + 3


def test_all_samples_refused(project: Project) -> None:
    """The run says why, and a later run does not pay for them again."""
    project.config["stages"]["evaluation"]["resample"] = 1
    with ProviderServer(answer=lambda _: "No number.") as server:
        project.serve(server.url)
        output = project.snakemake(*ONE, code=1)
        assert "[parse] evaluation" in output
        project.snakemake(*ONE, code=1)
        assert len(server.history) == 2 + 2


def test_a_truncated_answer_gets_more_tokens(project: Project) -> None:
    """`grow` doubles max_tokens up to the limit; each answer is journaled."""
    stage = project.config["stages"]["draft"]
    stage |= {"on_truncation": "grow", "max_tokens_limit": 300, "sampling": {"max_tokens": 100}}
    with ProviderServer() as server:
        project.serve(server.url)
        server.script(truncated("a"), truncated("a b"), answer("a b c"))
        project.snakemake("drafts", *ONE)
        assert [call.body["max_tokens"] for call in server.history] == [100, 200, 300]
        assert project.store("draft/*/raw.txt").popitem()[1] == "a b c"
        project.config["stages"]["draft"]["max_tokens_limit"] = 200
        project.save()
        output = project.snakemake("drafts", *ONE, code=1)
        assert "the answer was cut at max_tokens=200" in output
        assert len(server.history) == 3


def test_an_answer_of_reasoning_alone(project: Project) -> None:
    """What to do is what the stage's settings leave to do."""
    stage = project.config["stages"]["draft"]
    stage["sampling"] = {"max_tokens": 100}
    spent = Reply(body=completion(None, finish_reason="length"))
    with ProviderServer() as server:
        project.serve(server.url)
        server.script(spent)
        output = " ".join(project.snakemake("drafts", *ONE, code=1).split())
        assert "all its tokens went into reasoning" in output
        assert "set stages.draft.on_truncation: grow and max_tokens_limit" in output
        stage |= {"on_truncation": "grow", "max_tokens_limit": 200}
        project.save()
        server.script(spent)
        output = " ".join(project.snakemake("drafts", *ONE, code=1).split())
        assert "raise stages.draft.max_tokens_limit" in output
        assert [call.body["max_tokens"] for call in server.history] == [100, 200]
        stage["max_tokens_limit"] = 400
        project.save()
        project.snakemake("drafts", *ONE)
        assert [call.body["max_tokens"] for call in server.history] == [100, 200, 400]


def test_an_answer_that_stopped_early(project: Project) -> None:
    """It is not taken for a whole one; it is kept, and asked again where that is allowed."""
    early = Reply(body=completion("So far", finish_reason="error"))
    with ProviderServer() as server:
        project.serve(server.url)
        server.script(early)
        output = " ".join(project.snakemake("drafts", *ONE, code=1).split())
        assert "the model stopped early (finish_reason 'error')" in output
        assert "stages.draft.resample" in output
        project.config["stages"]["draft"]["resample"] = 1
        project.save()
        project.snakemake("drafts", *ONE)
        assert len(server.history) == 2
        assert metadata(project, "draft")["finish_reason"] == "stop"


def test_refresh_and_restore(project: Project) -> None:
    """A new answer for the slice alone; the old one stays, and can count again, without a call."""
    project.snakemake()
    calls = project.calls()
    before = project.store("evaluation/*/raw.txt")
    project.write("echo.py", project.read("echo.py").replace("because", "on second thought"))
    project.snakemake("-n", "--config", "refresh=true", "where={evaluation_template: judge}")
    assert not project.path("data/choices.json").exists()
    project.snakemake("--config", "refresh=true", "where={evaluation_template: judge}")
    assert project.calls() == calls + 4
    after = project.store("evaluation/*/raw.txt")
    assert all(after[name] != before[name] for name in before)
    assert "gen_id=" not in project.snakemake("-n")
    gen_id = sorted(before)[0].split("/")[1]
    directory = project.path(f"data/gens/evaluation/{gen_id}")
    now = json.loads((directory / "metadata.json").read_text())["request_sha256"]
    (old,) = (path.stem for path in (directory / "responses").iterdir() if path.stem != now)
    output = project.snakemake("restore", "--config", f"gen_id={gen_id}", f"request={old[:12]}")
    assert "run snakemake to take it" in output
    project.snakemake()
    assert project.calls() == calls + 4
    again = project.store("evaluation/*/raw.txt")
    assert {name for name in before if again[name] == before[name]} == {
        f"evaluation/{gen_id}/raw.txt"
    }
    assert "Nothing to be done" in project.snakemake()
    output = project.snakemake("restore", "--config", f"gen_id={gen_id}", "request=abc", code=1)
    assert "names no answer of the journal" in output
    assert "Traceback" not in output


def test_answers_to_another_prompt_are_no_choice(project: Project) -> None:
    """They are listed as such, and the command that is named works."""
    project.snakemake("drafts")
    gen_id = project.membership()[0]["gen_id"]
    listing = ("restore", "--config", f"gen_id={gen_id}")
    project.edit("data/1_raw/templates/draft/plain.txt", "Join", "Link")
    project.snakemake("drafts")
    output = project.snakemake(*listing)
    (old,) = re.findall(r"^([0-9a-f]{12})  other prompt", output, re.M)
    (now,) = re.findall(r"^([0-9a-f]{12})  counts", output, re.M)
    assert f"gen_id={gen_id} request={now}" in output
    assert old not in output.rpartition("To let one count")[2]
    project.edit("data/1_raw/templates/draft/plain.txt", "Link", "Join")
    project.snakemake("drafts")
    assert f"request={old}" in project.snakemake(*listing)


def test_the_journal_keeps_the_whole_call(project: Project) -> None:
    """Request, response, headers, times, and what made the call; never the key."""
    with ProviderServer() as server:
        project.serve(server.url)
        project.snakemake("drafts", *ONE)
    (path,) = project.path("data/gens/draft").glob("*/responses/*.json")
    entry = json.loads(path.read_text())
    assert entry["client"].startswith("httpx2 ")
    assert entry["request"] == server.history[0].body
    assert entry["response"]["choices"][0]["message"]["content"]
    assert entry["started_at"] and entry["duration_s"] >= 0
    assert "authorization" not in {name.lower() for name in entry["headers"]}
    assert "sk-test-secret" not in path.read_text()


BROKEN = json.dumps(completion("half")).encode()[:-40]
WHOLE = "Grüße\nfrom far"


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (
            json.dumps(completion(WHOLE), ensure_ascii=False).encode("latin-1"),
            "a/b; charset=latin-1",
        ),
        (json.dumps([completion(WHOLE)]).encode(), "text/plain"),
        (
            json.dumps(completion(WHOLE)).replace("1700000000", "9" * 5000).encode(),
            "application/json",
        ),
        (
            b"data: "
            + json.dumps({"choices": [{"delta": {"content": WHOLE}}]}).encode()
            + b"\n\ndata: [DONE]\n\n",
            "text/event-stream",
        ),
    ],
    ids=["latin-1", "list", "integer", "stream"],
)
def test_an_answer_in_an_odd_form_is_an_answer(
    project: Project, content: bytes, content_type: str
) -> None:
    """It is asked for once, kept with its bytes, and found again."""
    with ProviderServer() as server:
        project.serve(server.url)
        server.script(Reply(body=content, headers={"content-type": content_type}))
        project.snakemake("drafts", *ONE)
        (gen,) = project.path("data/gens/draft").iterdir()
        assert project.read(f"data/gens/draft/{gen.name}/raw.txt") == WHOLE
        (gen / "raw.txt").unlink()
        project.snakemake("drafts", *ONE)
        assert project.read(f"data/gens/draft/{gen.name}/raw.txt") == WHOLE
        assert len(server.history) == 1


def test_an_answer_that_nobody_can_use_is_asked_for_once(project: Project) -> None:
    """It is kept and named; a new one is asked for at the user's word alone."""
    with ProviderServer() as server:
        project.serve(server.url)
        server.script(Reply(body=BROKEN))
        for _ in range(2):
            output = project.snakemake("drafts", *ONE, code=1)
            assert "which is not JSON, which is kept in data/gens/draft/" in output
            assert "ask again with --config refresh=true" in output
            assert "Traceback" not in output
            assert len(server.history) == 1
        project.snakemake("plan", *ONE)
        with project.path("data/plan.csv").open() as file:
            (draft,) = (row for row in csv.DictReader(file) if row["stage"] == "draft")
        assert (draft["call"], draft["refused"]) == ("0", "1")
        output = project.snakemake("drafts", *ONE, "refresh=true", code=1)
        assert "refresh=true: where and exclude match no generation of draft" in output
        project.snakemake("drafts", "--config", "where={combo_id: pair}", "refresh=true")
        assert len(server.history) == 2


def test_an_answer_that_nobody_can_use_is_resampled(project: Project) -> None:
    """As one that its parser refuses."""
    project.config["stages"]["draft"]["resample"] = 1
    with ProviderServer() as server:
        project.serve(server.url)
        server.script(Reply(body=BROKEN))
        project.snakemake("drafts", *ONE)
        assert len(server.history) == 2
        (refused,) = metadata(project, "draft")["refused"]
        assert "which is not JSON" in refused["reason"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"headers": {', '"headers": 7, "h": {'),
        ('"response": {', '"response": [7], "r": {'),
        ('"messages": [', '"messages": [3], "m": ['),
        ('"sample": 0', '"sample": {}'),
        ('"request": {', '"request": [], "q": {'),
    ],
)
def test_a_journal_entry_of_another_shape_is_one_line(project: Project, old: str, new: str) -> None:
    """It names the file, and no call is made in its place."""
    with ProviderServer() as server:
        project.serve(server.url)
        project.snakemake("drafts", *ONE)
        (entry,) = project.path("data/gens/draft").glob("*/responses/*.json")
        project.edit(str(entry.relative_to(project.dir)), old, new)
        next(project.path("data/gens/draft").glob("*/raw.txt")).unlink()
        output = project.snakemake("drafts", *ONE, code=1)
        assert f"responses/{entry.name}: " in output
        assert "restore it, or delete it" in output or "restore or delete it" in output
        assert "Traceback" not in output
        assert len(server.history) == 1
