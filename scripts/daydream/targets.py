"""Which files to ask Snakemake for, so that it makes every file of some generations.

Snakemake makes what a file is made from along with it, so the last text of each line of descent
would do for a new store. It does not make a file again that was deleted while what was made from it
is still there: such a file has to be asked for by its name.

Asking for every file by its name would do too, but a job with n inputs costs Snakemake n² steps: of
30,000 generations, with four files each, that alone was minutes.
"""

from __future__ import annotations

import os
from collections.abc import Collection

from daydream.membership import Generation
from daydream.store import GENS, OUTPUTS, generation_file


def targets(generations: Collection[Generation]) -> list[str]:
    """Return the files to ask for; parents stand before their children in `generations`.

    They are the parsed.txt of each generation without children here, and every missing file of a
    generation of which, or of whose descendants here, there is a file.
    """
    there = {stage: _ids(stage) for stage in dict.fromkeys(row.stage for row in generations)}
    parents = {row.parent_gen_id for row in generations}
    begun: set[str] = set()
    found: list[str] = []
    for row in reversed(list(generations)):
        names = _names(row) if row.gen_id in there[row.stage] else set()
        if names or row.gen_id in begun:
            begun.add(row.parent_gen_id)
            wanted = [name for name in OUTPUTS if name not in names]
        else:
            wanted = []
        if row.gen_id not in parents and OUTPUTS[-1] not in wanted:
            wanted.append(OUTPUTS[-1])
        found += (generation_file(row.stage, row.gen_id, name) for name in reversed(wanted))
    found.reverse()
    return found


def _ids(stage: str) -> set[str]:
    """Return the ids of a stage's generations of which there is a directory."""
    try:
        return set(os.listdir(f"{GENS}/{stage}"))  # noqa: PTH208 - a Path an entry
    except FileNotFoundError:
        return set()


def _names(row: Generation) -> set[str]:
    """Return which files of a generation there are; its journal is none of them."""
    return set(OUTPUTS).intersection(os.listdir(generation_file(row.stage, row.gen_id, "")))  # noqa: PTH208
