"""Runs whose tables compare meanings: what is asked, kept, paid for, and said of it."""

from __future__ import annotations

import csv
import json
import shutil
import signal
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import yaml

from support.background import Run, until
from support.project import Project
from support.provider_server import ProviderServer, Reply, embeddings, failure, vector

MATRIX = "data/cohorts/c1/reports/parsing/embeddings.npy"
NOVELTY = "data/cohorts/c1/reports/analysis/novelty.csv"
DIVERSITY = "data/cohorts/c1/reports/analysis/diversity.csv"


@pytest.fixture
def server() -> Iterator[ProviderServer]:
    with ProviderServer() as server:
        yield server


@pytest.fixture
def embedding(project: Project, server: ProviderServer) -> Project:
    """Return a project whose answers and embeddings the server gives."""
    project.config["embeddings"] = {"provider": "echo", "model": "emb", "usd_per_mtok": 1000}
    for stage in project.config["stages"].values():
        stage["sampling"] = {"seed": "gen_id"}
    project.serve(server.url, first_wait=0)
    return project


def widen(project: Project, drafts: int, **settings: Any) -> None:
    """Make the cohort so many drafts of one combo, and embeddings so."""
    project.widen(drafts)
    project.config["embeddings"] |= settings
    project.save()


def unlike(body: dict[str, Any]) -> str:
    """Return an answer that depends on all of the request, so that replicates differ."""
    return f"{json.dumps(body, sort_keys=True)[-80:]}\nSCORE: 5"


def rows(project: Project, path: str) -> list[dict[str, str]]:
    with project.path(path).open(newline="") as file:
        return list(csv.DictReader(file))


def ledger(project: Project) -> list[dict[str, Any]]:
    """Return the ends of requests for embeddings."""
    found = [json.loads(line) for line in project.read("data/ledger.jsonl").splitlines()]
    begun = {each["call"] for each in found if "embeddings" in each}
    return [each for each in found if each["event"] == "end" and each["call"] in begun]


def reserved(project: Project) -> int:
    """Return the tokens of requests for embeddings whose end nobody has entered."""
    found = [json.loads(line) for line in project.read("data/ledger.jsonl").splitlines()]
    ended = {each["call"] for each in found if each["event"] != "begin"}
    begun = [each for each in found if "embeddings" in each]
    return sum(each["tokens"] for each in begun if each["call"] not in ended)


def test_the_tables_compare_meanings(embedding: Project, server: ProviderServer) -> None:
    """What is to come is told before; each text is paid for once; without the setting it ends."""
    server._answer = unlike
    widen(embedding, 3, texts=2)
    output = embedding.run("--cores", "4", "-n", "tables")
    assert "Embeddings of 6 texts by emb: " in output
    assert "Embeddings of" not in embedding.run("--cores", "4", "-n", "drafts")
    assert not server.history
    embedding.run("--cores", "4", "tables")
    texts = {name: text for name, text in embedding.store().items() if "parsed" in name}
    texts = {name: text for name, text in texts.items() if "evaluation" not in name}
    assert server.billed == Counter(texts.values())
    vectors = {name.split("/")[1]: np.array(vector(text)) for name, text in texts.items()}
    for row in rows(embedding, NOVELTY):
        own = vectors[row["gen_id"]]
        others = [name for name in vectors if name[0] == row["gen_id"][0] and name != row["gen_id"]]
        cosines = {name: float(own @ vectors[name]) for name in others}
        assert row["nearest_by_meaning"] == max(cosines, key=lambda name: cosines[name])
        assert float(row["nearest_cosine"]) == pytest.approx(max(cosines.values()), abs=1e-5)
        assert float(row["sibling_cosine"]) == pytest.approx(np.mean([*cosines.values()]), abs=1e-5)
        if row["parent_gen_id"]:
            parent = own @ vectors[row["parent_gen_id"]]
            assert float(row["parent_cosine"]) == pytest.approx(parent, abs=1e-5)
    overall = [row for row in rows(embedding, DIVERSITY) if row["dimension"] == "overall"]
    assert all(1 < float(row["effective_by_meaning"]) <= 3 for row in overall)
    assert sum(each["tokens"] for each in ledger(embedding)) == server.billed_tokens
    assert not embedding.holding("sk-test-secret")

    asked = len(server.history)
    assert "Nothing to be done" in embedding.run("--cores", "4", "tables")
    assert "Embeddings of" not in embedding.run("--cores", "4", "plan")
    embedding.path(MATRIX).unlink()
    embedding.run("--cores", "4", MATRIX)
    assert len(server.history) == asked

    embedding.config["embeddings"] = None
    embedding.save()
    embedding.run("--cores", "4", "tables")
    assert {row["nearest_by_meaning"] for row in rows(embedding, NOVELTY)} == {""}
    assert len(server.history) == asked


def test_a_new_text_withdraws_the_embeddings_and_only_it_is_asked_for(
    embedding: Project, server: ProviderServer
) -> None:
    """Reports of texts that are no more are gone before the first new text."""
    embedding.run("--cores", "4", MATRIX)
    before = server.billed.copy()
    embedding.edit("data/1_raw/templates/essay/grow.txt", "Grow this", "Grow that")
    embedding.run("--cores", "4", "essays")
    assert not embedding.path(MATRIX).exists()
    embedding.run("--cores", "4", MATRIX)
    new = server.billed - before
    assert len(new) == 2
    assert set(server.billed.values()) == {1}
    # The drafts, their copies, and the two new essays.
    assert np.load(embedding.path(MATRIX)).shape == (6, 8)


def test_another_model_needs_no_memory_of_snakemake(
    embedding: Project, server: ProviderServer
) -> None:
    """The tables follow the model of today, also where `.snakemake` was deleted."""
    server._answer = unlike
    widen(embedding, 2)
    embedding.run("--cores", "4", "tables")
    before = server.billed.copy()
    shutil.rmtree(embedding.path(".snakemake"))
    widen(embedding, 2, model="emb-2")
    embedding.run("--cores", "4", "tables")
    assert server.billed - before == before


def test_what_a_partial_run_left_out_needs_no_memory_of_snakemake(
    embedding: Project, server: ProviderServer
) -> None:
    """It asks for no embeddings; the next full run does, also where `.snakemake` was deleted."""
    server._answer = unlike
    widen(embedding, 2)
    embedding.run("--cores", "4", "evaluations")
    embedding.run("--cores", "4", "tables", "--config", "partial=true")
    assert np.isnan(np.load(embedding.path(MATRIX))).all()
    shutil.rmtree(embedding.path(".snakemake"))
    embedding.run("--cores", "4", "tables")
    assert not np.isnan(np.load(embedding.path(MATRIX))).any()


def test_two_cohorts_share_their_texts(embedding: Project, server: ProviderServer) -> None:
    """Both get a matrix; each text is paid for once."""
    server.latency = 0.05
    embedding.config["cohorts"] = ["c1", "c2"]
    spec = yaml.safe_dump(embedding.spec)
    embedding.write("data/cohorts/c2/spec/config.yaml", spec)
    embedding.config["embeddings"]["texts"] = 1
    embedding.save()
    other = MATRIX.replace("c1", "c2")
    embedding.run("--cores", "4", MATRIX, other)
    assert np.array_equal(np.load(embedding.path(MATRIX)), np.load(embedding.path(other)))
    assert len(server.billed) == 4
    assert set(server.billed.values()) == {1}
    assert sum(each["tokens"] for each in ledger(embedding)) == server.billed_tokens


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_ends_early(
    embedding: Project, server: ProviderServer, number: signal.Signals
) -> None:
    """What was answered is not asked for again; a signal also keeps what was in flight."""
    server._answer = unlike
    widen(embedding, 30, texts=1)
    embedding.run("--cores", "16", "essays")
    server.latency = 0.4
    run = Run(embedding, "--cores", "4", MATRIX)
    until(lambda: sum(server.billed.values()) >= 20)
    run.signal(number)
    output = run.wait()
    until(lambda: server.in_flight == 0)
    assert run.process.returncode != 0
    if number == signal.SIGINT:
        assert "Stopping: SIGINT" in output
        assert "in flight, no new one begins" in output
        assert "Traceback" not in output
    assert not embedding.path(MATRIX).exists()
    before = sum(server.billed.values())
    assert before < 60
    server.latency = 0
    embedding.run("--cores", "4", "--rerun-incomplete", MATRIX)
    assert len(server.billed) == 60
    twice = sum(server.billed.values()) - 60
    assert twice <= (8 if number == signal.SIGKILL else 0)
    assert not np.isnan(np.load(embedding.path(MATRIX))).any()
    paid = sum(each["tokens"] for each in ledger(embedding))
    assert paid <= server.billed_tokens <= paid + reserved(embedding)
    if number == signal.SIGINT:
        assert paid == server.billed_tokens
    assert not list(embedding.path("data/embeddings").rglob("*.tmp"))


def test_a_text_that_is_refused(embedding: Project, server: ProviderServer) -> None:
    """Its file is named; the tables are made, as partial ones, with all other embeddings."""
    embedding.run("--cores", "4", "essays")
    bad = embedding.read(embedding.first("essay"))

    def refuse(body: dict[str, Any]) -> Reply:
        return failure(400, "too long") if bad in body["input"] else embeddings(body)

    server.embed = refuse
    output = embedding.run("--cores", "4", "tables", code=1)
    assert f"{embedding.first('essay')}: has no embedding: provider 'echo', model 'emb'" in output
    assert "Traceback" not in output
    empty = [row["gen_id"] for row in rows(embedding, NOVELTY) if not row["parent_cosine"]]
    assert embedding.first("essay").split("/")[3] in empty
    assert len(empty) == 3, "the drafts have no parent"
    server.embed = embeddings
    embedding.run("--cores", "4", "tables")
    assert sum(not row["parent_cosine"] for row in rows(embedding, NOVELTY)) == 2
    assert set(server.billed.values()) == {1}


def test_what_cannot_work_is_refused_before_the_first_call(
    embedding: Project, server: ProviderServer
) -> None:
    """A provider of another type, or none, no price for a budget, no key: one line each."""
    embedding.config["providers"]["python"] = {"type": "function", "path": "echo.py"}
    for provider, line in (
        ("python", "found 'python', a provider of type function; name a provider of type openai"),
        ("ehco", "found 'ehco', which is not a provider; name one under providers"),
    ):
        embedding.config["embeddings"]["provider"] = provider
        embedding.save()
        output = embedding.run("--cores", "4", "tables", code=1)
        assert f"[config] config/config.yaml, embeddings.provider: {line}" in output
    embedding.config["providers"]["other"] = {
        **embedding.config["providers"]["echo"],
        "api_key_env": "OTHER_KEY",
    }
    embedding.config["embeddings"] = {"provider": "other", "model": "emb"}
    embedding.save()
    output = embedding.run("--cores", "4", "tables", code=1)
    assert "[call] embeddings: provider 'other': found no key" in output
    embedding.config["embeddings"]["provider"] = "echo"
    embedding.config["budget"] = {"usd": 1}
    embedding.config["stages"]["draft"]["sampling"]["max_tokens"] = 10
    embedding.save()
    output = embedding.run("--cores", "4", "-n", "tables")
    line = "model 'emb' has no price, so that no budget in USD can be kept; set embeddings.usd"
    assert f"[budget] embeddings: {line}" in output
    output = embedding.run("--cores", "4", "drafts", code=1)
    assert "embeddings" not in output, "drafts need none"
    assert not server.history


def test_a_damaged_file_is_named(embedding: Project, server: ProviderServer) -> None:
    """By the run and by `check`; it is not paid for again until it is deleted."""
    embedding.run("--cores", "4", MATRIX)
    path = next(embedding.path("data/embeddings").rglob("*.json"))
    path.write_bytes(path.read_bytes()[:100])
    name = str(path.relative_to(embedding.dir))
    embedding.path(MATRIX).unlink()
    asked = len(server.history)
    assert f"[store] {name}: is not JSON" in embedding.run("--cores", "4", MATRIX, code=1)
    assert name in embedding.run("--cores", "4", "check", code=1)
    assert len(server.history) == asked
    path.unlink()
    embedding.run("--cores", "4", MATRIX)
    assert len(server.history) == asked + 1
    assert "Nothing is wrong." in embedding.run("--cores", "4", "check")
