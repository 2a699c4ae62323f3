"""One experiment as the rules see it: the settings, the catalogs and the cohorts' generations.

The rules ask it what a job needs (`prompt_inputs`, `raw_inputs`), what else the job depends on
(`prompt_variables`, `call_settings`, `parser_settings`: short texts that Snakemake records and
compares) and which generations there are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from daydream.calling import Calls
from daydream.catalog import Catalog, Combo, Template, load_catalog
from daydream.choices import Choice, read_choices, refreshed, write_choices
from daydream.cohort import COHORTS, check_cohorts, compile_cohort, sources
from daydream.errors import Problems, UnknownGenerationError, nearest
from daydream.llm import Providers
from daydream.membership import Generation, read_membership
from daydream.parsers import Parsers, load_parsers
from daydream.selection import check_dimensions, select
from daydream.settings import Settings, Stage, chain
from daydream.shards import share
from daydream.stop import Stop
from daydream.store import answered_samples, generation_file
from daydream.tables import read_text
from daydream.targets import targets

Mode = Literal["run", "dry-run", "job"]
# What a row of a table of items has instead of a combo.
NO_CONCEPTS = Combo(combo_id="", concepts=())


class Experiment:
    """Settings, catalogs, parsers and providers, and the generations of the configured cohorts."""

    def __init__(self, settings: Settings, *, mode: Mode = "job") -> None:
        """Read the catalogs and the users' parsers.

        A run decides which answers are to be asked for anew and writes it down; a dry run decides
        it too; a job of a run takes what is written.

        Raises:
            InputError: everything that is wrong with the first of them that has an error.
        """
        self.settings = settings
        check_cohorts(settings, settings.cohorts)
        for setting in ("where", "exclude"):
            conditions = getattr(settings, setting)
            check_dimensions(conditions, settings.stages, setting=setting, origin=settings.origin)
        self.catalog: Catalog = load_catalog(
            settings.raw_dir,
            settings.combo_mappings,
            list(settings.stages),
            items=settings.items,
        )
        self._texts: dict[str, str] = {}
        self.parsers: Parsers = load_parsers(settings.parsers)
        self.stop = Stop()
        providers = Providers(
            settings.providers, base_dir=Path(), pools=settings.pools, stop=self.stop.event
        )
        self.calls = Calls(settings, self.catalog.models, providers, self.stop)
        self.ask = self.calls.ask
        self._mode = mode
        _check_parsers(self.catalog, self.parsers)

    # Cohorts

    def cohort_inputs(self, cohort: str) -> list[str]:
        """Return the files that the membership of a cohort is made from."""
        return [str(path) for path in (*sources(self.settings, cohort), *self.catalog.files)]

    def compile_cohort(self, cohort: str, *, membership: str, manifest: str) -> None:
        """Write the membership and the manifest of a cohort."""
        compile_cohort(
            cohort,
            settings=self.settings,
            catalog=self.catalog,
            membership=Path(membership),
            manifest=Path(manifest),
        )

    @cached_property
    def memberships(self) -> dict[str, list[Generation]]:
        """The generations of each configured cohort; its membership.csv must be there."""
        return {
            cohort: read_membership(COHORTS / cohort / "membership.csv", self.settings.stages)
            for cohort in self.settings.cohorts
        }

    @cached_property
    def generations(self) -> dict[str, Generation]:
        """The generations of all configured cohorts by id, each once."""
        return {
            generation.gen_id: generation
            for rows in self.memberships.values()
            for generation in rows
        }

    @cached_property
    def selected(self) -> dict[str, Generation]:
        """The generations that `where` and `exclude` leave: what targets and reports cover.

        Raises:
            InputError: a condition that no generation meets.
        """
        return {row.gen_id: row for row in self._select(ancestors=True)}

    def _select(self, *, ancestors: bool) -> list[Generation]:
        return select(
            list(self.generations.values()),
            where=self.settings.where,
            exclude=self.settings.exclude,
            stages=self.settings.stages,
            catalog=self.catalog,
            origin=self.settings.origin,
            ancestors=ancestors,
        )

    @cached_property
    def choices(self) -> dict[str, Choice]:
        """Which answer counts, by gen_id, where that is not the first.

        With the setting `refresh` each generation that matches the slice, its ancestors left aside,
        is to have a new one; that is written down here, so that it holds when the run ends early.
        """
        choices = read_choices()
        if not self.settings.refresh or self._mode == "job":
            return choices
        rows = [row for row in self._select(ancestors=False) if not self.is_copy(row)]
        samples = {row.gen_id: answered_samples(row.stage, row.gen_id) for row in rows}
        anew = refreshed(choices, samples)
        if anew != choices and self._mode == "run":
            write_choices(anew)
        return anew

    def generation(self, stage: str, gen_id: str) -> Generation:
        """Return a generation.

        Raises:
            UnknownGenerationError: no configured cohort has it at that stage.
        """
        found = self.generations.get(gen_id)
        if found is not None and found.stage == stage:
            return found
        cohorts = ", ".join(self.settings.cohorts)
        known = [row.gen_id for row in self.generations.values() if row.stage == stage]
        raise UnknownGenerationError(
            f"found {gen_id!r}, which is no {stage} of the cohorts {cohorts}; "
            f"add its cohort to `cohorts`, or correct the id: {nearest(gen_id, known)}"
        )

    def generation_of(self, gen_id: str) -> Generation:
        """Return a generation of any stage.

        Raises:
            UnknownGenerationError: no configured cohort has it.
        """
        if gen_id not in self.generations:
            cohorts = ", ".join(self.settings.cohorts)
            raise UnknownGenerationError(
                f"found {gen_id!r}, which is no generation of the cohorts {cohorts}; "
                f"{nearest(gen_id, self.generations)}"
            )
        return self.generations[gen_id]

    @cached_property
    def expanded(self) -> dict[str, Generation]:
        """The selected generations that targets name: of this shard, and with `expand` pending."""
        shard = self.settings.shard
        own = self.selected
        if shard is not None:
            rows = share(own.values(), shard=shard, shards=self.settings.shards)
            own = {row.gen_id: row for row in rows}
        if self.settings.expand == "all":
            return own
        from daydream.pending import pending  # noqa: PLC0415 - it looks at experiments itself

        waiting = pending(self, own.values())
        return {name: row for name, row in own.items() if name in waiting}

    def targets(self, stage: str | None = None) -> list[str]:
        """Return the files that stand for all of the expanded generations of a stage, or of all."""
        return targets([row for row in self.expanded.values() if stage in (None, row.stage)])

    def scored(self, cohort: str) -> list[Generation]:
        """Return the selected generations of a cohort's scored stages, in membership order."""
        return [
            row
            for row in self.memberships[cohort]
            if self.settings.stages[row.stage].scored and row.gen_id in self.selected
        ]

    def scored_targets(self, cohort: str) -> list[str]:
        """Return the parsed.txt of every expanded generation of a cohort's scored stages."""
        return [
            generation_file(row.stage, row.gen_id, "parsed.txt")
            for row in self.scored(cohort)
            if row.gen_id in self.expanded
        ]

    @property
    def slice(self) -> str:
        """What the selection leaves out, as JSON; empty if it is everything."""
        conditions = {"where": self.settings.where, "exclude": self.settings.exclude}
        given = {name: condition for name, condition in conditions.items() if condition}
        return _canonical(given) if given else ""

    # One generation

    def stage(self, generation: Generation) -> Stage:
        """Return the stage of a generation."""
        return self.settings.stages[generation.stage]

    def template(self, generation: Generation) -> Template:
        """Return the template of a generation."""
        return self.catalog.templates[generation.stage][generation.template_id]

    def is_copy(self, generation: Generation) -> bool:
        """Tell whether a generation takes its parent's text instead of calling a model."""
        return self.template(generation).generator == "copy"

    def item_variables(self, generation: Generation) -> dict[str, object]:
        """Return what templates see of a generation's item: `item`, and its columns by name.

        The columns by name are those of the first stage alone, where nothing else has a name. A
        later template that does not name the item does not depend on it.
        """
        if self.settings.items is None:
            return {}
        item = self.catalog.items[generation.combo_id]
        if not generation.parent_gen_id:
            return {"item": item, **item}
        return {"item": item} if self._names(generation, "item") else {}

    def lineage(self, generation: Generation) -> list[Generation]:
        """Return the ancestors of a generation, the first stage first, and itself last."""
        line = [generation]
        while line[0].parent_gen_id:
            line.insert(0, self.generations[line[0].parent_gen_id])
        return line

    def parent_file(self, generation: Generation) -> str:
        """Return the parsed.txt of a generation's parent."""
        parent = self.settings.stages[generation.stage].parent
        assert parent is not None, "the first stage has no parent"  # noqa: S101
        return generation_file(parent, generation.parent_gen_id, "parsed.txt")

    def prompt_inputs(self, generation: Generation) -> dict[str, str | list[str]]:
        """Return the files a prompt is rendered from, by what they are to it."""
        inputs: dict[str, str | list[str]] = {"template": str(self.template(generation).path)}
        if not generation.parent_gen_id:
            combo = self.catalog.combos.get(generation.combo_id, NO_CONCEPTS)
            inputs["concepts"] = [
                str(self.catalog.concept_path(*concept)) for concept in combo.concepts
            ]
        elif self.uses_ancestors(generation):
            inputs["ancestors"] = [
                generation_file(row.stage, row.gen_id, "parsed.txt")
                for row in self.lineage(generation)[:-1]
            ]
        else:
            inputs["ancestors"] = [self.parent_file(generation)]
        return inputs

    def uses_ancestors(self, generation: Generation) -> bool:
        """Tell whether a generation's template names more than its parent."""
        return self._names(generation, "ancestors")

    def _names(self, generation: Generation, variable: str) -> bool:
        return variable in self.text(str(self.template(generation).path))

    def prompt_variables(self, generation: Generation) -> str:
        """Return what a prompt depends on beside its input files: names and dimensions."""
        variables: dict[str, object] = {
            **self.dimensions(generation),
            **self.item_variables(generation),
        }
        if not generation.parent_gen_id and self.settings.items is None:
            combo = self.catalog.combos[generation.combo_id]
            variables["concepts"] = [
                [concept, self.catalog.concepts[concept].name, level]
                for concept, level in combo.concepts
            ]
        return _canonical(variables)

    def dimensions(self, generation: Generation) -> dict[str, str]:
        """Return the further dimensions of a generation's stage by name."""
        names = self.stage(generation).dimensions
        return dict(zip(names, generation.dimensions, strict=True))

    def raw_inputs(self, generation: Generation) -> dict[str, str]:
        """Return the files an answer is made from: the prompt, and the text that a copy takes."""
        inputs = {"prompt": generation_file(generation.stage, generation.gen_id, "prompt.txt")}
        if self.is_copy(generation):
            inputs["copied"] = self.parent_file(generation)
        return inputs

    def parsed_inputs(self, generation: Generation) -> dict[str, str]:
        """Return the files a parsed text is made from: the answer and what is known of it."""
        names = {"raw": "raw.txt", "metadata": "metadata.json"}
        return {
            name: generation_file(generation.stage, generation.gen_id, file)
            for name, file in names.items()
        }

    def sampling(self, generation: Generation) -> dict[str, Any]:
        """Return the sampling settings of a generation's call."""
        return self.settings.sampling(
            generation.stage, generation.llm_model_id, self.dimensions(generation)
        )

    def call_settings(self, generation: Generation) -> str:
        """Return what an answer depends on beside its input files: model and sampling."""
        if self.is_copy(generation):
            return "copy"
        model = self.catalog.models[generation.llm_model_id]
        provider = self.settings.provider_of(model.provider)
        sampling = self.sampling(generation)
        stage = self.stage(generation)
        return _canonical(
            {
                "provider": provider,
                "model": model.model,
                **sampling,
                **self._choice(generation),
                # What decides whether an answer is asked for again, where it ever is.
                **({"resample": stage.resample} if stage.resample else {}),
                **({"limit": stage.max_tokens_limit} if stage.on_truncation == "grow" else {}),
                **({"parser": self.parser_settings(generation)} if stage.resample else {}),
            }
        )

    def _choice(self, generation: Generation) -> dict[str, object]:
        choice = self.choices.get(generation.gen_id)
        return {} if choice is None else {"choice": [choice.sample, choice.request]}

    def pool(self, generation: Generation) -> str:
        """Return the pool whose limits a generation's call keeps; a copy has none."""
        if self.is_copy(generation):
            return ""
        model = self.catalog.models[generation.llm_model_id]
        return model.pool or self.settings.provider_of(model.provider)

    def parser_settings(self, generation: Generation) -> str:
        """Return what a parsed text depends on beside its input files: the parser and its scale."""
        template = self.template(generation)
        return _canonical(
            {
                "parser": template.parser,
                "source": self.parsers.digest(template.parser),
                "scale": [template.score_min, template.score_max],
                "min_lines": self.stage(generation).min_lines,
            }
        )

    def ancestor_names(self, generation: Generation) -> list[str]:
        """Return the names of the stages before a generation's own."""
        stages = chain(self.settings.stages, generation.stage)
        return [stage.name for stage in stages[:-1]]

    def text(self, path: str) -> str:
        """Return a text of the catalogs, read once a run.

        Raises:
            InputError: it is no UTF-8.
        """
        if path not in self._texts:
            self._texts[path] = read_text(Path(path), code="catalog")
        return self._texts[path]


def _canonical(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _check_parsers(catalog: Catalog, parsers: Parsers) -> None:
    """Refuse templates whose parser nobody defines."""
    problems = Problems("catalog")
    for stage, templates in catalog.templates.items():
        for template in templates.values():
            if template.parser not in parsers:
                found = f"template {template.template_id!r} names the parser {template.parser!r}"
                remedy = f"which nobody defines; {nearest(template.parser, parsers)}"
                file = catalog.root / f"{stage}_templates.csv"
                problems.add(file, found, remedy, column="parser")
    problems.check()
