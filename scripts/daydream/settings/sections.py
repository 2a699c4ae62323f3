"""All settings: one field for each section or single setting of config.yaml."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    ValidationError,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from daydream.errors import nearest
from daydream.settings.batch import ALL, Batch, BatchApi, BatchLimits, read_batch
from daydream.settings.budget import Budget, RunBudget
from daydream.settings.embeddings import Embeddings, unusable_provider
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
from daydream.settings.providers import Api, Pool, Provider
from daydream.settings.sampling import Sampling, merged
from daydream.settings.sources import Sources
from daydream.settings.stages import Finding, Stage, contradictions, in_order
from daydream.settings.targets import TargetOptions
from daydream.settings.views import View


class ModelSettings(Section):
    """Settings of a single model, which override those of the stages."""

    sampling: Sampling = Field(
        default_factory=Sampling, description="Sampling settings at every stage."
    )
    stages: Mapping[StageName, Sampling] = Field(
        default_factory=dict, description="Sampling settings at single stages, by stage name."
    )


class Settings(TargetOptions):
    """All settings of config.yaml. Paths are relative to the working directory."""

    cohorts: Annotated[
        tuple[Name, ...], Field(min_length=1), OneOrMany, AfterValidator(each_once)
    ] = Field(
        description="The cohorts to work on. The spec of each is in `<specs_dir>/<cohort>/spec`.",
        json_schema_extra={"uniqueItems": True},
    )
    partial: Flag = Field(
        default=False,
        description="`true`: makes the reports from what exists. A row without a score says why in "
        "`error`.",
    )
    report_failures: Flag = Field(
        default=True,
        description="`true`: a run with failures still makes the reports from what exists, marked "
        "as partial.",
    )
    where: Conditions = Field(
        default_factory=dict,
        description="Selects a slice: the generations that match on their own dimensions or those "
        "of their ancestors, and the ancestors that they need.",
    )
    exclude: Conditions = Field(
        default_factory=dict,
        description="Leaves out the generations that match on any dimension named, and their "
        "descendants.",
    )
    refresh: Flag = Field(
        default=False,
        description="`true`: asks for a new answer for every generation that matches the slice.",
    )
    expand: Literal["auto", "all", "pending"] = Field(
        default="auto",
        description="`pending`: Snakemake plans only the generations that are not complete; `all`: "
        "all of them; `auto`: `pending` for large cohorts.",
    )
    budget: RunBudget = Field(default_factory=RunBudget, description="Spending limits.")
    batch: Annotated[Batch, BeforeValidator(read_batch)] = Field(
        default_factory=Batch,
        description="The stages that ask in batches, at about half the price: `true` for all, or a "
        "list.",
    )
    batch_wait: Flag = Field(
        default=True,
        description="`false`: a run does not wait for batches. A later one collects them.",
    )
    embeddings: Embeddings | None = Field(
        default=None,
        description="A model of embeddings, by which texts are compared in meaning; `null`: they "
        "are not.",
    )
    skip_failed: Flag = Field(
        default=False,
        description="`true`: leaves out what has failed before, and what comes after it.",
    )
    panel: Literal["adjusted", "mean", "median"] = Field(
        default="adjusted",
        description="How the scores of several judges become one: the mean less each judge's bias, "
        "the plain mean, or the median.",
    )
    views: Mapping[Key, View] = Field(
        default_factory=dict,
        description="Named parts of the score table of all cohorts, each with its own conditions.",
    )
    raw_dir: FilePath = Field(
        default="data/1_raw",
        description="The directory of the catalogs: concepts, templates and models.",
        validate_default=True,
    )
    specs_dir: FilePath = Field(
        default="data/cohorts",
        description="The directory of the cohorts' specs.",
        validate_default=True,
    )
    items: FilePath | None = Field(
        default=None,
        description="A table of items that the first stage uses instead of combos.",
    )
    combo_mappings: FilePath = Field(
        default="data/combo_mappings.csv",
        description="The table that says which concepts, at which level, make up each combo.",
        validate_default=True,
    )
    parsers: Annotated[tuple[FilePath, ...], OneOrMany] = Field(
        default=(), description="Python files with your own parsers."
    )
    shards: Count = Field(
        default=1, description="How many runs the default target is divided into."
    )
    shard: Count | None = Field(
        default=None,
        description="The number of this shard, from 1. A run with `shards` sets it for the runs "
        "that it starts.",
    )
    tuning: Flag = Field(
        default=True,
        description="`false`: Snakemake logs and records each job of a generation, as it does "
        "elsewhere. That takes half as long again, and twice the files.",
    )
    stages: Annotated[Mapping[StageName, Stage], Field(min_length=1), AfterValidator(in_order)] = (
        Field(description="The chain of stages.")
    )
    models: Mapping[Words, ModelSettings] = Field(
        default_factory=dict,
        description="Settings of single models, by their id in `llm_models.csv`.",
    )
    pools: Mapping[Key, Pool] = Field(
        default_factory=dict, description="Limits on the calls to groups of models."
    )
    default_provider: Name = Field(
        description="The provider of the models whose catalog row names one that is not in "
        "`providers`."
    )
    providers: Annotated[Mapping[Key, Provider], Field(min_length=1)] = Field(
        description="The providers, by name."
    )
    _sources: Sources = PrivateAttr(default_factory=Sources)

    @model_validator(mode="wrap")
    @classmethod
    def _check(cls, data: Any, read: ModelWrapValidatorHandler[Settings]) -> Settings:  # noqa: ANN401
        """Report contradictions between settings together with invalid single settings."""
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
        """The spending limits of each cohort, over all runs."""
        return self.budget.cohort

    @property
    def key_names(self) -> set[str]:
        """The environment variables that hold the providers' keys."""
        names = {each.api_key_env for each in self.providers.values() if isinstance(each, Api)}
        return {name for name in names if name}

    def provider_of(self, name: str) -> str:
        """Return the configured provider of a model whose catalog row names `name`."""
        return name if name in self.providers else self.default_provider

    def batch_api(self, provider: str) -> BatchApi | None:
        """Return the batches of a configured provider; None if it has none."""
        settings = self.providers[provider]
        return settings.batch if isinstance(settings, Api) else None

    def batch_limits(self, provider: str) -> BatchLimits:
        """Return the most that a batch of a configured provider may hold."""
        settings = self.providers[provider]
        return (settings if isinstance(settings, Api) else Api()).batch_limits

    def sampling(
        self, stage: str, model_id: str, dimensions: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Return the sampling settings of a model at a stage.

        Each of these overrides those before it: the stage's settings, the model's, the model's for
        that stage, and the `dimensions` that are sampling settings. `extra_body` is merged key by
        key. A setting of null counts as not set.
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
        """Return all settings, defaults included, as values of YAML and JSON."""
        return self.model_dump(mode="json")


def _contradictions(data: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield the contradictions between settings, whether or not each alone is valid."""
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
    batch = read_batch(data.get("batch"))
    named = batch.get("stages") if isinstance(batch, Mapping) else None
    for stage in [named] if isinstance(named, str) else named or ():
        if stages and isinstance(stage, str) and stage not in (*stages, ALL):
            yield Finding(
                ("batch", "stages"),
                f"found {stage!r}, which is not a stage",
                nearest(stage, [*stages, ALL]),
            )
    yield from unusable_provider(data.get("embeddings"), providers)
    provider = data.get("default_provider")
    if providers and isinstance(provider, str) and provider not in providers:
        yield Finding(
            ("default_provider",),
            f"found {provider!r}, which is not a provider",
            f"name one under providers; {nearest(provider, providers)}",
        )
    if data.get("cohort") is not None and data.get("source") is None:
        # Typing cohort instead of cohorts must not run, and pay for, those of config.yaml.
        yield Finding(
            ("cohort",),
            f"found {data['cohort']!r}, which names a cohort to import, without a source",
            "add source=…; did you mean 'cohorts'?",
        )


def _with_names(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the settings with each stage's name added to the stage."""
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
    """Return one of pydantic's errors in a form that can be raised again."""
    kind, context = error["type"], error.get("ctx", {})
    if kind == "invalid":
        kind = PydanticCustomError(kind, "{remedy}", context)
    return InitErrorDetails(type=kind, loc=error["loc"], input=error["input"], ctx=context)
