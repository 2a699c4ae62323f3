"""What a run says at its end: the numbers, the causes of failures, and the command lines."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from daydream.calls.spent import Spent
from daydream.experiment.provenance import Account, State
from daydream.generations.row import Generation
from daydream.reports.report import EXPLORER, SCORES, Report
from daydream.workflow.commandline import Commands, commands
from daydream.workflow.failures import Failure
from daydream.workflow.summary import cause, reports, run_summary, standings
from support.project import Project
from support.workflow import reading

CURRENT, MISSING = State("current"), State("missing")
COMPLETE = Account(CURRENT, CURRENT, CURRENT)
TO_DO = Account(MISSING, MISSING, MISSING)
NOTHING = Spent()
AGAIN = Commands(again="snakemake --cores 4", partial="snakemake scores --config partial=true")


def generation(stage: str, gen_id: str, parent: str = "") -> Generation:
    return Generation(stage, gen_id, "c1", parent, "pair", "t", "m1", "1", (), "")


def chain(count: int) -> dict[str, Generation]:
    """Return so many drafts, each with an essay and an evaluation."""
    found = {}
    for stage, prefix, before in (
        ("draft", "d", ""),
        ("essay", "e", "d"),
        ("evaluation", "v", "e"),
    ):
        for number in range(count):
            parent = f"{before}_{number}" if before else ""
            found[f"{prefix}_{number}"] = generation(stage, f"{prefix}_{number}", parent)
    return found


def failed(line: str) -> Account:
    return Account(CURRENT, State("failed", (line,)), State("blocked"))


def accounts(rows: Mapping[str, Generation], **others: Account) -> dict[str, Account]:
    return {gen_id: others.get(gen_id, COMPLETE) for gen_id in rows}


def test_a_run_without_a_failure_is_a_table_and_where_its_results_are() -> None:
    """No cause, and no command line: nothing is left to do."""
    rows = chain(2)
    spent = Spent(calls=6, tokens=1500, usd=0.25)
    text = run_summary(
        rows, accounts(rows), spent=spent, results=["a.csv", "b.csv"], commands=AGAIN
    )
    assert text == (
        "            complete  failed  waiting\n"
        "draft              2       0        0\n"
        "essay              2       0        0\n"
        "evaluation         2       0        0\n"
        "all                6       0        0\n"
        "\n"
        "This run: 6 calls, 1,500 tokens, 0.2500 USD (data/ledger.jsonl)\n"
        "Results: a.csv\n"
        "         b.csv"
    )


def test_a_failed_generation_is_never_complete() -> None:
    """Nor is anything that descends from it, even if its files and its account say so."""
    rows = chain(3)
    failures = [Failure("[call] no; wait", "draft d_0", "d_0")]
    found = standings(rows, accounts(rows), failures)
    assert [found[name] for name in ("d_0", "e_0", "v_0")] == ["failed", "waiting", "waiting"]
    text = run_summary(rows, accounts(rows), failures=failures, spent=NOTHING)
    assert "all                6       1        2" in text
    earlier = accounts(rows, e_1=failed("[parse] essay e_1: no <essay>; ask for it"))
    found = standings(rows, earlier)
    assert [found[name] for name in ("d_1", "e_1", "v_1")] == ["complete", "failed", "waiting"]


def test_after_a_failure_both_command_lines_are_told() -> None:
    """Commands for the scores of what exists, and for the same run again."""
    rows = chain(2)
    text = run_summary(
        rows,
        accounts(rows, d_1=failed("[call] draft d_1: no; wait")),
        spent=NOTHING,
        commands=AGAIN,
    )
    assert text.endswith(
        "Scores of what there is:\n"
        "  snakemake scores --config partial=true\n"
        "To go on; what was paid for is kept:\n"
        "  snakemake --cores 4"
    )
    made = run_summary(
        rows,
        accounts(rows, d_1=failed("[call] draft d_1: no; wait")),
        spent=NOTHING,
        results=["scores.csv (partial)"],
        commands=AGAIN,
    )
    assert "Scores of what there is" not in made, "they are there"
    nothing = run_summary(
        rows, dict.fromkeys(rows, TO_DO), spent=NOTHING, stopped="SIGINT came", commands=AGAIN
    )
    assert "Scores of what there is" not in nothing
    assert "Stopped: SIGINT came" in nothing
    stopped = "the budget of this run, 5 USD, allows no further call"
    text = run_summary(rows, accounts(rows), spent=NOTHING, stopped=stopped, commands=AGAIN)
    assert "To go on (raise or remove `budget` first); what was paid for is kept:" in text


def test_failures_are_grouped_by_their_cause() -> None:
    """The most frequent first, each with an example; a rest is counted."""
    rows = chain(40)
    kinds = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
    told = {
        f"d_{number}": failed(
            f"[parse] draft d_{number}: {kind} of {number} in 'x{number}'; fix it"
        )
        for number, kind in enumerate([*kinds, *["one"] * 12])
    }
    failures = [Failure("[call] no answer; wait (draft d_30)", "draft d_30", "d_30")]
    text = run_summary(rows, accounts(rows, **told), failures=failures, spent=NOTHING)
    lines = text.split("Failed, by cause:\n")[1].splitlines()
    assert lines[:4] == [
        "  13 × [parse] one of … in 'x0'; fix it",
        "       for example draft d_0",
        "   1 × [call] no answer; wait",
        "       draft d_30",
    ]
    assert len([line for line in lines if "×" in line]) == 8
    assert "  … and 3 more causes of 3 failures" in lines


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("score 12 is outside", "score 9.5 is outside", True),
        ("found 'a b' here", 'found "it\'s" here', True),
        ("of d_1ara23bsq1w8pnmk", "of e_0neatn6jcfuouxvu", True),
        ("status 429", "status 500", False),
        ("provider 'a' answered", "provider 'b' answered", False),
        ("model 'a' answered", "model 'b' answered", True),
        ("found no key", "found no text", False),
        ("echo.py:19: x", "echo.py:20: x", True),
        ("[call] answered 400 'too long'", "[call] answered 400 'no such field'", False),
        ("[call] answered 400 'of 7077'", "[call] answered 400 'of 8'", True),
        ("[call] model 'm' answered 400 'a'", "[call] model 'n' answered 400 'a'", True),
        ("[call] answered 400 'a'", "[call] answered 404 'a'", False),
        (
            "[call] 'id req_011CSHoEeqs5C35K2UUqR7Fy'",
            "[call] 'id req_9xCSHoEeqs5C35K2UUqR7Fy'",
            True,
        ),
        ("[parse] no score in 'a'", "[parse] no score in 'b'", True),
        ("[call] down (draft d_1)", "[call] down (essay e_1)", True),
    ],
)
def test_what_makes_two_lines_one_cause(one: str, other: str, same: bool) -> None:
    """Numbers, ids and quoted texts do not; an answer's status and what a provider says do."""

    def of(line: str) -> str:
        place = re.search(r"\((.+)\)$", line)
        return cause(Failure(line, place[1] if place else "draft d_0"))

    assert (of(one) == of(other)) is same


def test_the_reports_that_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of what there is now; no older snapshot, for which the summary says how to make one."""
    monkeypatch.chdir(tmp_path)
    root = Path("data/cohorts/c1/reports")
    for name in ("parsing/aggregated_scores.csv", "explorer/index.html"):
        (root / name).parent.mkdir(parents=True)
        (root / name).touch()

    def found(*current: Report, partial: Sequence[str] = ()) -> list[str]:
        return reports(
            ["c1", "c2"],
            is_of_today=lambda report, cohort: report in current and cohort == "c1",
            partial=partial,
        )

    scores, page = f"{root}/parsing/aggregated_scores.csv", f"{root}/explorer/index.html"
    assert found(SCORES, EXPLORER, partial=["c2"]) == [scores, page]
    assert found(SCORES, partial=["c1"]) == [f"{scores} (partial)"]
    assert found() == []


@pytest.mark.parametrize(
    ("line", "targets", "again", "partial"),
    [
        ("--cores 4", [], "--cores 4", "scores --cores 4 --config partial=true"),
        (
            "-c4 drafts essays",
            ["drafts", "essays"],
            "-c4 drafts essays",
            "scores -c4 --config partial=true",
        ),
        (
            "--configfile a.yaml --config 'where={x: [a, b]}' refresh=true --cores 2 -- drafts",
            ["drafts"],
            "--configfile a.yaml --config 'where={x: [a, b]}' --cores 2 -- drafts",
            "scores --configfile a.yaml --config partial=true 'where={x: [a, b]}' --cores 2",
        ),
        ("-c1 --config refresh=true", [], "-c1", "scores -c1 --config partial=true"),
        (
            "-c1 -C partial=true a=b",
            [],
            "-c1 -C a=b",
            "scores -c1 -C partial=true a=b",
        ),
    ],
)
def test_the_command_lines_are_those_of_the_run(
    line: str, targets: list[str], again: str, partial: str
) -> None:
    """With its settings, files and targets; what was asked again is not asked a third time."""
    import shlex

    found = commands(["/x/bin/snakemake", *shlex.split(line)], targets=targets)
    assert found == Commands(again=f"snakemake {again}", partial=f"snakemake {partial}")


def test_the_command_is_called_as_it_was() -> None:
    """By uv, if that was the parent, with its groups; or as a module."""
    uv = "\0".join(["/usr/bin/uv", "run", "--group", "cluster", "snakemake", "-c1", ""])
    assert commands(["/v/snakemake", "-c1"], targets=[], parent=uv).again == (
        "uv run --group cluster snakemake -c1"
    )
    module = commands(["/v/snakemake/__main__.py", "-c1"], targets=[], parent="bash\0")
    assert module.again == "python -m snakemake -c1"


def test_the_end_of_runs(project: Project) -> None:
    """They count generations, not files; a run that had nothing to do says nothing."""
    output = project.snakemake("--config", "where={combo_id: pair}")
    assert "all                5       0        0" in output
    assert "Results: data/cohorts/c1/reports/parsing/aggregated_scores.csv\n" in output
    assert "To go on" not in output
    output = project.snakemake("--config", "where={combo_id: pair}")
    assert "complete" not in output
    # What has failed is not complete, though the files of an earlier answer are there.
    project.write("echo.py", "def complete(body):\n    raise RuntimeError(body['x'])\n")
    project.config["stages"]["draft"]["sampling"] = {"temperature": 0.1}
    project.save()
    output = project.snakemake(code=1)
    assert "all                0       2        8" in output
    assert "2 × [call] echo.py:2: KeyError" in output
    assert "for example draft d_" in output
    assert "aggregated_scores.csv (partial)" in output
    assert "\n  snakemake --cores 4 -- scores drafts essays evaluations\n" in output
    project.snakemake("scores", "--config", "partial=true", code=None)


def test_commands_that_make_nothing_have_no_summary(project: Project) -> None:
    """Nor has the membership alone."""
    project.snakemake("membership")
    assert "complete" not in project.snakemake("plan").replace("complete jobs", "")


def test_a_run_of_one_file_speaks_of_its_lineage(project: Project) -> None:
    """Not of generations that it was not to make, nor of their failures."""
    project.snakemake("membership")
    (judged, *_) = (row for row in project.membership() if row["stage"] == "evaluation")
    target = f"data/gens/evaluation/{judged['gen_id']}/parsed.txt"
    output = project.snakemake(target)
    assert "draft              1       0        0" in output
    assert "all                3       0        0" in output


def test_outdated_results_are_not_shown(project: Project) -> None:
    """Where a level was added since, and only texts were asked for."""
    project.snakemake()
    spec = project.read("data/cohorts/c1/spec/config.yaml")
    project.write(
        "data/cohorts/c1/spec/config.yaml",
        spec.replace("  evaluation_llm:", "  evaluation_replicate: [1, 2]\n  evaluation_llm:"),
    )
    output = project.snakemake("evaluations")
    assert "all               14       0        0" in output
    assert "Results" not in output
    assert "aggregated_scores.csv\n" in project.snakemake()


def test_a_refused_answer_is_refused_again(project: Project) -> None:
    """To go on, something has to change first; the journal's other answers can be listed."""
    project.config["stages"]["evaluation"]["resample"] = 1
    project.write(
        "echo.py",
        "def complete(body):\n"
        "    text = 'Yes.\\nSCORE: 5' if body.get('seed') else 'none'\n"
        "    return {'choices': [{'message': {'content': text}, 'finish_reason': 'stop'}]}\n",
    )
    project.save()
    output = project.snakemake(code=1)
    assert "To go on" not in output
    assert "What was refused is refused again until what the lines above name has changed" in output
    assert "other answer" not in output, "both were tried"
    del project.config["stages"]["evaluation"]["resample"]
    project.save()
    output = project.snakemake(code=1)
    (judged, *_) = (row for row in project.membership() if row["stage"] == "evaluation")
    assert "  4 × [parse] no score in" in output, "one cause, whoever has other answers"
    assert "4 of them have other answers, which `snakemake -c1 restore --config gen_id=…`" in output
    command = f"restore --config gen_id={judged['gen_id']}"
    assert "its journal has another answer, which `snakemake -c1 restore --config gen_id=" in output
    output = project.snakemake(*command.split())
    (first, second) = (line for line in output.splitlines() if "echo-1" in line)
    assert first.split()[1] == "counts"
    assert [line.split()[-1] for line in (first, second)] == ["none", "none"]


def test_an_answer_to_another_prompt_is_not_recommended(project: Project) -> None:
    """It could not be restored."""
    project.write("echo.py", "def complete(body):\n    return 'none'\n")
    project.snakemake(code=1)
    project.edit("data/1_raw/templates/evaluation/judge.txt", "Judge:", "Judge this:")
    output = project.snakemake(code=1)
    assert len(list(project.path("data/gens/evaluation").glob("*/responses/*.json"))) == 8
    assert "[parse] evaluation v_" in output
    assert "restore --config" not in output


def test_an_input_that_is_edited_during_a_run_is_named(project: Project) -> None:
    """What was read at the start counts; the next run follows the edit."""
    project.write(
        "echo.py",
        project.read("echo.py") + "\n\ndef complete(body, echo=complete):\n"
        "    if 'Grow this' in body['messages'][-1]['content']:\n"
        "        path = Path('data/1_raw/templates/essay/grow.txt')\n"
        "        edited = Path(f'edited-{hashlib.sha256(repr(body).encode()).hexdigest()}')\n"
        "        edited.write_text(path.read_text().replace('Grow this', 'Let it grow'))\n"
        "        edited.replace(path)\n"
        "    return echo(body)\n",
    )
    output = project.snakemake("scores", "evaluations")
    assert (
        "Changed since this run read it: data/1_raw/templates/essay/grow.txt; the next run uses it "
        "as changed\n" in output
    )
    output = project.snakemake("scores", "evaluations")
    assert "Changed since" not in output
    assert reading.completed(output) == (10, 10)
    assert reading.NOTHING in project.snakemake("scores", "evaluations")


def test_one_cause_is_not_told_with_the_numbers_of_one() -> None:
    """What is the same in all lines is shown, and a quoted text as an example."""
    others = "; its journal has {}, which `snakemake -c1 restore --config gen_id=d_{}` lists"
    lines = [
        "[parse] draft d_0: 'a' has 2 lines of 9; fix it",
        "[parse] draft d_1: 'b' has 3 lines of 9; fix it" + others.format("another answer", 1),
        "[parse] draft d_2: 'c' has 2 lines of 9; fix it" + others.format("3 other answers", 2),
    ]
    rows = chain(3)
    known = accounts(rows, **{f"d_{place}": failed(line) for place, line in enumerate(lines)})
    text = run_summary(rows, known, spent=NOTHING)
    assert (
        "  3 × [parse] 'a' has … lines of 9; fix it; 2 of them have other answers, which "
        "`snakemake -c1 restore --config gen_id=…` lists\n" in text
    )


def test_failures_name_their_models() -> None:
    """Where there are several: one cause may be one model's."""
    rows = {
        name: generation("draft", name)._replace(llm_model_id=model)
        for name, model in (("d_0", "big"), ("d_1", "small"), ("d_2", "small"))
    }
    known = {name: failed(f"[parse] draft {name}: no score; fix it") for name in rows}
    text = run_summary(rows, known, spent=NOTHING)
    assert "for example draft d_0; small 2 ×, big 1 ×" in text


def test_a_misspelt_target_is_told_what_was_meant(project: Project) -> None:
    """In one line, without Snakemake's guess at input functions."""
    output = project.snakemake("scors", code=1)
    assert "[target] found 'scors', which nothing here makes; did you mean 'scores'?" in output
    assert "MissingRuleException" not in output


@pytest.mark.parametrize(
    ("target", "remedy"),
    [
        ("data/gens/essay/{essay}", "of a generation, these are made: data/gens/<stage>/<gen_id>/"),
        ("data/gens/essay/{essay}/", "with prompt.txt, raw.txt, metadata.json, parsed.txt"),
        ("data/gens/essay/{essay}/journal.txt", "of a generation, these are made"),
        ("data/gens/esay/{essay}/parsed.txt", "of a generation, these are made"),
        (
            "data/cohorts/c1/reports/sumary/leaderbord.csv",
            "did you mean 'data/cohorts/c1/reports/summary/leaderboard.csv'",
        ),
        ("nowhere/at all", "known: 'data/"),
    ],
)
def test_a_file_that_nothing_makes_is_one_line(project: Project, target: str, remedy: str) -> None:
    """Of a generation, or of anything else."""
    project.snakemake("membership")
    (essay, *_) = (row["gen_id"] for row in project.membership() if row["stage"] == "essay")
    target = target.format(essay=essay)
    project.path(f"data/gens/essay/{essay}").mkdir(parents=True)
    output = project.run("--cores", "1", target, code=1)
    (line,) = (line for line in output.splitlines() if line.startswith("[target]"))
    assert f"found {target.rstrip('/')!r}, which nothing here makes; " in line
    assert remedy in line
    assert "MissingRuleException" not in output
