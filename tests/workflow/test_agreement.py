"""What foretells a run agrees with it: a few random edits of those that `agreement.py` tries."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.workflow.agreement import disagreements, table


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("seed", "store"), [(1, False), (2, False), (1, True), (2, True)])
def test_all_that_foretells_a_run_agrees_with_it(tmp_path: Path, seed: int, store: bool) -> None:
    """`-n`, `expand=pending`, `plan` and `explain`, after single edits and pairs of edits."""
    found = list(disagreements(tmp_path / "lab", edits_made=4, seed=seed, store=store))
    wrong = [finding for finding in found if finding.disagreements]
    assert not wrong, "\n".join(table(wrong))
