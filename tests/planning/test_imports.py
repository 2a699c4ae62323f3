"""An existing data root becomes a cohort: its ids and texts are kept, and no call is made."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from daydream.cohorts.given import read_given_membership
from daydream.errors import InputError, StoreError
from daydream.experiment import recipes
from daydream.experiment.answers import build_request
from daydream.files import ReservedFile
from daydream.llm.request import Request, Response
from daydream.planning.imports import import_store
from daydream.store.journal import claim_entry, find_response, record_response
from support.experiment import experiment
from support.project import Project
from support.provider_server import completion
from support.source import Source, state

REPORT = "data/cohorts/old/reports/import.csv"
MEMBERSHIP = "data/cohorts/old/spec/membership.csv"


@pytest.fixture
def source(project: Project, monkeypatch: pytest.MonkeyPatch) -> Source:
    """Return a source of one line of descent and one copy; the project is the working directory."""
    monkeypatch.chdir(project.dir)
    return Source.small(project)


def run(project: Project, source: str = "elsewhere", cohort: str = "old") -> str:
    return import_store(experiment(project), source=source, cohort=cohort)


def table(project: Project, name: str) -> list[dict[str, str]]:
    with project.path(name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# What is imported


def test_ids_and_texts_are_kept_and_the_source_is_left_alone(
    project: Project, source: Source
) -> None:
    """The texts byte for byte, in files of their own: an edit of the source stays there."""
    before = state(source.root)
    summary = run(project)
    assert "Imported 5 generations as cohort 'old' (1 draft, 2 essay, 2 evaluation): 5" in summary
    assert "Left out: nothing" in summary
    assert state(source.root) == before
    for path in source.root.rglob("*.txt"):
        copy = project.path("data") / path.relative_to(source.root)
        assert copy.read_bytes() == path.read_bytes()
        assert not copy.samefile(path)


def test_a_link_out_of_the_source_is_not_followed(project: Project, source: Source) -> None:
    """A store from elsewhere must not bring files of this machine into texts and reports."""
    secret = project.path("secret.txt")
    secret.write_text("a file that is not the source's")
    for name in ("d1/raw.txt", "d1/raw_metadata.json"):
        link = source.root / "gens/draft" / name
        link.unlink()
        link.symlink_to(secret)
    with pytest.raises(StoreError, match="holds nothing that can be imported"):
        run(project)
    found = {row["file"]: row["found"] for row in table(project, REPORT) if "link" in row["found"]}
    assert {name.rpartition("/d1/")[2] for name in found} == {"raw.txt", "raw_metadata.json"}
    assert set(found.values()) == {"is a link out of elsewhere/gens"}


def test_a_link_within_the_source_is_followed(project: Project, source: Source) -> None:
    raw = source.root / "gens/draft/d1/raw.txt"
    raw.rename(source.root / "gens/draft/d1/answer.txt")
    raw.symlink_to("answer.txt")
    assert "Left out: nothing" in run(project)


def test_the_membership_is_one_given_by_hand(project: Project, source: Source) -> None:
    """A child without a combo has its parent's, and a replicate that is not told is the first."""
    run(project)
    old = experiment(project)
    rows = read_given_membership(
        project.path(MEMBERSHIP), cohort="old", stages=old.settings.stages, catalog=old.catalog
    )
    assert [(row.gen_id, row.subject, row.replicate) for row in rows] == [
        ("d1", "pair", "1"),
        ("copied", "d1", "1"),
        ("e1", "d1", "1"),
        ("v1", "e1", "1"),
        ("v2", "copied", "2"),
    ]
    assert {row.combo_id for row in rows} == {"pair"}
    assert table(project, REPORT) == []


def test_each_answer_is_journaled_under_the_request_of_its_prompt(
    project: Project, source: Source
) -> None:
    """The entry is marked, and keeps what the source knew; a copy was never paid for."""
    run(project)
    old = experiment(project)
    rows = read_given_membership(
        project.path(MEMBERSHIP), cohort="old", stages=old.settings.stages, catalog=old.catalog
    )
    for row in rows:
        directory = project.path(f"data/gens/{row.stage}/{row.gen_id}")
        if recipes.is_copy(old, row):
            assert not (directory / "responses").exists()
            continue
        prompt = (directory / "prompt.txt").read_bytes().decode()
        found = find_response(directory, build_request(old, row, prompt))
        assert found is not None
        assert found.text == (directory / "raw.txt").read_bytes().decode()
        notes = found.body["imported"]
        assert notes["metadata.json"]["gen_id"] == row.gen_id
        assert ("raw_metadata.json" in notes) == (row.gen_id == "d1")
        assert found.usage == ({"prompt_tokens": 5} if row.gen_id == "d1" else {})
    assert project.calls() == 0


def test_an_answer_that_was_paid_for_meanwhile_stays(
    project: Project, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run beside the import asks for the same request, after the import has looked for it."""
    paid = Response(body=completion("paid for"), started_at="", duration_s=0)

    def claim_late(
        directory: Path, request: Request, *, wait: Callable[[], object]
    ) -> ReservedFile:
        with claim_entry(directory, request, wait=wait) as file:
            record_response(file, request, paid, client="run")
        return claim_entry(directory, request, wait=wait)

    monkeypatch.setattr("daydream.planning.imports.writing.claim_entry", claim_late)
    run(project)
    entries = list(project.path("data/gens").glob("*/*/responses/*"))
    assert entries
    assert all(json.loads(path.read_text())["client"] == "run" for path in entries)


def test_a_truncated_answer_is_known_as_one(project: Project, source: Source) -> None:
    """As raw_metadata.json tells it."""
    source.add("draft", "cut", raw_metadata={"truncated": True, "duration_s": 3.5})
    run(project)
    metadata = json.loads(project.read("data/gens/draft/cut/metadata.json"))
    assert metadata["truncated"] is True
    assert metadata["duration_s"] == 3.5
    assert metadata["started_at"] == ""


@pytest.mark.parametrize("interrupted", [False, True])
def test_importing_twice_changes_nothing(
    project: Project, source: Source, interrupted: bool
) -> None:
    """Neither a byte nor a time; what an interruption has left out is added, nothing else."""
    source.add("draft", "broken", combo_id="unknown")
    run(project)
    if interrupted:
        project.path(MEMBERSHIP).unlink()
        shutil.rmtree(project.path("data/gens/evaluation"))
    before = state(project.path("data"))
    summary = run(project)
    after = state(project.path("data"))
    assert {name: after[name] for name in before} == before
    assert len(after) - len(before) == (13 if interrupted else 0)
    assert f"{2 if interrupted else 0} are new" in summary


# What is left out


def left_out(project: Project) -> dict[str, tuple[str, str]]:
    return {row["gen_id"]: (row["kind"], row["found"]) for row in table(project, REPORT)}


CONTRADICTIONS: dict[str, tuple[Callable[[Project, Source], object], str]] = {
    "stage": (lambda p, s: s.edit("draft", "d1", stage="essay"), "found the stage 'essay'"),
    "id": (lambda p, s: s.edit("draft", "d1", gen_id="d2"), "found the gen_id 'd2'"),
    "parent of the first stage": (
        lambda p, s: s.edit("draft", "d1", parent_gen_id="d0"),
        "found the parent_gen_id 'd0', but a draft has no parent",
    ),
    "combo": (lambda p, s: s.edit("draft", "d1", combo_id="pear"), "'pear', which is not a combo"),
    "no combo": (lambda p, s: s.edit("draft", "d1", combo_id=None), "'', which is not a combo"),
    "template": (
        lambda p, s: s.edit("draft", "d1", template_id="plan"),
        "'plan', which is not a template of stage 'draft'",
    ),
    "model": (lambda p, s: s.edit("draft", "d1", llm_model_id="m9"), "'m9', which is not a model"),
    "mode": (lambda p, s: s.edit("draft", "d1", mode="copy"), "found the mode 'copy'"),
    "replicate": (lambda p, s: s.edit("draft", "d1", replicate=0), "replicate '0'"),
    "no raw": (
        lambda p, s: s.path("draft", "d1", "raw.txt").unlink(),
        "cannot be read (No such file or directory)",
    ),
    "no metadata": (
        lambda p, s: s.path("draft", "d1", "metadata.json").unlink(),
        "cannot be read (No such file or directory)",
    ),
    "damaged metadata": (
        lambda p, s: s.path("draft", "d1", "metadata.json").write_text("{"),
        "is not JSON",
    ),
    "damaged raw_metadata": (
        lambda p, s: s.path("draft", "d1", "raw_metadata.json").write_text("[]"),
        "holds no JSON object",
    ),
    "not UTF-8": (
        lambda p, s: s.path("draft", "d1", "parsed.txt").write_bytes(b"a\xff"),
        "byte 2 is not UTF-8",
    ),
    "twice": (lambda p, s: s.add("essay", "d1", "d1"), "another stage has this id too"),
    "other text here": (
        lambda p, s: p.write("data/gens/draft/d1/raw.txt", "other"),
        "is there already, with another text",
    ),
    "other metadata here": (
        lambda p, s: p.write("data/gens/draft/d1/metadata.json", "{}\n"),
        "is there already, of another generation",
    ),
}


@pytest.mark.parametrize("case", CONTRADICTIONS)
def test_a_contradiction_is_left_out_with_its_descendants(
    project: Project, source: Source, case: str
) -> None:
    """Each has a row in the report; what is sound is imported, what is here stays."""
    change, found = CONTRADICTIONS[case]
    source.add("draft", "d5", combo_id="trio")
    change(project, source)
    before = state(project.path("data"))
    summary = run(project)
    report = left_out(project)
    assert report["d1"][0] == "contradiction"
    assert found in report["d1"][1]
    assert {name: kind for name, (kind, _) in report.items() if name != "d1"} == dict.fromkeys(
        ["e1", "copied", "v1", "v2"], "descendant"
    )
    assert "4 descendant" in summary
    assert [row["gen_id"] for row in table(project, MEMBERSHIP)] == ["d5"]
    after = state(project.path("data"))
    assert {name: after[name] for name in before} == before


def test_orphans_are_left_out_with_their_descendants(project: Project, source: Source) -> None:
    """A parent that the source does not hold, or that is not named, or of another stage."""
    source.add("essay", "lost", "d9")
    source.add("essay", "nameless")
    source.add("evaluation", "skipping", "d1")
    source.add("evaluation", "below", "lost")
    summary = run(project)
    kinds = {name: kind for name, (kind, _) in left_out(project).items()}
    assert kinds == {
        "lost": "orphan",
        "nameless": "orphan",
        "skipping": "orphan",
        "below": "descendant",
    }
    assert "Imported 5 generations" in summary
    assert "Left out: 1 descendant, 3 orphan" in summary


def test_a_combo_other_than_the_parents_and_an_unknown_stage(
    project: Project, source: Source
) -> None:
    """Both are contradictions; a stage is reported once."""
    source.add("essay", "strange", "d1", combo_id="trio")
    shutil.copytree(source.path("draft", ""), source.path("drafts", ""))
    run(project)
    assert left_out(project)["strange"][1].startswith("found the combo_id 'trio'")
    row = next(row for row in table(project, REPORT) if row["stage"] == "drafts")
    assert (row["found"], row["remedy"]) == ("is not a stage", "did you mean 'draft'?")


def test_another_answer_in_the_journal_stays(project: Project, source: Source) -> None:
    """Both were paid for; the one that is here is kept."""
    run(project)
    shutil.rmtree(project.path("data/cohorts/old"))
    for name in ("raw.txt", "parsed.txt", "metadata.json"):
        project.path(f"data/gens/draft/d1/{name}").unlink()
    source.path("draft", "d1", "raw.txt").write_text("another answer")
    source.add("draft", "d5")
    run(project)
    assert left_out(project)["d1"][1] == "has another answer to the prompt"


@pytest.mark.parametrize(
    ("cohort", "root", "said"),
    [
        ("c1", "elsewhere", "cohort 'c1' is a design"),
        (
            "old",
            "elsewhere/gens",
            "is not a directory; let source be the directory that holds gens",
        ),
        ("old", "data", "is the store itself"),
    ],
)
def test_places_that_cannot_be(
    project: Project, source: Source, cohort: str, root: str, said: str
) -> None:
    """A cohort that is a design, a source without gens, and the store itself."""
    project.path("data/gens").mkdir()
    before = state(project.path("data"))
    with pytest.raises(InputError, match=said):
        run(project, root, cohort)
    assert state(project.path("data")) == before


def test_a_source_of_which_nothing_is_left(project: Project, source: Source) -> None:
    """It makes no cohort, but a report."""
    source.edit("draft", "d1", combo_id="pear")
    with pytest.raises(StoreError, match=r"holds nothing that can be imported; .*import.csv"):
        run(project)
    assert not project.path(MEMBERSHIP).exists()
    assert len(left_out(project)) == 5


def test_a_membership_of_the_users_is_not_overwritten(project: Project, source: Source) -> None:
    """Rows added by hand stay, and nothing is imported over them."""
    run(project)
    project.write(MEMBERSHIP, project.read(MEMBERSHIP) + "evaluation,new,e1,pair,judge,m1,3\n")
    source.add("draft", "d5")
    before = state(project.path("data"))
    with pytest.raises(InputError, match="give the import another name"):
        run(project)
    assert state(project.path("data")) == before
