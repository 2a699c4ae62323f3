"""Tables of the reports between files and data frames, each text as it was given.

In the files a text that a spreadsheet program would run is `guarded` (`daydream.tables`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from daydream.errors import Problems
from daydream.tables import csv_text, unguarded


def read_csv(path: str | Path, problems: Problems) -> pd.DataFrame:
    """Return the table of a file, all of it text, or note why it cannot be read.

    A template may be called NA, so no text is taken for a missing value.

    Raises:
        InputError: the file is missing, empty or damaged, or there was a problem before.
    """
    frame = pd.DataFrame()
    remedy = "let snakemake make it again"
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")
    except OSError as error:
        problems.add(path, f"cannot be read ({error.strerror})", remedy)
    except ValueError as error:  # also pandas' own errors, and bytes that are not UTF-8
        problems.add(path, f"is not a table ({error})", remedy)
    problems.check()
    return _without_guards(frame)


def csv_of(frame: pd.DataFrame, *, float_format: str | None = None) -> str:
    """Return a table as the text of a CSV file; what is not there is an empty cell."""
    columns = [_cells(column, float_format) for _, column in frame.items()]
    return csv_text([*frame.columns], zip(*columns, strict=True))


def _cells(column: pd.Series[Any], float_format: str | None) -> list[object]:
    cells = column.astype(object).where(column.notna(), None).tolist()
    if float_format is None or not pd.api.types.is_float_dtype(column):
        return cells
    return [None if cell is None else float_format % cell for cell in cells]


def _without_guards(frame: pd.DataFrame) -> pd.DataFrame:
    result = frame.rename(columns=unguarded)
    for place, (_, column) in enumerate(frame.items()):
        texts = {text: unguarded(text) for text in column.unique() if text[:1] == "'"}
        if texts:
            result.isetitem(place, [texts.get(cell, cell) for cell in column])
    return result
