"""What was run for a cohort and what was found, and its tables, as two pages to read.

Both are made of the reports' files alone, and need nothing beside themselves. The landing page of
`snakemake --report` (report/workflow.rst) takes over what stands in ``<main>`` of the first.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from daydream.files import read_text, write_text
from daydream.tables import read_records
from daydream.text import chance, percent, plural

HERE = Path(__file__).parent
CAPTIONS = HERE.parents[2] / "report"
Rows = list[dict[str, str]]

PAGES = ("overview.html", "tables.html")
# What the overview is made of, and the tables of the other page, by their names in the rule.
MADE_OF = ("membership", "scores", "calls", "coverage", "leaderboard", "judge_agreement")
SHOWN = ("tables", "criteria", "ratings")
# So many recipes of each group are named, and so many rows of a table are shown.
RECIPES, ROWS = 5, 500
# Krippendorff, Content Analysis, 2004, section 11.4.
TENTATIVE, RELIABLE = 0.667, 0.8


class Stage(NamedTuple):
    """What was run of a stage; `made` counts the texts that are complete."""

    name: str
    planned: int
    made: int
    templates: list[str]
    models: list[str]


class Board(NamedTuple):
    """The first recipes of those that can be compared."""

    title: str
    rows: list[dict[str, str]]
    recipes: int


class Shown(NamedTuple):
    """A table as it is shown, without the columns that are empty."""

    name: str
    file: str
    caption: str
    columns: list[str]
    rows: list[list[str]]
    total: int
    empty: list[str]


def write_overview(cohort: str, files: Mapping[str, Any], output: Sequence[str]) -> None:
    """Write the overview of a cohort, and the page of its tables, to the paths in `output`.

    `files` has lists of the tables to show, and by name those of `MADE_OF` that are not in them.

    Raises:
        StoreError: the file system does not take a page.
    """
    overview, tables = output
    known = {**{Path(path).stem: path for path in files["tables"]}, **files}
    rows = {name: read_records(known[name])[1] for name in MADE_OF}
    _write(overview, "overview.html.j2", cohort=cohort, **_overview(rows))
    paths = [Path(path) for name in SHOWN for path in files[name]]
    shown = [_shown(path, Path(tables).parent) for path in paths]
    _write(tables, "tables.html.j2", cohort=cohort, tables=shown, most=ROWS)


def _write(path: str, template: str, **values: object) -> None:
    # Here, as importing it takes 80 ms, which every start of the workflow would pay.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415

    loader = FileSystemLoader(HERE / "pages")
    jinja = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
    jinja.filters.update(plural=plural, chance=chance, percent=percent, number=_number)
    write_text(path, jinja.get_template(template).render(values))


def _overview(rows: Mapping[str, Rows]) -> dict[str, object]:
    """Return what the page says."""
    calls, scores = rows["calls"], rows["scores"]
    ids = {row["gen_id"] for row in calls}
    answered = [row for row in calls if row["mode"] == "llm"]
    prices = [float(row["cost_usd"]) for row in answered if row["cost_usd"]]
    return {
        "slices": sorted({row["slice"] for row in calls} - {""}),
        "stages": _stages(calls),
        "combos": len({row["combo_id"] for row in rows["membership"] if row["gen_id"] in ids}),
        "planned": len(scores),
        "scored": sum(1 for row in scores if row["score"]),
        "failures": _failures(rows["coverage"]),
        "boards": _boards(rows["leaderboard"]),
        "shares_texts": any(
            row["measure"] == "bias" and row["value"] for row in rows["judge_agreement"]
        ),
        "agreements": [_agreement(row) for row in rows["judge_agreement"] if _is_alpha(row)],
        "answers": len(answered),
        "tokens": sum(_count(row, "prompt_tokens", "completion_tokens") for row in answered),
        "usd": sum(prices) if prices else None,
        "unpriced": len(answered) - len(prices),
    }


def _stages(calls: Rows) -> list[Stage]:
    found = []
    for name in dict.fromkeys(row["stage"] for row in calls):
        own = [row for row in calls if row["stage"] == name]
        models = dict.fromkeys(row["llm_model_id"] for row in own if row["mode"] != "copy")
        found.append(
            Stage(
                name=name,
                planned=len(own),
                made=sum(1 for row in own if row["state"] == "complete"),
                templates=[*dict.fromkeys(row["template_id"] for row in own)],
                models=[*models],
            )
        )
    return found


def _failures(coverage: Rows) -> list[tuple[str, int]]:
    """Return how many evaluations have no score, by the kind of failure, most frequent first."""
    kinds: Counter[str] = Counter()
    for row in coverage:
        kinds[row["kind"]] += int(row["missing"])
    return kinds.most_common()


def _boards(leaderboard: Rows) -> list[Board]:
    ranked = [row for row in leaderboard if row["panel_score"]]
    groups: dict[tuple[str, str], Rows] = {}
    for row in ranked:
        groups.setdefault((row["stage"], row["group"]), []).append(row)
    stages = Counter(stage for stage, _ in groups)
    boards = []
    for (stage, group), rows in groups.items():
        title = stage if len(stages) > 1 else ""
        if stages[stage] > 1:
            title += f"{', ' if title else ''}group {group} of {stages[stage]}"
        names = _recipes(rows)
        shown = [{**row, "recipe": name} for row, name in zip(rows, names, strict=True)]
        boards.append(Board(title, shown[:RECIPES], len(rows)))
    return boards


def _recipes(rows: Rows) -> list[str]:
    """Return a name for each row's recipe: what differs between recipes, all of one alone."""
    columns = [*rows[0]]
    recipe = columns[columns.index("rank") + 1 : columns.index("parents")]
    varying = [name for name in recipe if len({row[name] for row in rows}) > 1] or recipe
    return [" · ".join(row[name] for name in varying) for row in rows]


def _is_alpha(row: Mapping[str, str]) -> bool:
    return row["measure"] == "alpha" and bool(row["value"])


def _agreement(row: Mapping[str, str]) -> dict[str, str]:
    if not row["ci_low"]:
        return {**row, "verdict": "of too few combos for an interval"}
    # By the lower end: a high value may be chance.
    least = float(row["ci_low"])
    verdict = (
        "reliable"
        if least >= RELIABLE
        else "tentative"
        if least >= TENTATIVE
        else "not enough to rely on"
    )
    return {**row, "verdict": verdict}


def _count(row: Mapping[str, str], *names: str) -> float:
    return sum(float(row[name]) for name in names if row[name])


def _number(text: str, digits: int = 2) -> str:
    """Return a number of a table with so many digits after the point."""
    return f"{float(text):.{digits}f}".replace("-", "−")


def _shown(path: Path, reports: Path) -> Shown:
    header, rows = read_records(path)
    file = path.relative_to(reports)
    empty = [name for name in header if rows and not any(row[name] for row in rows)]
    columns = [name for name in header if name not in empty]
    special = file.parts[0] in ("criteria", "ratings")
    name = f"{file.parts[0]}/{path.stem}" if special else path.stem
    return Shown(
        name=name,
        file=file.as_posix(),
        caption=_caption(CAPTIONS / f"{name}.rst"),
        columns=columns,
        rows=[[row[column] for column in columns] for row in rows[:ROWS]],
        total=len(rows),
        empty=empty,
    )


def _caption(path: Path) -> str:
    """Return the first paragraph of a caption."""
    first, *_ = read_text(path).split("\n\n")
    return re.sub("``(.+?)``", r"\1", " ".join(first.split()))
