"""Whole runs against a real HTTP server that speaks OpenAI's protocol."""

from __future__ import annotations

import base64
import json
import random
from pathlib import Path

import pytest

from support.project import Project
from support.provider_server import ProviderServer
from support.proxy import Proxy, says

DRAFTS = 100


def wide(project: Project) -> None:
    """Make the project's cohort 100 drafts with an essay and an evaluation each."""
    project.spec["axes"].update(
        combo_id=["pair"], draft_replicate=list(range(1, DRAFTS + 1)), essay_template=["grow"]
    )


def test_a_hundred_chains_and_every_kind_of_deletion(project: Project) -> None:
    """All complete; a lost output comes back, with at most its descendants, without a call."""
    with ProviderServer() as server:
        wide(project)
        # Replicates ask the same question, so the answer must not depend on it alone.
        project.serve(server.url)
        project.snakemake()
        assert len(server.history) == 3 * DRAFTS
        assert len(project.scores()) == DRAFTS
        assert all(row["score"] for row in project.scores())
        store = project.store()
        chooser = random.Random(1)
        for stage in ("draft", "essay", "evaluation"):
            rows = [row for row in project.membership() if row["stage"] == stage]
            for name in ("prompt.txt", "raw.txt", "metadata.json", "parsed.txt"):
                row = chooser.choice(rows)
                project.path(f"data/gens/{stage}/{row['gen_id']}/{name}").unlink()
        jobs = [line for line in project.snakemake("-n").splitlines() if "gen_id=" in line]
        assert 12 <= len(jobs) <= 12 * 9
        project.snakemake()
        assert project.store() == store
        assert len(server.history) == 3 * DRAFTS


def test_the_key_is_sent_and_kept_nowhere(project: Project) -> None:
    """It goes into the request's header, and into no file below the working directory."""
    with ProviderServer() as server:
        project.serve(server.url)
        project.path(".env").write_text("TEST_API_KEY=sk-from-dotenv\n")
        project.snakemake(env={"TEST_API_KEY": "sk-a-secret"})
        assert {call.headers["authorization"] for call in server.history} == {"Bearer sk-a-secret"}
    assert not project.holding("sk-a-secret")


def test_the_key_may_stand_in_a_dotenv_file(project: Project) -> None:
    """Which the environment overrules."""
    with ProviderServer() as server:
        project.serve(server.url, api_key_env="DAYDREAM_KEY_OF_DOTENV")
        output = project.snakemake("drafts", code=1)
        assert "DAYDREAM_KEY_OF_DOTENV is not set" in output
        assert "Traceback" not in output
        project.path(".env").write_text("DAYDREAM_KEY_OF_DOTENV=sk-from-dotenv\n")
        project.snakemake("drafts")
        keys = {call.headers["authorization"] for call in server.history}
        assert keys == {"Bearer sk-from-dotenv"}


def test_the_request_is_what_the_settings_say(project: Project) -> None:
    """Model, messages, and sampling by stage, overridden by model; metadata.json has it all."""
    with ProviderServer() as server:
        project.config["stages"]["draft"]["sampling"] = {
            "max_tokens": 100,
            "temperature": 0.5,
            "seed": "gen_id",
            "system_prompt": "Be brief.",
            "extra_body": {"top_k": 5, "min_p": 0.1},
        }
        project.config["models"] = {
            "m1": {
                "sampling": {"max_tokens": 50},
                "stages": {"draft": {"extra_body": {"top_k": 7}}},
            }
        }
        project.serve(server.url)
        project.snakemake("drafts")
        row = project.membership()[0]
        directory = project.path(f"data/gens/draft/{row['gen_id']}")
        metadata = json.loads((directory / "metadata.json").read_text())
        body = next(call.body for call in server.history if call.body["seed"] == _seed(metadata))
        assert body["model"] == "echo-1"
        assert body["messages"] == [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": (directory / "prompt.txt").read_text()},
        ]
        assert (body["max_tokens"], body["temperature"]) == (50, 0.5)
        assert (body["top_k"], body["min_p"]) == (7, 0.1)
        journal = directory / "responses" / f"{metadata['request_sha256']}.json"
        assert json.loads(journal.read_text())["request"] == body
        assert metadata["usage"]["completion_tokens"] > 0


def _seed(metadata: dict[str, dict[str, int]]) -> int:
    return metadata["sampling"]["seed"]


STRANGE = [
    "{{ 7 * 7 }} {% raw %} {# not a comment #}",
    "braces {} {0} {name} $x `y` 'single' \"double\" \\n",
    "line\r\nends\rof\neach kind\n\n",
    "𝕬 🜁 e\u0301 \u202e right to left \u200b zero width",
    "</essay><script>alert(1)</script>",
    "x" * 1_000_000,
    "a NUL \0 in the answer",
]


@pytest.mark.parametrize("text", STRANGE, ids=lambda text: ascii(text[:12]))
def test_an_answer_passes_through_unchanged(project: Project, text: str) -> None:
    """Whatever a model says is a value: in raw, in parsed, and in the prompt of the next stage.

    A NUL, which no prompt may hold, is refused there with a reason; the answer itself is kept.
    """
    with ProviderServer(answer=lambda body: f"<{text}>") as server:
        project.spec["axes"].update(combo_id=["pair"], essay_template=["grow"])
        project.serve(server.url)
        has_nul = "\0" in text
        output = project.snakemake("essays", code=1 if has_nul else 0)
        draft, essay = (row["gen_id"] for row in project.membership()[:2])
        assert project.read(f"data/gens/draft/{draft}/raw.txt") == f"<{text}>"
        assert project.read(f"data/gens/draft/{draft}/parsed.txt") == f"<{text}>"
        if has_nul:
            assert "is NUL" in output
            assert not Path(project.dir, "data/gens/essay", essay, "prompt.txt").exists()
        else:
            assert f"<{text}>" in project.read(f"data/gens/essay/{essay}/prompt.txt")


@pytest.mark.parametrize("text", STRANGE[:6], ids=lambda text: ascii(text[:12]))
def test_a_concept_text_passes_through_unchanged(project: Project, text: str) -> None:
    """Templates insert it; they never read it as a template."""
    project.write("data/1_raw/concepts/descriptions-sentence/tide.txt", text)
    project.spec["axes"].update(combo_id=["pair"])
    project.save()
    project.snakemake("drafts")
    gen_id = project.membership()[0]["gen_id"]
    assert text in project.read(f"data/gens/draft/{gen_id}/prompt.txt")


def test_a_proxy_that_refuses_the_login(project: Project) -> None:
    """It is asked by the calls in flight, not by all; its password is on no screen, in no file."""
    password = "pr0xySECRETpw"
    sent = base64.b64encode(f"luser:{password}".encode()).decode()
    wide(project)
    with Proxy(lambda _: says(f"407 denied {password} {sent}")) as proxy:
        project.serve("https://models.example/v1")
        url = f"http://luser:{password}@127.0.0.1:{proxy.port}"
        names = {"HTTPS_PROXY": url, "https_proxy": url, "NO_PROXY": "", "no_proxy": ""}
        output = project.snakemake(code=1, env=names)
    assert 3 <= len(proxy.heads) < 10
    assert all(sent in head for head in proxy.heads)
    assert "; correct the user and password in https_proxy" in output
    assert "denied [password]" in output
    assert password not in output
    assert sent not in output
    for path in project.dir.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert password.encode() not in content, path
            assert sent.encode() not in content, path
