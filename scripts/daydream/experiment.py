"""One experiment as the rules see it: the settings, the catalogs and the cohorts' generations.

The rules ask it what a job needs (`prompt_inputs`, `raw_inputs`, `parsed_inputs`), and
`daydream.provenance` what a text depends on beside those files: `prompt_variables`,
`call_settings` and `parser_settings`, short texts that are compared by their digests.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal

from daydream.calling import Calls
from daydream.catalog import Catalog, Combo, Template, load_catalog
from daydream.choices import Choice, commit_refresh, read_choices, refreshed
from daydream.cohort import (
    COHORTS,
    check_cohorts,
    cohort_rows,
    compile_cohorts,
    manifest,
    sources,
)
from daydream.errors import UnknownGenerationError, nearest
from daydream.files import text_sha256
from daydream.llm import Providers
from daydream.membership import Generation, membership_text, read_membership
from daydream.parsers import Parsers, load_parsers
from daydream.prompts import COPY
from daydream.selection import check_dimensions, select
from daydream.settings import Settings, Stage, check_names
from daydream.stop import Stop
from daydream.store import answered_samples, generation_file
from daydream.tables import read_text
from daydream.uses import check_uses

Mode = Literal["run", "dry-run", "job"]
# What a row of a table of items has instead of a combo.
NO_CONCEPTS = Combo(combo_id="", concepts=())


class Experiment:
    """Settings, catalogs, parsers and providers, and the generations of the configured cohorts."""

    def __init__(self, settings: Settings, *, mode: Mode = "job") -> None:
        """Read the catalogs and the users' parsers.

        A run, or a dry run, compiles its cohorts itself; a job of a run takes the memberships
        that the run has written.

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
        check_names(
            settings,
            models=self.catalog.models,
            pools=[model.pool for model in self.catalog.models.values()],
        )
        self._texts: dict[str, str] = {}
        self._digests: dict[str, str] = {}
        self.parsers: Parsers = load_parsers(settings.parsers)
        self.stop = Stop()
        providers = Providers(
            settings.providers, base_dir=Path(), pools=settings.pools, stop=self.stop.event
        )
        self.calls = Calls(settings, self.catalog.models, providers, self.stop)
        self.mode = mode
        self._untouched = set(settings.cohorts)

    # Cohorts

    def cohort_inputs(self, cohort: str) -> list[str]:
        """Return the files that the membership of a cohort is made from."""
        return [str(path) for path in (*sources(self.settings, cohort), *self.catalog.tables)]

    def membership_text(self, cohort: str) -> str:
        """Return the membership of a cohort as the table that it is written as."""
        return membership_text(self._rows(cohort), self.settings.stages)

    def manifest_text(self, cohort: str) -> str:
        """Return the manifest of a cohort: its counts, its levels, and what it is made from."""
        found = manifest(cohort, self._rows(cohort), settings=self.settings, catalog=self.catalog)
        return json.dumps(found, ensure_ascii=False, indent=1) + "\n"

    @cached_property
    def memberships(self) -> dict[str, list[Generation]]:
        """The generations of each configured cohort.

        They are compiled, not read: so they are those of today's inputs before the checkpoint has
        written them as after it, and nothing that was read once can outlive an edit. Only a job of
        a run takes what the run has written.

        Raises:
            InputError: everything that is wrong with the specs, or with what their rows use.
        """
        tables = {name: COHORTS / name / "membership.csv" for name in self.settings.cohorts}
        if self.mode == "job" and all(path.exists() for path in tables.values()):
            stages = self.settings.stages
            return {name: read_membership(path, stages) for name, path in tables.items()}
        rows = compile_cohorts(self.settings, self.catalog, self.settings.cohorts)
        check_uses(
            rows,
            settings=self.settings,
            catalog=self.catalog,
            parsers=self.parsers,
            read=self.text,
        )
        return rows

    def _rows(self, cohort: str) -> list[Generation]:
        """Return the generations of a cohort, which need not be one of the configured."""
        if cohort in self.settings.cohorts:
            return self.memberships[cohort]
        check_cohorts(self.settings, [cohort])
        return cohort_rows(cohort, settings=self.settings, catalog=self.catalog)

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
        is to have a new one. That is only thought here; `choose` writes it down.
        """
        choices = read_choices()
        if not self.settings.refresh:
            return choices
        return refreshed(choices, self._answered(self._refreshable), run=self.calls.run)

    @cached_property
    def _refreshable(self) -> dict[str, Generation]:
        rows = self._select(ancestors=False) if self.settings.refresh else []
        return {row.gen_id: row for row in rows if not self.is_copy(row)}

    @staticmethod
    def _answered(rows: Mapping[str, Generation]) -> dict[str, list[int]]:
        return {name: answered_samples(row.stage, row.gen_id) for name, row in rows.items()}

    def only_look(self) -> None:
        """Let nothing be asked for again, whatever `refresh` says."""
        self.choices = read_choices()

    def choose(self, requested: Iterable[str]) -> None:
        """Write down which of the requested generations are to have a new answer.

        Jobs call it before they ask: so a run that only looks leaves no trace, and one that ends
        early knows what it was to do.
        """
        rows = {name: self._refreshable[name] for name in requested if name in self._refreshable}
        if rows:
            self.choices.update(commit_refresh(self._answered(rows), run=self.calls.run))

    def take_reports_of(self, generation: Generation) -> list[str]:
        """Return the cohorts whose reports a text of a generation belongs to, each once a process.

        So that only the first text of a cohort costs anything.
        """
        if not self._untouched:
            return []
        found = [name for name in self._untouched if generation.gen_id in self._ids(name)]
        self._untouched.difference_update(found)
        return found

    @cache  # noqa: B019 - an experiment lives as long as its process
    def _ids(self, cohort: str) -> frozenset[str]:
        return frozenset(row.gen_id for row in self.memberships[cohort])

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
            f"found {gen_id!r}, which is not the id of any {stage} of the cohorts {cohorts}; "
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
                f"found {gen_id!r}, which is not the id of any generation of the cohorts "
                f"{cohorts}; {nearest(gen_id, self.generations)}"
            )
        return self.generations[gen_id]

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

    def template_file(self, generation: Generation) -> str:
        """Return the file of a generation's template; empty for a copy whose template has none."""
        return str(self.template(generation).path or "")

    def template_text(self, generation: Generation) -> str:
        """Return the source of a generation's template.

        Raises:
            InputError: it cannot be read.
        """
        path = self.template_file(generation)
        return self.text(path) if path else COPY

    def template_sha256(self, generation: Generation) -> str:
        """Return the digest of that source."""
        path = self.template_file(generation)
        return self.sha256(path) if path else text_sha256(COPY)

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
        return {"item": item} if "item" in self.template_text(generation) else {}

    def lineage(self, generation: Generation) -> list[Generation]:
        """Return the ancestors of a generation, the first stage first, and itself last."""
        line = [generation]
        while line[0].parent_gen_id:
            line.insert(0, self.generations[line[0].parent_gen_id])
        return line

    def named_ancestors(self, generation: Generation) -> list[Generation]:
        """Return the ancestors whose texts a prompt may take, the parent last.

        A template that does not name `ancestors` takes its parent's text alone.
        """
        ancestors = self.lineage(generation)[:-1]
        return ancestors if self.names_ancestors(generation) else ancestors[-1:]

    def names_ancestors(self, generation: Generation) -> bool:
        """Tell whether a generation's template names more than its parent."""
        return "ancestors" in self.template_text(generation)

    def concept_files(self, generation: Generation) -> dict[str, str]:
        """Return the texts of the concepts that a generation of the first stage is made from."""
        if generation.parent_gen_id:
            return {}
        combo = self.catalog.combos.get(generation.combo_id, NO_CONCEPTS)
        return {
            concept: str(self.catalog.concept_path(concept, level))
            for concept, level in combo.concepts
        }

    def prompt_inputs(self, generation: Generation) -> dict[str, list[str]]:
        """Return the files a prompt is rendered from, by what they are to it."""
        template = self.template_file(generation)
        inputs = {"template": [template] if template else []}
        if generation.parent_gen_id:
            inputs["ancestors"] = [
                generation_file(row.stage, row.gen_id, "parsed.txt")
                for row in self.named_ancestors(generation)
            ]
        else:
            inputs["concepts"] = list(self.concept_files(generation).values())
        return inputs

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
            parent = self.generations[generation.parent_gen_id]
            inputs["copied"] = generation_file(parent.stage, parent.gen_id, "parsed.txt")
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

    def text(self, path: str) -> str:
        """Return a text of the catalogs, read once a run.

        Raises:
            InputError: it is not UTF-8.
        """
        if path not in self._texts:
            self._texts[path] = read_text(Path(path), code="catalog")
        return self._texts[path]

    def sha256(self, path: str) -> str:
        """Return the digest of a text of the catalogs."""
        if path not in self._digests:
            self._digests[path] = text_sha256(self.text(path))
        return self._digests[path]


def _canonical(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
