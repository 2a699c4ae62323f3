"""Whether there are the texts that people have rated.

A design changes, and what was rated stays: a row that names its cohort may name a text that this
cohort does not have any more, which then just does not count (`daydream.reports.ratings`). In a row
without a cohort, as one writes it by hand, it is a mistake.

A pair is of one combo: recipes are compared within combos, and intervals are for new combos.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from daydream.catalog.ratings import CODE, Rating
from daydream.errors import Problems, nearest
from daydream.generations.row import Generation
from daydream.settings import Stage


def check_rated(
    ratings: Iterable[Rating],
    rows_by_cohort: Mapping[str, Sequence[Generation]],
    stages: Mapping[str, Stage],
) -> None:
    """Refuse ratings of no text of a configured cohort, of another stage, and of unlike texts.

    Raises:
        InputError: every such cell.
    """
    ratings = list(ratings)
    if not ratings:
        return
    problems = Problems(CODE)
    known = {row.gen_id: row for rows in rows_by_cohort.values() for row in rows}
    cohorts = ", ".join(rows_by_cohort)
    for rating in ratings:
        wanted = stages[rating.stage].parent
        for column in ("gen_id", "other_gen_id"):
            gen_id = getattr(rating, column)
            if not gen_id or (rating.cohort and gen_id not in known):
                continue
            found = remedy = ""
            if gen_id not in known:
                found = f"found {gen_id!r}, which is not a text of the cohorts {cohorts}"
                near = nearest(gen_id, [name for name, row in known.items() if row.stage == wanted])
                remedy = f"correct it, or name its cohort in a column `cohort`: {near}"
            elif known[gen_id].stage != wanted:
                found = f"found {gen_id!r}, a generation of the stage {known[gen_id].stage}"
                remedy = f"{rating.stage} scores those of the stage {wanted}: name one of these"
            if found:
                problems.add(rating.file, found, remedy, line=rating.line, column=column)
        combos = [
            known[name].combo_id for name in (rating.gen_id, rating.other_gen_id) if name in known
        ]
        if len({*combos}) > 1:
            found = f"found a text of the combo {combos[1]}, and gen_id is one of {combos[0]}"
            remedy = "compare two texts of one combo"
            problems.add(rating.file, found, remedy, line=rating.line, column="other_gen_id")
    problems.check()
