"""Judges that answer in JSON: what is sent, what is kept, and what is said of mistakes."""

from __future__ import annotations

import csv
import json
import statistics
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from support.project import Project
from support.provider_server import ProviderServer, Reply, completion

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "reason": {"type": "string"},
        "clarity": {"type": "integer", "minimum": 1, "maximum": 5},
        "depth": {"type": "integer", "minimum": 0, "maximum": 9},
        "tags": {"type": "array", "items": {"type": "string"}},
        "verdict": {
            "type": "object",
            "properties": {"score": {"type": "number", "minimum": 0, "maximum": 9}},
            "required": ["score"],
            "additionalProperties": False,
        },
    },
    "required": ["reason", "clarity", "depth", "tags", "verdict"],
    "additionalProperties": False,
}
TABLE = "data/1_raw/evaluation_templates.csv"
FILE = "data/1_raw/schemas/rubric.json"
HEADER = "template_id,parser,score_min,score_max,schema,json_path"


def rubric(project: Project, *, parser: str = "json", path: str = "verdict.score") -> None:
    """Let the judge answer by a rubric."""
    project.write(TABLE, f"{HEADER}\njudge,{parser},0,9,rubric,{path}\n")
    project.write(FILE, json.dumps(SCHEMA, indent=1))


def said(number: int) -> dict[str, Any]:
    return {
        "reason": f"Text {number}, =said",
        "clarity": 1 + number % 5,
        "depth": (3 * number) % 10,
        "tags": ["a", "b"],
        "verdict": {"score": (7 * number) % 10},
    }


class Judge:
    """Answers texts to drafts and essays, and JSON to whom asks for it; counts what it sent."""

    def __init__(self, *, tool: bool = False, spoil: str = "") -> None:
        self.tool = tool
        self.spoil = spoil
        self.sent: list[dict[str, Any]] = []

    def __call__(self, body: dict[str, Any]) -> Reply:
        prompt = body["messages"][-1]["content"]
        if "Judge" not in prompt:
            return Reply(body=completion(f"A text on {len(prompt)} characters."))
        self.sent.append(said(len(self.sent)))
        text = json.dumps(self.sent[-1]) + self.spoil
        if not self.tool:
            return Reply(body=completion(text))
        call = {"id": "1", "type": "function", "function": {"name": "rubric", "arguments": text}}
        message = {"role": "assistant", "content": "I will.", "tool_calls": [call]}
        choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
        return Reply(body=completion("", choices=[choice]))


def essays(project: Project) -> None:
    project.spec["axes"].update(essay_template=["grow"], draft_replicate=[1, 2, 3])


MODES: dict[str, Any] = {
    "response_format": {
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "rubric", "schema": SCHEMA, "strict": True},
        }
    },
    "json_object": {"response_format": {"type": "json_object"}},
    "tool": {
        "tools": [{"type": "function", "function": {"name": "rubric", "parameters": SCHEMA}}],
        "tool_choice": {"type": "function", "function": {"name": "rubric"}},
    },
    "none": {},
}


@pytest.mark.parametrize("mode", MODES)
def test_the_schema_is_sent_as_the_provider_takes_it(project: Project, mode: str) -> None:
    """To judges alone; whatever way it is, the scores and columns are what was answered."""
    judge = Judge(tool=mode == "tool")
    with ProviderServer(answer=judge) as server:
        essays(project)
        rubric(project)
        project.serve(server.url, structured=mode)
        project.edit("data/1_raw/templates/evaluation/judge.txt", "SCORE?", "As: {{ schema }}")
        project.snakemake()
        for call in server.history:
            asked = {
                name: value
                for name, value in call.body.items()
                if name in ("response_format", "tools", "tool_choice")
            }
            judging = "Judge" in call.body["messages"][-1]["content"]
            assert asked == (MODES[mode] if judging else {})
            assert (json.dumps(SCHEMA, indent=1) in call.body["messages"][-1]["content"]) is judging
        rows = project.scores()
        found = sorted(
            (float(row["score"]), row["answer.reason"], row["answer.clarity"], row["answer.tags"])
            for row in rows
        )
        assert found == sorted(
            (each["verdict"]["score"], each["reason"], str(each["clarity"]), '["a", "b"]')
            for each in judge.sent
        )
        assert "answer.verdict.score" not in rows[0], "it is the score"
        calls = len(server.history)
        project.snakemake()
        assert len(server.history) == calls


def test_criteria_have_tables_of_their_own(project: Project) -> None:
    """Each on its own scale, equal to a count by hand; the report shows them."""
    judge = Judge()
    with ProviderServer(answer=judge) as server:
        essays(project)
        rubric(project)
        project.config["views"] = {"clear": {"where": {"answer.clarity": ">=4"}}}
        project.serve(server.url)
        project.snakemake("tables")
    folder = project.path("data/cohorts/c1/reports/criteria")
    with (folder / "final_results.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["level"] == "" or row["dimension"] == ""]
    by_criterion = {row["criterion"]: row for row in rows}
    for name, scale in {"clarity": ("1", "5"), "depth": ("0", "9")}.items():
        row = by_criterion[name]
        values = [each[name] for each in judge.sent]
        assert float(row["mean"]) == pytest.approx(statistics.mean(values), rel=1e-5)
        assert (row["score_min"], row["score_max"]) == scale
    assert set(by_criterion) == {"clarity", "depth"}, "tags and reason are no numbers"
    with (folder / "correlations.csv").open(newline="") as file:
        pairs = {(row["criterion"], row["other_criterion"]): row for row in csv.DictReader(file)}
    pearson = statistics.correlation(
        [each["verdict"]["score"] for each in judge.sent], [each["depth"] for each in judge.sent]
    )
    assert float(pairs["score", "depth"]["pearson"]) == pytest.approx(pearson, rel=1e-5)
    assert set(pairs) == {("score", "clarity"), ("score", "depth"), ("clarity", "depth")}
    with project.path("data/7_cross_experiment/views/clear/scores.csv").open(newline="") as file:
        clear = list(csv.DictReader(file))
    assert len(clear) == sum(each["clarity"] >= 4 for each in judge.sent)
    # Without the rubric, its tables are not those of this cohort any more.
    project.write(TABLE, f"{HEADER}\njudge,in_last_line,0,9,,\n")
    assert "'answer.clarity', which is not a column" in project.snakemake("tables", code=1)
    del project.config["views"]
    project.config["providers"]["echo"] = {"type": "function", "path": "echo.py"}
    project.save()
    project.snakemake("tables")
    assert not list(folder.glob("*.csv"))


def test_edits_of_the_schema_and_the_path(project: Project) -> None:
    """Another schema is another question; another path only reads the answers again."""
    judge = Judge()
    with ProviderServer(answer=judge) as server:
        essays(project)
        rubric(project)
        project.serve(server.url)
        project.snakemake()
        calls, judged = len(server.history), len(judge.sent)
        project.edit(TABLE, "verdict.score", "depth")
        project.snakemake()
        assert len(server.history) == calls
        depths = sorted(float(each["depth"]) for each in judge.sent)
        assert sorted(float(row["score"]) for row in project.scores()) == depths
        assert "answer.verdict.score" in project.scores()[0]
        project.edit(FILE, '"reason"', '"why"')
        output = project.snakemake(code=1)
        assert len(server.history) == calls + judged
        assert "not as its schema says: 'why' is a required property" in output
        assert "Traceback" not in output


def test_an_invalid_answer_is_asked_for_again(project: Project) -> None:
    """With `resample`, as for any answer that the parser rejects."""
    with ProviderServer(answer=Judge()) as server:
        essays(project)
        rubric(project)
        project.config["stages"]["evaluation"]["resample"] = 1
        project.serve(server.url)
        project.snakemake("essays")
        server.script(Reply(body=completion('{"clarity": 9}')))
        before = len(server.history)
        project.snakemake()
        assert len(server.history) == before + 7
        assert all(row["score"] for row in project.scores())


@pytest.mark.parametrize(
    ("parser", "code", "marks"), [("json_lenient", 0, {"yes"}), ("json", 1, set())]
)
def test_repairs_are_marked(project: Project, parser: str, code: int, marks: set[str]) -> None:
    """Only where the catalog allows them."""
    with ProviderServer(answer=Judge(spoil="\nHope this helps!")) as server:
        essays(project)
        rubric(project, parser=parser)
        project.serve(server.url)
        output = project.snakemake(code=code)
        assert ("is not JSON" in output) is bool(code)
    if not code:
        assert {row["repaired"] for row in project.scores()} == marks


def _schema(**changes: object) -> str:
    return json.dumps({**SCHEMA, **changes})


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({TABLE: f"{HEADER}\njudge,json,0,9,rubrik,\n"}, "no data/1_raw/schemas/rubrik.json"),
        ({TABLE: f"{HEADER}\njudge,json,0,9,../x,\n"}, "which cannot name a file"),
        ({FILE: "{\n'a'"}, f"{FILE}, line 2: is not JSON"),
        ({FILE: ""}, f"{FILE}, line 2: is not JSON"),
        ({FILE: "[]"}, "is the schema of no object"),
        (
            {FILE: '{"type": "object",\n"type": "object"}'},
            "line 2: found 'type' again, after line 1",
        ),
        ({FILE: _schema(type="array")}, "is the schema of the type 'array'"),
        ({FILE: _schema(required="reason")}, "is not a JSON Schema (required:"),
        ({FILE: _schema(properties={"a": {"$ref": "b.json"}})}, "refers to 'b.json'"),
        ({FILE: _schema(properties={"a": {"$ref": "#/$defs/b"}})}, "refers to '#/$defs/b'"),
        ({TABLE: f"{HEADER}\njudge,json,0,9,rubric,verdict.scor\n"}, "has no 'verdict.scor'"),
        ({TABLE: f"{HEADER}\njudge,json,0,9,rubric,reason.a\n"}, "has no 'reason.a'"),
        ({TABLE: f"{HEADER}\njudge,json,0,9,rubric,verdict\n"}, "'verdict' is object"),
        ({TABLE: f"{HEADER}\njudge,json,0,9,rubric,reason\n"}, "'reason' is string"),
        (
            {
                FILE: json.dumps(SCHEMA).replace(
                    '"minimum": 0, "maximum": 9}}', '"minimum": 9, "maximum": 0}}'
                )
            },
            "the minimum 9 and the maximum 0",
        ),
        ({TABLE: f"{HEADER}\njudge,json,0,9,rubric,a..b\n"}, "found 'a..b', which is not a path"),
        ({TABLE: f"{HEADER}\njudge,json,0,5,rubric,depth\n"}, "allows the score 9, the scale is 0"),
        ({TABLE: f"{HEADER}\njudge,in_last_line,0,9,rubric,depth\n"}, "takes no path"),
        (
            {"data/1_raw/essay_templates.csv": "template_id,generator,schema\ngrow,copy,rubric\n"},
            "found 'rubric' for a copy, which asks no model",
        ),
    ],
)
def test_mistakes_are_told_before_the_first_call(
    project: Project, files: dict[str, str], told: str
) -> None:
    """In one line each, with the place; also by -n."""
    essays(project)
    rubric(project)
    project.save()
    for name, text in files.items():
        project.write(name, text)
    for arguments in (("-n",), ()):
        output = project.snakemake(*arguments, code=1)
        lines = [line for line in output.splitlines() if told in line]
        assert len(lines) == 1, output
        assert "; " in lines[0]
        assert "Traceback" not in output
    assert project.calls() == 0
    assert not project.path("data/gens").exists()


def test_the_bundled_model_answers_by_the_schema_alone(project: Project) -> None:
    """Every answer is valid, by a validator of the test's own: its grammar leaves nothing else."""
    project.config["providers"]["local"] = {"type": "local"}
    for stage in ("draft", "essay"):
        project.config["stages"][stage]["sampling"] = {"max_tokens": 20}
    project.config["stages"]["evaluation"]["sampling"] = {"max_tokens": 300}
    project.spec["axes"].update(
        essay_template=["same"], evaluation_llm=["small"], draft_replicate=[1, 2]
    )
    with project.path("data/1_raw/llm_models.csv").open("a") as file:
        file.write("small,smol,local,Small,general\n")
    rubric(project)
    bounded = json.loads(project.read(FILE))
    bounded["properties"]["reason"]["maxLength"] = 60
    # Grammars of llama.cpp keep the bounds of integers alone.
    bounded["properties"]["verdict"]["properties"]["score"]["type"] = "integer"
    bounded["properties"]["tags"] |= {"maxItems": 2, "items": {"enum": ["dry", "warm"]}}
    project.write(FILE, json.dumps(bounded))
    project.save()
    project.snakemake()
    validator = Draft202012Validator(bounded)
    answers = [path.read_text() for path in project.dir.glob("data/gens/evaluation/*/raw.txt")]
    assert len(answers) == 4
    assert all(validator.is_valid(json.loads(answer)) for answer in answers)
    assert all(0 <= float(row["score"]) <= 9 for row in project.scores())
