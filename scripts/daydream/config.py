"""The workflow's settings: config.yaml as checked, typed and frozen.

`check_config` says everything that is wrong with the mapping Snakemake has read; the schema then
fills in its defaults (`snakemake.utils.validate`); `Settings.from_config` turns the result into
values that cannot change.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from daydream.errors import Problems, nearest
from daydream.ledger import Budget

if TYPE_CHECKING:
    from jsonschema import ValidationError

Sampling = Mapping[str, Any]
# The sampling settings that a dimension of the same name sets, and what they count with.
_NUMBERS: Mapping[str, type[int] | type[float]] = {
    "max_tokens": int,
    "temperature": float,
    "top_p": float,
    "seed": int,
}
# What YAML makes of names such as 2026, 1.5 and 2026-11-01.
_NAMES = (int, float, date)


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """One link of the chain. `parent` is None for the first; `dimensions` extend its key."""

    name: str
    prefix: str
    parent: str | None
    scored: bool
    dimensions: tuple[str, ...]
    min_lines: int
    resample: int = 0
    on_truncation: str = "fail"
    max_tokens_limit: int | None = None
    sampling: Sampling


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """Everything that config.yaml says; paths are relative to the working directory."""

    cohorts: tuple[str, ...]
    partial: bool
    where: Mapping[str, Any]
    exclude: Mapping[str, Any]
    views: Mapping[str, Mapping[str, Any]]
    refresh: bool
    expand: str
    report_failures: bool
    budget: Budget
    cohort_budget: Budget
    raw_dir: Path
    specs_dir: Path
    combo_mappings: Path
    items: Path | None
    parsers: tuple[Path, ...]
    shards: int
    shard: int | None
    stages: Mapping[str, Stage]
    models: Mapping[str, Mapping[str, Any]]
    providers: Mapping[str, Mapping[str, Any]]
    default_provider: str
    pools: Mapping[str, Mapping[str, Any]]

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Settings:
        """Return the settings of a checked mapping whose defaults are filled in."""
        return cls(
            cohorts=tuple(config["cohorts"]),
            partial=config["partial"],
            where=config["where"],
            exclude=config["exclude"],
            views=config["views"],
            refresh=config["refresh"],
            expand=config["expand"],
            report_failures=config["report_failures"],
            budget=_budget(config["budget"]),
            cohort_budget=_budget(config["budget"].get("cohort", {})),
            raw_dir=Path(config["raw_dir"]),
            specs_dir=Path(config["specs_dir"]),
            combo_mappings=Path(config["combo_mappings"]),
            items=None if config["items"] is None else Path(config["items"]),
            parsers=tuple(map(Path, config["parsers"])),
            shards=config["shards"],
            shard=config["shard"],
            stages={
                name: Stage(
                    name=name,
                    prefix=stage["prefix"],
                    parent=stage["parent"],
                    scored=stage["scored"],
                    dimensions=tuple(stage["dimensions"]),
                    min_lines=stage["min_lines"],
                    resample=stage["resample"],
                    on_truncation=stage["on_truncation"],
                    max_tokens_limit=stage["max_tokens_limit"],
                    sampling=stage["sampling"],
                )
                for name, stage in config["stages"].items()
            },
            models=config["models"],
            providers=config["providers"],
            default_provider=config["default_provider"],
            pools=config["pools"],
        )

    @property
    def key_names(self) -> set[str]:
        """The environment variables that hold the providers' keys."""
        names = {provider.get("api_key_env") for provider in self.providers.values()}
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
        model = self.models.get(model_id, {})
        merged: dict[str, Any] = {}
        extra: dict[str, Any] = {}
        for layer in (
            self.stages[stage].sampling,
            model.get("sampling", {}),
            model.get("stages", {}).get(stage, {}),
        ):
            merged.update(layer)
            extra.update(layer.get("extra_body", {}))
        for name, level in (dimensions or {}).items():
            if name in _NUMBERS:
                merged[name] = as_setting(name, level)
        merged["extra_body"] = extra
        return {name: value for name, value in merged.items() if value is not None}


def _budget(limits: Mapping[str, Any]) -> Budget:
    return Budget(usd=limits.get("usd"), calls=limits.get("calls"), tokens=limits.get("tokens"))


def as_setting(dimension: str, level: str) -> int | float | str:
    """Return the level of a dimension as the sampling setting of that name, if there is one.

    Raises:
        ValueError: the setting is a number, and the level is not; says what to write.
    """
    number = _NUMBERS.get(dimension)
    if number is None:
        return level
    try:
        value = number(level)
    except ValueError:
        kind = "a whole number" if number is int else "a number"
        raise ValueError(f"write {kind}, as the sampling setting {dimension} is one") from None
    if value < 0 or not math.isfinite(value):
        raise ValueError(f"write a number from 0, as {dimension} is one")
    return value


def chain(stages: Mapping[str, Stage], name: str) -> list[Stage]:
    """Return the stages from the first to `name`, each the parent of the next."""
    found = [stages[name]]
    while found[0].parent is not None:
        found.insert(0, stages[found[0].parent])
    return found


def replace_stages(config: dict[str, Any], overlays: Iterable[Path]) -> None:
    """Let the stages of a file given with ``--configfile`` be the whole chain, in place.

    Snakemake merges such a file into config.yaml key by key, which would leave the stages of both.
    A file whose stages all have a `prefix` describes a chain; one that does not changes settings.
    """
    for path in overlays:
        stages = (yaml.safe_load(path.read_bytes()) or {}).get("stages")
        if isinstance(stages, dict) and stages and all("prefix" in s for s in stages.values()):
            config["stages"] = stages
            for model in config.get("models", {}).values():
                settings = model.get("stages", {})
                model["stages"] = {name: settings[name] for name in settings if name in stages}


def read_words(config: dict[str, Any]) -> None:
    """Turn what Snakemake's ``--config`` hands on as text into what it means, in place.

    That are ``true`` and ``false``, and the numbers of ``budget={calls: 100}``. And what YAML takes
    for a number or a date in ``cohorts=[2026]`` is a name.
    """
    if isinstance(config.get("cohorts"), list):
        names = config["cohorts"]
        config["cohorts"] = [str(name) if type(name) in _NAMES else name for name in names]
    for name, value in config.items():
        if value in ("true", "false"):
            config[name] = value == "true"
    if isinstance(config.get("budget"), dict):
        config["budget"] = _numbers(config["budget"])


def _numbers(limits: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _numbers(value)
        if isinstance(value, Mapping)
        else yaml.safe_load(value)
        if isinstance(value, str)
        else value
        for name, value in limits.items()
    }


def check_config(config: Mapping[str, Any], *, schema: Path, file: str) -> None:
    """Refuse settings that break the schema, or that contradict each other.

    Raises:
        InputError: every problem found, each with its place in the settings.
    """
    problems = Problems("config")
    for place, found, remedy in _schema_problems(config, schema):
        problems.add(file, found, remedy, column=place)
    problems.check()
    if config.get("cohort") is not None and config.get("source") is None:
        # Whoever leaves out an s must not run, and pay for, the cohorts of config.yaml.
        found = f"found {config['cohort']!r}, which names a cohort to import, but no source"
        problems.add(file, found, "add source=…, or did you mean 'cohorts'?", column="cohort")
    _check_stages(config["stages"], problems, file)
    _check_models(config, problems, file)
    if config["default_provider"] not in config["providers"]:
        name = config["default_provider"]
        problems.add(
            file,
            f"found {name!r}, which is no provider",
            f"name one under providers; {nearest(name, config['providers'])}",
            column="default_provider",
        )
    problems.check()


def _schema_problems(config: Mapping[str, Any], schema: Path) -> Iterator[tuple[str, str, str]]:
    from jsonschema import Draft202012Validator  # noqa: PLC0415 - 0.1 s that tests of others save

    validator = Draft202012Validator(yaml.safe_load(schema.read_text(encoding="utf-8")))
    for error in sorted(validator.iter_errors(config), key=lambda error: list(error.path)):
        place = ".".join(map(str, error.absolute_path)) or "top level"
        if error.validator == "additionalProperties":
            known = error.schema.get("properties", {})
            for name in sorted(set(error.instance) - set(known), key=str):
                yield place, f"found the unknown setting {name!r}", nearest(str(name), known)
        elif error.validator == "required":
            missing = sorted(set(error.validator_value) - set(error.instance))
            yield place, f"lacks {', '.join(missing)}", "add it (config/README.md describes it)"
        else:
            yield place, f"found {_short(error.instance)}", _expected(error)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _expected(error: ValidationError) -> str:  # noqa: PLR0911 - one a rule of the schema
    """Say what the schema wants where it was broken."""
    value: Any = error.validator_value
    match error.validator:
        case "type":
            return f"give a value of type {value if isinstance(value, str) else ' or '.join(value)}"
        case "enum":
            return f"give one of {', '.join(map(str, value))}"
        case "pattern":
            return f"give a name that matches {value}"
        case "minimum":
            return f"give at least {value}"
        case "exclusiveMinimum":
            return f"give more than {value}"
        case "maximum":
            return f"give at most {value}"
        case "minLength" | "minItems" | "minProperties":
            return "give at least one"
        case "uniqueItems":
            return "give each once"
        case "not":
            return "give another name: the workflow sets that one itself"
        case "oneOf":
            return "give a whole number from 0, or gen_id"
    return str(error.message)


def _check_stages(stages: Mapping[str, Any], problems: Problems, file: str) -> None:
    earlier: list[str] = []
    owners: dict[str, str] = {}
    for name, stage in stages.items():
        place = f"stages.{name}"
        parent, prefix = stage.get("parent"), stage["prefix"]
        if parent is None and earlier:
            problems.add(
                file,
                f"stage {name!r} has no parent but is not the first",
                f"name an earlier stage: {', '.join(earlier)}",
                column=f"{place}.parent",
            )
        if parent is not None and parent not in earlier:
            problems.add(
                file,
                f"found {parent!r}, which is no earlier stage",
                f"name one that stands above it; {nearest(parent, earlier)}",
                column=f"{place}.parent",
            )
        if prefix in owners:
            problems.add(
                file,
                f"found {prefix!r}, which stage {owners[prefix]!r} has already",
                "give each stage its own prefix",
                column=f"{place}.prefix",
            )
        earlier.append(name)
        owners.setdefault(prefix, name)


def _check_models(config: Mapping[str, Any], problems: Problems, file: str) -> None:
    for model, override in config.get("models", {}).items():
        for stage in override.get("stages", {}):
            if stage not in config["stages"]:
                problems.add(
                    file,
                    f"found {stage!r}, which is no stage",
                    nearest(stage, config["stages"]),
                    column=f"models.{model}.stages",
                )
