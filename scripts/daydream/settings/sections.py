"""All settings: one field for each section or single setting of config.yaml."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    ValidationError,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from daydream.errors import nearest
from daydream.settings.budget import Budget, RunBudget
from daydream.settings.fields import (
    Conditions,
    Count,
    FilePath,
    Flag,
    Key,
    Name,
    OneOrMany,
    Section,
    StageName,
    Words,
    each_once,
)
from daydream.settings.providers import OpenAI, Pool, Provider
from daydream.settings.sampling import Sampling, merged
from daydream.settings.sources import Sources
from daydream.settings.stages import Finding, Stage, contradictions, in_order
from daydream.settings.targets import TargetOptions
from daydream.settings.views import View


class ModelSettings(Section):
    """What a single model needs otherwise than the stages say."""

    sampling: Sampling = Field(default_factory=Sampling, description="At every stage.")
    stages: Mapping[StageName, Sampling] = Field(
        default_factory=dict, description="At single stages, by their names."
    )


class Settings(TargetOptions):
    """Everything that config.yaml says; paths are relative to the working directory."""

    cohorts: Annotated[
        tuple[Name, ...], Field(min_length=1), OneOrMany, AfterValidator(each_once)
    ] = Field(
        description="The cohorts to work on, each a directory `data/cohorts/<cohort>/spec`.",
        json_schema_extra={"uniqueItems": True},
    )
    partial: Flag = Field(
        default=False,
        description="`true`: scores take what exists; a row without a score says why in `error`.",
    )
    report_failures: Flag = Field(
        default=True,
        description="After a run with failures, the reports of what there is are made, marked as "
        "partial.",
    )
    where: Conditions = Field(
        default_factory=dict,
        description="Keeps a slice: generations that match on dimensions of theirs or of their "
        "ancestors, and the ancestors they need.",
    )
    exclude: Conditions = Field(
        default_factory=dict,
        description="Leaves out what matches on any dimension named, and what descends from it.",
    )
    refresh: Flag = Field(
        default=False, description="`true`: asks again for every generation of the slice."
    )
    expand: Literal["all", "pending"] = Field(
        default="all",
        description="`pending`: Snakemake plans only for generations that are not complete.",
    )
    budget: RunBudget = Field(default_factory=RunBudget, description="The most that may be spent.")
    views: Mapping[Key, View] = Field(
        default_factory=dict,
        description="Parts of all cohorts' scores, each a name with conditions of its own.",
    )
    raw_dir: FilePath = Field(
        default="data/1_raw",
        description="The catalogs: concepts, templates, models.",
        validate_default=True,
    )
    specs_dir: FilePath = Field(
        default="data/cohorts",
        description="Where the specs of cohorts are: `<specs_dir>/<cohort>/spec`.",
        validate_default=True,
    )
    items: FilePath | None = Field(
        default=None, description="A table of items that the first stage takes instead of combos."
    )
    combo_mappings: FilePath = Field(
        default="data/combo_mappings.csv",
        description="Which concepts, at which level, make up each combo.",
        validate_default=True,
    )
    parsers: Annotated[tuple[FilePath, ...], OneOrMany] = Field(
        default=(), description="Python files with parsers of yours."
    )
    shards: Count = Field(
        default=1, description="Into how many runs the default target is divided."
    )
    shard: Count | None = Field(
        default=None,
        description="Which of them this run is, from 1; a run with `shards` sets it for the runs "
        "that it starts.",
    )
    stages: Annotated[Mapping[StageName, Stage], Field(min_length=1), AfterValidator(in_order)] = (
        Field(description="The chain.")
    )
    models: Mapping[Words, ModelSettings] = Field(
        default_factory=dict,
        description="Settings of single models, by their id in `llm_models.csv`.",
    )
    pools: Mapping[Key, Pool] = Field(
        default_factory=dict, description="Limits of groups of models."
    )
    default_provider: Name = Field(
        description="Serves the models whose catalog row names a provider that is not in "
        "`providers`."
    )
    providers: Annotated[Mapping[Key, Provider], Field(min_length=1)] = Field(
        description="Where models are."
    )
    _sources: Sources = PrivateAttr(default_factory=Sources)

    @model_validator(mode="wrap")
    @classmethod
    def _check(cls, data: Any, read: ModelWrapValidatorHandler[Settings]) -> Settings:  # noqa: ANN401
        """Find what contradicts itself, too, where single settings are refused."""
        if not isinstance(data, Mapping):
            return read(data)
        findings = list(_contradictions(data))
        errors = [_as_error(finding) for finding in findings]
        try:
            settings = read(_with_names(data))
        except ValidationError as error:
            errors = [*map(_again, error.errors(include_url=False)), *errors]
        if errors:
            raise ValidationError.from_exception_data(cls.__name__, errors)
        return settings

    @property
    def cohort_budget(self) -> Budget:
        """The most that may be spent for each cohort, over all runs."""
        return self.budget.cohort

    @property
    def key_names(self) -> set[str]:
        """The environment variables that hold the providers' keys."""
        names = {each.api_key_env for each in self.providers.values() if isinstance(each, OpenAI)}
        return {name for name in names if name}

    def provider_of(self, name: str) -> str:
        """Return the configured provider that serves a model whose catalog says `name`."""
        return name if name in self.providers else self.default_provider

    def sampling(
        self, stage: str, model_id: str, dimensions: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Return the sampling settings of a model at a stage.

        The stage's settings, overridden by the model's, overridden by the model's for that stage,
        overridden by those of `dimensions` that are sampling settings; `extra_body` is merged key
        by key. A setting of null is as if it were not there.
        """
        layers = [self.stages[stage].sampling]
        if model_id in self.models:
            model = self.models[model_id]
            layers += [model.sampling, *filter(None, [model.stages.get(stage)])]
        return merged(layers, dimensions or {})

    @property
    def sources(self) -> Sources:
        """The files and options that these settings were read from."""
        return self._sources

    def origin(self, *path: str) -> str:
        """Return where a setting was given: config.yaml, another file, or ``--config``."""
        return self._sources.origin(path)

    def plain(self) -> dict[str, Any]:
        """Return all settings, defaults too, as the values that YAML and JSON have."""
        return self.model_dump(mode="json")


def _contradictions(data: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield what is wrong between settings, of which each alone may be right or not."""
    stages, providers, models = (
        value if isinstance(value := data.get(name), Mapping) else {}
        for name in ("stages", "providers", "models")
    )
    yield from contradictions(stages)
    for model, settings in models.items():
        own = settings.get("stages") if isinstance(settings, Mapping) else None
        for stage in own if stages and isinstance(own, Mapping) else ():
            if stage not in stages:
                yield Finding(
                    ("models", model, "stages", stage),
                    f"found {stage!r}, which is not a stage",
                    nearest(stage, stages),
                )
    provider = data.get("default_provider")
    if providers and isinstance(provider, str) and provider not in providers:
        yield Finding(
            ("default_provider",),
            f"found {provider!r}, which is not a provider",
            f"name one under providers; {nearest(provider, providers)}",
        )
    if data.get("cohort") is not None and data.get("source") is None:
        # Whoever leaves out an s must not run, and pay for, the cohorts of config.yaml.
        yield Finding(
            ("cohort",),
            f"found {data['cohort']!r}, which names a cohort to import, but no source",
            "add source=…, or did you mean 'cohorts'?",
        )


def _with_names(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the settings with the name of each stage in it."""
    stages = data.get("stages")
    if not isinstance(stages, Mapping):
        return data
    named = {
        name: {**stage, "name": name} if isinstance(stage, Mapping) else stage
        for name, stage in stages.items()
    }
    return {**data, "stages": named}


def _as_error(finding: Finding) -> InitErrorDetails:
    context = {"found": finding.found, "remedy": finding.remedy}
    error = PydanticCustomError("contradiction", "{found}; {remedy}", context)
    return InitErrorDetails(type=error, loc=finding.path, input=None)


def _again(error: Any) -> InitErrorDetails:  # noqa: ANN401 - pydantic's ErrorDetails
    """Return an error of pydantic's in the form in which it can be raised again."""
    kind, context = error["type"], error.get("ctx", {})
    if kind == "refused":
        kind = PydanticCustomError(kind, "{remedy}", context)
    return InitErrorDetails(type=kind, loc=error["loc"], input=error["input"], ctx=context)
