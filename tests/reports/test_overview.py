"""The overview of a cohort and the page of its tables, from tables alone."""

from __future__ import annotations

from pathlib import Path

from daydream.reports.overview import ROWS, write_overview
from daydream.tables import csv_text

HOSTILE = "</main><script>alert(1)</script>\n\nx"


def table(directory: Path, name: str, *rows: dict[str, object]) -> str:
    path = directory / f"{name}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(csv_text([*rows[0]], (row.values() for row in rows)), encoding="utf-8")
    return str(path)


def recipe(group: int, template: str, mean: float, **interval: float) -> dict[str, object]:
    estimates = {"ci_low": "", "ci_high": "", "rank_low": "", "rank_high": "", "p_best": ""}
    names = {"group": group, "rank": 1, "draft_template": template, "draft_llm": "m1", "parents": 3}
    scale = {"panel": "adjusted", "score_min": 0, "score_max": 9}
    return {"stage": "judging", **names, "panel_score": mean, **estimates, **interval, **scale}


def call(gen_id: str, mode: str, cost: str, state: str = "complete") -> dict[str, object]:
    tokens = {"prompt_tokens": 100, "completion_tokens": 23}
    names = {"gen_id": gen_id, "stage": "draft", "template_id": HOSTILE, "llm_model_id": "m1"}
    return {**names, "mode": mode, "state": state, **tokens, "cost_usd": cost, "slice": ""}


def agreement(measure: str, value: object, **interval: float) -> dict[str, object]:
    bounds = {"ci_low": "", "ci_high": "", **interval}
    return {"stage": "judging", "measure": measure, "value": value, **bounds, "parents": 40}


def test_an_overview_says_what_the_tables_say(tmp_path: Path) -> None:
    """Counts, groups with and without intervals, agreement, failures and cost; names are texts."""
    calls = [call("d1", "llm", "0.5"), call("d2", "llm", ""), call("d3", "", "", "missing")]
    alpha = agreement("alpha", 0.83, ci_low=0.61, ci_high=0.91)
    biases = [agreement("bias", 0.5), agreement("bias", -0.5)]
    board = [
        recipe(1, "a", 7, ci_low=6.5, ci_high=7.5, rank_low=1, rank_high=2, p_best=0.75),
        recipe(1, HOSTILE, -0.14, ci_low=-0.2, ci_high=0.1, rank_low=2, rank_high=2, p_best=0.003),
        recipe(2, "c", 8),
    ]
    leaderboard = table(tmp_path / "summary", "leaderboard", *board)
    files = {
        "membership": table(
            tmp_path,
            "membership",
            *({"gen_id": f"d{n}", "combo_id": f"c{n % 2}"} for n in (1, 2, 3)),
        ),
        "scores": table(tmp_path, "scores", {"score": 5}, {"score": ""}, {"score": ""}),
        "calls": table(tmp_path, "calls", *calls),
        "coverage": table(tmp_path, "coverage", {"kind": "parse", "missing": 2}),
        "leaderboard": leaderboard,
        "judge_agreement": table(tmp_path, "agreement", alpha, *biases),
        "tables": [leaderboard],
        "criteria": [table(tmp_path / "criteria", "leaderboard", *[{"n": 1, "slice": ""}] * 600)],
        "ratings": [],
    }
    overview, tables = (tmp_path / name for name in ("overview.html", "tables.html"))
    write_overview("c1", files, [str(overview), str(tables)])
    page = " ".join(overview.read_text(encoding="utf-8").split())
    for said in (
        "On 2 combos",
        "2 of 3</td>",
        "2 of 3 evaluations have no score",
        "Group 1 of 2",
        "7.00 (6.50 to 7.50)",
        '<th scope="row">c · m1</th>',
        "Means are adjusted for judges and combos, on the scale",
        "<td>1–2</td> <td>75 %</td>",
        "<td>2–2</td> <td>&lt;1 %</td>",
        "−0.14 (−0.20 to 0.10)",
        "is 0.83 (0.61 to 0.91) over 40 texts: not enough to rely on",
        "parse: 2 evaluations (66.7 %)",
        "2 answers of models, 246 tokens, 0.5000 USD without 1 answer of unknown price",
    ):
        assert said in page, said
    for text in (overview.read_text(encoding="utf-8"), tables.read_text(encoding="utf-8")):
        assert text.count("</main>") == 1
        assert "<script" not in text
    shown = tables.read_text(encoding="utf-8")
    assert f"the first {ROWS} of 600 rows · empty columns left out: slice" in shown
    assert 'href="criteria/leaderboard.csv"' in shown
