"""Tables of ratings: what is taken, and every mistake with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from daydream.catalog.ratings import Rating, load_ratings
from daydream.catalog.records import Template
from daydream.cohorts.rated import check_rated
from daydream.errors import InputError
from daydream.generations.row import Generation
from daydream.settings import Stage

HEADER = "rater,template,gen_id,score,other_gen_id,choice,comment,cohort,text_sha256\n"


def template(stage: str, name: str, high: float = 9) -> Template:
    return Template(
        stage=stage,
        template_id=name,
        name=name,
        description="",
        parser="identity",
        generator="llm",
        score_min=0,
        score_max=high,
        path=None,
    )


TEMPLATES = {
    "evaluation": {
        "judge": template("evaluation", "judge"),
        "both": template("evaluation", "both"),
    },
    "review": {"depth": template("review", "depth", 1), "both": template("review", "both")},
}


def load(directory: Path, **files: str) -> tuple[Rating, ...]:
    for name, text in files.items():
        (directory / f"{name}.csv").write_text(text)
    return load_ratings(directory, TEMPLATES).rows


def problems(directory: Path, **files: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        load(directory, **files)
    return [line.replace(f"{directory}/", "") for line in str(caught.value).splitlines()]


def test_texts_and_pairs_are_read(tmp_path: Path) -> None:
    """Guards of spreadsheets come off, stages follow from templates; no directory is no rating."""
    text = "anna,judge,e_1,7.5,,,'=so,c1,0123456789abcdef\nanna,depth,e_1,,e_2,tie,,,\n"
    single, pair = load(tmp_path, a=HEADER + text)
    assert (single.stage, single.score, single.comment, single.line) == (
        "evaluation",
        7.5,
        "=so",
        2,
    )
    assert (pair.stage, pair.score, pair.choice, pair.other_gen_id) == (
        "review",
        None,
        "tie",
        "e_2",
    )
    assert load_ratings(tmp_path / "none", TEMPLATES) == ((), (), "")


def test_what_is_said_twice_counts_once(tmp_path: Path) -> None:
    """A second export holds the first; what contradicts it is refused, a pair turned round too."""
    said = "anna,judge,e_1,7,,,,,\nanna,judge,e_1,,e_2,a,,,\n"
    assert len(load(tmp_path, a=HEADER + said, b=HEADER + said)) == 2
    assert len(load(tmp_path, b=HEADER + "anna,judge,e_2,,e_1,b,,,\n")) == 2
    other = "anna,judge,e_1,8,,,,,\nanna,judge,e_2,,e_1,a,,,\n"
    found = problems(tmp_path, b=HEADER + other)
    assert found == [
        "[ratings] b.csv, line 2: found an answer of 'anna' that contradicts the one in a.csv, "
        "line 2; remove one of the two",
        "[ratings] b.csv, line 3: found an answer of 'anna' that contradicts the one in a.csv, "
        "line 3; remove one of the two",
    ]
    again = "anna,judge,e_1,8,,,,,00000000\n"
    assert len(load(tmp_path, b=HEADER + again)) == 3, "of the text as it was made again"


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("anna,judge,e_1,,,,,,", "column score: found an empty cell for a single text"),
        ("anna,judge,e_1,x,,,,,", "column score: found 'x', which is not a number"),
        ("anna,depth,e_1,2,,,,,", "column score: found '2', which is outside the scale of depth"),
        ('anna,depth,e_1,"0,5",,,,,', "which is not a number; write a decimal point: 0.5"),
        ("anna,judge,e_1,3,e_2,a,,,", "column score: found '3', beside a pair"),
        ("anna,judge,e_1,,e_2,,,,", "column choice: found an empty cell for a pair"),
        ("anna,judge,e_1,,,a,,,", "column other_gen_id: found an empty cell for a pair"),
        ("anna,judge,e_1,,e_1,a,,,", "column other_gen_id: found 'e_1', which is the first text"),
        ("anna,both,e_1,3,,,,,", "column stage: found an empty cell where several stages have"),
        ("anna,jugde,e_1,3,,,,,", "column template: found 'jugde', which is not a template of"),
        ("anna,judge,e_1,3,,,,,XYZ", "column text_sha256: found 'XYZ', which is not the beginning"),
        (",judge,e_1,3,,,,,", "column rater: found an empty cell; fill it"),
    ],
)
def test_mistakes_are_refused_with_their_place(tmp_path: Path, row: str, said: str) -> None:
    """File, line, column, what was found and what to do."""
    (found,) = problems(tmp_path, a=f"{HEADER}{row}\n")
    assert found.startswith("[ratings] a.csv, line 2, ")
    assert said in found


def test_a_text_that_is_gone_counts_as_a_mistake_only_by_hand(tmp_path: Path) -> None:
    """The page writes its cohort: what it rated may have left the design since."""
    stages = {
        "essay": Stage(name="essay", prefix="e"),
        "evaluation": Stage(name="evaluation", prefix="v", parent="essay", scored=True),
    }
    essay, evaluation = (
        Generation(stage, gen_id, "c1", "", "pair", "t", "m", "1", (), "")
        for stage, gen_id in (("essay", "e_1"), ("evaluation", "v_1"))
    )
    text = "anna,judge,e_9,3,,,,c1,\nanna,judge,e_8,3,,,,,\nanna,judge,v_1,3,,,,c1,\n"
    rows = load(tmp_path, a=HEADER + text)
    with pytest.raises(InputError) as caught:
        check_rated(rows, {"c1": [essay, evaluation]}, stages)
    first, second = str(caught.value).splitlines()
    assert "line 3, column gen_id: found 'e_8', which is not a text of the cohorts c1" in first
    assert "did you mean 'e_1'?" in first
    assert "line 4, column gen_id: found 'v_1', a generation of the stage evaluation" in second


def test_a_score_of_another_scale_is_kept_apart(tmp_path: Path) -> None:
    """It is not read as one of today's scale, within that or not."""
    header = "rater,template,gen_id,score,score_min,score_max\n"
    rows = load(tmp_path, a=f"{header}anna,judge,e_1,50,0,100\nanna,judge,e_2,4,0,9\n")
    assert [row.old_scale for row in rows] == ["0 to 100", ""]


def test_an_export_may_hold_a_text_on_the_old_scale_and_on_the_new_one(tmp_path: Path) -> None:
    """The page asks again after an edit of the scale, and exports both answers."""
    header = "rater,template,gen_id,score,text_sha256,score_min,score_max\n"
    old, new = "anna,judge,e_1,50,01234567,0,100\n", "anna,judge,e_1,4,01234567,0,9\n"
    assert [row.score for row in load(tmp_path, a=header + old + new)] == [50, 4]


def test_the_suffix_may_be_in_capitals(tmp_path: Path) -> None:
    (tmp_path / "A.CSV").write_text(HEADER + "anna,judge,e_1,7,,,,,\n")
    assert len(load_ratings(tmp_path, TEMPLATES).rows) == 1


def test_names_that_are_surely_the_same_are_one_rater(tmp_path: Path) -> None:
    """Blanks, case and composed letters do not tell people apart; accents do."""
    names = ["Zoë  Lee", " zoe\u0308 lee", "ZOË\u00a0LEE", "Zoe Lee"]
    rows = [f"{name},judge,e_{number},7,,,,," for number, name in enumerate(names)]
    found = load(tmp_path, a=HEADER + "\n".join([*rows, ""]))
    assert [row.rater for row in found] == ["Zoë Lee", "Zoë Lee", "Zoë Lee", "Zoe Lee"]
    [line] = problems(tmp_path, b=HEADER + "zoë lee,judge,e_0,6,,,,,\n")
    assert "b.csv, line 2: found an answer of 'Zoë Lee' that contradicts the one in" in line


def test_what_is_not_read_is_told(tmp_path: Path) -> None:
    """Other kinds of tables, and directories; not what programs leave beside a table."""
    for name in ("~$a.xlsx", ".DS_Store", ".~lock.a.ods#", "a.csv~", "README.md", "Thumbs.db"):
        (tmp_path / name).touch()
    assert load_ratings(tmp_path, TEMPLATES).unread == ""
    (tmp_path / "a.xlsx").touch()
    said = f"{tmp_path} holds a.xlsx, which is not read: save tables there as CSV (UTF-8)"
    assert load_ratings(tmp_path, TEMPLATES).unread == said
    (tmp_path / "old").mkdir()
    (tmp_path / "b.csv").mkdir()
    (tmp_path / "c.tsv").touch()
    said = f"{tmp_path} holds a.xlsx, b.csv/, c.tsv and 1 more, which are not read: save"
    assert load_ratings(tmp_path, TEMPLATES).unread.startswith(said)
