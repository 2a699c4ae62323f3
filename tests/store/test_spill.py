"""Answers kept elsewhere: where they go, and what the next run makes of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from daydream.errors import StoreError
from daydream.store.spill import spill, take_in

ENTRY = Path("data/gens/draft/d_1/responses/abc.json")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be in a project, with a directory for temporary files, which is returned."""
    place = tmp_path / "elsewhere"
    place.mkdir()
    project = tmp_path / "project"
    project.mkdir()
    monkeypatch.chdir(project)
    monkeypatch.setenv("TMPDIR", str(place))
    return place


def test_an_answer_goes_there_and_comes_back(elsewhere: Path) -> None:
    """To the path that it would have here, for this user alone; nothing is left of it there."""
    kept = spill(ENTRY, "Grüße\n")
    assert kept.read_text() == "Grüße\n"
    (own,) = elsewhere.iterdir()
    assert kept.relative_to(own) == ENTRY
    assert own.stat().st_mode & 0o777 == 0o700
    assert take_in() == [kept]
    assert ENTRY.read_text() == "Grüße\n"
    assert not [*elsewhere.iterdir()]
    assert take_in() == []


def test_directories_without_an_answer_are_removed(elsewhere: Path) -> None:
    """As those that an earlier run has left, which could make them and not write an answer."""
    kept = spill(ENTRY, "mine\n")
    kept.unlink()
    assert take_in() == []
    assert not [*elsewhere.iterdir()]


def test_another_project_s_answers_stay(
    elsewhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = spill(ENTRY, "mine\n")
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    assert take_in() == []
    assert kept.exists()


@pytest.mark.parametrize(("there", "aside"), [("same\n", 0), ("another\n", 1)])
def test_the_journal_has_one_already(elsewhere: Path, there: str, aside: int) -> None:
    """It stays; an answer that differs is set aside, and is not taken for a new one again."""
    spill(ENTRY, "same\n")
    ENTRY.parent.mkdir(parents=True)
    ENTRY.write_text(there)
    take_in()
    assert ENTRY.read_text() == there
    assert len([*elsewhere.rglob("abc.json.other")]) == aside
    assert take_in() == []


def test_a_journal_that_still_cannot_take_it(elsewhere: Path) -> None:
    """It is said, and the answer stays where it is."""
    kept = spill(ENTRY, "mine\n")
    Path("data").write_text("a file where a directory is wanted")
    with pytest.raises(StoreError, match="holds a paid answer that cannot be moved to data/gens"):
        take_in()
    assert kept.read_text() == "mine\n"


def test_a_place_that_is_not_one_s_own_is_left_alone(elsewhere: Path, tmp_path: Path) -> None:
    """Others may write to /tmp: a link, or a directory that they can fill, is not looked into."""
    own = spill(ENTRY, "mine\n").parents[5]
    own.rename(tmp_path / "moved")
    own.symlink_to(tmp_path / "moved")
    assert take_in() == []
    own.unlink()
    (tmp_path / "moved").rename(own)
    own.chmod(0o770)
    assert take_in() == []
    own.chmod(0o700)
    assert len(take_in()) == 1


def test_the_next_place_is_used(elsewhere: Path) -> None:
    """Where the first cannot be written."""
    elsewhere.rmdir()
    elsewhere.write_text("a file")
    kept = spill(ENTRY, "mine\n")
    assert not kept.is_relative_to(elsewhere)
    assert take_in() == [kept]
    assert not kept.parents[5].exists()
