"""A cohort's spec bundle is read into a design, or refused with everything that is wrong."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from daydream.cohorts.spec import Spec, canonical_axis, load_spec, other_cohorts
from daydream.errors import InputError
from support.project import ROOT

MANUAL = ROOT / "docs/spec.md"
STAGES = ("draft", "essay", "evaluation")


def load(
    directory: Path, config: str | Mapping[str, Any], files: Mapping[str, str] | None = None
) -> Spec:
    """Write a bundle and read it."""
    text = config if isinstance(config, str) else yaml.safe_dump(config, sort_keys=False)
    for name, content in {"config.yaml": text, **(files or {})}.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return load_spec(directory / "config.yaml", STAGES)


def rows(spec: Spec) -> list[str]:
    """Return the rows of a spec, each as its levels with blanks between."""
    return [" ".join(row) for row in spec.design.rows()]


# The join, of random specs


def level(spec: Mapping[str, Any], name: str, row: Mapping[str, str]) -> Any:
    """Return what a row holds of an axis, a tuple or a pair."""
    rules = spec["rules"]
    if name in rules["tuples"]:
        return [row[axis] for axis in rules["tuples"][name]["axes"]]
    if name in rules["pairs"]:
        pair = rules["pairs"][name]
        return [level(spec, pair["left"], row), level(spec, pair["right"], row)]
    return row[name]


def allows(spec: Mapping[str, Any], row: Mapping[str, str]) -> bool:
    """Tell whether each rule of a spec, on its own, allows a row."""
    rules = spec["rules"]
    return (
        all(row[axis] in keep for axis, keep in rules["subsets"].items())
        and all(len({row[axis] for axis in tie["axes"]}) == 1 for tie in rules["ties"].values())
        and all(level(spec, name, row) in rule["allowed"] for name, rule in rules["pairs"].items())
        and all(level(spec, name, row) in rule["items"] for name, rule in rules["tuples"].items())
    )


@st.composite
def specs(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a spec whose pairs may take axes, tuples and other pairs as sides."""
    axes: dict[str, list[str]] = {
        axis: draw(st.lists(st.sampled_from("wxyz"), min_size=1, max_size=3, unique=True))
        for axis in "abcdef"[: draw(st.integers(2, 6))]
    }
    rules: dict[str, dict[str, Any]] = {"subsets": {}, "ties": {}, "pairs": {}, "tuples": {}}
    several = st.lists(st.sampled_from(sorted(axes)), min_size=2, max_size=3, unique=True)

    def some(values: list[Any]) -> list[Any]:
        return draw(st.lists(st.sampled_from(values), min_size=1, max_size=8))

    # The levels and axes of everything that may be a side.
    sides = {axis: (list(levels), {axis}) for axis, levels in axes.items()}
    for number in range(draw(st.integers(0, 2))):
        names = draw(several)
        items = some([list(item) for item in itertools.product(*(axes[name] for name in names))])
        rules["tuples"][f"tuple{number}"] = {"axes": names, "items": items}
        sides[f"tuple{number}"] = (items, set(names))
    for number in range(draw(st.integers(0, 3))):
        left = draw(st.sampled_from(sorted(sides)))
        others = [name for name in sorted(sides) if sides[name][1].isdisjoint(sides[left][1])]
        if others:
            right = draw(st.sampled_from(others))
            product = itertools.product(sides[left][0], sides[right][0])
            allowed = some([list(pair) for pair in product])
            rules["pairs"][f"pair{number}"] = {"left": left, "right": right, "allowed": allowed}
            sides[f"pair{number}"] = (allowed, sides[left][1] | sides[right][1])
    for axis in draw(st.sets(st.sampled_from(sorted(axes)), max_size=1)):
        rules["subsets"][axis] = some(axes[axis])
    for names in draw(st.lists(several, max_size=1)):
        if set.intersection(*(set(axes[name]) for name in names)):
            rules["ties"]["tie"] = {"axes": names}
    return {"axes": axes, "rules": rules}


def read(config: Mapping[str, Any]) -> list[tuple[str, ...]] | None:
    """Return the rows of a spec, None if it is refused for having none."""
    with TemporaryDirectory() as directory:
        try:
            return list(load(Path(directory), config).design.rows())
        except InputError as error:
            assert "leave no row together" in str(error)
            return None


@given(specs())
def test_the_design_is_the_natural_join(config: dict[str, Any]) -> None:
    """The rows are those of the full product that every rule allows, in declared order."""
    product = itertools.product(*config["axes"].values())
    expected = [
        row for row in product if allows(config, dict(zip(config["axes"], row, strict=True)))
    ]
    assert (read(config) or []) == expected


@given(specs(), st.randoms(use_true_random=False))
def test_the_order_of_rules_does_not_matter(config: dict[str, Any], random: Any) -> None:
    """Kinds of rules, the rules of a kind and their entries may be written in any order."""

    def shuffled(rules: dict[str, Any]) -> dict[str, Any]:
        names = list(rules)
        random.shuffle(names)
        return {name: rules[name] for name in names}

    other = {
        "rules": shuffled({kind: shuffled(rules) for kind, rules in config["rules"].items()}),
        "axes": config["axes"],
    }
    assert read(other) == read(config)


# What a spec may say


def test_levels_are_the_text_as_written(tmp_path: Path) -> None:
    """Numbers, booleans and dates keep their spelling; quotes are not part of a level."""
    spec = load(tmp_path, "axes: {a: [1, 1.10, yes, 2024-01-01, 'null', 0x1F]}")
    assert spec.design.axes["a"] == ("1", "1.10", "yes", "2024-01-01", "null", "0x1F")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("items/a.csv", "anything\nx\n1.10\n#y\n", id="csv"),
        pytest.param("a.txt", "x\n\n  1.10 \r\n#y", id="txt"),
        pytest.param("a.yaml", "- x\n- 1.10\n- '#y'\n", id="yaml"),
        pytest.param("a.yml", "[x, 1.10, '#y']", id="yml"),
        pytest.param("a.json", '["x", 1.10, "#y"]', id="json"),
    ],
)
def test_levels_may_come_from_a_file(tmp_path: Path, name: str, content: str) -> None:
    """A file of any of the formats gives the levels as it writes them, in its order."""
    spec = load(tmp_path, {"axes": {"a": f"@file:{name}"}}, {name: content})
    assert spec.design.axes["a"] == ("x", "1.10", "#y")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "\ufeffLevels;\r\nx;\r\n;\r\ny;\r\n"),
        ("a.csv", "sep=;\r\nLevels;;\r\nx;;\r\ny;;\r\n"),
        ("a.tsv", "Levels\nx\ny\n"),
        ("t.csv", "b;a\r\n1;x\r\n1;y\r\n;\r\n"),
        ("t.tsv", "a\tb\t\nx\t1\t\ny\t1\t\n"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_tables_may_be_a_spreadsheets(
    tmp_path: Path, name: str, content: str, encoding: str
) -> None:
    """Its blank rows and columns, separators and encodings, in lists and in tuples."""
    (tmp_path / name).write_bytes(content.encode(encoding))
    config = f"axes: {{a: '@file:{name}', b: [1]}}"
    if name.startswith("t"):
        config = f"rules: {{tuples: {{t: {{axes: [a, b], items: '@file:{name}'}}}}}}"
    assert rows(load(tmp_path, config)) == ["x 1", "y 1"]


def test_a_spec_may_be_utf16(tmp_path: Path) -> None:
    """As an editor of Windows may save it; its cohorts are found as well."""
    path = tmp_path / "config.yaml"
    path.write_bytes("axes: {a: [é]}\r\nbase: [2026, 1.10]\r\n".encode("utf-16"))
    assert rows(load_spec(path, STAGES)) == ["é"]
    assert other_cohorts(path) == ["2026", "1.10"]


def test_a_table_names_its_columns_in_any_order(tmp_path: Path) -> None:
    """The columns of a table of tuples or pairs are found by name."""
    spec = load(
        tmp_path,
        """
        axes: {a: [x, y], b: [1, 2], c: [p, q]}
        rules:
          tuples: {t: {axes: [a, b], items: '@file:t.csv'}}
          pairs: {p: {left: t, right: c, allowed: '@file:p.csv'}}
          subsets: {c: '@file:c.txt'}
        """,
        {"t.csv": "b,a\n1,x\n2,y\n", "p.csv": "c,b,a\np,1,x\nq,2,y\n", "c.txt": "q\n"},
    )
    assert rows(spec) == ["y 2 q"]


@pytest.mark.parametrize("name", ["t.yaml", "t.json"])
def test_tuples_may_come_from_nested_lists(tmp_path: Path, name: str) -> None:
    """YAML and JSON hold items as they would stand in config.yaml."""
    config = {"rules": {"tuples": {"t": {"axes": ["a", "b"], "items": f"@file:{name}"}}}}
    spec = load(tmp_path, config, {name: json.dumps([["x", 1], ["y", 2]])})
    assert rows(spec) == ["x 1", "y 2"]


def test_a_pair_may_name_tuples_and_pairs(tmp_path: Path) -> None:
    """The level of a named rule is the list of its own levels."""
    spec = load(
        tmp_path,
        """
        axes: {a: [x, y], b: [1, 2], c: [p, q], d: [s, t]}
        rules:
          pairs:
            outer: {left: inner, right: d, allowed: [[[[x, 1], p], s], [[[y, 2], q], t]]}
            inner: {left: both, right: c, allowed: [[[x, 1], p], [[y, 2], q]]}
          tuples: {both: {axes: [a, b], items: [[x, 1], [y, 2], [y, 1]]}}
        """,
    )
    assert rows(spec) == ["x 1 p s", "y 2 q t"]


def test_an_axis_may_come_from_tuples_alone(tmp_path: Path) -> None:
    """Its levels stand in order of first appearance; it follows the declared axes, unless null."""
    spec = load(
        tmp_path,
        """
        axes: {null_axis: ~, listed: [1]}
        rules:
          tuples:
            t: {axes: [undeclared, null_axis], items: [[b, y], [a, x], [b, x]]}
            u: {axes: [listed, undeclared], items: [[1, a], [1, b], [1, c]]}
        """,
    )
    assert spec.design.axes == {
        "null_axis": ("y", "x"),
        "listed": ("1",),
        "undeclared": ("b", "a", "c"),
    }
    assert list(spec.design.axes) == ["null_axis", "listed", "undeclared"]
    assert rows(spec) == ["y 1 b", "x 1 b", "x 1 a"]


MARKED = "from: {stage: draft, gen_ids: '@file:top.csv'}\naxes: {essay_llm: [m]}"


@pytest.mark.parametrize("mark", ["no", "No", "NO", "FALSE", "False", "n", "-", "'-", "0.0", " "])
def test_what_says_no_is_no_mark(tmp_path: Path, mark: str) -> None:
    """As a spreadsheet program saves it, in any case."""
    table = f"selected,gen_id\n{mark},d_1\nYes,d_2\nTRUE,d_3\n1.0,d_4\nX,d_5\n"
    spec = load(tmp_path, MARKED, {"top.csv": table})
    assert spec.parents is not None
    assert spec.parents.gen_ids == ("d_2", "d_3", "d_4", "d_5")


def test_a_mark_that_is_neither_yes_nor_no_is_refused(tmp_path: Path) -> None:
    """With its row, and what to write there."""
    table = "selected,gen_id\nyes,d_1\nmaybe,d_2\n"
    with pytest.raises(InputError) as raised:
        load(tmp_path, MARKED, {"top.csv": table})
    (line,) = str(raised.value).splitlines()
    assert f"{tmp_path}/top.csv, line 3, column selected: found 'maybe'" in line
    assert "write one of yes" in line


def test_a_table_of_parents_without_a_mark_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no row is selected"):
        load(tmp_path, MARKED, {"top.csv": "selected,gen_id\nNO,d_1\n,d_2\n"})


def test_a_missing_table_of_parents_is_said_once(tmp_path: Path) -> None:
    """However often the reader needs its content."""
    with pytest.raises(InputError) as error:
        load(tmp_path, "axes: {a: [x]}\nfrom: {stage: draft, gen_ids: '@file:none.csv'}")
    assert len(error.value.problems) == 1


def test_field_order_orders_columns_and_rows(tmp_path: Path) -> None:
    """The axes it names come first, the others after them as they are declared."""
    spec = load(tmp_path, "axes: {a: [1, 2], b: [x], c: [p, q]}\noutput: {field_order: [c]}")
    assert list(spec.design.axes) == ["c", "a", "b"]
    assert rows(spec) == ["p 1 x", "p 2 x", "q 1 x", "q 2 x"]


@pytest.mark.parametrize(
    "config",
    [
        "axes: {draft_template: [a], draft_replicate: 3}",
        "axes: {draft_template: [a], draft_replicate: [1, 2, 3]}",
        "axes: {draft_template: [a], draft_template_replicate: ['1', '2', '3']}",
        "axes: {draft_template: [a], draft_llm_replicate: 3}",
        "axes: {draft_template: [a]}\nreplicates: {draft_template: 3}",
    ],
)
def test_a_replicate_axis_has_several_spellings(tmp_path: Path, config: str) -> None:
    """A count, a list, an alias and the block `replicates` make one and the same axis."""
    spec = load(tmp_path, config)
    assert spec.design.axes == {"draft_template": ("a",), "draft_replicate": ("1", "2", "3")}


def test_replicates_come_last_and_may_be_named_by_alias(tmp_path: Path) -> None:
    """The axes of the block `replicates` follow all others, unless field_order names them."""
    config = """
        axes: {draft_template: [a]}
        replicates: {draft_template: 2, essay_template: 2}
        rules:
          tuples: {t: {axes: [draft_template, essay_template], items: [[a, b]]}}
          subsets: {draft_template_replicate: [2]}
        output: {field_order: [essay_template_replicate]}
        """
    assert list(load(tmp_path, config).design.axes) == [
        "essay_replicate",
        "draft_template",
        "essay_template",
        "draft_replicate",
    ]


def test_a_tie_may_be_a_list_and_share_the_name_of_an_axis(tmp_path: Path) -> None:
    """Tied axes take equal levels, in the order of the first one."""
    config = "axes: {a: [y, x, z], b: [x, y]}\nrules: {ties: {a: [a, b]}}"
    assert rows(load(tmp_path, config)) == ["y y", "x x"]


def test_a_tie_stands_for_its_axes_in_other_rules(tmp_path: Path) -> None:
    """What a rule says of a tie holds for each of the tied axes."""
    config = """
        axes: {draft_llm: [m, n], essay_llm: [m, n], judge: [j, k]}
        rules:
          ties: {llm: {axes: [draft_llm, essay_llm]}}
          pairs: {p: {left: llm, right: judge, allowed: [[m, k], [n, j]]}}
          tuples: {t: {axes: [llm, judge], items: '@file:t.csv'}}
        """
    assert rows(load(tmp_path, config, {"t.csv": "judge,llm\nk,m\n"})) == ["m m k"]


@pytest.mark.parametrize("side", ["left", "right", "both"])
def test_balance_counts_each_allowed_pair_once(tmp_path: Path, side: str) -> None:
    """A side is balanced if its values occur equally often among the different pairs."""
    config = f"""
        axes: {{a: [x, y], b: [1, 2]}}
        rules: {{pairs: {{p: {{left: a, right: b, allowed: [[x, 1], [y, 2], [x, 1]],
                               balance: {side}}}}}}}
        """
    assert rows(load(tmp_path, config)) == ["x 1", "y 2"]


def test_yaml_anchors_and_empty_sections_are_fine(tmp_path: Path) -> None:
    """A list may be written once and named again; a section may hold nothing."""
    config = "axes: {a: &models [x, y], b: *models}\nrules:\nreplicates:\noutput:\n"
    assert rows(load(tmp_path, config)) == ["x x", "x y", "y x", "y y"]


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("draft_replicate", "draft_replicate"),
        ("draft_template_replicate", "draft_replicate"),
        ("essay_llm_replicate", "essay_replicate"),
        ("draft_template", "draft_template"),
        ("other_template_replicate", "other_template_replicate"),
    ],
)
def test_canonical_axis(name: str, canonical: str) -> None:
    """Only the replicate axes of stages have other names."""
    assert canonical_axis(name, STAGES) == canonical


def test_an_axis_of_a_stage_is_no_alias_of_another() -> None:
    """A stage's own replicate axis keeps its name, even where it reads like an alias."""
    name = "draft_template_replicate"
    assert canonical_axis(name, ["draft", "draft_template"]) == name


# What is refused

A = "axes: {a: [x, y], b: [x, z], c: [p, q]}\n"

REFUSED = {
    "no mapping": ("[a]", "found a list of 1; write a mapping"),
    "nothing": ("", "found no axis; declare one at least"),
    "broken YAML": ("axes: {a: [x\n", "line 2: is not YAML:"),
    "deep": ("axes: " + "[" * 20_000 + "]" * 20_000, "is nested too deeply; fix it"),
    "control character": ("axes: {a: ['\x07']}", "is not YAML:"),
    "tag": (
        "axes: {a: !!python/name:os.system [x]}",
        "axes.a: found the tag 'tag:yaml.org,2002:python",
    ),
    "own tag": ("axes: {a: !levels [x]}", "line 1, column axes.a: found the tag '!levels'"),
    "two documents": ("axes: {a: [x]}\n---\naxes: {}\n", "is not YAML:"),
    "alias inside itself": ("axes: {a: &a [x, *a]}", "column axes.a: found nothing"),
    "duplicate key": (
        "axes:\n  a: [x]\n  b: [x]\n  a: [y]\n",
        "line 4, column axes.a: found 'a' again, after line 2; keep one",
    ),
    "merge key": ("axes: {<<: {a: [x]}}", "column axes: found a key that is not a plain name"),
    "list as key": ("axes: {[a]: [x]}", "column axes: found a key that is not a plain name"),
    "empty key": ("axes: {'': [x]}", "column axes: found a key that is not a plain name"),
    "unknown section": (A + "rule: {}", "column rule: found the unknown key 'rule'; did you mean"),
    "unknown kind of rule": (A + "rules: {pair: {}}", "rules.pair: found the unknown key 'pair'"),
    "unknown output": (A + "output: {order: [a]}", "output.order: found the unknown key 'order'"),
    "unknown key of a rule": (
        A + "rules: {tuples: {t: {axes: [a, b], items: [[x, x]], expand: true}}}",
        "rules.tuples.t.expand: found the unknown key 'expand'",
    ),
    "rules as a list": (A + "rules: [{tie: {}}]", "column rules: found a list of 1; write a map"),
    "rule lacks keys": (
        A + "rules: {pairs: {p: {left: a}}}",
        "column rules.pairs.p: lacks right and allowed; add it",
    ),
    "rule is null": (A + "rules: {tuples: {t: }}", "rules.tuples.t: found nothing; write a map"),
    "axis is a text": ("axes: {a: x}", "column axes.a: found 'x'; write a list: [x]"),
    "axis is a number": ("axes: {a: 0.7}", "axes.a: found '0.7'; write a list: [0.7]"),
    "axis is an empty text": ("axes: {a: ''}", "axes.a: found ''; write a list, such as [a, b]"),
    "axis is a file": (
        "axes: {a: items/a.csv}",
        "found 'items/a.csv'; write '@file:items/a.csv' for the levels that a file holds",
    ),
    "axis counts zero": (
        "axes: {draft_replicate: 0}",
        "found '0'; write how many there are, from 1 to 999999, or their list, such as [1, 2]",
    ),
    "count below zero": ("axes: {draft_replicate: -1}", "found '-1'; write how many there are"),
    "count of text": ("axes: {draft_replicate: x}", "found 'x'; write how many there are"),
    "count with a point": ("axes: {draft_llm_replicate: 2.0}", "found '2.0'; write how many"),
    "block of zero": (
        "axes: {a: [x]}\nreplicates: {draft_template: 0}",
        "found '0', which is not a number of replicates; give a whole number from 1",
    ),
    "block of text": (
        "axes: {a: [x]}\nreplicates: {draft_template: x}",
        "found 'x', which is not a number of replicates; give a whole number from 1",
    ),
    "block of a list": (
        "axes: {a: [x]}\nreplicates: {draft_template: [0]}",
        "found a list of 1, which is not a number of replicates; "
        "give a whole number from 1, or list them as the axis draft_replicate",
    ),
    "axis is a mapping": ("axes: {a: {levels: [x]}}", "axes.a: found a mapping; write a list"),
    "axis is empty": ("axes: {a: []}", "column axes.a: found an empty list; list one"),
    "axis without levels": ("axes: {a: }", "axes.a: the axis 'a' has no levels; list them"),
    "count on another axis": ("axes: {a: 3}", "column axes.a: found '3'; write a list"),
    "null level": ("axes: {a: [x, null]}", "column axes.a[1]: found nothing; write a text"),
    "empty level": ("axes: {a: ['']}", "column axes.a[0]: found ''; write a text"),
    "nested level": ("axes: {a: [[x]]}", "column axes.a[0]: found a list of 1; write a text"),
    "file inside a list": ("axes: {a: ['@file:a.csv']}", "write it in place of the whole list"),
    "duplicate level": (
        "axes:\n  a:\n  - x\n  - y\n  - x\n",
        "line 5, column axes.a[2]: found the level 'x' again; list it once",
    ),
    "same level twice in other words": ("axes: {a: [1, '1']}", "found the level '1' again"),
    "replicate zero": (
        "axes: {draft_replicate: [0, 1]}",
        "found '0', which is not the number of a replicate",
    ),
    "replicate text": (
        "axes: {draft_replicate: [one]}",
        "found 'one', which is not the number of a replicate",
    ),
    "replicate of a tuple": (
        "rules: {tuples: {t: {axes: [a, draft_replicate], items: [[x, 01]]}}}",
        "rules.tuples.t.items[0][1]: found '01', which is not the number of a replicate",
    ),
    "count zero": ("axes: {draft_template: [a]}\nreplicates: {draft_template: 0}", "found '0'"),
    "count text": (
        "axes: {a: [x]}\nreplicates: {a: many}",
        "replicates.a: found 'many', which is not",
    ),
    "count huge": (
        "axes: {a: [x]}\nreplicates: {a: 1000000000}",
        "give a whole number from 1 to 999999",
    ),
    "count of no axis": (
        "axes: {essay_template: [a]}\nreplicates: {essay_templat: 2}",
        "line 2, column replicates.essay_templat: found 'essay_templat', which is not an axis",
    ),
    "replicates twice": (
        "axes: {draft_template: [a], draft_replicate: 2}\nreplicates: {draft_template: 2}",
        "makes the axis 'draft_replicate', which is there already; keep one",
    ),
    "replicates of two names": (
        "axes: {draft_template: [a], draft_llm: [m]}\n"
        "replicates: {draft_template: 2, draft_llm: 2}",
        "replicates.draft_llm: makes the axis 'draft_replicate', which is there already",
    ),
    "two spellings": (
        "axes:\n  draft_replicate: 2\n  draft_template_replicate: 2\n",
        "line 3, column axes.draft_template_replicate: found 'draft_template_replicate', another "
        "name of the axis called 'draft_replicate' before; use one of the two throughout",
    ),
    "two spellings apart": (
        "axes: {draft_replicate: 2}\noutput: {field_order: [draft_llm_replicate]}",
        "line 2, column output.field_order[0]: found 'draft_llm_replicate', another name",
    ),
    "field order unknown": (
        A + "output: {field_order: [a, bb]}",
        "column output.field_order[1]: found 'bb', which is not an axis; declare it under axes; "
        "did you mean 'b'?",
    ),
    "field order twice": (A + "output: {field_order: [a, a]}", "found the axis 'a' 2 times; name"),
    "field order no list": (A + "output: {field_order: a}", "field_order: found 'a'; write a list"),
    "subset of no axis": (
        A + "rules: {subsets: {d: [x]}}",
        "subsets.d: found 'd', which is not an axis",
    ),
    "subset of no level": (
        "axes: {model: [sonnet-4, gemini]}\nrules: {subsets: {model: [sonet-4]}}",
        "line 2, column rules.subsets.model[0]: found 'sonet-4', which is not a level of 'model'; "
        "did you mean 'sonnet-4'?",
    ),
    "subset is empty": (A + "rules: {subsets: {a: []}}", "rules.subsets.a: found an empty list"),
    "subset is a text": (
        A + "rules: {subsets: {a: x}}",
        "rules.subsets.a: found 'x'; write a list",
    ),
    "tie of one": (A + "rules: {ties: {t: {axes: [a]}}}", "rules.ties.t: ties 'a' to nothing"),
    "tie of no axis": (
        A + "rules: {ties: {t: {axes: [a, d]}}}",
        "ties.t.axes[1]: found 'd', which",
    ),
    "tie of an axis twice": (
        A + "rules: {ties: {t: {axes: [a, a]}}}",
        "found the axis 'a' 2 times",
    ),
    "tie without common level": (
        A + "rules: {ties: {t: {axes: [a, c]}}}",
        "column rules.ties.t: the axes a, c have no level in common; tie axes that share levels",
    ),
    "pair of no axis": (
        A + "rules: {pairs: {p: {left: a, right: d, allowed: [[x, x]]}}}",
        "column rules.pairs.p.right: found 'd', which is not an axis",
    ),
    "pair of no level": (
        A + "rules: {pairs: {p: {left: a, right: b, allowed: [[x, x], [x, y]]}}}",
        "column rules.pairs.p.allowed[1][1]: found 'y', which is not a level of 'b'; known: "
        "'x', 'z'",
    ),
    "pair of three": (
        A + "rules: {pairs: {p: {left: a, right: b, allowed: [[x, x, x]]}}}",
        "rules.pairs.p.allowed[0]: found a list of 3; write a list of 2: [a, b]",
    ),
    "pair of a text": (
        A + "rules: {pairs: {p: {left: a, right: b, allowed: [x]}}}",
        "rules.pairs.p.allowed[0]: found 'x'; write a list of 2: [a, b]",
    ),
    "pair allows nothing": (
        A + "rules: {pairs: {p: {left: a, right: b, allowed: []}}}",
        "rules.pairs.p.allowed: found an empty list",
    ),
    "pair of one axis": (
        A + "rules: {pairs: {p: {left: a, right: a, allowed: [[x, x]]}}}",
        "column rules.pairs.p: holds the axis 'a' on both sides",
    ),
    "pair of overlapping rules": (
        A + "rules: {tuples: {t: {axes: [a, b], items: [[x, x]]}},"
        " pairs: {p: {left: t, right: b, allowed: [[[x, x], x]]}}}",
        "column rules.pairs.p: holds the axis 'b' on both sides",
    ),
    "pair of what a tuple lacks": (
        A + "rules: {tuples: {t: {axes: [a, b], items: [[x, x], [y, z]]}},"
        " pairs: {p: {left: t, right: c, allowed: [[[x, z], p]]}}}",
        "rules.pairs.p.allowed[0][0]: found [x, z], which the rule 't' does not have; did you mean",
    ),
    "pair names itself": (
        A + "rules: {pairs: {p: {left: p, right: a, allowed: [[x, x]]}}}",
        "column rules.pairs.p.left: found a circle of names: p → p; name another side",
    ),
    "pairs name each other": (
        A + "rules: {pairs: {p: {left: q, right: a, allowed: [[x, x]]},"
        " q: {left: b, right: p, allowed: [[x, x]]}}}",
        "column rules.pairs.q.right: found a circle of names: p → q → p; name another side",
    ),
    "uneven left": (
        A + "rules: {pairs: {p: {left: a, right: b, balance: left,"
        " allowed: [[x, x], [x, z], [y, x]]}}}",
        "rules.pairs.p.balance: found the left side out of balance (x: 2, y: 1); allow each",
    ),
    "uneven right": (
        A + "rules: {pairs: {p: {left: a, right: b, balance: both,"
        " allowed: [[x, x], [y, x]]}, q: {left: a, right: b, balance: right,"
        " allowed: [[x, x], [x, z], [y, x]]}}}",
        "rules.pairs.q.balance: found the right side out of balance (x: 2, z: 1); allow each",
    ),
    "unknown balance": (
        A + "rules: {pairs: {p: {left: a, right: b, allowed: [[x, x]], balance: all}}}",
        "rules.pairs.p.balance: found 'all'; write left, right or both",
    ),
    "tuple of a rule": (
        A + "rules: {pairs: {p: {left: a, right: b, allowed: [[x, x]]}},"
        " tuples: {t: {axes: [p, c], items: [[[x, x], p]]}}}",
        "column rules.tuples.t.axes[0]: found 'p', which is a rule, not an axis",
    ),
    "tuple of an axis twice": (
        A + "rules: {tuples: {t: {axes: [a, a], items: [[x, x]]}}}",
        "column rules.tuples.t.axes: found the axis 'a' 2 times",
    ),
    "tuple of no level": (
        A + "rules: {tuples: {t: {axes: [a, new], items: [[x, 1], [w, 2]]}}}",
        "column rules.tuples.t.items[1][0]: found 'w', which is not a level of 'a'",
    ),
    "tuple of two": (
        A + "rules: {tuples: {t: {axes: [a, b, c], items: [[x, x]]}}}",
        "rules.tuples.t.items[0]: found a list of 2; write a list of 3: [a, b, c]",
    ),
    "rule named like an axis": (
        A + "rules: {tuples: {c: {axes: [a, b], items: [[x, x]]}}}",
        "column rules.tuples.c: names a rule like the axis 'c'; rename the rule",
    ),
    "rules of one name": (
        A + "rules: {tuples: {t: {axes: [a, b], items: [[x, x]]}}, ties: {t: {axes: [a, b]}}}",
        "column rules.tuples.t: names a second rule 't'; rename one of them",
    ),
    "rules that exclude each other": (
        A + "rules:\n  subsets: {b: [z]}\n  ties: {t: {axes: [a, b]}}\n",
        "leave no row together; let them agree on one row at least",
    ),
}


@pytest.mark.parametrize(("config", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_a_spec_is_refused(tmp_path: Path, config: str, message: str) -> None:
    """What is wrong is said on one line: where, what was found, what to do."""
    with pytest.raises(InputError) as error:
        load(tmp_path, config)
    lines = str(error.value).splitlines()
    assert all(line.startswith(f"[spec] {tmp_path / 'config.yaml'}") for line in lines)
    assert message in str(error.value)


T = "rules: {tuples: {t: {axes: [a, b], items: '@file:%s'}}}"

REFUSED_FILES = {
    "parent directory": ("../a.txt", "x", "config.yaml", "which leaves the spec directory; move"),
    "absolute path": ("/etc/hostname", None, "config.yaml", "which leaves the spec directory"),
    "NUL in the name": ("a\0.txt", None, "config.yaml", "which leaves the spec directory"),
    "missing": ("b.txt", None, "config.yaml", "line 2, column axes.a: found '@file:b.txt', which"),
    "directory": ("", None, "config.yaml", "found '@file:', which is not a file; name one"),
    "workbook": (
        "a.xlsx",
        "x",
        "a.xlsx",
        "found the ending '.xlsx'; save it as CSV UTF-8 in the spreadsheet program",
    ),
    "unknown ending": ("a.toml", "x", "a.toml", "found the ending '.toml'; give a file that ends"),
    "empty text": ("a.txt", "\n\n", "a.txt", "found an empty list; list one item at least"),
    "several columns": ("a.csv", "a,b\nx,y\n", "a.csv", "line 1: found the columns a, b; keep one"),
    "no rows": ("a.csv", "a\n", "a.csv", "found no rows; write one at least under the header"),
    "duplicate in a table": (
        "a.csv",
        "a\nx\ny\nx\n",
        "a.csv",
        "line 4, column a: found the level 'x' again; list it once",
    ),
    "duplicate in a text": ("a.txt", "x\n\nx\n", "a.txt", "line 3: found the level 'x' again"),
    "empty YAML": ("a.yaml", "# nothing\n", "a.yaml", "found nothing; write a list"),
    "broken YAML": ("a.yaml", "- x\n- [y\n", "a.yaml", "line 3: is not YAML:"),
    "null in YAML": ("a.yaml", "- x\n-\n", "a.yaml", "line 2, column [1]: found nothing; write"),
    "mapping in YAML": ("a.yaml", "x: y\n", "a.yaml", "line 1: found a mapping; write a list"),
    "broken JSON": ("a.json", '["x",\n}', "a.json", "line 2: is not JSON: Expecting value"),
    "deep JSON": ("a.json", "[" * 100_000, "a.json", "is nested too deeply; fix it"),
    "deep YAML": ("a.yaml", "[" * 20_000 + "]" * 20_000, "a.yaml", "is nested too deeply; fix it"),
    "null in JSON": ("a.json", '["x", null]', "a.json", "[1]: found nothing; write a text"),
    "mapping in JSON": ("a.json", '{"x": [1]}', "a.json", "a.json: found a mapping; write a list"),
}


@pytest.mark.parametrize(
    ("name", "content", "place", "message"), REFUSED_FILES.values(), ids=REFUSED_FILES.keys()
)
def test_a_file_of_levels_is_refused(
    tmp_path: Path, name: str, content: str | None, place: str, message: str
) -> None:
    """What is wrong with a file is said of that file; of its name, of where it is named."""
    config = {"axes": {"a": f"@file:{name}"}}
    with pytest.raises(InputError) as error:
        load(tmp_path / "spec", config, {} if content is None else {name: content})
    (line,) = str(error.value).splitlines()
    assert line.startswith(f"[spec] {tmp_path / 'spec' / place}")
    assert message in line


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", "a,c\nx,1\n", "line 1: found the columns a, c; name them a, b, in any order"),
        ("t.csv", "a\nx\n", "line 1: found the columns a; name them a, b, in any order"),
        ("t.csv", "a,b\nx,1\nw,2\n", "line 3, column a: found 'w', which is not a level of 'a'"),
        ("t.csv", "a,b\nx,1\nx,\n", "line 3, column b"),
        ("t.txt", "x\n", "line 1: found 'x'; write a list of 2: [a, b]"),
        (
            "t.yaml",
            "- [x, 1]\n- [w, 2]\n",
            "line 2, column [1][0]: found 'w', which is not a level",
        ),
        ("t.json", '[["x"]]', "t.json, [0]: found a list of 1; write a list of 2: [a, b]"),
    ],
)
def test_a_file_of_tuples_is_refused(tmp_path: Path, name: str, content: str, message: str) -> None:
    """A row of another form or with an unknown level is named by its line and column."""
    config = {"axes": {"a": ["x"]}, **yaml.safe_load(T % name)}
    with pytest.raises(InputError) as error:
        load(tmp_path, config, {name: content})
    (line,) = str(error.value).splitlines()
    assert line.startswith(f"[spec] {tmp_path / name}")
    assert message in line


def test_a_link_out_of_the_spec_directory_is_refused(tmp_path: Path) -> None:
    """The directory must hold the file itself, as its copies elsewhere would lack it."""
    (tmp_path / "secret.txt").write_text("x")
    (tmp_path / "spec").mkdir()
    (tmp_path / "spec/a.txt").symlink_to(tmp_path / "secret.txt")
    with pytest.raises(InputError, match="which leaves the spec directory"):
        load(tmp_path / "spec", "axes: {a: '@file:a.txt'}")


def test_a_missing_spec_is_refused(tmp_path: Path) -> None:
    """A cohort without config.yaml is said so by its path."""
    with pytest.raises(InputError, match=r"^\[spec\] .*config\.yaml"):
        load_spec(tmp_path / "config.yaml", STAGES)


def test_all_problems_are_reported_together_in_the_order_of_lines(tmp_path: Path) -> None:
    """One run shows everything that is wrong, each thing once."""
    config = """\
axes:
  a: [x, x]
  b: '@file:missing.csv'
  c: [p, q]
rules:
  subsets: {c: [r]}
  pairs: {p: {left: b, right: c, allowed: [[i, s], [i, p], [j, p], [j, q]], balance: left}}
output: {field_order: [d]}
extra: 1
"""
    with pytest.raises(InputError) as error:
        load(tmp_path, config)
    assert [problem.line for problem in error.value.problems] == [2, 3, 6, 7, 8, 9]


def test_of_many_unknown_levels_the_first_are_reported(tmp_path: Path) -> None:
    """A table for other axes gives a page of problems, not one for each of its rows."""
    table = "a,b\n" + "".join(f"no{number},1\n" for number in range(1000))
    config = {"axes": {"a": ["x"]}, **yaml.safe_load(T % "t.csv")}
    with pytest.raises(InputError) as error:
        load(tmp_path, config, {"t.csv": table})
    assert len(error.value.problems) == 21
    assert "found 980 more values that are not levels of their axes" in str(error.value)


@pytest.mark.parametrize("names", list(itertools.permutations("stu")))
def test_rules_that_leave_no_row_are_named(tmp_path: Path, names: tuple[str, ...]) -> None:
    """Two rules that exclude each other are named without the others, in any order."""
    rules = {
        "s": {"left": "a", "right": "b", "allowed": [["x", "x"]]},
        "t": {"left": "b", "right": "c", "allowed": [["y", "x"]]},
        "u": {"left": "c", "right": "d", "allowed": [["x", "x"], ["y", "y"]]},
    }
    config = {
        "axes": {axis: ["x", "y"] for axis in "abcd"},
        "rules": {"pairs": {name: rules[name] for name in names}},
    }
    with pytest.raises(InputError) as error:
        load(tmp_path, config)
    (line,) = str(error.value).splitlines()
    assert "rules.pairs.s" in line
    assert "rules.pairs.t" in line
    assert "rules.pairs.u" not in line


# The manual


def blocks(language: str) -> list[tuple[str, str]]:
    """Return the fenced blocks of the manual, each with the line before it."""
    pattern = rf"^([^\n]*)\n\n```{language}\n(.*?)^```$"
    return re.findall(pattern, MANUAL.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


EXAMPLES = [example for _, example in blocks("yaml")]


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_examples_of_the_manual_are_specs(tmp_path: Path, example: str) -> None:
    """Each YAML block is a whole spec; the tables that follow some are its rows."""
    files = {
        lead.strip("`:"): content
        for lead, content in blocks("csv") + blocks("text")
        if lead.startswith("`items/")
    }
    spec = load(tmp_path, example, files)
    text = MANUAL.read_text(encoding="utf-8").split(example)[1]
    table = re.match(r"```\n\n((?:\|.*\n)+)", text)
    if table:
        header, _, *expected = [line.strip("| ").split(" | ") for line in table[1].splitlines()]
        assert header == list(spec.design.axes)
        assert expected == [list(row) for row in spec.design.rows()]


def test_the_first_example_has_as_many_rows_as_the_manual_says(tmp_path: Path) -> None:
    """The manual counts the rows with its rule and without."""
    config = yaml.safe_load(EXAMPLES[0])
    assert len(rows(load(tmp_path, config))) == 16
    del config["rules"]
    assert len(rows(load(tmp_path, config))) == 32
