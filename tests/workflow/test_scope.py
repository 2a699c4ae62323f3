"""What a run names and makes again: everything gone or stale, and what was made from it."""

from __future__ import annotations

import random

from support.project import Project


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
