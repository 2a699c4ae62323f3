"""What a run has to say at its end: what it spent, what is done, what is left, and how to go on."""

from __future__ import annotations

from pathlib import Path

from daydream.experiment import Experiment
from daydream.ledger import LEDGER
from daydream.store import generation_file


def run_summary(experiment: Experiment) -> str:
    """Return the paragraph; empty if the run made no call and was not stopped."""
    spent = experiment.calls.ledger.spent()
    reason = experiment.stop.reason
    if not (spent.calls or spent.open or reason):
        return ""
    lines = [f"This run: {spent} ({LEDGER})."]
    if reason:
        lines.append(f"It was stopped: {reason}.")
    rows = experiment.selected.values()
    done = sum(Path(generation_file(row.stage, row.gen_id, "parsed.txt")).exists() for row in rows)
    lines.append(f"Done: {done:,} of {len(rows):,} generations.")
    if done < len(rows):
        raise_it = "; raise or remove `budget` first" if "budget" in reason else ""
        lines.append(f"To go on, run snakemake again{raise_it}: what was paid for is kept.")
    return " ".join(lines)
