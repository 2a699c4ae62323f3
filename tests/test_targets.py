"""Which files are asked for: few of a new store, and whatever was deleted of one that is there."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from daydream.membership import Generation
from daydream.store import OUTPUTS
from daydream.targets import targets
from project import Project

LINE = {"draft": "", "essay": "dr", "evaluation": "es"}
ROWS = [
    Generation(
        stage=stage,
        gen_id=stage[:2],
        cohort_id="c1",
        parent_gen_id=parent,
        combo_id="",
        template_id="",
        llm_model_id="",
        replicate="1",
        dimensions=(),
        key="",
    )
    for stage, parent in LINE.items()
]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that writes files of dr, es or ev: a draft, an essay, an evaluation."""
    monkeypatch.chdir(tmp_path)

    def write(stage: str, *names: str) -> None:
        directory = Path("data/gens", stage, stage[:2])
        directory.mkdir(parents=True, exist_ok=True)
        for name in names:
            (directory / name).write_text("x")

    return write


def asked() -> list[str]:
    return [file.removeprefix("data/gens/") for file in targets(ROWS)]


def test_of_a_new_store_the_last_texts_are_asked_for(store: Callable[..., None]) -> None:
    """Everything else is made from them; directories without files are none of a generation."""
    assert asked() == ["evaluation/ev/parsed.txt"]
    store("draft")
    store("evaluation")
    assert asked() == ["evaluation/ev/parsed.txt"]


def test_of_a_complete_store_too(store: Callable[..., None]) -> None:
    """Snakemake looks at all files on the way to them."""
    for stage in LINE:
        store(stage, *OUTPUTS)
    assert asked() == ["evaluation/ev/parsed.txt"]


@pytest.mark.parametrize("gone", OUTPUTS)
def test_a_file_is_asked_for_if_what_is_made_from_it_is_there(
    store: Callable[..., None], gone: str
) -> None:
    """Of the generation itself, or of a child."""
    store("draft", *OUTPUTS)
    store("essay", *(name for name in OUTPUTS if name != gone))
    store("evaluation", "prompt.txt")
    assert f"essay/es/{gone}" in asked()
    assert not any(file.startswith("draft") for file in asked())


def test_a_generation_that_is_gone_is_asked_for_if_a_grandchild_is_there(
    store: Callable[..., None],
) -> None:
    """All its files, and those of the child between them, which is gone as well."""
    store("evaluation", *OUTPUTS)
    assert asked() == [
        *(f"draft/dr/{name}" for name in OUTPUTS),
        *(f"essay/es/{name}" for name in OUTPUTS),
        "evaluation/ev/parsed.txt",
    ]


def test_whatever_is_deleted_comes_back(project: Project) -> None:
    """Any third of all files of a store, whichever they are; the journal answers."""
    generations = ("all", "--config", "shard=1", "shards=1")
    project.snakemake(*generations)
    store, calls = project.store(), project.calls()
    assert store
    assert calls
    for seed in range(5):
        for name in sorted(store):
            if random.Random(f"{seed} {name}").random() < 1 / 3:
                project.path(f"data/gens/{name}").unlink()
        project.snakemake(*generations)
        assert project.store() == store
    assert project.calls() == calls
