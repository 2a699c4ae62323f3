"""What the rows of cohorts use of the catalogs: which texts, and whether all of it is there.

A data root holds more than one experiment needs: rows without a text, combos of concepts that are
gone, templates for a parser of long ago. Nothing of that is in the way. What a row of a configured
cohort uses must be sound, and everything that is not is said before the first job, once.

Rows are many and what they use is little: rows are only counted, and each text is looked at once.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from operator import itemgetter
from pathlib import Path

from daydream.catalog.prompts import PARENT_NAMES, check, undefined
from daydream.catalog.records import Catalog, Combo, Template, is_file_name
from daydream.cohorts.schemas import schema_problems
from daydream.errors import InputError, Problems, TemplateError, nearest
from daydream.generations.row import Generation
from daydream.parsers import Parsers
from daydream.settings import Settings, Stage, chain
from daydream.tables import read_text

CODE = "catalog"
Read = Callable[[str], str]

_template_of = itemgetter(
    Generation._fields.index("stage"), Generation._fields.index("template_id")
)
_call_of = itemgetter(*map(Generation._fields.index, ("stage", "template_id", "llm_model_id")))


def texts(rows: Iterable[Generation], catalog: Catalog) -> list[Path]:
    """Return the texts that rows are made of, each once and sorted.

    They are those of templates, of the schemas of their answers, and of concepts.
    """
    templates, combos = set(), set()
    for row in rows:
        templates.add(_template_of(row))
        if not row.parent_gen_id:
            combos.add(row.combo_id)
    used = [catalog.templates[stage][name] for stage, name in templates]
    found = {template.path for template in used}
    found |= {catalog.schema_path(template.schema) for template in used if template.schema}
    for name in combos & catalog.combos.keys():
        found |= {catalog.concept_path(*concept) for concept in catalog.combos[name].concepts}
    return sorted(path for path in found if path is not None)


def check_uses(
    rows_by_cohort: Mapping[str, Sequence[Generation]],
    *,
    settings: Settings,
    catalog: Catalog,
    parsers: Parsers,
    read: Read | None = None,
) -> None:
    """Refuse whatever the rows of cohorts use and cannot.

    That is an unknown template, combo, item, concept, level of description, model or parser; a text
    that is missing, unreadable or blank; a template that is none, or that asks for a variable which
    its stage never has; a copy that has nothing to copy; a schema or path that no answer can meet.
    `read` returns a text by its path, or raises InputError; who keeps texts gives it.

    Raises:
        InputError: all of it, each once, with the number of rows that use it.
    """
    _Check(settings, catalog, parsers, read or _read).run(rows_by_cohort)


def _read(path: str) -> str:
    return read_text(Path(path), code=CODE)


def _uses(number: int) -> str:
    return f"{number:,} generation{' uses' if number == 1 else 's use'} it"


class _Check:
    """One check: what it looks things up in, and the problems found so far."""

    def __init__(self, settings: Settings, catalog: Catalog, parsers: Parsers, read: Read) -> None:
        self.settings = settings
        self.catalog = catalog
        self.parsers = parsers
        self.read = read
        self.problems = Problems(CODE)

    def run(self, rows_by_cohort: Mapping[str, Sequence[Generation]]) -> None:
        templates: Counter[tuple[str, str]] = Counter()
        models: Counter[str] = Counter()
        subjects: Counter[str] = Counter()
        for rows in rows_by_cohort.values():
            for (stage, name, model), number in Counter(map(_call_of, rows)).items():
                templates[stage, name] += number
                template = self.catalog.templates[stage].get(name)
                if template is not None and template.generator == "llm":
                    models[model] += number
            subjects.update(row.combo_id for row in rows if not row.parent_gen_id)
        for (stage, name), number in templates.items():
            self._template(self.settings.stages[stage], name, number)
        for name, number in models.items():
            if name not in self.catalog.models:
                found = f"found no model {name!r}, but {_uses(number)}"
                remedy = f"add it; {nearest(name, self.catalog.models)}"
                self.problems.add(self.catalog.models_table, found, remedy, column="id")
        self._subjects(subjects)
        self.problems.check()

    # Templates

    def _template(self, stage: Stage, name: str, number: int) -> None:
        table = self.catalog.templates_table(stage.name)
        template = self.catalog.templates[stage.name].get(name)
        if template is None:
            known = self.catalog.templates[stage.name]
            found = f"found no {stage.name} template {name!r}, but {_uses(number)}"
            remedy = f"add it; {nearest(name, known)}"
            self.problems.add(table, found, remedy, column="template_id")
            return
        if template.generator == "copy" and stage.parent is None:
            found = (
                f"template {name!r} is a copy, but a {stage.name} has no parent ({_uses(number)})"
            )
            self.problems.add(table, found, "write llm", line=template.line, column="generator")
        if template.parser not in self.parsers:
            found = (
                f"template {name!r} names the parser {template.parser!r}, which nobody defines "
                f"({_uses(number)})"
            )
            remedy = nearest(template.parser, self.parsers)
            self.problems.add(table, found, remedy, line=template.line, column="parser")
        self.problems.found += [
            replace(problem, found=f"{problem.found} ({_uses(number)})")
            for problem in schema_problems(
                template,
                scored=stage.scored,
                catalog=self.catalog,
                parsers=self.parsers,
                read=lambda path: self._text(path, number),
            )
        ]
        if template.path is None:
            return
        there = f"found {name!r}, but there is no {template.path} ({_uses(number)})"
        text = self._text(template.path, number)
        if text is None:
            self.problems.add(table, there, "write it", line=template.line, column="template_id")
        elif text and self._is_not_blank(template.path, text, number, template):
            self._source(stage, template, text, number)

    def _source(self, stage: Stage, template: Template, text: str, number: int) -> None:
        """Note what is wrong with a template's text."""
        path = str(template.path)
        try:
            check(text, path)
        except TemplateError as error:
            found = f"{error.problem.found} ({_uses(number)})"
            self.problems.found.append(replace(error.problem, found=found))
            return
        self.problems.found += [
            replace(problem, found=f"{problem.found} ({_uses(number)})")
            for problem in undefined(text, self._variables(stage, template), name=path)
        ]

    def _variables(self, stage: Stage, template: Template) -> dict[str, object]:
        """Return the variables of a template; the members of those that are mappings."""
        variables: dict[str, object] = dict.fromkeys(stage.dimensions)
        if template.schema:
            variables["schema"] = None
        first_item = next(iter(self.catalog.items.values()), None)
        if first_item is not None:
            variables["item"] = first_item
        if stage.parent is None:
            variables |= {"concepts": None} if first_item is None else dict.fromkeys(first_item)
        else:
            before = chain(self.settings.stages, stage.name)[:-1]
            variables["ancestors"] = {ancestor.name: "" for ancestor in before}
            variables |= dict.fromkeys(PARENT_NAMES)
        return variables

    # Combos, concepts and items

    def _subjects(self, subjects: Mapping[str, int]) -> None:
        catalog = self.catalog
        kind = "item" if catalog.items else "combo"
        table = self.settings.items if catalog.items else catalog.combo_mappings
        concepts: dict[tuple[str, str], tuple[int, int]] = {}
        for name, number in subjects.items():
            if name not in catalog.subjects:
                found = f"found no {kind} {name!r}, but {_uses(number)}"
                remedy = f"add it; {nearest(name, catalog.subjects)}"
                self.problems.add(table, found, remedy, column=f"{kind}_id")
            elif not catalog.items:
                for row, line in _rows_of(catalog.combos[name]):
                    first, known = concepts.get(row, (line, 0))
                    concepts[row] = min(line, first), known + number
        for (concept, level), (line, number) in sorted(concepts.items(), key=itemgetter(1)):
            self._concept(concept, level, line, number)

    def _concept(self, concept: str, level: str, line: int, number: int) -> None:
        table = self.catalog.combo_mappings
        if concept not in self.catalog.concepts:
            found = f"found {concept!r}, which is not a concept ({_uses(number)})"
            remedy = nearest(concept, self.catalog.concepts)
            self.problems.add(table, found, remedy, line=line, column="concept_id")
            return
        path = self.catalog.concept_path(concept, level)
        text = self._text(path, number) if is_file_name(f"x{level}") else None
        if text is None:
            there = self.catalog.levels(concept)
            levels = f", or use a level that is there: {', '.join(map(repr, there))}"
            found = f"found {level!r}, but there is no {path} ({_uses(number)})"
            remedy = f"write it{levels if there else ''}"
            self.problems.add(table, found, remedy, line=line, column="description_level")
        elif text:
            self._is_not_blank(path, text, number)

    # Texts

    def _text(self, path: Path, number: int) -> str | None:
        """Return a text, None if there is none.

        What cannot be read is noted, and "" returned, which no text is here.
        """
        try:
            return self.read(str(path)) or "\n"
        except InputError as error:
            if not os.path.isfile(path):  # noqa: PTH113 - a name that is too long is not an error here
                return None
            self.problems.found += [
                replace(problem, found=f"{problem.found} ({_uses(number)})")
                for problem in error.problems
            ]
            return ""

    def _is_not_blank(
        self, path: Path, text: str, number: int, template: Template | None = None
    ) -> bool:
        """Note a text of blanks alone, unless it is a copy's, which no model is to read."""
        if text.strip() or (template is not None and template.generator == "copy"):
            return True
        self.problems.add(path, f"is blank ({_uses(number)})", "write it")
        return False


def _rows_of(combo: Combo) -> Iterator[tuple[tuple[str, str], int]]:
    return zip(combo.concepts, combo.lines or (0,) * len(combo.concepts), strict=True)
