"""The edits that are tried at random: each kind, with the values that it may have.

A kind that stands twice is tried twice as often. `lab.Lab` has a method for each.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from support.workflow.lab import TEXTS, WORDS, Edit

# A kind, and for each of its arguments a sequence of what it may be.
Kind = tuple[Any, ...]

PLACES = range(41)
VERSIONS = (0, 1, 2)
TEMPLATES = [
    ("template", [stage], [name], [0, 1, 2, "comment"]) for stage, name in TEXTS for _ in range(2)
]
JUDGE = ("row", ["evaluation"], ["judge"])
ROWS = [
    (*JUDGE, ["parser"], ["in_last_line", "three_scores_last_line", "mine_score"]),
    (*JUDGE, ["score_max"], ["9", "5", "20"]),
    (*JUDGE, ["template_name"], ["Judge", "The judge"]),
    ("row", ["essay"], ["grow"], ["parser"], ["mine", "identity"]),
    ("row", ["essay"], ["grow"], ["template_name"], ["Grow", "Growing"]),
    ("row", ["essay"], ["same"], ["generator"], ["llm", "copy"]),
    ("row", ["draft"], ["plain"], ["parser"], ["mine", "identity"]),
]
AXES = [
    ("axis", ["combo_id"], [["pair", "trio"], ["pair"], ["trio"]]),
    ("axis", ["essay_template"], [["grow", "same"], ["grow"], ["same"]]),
    ("axis", ["evaluation_replicate"], [None, [1, 2]]),
    ("axis", ["draft_llm"], [["m1", "m2"], ["m1"]]),
    ("axis", ["essay_llm"], [["m2"], ["m1"]]),
]
INPUTS: list[Kind] = [
    *TEMPLATES,
    *ROWS,
    *AXES,
    *AXES,
    ("concept", ["tide", "loom", "fog"], VERSIONS),
    ("concept", ["tide", "loom", "fog"], VERSIONS),
    ("concept_name", ["tide", "fog"], VERSIONS),
    ("combo", [0, 1]),
    ("model", ["echo-1", "echo-3"]),
    ("parser_file", VERSIONS),
    ("provider_file", VERSIONS),
    ("sampling", ["draft", "essay", "evaluation"], [None, 0.1, 0.9]),
    ("stage_setting", ["essay"], ["min_lines"], [0, 5]),
    ("stage_setting", ["evaluation"], ["resample"], [0, 1]),
]
# What changes which generations there are, or refuses all of them.
COHORTS: list[Kind] = [
    ("cohorts", ["c1", "mine"]),
    ("cohorts", ["c1"], ["mine"]),
    ("cohorts", ["c1"], ["mine"]),
    ("chain", [3, 4]),
    ("chain", [3, 4]),
    ("axis", ["draft_llm"], [["m3"], ["m1"], ["m1"]]),
    ("broken_template", [*WORDS]),
]
FILES = ["prompt.txt", "raw.txt", "parsed.txt", "metadata.json", "record", "generation"]
TEXT_FILES = ["prompt.txt", "raw.txt", "parsed.txt"]
OF_GENERATIONS: list[Kind] = [
    ("delete", FILES, PLACES),
    ("delete", FILES, PLACES),
    ("delete", FILES, PLACES),
    ("lose", PLACES),
    ("hand", TEXT_FILES, PLACES, (3, 4, 5)),
    ("hand", TEXT_FILES, PLACES, (3, 4, 5)),
    ("restore", PLACES),
]
STORE: list[Kind] = [
    *OF_GENERATIONS,
    ("delete", ["report", "membership", "manifest", "journal", "choices"], PLACES),
    ("delete", ["report", "membership", "manifest", "journal", "choices"], PLACES),
    ("delete", ["snakemake", "logs", "store"], [0]),
    ("touch", ["input", "generation", "everything"], range(-1, 41)),
    ("back_date", ["input", "generation", "everything"], range(-1, 41)),
]


def choose(kinds: Sequence[Kind], chance: random.Random) -> Edit:
    """Return an edit of one of these kinds."""
    kind, *values = chance.choice(kinds)
    return (kind, *(chance.choice(value) for value in values))
