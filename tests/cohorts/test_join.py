"""The rows of a design are the natural join of its axes and relations, in declared order."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daydream.cohorts.join import Design, Relation
from daydream.errors import InputError

Row = tuple[str, ...]


def relation(name: str, axes: str, rows: str) -> Relation:
    """Return a relation over one-letter axes and levels: ``relation("r", "ab", "xy xz")``."""
    return Relation(name=name, axes=tuple(axes), rows=tuple(map(tuple, rows.split())))


def design(axes: Mapping[str, str], *relations: Relation) -> Design:
    return Design(axes={axis: tuple(levels) for axis, levels in axes.items()}, relations=relations)


def joined(design: Design) -> list[Row]:
    """Return what the rows must be: the full product, filtered by every relation."""
    place = {axis: number for number, axis in enumerate(design.axes)}
    return [
        row
        for row in itertools.product(*design.axes.values())
        if all(
            tuple(row[place[axis]] for axis in relation.axes) in relation.rows
            for relation in design.relations
        )
    ]


@st.composite
def designs(draw: st.DrawFn) -> Design:
    axes = {
        axis: tuple(draw(st.lists(st.sampled_from("wxyz"), min_size=1, unique=True)))
        for axis in "abcde"[: draw(st.integers(1, 5))]
    }
    relations = []
    for number in range(draw(st.integers(0, 5))):
        names = draw(st.lists(st.sampled_from(sorted(axes)), min_size=1, max_size=3, unique=True))
        product = list(itertools.product(*(axes[name] for name in names)))
        rows = draw(st.lists(st.sampled_from(product), min_size=1, unique=True))
        relations.append(Relation(name=f"r{number}", axes=tuple(names), rows=tuple(rows)))
    return Design(axes=axes, relations=tuple(relations))


@given(designs())
def test_rows_are_the_filtered_product_in_declared_order(design: Design) -> None:
    """Any axes and relations, circles included, give what filtering the full product gives."""
    rows = joined(design)
    if rows:
        assert design.conflict() == ()
        assert list(design.rows()) == rows
    else:
        with pytest.raises(InputError):
            design.rows()


@given(designs(), st.randoms(use_true_random=False))
def test_the_order_of_relations_does_not_matter(design: Design, random) -> None:
    """Relations in another order give the same rows in the same order, or none again."""
    relations = list(design.relations)
    random.shuffle(relations)
    other = Design(axes=design.axes, relations=tuple(relations))
    if design.conflict():
        assert other.conflict()
    else:
        assert list(other.rows()) == list(design.rows())


@given(designs())
def test_the_relations_of_a_conflict_suffice_for_it(design: Design) -> None:
    """The relations that a conflict names leave no row, with or without the others."""
    names = design.conflict()
    if names:
        culprits = tuple(part for part in design.relations if part.name in names)
        assert joined(Design(axes=design.axes, relations=culprits)) == []


def test_rows_follow_the_order_of_axes_then_of_levels() -> None:
    """The first axis varies slowest, and levels keep the order in which they are declared."""
    rows = design({"a": "zy", "b": "21"}).rows()
    assert ["".join(row) for row in rows] == ["z2", "z1", "y2", "y1"]


def test_a_relation_may_list_its_axes_in_any_order() -> None:
    """A relation over (b, a) is that over (a, b) with its columns swapped."""
    rows = design({"a": "xy", "b": "12"}, relation("r", "ba", "1y 2x")).rows()
    assert ["".join(row) for row in rows] == ["x2", "y1"]


def test_levels_outside_an_axis_are_no_rows() -> None:
    """A relation cannot add levels to an axis."""
    rows = design({"a": "x"}, relation("r", "a", "x y")).rows()
    assert list(rows) == [("x",)]


def test_rows_are_made_while_they_are_taken() -> None:
    """The first rows of a design of 10^18 come at once."""
    levels = tuple(map(str, range(100)))
    rows = Design(axes=dict.fromkeys("abcdefghi", levels), relations=()).rows()
    assert list(itertools.islice(rows, 2)) == [("0",) * 9, (*("0",) * 8, "1")]


def test_a_long_last_axis_is_walked() -> None:
    """Row ends longer than what is kept of them come out whole."""
    levels = tuple(map(str, range(1000)))
    rows = list(Design(axes={"a": tuple("xyz"), "b": levels}, relations=()).rows())
    assert len(rows) == 3000
    assert rows[-1] == ("z", "999")


def test_row_ends_that_differ_with_each_beginning_are_not_mixed_up() -> None:
    """Many kinds of row ends, more than are kept, still belong to their own beginnings."""
    levels = tuple(map(str, range(2000)))
    keep = Relation(name="r", axes=("a", "c"), rows=tuple((level, level[::-1]) for level in levels))
    ends = tuple(dict.fromkeys(level[::-1] for level in levels))
    middle = tuple(map(str, range(100)))
    rows = Design(axes={"a": levels, "b": middle, "c": ends}, relations=(keep,)).rows()
    assert all(row[2] == row[0][::-1] for row in rows)


def ties(count: int) -> tuple[Row, ...]:
    return tuple((str(number), str(number)) for number in range(count))


def test_a_small_result_of_large_partial_products_is_found() -> None:
    """Axes tied through a later one never meet each other's 10^8 pairs, nor 10^12 triples."""
    levels = tuple(map(str, range(10_000)))
    relations = tuple(Relation(name=axis, axes=(axis, "z"), rows=ties(10_000)) for axis in "abc")
    rows = list(Design(axes=dict.fromkeys("abcz", levels), relations=relations).rows())
    assert rows == [(level,) * 4 for level in levels]


def test_a_circle_of_relations_is_joined_from_its_narrow_side() -> None:
    """A tie of two axes is used before their common third axis multiplies them."""
    levels = tuple(map(str, range(1000)))
    wide = tuple((level, str(third)) for level in levels for third in range(20))
    relations = (
        Relation(name="tie", axes=("a", "b"), rows=ties(1000)),
        Relation(name="left", axes=("a", "c"), rows=wide),
        Relation(name="right", axes=("b", "c"), rows=wide),
    )
    rows = Design(axes=dict.fromkeys("abc", levels), relations=relations).rows()
    assert sum(1 for _ in rows) == 20_000


def test_a_star_around_the_last_axis_is_not_multiplied_out() -> None:
    """Axes that meet only in the last one are joined there, not with each other."""
    few, many = tuple(map(str, range(60))), tuple(map(str, range(600)))
    relations = tuple(
        Relation(name=axis, axes=(axis, "z"), rows=tuple((str(int(z) % 60), z) for z in many))
        for axis in "abcd"
    )
    axes = {**dict.fromkeys("abcd", few), "z": many}
    assert sum(1 for _ in Design(axes=axes, relations=relations).rows()) == 600


@pytest.mark.parametrize(
    ("relations", "names"),
    [
        pytest.param([relation("r", "a", "q")], ("r",), id="a relation outside its axis"),
        pytest.param(
            [
                relation("r", "ab", "xx"),
                relation("s", "bc", "xx xy"),
                relation("t", "ca", "xy yy"),
            ],
            ("r", "t"),
            id="two relations that share an axis",
        ),
        pytest.param(
            [
                relation("r", "ab", "xx yy"),
                relation("s", "bc", "xy yx"),
                relation("t", "ac", "xx yy"),
                relation("u", "de", "xx"),
            ],
            ("r", "s", "t"),
            id="three in a circle, of which any two agree",
        ),
        pytest.param(
            [relation("p", "ae", "xx yx"), relation("q", "be", "xy yy")],
            ("p", "q"),
            id="only the last axis is without a level",
        ),
    ],
)
def test_a_conflict_names_the_relations_that_make_it(
    relations: list[Relation], names: tuple[str, ...]
) -> None:
    """Two relations are named where two suffice; relations of other axes are not."""
    empty = design(dict.fromkeys("abcde", "xy"), *relations)
    assert empty.conflict() == names
    with pytest.raises(InputError, match=r"^\[spec\] .*" + " and ".join(names)):
        empty.rows()


def test_an_axis_without_levels_is_a_conflict_of_its_own() -> None:
    """An axis that has no level is named, since no relation is to blame."""
    assert design({"a": "x", "b": ""}).conflict() == ("b",)
