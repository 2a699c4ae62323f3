"""Why a generation is as it is: its lineage, what has changed since, and what a run would do.

Each phase has recorded the digests of what went into it (`daydream.generation`). A phase is made
anew if one of its files is missing, if a recorded digest is not that of today, or if the phase
before it is made anew. Where there is no record, as after an import, a file counts as changed if it
is newer than what was made from it. What a run then asks, and what that costs, is the plan's
forecast (`daydream.plan`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from daydream.calling import cost_usd
from daydream.errors import Problems
from daydream.experiment import NO_CONCEPTS, Experiment
from daydream.files import read_text, text_sha256
from daydream.generation import PARSED_INPUTS, PROMPT_INPUTS, read_inputs
from daydream.membership import Generation
from daydream.plan import Forecast, Means, call_tokens, forecasts, recipe
from daydream.store import OUTPUTS, generation_file, journaled, read_json

_SAMPLE = 20
_LABELS = {"variables": "names and dimensions", "raw": "answer"}
_STATES = {
    "done": "the same answer",
    "journal": "an answer from the journal",
    "copy": "a copy of the parent's text",
    "refused": "the journaled answer, which its parser refuses",
    "blocked": "not possible as long as what it is made of cannot be made",
}


class _Input(NamedTuple):
    """Something that a phase is made of, as it is now: a file or a setting, and its digest."""

    file: str
    sha256: str | None


class Change(NamedTuple):
    """An input that is not what it was; None: it is not there now, or was not recorded then."""

    name: str
    file: str
    old: str | None
    new: str | None


@dataclass(frozen=True, slots=True)
class Phase:
    """One of the rules that make a generation; a run does it if there are `reasons`."""

    rule: str
    changes: tuple[Change, ...]
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One generation of a lineage: its phases, and what a run would do about its answer."""

    generation: Generation
    phases: tuple[Phase, ...]
    forecast: Forecast

    @property
    def asks(self) -> bool:
        """Whether a run may ask the model; for certain, unless it waits for its parent."""
        return bool(self.phases[1].reasons) and self.forecast.state in ("call", "waiting")


def steps(experiment: Experiment, gen_id: str) -> list[Step]:
    """Return a generation's lineage, the first stage first.

    Raises:
        UnknownGenerationError: no configured cohort has the generation.
    """
    lineage = experiment.lineage(experiment.generation_of(gen_id))
    expected = forecasts(experiment, lineage)
    found: list[Step] = []
    for generation in lineage:
        parent_anew = bool(found) and bool(found[-1].phases[-1].reasons)
        phases = _phases(experiment, generation, parent_anew=parent_anew)
        found.append(Step(generation, phases, expected[generation.gen_id]))
    return found


def _phases(
    experiment: Experiment, generation: Generation, *, parent_anew: bool
) -> tuple[Phase, ...]:
    directory = Path(generation_file(generation.stage, generation.gen_id, ""))
    answered = read_inputs(directory / "metadata.json")
    of_answer = dict(answered.get("inputs", {}))
    settings = of_answer.pop("settings", None)
    asked = {"settings": settings, "prompt": answered.get("prompt_sha256")}
    prompt = _phase(
        "render_prompt",
        (directory / "prompt.txt",),
        recorded=_flat(read_inputs(directory / PROMPT_INPUTS) or of_answer),
        now=_prompt_inputs(experiment, generation),
        before="the parent is made anew" if parent_anew else "",
    )
    raw = _phase(
        "generate_raw",
        (directory / "raw.txt", directory / "metadata.json"),
        recorded={name: digest for name, digest in asked.items() if digest},
        now={
            "prompt": _file(str(directory / "prompt.txt")),
            "settings": _Input("", text_sha256(experiment.call_settings(generation))),
        },
        before="the prompt is made anew" if prompt.reasons else "",
    )
    parsed = _phase(
        "parse_response",
        (directory / "parsed.txt",),
        recorded=read_inputs(directory / PARSED_INPUTS),
        now={
            "raw": _file(str(directory / "raw.txt")),
            "parser": _Input("", text_sha256(experiment.parser_settings(generation))),
        },
        before="the answer is made anew" if raw.reasons else "",
    )
    return prompt, raw, parsed


def _phase(
    rule: str,
    outputs: Sequence[Path],
    *,
    recorded: Mapping[str, str],
    now: Mapping[str, _Input],
    before: str,
) -> Phase:
    missing = [path.name for path in outputs if not path.exists()]
    changes = () if missing else tuple(_changes(outputs, recorded, now))
    reasons = [f"{name} is missing" for name in missing]
    reasons += [f"{change.name} changed" for change in changes]
    return Phase(rule, changes, (*reasons, before) if before else tuple(reasons))


def _changes(
    outputs: Iterable[Path], recorded: Mapping[str, str], now: Mapping[str, _Input]
) -> Iterator[Change]:
    made = min(path.stat().st_mtime_ns for path in outputs)
    for name in dict.fromkeys([*recorded, *now]):
        file, digest = now.get(name, _Input("", None))
        old = recorded.get(name)
        if old != digest if old else _is_newer(file, made):
            yield Change(_LABELS.get(name, name), file, old, digest)


def _is_newer(file: str, time_ns: int) -> bool:
    return bool(file) and Path(file).exists() and Path(file).stat().st_mtime_ns > time_ns


def _flat(recorded: Mapping[str, Any]) -> dict[str, str]:
    """Return the digests of a prompt's inputs under the names of `_prompt_inputs`."""
    flat = {name: digest for name, digest in recorded.items() if isinstance(digest, str)}
    for kind, digests in (("concept", "concepts"), ("ancestor", "ancestors")):
        flat |= {f"{kind} {name}": digest for name, digest in recorded.get(digests, {}).items()}
    return flat


def _prompt_inputs(experiment: Experiment, generation: Generation) -> dict[str, _Input]:
    inputs = experiment.prompt_inputs(generation)
    now = {
        "template": _Input(
            str(inputs.get("template", "")), text_sha256(experiment.template_text(generation))
        ),
        "variables": _Input("", text_sha256(experiment.prompt_variables(generation))),
    }
    combo = experiment.catalog.combos.get(generation.combo_id, NO_CONCEPTS)
    for (concept, _), path in zip(combo.concepts, inputs.get("concepts", ()), strict=False):
        now[f"concept {concept}"] = _Input(path, text_sha256(experiment.text(path)))
    paths = list(inputs.get("ancestors", ()))
    if paths:
        now["parent"] = _file(paths.pop())
    for stage, path in zip(experiment.ancestor_names(generation), paths, strict=False):
        now[f"ancestor {stage}"] = _file(path)
    return now


def _file(path: str) -> _Input:
    return _Input(path, text_sha256(read_text(path)) if Path(path).exists() else None)


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
    lines: list[str] = []
    for depth, step in enumerate(found):
        lines += _branch(list(_facts(experiment, step)), depth, last=step is found[-1])
    return "\n".join([*lines, "", _verdict(experiment, found)])


def _branch(facts: Sequence[tuple[str, str]], depth: int, *, last: bool) -> Iterator[str]:
    """Yield the lines of one generation: its name, then what there is to say of it."""
    indent = "   " * depth
    (stage, gen_id), *rest = facts
    yield f"{indent[3:]}└─ {stage} {gen_id}" if depth else f"{stage} {gen_id}"
    trunk = f"{indent}{' ' if last else '│'}  "
    width = max(len(name) for name, _ in rest)
    for name, text in rest:
        yield f"{trunk}{name:<{width}}  {text}".rstrip()
    if not last:
        yield trunk.rstrip()


def _facts(experiment: Experiment, step: Step) -> Iterator[tuple[str, str]]:
    generation = step.generation
    directory = Path(generation_file(generation.stage, generation.gen_id, ""))
    yield generation.stage, generation.gen_id
    yield "key", generation.key
    if not generation.parent_gen_id:
        yield _subject(experiment, generation)
    yield "template", generation.template_id
    yield (
        "model",
        "none, as it is a copy" if experiment.is_copy(generation) else generation.llm_model_id,
    )
    yield "replicate", generation.replicate
    yield from experiment.dimensions(generation).items()
    yield "cohorts", ", ".join(_cohorts(experiment, generation))
    there = [name for name in OUTPUTS if (directory / name).exists()]
    yield "files", "  ".join(there) or "none yet"
    if there and len(there) < len(OUTPUTS):
        yield "missing", "  ".join(name for name in OUTPUTS if name not in there)
    answers = len(journaled(directory))
    if answers:
        yield "journal", f"{answers} answer{'' if answers == 1 else 's'}"
    changes = [change for phase in step.phases for change in phase.changes]
    yield from _column("changed", _aligned(map(_change_cells, changes)))
    yield from _column("a run", _aligned(_work_cells(experiment, step)))


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


def _column(name: str, texts: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield texts under one name, which only the first shows."""
    for place, text in enumerate(texts):
        yield "" if place else name, text


def _aligned(rows: Iterable[Sequence[str]]) -> list[str]:
    table = list(rows)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]


def _change_cells(change: Change) -> tuple[str, str, str]:
    old = change.old[:12] if change.old else "not recorded"
    new = change.new[:12] if change.new else "not there"
    return change.name, f"{old} → {new}", change.file


def _work_cells(experiment: Experiment, step: Step) -> Iterator[tuple[str, str]]:
    for phase in step.phases:
        if phase.reasons:
            reasons = ", ".join(phase.reasons)
            if phase.rule == "generate_raw":
                reasons += f": {_answer(experiment, step)}"
            yield phase.rule, reasons


def _answer(experiment: Experiment, step: Step) -> str:
    if not step.asks:
        return _STATES[step.forecast.state]
    calls = "1 call" if step.forecast.state == "call" else "1 call at most"
    return f"{calls}, {_money(_usd(experiment, step))}"


def _usd(experiment: Experiment, step: Step) -> float | None:
    """Return what a call is expected to cost, by the finished ones of its template and model."""
    means = _finished(experiment, step.generation)
    prompt, completion, _ = call_tokens(experiment, step.forecast, means)
    usage = {"prompt_tokens": prompt, "completion_tokens": completion}
    return cost_usd(usage, experiment.catalog.models[step.generation.llm_model_id])


def _finished(experiment: Experiment, generation: Generation) -> Means:
    """Return the mean tokens of some finished calls of a generation's template and model."""
    wanted = recipe(generation)
    paths = (
        Path(generation_file(row.stage, row.gen_id, "metadata.json"))
        for row in experiment.generations.values()
        if recipe(row) == wanted
    )
    told = (read_json(path).get("usage", {}) for path in paths if path.exists())
    names = ("prompt_tokens", "completion_tokens")
    counts = [
        [usage[name] for name in names]
        for usage in islice(told, _SAMPLE)
        if all(usage.get(name) is not None for name in names)
    ]
    if not counts:
        return {}
    prompts, completions = zip(*counts, strict=True)
    return {wanted: (sum(prompts) / len(counts), sum(completions) / len(counts))}


def _money(usd: float | None) -> str:
    return "price unknown" if usd is None else f"about {usd:.{4 if usd >= 0.001 else 6}f} USD"


def _verdict(experiment: Experiment, found: Sequence[Step]) -> str:
    phases = [phase for step in found for phase in step.phases]
    jobs = sum(bool(phase.reasons) for phase in phases)
    if not jobs:
        return "Nothing has changed since; a run does nothing for it."
    asked = [step for step in found if step.asks]
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
        f"A run does {jobs} of {len(phases)} jobs and makes {calls}:\n"
        f"  snakemake --cores 4 {target}"
    )
