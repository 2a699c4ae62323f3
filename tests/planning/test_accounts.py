"""The account of generations: the same from a disk that is fast and from one that is slow."""

from __future__ import annotations

from contextlib import chdir
from itertools import count
from pathlib import Path

import pytest

from daydream.experiment import provenance
from daydream.store.layout import generation_file
from support.explorer_cohort import Cohort
from support.project import Project


def test_the_account_does_not_depend_on_the_disk(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Directories that are read by several threads are those of their generations, in order."""
    monkeypatch.setattr(provenance, "_SAMPLE", 3)
    monkeypatch.setattr(provenance, "_WINDOW", 10)
    cohort = Cohort(project, generations=70, size=50)
    cohort.fill()
    cohort.build()
    with chdir(project.dir):
        for place, row in enumerate(cohort.rows):
            name = generation_file(row.stage, row.gen_id, "parsed.txt")
            if place % 11 == 10:
                Path(name).unlink()
            elif place % 13 == 12:
                Path(name).write_text("edited\n", encoding="utf-8")
        experiment = cohort.experiment()
        monkeypatch.setattr(provenance, "_waits", lambda: 0)
        quick = provenance.accounts(experiment, cohort.rows)
        waits = count(step=1000)
        monkeypatch.setattr(provenance, "_waits", lambda: next(waits))
        slow = provenance.accounts(experiment, cohort.rows)
    assert len(cohort.rows) >= 70
    assert slow == quick
    assert list(slow) == [row.gen_id for row in cohort.rows]
    kinds = {account.parsed.kind for account in quick.values()}
    assert {"current", "missing", "stale"} <= kinds
    assert any(account.parsed.edited for account in quick.values())
    assert next(waits) > 4000
