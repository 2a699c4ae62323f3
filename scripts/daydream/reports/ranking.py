"""A ranking to choose from: `data/cohorts/<cohort>/top.csv`, whose column `selected` is the user's.

The table names the texts that were judged, the best first. What stands in `selected` feeds the
block `from` of another cohort's spec; made anew, the table keeps what the user has written there.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from daydream.errors import Problems, nearest
from daydream.experiment.experiment import Experiment
from daydream.files import write_text
from daydream.store.layout import COHORTS, generation_file

BY = "adjusted_mean"
# Columns in which the least is the best.
LEAST_FIRST = frozenset({"rank"})
OWN = ("selected", "place", "gen_id")
BEGINNING = 80


def write_tops(experiment: Experiment, scores: Sequence[str], *, count: int, by: str) -> str:
    """Write the ranking of each configured cohort from its `generation_scores.csv`.

    Returns:
        What was written, and how to go on from it.

    Raises:
        InputError: as `write_top`.
    """
    cohorts = zip(experiment.settings.cohorts, scores, strict=True)
    return "\n".join(
        write_top(experiment, cohort, path, count=count, by=by) for cohort, path in cohorts
    )


def write_top(experiment: Experiment, cohort: str, scores: str, *, count: int, by: str) -> str:
    """Write the `count` texts that are best by the column `by` of `generation_scores.csv`.

    The best are the highest, or the lowest in a column where less is better.

    Returns:
        What was written, and how to go on from it.

    Raises:
        InputError: there is no such column, or it holds no numbers.
    """
    with Path(scores).open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        rows, header = list(reader), list(reader.fieldnames or ())
    ranked = _ranked(rows, header, by, scores)[:count]
    path = COHORTS / cohort / "top.csv"
    marks = _marks(path)
    columns = [name for name in header if name not in ("stage", "parent_gen_id", "slice", by)]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*OWN, by, "beginning", *columns])
    for place, row in enumerate(ranked, start=1):
        gen_id = row["parent_gen_id"]
        own = [marks.get(gen_id, ""), place, gen_id, row[by], _beginning(experiment, gen_id)]
        writer.writerow([*own, *(row[name] for name in columns)])
    write_text(path, text.getvalue())
    stage = experiment.generation_of(ranked[0]["parent_gen_id"]).stage if ranked else "essay"
    return (
        f"{path}: {len(ranked)} of {len(rows)} texts by {by}. Write yes in `selected` of those you "
        f"choose, copy the file into the spec of a new cohort, and let that begin with\n"
        f"    from: {{stage: {stage}, gen_ids: '@file:top.csv'}}"
    )


def _ranked(
    rows: list[dict[str, str]], header: list[str], by: str, scores: str
) -> list[dict[str, str]]:
    problems = Problems("config")
    if by not in header:
        found = f"found {by!r}, which is not a column of {scores}"
        problems.add("--config", found, nearest(by, header), column="by")
        problems.check()
    sign = 1 if by in LEAST_FIRST else -1
    try:
        return sorted(
            (row for row in rows if row[by]),
            key=lambda row: (sign * float(row[by]), row["parent_gen_id"]),
        )
    except ValueError:
        found = f"found {by!r}, whose column in {scores} holds no numbers"
        problems.add("--config", found, f"name a score, such as {BY}", column="by")
        problems.check()
        raise


def _marks(path: Path) -> dict[str, str]:
    """Return what the user has written in `selected` so far, by gen_id."""
    if not path.exists():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        return {row["gen_id"]: row.get("selected", "") for row in csv.DictReader(file)}


def _beginning(experiment: Experiment, gen_id: str) -> str:
    generation = experiment.generation_of(gen_id)
    path = Path(generation_file(generation.stage, gen_id, "parsed.txt"))
    text = " ".join(path.read_text(encoding="utf-8").split()) if path.exists() else ""
    return text if len(text) <= BEGINNING else f"{text[: BEGINNING - 1]}…"
