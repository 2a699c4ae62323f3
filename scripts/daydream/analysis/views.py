"""Views of all cohorts' scores: what their conditions may name, and which values those mean.

A condition is one wanted value or a list of them, each exact, a number, a shell-style pattern, or a
comparison: ``'>=7'``, or several that all hold: ``'>=3 <7'``. A cell that holds no number meets no
comparison.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from fnmatch import fnmatchcase
from operator import ge, gt, le, lt
from typing import Any

from daydream.errors import Problems, nearest

# Columns of numbers, where 7 is 7.0, and where no value can be missed that another run may give.
NUMBERS = ("score", "score_min", "score_max", "usd", "prompt_tokens", "completion_tokens")
_NUMBER = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?"
_ONE = re.compile(rf"(>=|<=|>|<)\s*({_NUMBER})")
_COMPARISON = re.compile(rf"\s*(?:(?:>=|<=|>|<)\s*{_NUMBER}\s*)+")
_OPERATORS: Mapping[str, Callable[[float, float], bool]] = {">=": ge, "<=": le, ">": gt, "<": lt}


def union_columns(cohort_columns: Iterable[str]) -> list[str]:
    """Return the columns of the union of cohorts, from those of their score tables."""
    names = {"cohort_id": "cohorts"}
    return list(dict.fromkeys(names.get(name, name) for name in cohort_columns))


def check_views(
    views: Mapping[str, Mapping[str, Any]], columns: Collection[str], *, file: str
) -> None:
    """Refuse views on columns that there are not, and conditions that no score can meet.

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
                    if begun and not _COMPARISON.fullmatch(value):
                        found = f"found {value!r}, which is not a comparison with numbers"
                        problems.add(file, found, "write one such as '>=3 <7'", column=place)
    problems.check()


def wanted(condition: object) -> list[str]:
    """Return the values of a condition as texts."""
    return [str(value) for value in (condition if isinstance(condition, list) else [condition])]


def meant(name: str, pattern: str, occurring: Collection[str]) -> set[str]:
    """Return the values that a condition on the column `name` means, of those that occur there."""
    exact = {pattern} & {*occurring}
    if exact:
        return exact
    if _COMPARISON.fullmatch(pattern):
        tests = [(_OPERATORS[sign], float(bound)) for sign, bound in _ONE.findall(pattern)]
        numbers = {value: number(value) for value in occurring}
        return {
            value
            for value, found in numbers.items()
            if found is not None and all(test(found, bound) for test, bound in tests)
        }
    if name in NUMBERS and (sought := number(pattern)) is not None:
        return {value for value in occurring if number(value) == sought}
    return {value for value in occurring if fnmatchcase(value, pattern)}


def may_be_missing(name: str, pattern: str) -> bool:
    """Tell whether it is no mistake if no row has what a condition on a column means."""
    return name in NUMBERS or _COMPARISON.fullmatch(pattern) is not None


def number(text: str) -> float | None:
    """Return the number that a cell holds, or None."""
    return float(text) if re.fullmatch(_NUMBER, text) else None
