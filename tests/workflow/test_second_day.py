"""The second day: what was finished is edited, fails, is looked at, and is run again.

Each test is one promise, seen from the command line. `test_any_edit` looks for what they miss.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from support.project import Project
from support.workflow import reading

PENDING = ("--config", "expand=pending")
GROW = "data/1_raw/templates/essay/grow.txt"
JUDGE = "data/1_raw/templates/evaluation/judge.txt"
TIDE = "data/1_raw/concepts/descriptions-sentence/tide.txt"
TABLE = "data/cohorts/c1/reports/parsing/aggregated_scores.csv"
CHOICES = "data/choices.json"
# The provider is down for prompts that hold what the file `down` says.
DOWN = """

def complete(body, echo=complete):
    down = Path("down")
    if down.exists() and down.read_text() in body["messages"][-1]["content"]:
        raise RuntimeError("the provider is down")
    return echo(body)
"""
PARSERS = """
from daydream.parsers import parser


@parser
def loud(answer):
    return answer.upper()
"""


@pytest.fixture
def finished(project: Project) -> Project:
    """Return the project with all generations and scores made."""
    project.write("echo.py", project.read("echo.py") + DOWN)
    project.snakemake()
    return project


def fresh(project: Project) -> Project:
    """Return a project with the same inputs, in a directory of its own, that was run once."""
    other = Project(project.dir / "fresh")
    for name in ("config/config.yaml", "echo.py", "data/cohorts/c1/spec/config.yaml"):
        other.write(name, project.read(name))
    for path in project.path("data/1_raw").rglob("*.*"):
        other.write(str(path.relative_to(project.dir)), path.read_bytes())
    other.snakemake()
    return other


def numbers(project: Project) -> dict[str, str]:
    """Return the scores of the table by gen_id; none if there is no table."""
    path = project.path(TABLE)
    return reading.scores(path) if path.exists() else {}


def ids(project: Project, stage: str, template: str = "") -> list[str]:
    """Return the ids of the generations of a stage, in membership order."""
    rows = [row for row in project.membership() if row["stage"] == stage]
    return [row["gen_id"] for row in rows if template in ("", row["template_id"])]


def jobs(project: Project, *arguments: str) -> set[reading.Job]:
    """Return the jobs of generations that a dry run names."""
    return reading.of_generations(reading.listed(project.snakemake("-n", *arguments)))


def content(project: Project) -> dict[str, bytes]:
    """Return all files under data/."""
    files = [path for path in project.path("data").rglob("*") if path.is_file()]
    return {str(path.relative_to(project.dir)): path.read_bytes() for path in files}


# 1, 2: the design grows and shrinks.


def test_a_spec_that_grows_has_all_its_rows_after_one_run(finished: Project) -> None:
    """The rows that were there, and those of the new replicate."""
    finished.spec["axes"]["evaluation_replicate"] = [1, 2]
    finished.save()
    finished.snakemake("scores")
    assert len(ids(finished, "evaluation")) == 8
    assert set(numbers(finished)) == set(ids(finished, "evaluation"))
    assert all(numbers(finished).values())


def test_a_spec_that_shrinks_loses_its_old_rows_in_one_run(project: Project) -> None:
    """The table is that of the smaller design."""
    project.spec["axes"]["evaluation_replicate"] = [1, 2]
    project.save()
    project.snakemake("scores")
    project.spec["axes"]["evaluation_replicate"] = [1]
    project.save()
    project.snakemake("scores")
    assert len(numbers(project)) == 4
    assert set(numbers(project)) == set(ids(project, "evaluation"))


@pytest.mark.parametrize("dry", [True, False])
def test_a_second_cohort_is_made_beside_a_finished_one(finished: Project, dry: bool) -> None:
    """Though the membership of the one is there, and that of the other is not."""
    spec = finished.read("data/cohorts/c1/spec/config.yaml")
    finished.write("data/cohorts/mine/spec/config.yaml", spec.replace("- grow", "- grow", 1))
    both = ("--config", "cohorts=[c1, mine]")
    output = finished.snakemake("scores", *both, *(["-n"] if dry else []))
    assert "Traceback" not in output
    if not dry:
        table = TABLE.replace("c1", "mine")
        assert len(reading.scores(finished.path(table))) == 4


# 3, 4: what is edited cannot be made.


@pytest.fixture
def failed(finished: Project) -> Project:
    """Return the project after the essay template was edited, the provider down, and a run."""
    finished.edit(GROW, "Grow this", "Let this grow")
    finished.write("down", "Let this grow")
    finished.snakemake("scores", code=1)
    return finished


@pytest.mark.parametrize("target", ["scores", "evaluations", "essays", "explorer", "file"])
def test_what_failed_is_tried_again_by_any_target(failed: Project, target: str) -> None:
    """The old files must not stand for the new ones."""
    essay = ids(failed, "essay", "grow")[0]
    if target == "file":
        target = f"data/gens/essay/{essay}/parsed.txt"
    calls = failed.calls()
    output = failed.snakemake(target, code=1)
    assert reading.NOTHING not in output
    assert "the provider is down" in output
    assert failed.calls() == calls


def test_after_a_failure_the_table_shows_no_old_number(failed: Project) -> None:
    """What could not be made has a reason; what was not edited has its number."""
    rows = {row["gen_id"]: row for row in reading.table(failed.path(TABLE))}
    grown = set(ids(failed, "essay", "grow"))
    for row in rows.values():
        of_grown = row["parent_gen_id"] in grown
        assert bool(row["score"]) != of_grown, row
        assert bool(row["error"]) == of_grown, row
    assert len(rows) == 4


def test_with_the_provider_back_one_run_is_as_fresh(failed: Project) -> None:
    """Also after several runs that failed, with other targets."""
    failed.snakemake("essays", code=None)
    failed.path("down").unlink()
    failed.snakemake("scores")
    other = fresh(failed)
    assert failed.read(TABLE) == other.read(TABLE)
    assert failed.store() == other.store()


def test_a_partial_table_says_why_after_a_failure(failed: Project) -> None:
    """It takes what is of today, and no more."""
    failed.snakemake("scores", "--config", "partial=true")
    rows = reading.table(failed.path(TABLE))
    assert [bool(row["score"]) for row in rows].count(True) == 2
    assert all(bool(row["score"]) != bool(row["error"]) for row in rows)


def test_pending_plans_what_failed(failed: Project) -> None:
    """All three jobs of the essays and of what descends from them are not all done."""
    planned = jobs(failed, "evaluations", *PENDING)
    grown = {f"gen_id={gen_id}" for gen_id in ids(failed, "essay", "grow")}
    asked = {job.wildcards[1] for job in planned if job.rule == "generate_raw"}
    assert grown < asked
    assert len(asked) == 4


@pytest.mark.parametrize("word", ["SCORE", "raise it"])
def test_the_closing_summary_counts_no_old_file_as_complete(finished: Project, word: str) -> None:
    """Two essays are made again; their evaluations are not."""
    finished.write("down", word)
    finished.edit(GROW, "Grow this", "Let this grow")
    if word != "SCORE":
        finished.edit(JUDGE, "Judge:", "Judge, or raise it:")
    output = finished.snakemake("evaluations", code=1)
    told = reading.completed(output)
    assert told is not None
    assert told == ((8, 10) if word == "SCORE" else (6, 10))


# 12, 14, 15, 16: all that foretell a run say the same.


def forget_template(project: Project, gen_id: str) -> None:
    """Let the record of a prompt tell of another template."""
    change_record(project, f"data/gens/essay/{gen_id}/prompt.json", "template")


def forget_parser(project: Project, gen_id: str) -> None:
    """Let the record of a parsed text tell of another parser."""
    change_record(project, f"data/gens/essay/{gen_id}/parsed.json", "parser")


def forget_settings(project: Project, gen_id: str) -> None:
    """Let what is known of an answer tell of other settings."""
    name = f"data/gens/essay/{gen_id}/metadata.json"
    told = json.loads(project.read(name))
    if "inputs" in told:
        told["inputs"]["settings"] = "0" * 64
    project.write(name, json.dumps(told))


def change_record(project: Project, name: str, entry: str) -> None:
    """Change a digest of a record, wherever in it the entry stands; at least add a space."""
    path = project.path(name)
    told = json.loads(path.read_text()) if path.exists() else {}
    places = [told, *(value for value in told.values() if isinstance(value, dict))]
    for values in places:
        if entry in values:
            values[entry] = "0" * 64
    project.write(name, json.dumps(told))


def import_old(project: Project) -> None:
    """Import a store of another time: its prompts are not what templates say today."""
    rows: dict[str, dict[str, object]] = {
        "draft": {"gen_id": "old_d", "template_id": "plain", "combo_id": "pair"},
        "essay": {"gen_id": "old_e", "template_id": "grow", "parent_gen_id": "old_d"},
        "evaluation": {"gen_id": "old_v", "template_id": "judge", "parent_gen_id": "old_e"},
    }
    for stage, row in rows.items():
        directory = f"elsewhere/gens/{stage}/{row['gen_id']}"
        known = {"stage": stage, "llm_model_id": "m1", "replicate": 1, "mode": "llm", **row}
        project.write(f"{directory}/metadata.json", json.dumps(known))
        project.write(f"{directory}/prompt.txt", f"As we asked for the {stage} in those days\n")
        project.write(f"{directory}/raw.txt", f"The {stage}.\nSCORE: 7\n")
        parsed = "7.0\n" if stage == "evaluation" else f"The {stage}.\nSCORE: 7\n"
        project.write(f"{directory}/parsed.txt", parsed)
    project.snakemake("import_store", "--config", "source=elsewhere", "cohort=old")


def foretold(project: Project, *settings: str) -> dict[str, object]:
    """Return, for each evaluation, the jobs of its lineage as each of the three ways tells."""
    name = "old" if "cohorts=[old]" in settings else "c1"
    rows = {
        row["gen_id"]: row
        for row in reading.table(project.path(f"data/cohorts/{name}/membership.csv"))
    }
    config = ("--config", *settings)
    found: dict[str, object] = {}
    for gen_id, row in rows.items():
        if row["stage"] != "evaluation":
            continue
        target = f"data/gens/evaluation/{gen_id}/parsed.txt"
        plain = len(jobs(project, target, *config))
        explained = project.snakemake("explain", *config, f"gen_id={gen_id}")
        pending = jobs(project, "evaluations", *config, "expand=pending")
        lineage, parent = {gen_id}, row["parent_gen_id"]
        while parent:
            lineage.add(parent)
            parent = rows[parent]["parent_gen_id"]
        own = [job for job in pending if job.wildcards[1].removeprefix("gen_id=") in lineage]
        found[gen_id] = (plain, reading.explained(explained).jobs, len(own))
    return found


@pytest.mark.parametrize("edit", [forget_template, forget_parser, forget_settings])
def test_all_that_foretell_agree_on_edited_records(
    finished: Project, edit: Callable[[Project, str], None]
) -> None:
    """`-n`, `explain` and `expand=pending` name as many jobs for a lineage."""
    edit(finished, ids(finished, "essay", "grow")[0])
    for gen_id, told in foretold(finished).items():
        assert len(set(told)) == 1, (gen_id, told)


@pytest.mark.parametrize("edited", [False, True])
def test_all_that_foretell_agree_after_an_import(project: Project, edited: bool) -> None:
    """An imported text has no record of what it was made of; it is taken as it is."""
    import_old(project)
    settings = ("cohorts=[old]",)
    project.snakemake("evaluations", "--config", *settings)
    if edited:
        project.edit(GROW, "Grow this", "Let this grow")
    calls = project.calls()
    ((gen_id, told),) = foretold(project, *settings).items()
    assert len(set(told)) == 1, (gen_id, told)
    assert calls == project.calls() == 0
    project.snakemake("evaluations", "--config", *settings, "expand=pending")
    assert reading.NOTHING in project.snakemake("evaluations", "--config", *settings)


def edit_template(project: Project) -> None:
    project.edit(GROW, "Grow this", "Let this grow")


def edit_concept(project: Project) -> None:
    project.edit(TIDE, "Tide as", "A tide as")


def rename_concept(project: Project) -> None:
    project.edit("data/1_raw/concepts_metadata.csv", "fog,Fog", "fog,Mist")


def edit_parser(project: Project) -> None:
    project.edit("data/1_raw/evaluation_templates.csv", "llm,0,9", "llm,0,10")


@pytest.mark.parametrize("edit", [edit_template, edit_concept, rename_concept, edit_parser])
def test_a_dry_run_after_an_edit_lists_the_jobs_of_the_run(
    finished: Project, edit: Callable[[Project], None]
) -> None:
    """Each job of a generation, and no other; though the membership is to be made again."""
    edit(finished)
    before = content(finished)
    listed = jobs(finished, "evaluations")
    assert content(finished) == before
    finished.snakemake("evaluations", "--printshellcmds")  # or nothing logs each job
    done = reading.of_generations(reading.done(finished.dir))
    assert done
    assert listed == done


def hand_prompt(project: Project) -> None:
    edit_file(project, "draft", 0, "prompt.txt")


def hand_raw(project: Project) -> None:
    edit_file(project, "draft", 0, "raw.txt")


def hand_parsed(project: Project) -> None:
    edit_file(project, "essay", 0, "parsed.txt")


def hand_last_prompt(project: Project) -> None:
    edit_file(project, "evaluation", 1, "prompt.txt")


def lose_and_parse(project: Project) -> None:
    """Keep the answers of the drafts in raw.txt alone, and parse them otherwise."""
    for path in project.path("data/gens/draft").glob("*/responses/*.json"):
        path.unlink()
    project.write("mine.py", PARSERS)
    project.config["parsers"] = ["mine.py"]
    project.save()
    project.edit("data/1_raw/draft_templates.csv", "identity", "loud")


def edit_file(project: Project, stage: str, place: int, name: str) -> None:
    path = project.path(f"data/gens/{stage}/{ids(project, stage)[place]}/{name}")
    path.write_text(f"{path.read_text()}\nby hand\n")


@pytest.mark.parametrize(
    "edit", [hand_prompt, hand_raw, hand_parsed, hand_last_prompt, lose_and_parse]
)
def test_the_plan_tells_the_calls_after_an_edit_by_hand(
    finished: Project, edit: Callable[[Project], None]
) -> None:
    """As many as the run then makes, of which those in doubt wait for a parent's answer."""
    edit(finished)
    finished.snakemake("plan")
    planned = reading.planned(finished.dir)
    calls = finished.calls()
    finished.snakemake()
    assert finished.calls() > calls
    assert planned.allow(finished.calls() - calls), (planned, finished.calls() - calls)


@pytest.mark.parametrize("first", ["all", "pending"])
def test_runs_of_both_kinds_leave_nothing_to_each_other(finished: Project, first: str) -> None:
    """Whichever comes first; a third and a fourth have nothing to do either."""
    edit_template(finished)
    ways = [("scores",), ("scores", *PENDING)]
    one, other = ways if first == "all" else ways[::-1]
    finished.snakemake(*one)
    for arguments in (other, one, other):
        assert reading.NOTHING in finished.snakemake(*arguments), arguments


# 13: files of the membership are deleted.


@pytest.mark.parametrize("target", ["membership", "all"])
def test_a_deleted_manifest_is_made_again(finished: Project, target: str) -> None:
    """Though the membership that is made with it is there."""
    manifest = finished.path("data/cohorts/c1/manifest.json")
    before = manifest.read_bytes()
    manifest.unlink()
    finished.snakemake(target)
    assert manifest.read_bytes() == before


def test_all_is_made_again_without_manifest_and_store(finished: Project) -> None:
    """Nothing but the membership and a score table was left."""
    import shutil

    store = finished.store()
    finished.path("data/cohorts/c1/manifest.json").unlink()
    shutil.rmtree(finished.path("data/gens"))
    finished.snakemake("evaluations", "scores")
    assert finished.path("data/cohorts/c1/manifest.json").exists()
    assert finished.store() == store


# 17: to look is not to ask again.

LOOKS = {
    "plan": ["plan"],
    "explain": ["explain"],
    "top": ["top"],
    "summary": ["scores", "--summary"],
    "dag": ["scores", "--dag"],
    "touch": ["scores", "--touch"],
    "dry run": ["scores", "-n"],
    "membership": ["membership"],
}


@pytest.mark.parametrize("name", LOOKS)
def test_who_looks_with_refresh_chooses_no_answer(finished: Project, name: str) -> None:
    """`refresh=true` is written down by a run that asks, and by no other."""
    settings = ["--config", "refresh=true"]
    if name == "explain":
        settings.append(f"gen_id={ids(finished, 'draft')[0]}")
    calls = finished.calls()
    finished.snakemake(*LOOKS[name], *settings)
    assert not finished.path(CHOICES).exists()
    assert finished.calls() == calls


def test_a_refresh_marks_what_its_target_makes(finished: Project) -> None:
    """`drafts` asks for drafts again: not for essays, some other day."""
    calls = finished.calls()
    finished.snakemake("drafts", "--config", "refresh=true")
    assert finished.calls() == calls + 2
    assert set(json.loads(finished.read(CHOICES))) == set(ids(finished, "draft"))


# 6, 8, 9: what is refused is refused at once, and once.


@pytest.mark.parametrize("target", ["membership", "scores"])
def test_a_dry_run_refuses_a_broken_spec(project: Project, target: str) -> None:
    """It reads the spec, as the run would."""
    project.spec["axes"]["draft_llm"] = ["m9"]
    project.save()
    before = content(project)
    output = project.snakemake("-n", target, code=1)
    assert any("'m9'" in line for line in reading.refusals(output)), output
    assert "Traceback" not in output
    assert content(project) == before


@pytest.mark.parametrize("target", ["membership", "scores"])
def test_a_dry_run_shows_what_a_good_spec_makes(project: Project, target: str) -> None:
    """How many generations of each stage; nothing is written."""
    before = content(project)
    output = project.snakemake("-n", target)
    assert reading.stage_counts(output) == {"draft": 2, "essay": 4, "evaluation": 4}
    assert content(project) == before


def settings_of_a_stranger(project: Project) -> None:
    project.config["models"] = {"m9": {"sampling": {"temperature": 0.5}}}
    project.save()


def pool_of_nobody(project: Project) -> None:
    project.config["pools"] = {"ecco": {"concurrent": 2}}
    project.save()


def no_key(project: Project) -> None:
    project.serve("http://127.0.0.1:9/v1", api_key_env="KEY_OF_NOBODY")


def no_provider_file(project: Project) -> None:
    project.path("echo.py").unlink()


def broken_provider(project: Project) -> None:
    project.write("echo.py", "def complete(body:\n")


def no_function(project: Project) -> None:
    project.write("echo.py", "def answer(body): return 'Yes'\n")


def empty_template(project: Project) -> None:
    project.write(GROW, " \n")


def view_of_nothing(project: Project) -> None:
    project.config["views"] = {"some": {"where": {"essay_tmplate": "grow"}}}
    project.save()


REFUSED: dict[str, tuple[Callable[[Project], None], str]] = {
    "settings of an unknown model": (settings_of_a_stranger, "m9"),
    "limits of an unknown pool": (pool_of_nobody, "ecco"),
    "a key that is not set": (no_key, "KEY_OF_NOBODY"),
    "no file of the provider": (no_provider_file, "echo.py"),
    "a provider's file that is no Python": (broken_provider, "echo.py"),
    "a provider's file without the function": (no_function, "complete"),
    "an empty template": (empty_template, "grow.txt"),
    "a view on an unknown column": (view_of_nothing, "essay_tmplate"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_work_is_refused_before_the_first_job(project: Project, name: str) -> None:
    """In one line, without a call, and with nothing written."""
    change, word = REFUSED[name]
    change(project)
    before = content(project)
    output = project.snakemake(code=1)
    assert "Traceback" not in output
    lines = [line for line in reading.REFUSAL.findall(output) if word in line]
    assert len(lines) == 1, output
    assert "Job stats" not in output
    assert content(project) == before
    assert project.calls() == 0
    assert not Path(f"{project.dir}/data/gens").exists()
