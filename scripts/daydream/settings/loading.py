"""Loads settings from what Snakemake has read, or reports everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from daydream.errors import Problems, misspelt, nearest
from daydream.settings.problems import add_problems
from daydream.settings.sections import Settings
from daydream.settings.sources import (
    Source,
    Sources,
    overlay,
    read_arguments,
    read_file,
    with_text_keys,
)

CONFIG = Path("config/config.yaml")


def load_settings(
    config: dict[str, Any],
    *,
    overlays: Sequence[Path] = (),
    arguments: Sequence[str] = (),
    base: Path = CONFIG,
) -> Settings:
    """Return the settings of a run, and add every default to `config`, in place.

    Args:
        config: what Snakemake has merged from `base`, the overlays and the arguments.
        overlays: the files given with ``--configfile``; each overrides those before it.
        arguments: the ``name=value`` pairs given with ``--config``.
        base: the workflow's own file; it may be missing if the overlays hold all settings.

    Raises:
        InputError: everything that is wrong with the settings, and where it was given.
    """
    own = [read_file(base)] if base.is_file() else [Source(str(base), {})]
    command_line = read_arguments(arguments)
    sources = Sources((*own, *map(read_file, overlays), command_line))
    merged: dict[str, Any] = {}
    overlay(merged, with_text_keys(config))
    overlay(merged, command_line.settings)
    _settle_stages(merged, sources)
    problems = Problems("config")
    try:
        settings = Settings.model_validate(merged)
    except ValidationError as error:
        add_problems(problems, error, Settings, sources)
        problems.check()
        raise
    settings._sources = sources
    config.clear()
    config.update(settings.plain())
    return settings


def _settle_stages(config: dict[str, Any], sources: Sources) -> None:
    """Let the stages of a file given with ``--configfile`` replace the whole chain, in place.

    Snakemake merges such a file into config.yaml key by key, which would keep the stages of both.
    A file whose stages all have a `prefix` describes a whole chain, and later files may change it.
    Any other file changes settings of single stages. When a chain is replaced, the settings that
    models had for its former stages are dropped, if they were given before the new chain. At the
    end the stages are in the order in which they were written; Snakemake puts those of the last
    file first.
    """
    begin = next((i for i in range(len(sources) - 2, 0, -1) if _is_chain(sources[i])), 0)
    stages: dict[str, Any] = {}
    for source in sources[begin:]:
        if isinstance(source.settings.get("stages"), dict):
            overlay(stages, source.settings["stages"])
    if begin > 0:
        config["stages"] = stages
        for model, settings in _mappings(config.get("models")):
            for name in list(dict(_mappings(settings.get("stages")))):
                said = sources.last(("models", model, "stages", name))
                if name not in stages and said < begin:
                    del settings["stages"][name]
    elif isinstance(merged := config.get("stages"), dict):
        config["stages"] = {name: merged[name] for name in (*stages, *merged) if name in merged}


def _is_chain(source: Source) -> bool:
    stages = source.settings.get("stages")
    return (
        isinstance(stages, dict)
        and bool(stages)
        and all(isinstance(stage, dict) and "prefix" in stage for stage in stages.values())
    )


def _mappings(value: object) -> list[tuple[str, dict[str, Any]]]:
    """Return the entries of a mapping whose values are mappings."""
    items = value.items() if isinstance(value, dict) else ()
    return [(name, item) for name, item in items if isinstance(item, dict)]


def check_names(settings: Settings, *, models: Mapping[str, str], pools: Iterable[str]) -> None:
    """Report settings of unknown models and pools, which would have no effect.

    A model whose provider is not configured is answered by `default_provider`. That is reported if
    the name looks like a misspelling, which would send paid prompts elsewhere.

    Args:
        settings: the settings of the run.
        models: the providers that the catalog names, by the ids of its models.
        pools: the pools that the catalog names; those named after providers are known.

    A file's settings belong to the catalog that it, or a file before it, names with `raw_dir`. If a
    later file names another catalog, they are not checked against that one: `config.yaml` may have
    settings for a model that is not in the catalog of an experiment given with ``--configfile``.

    Raises:
        InputError: every such name, with the nearest known one.
    """
    problems = Problems("config")
    catalog = settings.sources.last(("raw_dir",))
    known_pools = {*pools, *settings.providers}
    table = settings.raw_dir / "llm_models.csv"
    for section, names, known, what in (
        ("models", settings.models, set(models), f"a model of {table}"),
        ("pools", settings.pools, known_pools, f"a pool of {table}, nor a provider"),
    ):
        for name in names:
            if name not in known and settings.sources.last((section, name)) >= catalog:
                problems.add(
                    settings.origin(section, name),
                    f"found {name!r}, which is not {what}",
                    f"remove it, or correct the name; {nearest(name, known)}",
                    column=section,
                )
    for name, provider in models.items():
        meant = misspelt(provider, settings.providers)
        if provider not in settings.providers and meant:
            problems.add(
                table,
                f"found the provider {provider!r} of {name}, which is not configured",
                f"did you mean {meant!r}? Or leave it empty to use {settings.default_provider!r}",
                column="provider",
            )
    problems.check()
