"""Import: generations that were made elsewhere become a cohort, without a call.

The source is a data root of this form, where the last two files may be missing:

    <source>/gens/<stage>/<gen_id>/prompt.txt, raw.txt, parsed.txt, metadata.json
                                   raw_metadata.json, parsed_metadata.json

A generation keeps its id and its texts, byte for byte. Its answer is journaled under the request
that its prompt makes under the present settings, where a later run finds it; the entry keeps, as
`imported` in the response, all that the source says of it. What cannot be imported is left out of
the cohort, and reported with its kind:

    orphan          its parent is not in the source
    contradiction   its files contradict each other, the catalogs, or what the store has already
    descendant      its parent is left out

A text counts as made of what is there today: the template, the settings and the parser of the
import's day are recorded with it, and an edit after that makes it again like any other.
"""

from __future__ import annotations

import csv
import io
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from daydream.cohorts.given import catalog_contradictions
from daydream.cohorts.sources import spec_dir
from daydream.cohorts.uses import check_uses
from daydream.errors import DaydreamError, Problems, StoreError, nearest
from daydream.experiment import recipes
from daydream.experiment.answers import Answer, build_request, call_record
from daydream.experiment.experiment import Experiment
from daydream.experiment.phases import identity
from daydream.experiment.provenance import of_parsed, of_prompt, of_raw
from daydream.files import read_text, text_sha256, write_json, write_text
from daydream.generations.keys import is_gen_id
from daydream.generations.row import Generation, codec, further_dimensions
from daydream.llm.request import Response
from daydream.settings import Stage
from daydream.store.journal import claim_entry, find_response, record_response
from daydream.store.layout import COHORTS, GENS, OUTPUTS, RESPONSES, generation_file, read_json
from daydream.store.records import Made, read_record, record_made

CODE = "import"
TEXTS = ("prompt.txt", "raw.txt", "parsed.txt")
METADATA = "metadata.json"
NOTES = (METADATA, "raw_metadata.json", "parsed_metadata.json")
IDENTITY = (
    "stage",
    "gen_id",
    "parent_gen_id",
    "combo_id",
    "template_id",
    "llm_model_id",
    "replicate",
)


class Omission(NamedTuple):
    """One reason why a generation is left out: a row of the report, with its columns."""

    kind: str
    stage: str
    gen_id: str
    file: str
    found: str
    remedy: str


class _Fault(NamedTuple):
    """One thing that is wrong with a generation of the source."""

    file: Path
    found: str
    remedy: str
    kind: str = "contradiction"


class _LeftOutError(Exception):
    """A generation that cannot be imported."""

    def __init__(self, faults: Sequence[_Fault]) -> None:
        super().__init__()
        self.faults = faults


@dataclass(frozen=True, slots=True)
class _Entry:
    """A generation that can be imported; `ancestors` from the first stage on."""

    directory: Path
    generation: Generation
    ancestors: tuple[Generation, ...]

    @property
    def target(self) -> Path:
        """The generation's directory in the store."""
        return Path(generation_file(self.generation.stage, self.generation.gen_id, ""))


def import_store(experiment: Experiment, *, source: str | None, cohort: str | None) -> str:
    """Import a data root as a cohort given by hand, and return what was done, as a paragraph.

    Writes the generations, ``data/cohorts/<cohort>/spec/membership.csv`` and
    ``data/cohorts/<cohort>/reports/import.csv``. What is there already stays as it is, so that a
    second import of the same changes nothing, and one after an interruption does the rest.

    Raises:
        InputError: source or cohort cannot be used, or the cohort has another membership.
        StoreError: nothing of the source can be imported, or a file cannot be written.
    """
    if source is None or cohort is None:
        raise StoreError("found no source or no cohort; give --config source=… cohort=…")
    root = Path(source, "gens")
    _check_places(experiment, root, cohort)
    entries, omissions = _examine(experiment, root, cohort)
    report = COHORTS / cohort / "reports" / "import.csv"
    _write_if_new(report, _table(Omission._fields, omissions))
    if not entries:
        raise StoreError(f"{root}: holds nothing that can be imported; {report} says why")
    membership = spec_dir(experiment.settings, cohort) / "membership.csv"
    table = _membership(entries, experiment.settings.stages)
    _check_membership(membership, table, report)
    check_uses(
        {cohort: [entry.generation for entry in entries]},
        settings=experiment.settings,
        catalog=experiment.catalog,
        parsers=experiment.parsers,
        read=experiment.text,
    )
    parsed = {
        entry.generation.gen_id: read_text(entry.directory / "parsed.txt") for entry in entries
    }
    new = sum([_place(experiment, entry, parsed) for entry in entries])
    _write_if_new(membership, table)
    return _summary(cohort, entries, omissions, new=new, report=report)


def _check_places(experiment: Experiment, root: Path, cohort: str) -> None:
    problems = Problems(CODE)
    design = spec_dir(experiment.settings, cohort) / "config.yaml"
    if not root.is_dir():
        problems.add(root, "is no directory", "let source be the directory that holds gens")
    elif root.resolve() == Path(GENS).resolve():
        problems.add(root, "is the store itself", "move it elsewhere, and let source be that place")
    if design.exists():
        problems.add(design, f"cohort {cohort!r} is a design", "give the import another name")
    problems.check()


def _check_membership(path: Path, table: str, report: Path) -> None:
    if path.exists() and read_text(path) != table:
        problems = Problems(CODE)
        found = f"is not what this import would write, without what {report} lists"
        problems.add(path, found, "give the import another name, or delete the file")
        problems.check()


# Reading


def _examine(
    experiment: Experiment, root: Path, cohort: str
) -> tuple[list[_Entry], list[Omission]]:
    """Return what can be imported, parents before children, and why the rest cannot."""
    stages = experiment.settings.stages
    directories = {stage: _directories(root / stage) for stage in stages}
    counts = Counter(path.name for paths in directories.values() for path in paths)
    omissions = [
        Omission(
            "contradiction", path.name, "", str(path), "is no stage", nearest(path.name, stages)
        )
        for path in _directories(root)
        if path.name not in stages
    ]
    entries: dict[str, _Entry] = {}
    for stage in stages.values():
        for directory in directories[stage.name]:
            try:
                _refuse(_file_faults(directory, repeated=counts[directory.name] > 1))
                entry = _read(directory, stage, cohort, entries)
                _refuse(_catalog_faults(experiment, entry))
                _refuse(_store_faults(experiment, entry))
            except _LeftOutError as error:
                omissions += [
                    Omission(kind, stage.name, directory.name, str(file), found, remedy)
                    for file, found, remedy, kind in error.faults
                ]
            else:
                entries[directory.name] = entry
    return list(entries.values()), omissions


def _refuse(faults: Iterable[_Fault]) -> None:
    found = list(faults)
    if found:
        raise _LeftOutError(found)


def _directories(path: Path) -> list[Path]:
    return sorted(child for child in path.iterdir() if child.is_dir()) if path.is_dir() else []


def _file_faults(directory: Path, *, repeated: bool) -> Iterator[_Fault]:
    if not is_gen_id(directory.name):
        remedy = "use up to 64 letters, digits, _ and -, in its children's metadata too"
        yield _Fault(directory, "cannot be an id", remedy)
    if repeated:
        yield _Fault(directory, "another stage has this id too", "rename one of them")
    for name in (*TEXTS, METADATA):
        path = directory / name
        try:
            path.read_bytes().decode()
        except OSError as error:
            yield _Fault(path, f"cannot be read ({error.strerror})", "restore it")
        except UnicodeDecodeError as error:
            yield _Fault(path, f"byte {error.start + 1} is no UTF-8", "save it as UTF-8")
    for path in _notes(directory):
        try:
            read_json(path)
        except StoreError as error:
            yield _fault(path, error)


def _notes(directory: Path) -> list[Path]:
    """Return the files of the source that say something of a generation."""
    return [directory / name for name in NOTES if (directory / name).exists()]


def _fault(path: Path, error: DaydreamError) -> _Fault:
    found, _, remedy = str(error.args[0]).removeprefix(f"{path}: ").rpartition("; ")
    return _Fault(path, found, remedy)


def _read(directory: Path, stage: Stage, cohort: str, entries: Mapping[str, _Entry]) -> _Entry:
    path = directory / METADATA
    metadata = read_json(path)
    for name, here in {"stage": stage.name, "gen_id": directory.name}.items():
        there = _cell(metadata, name)
        if there != here:
            found = f"found the {name} {there!r}, but the directory's is {here!r}"
            raise _LeftOutError([_Fault(path, found, "correct one of them")])
    parent = _parent(path, _cell(metadata, "parent_gen_id"), stage, entries)
    combo = _cell(metadata, "combo_id")
    if parent is not None:
        theirs = parent.generation.combo_id
        if combo not in ("", theirs):
            found = f"found the combo_id {combo!r}, but the parent's is {theirs!r}"
            raise _LeftOutError([_Fault(path, found, "give parent and child one combo")])
        combo = theirs
    generation = Generation(
        stage=stage.name,
        gen_id=directory.name,
        cohort_id=cohort,
        parent_gen_id=parent.generation.gen_id if parent else "",
        combo_id=combo,
        template_id=_cell(metadata, "template_id"),
        llm_model_id=_cell(metadata, "llm_model_id"),
        replicate=_cell(metadata, "replicate") or "1",
        dimensions=tuple(_cell(metadata, name) for name in stage.dimensions),
        key="",
    )
    generation = generation._replace(key=codec(stage).encode_values(generation.key_values))
    return _Entry(directory, generation, (*parent.ancestors, parent.generation) if parent else ())


def _cell(metadata: Mapping[str, Any], name: str) -> str:
    value = metadata.get(name)
    return "" if value is None else str(value)


def _parent(
    path: Path, parent_id: str, stage: Stage, entries: Mapping[str, _Entry]
) -> _Entry | None:
    if stage.parent is None:
        if parent_id:
            found = f"found the parent_gen_id {parent_id!r}, but a {stage.name} has no parent"
            raise _LeftOutError([_Fault(path, found, "remove it")])
        return None
    parent = entries.get(parent_id)
    if parent is not None and parent.generation.stage == stage.parent:
        return parent
    siblings = path.parents[2] / stage.parent
    found = f"found the parent_gen_id {parent_id!r}"
    if is_gen_id(parent_id) and (siblings / parent_id).is_dir():
        fault = _Fault(path, f"{found}, which is left out", "mend the parent", "descendant")
    else:
        fault = _Fault(path, f"{found}, which is not in {siblings}", "restore it", "orphan")
    raise _LeftOutError([fault])


def _catalog_faults(experiment: Experiment, entry: _Entry) -> Iterator[_Fault]:
    path, generation = entry.directory / METADATA, entry.generation
    for _, found, remedy in catalog_contradictions(generation, experiment.catalog):
        yield _Fault(path, found, remedy)
    if not generation.replicate.isdecimal() or int(generation.replicate) < 1:
        found = f"found the replicate {generation.replicate!r}, which counts nothing"
        yield _Fault(path, found, "give a whole number from 1")
    template = experiment.catalog.templates[generation.stage].get(generation.template_id)
    mode = _cell(read_json(path), "mode")
    if template is not None and mode not in ("", template.generator):
        found = f"found the mode {mode!r}, but the template's generator is {template.generator!r}"
        yield _Fault(path, found, "correct one of them")


def _store_faults(experiment: Experiment, entry: _Entry) -> Iterator[_Fault]:
    """Yield what the store has otherwise: it is not overwritten."""
    generation, target = entry.generation, entry.target
    remedy = "give one of the two generations another id"
    for name in TEXTS:
        path = target / name
        if path.exists() and path.read_bytes() != (entry.directory / name).read_bytes():
            yield _Fault(path, "is there already, with another text", remedy)
    try:
        known = read_json(target / METADATA) if (target / METADATA).exists() else None
        if known is not None and any(
            _cell(known, name) != getattr(generation, name) for name in IDENTITY
        ):
            yield _Fault(target / METADATA, "is there already, of another generation", remedy)
        if not recipes.is_copy(experiment, generation):
            prompt, raw = (read_text(entry.directory / name) for name in ("prompt.txt", "raw.txt"))
            answer = find_response(target, build_request(experiment, generation, prompt))
            if answer is not None and answer.text != raw:
                yield _Fault(target / RESPONSES, "has another answer to the prompt", remedy)
    except DaydreamError as error:
        yield _fault(target, error)


# Writing


def _place(experiment: Experiment, entry: _Entry, parsed: Mapping[str, str]) -> bool:
    """Write what the store lacks of a generation; tell whether that was anything.

    `parsed` are the parsed texts of all imported generations by id.
    """
    generation, target = entry.generation, entry.target
    found = {name: read_text(entry.directory / name) for name in TEXTS}
    prompt = found["prompt.txt"]
    metadata = identity(experiment, generation, ancestors=entry.ancestors, prompt=prompt)
    if recipes.is_copy(experiment, generation):
        metadata |= {"mode": "copy"}
    else:
        request = build_request(experiment, generation, prompt)
        response = find_response(target, request)
        if response is None:
            response = _response(entry.directory, found["raw.txt"])
            with claim_entry(target, request, wait=lambda: time.sleep(0.1)) as file:
                record_response(file, request, response, client="import")
        model = experiment.catalog.models[generation.llm_model_id]
        metadata |= {
            "mode": "llm",
            **call_record(Answer(request, response, reused=True, refused=()), model),
        }
    target.mkdir(parents=True, exist_ok=True)
    _record(experiment, entry, found, parsed)
    lacking = [target / name for name in OUTPUTS if not (target / name).exists()]
    for path in lacking:
        if path.name == METADATA:
            write_json(path, {**metadata, "imported": True})
        else:
            write_text(path, found[path.name])
    return bool(lacking)


def _record(
    experiment: Experiment, entry: _Entry, texts: Mapping[str, str], parsed: Mapping[str, str]
) -> None:
    """Record what the texts count as made of, where that is not recorded already."""
    row = entry.generation
    named = entry.ancestors if recipes.names_ancestors(experiment, row) else entry.ancestors[-1:]
    ancestors = {link.stage: text_sha256(parsed[link.gen_id]) for link in named}
    prompt, raw, own = (text_sha256(texts[name]) for name in TEXTS)
    parent = text_sha256(parsed[row.parent_gen_id]) if row.parent_gen_id else None
    known = read_record(entry.target)
    for phase, made in {
        "prompt": Made(of_prompt(experiment, row, ancestors), prompt),
        "raw": Made(of_raw(experiment, row, prompt=prompt, parent=parent), raw),
        "parsed": Made(of_parsed(experiment, row, raw=raw), own),
    }.items():
        if phase not in known:
            record_made(entry.target, phase, made)


def _response(directory: Path, raw: str) -> Response:
    """Return an answer of the source in the form of a chat completion."""
    notes = {path.name: read_json(path) for path in _notes(directory)}
    told = {**notes[METADATA], **notes.get("raw_metadata.json", {})}
    duration_s = told.get("duration_s")
    body = {
        "object": "chat.completion",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": raw},
                "finish_reason": "length" if told.get("truncated") else told.get("finish_reason"),
            }
        ],
        "usage": told.get("usage"),
        "imported": notes,
    }
    return Response(
        body=body,
        started_at=str(told.get("started_at") or told.get("created_at") or ""),
        duration_s=float(duration_s) if isinstance(duration_s, int | float) else 0.0,
    )


def _membership(entries: Sequence[_Entry], stages: Mapping[str, Stage]) -> str:
    """Return the cohort as its spec gives it by hand, without what follows from other columns."""
    further = further_dimensions(stages)
    rows = []
    for generation in (entry.generation for entry in entries):
        names = stages[generation.stage].dimensions
        own = dict(zip(names, generation.dimensions, strict=True))
        cells = [getattr(generation, name) for name in IDENTITY]
        rows.append([*cells, *(own.get(name, "") for name in further)])
    return _table([*IDENTITY, *further], rows)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([header, *rows])
    return text.getvalue()


def _write_if_new(path: Path, text: str) -> None:
    if not path.exists() or path.read_bytes() != text.encode():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, text)


def _summary(
    cohort: str,
    entries: Sequence[_Entry],
    omissions: Sequence[Omission],
    *,
    new: int,
    report: Path,
) -> str:
    stages = Counter(entry.generation.stage for entry in entries)
    of_stages = ", ".join(f"{count} {stage}" for stage, count in stages.items())
    kinds = Counter(kind for kind, _, _ in {omission[:3] for omission in omissions})
    left_out = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())) or "nothing"
    return (
        f"Imported {len(entries)} generations as cohort {cohort!r} ({of_stages}): {new} are new, "
        f"{len(entries) - new} were here already. Left out: {left_out}; {report} says why. "
        f"To go on: snakemake --cores 4 --config 'cohorts=[{cohort}]'"
    )
