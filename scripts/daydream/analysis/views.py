"""Views of all cohorts' scores: what their conditions (`daydream.conditions`) may name."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from daydream.conditions import is_comparison, matching, wanted
from daydream.errors import Problems, nearest

# How new a judged text is (`novelty`), in the union of cohorts: what its own files say alone.
OF_TEXT_ALONE = ("prompt_share", "parent_share", "compression")
# The same in the tables of one cohort, with what the cohort's other texts say.
OF_TEXT = (*OF_TEXT_ALONE, "sibling_share", "near_duplicates")
# Columns of numbers, where 7 is 7.0, and where no value can be missed that another run may give.
NUMBERS = (
    *("score", "score_min", "score_max", "parent_chars", "parent_usd"),
    *("expected_score", "usd", "prompt_tokens", "completion_tokens"),
    *OF_TEXT_ALONE,
)


def union_columns(cohort_columns: Iterable[str]) -> list[str]:
    """Return the columns of the union of cohorts, from those of their score tables."""
    names = {"cohort_id": "cohorts"}
    own = (names.get(name, name) for name in cohort_columns)
    return list(dict.fromkeys((*own, *OF_TEXT_ALONE)))


def check_views(
    views: Mapping[str, Mapping[str, Any]], columns: Collection[str], *, file: str
) -> None:
    """Reject views on columns that do not exist, and conditions that no score can meet.

    Raises:
        InputError: every such condition, with the nearest names.
    """
    problems = Problems("config")
    for view, settings in views.items():
        for setting, conditions in settings.items():
            for name, condition in conditions.items():
                place = f"views.{view}.{setting}.{name}"
                if name not in columns:
                    found = f"found {name!r}, which is not a column of the scores"
                    problems.add(file, found, nearest(name, columns), column=place)
                    continue
                for value in wanted(condition):
                    begun = value.lstrip().startswith((">", "<"))
                    if begun and not is_comparison(value):
                        found = f"found {value!r}, which is not a comparison with numbers"
                        problems.add(file, found, "write one such as '>=3 <7'", column=place)
    problems.check()


def meant(name: str, value: str, occurring: Collection[str]) -> set[str]:
    """Return the values that a condition on the column `name` means, of those that occur there."""
    return matching(value, occurring, numeric=name in NUMBERS)


def may_be_missing(name: str, value: str) -> bool:
    """Tell whether a condition on a column may match no row without being a mistake."""
    said = name.startswith("answer.") or name == "repaired"
    return said or name in NUMBERS or is_comparison(value)
