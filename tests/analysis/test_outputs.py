"""The tables of a score table: what stands in them, with full data, little data and none."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from daydream.analysis import FOLDERS
from daydream.analysis.frames import csv_of, read_csv
from daydream.analysis.influence import _tau
from daydream.analysis.outputs import (
    TABLES,
    TEXT_TABLES,
    build,
    write_tables,
    write_union,
    write_view,
)
from daydream.analysis.scores import read_scores, split_stages
from daydream.analysis.union import template_model, union, view
from daydream.analysis.views import check_views, union_columns
from daydream.errors import InputError, Problems
from daydream.reports.scores import OUTCOME
from support.project import ROOT
from support.simulation import LEVELS, simulated

EVERY_TABLE = {**TABLES, "template_model": template_model}
STAGES = ("draft", "essay", "evaluation")
ONE = dict.fromkeys(LEVELS, 1)


@pytest.fixture
def frame() -> pd.DataFrame:
    """Return 2 combos × 2 drafts × 2 essays × 2 judges × 2 replicates, of whole numbers."""
    levels = {
        **ONE,
        "combo_id": 2,
        "draft_template": 2,
        "essay_template": 2,
        "evaluation_llm": 2,
        "evaluation_replicate": 2,
    }
    rows = simulated(np.random.default_rng(1), levels=levels)
    rows["score"] = [float(n % 10) for n in range(len(rows))]
    return rows


def tables(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    scores = split_stages(frame, "scores.csv")
    return {name: build(table, scores) for name, table in EVERY_TABLE.items()}


def lose(frame: pd.DataFrame, lost: pd.Series, error: str = "missing evaluation") -> pd.DataFrame:
    """Return the frame with the scores of some rows lost."""
    score, errors = frame["score"].mask(lost), frame["error"].mask(lost, error)
    return frame.assign(score=score, error=errors)


def documented() -> dict[str, list[str]]:
    """Return the columns that docs/results.md describes, by section."""
    sections = re.split(r"^## ", (ROOT / "docs/results.md").read_text(), flags=re.MULTILINE)
    found = {}
    for section in sections[1:]:
        title, _, body = section.partition("\n")
        table = re.search(r"^\| Column .*?(?=\n\n|\Z)", body, flags=re.DOTALL | re.MULTILINE)
        cells = [row.split(" | ")[0] for row in table[0].splitlines()[2:]] if table else []
        found[title] = [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]
    return found


def pattern(name: str) -> str:
    names = {
        "stage": "|".join(STAGES),
        "dimension": "temperature",
        "judge": "em._et.",
        "model": "[de]m.",
        "path": "depth",
    }
    return re.sub(r"<(\w+)>", lambda match: f"({names[match[1]]})", name)


@pytest.mark.parametrize("title", ["The score tables", *EVERY_TABLE])
def test_every_column_is_described_and_every_description_is_of_a_column(
    frame: pd.DataFrame, title: str
) -> None:
    """docs/results.md and the tables name the same columns, in the same order of first mention."""
    frame.insert(list(frame).index("essay_replicate"), "essay_temperature", "0.5")
    optional = {"cohorts": "", "expected_score": "", "answer.depth": "", "repaired": ""}
    made = {**tables(frame), "The score tables": frame.assign(**optional)}[title]
    names = documented()[title]
    for column in made:
        assert any(re.fullmatch(pattern(name), column) for name in names), column
    for name in names:
        assert any(re.fullmatch(pattern(name), column) for column in made), name


def test_the_simulated_table_has_the_columns_of_the_real_one(frame: pd.DataFrame) -> None:
    """So that what is tested here holds for aggregated_scores.csv."""
    assert set(OUTCOME) <= set(frame)
    assert list(FOLDERS) == [*TABLES, *TEXT_TABLES]


def test_generation_scores(frame: pd.DataFrame) -> None:
    """Each judge's replicates by text; scores 0, 1 of the first judge and 2, 3 of the second."""
    table = tables(frame)["generation_scores"]
    first = table.iloc[0]
    assert len(table) == 8
    assert list(first[["em0_et0", "em0_et0_min", "em0_et0_max", "em0_et0_n"]]) == [0.5, 0, 1, 2]
    assert list(first[["em1_et0", "em1_et0_min", "em1_et0_max", "em1_et0_n"]]) == [2.5, 2, 3, 2]
    assert first["normalised_mean"] == pytest.approx(1.5 / 9)
    assert list(first[["evaluations", "scored", "coverage", "judges"]]) == [4, 4, 1, 2]


def test_coverage_does_not_buy_rank(frame: pd.DataFrame) -> None:
    """A text that the lenient judge alone has judged is not ranked above its equal."""
    frame["score"] = frame["evaluation_llm"].map({"em0": 3.0, "em1": 7.0})
    lost = (frame["parent_gen_id"] == "e_0") & (frame["evaluation_llm"] == "em0")
    table = tables(lose(frame, lost))["generation_scores"]
    first = table.iloc[0]
    assert first["normalised_mean"] == pytest.approx(7 / 9)
    assert first["panel_score"] == pytest.approx(5)
    assert (table["rank"] == 1).all()
    assert list(first[["coverage", "judges", "em0_et0_n"]]) == [0.5, 1, 0]
    assert np.isnan(first["em0_et0"])


def test_judges_of_different_scales(frame: pd.DataFrame) -> None:
    """Means are on a scale from 0 to 1; a judge's own columns stay on its own."""
    second = frame["evaluation_llm"] == "em1"
    frame["score"] = np.where(second, 50.0, 4.5)
    frame["score_max"] = np.where(second, 100.0, 9.0)
    made = tables(frame)
    assert list(made["generation_scores"].iloc[0][["em0_et0", "em1_et0"]]) == [4.5, 50]
    assert (made["generation_scores"]["normalised_mean"] == 0.5).all()
    assert (made["final_results"]["mean"] == 0.5).all()
    assert (made["final_results"]["score_max"] == 1).all()


def test_final_results(frame: pd.DataFrame) -> None:
    """By every dimension and overall, with the parts of the scale."""
    frame["score"] = [0.0, 3, 6, 9] * 8
    table = tables(frame)["final_results"].set_index(["dimension", "level"])
    overall = table.loc[("overall", "")]
    assert list(overall[["count", "missing", "parents", "combos", "roots"]]) == [32, 0, 8, 2, 4]
    assert list(overall[["mean", "min", "max", "median"]]) == [4.5, 0, 9, 4.5]
    assert overall["sd"] == pytest.approx(pd.Series([0.0, 3, 6, 9] * 8).std())
    assert list(overall[["top_share", "high_share", "low_share"]]) == [0.25, 0.25, 0.25]
    dimensions = set(table.index.get_level_values("dimension"))
    assert {"combo_id", "essay_template", "draft_llm", "evaluation_replicate"} <= dimensions
    assert table.loc[("judge", "em1_et0"), "mean"] == 7.5


def test_pivot_perfect_scores_and_template_model(frame: pd.DataFrame) -> None:
    """Means by combo and recipe; scores at the scale's end; templates by model."""
    made = tables(frame)
    pivot = made["evaluation_model_template_pivot"]
    assert len(pivot) == 8
    assert list(pivot.iloc[0][["em0_et0", "em1_et0", "parents"]]) == [0.5, 2.5, 1]
    assert len(made["perfect_scores"]) == (frame["score"] == 9).sum() == 3
    row = made["template_model"].set_index(["of_stage", "template"]).loc[("evaluation", "et0")]
    means = frame.groupby("evaluation_llm")["score"].mean()
    assert list(row[["em0", "em1", "em0_n", "em1_n"]]) == [means["em0"], means["em1"], 16, 16]


def test_known_effects_are_found() -> None:
    """The better template leads, its gain is in its interval, and Holm's p-value is small."""

    def gain(rows: pd.DataFrame) -> pd.Series:
        return rows["essay_template"].map({"et0": 0.0, "et1": 1.0, "et2": 1.0})

    levels = {"combo_id": 10, "draft_llm": 1, "essay_template": 3, "evaluation_template": 1}
    sd = {"draft": 0.5, "essay": 0.3, "replicate": 0.3}
    found = simulated(np.random.default_rng(2), levels=levels, sd=sd, fixed=gain, missing=0.1)
    made = tables(found)
    assert made["leaderboard"]["essay_template"].iloc[-1] == "et0"
    pairs = made["comparisons"].query("dimension == 'essay_template'")
    pairs = pairs.set_index(["level", "other_level"])
    for other in ("et1", "et2"):
        row = pairs.loc[("et0", other)]
        assert row["ci_low"] < -1 < row["ci_high"] < 0
        assert row["p_value"] <= row["p_holm"] < 0.01
    same = pairs.loc[("et1", "et2")]
    assert same["ci_low"] < 0 < same["ci_high"]
    assert same["p_holm"] > 0.05


def test_comparisons_take_only_what_is_shared(frame: pd.DataFrame) -> None:
    """A level that was only tried where scores are high has no gain of it."""
    frame["score"] = np.where(frame["combo_id"] == "combo1", 9.0, 1.0)
    lost = (frame["combo_id"] == "combo0") & (frame["essay_template"] == "et1")
    made = tables(lose(frame, lost))
    row = made["comparisons"].set_index("dimension").loc["essay_template"]
    assert list(row[["cells", "combos", "mean", "other_mean", "difference"]]) == [4, 1, 9, 9, 0]
    means = made["final_results"].set_index(["dimension", "level"])["mean"]
    assert means[("essay_template", "et1")] > means[("essay_template", "et0")]


def test_coverage_says_what_is_missing_and_why(frame: pd.DataFrame) -> None:
    """A row a cell and kind; nothing where nothing is missing."""
    assert tables(frame)["coverage"].empty
    found = lose(frame, frame["gen_id"] == "v_0", "[parse] evaluation v_0: no score in 'x'")
    found = lose(found, found["gen_id"] == "v_1", "missing essay")
    table = tables(found)["coverage"].set_index("kind")
    assert set(table.index) == {"parse", "missing essay"}
    counts = ["missing", "scored", "planned", "gen_id"]
    assert list(table.loc["parse", counts]) == [1, 0, 2, "v_0"]


def test_every_table_of_a_slice_says_so(frame: pd.DataFrame) -> None:
    """Its last column is what the run has left out."""
    frame["slice"] = '{"where": {"combo_id": "combo*"}}'
    for name, table in tables(frame.assign(score=9.0)).items():
        assert list(table)[-1] == "slice", name
        assert (table["slice"] == '{"where": {"combo_id": "combo*"}}').all(), name


def test_every_table_of_a_part_says_so(frame: pd.DataFrame) -> None:
    """In its column `partial`, or by counts of its own; with all scores there is nothing to say."""
    lost = frame["gen_id"].isin(["v_0", "v_5"])
    for name, table in tables(lose(frame, lost).assign(score_max=8.0)).items():
        assert not table.empty, name
        if "partial" in table:
            assert (table["partial"] == "2 of 32 evaluations have no score").all(), name
        else:
            assert {"missing", "scored"} & {*table}, name
    for name, table in tables(frame.assign(score=9.0)).items():
        assert (table.get("partial", pd.Series([""])) == "").all(), name


def test_stale_scores_are_a_kind_of_their_own(frame: pd.DataFrame) -> None:
    """By the stage that is stale, not by generation, and not as if a number were wrong."""
    found = lose(frame, frame["gen_id"] == "v_0", "stale essay e_0: template changed")
    found = lose(found, found["gen_id"] == "v_1", "stale essay e_1: template changed")
    found = lose(found, found["gen_id"] == "v_2", "missing essay: raw.txt is missing")
    assert list(tables(found)["coverage"]["kind"].unique()) == ["stale essay", "missing essay"]


SMALL = {
    "one evaluation": ONE,
    "one judge": {**LEVELS, "combo_id": 2, "evaluation_template": 1, "evaluation_llm": 1},
    "one model, no replicate": {**LEVELS, "draft_llm": 1, "evaluation_replicate": 1},
    "two of everything but combos": dict.fromkeys(LEVELS, 2) | {"combo_id": 1},
}


@pytest.mark.parametrize("levels", SMALL.values(), ids=SMALL)
def test_little_data_gives_empty_intervals(levels: dict[str, int]) -> None:
    """No warning, no crash, and no interval for new combos from fewer than three."""
    frame = simulated(np.random.default_rng(3), levels=levels, sd={"essay": 1, "residual": 1})
    for table in tables(frame).values():
        if "combos" in table and "ci_low" in table:
            assert table.loc[table["combos"] < 3, ["ci_low", "ci_high"]].isna().all(axis=None)


def test_one_evaluation_has_a_mean_and_nothing_else(frame: pd.DataFrame) -> None:
    """No deviation, no agreement, no component, nothing to compare."""
    made = tables(frame.head(1).assign(score=4.0))
    overall = made["final_results"].iloc[0]
    assert overall["mean"] == 4
    assert np.isnan(overall["sd"])
    assert made["leaderboard"].iloc[0]["panel_score"] == 4
    assert made["judge_agreement"]["value"].isna().all()
    assert made["variance"]["variance"].isna().all()
    assert (made["variance"]["note"] == "needs two levels").all()
    assert made["comparisons"].empty


def test_equal_scores_give_no_false_certainty(frame: pd.DataFrame) -> None:
    """Where all scores are the same there is no interval, and no agreement beyond chance."""
    made = tables(frame.assign(score=5.0))
    for table in made.values():
        if "ci_low" in table:
            assert table[["ci_low", "ci_high"]].isna().all(axis=None)
    agreement = made["judge_agreement"].set_index("measure")["value"]
    assert agreement[["alpha", "pearson", "spearman"]].isna().all()


@pytest.mark.parametrize("rows", ["none", "no score"])
def test_nothing_gives_headers(frame: pd.DataFrame, tmp_path: Path, rows: str) -> None:
    """Every table, from a score table without rows or without any score, through the files."""
    empty = frame.head(0) if rows == "none" else lose(frame, frame["score"].notna())
    source = tmp_path / "scores.csv"
    empty.to_csv(source, index=False)
    output = {name: str(tmp_path / f"{name}.csv") for name in TABLES}
    write_tables(str(source), output)
    full = tables(frame)
    for name, path in output.items():
        header = Path(path).read_text().splitlines()[0].split(",")
        own = [column for column in full[name] if not column.startswith("em")]
        assert [column for column in header if not column.startswith("em")] == own, name
    cross = {"rows": str(tmp_path / "all.csv"), "template_model": str(tmp_path / "tm.csv")}
    write_union([str(source)], **cross)
    assert len(pd.read_csv(cross["rows"])) == len(empty)


def test_two_scored_stages_stand_below_each_other(frame: pd.DataFrame) -> None:
    """A chain whose essays are scored, too: `stage` tells the rows apart."""
    essays = frame.drop_duplicates("parent_gen_id").assign(
        gen_id=lambda rows: rows["essay_gen_id"],
        parent_gen_id=lambda rows: rows["draft_gen_id"],
        essay_gen_id="",
        evaluation_template="",
        evaluation_llm="",
        evaluation_replicate="",
    )
    table = tables(pd.concat([frame, essays], ignore_index=True))["final_results"]
    overall = table[table["dimension"] == "overall"].set_index("stage")["count"]
    assert overall.to_dict() == {"essay": 8, "evaluation": 32}


def test_the_union_has_each_generation_once(frame: pd.DataFrame) -> None:
    """With the cohorts that have it, and its score where one of them has it."""
    first = lose(frame, frame["gen_id"] == "v_0")
    second = frame.head(4).assign(cohort_id="c2")
    rows = union([first, second])
    assert rows["gen_id"].tolist() == frame["gen_id"].tolist()
    assert rows["cohorts"].tolist() == ["c1 c2"] * 4 + ["c1"] * 28
    assert rows["score"].notna().all()
    table = build(template_model, split_stages(rows, "union"))
    counts = table.set_index(["of_stage", "template"])[["em0_n", "em1_n"]]
    assert counts.loc[("evaluation", "et0")].sum() == 32


def test_cohorts_of_different_dimensions_are_united(frame: pd.DataFrame) -> None:
    """A cohort without a dimension has nothing there."""
    warm = frame.assign(cohort_id="c2", gen_id="w" + frame["gen_id"], essay_temperature="0.5")
    rows = union([frame, warm])
    assert set(rows["essay_temperature"]) == {"", "0.5"}
    assert tables(rows)["final_results"].query("dimension == 'overall'")["count"].item() == 64


def test_a_view_is_what_matches(frame: pd.DataFrame) -> None:
    """Exact values, lists and patterns; its rows say that they are a slice."""
    rows = union([frame])
    where = {"essay_template": ["et1"], "evaluation_llm": "em*"}
    found = view(rows, where=where, exclude={"combo_id": "combo0"}, source="views.v")
    assert set(found["essay_template"]) == {"et1"}
    assert set(found["combo_id"]) == {"combo1"}
    assert len(found) == 8
    assert found["slice"].str.contains('"exclude": {"combo_id": "combo0"}', regex=False).all()
    everything = view(rows, where={}, exclude={}, source="views.v")
    assert everything.equals(rows)


@pytest.mark.parametrize(
    ("condition", "kept"),
    [
        (7, {7}),
        ("7", {7}),
        ([7, 8.0], {7, 8}),
        (">=7", {7, 8, 9}),
        ("> 7", {8, 9}),
        ("<=1", {0, 1}),
        (">=3 <5", {3, 4}),
        (["<1", ">8.5"], {0, 9}),
        (">9", set()),
        (12, set()),
    ],
)
def test_a_view_of_scores(frame: pd.DataFrame, condition: object, kept: set[float]) -> None:
    """As numbers, one or a list, or by comparison; it may match no row."""
    rows = union([lose(frame, frame.index == 3)])
    found = view(rows, where={"score": condition}, exclude={}, source="views.v")
    assert set(found["score"]) == kept
    others = view(rows, where={}, exclude={"score": condition}, source="views.v")
    assert len(found) + len(others) == len(rows)
    assert others["score"].isna().sum() == 1


def test_a_view_of_what_has_no_score(frame: pd.DataFrame) -> None:
    """An empty condition means it; and a comparison takes texts that are numbers."""
    rows = union([lose(frame, frame.index == 3)])
    assert len(view(rows, where={"score": ""}, exclude={}, source="views.v")) == 1
    found = view(rows, where={"evaluation_replicate": "<2"}, exclude={}, source="views.v")
    assert set(found["evaluation_replicate"]) == {"1"}


VIEW_COLUMNS = ["gen_id", "cohort_id", "combo_id", "essay_template", "score"]


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ({"essay_templat": "a"}, ["views.v.where.essay_templat", "did you mean 'essay_template'"]),
        ({"cohort_id": "c1"}, ["which is not a column", "'cohorts'"]),
        ({"score": ">=x"}, ["'>=x', which is not a comparison", "such as '>=3 <7'"]),
        ({"score": [3, "<"]}, ["found '<'"]),
    ],
)
def test_a_view_is_checked_by_its_columns_alone(where: dict[str, object], words: list[str]) -> None:
    """So that a mistake is told before the first job."""
    columns = union_columns(VIEW_COLUMNS)
    sound = {"cohorts": "c*", "score": [">=3 <7", 9], "essay_template": "et*"}
    check_views({"v": {"where": sound, "exclude": {"gen_id": "x"}}}, columns, file="config.yaml")
    with pytest.raises(InputError) as caught:
        check_views({"v": {"where": where}}, columns, file="config.yaml")
    assert all(word in str(caught.value) for word in words)


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ({"essay_templat": "et1"}, ["where.essay_templat", "did you mean 'essay_template'"]),
        ({"scores": ">9"}, ["where.scores", "did you mean 'score'"]),
        ({"essay_template": ["et1", "et7"]}, ["'et7'", "which no row has there"]),
    ],
)
def test_a_view_of_what_there_is_not_is_refused(
    frame: pd.DataFrame, where: dict[str, object], words: list[str]
) -> None:
    """With the place and the nearest names; a slice may lack a value."""
    with pytest.raises(InputError) as caught:
        view(union([frame]), where=where, exclude={}, source="config.yaml, views.v")
    assert all(word in str(caught.value) for word in words)
    if "essay_template" in where:
        part = union([frame.assign(slice="{}")])
        assert len(view(part, where=where, exclude={}, source="config.yaml, views.v")) == 16


def test_files_of_the_union_keep_the_scores_as_they_are(
    frame: pd.DataFrame, tmp_path: Path
) -> None:
    """No digit is lost from table to union to view, and a view may be empty."""
    source = tmp_path / "scores.csv"
    frame.assign(score=19 / 3).to_csv(source, index=False)
    paths = {name: str(tmp_path / f"{name}.csv") for name in ("rows", "template_model")}
    write_union([str(source)], **paths)
    (scores,) = read_scores(paths["rows"])
    assert (scores.rows["score"] == 19 / 3).all()
    both = {"where": {"combo_id": "combo0"}, "exclude": {"cohorts": "c1"}}
    views = {name: f"{path}.view.csv" for name, path in paths.items()}
    write_view(paths["rows"], name="v", conditions=both, **views)
    assert Path(views["template_model"]).read_text().startswith("stage,of_stage,template,")


def test_names_like_formulas_are_run_by_no_spreadsheet(frame: pd.DataFrame, tmp_path: Path) -> None:
    """In any cell or header of any table; and all that reads one has the names as they are."""
    name = "=cmd|' /C calc'!A0"
    named = frame.replace({"evaluation_llm": {"em0": name}, "essay_template": {"et0": "-et"}})
    lost = lose(named, named["gen_id"] == named["gen_id"][0], "@error\rof two lines")
    source = tmp_path / "scores.csv"
    source.write_text(csv_of(lost))
    paths = {table: str(tmp_path / f"{table}.csv") for table in TABLES}
    write_tables(str(source), paths)
    cross = {name: str(tmp_path / f"{name}.union.csv") for name in ("rows", "template_model")}
    write_union([str(source)], **cross)
    for path in [*map(str, (source, *paths.values())), *cross.values()]:
        with Path(path).open(newline="") as file:
            cells = [cell for row in csv.reader(file, strict=True) for cell in row]
        assert not [cell for cell in cells if re.match(r"[=@]|-(?![\d.]+(e-?\d+)?$)", cell)], path
    for path in (str(source), cross["rows"]):
        (scores,) = read_scores(path)
        assert {name, "em1"} == set(scores.rows["evaluation_llm"])
        assert {"-et", "et1"} == set(scores.rows["essay_template"])
        assert (scores.rows["error"] == "@error\rof two lines").sum() == 1
    assert f"{name}_et0" in read_csv(paths["generation_scores"], Problems("test")).columns
    shown = {each: f"{path}.view.csv" for each, path in cross.items()}
    write_view(cross["rows"], name="v", conditions={"where": {"evaluation_llm": name}}, **shown)
    assert set(read_scores(shown["rows"])[0].rows["evaluation_llm"]) == {name}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, ["cannot be read"]),
        ("", ["is not a table"]),
        ("gen_id,score\nv_1,3\n", ["lacks the column 'parent_gen_id'"]),
    ],
)
def test_a_file_that_is_no_score_table_is_refused(
    tmp_path: Path, text: str | None, words: list[str]
) -> None:
    """One line that names the file and what to do."""
    path = tmp_path / "scores.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_scores(path)
    assert all(word in str(caught.value) for word in [*words, "scores.csv"])


def test_a_score_that_is_no_number_is_refused_and_an_infinite_one_is_missing(
    frame: pd.DataFrame, tmp_path: Path
) -> None:
    """The row is named; infinity is reported in coverage."""
    path = tmp_path / "scores.csv"
    frame.astype({"score": str}).replace({"score": {"3.0": "three"}}).to_csv(path, index=False)
    with pytest.raises(InputError, match="score: found 'three' for v_3"):
        read_scores(path)
    frame.replace({"score": {3.0: np.inf}}).to_csv(path, index=False)
    coverage = build(TABLES["coverage"], read_scores(path))
    assert set(coverage["kind"]) == {"no number"}


@pytest.mark.parametrize("seed", range(12))
def test_every_table_of_a_small_design_at_random(seed: int) -> None:
    """However few levels there are, whatever is lost, and also if all scores are equal."""
    rng = np.random.default_rng(seed)
    levels = dict(ONE)
    while np.prod(list(levels.values())) < 2:
        levels |= {
            name: int(rng.choice([1, 1, 2, 3])) for name in rng.choice([*LEVELS], 4, replace=False)
        }
    rows = simulated(rng, levels=levels)
    rows["score"] = rng.integers(0, rng.choice([1, 2, 10]), len(rows)).astype(float)
    found = tables(lose(rows, pd.Series(rng.random(len(rows)) < rng.choice([0, 0, 0.4]))))
    assert found.keys() == EVERY_TABLE.keys()
    assert not found["variance"].empty


def test_a_single_text_says_nothing_about_agreement() -> None:
    """Whatever its judges said of it."""
    rows = simulated(np.random.default_rng(1), levels={**ONE, "evaluation_llm": 3})
    rows["score"] = [5.0, 6.0, 8.0]
    table = tables(rows)["judge_agreement"].set_index("measure")
    assert table.loc[["alpha", "ac2"], "value"].isna().all()


@pytest.mark.parametrize("combos", [1, 3])
def test_no_design_is_told_from_what_says_nothing_of_texts(combos: int) -> None:
    """One text per recipe of a single combo, or scores that are all equal: not a width of zero."""
    levels = {**ONE, "combo_id": combos, "essay_template": 2, "evaluation_llm": 3}
    rows = simulated(np.random.default_rng(1), levels=levels)
    if combos > 1:
        rows["score"] = 5.0
    assert tables(rows)["allocation"].empty


def test_rankings_with_ties_do_not_hang_on_rounding() -> None:
    """Means that are equal but for their last digits are ties, as they are in the ranks."""
    everyone = pd.Series([1.0, 2.0, 3.0, 4.0])
    noisy = pd.Series([1.0, 2.0, 2.0 - 1e-15, 4.0])
    assert _tau(everyone, noisy) == _tau(everyone, pd.Series([1.0, 2.0, 2.0, 4.0]))
