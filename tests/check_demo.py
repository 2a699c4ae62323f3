"""Checks the store of the demo cohort after a real run; run from the repository's root."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path


def main() -> None:
    """Fail unless every generation has its files and every evaluation a number."""
    cohort = Path("data/cohorts/demo")
    with (cohort / "membership.csv").open(newline="") as file:
        generations = list(csv.DictReader(file))
    with (cohort / "reports/parsing/aggregated_scores.csv").open(newline="") as file:
        scores = list(csv.DictReader(file))
    faults = []
    for row in generations:
        directory = Path("data/gens", row["stage"], row["gen_id"])
        for name in ("prompt.txt", "raw.txt", "parsed.txt"):
            if not (directory / name).read_text(encoding="utf-8").strip():
                faults.append(f"{directory / name} is empty")
        metadata = json.loads((directory / "metadata.json").read_text(encoding="utf-8"))
        if metadata["gen_id"] != row["gen_id"]:
            faults.append(f"{directory / 'metadata.json'} is another generation's")
    faults += [
        f"{row['gen_id']}: {row['error'] or 'no score'}" for row in scores if not row["score"]
    ]
    evaluations = [row for row in generations if row["stage"] == "evaluation"]
    if {row["gen_id"] for row in scores} != {row["gen_id"] for row in evaluations}:
        faults.append("the score table is not that of the membership's evaluations")
    if not scores:
        faults.append("there is no score")
    print(f"{len(generations)} generations, {len(scores)} scores, {len(faults)} faults")
    sys.exit("\n".join(faults) or 0)


if __name__ == "__main__":
    main()
