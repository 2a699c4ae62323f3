r"""Parsers: what turns a model's answer into the text that its children and the scores take.

A parser is a function of one text, the raw answer, which returns the parsed text or raises
`ParseError` with the reason. A parser of scores may also take the keyword `scale`, the bounds
that the template's catalog row gives:

    from daydream.errors import ParseError
    from daydream.parsers import Scale, parser

    @parser
    def first_line(answer: str) -> str:
        return answer.splitlines()[0]

    @parser(name="only_score")
    def read(answer: str, *, scale: Scale) -> str:
        return f"{scale.check(float(answer))}\n"

`@parser` changes nothing about the function. It notes it in the namespace of the file it stands
in, where `load_parsers` finds it, for the built-in parsers below as for a user's file. So nothing
is registered globally: two experiments in one process have their own `Parsers`.

What parsers return: `identity` the answer exactly; the essay parsers a text without blanks at
its ends; the score parsers the shortest decimal form of the number and a line feed: ``7.0\n``.
"""

from __future__ import annotations

import hashlib
import inspect
import math
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar, overload

from daydream.errors import ParseError, Problems, nearest

Parser = Callable[[str], str]
_Function = TypeVar("_Function", bound=Callable[..., str])
_NOTES = "__daydream_parsers__"


@dataclass(frozen=True, kw_only=True, slots=True)
class Scale:
    """The scores that a template may give, bounds included."""

    minimum: float
    maximum: float

    def check(self, score: float) -> float:
        """Return the score, never as a negative zero.

        Raises:
            ParseError: it is outside the scale, or no number.
        """
        if not self.minimum <= score <= self.maximum:
            raise ParseError(
                f"score {score:.15g} is outside the scale from {self.minimum:.15g} to "
                f"{self.maximum:.15g}; state it in the template, or set score_min and score_max"
            )
        return score + 0.0


# The registry


@overload
def parser(function: _Function, /) -> _Function: ...


@overload
def parser(*, name: str) -> Callable[[_Function], _Function]: ...


def parser(
    function: _Function | None = None, /, *, name: str | None = None
) -> _Function | Callable[[_Function], _Function]:
    """Make a function a parser, under `name` or its own name."""
    if function is not None and not callable(function):
        raise TypeError(f"@parser({function!r}) names nothing; write @parser(name={function!r})")
    caller = sys._getframe(1)
    notes, line = caller.f_globals.setdefault(_NOTES, []), caller.f_lineno

    def note(function: _Function) -> _Function:
        own = getattr(function, "__name__", None)
        notes.append((own if name is None else name, function, line))
        return function

    return note if function is None else note(function)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Definition:
    """A parser and where it was noted. `scaled` ones take the keyword `scale`."""

    name: str
    function: Callable[..., str]
    scaled: bool
    file: str
    line: int
    digest: str

    def __call__(self, answer: str, **keywords: Scale) -> str:
        """Return what the function makes of an answer; whatever else it does is a `ParseError`."""
        try:
            parsed: object = self.function(answer, **keywords)
        except ParseError as error:
            reason = " ".join(" ".join(map(str, error.args)).splitlines()).strip()
            raise ParseError(self._with_remedy(reason)) from error
        except (Exception, SystemExit) as error:
            line = _line_in(self.file, error) or self.line
            place = f"{self.file}, line {line}: parser {self.name!r}"
            raise ParseError(f"{place} raised {_described(error)}; fix the parser") from error
        place = f"{self.file}, line {self.line}: parser {self.name!r}"
        if not isinstance(parsed, str):
            kind = type(parsed).__name__
            raise ParseError(f"{place} returned a {kind}, not a text; fix the parser")
        if answer.strip() and not parsed.strip():
            raise ParseError(
                f"{place} left nothing of the answer; let it raise ParseError with the reason"
            )
        return parsed

    def _with_remedy(self, reason: str) -> str:
        """Return why the parser refuses an answer, and what to do if it does not say so itself."""
        place = f"{self.file}, line {self.line}"
        if not reason:
            return f"parser {self.name!r} refuses the answer without a reason; state it in {place}"
        if "; " in reason:
            return reason
        return f"{reason}; change the template, or the parser {self.name!r} ({place})"


@dataclass(frozen=True, slots=True)
class Parsers:
    """The parsers of an experiment by name: the built-in ones and those of the user's files."""

    _definitions: Mapping[str, _Definition]

    def __contains__(self, name: object) -> bool:
        return name in self._definitions

    def __iter__(self) -> Iterator[str]:
        return iter(self._definitions)

    def get(self, name: str, *, score_min: float, score_max: float) -> Parser:
        """Return a parser, bound to the template's score bounds if it takes them.

        The function returned raises `ParseError` and nothing else.

        Raises:
            InputError: there is no parser of that name.
        """
        definition = self._find(name)
        if not definition.scaled:
            return definition
        return partial(definition, scale=Scale(minimum=score_min, maximum=score_max))

    def digest(self, name: str) -> str:
        """Return 16 hexadecimal digits of the SHA-256 of the file that defines a parser.

        Modules which that file imports are not part of it.

        Raises:
            InputError: there is no parser of that name.
        """
        return self._find(name).digest

    def _find(self, name: str) -> _Definition:
        if name not in self:
            problems = Problems("parser")
            problems.add(repr(name), "no parser has this name", nearest(name, self))
            problems.check()
        return self._definitions[name]


def load_parsers(paths: Sequence[Path] = ()) -> Parsers:
    """Return the built-in parsers and those that the Python files define.

    Each call runs the files anew; a file named twice is run once.

    Raises:
        InputError: everything that is wrong with the files, and every name defined twice.
    """
    problems = Problems("parser")
    source = Path(__file__)
    shown = f"{source.parent.name}/{source.name}"
    built_in = _definitions(globals(), shown, _digest(source.read_bytes()), problems)
    found = {definition.name: definition for definition in built_in}
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


def _load_file(path: Path, problems: Problems) -> list[_Definition]:
    try:
        source = path.read_bytes()
    except OSError as error:
        remedy = "create the file, or correct `parsers` in the configuration"
        problems.add(path, f"cannot be read ({error.strerror})", remedy)
        return []
    digest = _digest(source)
    module = ModuleType(f"daydream_parsers_{_digest(str(path).encode() + source)}")
    module.__file__ = str(path)
    try:
        # Compiled here, as Python's own cache can miss an edit within the same second.
        code = compile(source, str(path), "exec", dont_inherit=True)
        # Dataclasses and the like look up the module they stand in, even after it has run.
        sys.modules[module.__name__] = module
        exec(code, module.__dict__)  # noqa: S102 - running the user's own file is the task
    except (Exception, SystemExit) as error:
        sys.modules.pop(module.__name__, None)
        problems.add(
            path, f"raised {_described(error)}", "fix the file", line=_line_in(str(path), error)
        )
        return []
    if _NOTES not in module.__dict__:
        problems.add(path, "defines no parser", "write @parser above a function of one text")
    return _definitions(module.__dict__, str(path), digest, problems)


def _definitions(
    namespace: Mapping[str, Any], file: str, digest: str, problems: Problems
) -> list[_Definition]:
    """Return the parsers noted in the namespace of a file."""
    found = []
    for name, function, line in namespace.get(_NOTES, ()):
        if not (isinstance(name, str) and name and name == name.strip()):
            remedy = "write @parser(name='...') with a text without blanks at its ends"
            problems.add(file, f"found a parser named {name!r}", remedy, line=line)
            continue
        try:
            signature = inspect.signature(function)
            scaled = "scale" in list(signature.parameters)[1:]
            signature.bind("", **{"scale": None} if scaled else {})
        except (TypeError, ValueError) as error:
            problems.add(
                file,
                f"found the parser {name!r}, which takes not just one text ({error})",
                "let it take the answer alone, or the answer and the keyword scale",
                line=line,
            )
            continue
        found.append(
            _Definition(
                name=name, function=function, scaled=scaled, file=file, line=line, digest=digest
            )
        )
    return found


def _digest(source: bytes) -> str:
    return hashlib.sha256(source).hexdigest()[:16]


def _described(error: BaseException) -> str:
    """Return the exception's type and text in one line, its text not longer than an excerpt."""
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    if isinstance(error, ParseError):
        text = " ".join(map(str, error.args))  # without its code: this is no answer refused
    kind = type(error).__name__
    text = " ".join(text.split())
    return f"{kind}: {text if len(text) <= 300 else f'{text[:300]}…'}" if text else kind


def _line_in(file: str, error: BaseException) -> int | None:
    """Return the line of `file` in which an exception came up, if it did."""
    if isinstance(error, SyntaxError) and error.filename == file:
        return error.lineno
    frames = traceback.walk_tb(error.__traceback__)
    lines = [line for frame, line in frames if frame.f_code.co_filename == file]
    return lines[-1] if lines else None


# Texts. Every pattern reads each character a bounded number of times: answers may be megabytes.

_FLAGS = re.IGNORECASE | re.ASCII


@dataclass(frozen=True, slots=True)
class _Tag:
    """The patterns of a tag, in any case, its start with or without attributes."""

    start: re.Pattern[str]
    end: re.Pattern[str]

    @classmethod
    def named(cls, name: str) -> _Tag:
        start = re.compile(rf"<{name}(?P<attributes>\s[^<>]*)?>", _FLAGS)
        return cls(start, re.compile(f"</{name}>", _FLAGS))


_ESSAY = _Tag.named("essay")
_IDEA = _Tag.named("essay-idea")
_THINKING = _Tag.named("thinking")
_STAGE = re.compile(r"\sstage\s*=\s*[\"']?([^\"'\s]*)", _FLAGS)
_WHOLE = re.compile(r"[0-9]{1,9}")


@parser
def identity(answer: str) -> str:
    """Return the whole answer, unchanged."""
    return answer


@parser
def essay_block(answer: str) -> str:
    """Return the first ``<essay>…</essay>``; without an end tag, what follows the start tag."""
    block = _first_essay(answer)
    if block is None:
        raise ParseError(
            f"no <essay> tag in the answer, which begins with {_excerpt(answer)}; ask for it in "
            "the template, or take the parser essay_block_lenient"
        )
    return _filled(block, "the <essay> block")


@parser
def essay_block_lenient(answer: str) -> str:
    """Return the same after removing ``<thinking>`` blocks; without a tag, all the text left.

    A ``<thinking>`` without an end is no block.
    """
    kept, position = [], 0
    while (start := _THINKING.start.search(answer, position)) and (
        end := _THINKING.end.search(answer, start.end())
    ):
        kept.append(answer[position : start.start()])
        position = end.end()
    text = "".join([*kept, answer[position:]])
    block = _first_essay(text)
    if block is None:
        return _filled(text, "the answer without its <thinking> blocks")
    return _filled(block, "the <essay> block")


@parser
def essay_idea_last(answer: str) -> str:
    """Return the ``<essay-idea stage="n">`` block with the highest n, the last of equals.

    Blocks without a stage count below all others. The block chosen must have its end tag before
    the next one starts: falling back to an earlier stage would go unnoticed.
    """
    starts = list(_IDEA.start.finditer(answer))
    if not starts:
        raise ParseError(
            f"no <essay-idea> tag in the answer, which begins with {_excerpt(answer)}; ask for it "
            "in the template"
        )
    stages = [_stage(start["attributes"] or "") for start in starts]
    chosen = max(range(len(starts)), key=lambda index: (stages[index], index))
    start, following = starts[chosen], starts[chosen + 1 : chosen + 2]
    limit = following[0].start() if following else len(answer)
    end = _IDEA.end.search(answer, start.end(), limit)
    if end is None:
        raise ParseError(
            f"the block {_excerpt(start[0])} has no end tag; ask for </essay-idea> in the template"
        )
    return _filled(answer[start.end() : end.start()], f"the block {_excerpt(start[0])}")


def _first_essay(text: str) -> str | None:
    start = _ESSAY.start.search(text)
    if start is None:
        return None
    end = _ESSAY.end.search(text, start.end())
    return text[start.end() : end.start() if end else len(text)]


def _stage(attributes: str) -> int:
    found = _STAGE.search(attributes)
    if found is None:
        return -1
    if not _WHOLE.fullmatch(found[1]):
        raise ParseError(
            f"found an <essay-idea> of stage {_excerpt(found[1])}, which is not a whole number; "
            "ask for numbered stages in the template"
        )
    return int(found[1])


def _filled(text: str, what: str) -> str:
    if not text.strip():
        raise ParseError(f"{what} is empty; change the template, or sample the answer again")
    return text.strip()


def _excerpt(text: str) -> str:
    text = text.strip()
    return repr(text if len(text) <= 60 else f"{text[:59]}…")


# Scores

_NUMBER = r"[+-]?[0-9]+(?:\.[0-9]+)?"
_LABEL = r"(?:(?:final|total) )?score(?: ?: ?| )"
_SCORE = re.compile(rf"{_LABEL}({_NUMBER})(?: ?/ ?({_NUMBER}))?", _FLAGS)
_SCORE_BEGUN = re.compile(rf"{_LABEL}[+-]?\.?[0-9]", _FLAGS)
# Blanks, not nothing: 'SCORE: 7*8' must not become 78.
_EMPHASIS = str.maketrans("*_`", "   ")


@parser
def in_last_line(answer: str, *, scale: Scale) -> str:
    """Return the score in the last three lines that are not blank.

    A line is one of ``SCORE: 7``, ``Score 6.5``, ``Final Score: 4``, ``Total Score: 7/9``, in any
    case; the number after the slash must be the scale's maximum. Markdown's marks of emphasis and
    headings and a final full stop do not count. The last line that begins like this decides: if it
    goes on in another way (``7,5``, ``1e3``, ``7 or 8``), the answer is refused.
    """
    for line in reversed(_filled_lines(answer)[-3:]):
        plain = _plain(line)
        if not _SCORE_BEGUN.match(plain):
            continue
        found = _SCORE.fullmatch(plain)
        if found is None:
            raise ParseError(
                f"found {_excerpt(line)}, which is more than a score; ask for a last line "
                "such as 'SCORE: 7' in the template"
            )
        if found[2] is not None and float(found[2]) != scale.maximum:
            raise ParseError(
                f"found {_excerpt(line)}, but the scale ends at {scale.maximum:.15g}; state it in "
                "the template, or set score_max"
            )
        return _score_text(scale.check(float(found[1])))
    raise ParseError(
        f"no score in the last three lines, which end with {_excerpt(answer[-60:])}; ask for a "
        "last line such as 'SCORE: 7' in the template"
    )


@parser
def three_scores_last_line(answer: str, *, scale: Scale) -> str:
    """Return the mean of the three scores that the last line that is not blank consists of.

    It is one of ``456`` (three digits), ``4 5 6``, ``4,5,6``; marks as in `in_last_line`.
    """
    line = (_filled_lines(answer) or [""])[-1]
    plain = _plain(line)
    separator = "," if "," in plain else None
    parts = list(plain) if len(plain) == 3 else [part.strip() for part in plain.split(separator)]
    if len(parts) != 3 or not all(re.fullmatch(_NUMBER, part) for part in parts):
        raise ParseError(
            f"no three scores in the last line {_excerpt(line)}; ask for a last line such as "
            "'4 5 6' in the template"
        )
    return _score_text(math.fsum(scale.check(float(part)) for part in parts) / 3)


def _filled_lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip()]


def _plain(line: str) -> str:
    """Return a line without Markdown's marks and a final full stop, each run of blanks as one."""
    words = line.translate(_EMPHASIS).split()
    return " ".join(words).strip("# ").removesuffix(".").rstrip()


def _score_text(score: float) -> str:
    return f"{score!r}\n"
