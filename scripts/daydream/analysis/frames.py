"""Tables of the reports between files and data frames, each text as it was given.

In the files a text that a spreadsheet program would run is `guarded` (`daydream.tables`).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from daydream.errors import Problems
from daydream.tables import guarded, unguarded


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
    return _with_texts(frame, unguarded)


def csv_of(frame: pd.DataFrame, *, float_format: str | None = None) -> str:
    """Return a table as the text of a CSV file; what is not there is an empty cell."""
    shown = _with_texts(frame, guarded)
    return shown.to_csv(index=False, float_format=float_format, lineterminator="\n")


def _with_texts(frame: pd.DataFrame, change: Callable[[str], object]) -> pd.DataFrame:
    """Return a frame whose texts, those of the header too, are changed; few are."""
    result = frame.rename(columns=change)
    for place, (_, column) in enumerate(frame.items()):
        if pd.api.types.is_numeric_dtype(column):
            continue
        texts = (cell for cell in column.unique() if isinstance(cell, str))
        changed = {text: new for text in texts if (new := change(text)) != text}
        if changed:
            result.isetitem(place, [changed.get(cell, cell) for cell in column])
    return result
