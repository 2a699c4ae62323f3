"""The chain of stages. Their order follows from `parent` alone."""

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
    invalid,
    read_text,
)
from daydream.settings.sampling import Sampling

# The dimensions that every stage has.
COMMON = ("template", "llm", "replicate")
# The names of the workflow's own rules, which no target of a stage can have.
RULES = (
    "aggregate_scores",
    "all",
    "allocate",
    "batches",
    "build_explorer",
    "build_membership",
    "build_overview",
    "check",
    "collect_batches",
    "collect_calls",
    "collect_ratings",
    "combos",
    "diff",
    "draw_figures",
    "embed_texts",
    "explain",
    "explorer",
    "figures",
    "filter_view",
    "follow",
    "generate_raw",
    "import_store",
    "list_texts",
    "membership",
    "parse_response",
    "plan",
    "prune",
    "render_prompt",
    "report",
    "restore",
    "run_shard",
    "scores",
    "submit_batches",
    "tables",
    "tabulate_criteria",
    "tabulate_ratings",
    "tabulate_scores",
    "top",
    "unite_scores",
    "write_manifest",
)


class Finding(NamedTuple):
    """A contradiction between settings: the path of one of them, what was found, the remedy."""

    path: tuple[str, ...]
    found: str
    remedy: str


def _check_dimension(name: str) -> str:
    if name in COMMON:
        raise invalid("remove it: every stage has this dimension")
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
        description="The beginning of its generations' ids. A new prefix means new generations."
    )
    parent: StageName | None = Field(
        default=None, description="The stage whose text it takes; `null` for the first stage."
    )
    scored: Flag = Field(
        default=False,
        description="`true`: its parsed texts are numbers, which the score table collects.",
    )
    dimensions: Annotated[tuple[Dimension, ...], OneOrMany, AfterValidator(each_once)] = Field(
        default=(),
        description="Dimensions besides template, model and replicate. Their axes are named "
        "`<stage>_<dimension>`.",
        json_schema_extra={"uniqueItems": True},
    )
    min_lines: WholeFrom0 = Field(
        default=0,
        description="The fewest lines of text in an answer. A shorter answer counts as failed.",
    )
    resample: WholeFrom0 = Field(
        default=0,
        description="How many more answers to ask for if one is truncated, blank, too short, "
        "ended early by the provider, or rejected by the parser.",
    )
    on_truncation: Literal["fail", "grow"] = Field(
        default="fail",
        description="`grow`: asks again with twice the `max_tokens` if an answer is truncated.",
    )
    max_tokens_limit: Count | None = Field(
        default=None, description="The most that `max_tokens` may become, which `grow` needs."
    )
    sampling: Sampling = Field(
        default_factory=Sampling, description="The sampling settings of its calls."
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
    """Return the stages with each parent before its children, otherwise in the order given."""
    ordered: dict[str, Stage] = {}
    waiting = dict(stages)
    while waiting:
        ready = [name for name in waiting if stages[name].parent in (None, *ordered)]
        # If none is ready, the stages are not a chain; `contradictions` reports that.
        name = next(iter(ready or waiting))
        ordered[name] = waiting.pop(name)
    return ordered


def contradictions(stages: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield every reason why the stages, as written, are not a chain.

    Of a stage with other mistakes, the part that can be read is checked.
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
        if stage.get("on_truncation") == "grow" and stage.get("max_tokens_limit") is None:
            yield Finding(
                ("stages", name, "max_tokens_limit"),
                "found none, though on_truncation is 'grow'",
                "write the most that max_tokens may become, such as four times sampling.max_tokens",
            )
    yield from _unclear_beginnings(parents)
    yield from _taken_targets({name: _text(stage.get("target")) for name, stage in given.items()})
    yield from _shared_prefixes({name: _text(stage.get("prefix")) for name, stage in given.items()})


def _text(value: object) -> str | None:
    """Return a text; empty if the value is not a text, which is reported elsewhere."""
    try:
        return None if value is None else read_text(value)
    except ValueError:
        return ""


def _unclear_beginnings(parents: Mapping[str, str | None]) -> Iterator[Finding]:
    cycle = _cycle(parents)
    if cycle:
        yield Finding(
            ("stages", cycle[0], "parent"),
            f"found {parents[cycle[0]]!r}, which makes a cycle: {' -> '.join(cycle)}",
            "give each stage an earlier stage as its parent, and the first stage no parent",
        )
    roots = [name for name, parent in parents.items() if parent is None]
    for name in roots[1:]:
        yield Finding(
            ("stages", name, "parent"),
            f"found none, but stage {roots[0]!r} is already the first",
            f"name the stage that it follows; {nearest(name, parents.keys() - {name})}",
        )


def _cycle(parents: Mapping[str, str | None]) -> list[str]:
    """Return the stages of a cycle, its first stage also at the end; empty without a cycle."""
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
                f"found {prefix!r}, which stage {owners[prefix]!r} already has",
                "give each stage its own prefix",
            )
        if prefix:
            owners.setdefault(prefix, name)
