"""Reading the source: which generations can be imported, and why the others cannot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from daydream.cohorts.given import catalog_contradictions
from daydream.errors import DaydreamError, StoreError, nearest
from daydream.experiment import recipes
from daydream.experiment.answers import build_request
from daydream.experiment.experiment import Experiment
from daydream.files import read_text
from daydream.generations.keys import is_gen_id
from daydream.generations.row import Generation, codec
from daydream.settings import Stage
from daydream.store.journal import find_response
from daydream.store.layout import RESPONSES, generation_file, read_json

TEXTS = ("prompt.txt", "raw.txt", "parsed.txt")
METADATA = "metadata.json"
IDENTITY = (
    "stage",
    "gen_id",
    "parent_gen_id",
    "combo_id",
    "template_id",
    "llm_model_id",
    "replicate",
)

_NOTES = (METADATA, "raw_metadata.json", "parsed_metadata.json")


class Omission(NamedTuple):
    """One reason why a generation is left out: a row of the report, with its columns."""

    kind: str
    stage: str
    gen_id: str
    file: str
    found: str
    remedy: str


class _Fault(NamedTuple):
    """One fault of a generation of the source."""

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
class Entry:
    """A generation that can be imported; `ancestors` from the first stage on."""

    directory: Path
    generation: Generation
    ancestors: tuple[Generation, ...]

    @property
    def target(self) -> Path:
        """The generation's directory in the store."""
        return Path(generation_file(self.generation.stage, self.generation.gen_id, ""))


def examine(experiment: Experiment, root: Path, cohort: str) -> tuple[list[Entry], list[Omission]]:
    """Return what can be imported, parents before children, and why the rest cannot."""
    stages = experiment.settings.stages
    directories = {stage: _directories(root / stage) for stage in stages}
    counts = Counter(path.name for paths in directories.values() for path in paths)
    omissions = [
        Omission(
            "contradiction", path.name, "", str(path), "is not a stage", nearest(path.name, stages)
        )
        for path in _directories(root)
        if path.name not in stages
    ]
    entries: dict[str, Entry] = {}
    for stage in stages.values():
        for directory in directories[stage.name]:
            try:
                _refuse(_links_out(directory, root))
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


def _links_out(directory: Path, root: Path) -> Iterator[_Fault]:
    """Yield files that are links out of the source: they would be copied from elsewhere."""
    inside = root.resolve()
    for path in (directory, *(directory / name for name in (*TEXTS, *_NOTES))):
        if path.exists() and not path.resolve().is_relative_to(inside):
            yield _Fault(path, f"is a link out of {root}", "put a copy of the file in its place")


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
            yield _Fault(path, f"byte {error.start + 1} is not UTF-8", "save it as UTF-8")
    for path in notes_of(directory):
        try:
            read_json(path)
        except StoreError as error:
            yield _fault(path, error)


def notes_of(directory: Path) -> list[Path]:
    """Return the files of the source that belong to a generation."""
    return [directory / name for name in _NOTES if (directory / name).exists()]


def _fault(path: Path, error: DaydreamError) -> _Fault:
    found, _, remedy = str(error.args[0]).removeprefix(f"{path}: ").rpartition("; ")
    return _Fault(path, found, remedy)


def _read(directory: Path, stage: Stage, cohort: str, entries: Mapping[str, Entry]) -> Entry:
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
    return Entry(directory, generation, (*parent.ancestors, parent.generation) if parent else ())


def _cell(metadata: Mapping[str, Any], name: str) -> str:
    value = metadata.get(name)
    return "" if value is None else str(value)


def _parent(path: Path, parent_id: str, stage: Stage, entries: Mapping[str, Entry]) -> Entry | None:
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
        fault = _Fault(path, f"{found}, which is left out", "fix the parent", "descendant")
    else:
        fault = _Fault(path, f"{found}, which is not in {siblings}", "restore it", "orphan")
    raise _LeftOutError([fault])


def _catalog_faults(experiment: Experiment, entry: Entry) -> Iterator[_Fault]:
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


def _store_faults(experiment: Experiment, entry: Entry) -> Iterator[_Fault]:
    """Yield what differs in the store, which is not overwritten."""
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
