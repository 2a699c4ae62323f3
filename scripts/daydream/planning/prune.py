"""`prune`: what no cohort reaches, and what it has cost; put aside at the user's word."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import NamedTuple

from daydream.calls.entries import read_lines
from daydream.calls.ledger import LEDGER
from daydream.errors import StoreError
from daydream.experiment.experiment import Experiment
from daydream.files import write_text
from daydream.planning.reached import PRUNED, reached, stored
from daydream.store.journal import journaled
from daydream.store.layout import generation_file
from daydream.tables import csv_text
from daydream.text import table


class Row(NamedTuple):
    """A generation of no cohort; `usd` is what its paid answers have cost, as the ledger says."""

    stage: str
    gen_id: str
    answers: int
    usd: float
    bytes: int


def prune(experiment: Experiment, *, confirm: bool) -> str:
    """List the generations that no cohort reaches, and move them out of the store on `confirm`.

    They go to a new directory below `data/pruned`, with their answers, under the paths that they
    had in `data/gens`; moved back, they are what they were.

    Raises:
        InputError: what a cohort reaches is not known.
        StoreError: the file system does not move one of them.
    """
    known = reached(experiment)
    paid = _paid()
    rows = [_row(*row, paid) for row in stored() if row not in known]
    if not rows:
        return "Every generation of the store is one of a cohort; there is nothing to prune."
    text = _summary(rows)
    if not confirm:
        return (
            f"{text}\nNothing was moved. To put them aside, with their answers:\n"
            f"  snakemake -c1 prune{experiment.settings.sources.option} --config confirm=true"
        )
    target = _put_aside(rows)
    return (
        f"{text}\nThey are in {target} now; pruned.csv lists them there. To bring them back:\n"
        f"  cp -r --no-clobber {target}/*/ data/gens/"
    )


def _paid() -> Mapping[str, float]:
    """Return what the ledger says that each generation's answers have cost, in USD, by gen_id."""
    whose: dict[str, str] = {}
    paid: dict[str, float] = defaultdict(float)
    for _, value, entry in read_lines(LEDGER):
        if entry is not None and entry.event == "begin":
            whose[entry.call] = str(value.get("gen_id"))
        elif entry is not None and entry.event == "end" and entry.call in whose:
            paid[whose[entry.call]] += entry.usd or 0.0
    return paid


def _row(stage: str, gen_id: str, paid: Mapping[str, float]) -> Row:
    directory = Path(generation_file(stage, gen_id, ""))
    return Row(
        stage=stage,
        gen_id=gen_id,
        answers=len(journaled(directory)),
        usd=paid.get(gen_id, 0.0),
        bytes=sum(path.lstat().st_size for path in directory.rglob("*")),
    )


def _summary(rows: Iterable[Row]) -> str:
    """Return the sums by stage as a table."""
    sums: dict[str, Counter[str]] = {}
    for row in rows:
        of_stage = sums.setdefault(row.stage, Counter())
        of_stage.update(generations=1, answers=row.answers, bytes=row.bytes)
        of_stage["micro_usd"] += round(row.usd * 1e6)
    lines = [["Of no cohort", "generations", "answers", "USD", "MB"]]
    for stage, found in sums.items():
        usd, size = f"{found['micro_usd'] / 1e6:.4f}", f"{found['bytes'] / 1e6:,.1f}"
        lines.append([stage, f"{found['generations']:,}", f"{found['answers']:,}", usd, size])
    return table(lines)


def _put_aside(rows: Iterable[Row]) -> Path:
    """Move generations to a new directory, and return it."""
    today = f"{datetime.now().astimezone():%Y-%m-%d}"
    names = (today if number == 1 else f"{today}-{number}" for number in count(1))
    target = next(path for name in names if not (path := PRUNED / name).exists())
    moved = list(rows)
    try:
        target.mkdir(parents=True)
        # Before the first is moved: what is there says what it is.
        write_text(target / "pruned.csv", csv_text(Row._fields, moved))
        for row in moved:
            directory = Path(generation_file(row.stage, row.gen_id, ""))
            (target / row.stage).mkdir(exist_ok=True)
            directory.rename(target / row.stage / row.gen_id)
    except OSError as error:
        raise StoreError(
            f"{target}: not all could be moved ({error.strerror}); fix that, and run prune again"
        ) from error
    return target
