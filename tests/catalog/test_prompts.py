"""Prompts: values go in unchanged, and everything a template may not do is one clear line."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daydream.catalog import prompts
from daydream.catalog.prompts import (
    Prompt,
    PromptConcept,
    check,
    render,
    render_marked,
    undefined,
)
from daydream.errors import TemplateError

NAME = "data/1_raw/templates/essay/grow.txt"
CONCEPTS = [
    PromptConcept(name="Sleep", content="to rest", concept_id="sleep"),
    PromptConcept(name="Play", content="to try", concept_id="play"),
]
VARIABLES = {
    "concepts": CONCEPTS,
    "parent": "the essay",
    "draft_block": "the essay",
    "ancestors": {"draft": "the draft", "essay": "the essay"},
}


def refusal(template: str) -> str:
    with pytest.raises(TemplateError) as error:
        render(template, VARIABLES, name=NAME)
    text = str(error.value)
    assert text.startswith(f"[template] {NAME}")
    assert len(text.splitlines()) == 1
    assert "; " in text
    assert len(text) < 600
    return text


@pytest.mark.parametrize(
    ("template", "prompt"),
    [
        ("", ""),
        ("\n plain é 🜁 \n\n", "\n plain é 🜁 \n\n"),
        ("{{ parent }}\n", "the essay\n"),
        (
            "{% for c in concepts %}{{ c.name }}: {{ c.content }}\n{% endfor %}",
            "Sleep: to rest\nPlay: to try\n",
        ),
        ("{{ concepts[1]['concept_id'] }}", "play"),
        ("{{ concepts|map(attribute='name')|join(', ') }}", "Sleep, Play"),
        ("{{ ancestors.draft }}, {{ ancestors['essay'] }}", "the draft, the essay"),
        ("{% for stage in ancestors %}{{ stage }} {% endfor %}", "draft essay "),
        ("{% for stage, text in ancestors.items() %}{{ stage }} {% endfor %}", "draft essay "),
        ("{{ 'x' if links_block is defined else 'y' }}", "y"),
        ("{% macro f(a) %}<{{ a }}>{% endmacro %}{{ f(1) }}{{ f('&') }}", "<1><&>"),
        ("{% set n = namespace(x=1) %}{% set n.x = 2 %}{{ n.x }}", "2"),
        ("{% raw %}{{ parent }}{% endraw %}{# no #}", "{{ parent }}"),
        ("a\r\nb\rc\n", "a\nb\nc\n"),
    ],
)
def test_render(template: str, prompt: str) -> None:
    """Jinja2 as its authors know it, with the end of the file kept and nothing escaped."""
    assert render(template, VARIABLES, name=NAME) == prompt


HOSTILE = [
    "{{ 7 * 7 }} {% include 'x' %} {# y #} }} %}",
    "{{ ''.__class__.__mro__ }}",
    "{% raw %} {% endraw %}",
    "'\"\\ {braces} %s <b>&amp;</b>\r\n\ttab \u2028 \ufeff 🜁𐍈\u0301",
    "line\n" * 10,
    "x{{ y }}\n" * (1 << 17),
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_values_pass_through_unchanged(text: str) -> None:
    """What a model wrote is never read as a template, wherever it stands."""
    concepts = [PromptConcept(name=text, content=text, concept_id="c")]
    variables = {"parent": text, "concepts": concepts, "ancestors": {"draft": text}}
    template = (
        "{{ parent }}|{% for c in concepts %}{{ c.name }}|{{ c.content }}{% endfor %}"
        "|{{ ancestors.draft }}|{{ parent|trim('') }}{% set x = parent %}|{{ x }}"
    )
    assert render(template, variables, name=NAME) == "|".join([text] * 6)


@given(st.text(st.characters(exclude_categories=(), exclude_characters="\0")))
def test_any_value_passes_through_unchanged(text: str) -> None:
    """Every character but NUL."""
    assert render("<{{ parent }}>", {"parent": text}, name=NAME) == f"<{text}>"


@pytest.mark.parametrize("stage", ["copy", "items", "keys", "pop", "update", "values"])
def test_a_stage_may_be_named_like_a_method(stage: str) -> None:
    """`ancestors.copy` is a text, not a method of the mapping."""
    template = f"{{{{ ancestors.{stage} }}}}"
    assert render(template, {"ancestors": {stage: "text"}}, name=NAME) == "text"


def test_nul_is_refused() -> None:
    """From the template or from a value."""
    assert "character 3 of the prompt is NUL" in refusal("ab\0")
    with pytest.raises(TemplateError, match="character 2 of the prompt is NUL"):
        render("a{{ parent }}", {"parent": "\0"}, name=NAME)


@pytest.mark.parametrize(
    ("template", "line", "hint"),
    [
        ("a\n\n{{ draft_blok }}", 3, "'draft_blok' is undefined; did you mean 'draft_block'"),
        ("a\r\n{{ draft_blok }}", 2, "'draft_blok' is undefined; did you mean 'draft_block'"),
        ("{% if draft_blok %}{% endif %}", 1, "did you mean 'draft_block'"),
        ("{{ concepts[0].nam }}", 1, "has no attribute 'nam'; did you mean 'name'?"),
        ("\n{{ ancestors.darft }}", 2, "has no attribute 'darft'; did you mean 'draft'"),
        ("{{ ancestors['darft'] }}", 1, "did you mean 'draft'"),
        ("{% macro f() %}\n{{ zzz }}{% endmacro %}\n{{ f() }}", 2, "'zzz' is undefined; this"),
        ("{{ concepts[2].name }}", 1, "has no element 2"),
    ],
)
def test_an_undefined_name(template: str, line: int, hint: str) -> None:
    """It is refused with its line, the nearest name, and all that there are."""
    text = refusal(template)
    assert text.startswith(f"[template] {NAME}, line {line}: ")
    assert hint in text
    names = "ancestors.draft, ancestors.essay, concepts, draft_block, parent"
    assert text.endswith(f"this template may use {names}")


def test_a_template_without_variables() -> None:
    """There is no nearest name then."""
    with pytest.raises(
        TemplateError, match=r"'x' is undefined; this template may use no variable$"
    ):
        render("{{ x }}", {}, name=NAME)


@pytest.mark.parametrize(
    ("template", "line", "problem"),
    [
        ("a\n{% if parent %}\nb", 2, "Unexpected end of template"),
        ("{{ parent", 1, "unexpected end of template"),
        ("{{ parent }", 1, "unexpected '}'"),
        ("a\n{% nonsense %}", 2, "unknown tag 'nonsense'"),
        ("\n{{ parent|nonsense }}", 2, "No filter named 'nonsense'"),
        ("{{ parent is nonsense }}", 1, "No test named 'nonsense'"),
        ("a\n{% include 'b.txt' %}", 2, "found {% include %}, but a template is one file"),
        ("{% include parent ignore missing %}", 1, "found {% include %}"),
        ("{% if 0 %}\n{% extends 'b.txt' %}{% endif %}", 2, "found {% extends %}"),
        ("{% import 'b.txt' as b %}", 1, "found {% import %}"),
        ("{% from 'b.txt' import b %}", 1, "found {% from %}"),
    ],
)
def test_a_template_that_cannot_be_compiled(template: str, line: int, problem: str) -> None:
    """It says where and what; `check` says the same without rendering."""
    text = refusal(template)
    assert text.startswith(f"[template] {NAME}, line {line}: ")
    assert problem in text
    with pytest.raises(TemplateError) as error:
        check(template, NAME)
    assert str(error.value) == text


@pytest.mark.parametrize(
    "template",
    [
        "{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}",
        "{% for i in [1] %}" * 40 + "{% endfor %}" * 40,
        "{{ " + "1" * 5000 + " }}",
    ],
    ids=["expression", "loops", "digits"],
)
def test_what_python_cannot_compile(template: str) -> None:
    """Limits of Python are told like any other error."""
    assert "cannot be compiled" in refusal(template)


def test_check_compiles_only() -> None:
    """A name is missing when the template runs, not before."""
    check("{{ later }}", NAME)


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ ''|attr('__class__') }}",
        "{{ '{0.__class__}'.format(parent) }}",
        "{{ parent.format.__globals__ }}",
        "{{ concepts[0].__init__.__globals__ }}",
        "{{ concepts.append(1) }}",
        "{{ concepts.clear() }}",
        "{{ ancestors.update({'x': 1}) }}",
        "{{ ancestors.pop('draft') }}",
        "{{ cycler.__init__.__globals__ }}",
        "{{ self.__init__ }}",
    ],
)
def test_the_sandbox_holds(template: str) -> None:
    """No way from a value to Python, and none to change a value."""
    before = repr(VARIABLES)
    assert "unsafe" in refusal(template)
    assert repr(VARIABLES) == before


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ("\n{% for i in range(10**9) %}{% endfor %}", "line 2: OverflowError: Range too big"),
        ("{{ 1 / 0 }}", "line 1: ZeroDivisionError: division by zero; "),
        ("{{ parent + 1 }}", "line 1: TypeError: can only concatenate str"),
        ("{{ parent() }}", "line 1: TypeError: 'str' object is not callable"),
        ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "line 1: RecursionError"),
        ("{% set ancestors.x = 1 %}", "line 1: cannot assign attribute on non-namespace object"),
        ("{{ ancestors[parent * 9999] }}", "has no attribute 'the essaythe essay"),
    ],
)
def test_an_expression_that_fails(template: str, problem: str) -> None:
    """The exception, in the template's own line, however long its text."""
    assert problem in refusal(template)


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ("{{ parent.strip }}", "a builtin_function_or_method is not a text"),
        ("{{ concepts|map(attribute='name') }}", "a generator is not a text"),
        ("{{ range }}", "a function is not a text"),
        ("{% macro f() %}{% endmacro %}{{ f }}", "a Macro is not a text"),
        ("{{ [1, 2]|random }}", "No filter named 'random'"),
        ("{{ lipsum() }}", "'lipsum' is undefined"),
    ],
)
def test_the_same_inputs_give_the_same_prompt(template: str, problem: str) -> None:
    """What would differ from run to run, and so be paid again, is refused."""
    assert problem in refusal(template)


def test_names_do_not_reach_other_templates() -> None:
    """Nothing set in one render is seen by the next, of the same or of another template."""
    render("{% set secret = 1 %}{{ secret }}", VARIABLES, name=NAME)
    assert "'secret' is undefined" in refusal("{{ secret }}")


def test_a_template_is_compiled_once_for_its_text() -> None:
    """An edited text under the same name is another template; an equal one is not."""
    prompts._compile.cache_clear()
    for text in ("a {{ parent }}", "b {{ parent }}"):
        for parent in "xyz":
            assert render(text, {"parent": parent}, name=NAME) == f"{text[0]} {parent}"
    assert prompts._compile.cache_info().misses == 2
    assert prompts._compile.cache_info().hits == 4


def test_threads_render_at_the_same_time() -> None:
    """Each gets the prompt of its own values, or its own error."""
    prompts._compile.cache_clear()
    prompts._environment.cache_clear()

    def job(number: int) -> str:
        template = (
            f"{number % 7} {{{{ parent }}}}{{{{ missing }}}}"
            if number % 10 == 0
            else (f"{number % 7} {{% for i in range(20) %}}{{{{ parent }}}}{{% endfor %}}")
        )
        try:
            return render(template, {"parent": f"<{number}>"}, name=f"{number % 7}.txt")
        except TemplateError as error:
            return str(error)

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(job, range(500)))
    for number, result in enumerate(results):
        if number % 10 == 0:
            assert result.startswith(f"[template] {number % 7}.txt, line 1: 'missing' is undefined")
        else:
            assert result == f"{number % 7} " + f"<{number}>" * 20


def test_a_concept_cannot_be_changed() -> None:
    """The same object goes to every template."""
    with pytest.raises(FrozenInstanceError):
        CONCEPTS[0].name = "other"  # type: ignore[misc]


def test_importing_prompts_does_not_import_jinja2() -> None:
    """Each call of the workflow imports this module, and most render nothing."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import daydream.catalog.prompts, sys; sys.exit('jinja2' in sys.modules)",
        ],
        env={"PYTHONPATH": str(Path(prompts.__file__).parents[2])},
        check=False,
    )
    assert done.returncode == 0


# What is known of a template before there is a value

NAMES: dict[str, object] = {"parent": None, "ancestors": {"draft": ""}}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("{{ parnt }}", "line 1: 'parnt' is undefined; did you mean 'parent'?"),
        ("a\n{{ parnt | upper }}", "line 2: 'parnt' is undefined; did you mean"),
        ("{% for line in parnt.split() %}{% endfor %}", "line 1: 'parnt' is undefined"),
        ("{% for c in parent %}\n{{ x }}{% endfor %}", "line 2: 'x' is undefined"),
        ("{% if concepts %}{% endif %}", "line 1: 'concepts' is undefined"),
        ("{{ parent ~ 'a' ~ x }}", "line 1: 'x' is undefined"),
        ("{{ x.y['z']() }}", "line 1: 'x' is undefined"),
        ("{{ ancestors.drift }}", "line 1: 'ancestors' has no 'drift'; did you mean 'draft'?"),
        ("{{ ancestors['drift'] }}", "line 1: 'ancestors' has no 'drift'; did you mean 'draft'?"),
        ("{% with a = 1 %}{{ x }}{% endwith %}", "line 1: 'x' is undefined"),
    ],
)
def test_a_variable_that_is_never_there(source: str, found: str) -> None:
    """Whatever the values: the same is refused when it is rendered."""
    (problem,) = undefined(source, NAMES, name="t.txt")
    assert str(problem).startswith(f"t.txt, {found}")
    with pytest.raises(TemplateError):
        render(source, {"parent": "text", "ancestors": {"draft": "text"}}, name="t.txt")


@pytest.mark.parametrize(
    "source",
    [
        "{{ parent }}{{ ancestors.draft }}{{ ancestors['draft'] }}{{ ancestors.items() }}",
        "{% if concepts is defined %}{{ concepts }}{% endif %}",
        "{{ concepts | default('') }}{{ ancestors.other | d('x') | upper }}",
        "{{ concepts if concepts is defined else parent }}",
        "{% if parent %}{% else %}{{ concepts }}{% endif %}",
        "{{ parent or concepts }}",
        "{% set x = 1 %}{{ x }}",
        "{% set x = y %}",
        "{% macro m(a) %}{{ a }}{{ concepts }}{% endmacro %}",
        "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1) }}",
        "{% for c in parent %}{{ loop.index }}{{ c }}{% else %}{{ concepts }}{% endfor %}",
        "{% for c in parent if false %}{{ concepts }}{% endfor %}",
        "{{ range(3) | list }}{{ dict(a=1).a }}",
        "{% filter upper %}{{ parent }}{% endfilter %}",
        "{% with a = 1 %}{{ a }}{% endwith %}",
        "{% block b %}{{ parent }}{% endblock %}",
        "{% raw %}{{ x }}{% endraw %}{# {{ x }} #}",
    ],
)
def test_a_variable_that_may_never_be_asked_for(source: str) -> None:
    """A template that renders today is not refused."""
    assert undefined(source, NAMES, name="t.txt") == []
    render(source, {"parent": "text", "ancestors": {"draft": "text"}}, name="t.txt")


# Cache points


@pytest.mark.parametrize(
    ("template", "points"),
    [
        ("a{{ parent }}", ()),
        ("ab{{ cache_point }}{{ parent }}", (2,)),
        ("{{ cache_point }}ä{{ parent }}{{ cache_point }}", (0, 5)),
        ("{% for n in [1, 2] %}{{ n }}{{ cache_point }}{% endfor %}", (1, 2)),
        ("{% if cache_point %}ab{% endif %}", ()),
    ],
)
def test_a_cache_point_is_a_place_and_leaves_no_text(
    template: str, points: tuple[int, ...]
) -> None:
    prompt = render_marked(template, {"parent": "text"}, name=NAME)
    plain = template.replace("{{ cache_point }}", "")
    assert prompt == Prompt(render(plain, {"parent": "text"}, name=NAME), points)


@pytest.mark.parametrize(
    ("template", "text", "point"),
    [
        ("rubric\n{{ cache_point }}\n{{ parent }}", "rubric\ntext", 7),
        ("rubric\r\n{{ cache_point }}\r\n{{ parent }}", "rubric\ntext", 7),
        ("rubric\n  {{cache_point}} \n\n{{ parent }}", "rubric\n\ntext", 7),
        ("{{ cache_point }}\n{{ parent }}", "text", 0),
        ("rubric\n{% if parent %}\n\t{{ cache_point }}\n{% endif %}", "rubric\n\n", 8),
        # It does not stand alone.
        ("rubric {{ cache_point }}\n{{ parent }}", "rubric \ntext", 7),
        ("rubric\n{{ cache_point }} \t{{ parent }}", "rubric\n \ttext", 7),
        ("{{ parent }}{{ cache_point }}\nrubric", "text\nrubric", 4),
        ("rubric\n{{ cache_point }}", "rubric\n", 7),
    ],
)
def test_a_line_that_holds_a_cache_point_alone_is_no_line(
    template: str, text: str, point: int
) -> None:
    assert render_marked(template, {"parent": "text"}, name=NAME) == Prompt(text, (point,))


def test_a_raw_cache_point_is_text() -> None:
    template = "{% raw %}\n{{ cache_point }}\n{% endraw %}"
    assert render(template, {}, name=NAME) == "\n{{ cache_point }}\n"


def test_errors_below_a_cache_point_name_their_line() -> None:
    with pytest.raises(TemplateError, match="line 3"):
        render("a\n{{ cache_point }}\n{{ nothing }}", {}, name=NAME)


def test_a_value_of_that_name_is_a_value() -> None:
    """An item or a dimension may be called so."""
    prompt = render_marked("{{ cache_point }}\na", {"cache_point": "own"}, name=NAME)
    assert prompt == Prompt("own\na", ())
    prompt = render_marked("a{{ cache_point }}", {"cache_point": "own"}, name=NAME)
    assert prompt == Prompt("aown", ())


def test_no_text_can_be_taken_for_a_cache_point() -> None:
    with pytest.raises(TemplateError, match="character 2 of the prompt is NUL"):
        render("a{{ parent }}", {"parent": "\0 0\0"}, name=NAME)
    assert undefined("{{ cache_point }}", {}, name=NAME) == []
