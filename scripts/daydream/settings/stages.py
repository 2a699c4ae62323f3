"""The chain of stages: what each is, and their order, which follows from `parent` alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, Field
from pydantic.json_schema import SkipJsonSchema

from daydream.errors import nearest
from daydream.settings.fields import (
    STAGE_NAME,
    Count,
    Flag,
    OneOrMany,
    Prefix,
    Section,
    StageName,
    WholeFrom0,
    each_once,
    read_text,
    refusal,
)
from daydream.settings.sampling import Sampling

# The dimensions that every stage has.
COMMON = ("template", "llm", "replicate")
# The names of the workflow's own rules, which no target of a stage can have.
RULES = (
    "aggregate_scores",
    "all",
    "build_explorer",
    "build_membership",
    "collect_calls",
    "combos",
    "diff",
    "draw_figures",
    "explain",
    "explorer",
    "figures",
    "filter_view",
    "generate_raw",
    "import_store",
    "membership",
    "parse_response",
    "plan",
    "render_prompt",
    "report",
    "restore",
    "run_shard",
    "scores",
    "tables",
    "tabulate_scores",
    "top",
    "unite_scores",
    "write_manifest",
)


class Finding(NamedTuple):
    """A contradiction between settings: the path of one of them, what is wrong, what to do."""

    path: tuple[str, ...]
    found: str
    remedy: str


def _check_dimension(name: str) -> str:
    if name in COMMON:
        raise refusal("take it away: every stage has that dimension")
    return name


Dimension = Annotated[
    str,
    Field(pattern=STAGE_NAME, json_schema_extra={"not": {"enum": list(COMMON)}}),
    AfterValidator(_check_dimension),
]


class Stage(Section):
    """One link of the chain."""

    name: SkipJsonSchema[str] = Field(exclude=True)
    prefix: Prefix = Field(
        description="Begins the ids of its generations, and is part of them: changing it makes new "
        "ones."
    )
    parent: StageName | None = Field(
        default=None, description="The stage whose text it takes; `null` for the first."
    )
    scored: Flag = Field(
        default=False,
        description="Its parsed texts are numbers, and are collected in the score table.",
    )
    dimensions: Annotated[tuple[Dimension, ...], OneOrMany, AfterValidator(each_once)] = Field(
        default=(),
        description="Dimensions beside template, model and replicate: axes `<stage>_<dimension>`.",
        json_schema_extra={"uniqueItems": True},
    )
    min_lines: WholeFrom0 = Field(
        default=0, description="An answer with fewer lines of text is refused."
    )
    resample: WholeFrom0 = Field(
        default=0,
        description="So many times more an answer is asked for if it is truncated, blank, too "
        "short, or refused by the parser.",
    )
    on_truncation: Literal["fail", "grow"] = Field(
        default="fail",
        description="`grow`: a truncated answer is asked for again with twice the `max_tokens`, …",
    )
    max_tokens_limit: Count | None = Field(default=None, description="… up to this many.")
    sampling: Sampling = Field(
        default_factory=Sampling, description="How its models are to answer."
    )
    target: StageName | None = Field(
        default=None,
        description="The target that makes all its texts; without it, its name and an `s`.",
    )

    @property
    def target_name(self) -> str:
        """The target that makes all texts of the stage: `drafts` for a draft."""
        return self.target or f"{self.name}s"


def chain(stages: Mapping[str, Stage], name: str) -> list[Stage]:
    """Return the stages from the first to `name`, each the parent of the next."""
    found = [stages[name]]
    while found[0].parent is not None:
        found.insert(0, stages[found[0].parent])
    return found


def in_order(stages: Mapping[str, Stage]) -> dict[str, Stage]:
    """Return the stages with each parent before its children, else in the order given."""
    ordered: dict[str, Stage] = {}
    waiting = dict(stages)
    while waiting:
        ready = [name for name in waiting if stages[name].parent in (None, *ordered)]
        # Without one they are no chain, which is refused elsewhere.
        name = next(iter(ready or waiting))
        ordered[name] = waiting.pop(name)
    return ordered


def contradictions(stages: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield what keeps stages, as they were written, from being a chain.

    A stage that has a mistake of its own counts with what can be read of it.
    """
    given = {name: stage for name, stage in stages.items() if isinstance(stage, Mapping)}
    parents = {name: _text(stage.get("parent")) for name, stage in given.items()}
    for name, stage in given.items():
        parent = parents[name]
        if "name" in stage:
            yield Finding(
                ("stages", name), "found the unknown setting 'name'", "the key above it is the name"
            )
        if parent and parent not in stages:
            others = [other for other in stages if other != name]
            yield Finding(
                ("stages", name, "parent"),
                f"found {parent!r}, which is not a stage",
                nearest(parent, others),
            )
    yield from _unclear_beginnings(parents)
    yield from _taken_targets({name: _text(stage.get("target")) for name, stage in given.items()})
    yield from _shared_prefixes({name: _text(stage.get("prefix")) for name, stage in given.items()})


def _text(value: object) -> str | None:
    """Return a text; empty if it is none, which is told elsewhere."""
    try:
        return None if value is None else read_text(value)
    except ValueError:
        return ""


def _unclear_beginnings(parents: Mapping[str, str | None]) -> Iterator[Finding]:
    circle = _circle(parents)
    if circle:
        yield Finding(
            ("stages", circle[0], "parent"),
            f"found {parents[circle[0]]!r}, which makes a circle: {' -> '.join(circle)}",
            "let each stage follow an earlier one, and the first none",
        )
    roots = [name for name, parent in parents.items() if parent is None]
    for name in roots[1:]:
        yield Finding(
            ("stages", name, "parent"),
            f"found none, but stage {roots[0]!r} is the first already",
            f"name the stage that it follows; {nearest(name, parents.keys() - {name})}",
        )


def _circle(parents: Mapping[str, str | None]) -> list[str]:
    """Return the stages of a circle, the one that closes it named twice; empty if there is none."""
    for start in parents:
        way = [start]
        while (parent := parents.get(way[-1])) is not None:
            way.append(parent)
            if parent in way[:-1]:
                return way[way.index(parent) :]
    return []


def _taken_targets(targets: Mapping[str, str | None]) -> Iterator[Finding]:
    """Yield each target that is a rule's name, or another stage's target."""
    owners = dict.fromkeys(RULES, "a rule")
    for name, given in targets.items():
        target = given or f"{name}s"
        if target in owners:
            yield Finding(
                ("stages", name, "target"),
                f"found {target!r}, which is the name of {owners[target]}",
                f"give the stage another target, such as {f'all_{name}'!r}",
            )
        owners.setdefault(target, f"the target of stage {name!r}")


def _shared_prefixes(prefixes: Mapping[str, str | None]) -> Iterator[Finding]:
    owners: dict[str, str] = {}
    for name, prefix in prefixes.items():
        if prefix in owners:
            yield Finding(
                ("stages", name, "prefix"),
                f"found {prefix!r}, which stage {owners[prefix]!r} has already",
                "give each stage its own prefix",
            )
        if prefix:
            owners.setdefault(prefix, name)
