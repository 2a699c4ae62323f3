"""Which answer counts: asked again, grown, refreshed, restored; each one kept and counted."""

from __future__ import annotations

import json

from support.project import Project
from support.provider_server import ProviderServer, answer, truncated

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


def test_the_journal_keeps_the_whole_call(project: Project) -> None:
    """Request, response, headers, times, and what made the call; never the key."""
    with ProviderServer() as server:
        project.serve(server.url)
        project.snakemake("drafts", *ONE)
    (path,) = project.path("data/gens/draft").glob("*/responses/*.json")
    entry = json.loads(path.read_text())
    assert entry["client"].startswith("openai ")
    assert entry["request"] == server.history[0].body
    assert entry["response"]["choices"][0]["message"]["content"]
    assert entry["started_at"] and entry["duration_s"] >= 0
    assert "authorization" not in {name.lower() for name in entry["headers"]}
    assert "sk-test-secret" not in path.read_text()
