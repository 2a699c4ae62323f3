"""What a condition on a column or dimension means: the values that it matches.

A condition is one wanted value or a list of them, each exact, a number, a shell-style pattern, or a
comparison: ``'>=7'``, or several that all hold: ``'>=3 <7'``. What occurs exactly is meant exactly,
whatever else it might say. A value that is not a number meets no comparison.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from fnmatch import fnmatchcase
from operator import ge, gt, le, lt

_NUMBER = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?"
_ONE = re.compile(rf"(>=|<=|>|<)\s*({_NUMBER})")
_COMPARISON = re.compile(rf"\s*(?:(?:>=|<=|>|<)\s*{_NUMBER}\s*)+")
_OPERATORS: Mapping[str, Callable[[float, float], bool]] = {">=": ge, "<=": le, ">": gt, "<": lt}


def wanted(condition: object) -> list[str]:
    """Return the values of a condition as texts."""
    return [str(value) for value in (condition if isinstance(condition, list) else [condition])]


def matching(value: str, occurring: Collection[str], *, numeric: bool = False) -> set[str]:
    """Return the values that a value of a condition means, of those that occur.

    In a `numeric` column 7 means 7.0, too.
    """
    if value in occurring:
        return {value}
    if is_comparison(value):
        tests = [(_OPERATORS[sign], float(bound)) for sign, bound in _ONE.findall(value)]
        numbers = {each: _number(each) for each in occurring}
        return {
            each
            for each, found in numbers.items()
            if found is not None and all(test(found, bound) for test, bound in tests)
        }
    if numeric and (sought := _number(value)) is not None:
        return {each for each in occurring if _number(each) == sought}
    return {each for each in occurring if fnmatchcase(each, value)}


def is_comparison(value: str) -> bool:
    """Tell whether a value of a condition compares with numbers."""
    return _COMPARISON.fullmatch(value) is not None


def _number(text: str) -> float | None:
    """Return the number that a text is, or None."""
    return float(text) if re.fullmatch(_NUMBER, text) else None
