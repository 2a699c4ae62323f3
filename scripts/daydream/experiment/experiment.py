"""One experiment as the rules see it: the settings, the catalogs and the cohorts' generations."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from daydream.calls.batch.items import Means
from daydream.calls.batch.lane import Batching
from daydream.calls.calling import Calls
from daydream.calls.embedding import Embedding
from daydream.calls.stop import Stop
from daydream.catalog.loader import load_catalog
from daydream.catalog.ratings import RATINGS, Ratings, load_ratings
from daydream.catalog.records import Catalog, Combo
from daydream.cohorts.compile import cohort_rows, compile_cohorts, manifest
from daydream.cohorts.membership import membership_text, read_membership
from daydream.cohorts.rated import check_rated
from daydream.cohorts.sources import check_cohorts, sources
from daydream.cohorts.uses import check_uses
from daydream.errors import UnknownGenerationError, nearest
from daydream.experiment.choosing import Choices
from daydream.experiment.inputs import Inputs
from daydream.generations.row import Generation
from daydream.generations.selection import check_dimensions, select
from daydream.llm import Providers
from daydream.parsers import Parsers, load_parsers
from daydream.settings import Settings, check_names
from daydream.store.layout import COHORTS

Mode = Literal["run", "dry-run", "job"]
# The stand-in for a combo in rows with an item.
NO_CONCEPTS = Combo(combo_id="", concepts=())


class Experiment:
    """Settings, catalogs, parsers and providers, and the generations of the configured cohorts."""

    def __init__(self, settings: Settings, *, mode: Mode = "job") -> None:
        """Read the catalogs and the users' parsers.

        A run or a dry run compiles its cohorts itself. A job of a run reads the memberships that
        the run has written.

        Raises:
            InputError: everything that is wrong with the first of these that has an error.
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
            models={name: model.provider for name, model in self.catalog.models.items()},
            pools=[model.pool for model in self.catalog.models.values()],
        )
        self.inputs = Inputs()
        self.inputs.note(source.name for source in settings.sources)
        self.inputs.note((*self.catalog.tables, *settings.parsers))
        self.parsers: Parsers = load_parsers(settings.parsers)
        self.stop = Stop()
        providers = Providers(
            settings.providers, base_dir=Path(), pools=settings.pools, stop=self.stop.event
        )
        self.calls = Calls(settings, self.catalog.models, providers, self.stop)
        self.batching = Batching(
            Means(
                settings=settings,
                models=self.catalog.models,
                providers=providers,
                ledger=self.calls.ledger,
                stop=self.stop,
                run=self.calls.run,
            )
        )
        self.embedding = Embedding(settings, providers, self.calls.ledger, self.stop)
        self.mode = mode
        self._shared: dict[tuple[str, ...], str] = {}

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

        They are compiled, not read. So they follow from today's inputs, both before the checkpoint
        has written the tables and after it, and nothing that was read once can outlive an edit.
        Only a job of a run reads what the run has written.

        Raises:
            InputError: everything that is wrong with the specs, or with what their rows use.
        """
        tables = {name: COHORTS / name / "membership.csv" for name in self.settings.cohorts}
        if self.mode == "job" and all(path.exists() for path in tables.values()):
            stages = self.settings.stages
            return {name: read_membership(path, stages) for name, path in tables.items()}
        for cohort in self.settings.cohorts:
            self.inputs.note(sources(self.settings, cohort))
        rows = compile_cohorts(self.settings, self.catalog, self.settings.cohorts)
        check_uses(
            rows,
            settings=self.settings,
            catalog=self.catalog,
            parsers=self.parsers,
            read=self.text,
        )
        return rows

    @cached_property
    def ratings(self) -> Ratings:
        """What people have said of texts. It is read by what shows it alone: no text waits for it.

        Raises:
            InputError: everything that is wrong with the form of it, or with the texts it names.
        """
        stages = self.settings.stages
        # What judges a text; a stage of scores that is the first has none.
        judging = [stage.name for stage in stages.values() if stage.scored and stage.parent]
        templates = {name: self.catalog.templates[name] for name in judging}
        found = load_ratings(RATINGS, templates)
        check_rated(found.rows, self.memberships, stages)
        self.inputs.note(found.files)
        return found

    def _rows(self, cohort: str) -> list[Generation]:
        """Return the generations of a cohort, which need not be a configured one."""
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
        """The generations that `where` and `exclude` select: what targets and reports cover.

        Raises:
            InputError: no generation meets one of the conditions.
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
    def choices(self) -> Choices:
        """Which answer of each generation counts.

        With the setting `refresh`, each generation that matches the slice itself gets a new answer;
        ancestors that are selected only for a match do not.
        """
        rows = self._select(ancestors=False) if self.settings.refresh else []
        templates = self.catalog.templates
        asked = [row for row in rows if templates[row.stage][row.template_id].generator == "llm"]
        return Choices({row.gen_id: row for row in asked}, run=self.calls.run)

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
        """The conditions of the selection, as JSON; empty if everything is selected."""
        conditions = {"where": self.settings.where, "exclude": self.settings.exclude}
        given = {name: condition for name, condition in conditions.items() if condition}
        return _canonical(given) if given else ""

    # One generation

    def lineage(self, generation: Generation) -> list[Generation]:
        """Return a generation's ancestors, starting at the first stage, followed by itself."""
        line = [generation]
        while line[0].parent_gen_id:
            line.insert(0, self.generations[line[0].parent_gen_id])
        return line

    def shared(self, key: tuple[str, ...], make: Callable[[], str]) -> str:
        """Return what many generations have in common, made once per run.

        `key` names all that it depends on but the settings, the catalogs and their texts, which a
        run reads once.
        """
        if key not in self._shared:
            self._shared[key] = make()
        return self._shared[key]

    def text(self, path: str) -> str:
        """Return a text of the catalogs, which is read once per run.

        Raises:
            InputError: it is not UTF-8.
        """
        return self.inputs.text(path)

    def sha256(self, path: str) -> str:
        """Return the digest of a text of the catalogs."""
        return self.inputs.sha256(path)


def _canonical(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
