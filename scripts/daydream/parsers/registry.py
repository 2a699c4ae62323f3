"""What a parser is, how a function becomes one, and how parsers are found by name."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar, overload

from daydream.errors import ParseError, Problems, nearest
from daydream.usercode import line_in, message_of

Parser = Callable[[str], str]
_Function = TypeVar("_Function", bound=Callable[..., str])
NOTES = "__daydream_parsers__"


@dataclass(frozen=True, kw_only=True, slots=True)
class Scale:
    """The scores that a template may give, bounds included."""

    minimum: float
    maximum: float

    def check(self, score: float) -> float:
        """Return the score, never as a negative zero.

        Raises:
            ParseError: it is outside the scale, or not a number.
        """
        if not self.minimum <= score <= self.maximum:
            raise ParseError(
                f"score {score:.15g} is outside the scale from {self.minimum:.15g} to "
                f"{self.maximum:.15g}; state it in the template, or set score_min and score_max"
            )
        return score + 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """Where in an answer of JSON the score or the text is, and which answers are valid.

    `path` is that of `daydream.parsers.structured`; `schema` is a JSON Schema, None if there is
    none. `scored`: a number is wanted, not a text.
    """

    path: str
    scored: bool
    schema: Mapping[str, Any] | None = None


# What a parser may take besides the answer, by keyword: what the catalog says of its template.
KEYWORDS = ("scale", "shape")


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
    notes, line = caller.f_globals.setdefault(NOTES, []), caller.f_lineno

    def note(function: _Function) -> _Function:
        own = getattr(function, "__name__", None)
        notes.append((own if name is None else name, function, line))
        return function

    return note if function is None else note(function)


@dataclass(frozen=True, kw_only=True, slots=True)
class Definition:
    """A parser and where it was noted; `takes` are those of `KEYWORDS` that it wants."""

    name: str
    function: Callable[..., str]
    takes: frozenset[str]
    file: str
    line: int
    digest: str

    def __call__(self, answer: str, **keywords: Scale | Shape) -> str:
        """Return the function's result for an answer; any other outcome is a `ParseError`."""
        try:
            parsed: object = self.function(answer, **keywords)
        except ParseError as error:
            reason = " ".join(" ".join(map(str, error.args)).splitlines()).strip()
            raise ParseError(self._with_remedy(reason)) from error
        except (Exception, SystemExit) as error:
            line = line_in(self.file, error) or self.line
            place = f"{self.file}, line {line}: parser {self.name!r}"
            raise ParseError(f"{place} raised {described(error)}; fix the parser") from error
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
        """Return why the parser rejects an answer, and what to do if it does not say so itself."""
        place = f"{self.file}, line {self.line}"
        if not reason:
            return f"parser {self.name!r} rejects the answer without a reason; state it in {place}"
        if "; " in reason:
            return reason
        return f"{reason}; change the template, or the parser {self.name!r} ({place})"


@dataclass(frozen=True, slots=True)
class Parsers:
    """The parsers of an experiment by name: the built-in ones and those of the user's files."""

    _definitions: Mapping[str, Definition]

    def __contains__(self, name: object) -> bool:
        return name in self._definitions

    def __iter__(self) -> Iterator[str]:
        return iter(self._definitions)

    def get(
        self, name: str, *, score_min: float, score_max: float, shape: Shape | None = None
    ) -> Parser:
        """Return a parser, bound to the template's score bounds and shape if it takes them.

        The function returned raises `ParseError` and nothing else.

        Raises:
            InputError: there is no parser of that name.
        """
        definition = self._find(name)
        known: dict[str, Scale | Shape] = {
            "scale": Scale(minimum=score_min, maximum=score_max),
            "shape": shape or Shape(path="score", scored=True),
        }
        wanted = {keyword: known[keyword] for keyword in KEYWORDS if keyword in definition.takes}
        function: Callable[..., str] = definition
        return partial(function, **wanted) if wanted else definition

    def reads_json(self, name: str) -> bool:
        """Tell whether a parser looks for a place in an answer of JSON."""
        return name in self and "shape" in self._definitions[name].takes

    def digest(self, name: str) -> str:
        """Return 16 hexadecimal digits of the SHA-256 of the file that defines a parser.

        Modules which that file imports are not part of it.

        Raises:
            InputError: there is no parser of that name.
        """
        return self._find(name).digest

    def _find(self, name: str) -> Definition:
        if name not in self:
            problems = Problems("parser")
            problems.add(repr(name), "no parser has this name", nearest(name, self))
            problems.check()
        return self._definitions[name]


def definitions(
    namespace: Mapping[str, Any], file: str, digest: str, problems: Problems
) -> list[Definition]:
    """Return the parsers noted in the namespace of a file."""
    found = []
    for name, function, line in namespace.get(NOTES, ()):
        if not (isinstance(name, str) and name and name == name.strip()):
            remedy = "write @parser(name='...') with a text without blanks at its ends"
            problems.add(file, f"found a parser named {name!r}", remedy, line=line)
            continue
        try:
            signature = inspect.signature(function)
            takes = frozenset(list(signature.parameters)[1:]) & frozenset(KEYWORDS)
            signature.bind("", **dict.fromkeys(takes))
        except (TypeError, ValueError) as error:
            problems.add(
                file,
                f"found the parser {name!r}, which takes not just one text ({error})",
                "let it take the answer alone, or also the keywords scale and shape",
                line=line,
            )
            continue
        found.append(
            Definition(
                name=name, function=function, takes=takes, file=file, line=line, digest=digest
            )
        )
    return found


def described(error: BaseException) -> str:
    """Return the exception's type and text in one line, its text not longer than an excerpt."""
    text = message_of(error)
    if isinstance(error, ParseError):
        text = " ".join(map(str, error.args))  # without its code: no answer is rejected here
    kind = type(error).__name__
    text = " ".join(text.split())
    return f"{kind}: {text if len(text) <= 300 else f'{text[:300]}…'}" if text else kind


def excerpt(text: str) -> str:
    """Return the beginning of a piece of an answer, in quotes, for the text of an error."""
    text = text.strip()
    return repr(text if len(text) <= 60 else f"{text[:59]}…")
