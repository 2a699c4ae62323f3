"""The parsers of an experiment: the built-in ones, and those of the user's files."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from pathlib import Path

from daydream.errors import Problems
from daydream.parsers import scores, structured, texts
from daydream.parsers.registry import NOTES, Definition, Parsers, definitions, described
from daydream.usercode import BrokenFileError, UnreadableFileError, digest, line_in, run_file


def load_parsers(paths: Sequence[Path] = ()) -> Parsers:
    """Return the built-in parsers and those that the Python files define.

    Each call runs the files again; a file named twice is run once.

    Raises:
        InputError: everything that is wrong with the files, and every name defined twice.
    """
    problems = Problems("parser")
    found = {definition.name: definition for definition in _built_in(problems)}
    for path in dict.fromkeys(paths):
        for definition in _load_file(path, problems):
            other = found.setdefault(definition.name, definition)
            if other is not definition:
                problems.add(
                    path,
                    f"found the parser {definition.name!r}, which {other.file}, line {other.line} "
                    "defines too",
                    "rename one, or write @parser(name=...)",
                    line=definition.line,
                )
    problems.check()
    return Parsers(found)


def _built_in(problems: Problems) -> Iterator[Definition]:
    for module in (texts, scores, structured):
        source = Path(inspect.getfile(module))
        shown = "/".join(source.parts[-3:])
        yield from definitions(vars(module), shown, digest(source.read_bytes()), problems)


def _load_file(path: Path, problems: Problems) -> list[Definition]:
    try:
        file = run_file(path, shown=str(path))
    except UnreadableFileError as error:
        remedy = "create the file, or correct `parsers` in the configuration"
        problems.add(path, f"cannot be read ({error.reason})", remedy)
        return []
    except BrokenFileError as broken:
        line = line_in(str(path), broken.error)
        problems.add(path, f"raised {described(broken.error)}", "fix the file", line=line)
        return []
    if NOTES not in file.namespace:
        problems.add(path, "defines no parser", "write @parser above a function of one text")
    return definitions(file.namespace, str(path), file.digest, problems)
