"""Answers in JSON: reading, checking and repairing them, and what a schema says of its members."""

from __future__ import annotations

import json
from typing import Any

import pytest

from daydream.errors import ParseError
from daydream.llm.structured import is_strict, schema_fields
from daydream.parsers import Shape, load_parsers
from daydream.parsers.members import criteria_of, kinds_at, members_of

RUBRIC: dict[str, Any] = {
    "type": "object",
    "properties": {
        "reason": {"type": "string"},
        "criteria": {
            "type": "array",
            "items": {"type": "object", "properties": {"score": {"$ref": "#/$defs/points"}}},
        },
        "verdict": {
            "type": "object",
            "properties": {"score": {"$ref": "#/$defs/points"}, "words": {"type": "integer"}},
            "required": ["score"],
        },
    },
    "required": ["verdict"],
    "$defs": {"points": {"type": "number", "minimum": 0, "maximum": 9}},
}


def parsed(
    answer: str,
    *,
    name: str = "json",
    path: str = "score",
    scored: bool = True,
    schema: dict[str, Any] | None = None,
) -> str:
    shape = Shape(path=path, scored=scored, schema=schema)
    return load_parsers().get(name, score_min=0, score_max=9, shape=shape)(answer)


@pytest.mark.parametrize(
    ("answer", "path", "expected"),
    [
        ('{"score": 7}', "score", "7.0\n"),
        ('\n```json\n{"score": 6.5}\n```\n', "score", "6.5\n"),
        ('{"score": "4"}', "score", "4.0\n"),
        ('{"score": -0.0}', "score", "0.0\n"),
        ('{"verdict": {"score": 3}}', "verdict.score", "3.0\n"),
        ('{"c": [{"s": 1}, {"s": 4}]}', "c.*.s", "2.5\n"),
        ('{"c": {"a": 1, "b": 2}}', "c.*", "1.5\n"),
        ('{"c": [5, 8]}', "c.1", "8.0\n"),
        ("[9]", "0", "9.0\n"),
    ],
)
def test_scores(answer: str, path: str, expected: str) -> None:
    """A number at the path, or the mean of several."""
    assert parsed(answer, path=path) == expected


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("SCORE: 7", "is not JSON"),
        ('{"score": 7', "is not JSON"),
        ('so: {"score": 7}', "is not JSON"),
        ('{"score": NaN}', "NaN is not a number of JSON"),
        ('{"points": 7}', "has no 'score', but only 'points'"),
        ("7", "has no 'score', but is the number 7"),
        ('{"score": true}', "is true, not a number"),
        ('{"score": null}', "is null, not a number"),
        ('{"score": "7/9"}', "is the text '7/9', not a number"),
        ('{"score": 10}', "outside the scale from 0 to 9"),
        ('{"score": 1e400}', "outside the scale"),
        ("[" * 100_000, "is not JSON"),
    ],
)
def test_what_is_rejected(answer: str, told: str) -> None:
    """In one line, which says what to do."""
    with pytest.raises(ParseError) as error:
        parsed(answer)
    (line,) = str(error.value).splitlines()
    assert told in line
    assert "; " in line


def test_texts() -> None:
    """In a stage that is not scored, the path leads to a text, exactly as it is."""
    assert parsed('{"text": " 1984\\n"}', path="text", scored=False) == " 1984\n"
    with pytest.raises(ParseError, match="is the number 3, not a text"):
        parsed('{"text": 3}', path="text", scored=False)
    with pytest.raises(ParseError, match="is 2 values, not a text"):
        parsed('{"text": ["a", "b"]}', path="text.*", scored=False)


def test_a_schema_decides_what_is_valid() -> None:
    """Also with local references; the place of the fault is named."""
    good = {"verdict": {"score": 3}}
    assert parsed(json.dumps(good), path="verdict.score", schema=RUBRIC) == "3.0\n"
    for bad, told in (
        ({"verdict": {}}, "verdict: 'score' is a required property"),
        ({"verdict": {"score": 12}}, "verdict.score: 12 is greater than the maximum of 9"),
        ({"verdict": {"score": "3"}}, "verdict.score: '3' is not of type 'number'"),
    ):
        with pytest.raises(ParseError, match=told):
            parsed(json.dumps(bad), path="verdict.score", schema=RUBRIC)


@pytest.mark.parametrize(
    "answer",
    [
        'Here it is:\n```json\n{"score": 7}\n```\nDone.',
        '{"score": 7',
        "{'score': 7}",
        '{"reason": "he said "no"", "score": 7}',
        '{"score": 7,} // final',
    ],
)
def test_repair(answer: str) -> None:
    """Only the lenient parser repairs."""
    with pytest.raises(ParseError):
        parsed(answer)
    assert parsed(answer, name="json_lenient") == "7.0\n"


@pytest.mark.parametrize("answer", ["I would say seven.", "", "[maybe", "SCORE: 7"])
def test_what_cannot_be_repaired(answer: str) -> None:
    """A text without an object is not made one."""
    with pytest.raises(ParseError, match="is not JSON"):
        parsed(answer, name="json_lenient")


@pytest.mark.parametrize("noise", ["#", "a", "1,", "{"])
def test_a_megabyte_is_not_repaired(noise: str) -> None:
    """What repairs takes minutes for it."""
    answer = '{"score": 7' + noise * (1_000_000 // len(noise))
    with pytest.raises(ParseError, match="is not JSON"):
        parsed(answer, name="json_lenient")


def test_members_and_criteria() -> None:
    """Leaves in the schema's order; a count without bounds is not a criterion."""
    paths = [path for path, _ in members_of(RUBRIC)]
    assert paths == ["reason", "criteria", "verdict.score", "verdict.words"]
    assert list(criteria_of(RUBRIC, "reason")) == [("verdict.score", (0, 9))]
    assert list(criteria_of(RUBRIC, "verdict.score")) == []


def test_a_schema_that_refers_to_itself_ends() -> None:
    """Its members are listed to some depth."""
    schema = {"type": "object", "properties": {"next": {"$ref": "#"}, "score": {"type": "number"}}}
    assert "score" in [path for path, _ in members_of(schema)]


@pytest.mark.parametrize(
    ("path", "kinds"),
    [
        ("verdict.score", {"number"}),
        ("criteria.*.score", {"number"}),
        ("criteria.3.score", {"number"}),
        ("reason", {"string"}),
        ("verdict.nothing", None),
        ("reason.deeper", None),
    ],
)
def test_kinds_at(path: str, kinds: set[str] | None) -> None:
    """The types that a schema allows at a path; None where it has nothing."""
    assert kinds_at(RUBRIC, path) == kinds


def test_strict_is_said_only_where_it_holds() -> None:
    """OpenAI refuses a schema as strict that leaves a member open."""
    closed = {
        "type": "object",
        "properties": {"score": {"type": "integer"}},
        "required": ["score"],
        "additionalProperties": False,
    }
    assert is_strict(closed)
    assert not is_strict({**closed, "required": []})
    assert not is_strict(RUBRIC)
    told = schema_fields("response_format", "my rubric.v2", closed)["response_format"]
    assert told["json_schema"] == {"name": "my_rubric_v2", "schema": closed, "strict": True}
    assert schema_fields("none", "x", closed) == {}
