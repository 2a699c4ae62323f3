"""Prompts: a template's text and the values it names become one text.

A template is Jinja2 source, written by the experiment's author. Everything else, model answers
above all, is a value: it goes into the prompt character by character and is never read as source.
Templates run in Jinja2's immutable sandbox: they reach the values and what those contain, change
nothing and open no file, and a name that is not there is an error instead of an empty text.
The same source and values always give the same prompt, so that rendering again never means paying
again: what is random, or would show a memory address, is refused.

Line ends of a template become line feeds, as Jinja2 has it; those of values stay.
"""

from __future__ import annotations

import re
import secrets
import traceback
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

from daydream.catalog.cache_lines import CACHE_POINT, without_cache_lines
from daydream.errors import Problem, TemplateError, nearest
from daydream.text import clipped

# Importing Jinja2 takes 80 ms, which every call of the workflow would pay; only renders need it.
if TYPE_CHECKING:
    from jinja2 import Template, nodes
    from jinja2.lexer import Token, TokenStream
    from jinja2.sandbox import SandboxedEnvironment

# What a template calls its parent's text: the first name is ours, the others are those of templates
# that already exist.
PARENT_NAMES = ("parent", "draft_block", "links_block", "response")
# The template of a copy that has no text of its own.
COPY = "{{ parent }}"
# Names that Jinja2 gives a meaning in some places.
_SPECIAL = frozenset(["loop", "self", "super", "caller", "varargs", "kwargs"])


@dataclass(frozen=True, kw_only=True, slots=True)
class PromptConcept:
    """A concept as templates see it; `content` is its description at the combo's level."""

    name: str
    content: str
    concept_id: str


class Prompt(NamedTuple):
    """A prompt, and the places of its cache points: how many characters are before each."""

    text: str
    points: tuple[int, ...] = ()


# What `{{ cache_point }}` becomes until the prompt is there. NUL is in no text, and no value can
# know the number.
_MARK = f"\0{secrets.randbits(128)}\0"


def render(template_text: str, variables: Mapping[str, object], *, name: str) -> str:
    """Return the text of the prompt that a template makes of `variables`; see `render_marked`."""
    return render_marked(template_text, variables, name=name).text


def render_marked(template_text: str, variables: Mapping[str, object], *, name: str) -> Prompt:
    """Return the prompt that a template makes of `variables`.

    `name` is the template's path, for errors. Threads may render at the same time; a template is
    compiled once. A cache point, `{{ cache_point }}`, leaves nothing in the text, and nothing of a
    line that it stands on alone.

    Raises:
        TemplateError: the source is not a template, or it asks for what it may not or cannot have.
    """
    template = _compile(name, template_text, CACHE_POINT in variables)
    try:
        marked = template.render({CACHE_POINT: _MARK, **variables})
    except Exception as error:  # a template can raise whatever an expression can
        raise _render_error(error, variables, name) from error
    parts = marked.split(_MARK)
    prompt = "".join(parts)
    if "\0" in prompt:
        raise _error(
            name,
            None,
            f"character {prompt.index(chr(0)) + 1} of the prompt is NUL, which no text holds",
            "remove it from the template, or from the text that it inserts",
        )
    return Prompt(prompt, tuple(accumulate(map(len, parts[:-1]))))


def check(template_text: str, name: str) -> None:
    """Compile a template, for its errors only.

    Raises:
        TemplateError: the source is not a template, or needs another one.
    """
    _compile(name, template_text)


def undefined(template_text: str, variables: Mapping[str, object], *, name: str) -> list[Problem]:
    """Return where a template, whatever its values, asks for what `variables` do not have.

    A value that is a mapping says which members its variable has. What stands behind a condition,
    or has a default, is not looked at: it may never be asked for.
    """
    from jinja2 import nodes  # noqa: PLC0415 - as above

    environment = _environment()
    tree = environment.parse(template_text, name, name)
    own = {node.name for node in tree.find_all(nodes.Macro)}
    own |= {node.name for node in tree.find_all(nodes.Name) if node.ctx != "load"}
    known = {*variables, CACHE_POINT, *environment.globals, *_SPECIAL, *own}
    found: dict[str, Problem] = {}
    for variable, member, line in _asked(tree.body):
        value = variables.get(variable)
        if variable not in known:
            text = f"{variable!r} is undefined"
        elif (
            isinstance(value, Mapping)
            and variable not in own
            and member is not None
            and member not in value
            and not hasattr(value, member)
        ):
            text = f"{variable!r} has no {member!r}"
        else:
            continue
        problem = Problem(
            file=name, found=text, remedy=_available(text, variables), line=line, code="template"
        )
        found.setdefault(text, problem)
    return list(found.values())


def _asked(statements: Iterable[nodes.Node]) -> Iterator[tuple[str, str | None, int]]:
    """Yield (variable, member of it, line) for all that running statements is sure to ask for."""
    from jinja2 import nodes  # noqa: PLC0415 - as above

    for node in statements:
        if isinstance(node, nodes.Output):
            for expression in node.nodes:
                yield from _needed(expression)
        elif isinstance(node, nodes.If):
            yield from _needed(node.test)
        elif isinstance(node, nodes.For):
            yield from _needed(node.iter)
            if node.test is None and not node.else_:
                yield from _asked(node.body)
        elif isinstance(node, (nodes.With, nodes.FilterBlock, nodes.Scope, nodes.Block)):
            yield from _asked(node.body)


def _needed(node: nodes.Node) -> Iterator[tuple[str, str | None, int]]:
    """Yield the same for all that the value of an expression cannot be without."""
    from jinja2 import nodes  # noqa: PLC0415 - as above

    if isinstance(node, nodes.Name):
        yield node.name, None, node.lineno
    elif isinstance(node, (nodes.Getattr, nodes.Getitem)):
        member = node.attr if isinstance(node, nodes.Getattr) else None
        if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
            member = node.arg.value if isinstance(node.arg.value, str) else None
        if isinstance(node.node, nodes.Name) and member is not None:
            yield node.node.name, member, node.lineno
        else:
            yield from _needed(node.node)
    elif isinstance(node, nodes.Filter):
        if node.node is not None and node.name not in ("default", "d"):
            # A member that is not there may be what the filter is for.
            yield from ((name, None, line) for name, _, line in _needed(node.node))
    elif isinstance(node, (nodes.And, nodes.Or)):
        yield from _needed(node.left)
    elif isinstance(node, (nodes.Concat, nodes.BinExpr)):
        for part in node.iter_child_nodes():
            yield from _needed(part)
    elif isinstance(node, (nodes.UnaryExpr, nodes.Call)):
        yield from _needed(node.node)
    elif isinstance(node, nodes.CondExpr):
        yield from _needed(node.test)


@lru_cache(maxsize=1024)
def _compile(name: str, text: str, own_point: bool = False) -> Template:
    """Compile a template; `own_point`: a variable of its own is called `cache_point`."""
    from jinja2 import TemplateSyntaxError, nodes  # noqa: PLC0415 - as above

    environment = _environment(own_point)
    try:
        tree = environment.parse(text, name, name)
        other = (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)
        for node in tree.find_all(other):
            tag = "from" if isinstance(node, nodes.FromImport) else type(node).__name__.lower()
            problem = f"found {{% {tag} %}}, but a template is one file"
            raise _error(name, node.lineno, problem, "put the text itself here")
        code = environment.compile(tree, name, name)
    except TemplateSyntaxError as error:
        remedy = "fix the template"
        raise _error(name, error.lineno, str(error.message), remedy) from error
    except (RecursionError, MemoryError, SyntaxError, ValueError) as error:
        # What Python itself cannot hold: nesting without end, numbers of thousands of digits.
        raise _error(
            name, None, f"cannot be compiled ({error})", "simplify the template"
        ) from error
    return environment.template_class.from_code(environment, code, environment.make_globals(None))


@lru_cache(maxsize=2)
def _environment(own_point: bool = False) -> SandboxedEnvironment:
    from jinja2 import StrictUndefined, TemplateRuntimeError, Undefined  # noqa: PLC0415 - as above
    from jinja2.ext import Extension  # noqa: PLC0415
    from jinja2.sandbox import ImmutableSandboxedEnvironment  # noqa: PLC0415

    class Environment(ImmutableSandboxedEnvironment):
        def getattr(self, obj: Any, attribute: str) -> Any:  # noqa: ANN401 - as the base has it
            """Let `ancestors.copy` be the stage of that name, not the method of a dict."""
            if isinstance(obj, Mapping) and attribute in obj:
                return obj[attribute]
            return super().getattr(obj, attribute)

    class CacheLines(Extension):
        def filter_stream(self, stream: TokenStream) -> Iterator[Token]:
            yield from without_cache_lines(stream)

    def printable(value: object) -> object:
        """Refuse what prints as its address: a method not called, a `map` without a `join`."""
        if isinstance(value, (str, Undefined)):
            return value
        if callable(value) or isinstance(value, Iterator):
            raise TemplateRuntimeError(
                f"a {type(value).__name__} is not a text; call, join or list it"
            )
        return value

    environment = Environment(
        undefined=StrictUndefined,
        autoescape=False,
        keep_trailing_newline=True,
        finalize=printable,
        extensions=() if own_point else (CacheLines,),
    )
    del environment.filters["random"], environment.globals["lipsum"]
    return environment


def _render_error(error: Exception, variables: Mapping[str, object], name: str) -> TemplateError:
    from jinja2.exceptions import (  # noqa: PLC0415 - as above
        SecurityError,
        TemplateRuntimeError,
        UndefinedError,
    )

    # Jinja2 rewrites the traceback so that it leads through the template's own lines.
    frames = traceback.walk_tb(error.__traceback__)
    lines = [line for frame, line in frames if frame.f_code.co_filename == name]
    problem, remedy = str(error), "fix the template"
    if isinstance(error, SecurityError):
        remedy = "a template may only read its variables; remove this"
    elif isinstance(error, UndefinedError):
        remedy = _available(problem, variables)
    elif not isinstance(error, TemplateRuntimeError):
        problem = f"{type(error).__name__}: {problem}"
    return _error(name, lines[-1] if lines else None, problem, remedy)


def _available(problem: str, variables: Mapping[str, object]) -> str:
    """Return the variables there are, and the name nearest to the one that Jinja2 quotes last."""
    listed: set[str] = set()
    known = set(PromptConcept.__dataclass_fields__)
    for name, value in variables.items():
        keys = value if isinstance(value, Mapping) else ()
        known.update([name, *keys])
        listed.update([f"{name}.{key}" for key in keys] or [name])
    quoted = re.findall("'([^']*)'", problem)
    hint = nearest(quoted[-1], known) if quoted else ""
    available = f"this template may use {', '.join(sorted(listed)) or 'no variable'}"
    return f"{hint} {available}" if hint.endswith("?") else available


def _error(name: str, line: int | None, problem: str, remedy: str) -> TemplateError:
    # It may quote a value, and a value may be a megabyte.
    problem = clipped(" ".join(problem.split()).rstrip(".: "), 300)
    return TemplateError(
        Problem(file=name, found=problem, remedy=remedy, line=line, code=TemplateError.code)
    )
