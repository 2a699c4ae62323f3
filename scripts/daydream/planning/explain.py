"""Why a generation is as it is: its lineage, what has changed since, and what a run would do.

The account of `experiment.provenance` says what is current and why the rest is not. The forecast of
the plan (`daydream.planning.plan`) says what a run would then ask, and what that costs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from daydream.errors import Problems
from daydream.experiment import recipes
from daydream.experiment.experiment import Experiment
from daydream.experiment.provenance import FILES, PHASES, RULES, Account, Change, accounts
from daydream.generations.row import Generation
from daydream.llm.usage import Usage
from daydream.planning.estimate import call_tokens, kind_of, mean_tokens, usd_of
from daydream.planning.plan import Forecast, forecasts
from daydream.store.journal import journaled
from daydream.store.layout import OUTPUTS, generation_file
from daydream.text import Branch, table, tree

_STATES = {
    "done": "the same answer",
    "journal": "an answer from the journal",
    "copy": "a copy of the parent's text",
    "refused": "the answer that is there, which is rejected",
    "blocked": "not possible as long as what it is made of cannot be made",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One generation of a lineage: the state of its phases, and what a run would do about it."""

    generation: Generation
    account: Account
    forecast: Forecast

    @property
    def jobs(self) -> int:
        """The number of phases that a run makes."""
        return sum(state.kind != "current" for state in self.account)


def steps(experiment: Experiment, gen_id: str) -> list[Step]:
    """Return a generation's lineage, starting at the first stage.

    Raises:
        UnknownGenerationError: no configured cohort has the generation.
    """
    lineage = experiment.lineage(experiment.generation_of(gen_id))
    known = accounts(experiment, lineage)
    expected = forecasts(experiment, known, lineage)
    return [Step(row, known[row.gen_id], expected[row.gen_id]) for row in lineage]


# As text


def explain(experiment: Experiment, gen_id: str | None) -> str:
    """Return the lineage of a generation as a tree, with what a run would do.

    Raises:
        InputError: there is no gen_id.
        UnknownGenerationError: no configured cohort has the generation.
    """
    if gen_id is None:
        problems = Problems("explain")
        problems.add("--config", "found no gen_id", "give one: --config gen_id=…")
        problems.check()
    found = steps(experiment, str(gen_id))
    branches: list[Branch] = []
    for step in reversed(found):
        name = f"{step.generation.stage} {step.generation.gen_id}"
        branches = [Branch(name, list(_facts(experiment, step)), branches)]
    return f"{tree(branches[0])}\n\n{_verdict(experiment, found)}"


def _facts(experiment: Experiment, step: Step) -> Iterator[tuple[str, str]]:
    """Yield the facts about a generation, each with its name."""
    generation = step.generation
    directory = Path(generation_file(generation.stage, generation.gen_id, ""))
    yield "key", generation.key
    if not generation.parent_gen_id:
        yield _subject(experiment, generation)
    yield "template", generation.template_id
    yield (
        "model",
        "none, as it is a copy"
        if recipes.is_copy(experiment, generation)
        else generation.llm_model_id,
    )
    yield "replicate", generation.replicate
    yield from recipes.dimensions(experiment, generation).items()
    yield "cohorts", ", ".join(_cohorts(experiment, generation))
    there = [name for name in OUTPUTS if (directory / name).exists()]
    yield "files", "  ".join(there) or "none yet"
    if there and len(there) < len(OUTPUTS):
        yield "missing", "  ".join(name for name in OUTPUTS if name not in there)
    answers = len(journaled(directory))
    if answers:
        yield "journal", f"{answers} answer{'' if answers == 1 else 's'}"
    edited = [
        FILES[phase][0]
        for phase, state in zip(PHASES, step.account, strict=True)
        if state.edited and state.kind == "current"
    ]
    if edited:
        yield "edited", f"{'  '.join(edited)} (by hand)"
    changes = [change for state in step.account for change in state.changes]
    yield from _column("changed", (_change_cells(experiment, step, each) for each in changes))
    yield from _column("a run", _work_cells(experiment, step))


def _cohorts(experiment: Experiment, generation: Generation) -> list[str]:
    return [
        cohort
        for cohort, rows in experiment.memberships.items()
        if any(row.gen_id == generation.gen_id for row in rows)
    ]


def _subject(experiment: Experiment, generation: Generation) -> tuple[str, str]:
    combo = experiment.catalog.combos.get(generation.combo_id)
    if combo is None:
        return "item", generation.combo_id
    levels = {level for _, level in combo.concepts}
    mixed = len(levels) > 1
    concepts = [f"{name} ({level})" if mixed else name for name, level in combo.concepts]
    level = "" if mixed else f" ({', '.join(levels)})"
    return "combo", f"{generation.combo_id}: {', '.join(concepts)}{level}"


def _column(name: str, rows: Iterable[Sequence[str]]) -> Iterator[tuple[str, str]]:
    """Yield rows of aligned texts under one name, which only the first row shows."""
    for place, line in enumerate(table(rows, left=range(3)).splitlines()):
        yield "" if place else name, line


def _change_cells(experiment: Experiment, step: Step, change: Change) -> tuple[str, str, str]:
    old = change.old[:12] if change.old else "not recorded"
    new = change.new[:12] if change.new else "not there"
    return change.name, f"{old} → {new}", _file_of(experiment, step.generation, change.name)


def _file_of(experiment: Experiment, generation: Generation, name: str) -> str:
    """Return the file that a change is about; empty if it is a setting."""
    kind, _, which = name.partition(" ")
    own = {"prompt": "prompt.txt", "answer": "raw.txt"}
    if name in own:
        return generation_file(generation.stage, generation.gen_id, own[name])
    if kind == "template":
        return recipes.template_file(experiment, generation)
    if kind == "concept":
        return recipes.concept_files(experiment, generation).get(which, "")
    for row in experiment.lineage(generation)[:-1]:
        if (kind == "ancestor" and row.stage == which) or (
            kind == "parent" and row.gen_id == generation.parent_gen_id
        ):
            return generation_file(row.stage, row.gen_id, "parsed.txt")
    return ""


def _work_cells(experiment: Experiment, step: Step) -> Iterator[tuple[str, str]]:
    for phase, state in zip(PHASES, step.account, strict=True):
        if state.kind != "current":
            reasons = ", ".join(state.reasons)
            if phase == "raw":
                reasons += f": {_answer(experiment, step)}"
            yield RULES[phase], reasons


def _answer(experiment: Experiment, step: Step) -> str:
    if not step.forecast.asks:
        return _STATES[step.forecast.state]
    calls = "1 call" if step.forecast.state == "call" else "1 call at most"
    return f"{calls}, {_money(_usd(experiment, step))}"


def _usd(experiment: Experiment, step: Step) -> float | None:
    """Return what a call is expected to cost, by the finished ones of its template and model."""
    generation = step.generation
    kind = kind_of(generation)
    alike = (row for row in experiment.generations.values() if kind_of(row) == kind)
    tokens = call_tokens(experiment, generation, step.forecast.prompt, mean_tokens(alike))
    usage = Usage(prompt=round(tokens.prompt), completion=round(tokens.completion))
    return usd_of(experiment, generation.stage, generation.llm_model_id, usage)


def _money(usd: float | None) -> str:
    return "price unknown" if usd is None else f"about {usd:.{4 if usd >= 0.001 else 6}f} USD"


def _verdict(experiment: Experiment, found: Sequence[Step]) -> str:
    jobs = sum(step.jobs for step in found)
    if not jobs:
        return "Nothing has changed since; a run does nothing for it."
    asked = [step for step in found if step.forecast.asks]
    certain = sum(step.forecast.state == "call" for step in asked)
    calls = f"{certain or 'no'} call{'s' if certain > 1 else ''}"
    if len(asked) > certain:
        calls += f" and {len(asked) - certain} more at most"
    if asked:
        prices = [_usd(experiment, step) for step in asked]
        known = [price for price in prices if price is not None]
        calls += f", {_money(sum(known) if len(known) == len(prices) else None)}"
    last = found[-1].generation
    target = generation_file(last.stage, last.gen_id, "parsed.txt")
    return (
        f"A run does {jobs} of {len(found) * len(PHASES)} jobs and makes {calls}:\n"
        f"  snakemake --cores 4 {target}{experiment.settings.sources.option}"
    )
