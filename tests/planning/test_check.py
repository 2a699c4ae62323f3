"""`check`: each kind of damage is one line with a remedy, and the remedy helps."""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from daydream.errors import StoreError
from daydream.files import HOST
from daydream.planning.check import check
from support.experiment import experiment
from support.project import Project
from support.provider_server import ProviderServer

TABLE = "data/check.csv"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project with all its texts, answered by a server."""
    project = Project(tmp_path_factory.mktemp("finished"))
    with ProviderServer() as server:
        project.serve(server.url)
        project.snakemake()
    return project.dir


@pytest.fixture
def here(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Return a copy of the finished project, which is the working directory."""
    project = Project(tmp_path / "project")
    shutil.copytree(finished / "data", project.path("data"), dirs_exist_ok=True)
    monkeypatch.chdir(project.dir)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return project


def faults(project: Project) -> list[dict[str, str]]:
    """Return what is wrong, as the table has it."""
    try:
        check(experiment(project), TABLE)
    except StoreError:
        with Path(TABLE).open(encoding="utf-8", newline="") as file:
            found = list(csv.DictReader(file))
        assert found
        return found
    with Path(TABLE).open(encoding="utf-8", newline="") as file:
        assert list(csv.DictReader(file)) == []
    return []


def one(pattern: str) -> Path:
    return sorted(Path("data/gens").glob(pattern))[0]


def test_a_sound_store(here: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is wrong, and nothing is changed."""
    before = {path: path.stat().st_mtime_ns for path in Path("data").rglob("*")}
    text = check(experiment(here), TABLE)
    assert "Nothing is wrong." in text
    assert "have no checksum" not in text
    after = {path: path.stat().st_mtime_ns for path in Path("data").rglob("*")}
    changed = {path for path in after if before.get(path) != after[path]}
    assert changed <= {Path("data"), Path(TABLE)}


def flip(path: Path) -> None:
    data = path.read_bytes()
    place = data.index(b'"content"') + 14
    path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])


def swap(path: Path) -> None:
    other = sorted(path.parent.parent.glob("*/metadata.json"))[1]
    mine, theirs = path.read_bytes(), other.read_bytes()
    path.write_bytes(theirs)
    other.write_bytes(mine)


DAMAGES: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "flipped byte": ("draft/*/responses/*.json", flip, "its checksum is another one"),
    "truncated entry": (
        "draft/*/responses/*.json",
        lambda path: os.truncate(path, 50),
        "is not JSON",
    ),
    "empty entry": ("draft/*/responses/*.json", lambda path: path.write_bytes(b""), "is not JSON"),
    "entry of another shape": (
        "draft/*/responses/*.json",
        lambda path: path.write_text("[]"),
        "holds no JSON object",
    ),
    "entry that is not UTF-8": (
        "draft/*/responses/*.json",
        lambda path: path.write_bytes(b"\xff\xfe"),
        "is not JSON",
    ),
    "deep entry": (
        "draft/*/responses/*.json",
        lambda path: path.write_text("[" * 1_000_000),
        "nested too deeply",
    ),
    "renamed entry": (
        "draft/*/responses/*.json",
        lambda path: path.rename(path.with_name("a" * 64 + ".json")),
        "holds another request",
    ),
    "deleted entry": ("draft/*/responses/*.json", Path.unlink, "is missing, though raw.txt is"),
    "metadata of another": ("draft/*/metadata.json", swap, "is that of draft d_"),
    "broken metadata": ("draft/*/metadata.json", lambda path: path.write_text("{"), "is not JSON"),
    "no metadata": ("draft/*/metadata.json", Path.unlink, "is missing"),
    "broken record": (
        "essay/*/provenance.json",
        lambda path: path.write_text("[]"),
        "holds no record",
    ),
    "text that is not UTF-8": (
        "essay/*/parsed.txt",
        lambda path: path.write_bytes(b"\xff"),
        "is not UTF-8",
    ),
    "unfinished file": (
        "draft/*/raw.txt",
        lambda path: path.with_name(f"raw.txt.{HOST}.{2**22 + 1}-7.tmp").write_text("half"),
        "is unfinished",
    ),
}


@pytest.mark.parametrize(("pattern", "damage", "found"), DAMAGES.values(), ids=DAMAGES)
def test_damage_is_found(
    here: Project, pattern: str, damage: Callable[[Path], object], found: str
) -> None:
    """Each fault names a file, what is wrong, and what helps, on one line."""
    damage(one(pattern))
    lines = faults(here)
    assert any(found in line["found"] for line in lines), lines
    for line in lines:
        assert line["place"].startswith("data/")
        assert line["remedy"]
        assert not any("\n" in cell for cell in line.values())


def test_a_paid_answer_that_is_gone(here: Project) -> None:
    """The ledger knows of it, and what it cost, even if the whole directory is gone."""
    shutil.rmtree(one("evaluation/*"))
    (line,) = faults(here)
    assert "is missing, though it was paid for: data/ledger.jsonl, line" in line["found"]
    assert line["place"].startswith("data/gens/evaluation/v_")


def test_a_line_of_the_ledger_that_is_not_one(here: Project) -> None:
    with Path("data/ledger.jsonl").open("a") as file:
        file.write("{half\n")
    (line,) = faults(here)
    assert line["place"].startswith("data/ledger.jsonl, line ")


@pytest.mark.parametrize(
    ("text", "found"),
    [('{"d_1": {"request": "abc"}}', "is to have the answer abc"), ("[]", "cannot be read")],
)
def test_choices_of_answers_that_are_not_there(here: Project, text: str, found: str) -> None:
    Path("data/choices.json").write_text(text)
    (line,) = faults(here)
    assert found in line["found"]


def test_what_is_only_worth_a_line(here: Project) -> None:
    """Edits by hand, files of others, entries of earlier versions, generations of no cohort."""
    one("essay/*/parsed.txt").write_text("edited")
    one("draft/*/raw.txt").with_name("notes.md").write_text("mine")
    entry = one("draft/*/responses/*.json")
    value = json.loads(entry.read_text())
    del value["checksum"]
    entry.write_text(json.dumps(value))
    shutil.copytree(one("draft/*"), "data/gens/draft/d_0000000000000000")
    Path("data/gens/draft/d_0000000000000000/metadata.json").unlink()
    Path("data/gens/draft/d_0000000000000000/raw.txt").unlink()
    text = check(experiment(here), TABLE)
    assert "1 text edited by hand." in text
    assert "2 files that the store does not know, such as data/gens/draft/d_" in text
    assert "have no checksum" in text
    assert "1 generation of no cohort; snakemake -c1 prune lists them." in text
    assert "Nothing is wrong." in text


def test_the_remedies_help(here: Project) -> None:
    """Following them leaves a sound store, without a call where the journal has the answer."""
    one("draft/*/metadata.json").unlink()
    record = one("essay/*/provenance.json")
    record.write_text("[]")
    text = one("evaluation/*/parsed.txt")
    text.write_bytes(b"\xff")
    found = faults(here)
    assert len(found) == 3
    one("draft/*/raw.txt").unlink()
    record.unlink()
    text.unlink()
    with ProviderServer() as server:
        here.serve(server.url)
        here.snakemake()
        assert server.history == []
    assert faults(here) == []


def test_check_by_snakemake(here: Project) -> None:
    """It ends with an error if something is wrong, and takes no lock."""
    assert "Nothing is wrong." in here.run("-c1", "check")
    one("draft/*/responses/*.json").write_text("{")
    output = here.run("-c1", "check", code=1)
    assert "is wrong; see the lines above, or data/check.csv" in output or "things are" in output
    assert "is not JSON" in output
    assert "Traceback" not in output
