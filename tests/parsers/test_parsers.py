"""Parsers: what the built-in ones take and refuse, and how users add theirs."""

from __future__ import annotations

import hashlib
import math
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daydream.errors import InputError, ParseError
from daydream.parsers import Scale, load_parsers

BUILT_IN = load_parsers()
MEGABYTE = 1 << 20


def parse(name: str, answer: str, *, low: float = 0, high: float = 9) -> str:
    return BUILT_IN.get(name, score_min=low, score_max=high)(answer)


def refusal(name: str, answer: str, *, low: float = 0, high: float = 9) -> str:
    with pytest.raises(ParseError) as error:
        parse(name, answer, low=low, high=high)
    text = str(error.value)
    assert text.startswith("[parse] ")
    assert len(text.splitlines()) == 1
    assert len(text) < 400
    return text


# identity


@given(st.text(st.characters(exclude_categories=())))
def test_identity_returns_the_answer_exactly(answer: str) -> None:
    """Blanks, line ends and every character stay."""
    assert parse("identity", answer) == answer


# Essays


@pytest.mark.parametrize(
    ("answer", "block"),
    [
        ("<essay>one</essay>", "one"),
        ("Here:\n<ESSAY>\r\n\n one\r\ntwo \n</Essay>\nDone.", "one\r\ntwo"),
        ("<essay>one</essay><essay>two</essay>", "one"),
        ("</essay> <essay>one", "one"),
        ("<essay>one <essay>two</essay>", "one <essay>two"),
        ('<essay lang="en">one</essay>', "one"),
        ("<essay-idea>no</essay-idea><essay>yes</essay>", "yes"),
        ("<essay>İ < ß & {{ x }} 🜁</essay>", "İ < ß & {{ x }} 🜁"),
    ],
)
def test_essay_block(answer: str, block: str) -> None:
    """The first block in any case, without outer blanks; without an end tag, the rest."""
    assert parse("essay_block", answer) == block
    assert parse("essay_block_lenient", answer) == block


@pytest.mark.parametrize("answer", ["", "no tag", "<essays>x</essays>", "</essay>x", "< essay>x"])
def test_essay_block_needs_its_tag(answer: str) -> None:
    """The refusal names the lenient parser."""
    assert "no <essay> tag" in refusal("essay_block", answer)
    assert "essay_block_lenient" in refusal("essay_block", answer)


@pytest.mark.parametrize("name", ["essay_block", "essay_block_lenient"])
@pytest.mark.parametrize("answer", ["<essay></essay>x", "<essay> \r\n\u3000</essay>", "x<essay>"])
def test_an_empty_essay_is_refused(name: str, answer: str) -> None:
    """It says which block is empty."""
    assert "the <essay> block is empty" in refusal(name, answer)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (" no tag \n", "no tag"),
        ("<thinking>a\n<essay>b</essay></thinking>\nc", "c"),
        ("<thinking>a</thinking>b<THINKING>c</Thinking>d", "bd"),
        ("<thinking>an <essay> tag</thinking><essay>yes</essay>", "yes"),
        ('<thinking budget="9">a</thinking>b', "b"),
        ("<thinking>never ends", "<thinking>never ends"),
        ("<thinking>never ends<essay>yes</essay>", "yes"),
    ],
)
def test_essay_block_lenient(answer: str, text: str) -> None:
    """Thinking goes first; what is then without a tag is the essay as a whole."""
    assert parse("essay_block_lenient", answer) == text


@pytest.mark.parametrize("answer", ["", " \n", "<thinking>a</thinking>\n"])
def test_only_thoughts_are_no_essay(answer: str) -> None:
    """Nothing left is refused."""
    assert "<thinking>" in refusal("essay_block_lenient", answer)


@pytest.mark.parametrize(
    ("answer", "block"),
    [
        ('<essay-idea stage="1">\none\n</essay-idea>', "one"),
        (
            '<essay-idea stage="2">two</essay-idea><essay-idea stage="10">ten</essay-idea>'
            '<essay-idea stage="9">nine</essay-idea>',
            "ten",
        ),
        ('<essay-idea stage="2">a</essay-idea><essay-idea stage="2">b</essay-idea>', "b"),
        ("<essay-idea>a</essay-idea>text<essay-idea>b</essay-idea>text", "b"),
        ('<essay-idea stage="0">a</essay-idea><essay-idea>b</essay-idea>', "a"),
        ("<Essay-Idea name='x' STAGE = '02'>a\n\nb</ESSAY-IDEA>", "a\n\nb"),
        ('<essay-idea stage=1><essay-idea stage="2">b</essay-idea>', "b"),
        ('<essay-idea data-stage="9">a</essay-idea><essay-idea stage=1>b</essay-idea>', "b"),
    ],
)
def test_essay_idea_last(answer: str, block: str) -> None:
    """The highest stage, compared as a number; the last of equals; without stages the last."""
    assert parse("essay_idea_last", answer) == block


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("", "no <essay-idea> tag"),
        ("<essay>x</essay> <essay-ideas>x</essay-ideas>", "no <essay-idea> tag"),
        ('<essay-idea stage="1"> \n</essay-idea>', "is empty"),
        ('<essay-idea stage="1">a</essay-idea><essay-idea stage="2">b', "has no end tag"),
        ('<essay-idea stage="2">b<essay-idea stage="1">a</essay-idea>', "has no end tag"),
        ('<essay-idea stage="last">a</essay-idea>', "stage 'last', which is not a whole number"),
        (f'<essay-idea stage="{"9" * 5000}">a</essay-idea>', "which is not a whole number"),
    ],
)
def test_essay_idea_last_refuses_what_would_be_another_idea(answer: str, reason: str) -> None:
    """It never falls back to a lower stage."""
    assert reason in refusal("essay_idea_last", answer)


# Scores


@pytest.mark.parametrize(
    ("answer", "score"),
    [
        ("SCORE: 7", "7.0\n"),
        ("Score 6.5", "6.5\n"),
        ("Final Score: 4", "4.0\n"),
        ("Total Score: 7/9", "7.0\n"),
        ("total score 7 / 9.0", "7.0\n"),
        ("score:7", "7.0\n"),
        ("score : 07", "7.0\n"),
        ("SCORE: 7.", "7.0\n"),
        ("SCORE: +7", "7.0\n"),
        ("SCORE: -0", "0.0\n"),
        ("SCORE: 9", "9.0\n"),
        ("**SCORE: 7**", "7.0\n"),
        ("**SCORE:** 7", "7.0\n"),
        ("***Score***: **7**/9", "7.0\n"),
        ("_Score: 7_.", "7.0\n"),
        ("`SCORE: 7`", "7.0\n"),
        ("```\nSCORE: 7\n```", "7.0\n"),
        ("### Final Score: 7", "7.0\n"),
        ("## **Score**: 7 ##", "7.0\n"),
        ("\u3000SCORE:\u00a07\u00a0\u3000", "7.0\n"),
        ("text\r\nSCORE: 7\r\n\r\n", "7.0\n"),
        ("text\rSCORE: 7\r", "7.0\n"),
        ("SCORE: 7\n\n \n\t\n\n", "7.0\n"),
        ("SCORE: 7\nThank you.\nBye.", "7.0\n"),
        ("Score: 3\nScore: 4", "4.0\n"),
        ("SCORE: 10\nScore: 4", "4.0\n"),
        ("SCORE: 7\nScore is what the rubric asks for.", "7.0\n"),
    ],
)
def test_in_last_line(answer: str, score: str) -> None:
    """One line of the last three that is nothing but a score; the last of them wins."""
    assert parse("in_last_line", answer) == score


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("", "no score"),
        ("I give it SCORE: 7", "no score"),
        ("The score: 7", "no score"),
        ("SCORE7", "no score"),
        ("SCORE: seven", "no score"),
        ("SCORE: ٧", "no score"),
        ("~~SCORE: 7~~", "no score"),
        ("SCORE: 7\na\nb\nc", "no score"),
        ("SCORE: 7,5", "more than a score"),
        ("SCORE: 1e3", "more than a score"),
        ("SCORE: 7 8", "more than a score"),
        ("SCORE: 7*8", "more than a score"),
        ("SCORE: 1_0", "more than a score"),
        ("SCORE: 7 SCORE: 8", "more than a score"),
        ("SCORE: 7 or 8", "more than a score"),
        ("SCORE: 7²", "more than a score"),
        ("SCORE: 7..", "more than a score"),
        ("SCORE: .5", "more than a score"),
        ("Score: 5\nSCORE: 7,5", "more than a score"),
        ("SCORE: 7/10", "the scale ends at 9"),
        ("SCORE: 1234", "score 1234 is outside the scale from 0 to 9"),
        ("SCORE: 10", "outside the scale"),
        ("SCORE: 9.000001", "outside the scale"),
        ("Score: -3", "score -3 is outside the scale"),
        ("Score: 5\nScore: 10", "outside the scale"),
        ("SCORE: " + "9" * 5000, "outside the scale"),
    ],
)
def test_in_last_line_refuses_what_is_not_one_score(answer: str, reason: str) -> None:
    """It never guesses, nor falls back to an earlier line when the last score is unclear."""
    assert reason in refusal("in_last_line", answer)


def test_the_scale_is_the_templates() -> None:
    """Bounds count as inside; a negative minimum admits negative scores."""
    assert parse("in_last_line", "Score: -3", low=-3, high=3) == "-3.0\n"
    assert parse("in_last_line", "Score: 0.5/1", high=1) == "0.5\n"
    assert parse("in_last_line", "Score: 85/100", high=100) == "85.0\n"
    assert "from -3 to 3" in refusal("in_last_line", "Score: -3.5", low=-3, high=3)
    assert "from 1 to 9" in refusal("three_scores_last_line", "012", low=1)


@given(st.floats(min_value=-1e6, max_value=1e6))
def test_scores_come_back_as_they_were_written(score: float) -> None:
    """The shortest decimal form, for every number a model may state in full."""
    written = f"{score:.12f}"
    parsed = parse("in_last_line", f"Score: {written}", low=-1e6, high=1e6)
    assert parsed == f"{float(written) + 0.0}\n"


@pytest.mark.parametrize(
    ("answer", "mean"),
    [
        ("456", "5.0\n"),
        ("4 5 6", "5.0\n"),
        ("4,5,6", "5.0\n"),
        ("4, 5 , 6", "5.0\n"),
        ("4 4 5", "4.333333333333333\n"),
        ("4.5 5 5.5", "5.0\n"),
        ("000", "0.0\n"),
        ("999", "9.0\n"),
        ("1 2 3\r\n**4\u00a05\u00a06**\r\n\r\n", "5.0\n"),
        ("# 456", "5.0\n"),
    ],
)
def test_three_scores_last_line(answer: str, mean: str) -> None:
    """The mean of the three that the last line with text consists of."""
    assert parse("three_scores_last_line", answer) == mean


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("", "no three scores"),
        ("45", "no three scores"),
        ("4567", "no three scores"),
        ("4 5", "no three scores"),
        ("4,5", "no three scores"),
        ("4 5 6 7", "no three scores"),
        ("4,5,,6", "no three scores"),
        ("4, 5 6", "no three scores"),
        ("4 5,6", "no three scores"),
        ("4/9 5/9 6/9", "no three scores"),
        ("4 5 six", "no three scores"),
        ("²34", "no three scores"),
        ("Scores: 4 5 6", "no three scores"),
        ("456\nThanks.", "no three scores"),
        ("4 5 10", "score 10 is outside"),
        ("-1 5 6", "score -1 is outside"),
    ],
)
def test_three_scores_last_line_refuses_the_rest(answer: str, reason: str) -> None:
    """Each of the three must be one, and in range."""
    assert reason in refusal("three_scores_last_line", answer)


@given(st.permutations([0.1, 0.2, 0.7]))
def test_the_mean_does_not_depend_on_the_order(scores: list[float]) -> None:
    """Otherwise equal judgements would differ in the last digit."""
    answer = " ".join(map(str, scores))
    assert parse("three_scores_last_line", answer) == parse("three_scores_last_line", "0.1 0.2 0.7")


PIECES = [
    *("<essay>", "</essay>", "<essay-idea", ' stage="1"', " stage=", ">", "</essay-idea>"),
    *("<thinking>", "</thinking>", "Score", "FINAL ", "7", "/9", ":", ",", ".", "-", "**", "#"),
    *(" ", "\u00a0", "\n", "\u2028", "é"),
]


@given(
    st.sampled_from(sorted(BUILT_IN)),
    st.lists(st.sampled_from(PIECES)).map("".join),
)
def test_a_parser_returns_text_or_refuses(name: str, answer: str) -> None:
    """Whatever the answer: a text that is not blank, or one line that says why not."""
    try:
        parsed = parse(name, answer)
    except ParseError as error:
        assert len(str(error).splitlines()) == 1
        return
    if name == "identity":
        assert parsed == answer
    elif name.startswith("essay"):
        assert parsed == parsed.strip() != ""
        assert parsed in answer or "thinking" in answer
    else:
        assert 0 <= float(parsed) <= 9
        assert parsed == f"{float(parsed)!r}\n"


@pytest.mark.parametrize(
    "piece",
    [
        "<essay-idea ",
        "<thinking>",
        "<essay ",
        " stage =",
        "\n",
        " ",
        "1",
        "1 ",
        "1,",
        "*",
        "#",
        "a",
    ],
)
@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_a_megabyte_of_anything_is_read_in_linear_time(name: str, piece: str) -> None:
    """Patterns that try again from each place would take hours here."""
    for answer in (piece * (MEGABYTE // len(piece)), "score: " + piece * (MEGABYTE // len(piece))):
        try:
            parse(name, answer)
        except ParseError as error:
            assert len(str(error)) < 400


# The users' own

HEAD = "from daydream.parsers import parser\n"

SOURCE = """
from daydream.errors import ParseError
from daydream.parsers import Scale, parser


@parser
def first_line(answer):
    return answer.splitlines()[0]


@parser(name="percent")
def _(answer: str, *, scale: Scale) -> str:
    return f"{scale.check(float(answer.strip(' %')))}\\n"


@parser(name="shout")
def _(answer):
    return answer.upper()
"""


@pytest.fixture(autouse=True)
def in_tmp_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(source: str | bytes, name: str = "mine.py") -> Path:
    path = Path(name)
    path.write_bytes(source if isinstance(source, bytes) else source.encode())
    return path


def problems(*paths: Path) -> list[str]:
    with pytest.raises(InputError) as error:
        load_parsers(paths)
    assert error.value.code == "parser"
    return str(error.value).splitlines()


def test_a_file_of_parsers() -> None:
    """Under the function's name or another, beside the built-in ones; bounds for who takes them."""
    parsers = load_parsers([write(SOURCE)])
    assert set(parsers) == {*BUILT_IN, "first_line", "percent", "shout"}
    assert "percent" in parsers
    assert parsers.get("first_line", score_min=0, score_max=9)("a\nb") == "a"
    assert parsers.get("shout", score_min=0, score_max=9)("a") == "A"
    percent = parsers.get("percent", score_min=0, score_max=100)
    assert percent("85 %") == "85.0\n"
    with pytest.raises(ParseError, match="score 101 is outside the scale from 0 to 100"):
        percent("101 %")


def test_the_decorator_leaves_the_function_alone() -> None:
    """A file of parsers can be imported and tested as any other."""
    done = subprocess.run(
        [sys.executable, "-c", "import mine; assert mine.first_line('a\\nb') == 'a'"],
        cwd=write(SOURCE).parent,
        env={"PYTHONPATH": str(Path(load_parsers.__code__.co_filename).parents[2])},
        check=False,
    )
    assert done.returncode == 0


def test_nothing_leaks_from_one_load_to_another() -> None:
    """Each has the file as it was then, its own state, and no parser of the other's."""
    path = write("from daydream.parsers import parser\n@parser\ndef own(a): return a + '1'\n")
    one = load_parsers([path])
    write("from daydream.parsers import parser\n@parser\ndef own(a): return a + '2'\n")
    two = load_parsers([path])
    other = load_parsers([write(SOURCE, "other.py")])
    assert "own" not in other
    assert "own" not in load_parsers()
    texts = [load.get("own", score_min=0, score_max=9)("x") for load in (one, two, one)]
    assert texts == ["x1", "x2", "x1"]


def test_a_load_of_the_same_file_has_its_own_state() -> None:
    """Named twice, it is run once; loaded twice, twice."""
    source = (
        "from daydream.parsers import parser\nseen = []\n"
        "@parser\ndef count(a):\n    seen.append(a)\n    return str(len(seen))\n"
    )
    path = write(source)
    one, two = (load_parsers([path, path]).get("count", score_min=0, score_max=9) for _ in "ab")
    assert [one("x"), one("x"), two("x")] == ["1", "2", "1"]


def test_what_a_file_imports_is_not_its_own() -> None:
    """A helper's parser is the helper's, however often and by whom it is imported."""
    source = "from daydream.parsers import identity\n" + HEAD + "@parser\ndef own(a): return a\n"
    for _ in range(2):
        assert set(load_parsers([write(source)])) == {*BUILT_IN, "own"}


def test_a_file_may_define_dataclasses() -> None:
    """They look up the module they stand in, also when a parser makes one later."""
    source = (
        "from __future__ import annotations\nfrom dataclasses import dataclass\n"
        "from daydream.parsers import parser\n@dataclass\nclass A:\n    text: str\n"
        "@parser\ndef own(a):\n    @dataclass\n    class B:\n        text: str\n"
        "    return A(a).text + B(a).text\n"
    )
    assert load_parsers([write(source)]).get("own", score_min=0, score_max=9)("x") == "xx"


def test_annotations_mean_what_the_file_says() -> None:
    """The library's own __future__ imports do not reach into it."""
    source = HEAD + "@parser\ndef own(a: str):\n    return repr(own.__annotations__['a'])\n"
    parsers = load_parsers([write(source)])
    assert parsers.get("own", score_min=0, score_max=9)("x") == "<class 'str'>"


def test_the_digest_is_of_the_file_that_was_run() -> None:
    """It changes with any edit; parsers of one file share it."""
    one = load_parsers([write(SOURCE)])
    two = load_parsers([write(SOURCE + "# edited\n")])
    assert one.digest("shout") == hashlib.sha256(SOURCE.encode()).hexdigest()[:16]
    assert one.digest("shout") == one.digest("percent") != two.digest("shout")
    assert one.digest("identity") == two.digest("essay_block") == BUILT_IN.digest("identity")


def test_an_unknown_name() -> None:
    """It is refused with the nearest names."""
    with pytest.raises(InputError) as error:
        parse("in_lst_line", "SCORE: 7")
    line = "[parser] 'in_lst_line': no parser has this name; did you mean 'in_last_line'"
    assert str(error.value).startswith(line)
    with pytest.raises(InputError, match="no parser has this name"):
        BUILT_IN.digest("nothing")
    assert "nothing" not in BUILT_IN


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("def f(:\n", "mine.py, line 1: raised SyntaxError: invalid syntax; fix the file"),
        ("x = 1\n\x00", "mine.py: raised "),
        (b"x = '\xff'\n", "mine.py"),
        ("\n\n1 / 0\n", "mine.py, line 3: raised ZeroDivisionError: division by zero; fix"),
        ("import sys\nsys.exit('a\\nb')\n", "mine.py, line 2: raised SystemExit: a b; fix"),
        ("import nowhere\n", "mine.py, line 1: raised ModuleNotFoundError: No module named"),
        ("def f(a): return a\n", "mine.py: defines no parser; write @parser above"),
        ("", "mine.py: defines no parser"),
        (HEAD + "@parser\ndef f(): pass\n", "line 2: found the parser 'f', which takes not just"),
        (HEAD + "@parser\ndef f(a, b): pass\n", "missing a required argument: 'b'"),
        (HEAD + "@parser\ndef f(*, a): pass\n", "too many positional arguments"),
        (
            HEAD + "@parser\ndef f(scale): pass\n@parser\ndef f(): pass\n",
            "line 4: found the parser",
        ),
        (HEAD + "parser(name='f')(3)\n", "line 2: found the parser 'f', which takes not just one"),
        (HEAD + "@parser('f')\ndef f(a): pass\n", "line 2: raised TypeError: @parser('f') names"),
        (HEAD + "@parser(name=' f')\ndef f(a): pass\n", "line 2: found a parser named ' f'"),
        (HEAD + "@parser(name='')\ndef f(a): pass\n", "line 2: found a parser named ''"),
        (HEAD + "@parser(name=1)\ndef f(a): pass\n", "line 2: found a parser named 1"),
        (
            HEAD + "@parser\ndef identity(a): return a\n",
            "line 2: found the parser 'identity', which daydream/parsers/texts.py, line ",
        ),
        (
            HEAD + "@parser\ndef f(a): pass\n@parser\ndef f(a): pass\n",
            "mine.py, line 4: found the parser 'f', which mine.py, line 2 defines too; rename one",
        ),
    ],
)
def test_a_file_that_cannot_be_used(source: str | bytes, problem: str) -> None:
    """One line: the file, the line, what stands there and what to do."""
    (line,) = problems(write(source))
    assert line.startswith("[parser] mine.py")
    assert problem in line
    assert "daydream_parsers" not in line


def test_a_missing_file() -> None:
    """Also a directory."""
    Path("parsers").mkdir()
    missing, directory = problems(Path("config/none.py"), Path("parsers"))
    assert missing.startswith("[parser] config/none.py: cannot be read (No such file")
    assert directory.startswith("[parser] parsers: cannot be read (Is a directory")


def test_a_clash_between_files_names_both_places() -> None:
    """And every problem of every file is told at once."""
    source = HEAD + "@parser\ndef f(a): return a\n"
    files = write(source, "a.py"), write("\n" + source, "b.py"), write("x", "c.py")
    clash, broken = problems(*files)
    assert clash.startswith("[parser] b.py, line 3: found the parser 'f', which a.py, line 2 ")
    assert broken.startswith("[parser] c.py, line 1: raised NameError")


def test_a_file_that_failed_leaves_no_module() -> None:
    """The next load starts afresh."""
    before = set(sys.modules)
    problems(write("1 / 0"))
    assert set(sys.modules) == before


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("return None", "mine.py, line 2: parser 'f' returned a NoneType, not a text; fix"),
        ("return b'a'", "mine.py, line 2: parser 'f' returned a bytes, not a text; fix"),
        ("return ' '", "mine.py, line 2: parser 'f' left nothing of the answer"),
        ("\n    return a[99]", "line 5: parser 'f' raised IndexError: string index out of range"),
        ("return int(a)", "line 4: parser 'f' raised ValueError: invalid literal for int()"),
        ("raise SystemExit", "line 4: parser 'f' raised SystemExit; fix the parser"),
        ("return f(a)", "line 4: parser 'f' raised RecursionError"),
        ("raise OSError('x\\n' * 999)", "line 4: parser 'f' raised OSError: x x x"),
        ("from daydream.errors import ParseError\n    raise ParseError('a\\nb')", "[parse] a b"),
        (
            "from daydream.errors import ParseError\n    raise ParseError",
            "parser 'f' rejects the answer without a reason; state it in mine.py, line 2",
        ),
        (
            "from daydream.errors import ParseError\n    raise ParseError('no title')",
            "no title; change the template, or the parser 'f' (mine.py, line 2)",
        ),
        (
            "from daydream.errors import ParseError\n    raise ParseError('no title; ask for it')",
            "[parse] no title; ask for it",
        ),
    ],
)
def test_a_users_parser_that_fails(body: str, reason: str) -> None:
    """Whatever it does wrong is a refusal in one line that names the parser and the place."""
    path = write(HEAD + f"@parser\ndef f(a):\n    {body}\n")
    parse = load_parsers([path]).get("f", score_min=0, score_max=9)
    with pytest.raises(ParseError) as error:
        parse("some answer")
    assert reason in str(error.value)
    assert "; " in str(error.value), "what to do"
    assert str(error.value).startswith("[parse] ")
    assert len(str(error.value).splitlines()) == 1
    assert len(str(error.value)) < 500


def test_a_parser_without_lines_of_its_own() -> None:
    """The place is then where it was made a parser."""
    source = (
        "import functools, re\n" + HEAD + "parser(name='cut')(functools.partial(re.sub, '('))\n"
    )
    cut = load_parsers([write(source.replace("'('", "'a', 'b'"))])
    assert cut.get("cut", score_min=0, score_max=9)("aXa") == "bXb"
    cut = load_parsers([write(source.replace("'('", "'(', 'b'"))])
    # Python 3.13 gave the error another name.
    told = rf"mine.py, line 3: parser 'cut' raised {re.error.__name__}: missing \)"
    with pytest.raises(ParseError, match=told):
        cut.get("cut", score_min=0, score_max=9)("aXa")


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf, -0.1, 9.1])
def test_a_scale_holds_its_bounds_only(score: float) -> None:
    """What is not a number is outside."""
    with pytest.raises(ParseError, match="outside the scale"):
        Scale(minimum=0, maximum=9).check(score)
