"""A ranking to choose from: `data/cohorts/<cohort>/top.csv`, whose column `selected` is the user's.

The table lists the judged texts, starting with the best. The block `from` in another cohort's spec
reads the column `selected`. When the table is made again, it keeps what the user has written there,
even if a spreadsheet program has saved the file, or a later run has set it aside as outdated
(`daydream.reports.withdrawal`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from daydream.errors import Problems, nearest
from daydream.experiment.experiment import Experiment
from daydream.files import write_text
from daydream.store.layout import COHORTS, generation_file
from daydream.tables import csv_text, is_yes, read_records, read_table, unguarded
from daydream.text import clipped, table

RANKING, OUTDATED_RANKING = "top.csv", "top-outdated.csv"
BY = "shrunk_mean"
# Columns in which the lowest value is the best.
LEAST_FIRST = frozenset(
    {"rank", "prompt_share", "parent_share", "sibling_share", "near_duplicates"}
)
OWN = ("selected", "place", "gen_id")
BEGINNING = 80
# How many rows of the table are printed.
SHOWN = 5


def write_tops(experiment: Experiment, scores: Sequence[str], *, count: int, by: str) -> str:
    """Write the ranking of each configured cohort from its `generation_scores.csv`.

    Returns:
        What was written, and how to continue from it.

    Raises:
        InputError: as for `write_top`.
    """
    cohorts = zip(experiment.settings.cohorts, scores, strict=True)
    return "\n\n".join(
        write_top(experiment, cohort, path, count=count, by=by) for cohort, path in cohorts
    )


def write_top(experiment: Experiment, cohort: str, scores: str, *, count: int, by: str) -> str:
    """Write the `count` best texts by the column `by` of `generation_scores.csv`.

    The best are the highest, or the lowest in a column where less is better.

    Returns:
        What was written, and how to continue from it.

    Raises:
        InputError: there is no such column, or it holds no numbers, or the table that was there is
            damaged.
    """
    names, rows = read_records(scores)
    path, outdated = (COHORTS / cohort / name for name in (RANKING, OUTDATED_RANKING))
    marks = _marks(outdated) | _marks(path)
    ranked = [
        (place, row)
        for place, row in enumerate(_ranked(rows, names, by, scores), start=1)
        # What the user has written anything but no beside stays, wherever it stands now.
        if place <= count or is_yes(marks.get(row["parent_gen_id"], "")) is not False
    ]
    columns = [name for name in names if name not in ("stage", "parent_gen_id", "slice", by)]
    cells = []
    for place, row in ranked:
        gen_id = row["parent_gen_id"]
        own = [marks.get(gen_id, ""), str(place), gen_id, row[by], _beginning(experiment, gen_id)]
        cells.append([*own, *(row[name] for name in columns)])
    header = [*OWN, by, "beginning", *columns]
    write_text(path, csv_text(header, cells))
    outdated.unlink(missing_ok=True)
    stage = experiment.generation_of(ranked[0][1]["parent_gen_id"]).stage if ranked else "essay"
    # Rank, id, score and first words.
    best = table([row[1:5] for row in (header, *cells[:SHOWN])], left=(1, 3), indent=2)
    if len(cells) > SHOWN:
        best += f"\n  … and {len(cells) - SHOWN:,} more"
    return (
        f"{path}: {len(ranked)} of {len(rows)} texts by {by}\n"
        f"{best}\n"
        f"Write yes in `selected` for those you choose, copy the file into the spec of a new "
        f"cohort, and begin that spec with\n"
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
    """Return what the user has written in `selected` so far, by gen_id.

    Raises:
        InputError: the file is damaged, so what the user has written would be lost.
    """
    if not path.exists():
        return {}
    rows = read_table(path, code="config", required=("gen_id",), optional=("selected",))
    return {row.values["gen_id"]: unguarded(row.values["selected"]) for row in rows}


def _beginning(experiment: Experiment, gen_id: str) -> str:
    generation = experiment.generation_of(gen_id)
    path = Path(generation_file(generation.stage, gen_id, "parsed.txt"))
    text = " ".join(path.read_text(encoding="utf-8").split()) if path.exists() else ""
    return clipped(text, BEGINNING)
