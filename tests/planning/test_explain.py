"""`explain`: a generation's lineage, which of its inputs changed, and what a run then does."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from daydream.errors import InputError, UnknownGenerationError
from daydream.experiment.provenance import Change
from daydream.files import text_sha256
from daydream.planning.explain import Step, explain, steps
from daydream.store.layout import generation_file
from support.experiment import compiled, evaluation, experiment, make
from support.project import Project

RULES = ("render_prompt", "generate_raw", "parse_response")
GROW = "data/1_raw/templates/essay/grow.txt"


@pytest.fixture
def made(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Return the project with every generation made; it is the working directory."""
    monkeypatch.chdir(project.dir)
    make(compiled(project))
    return project


def lineage(project: Project, template: str = "grow", combo: str = "pair") -> list[Step]:
    return steps(experiment(project), evaluation(project, template, combo))


def work(found: list[Step]) -> list[tuple[str, ...]]:
    """Return, for each generation, the rules that a run does."""
    return [
        tuple(
            rule for rule, state in zip(RULES, step.account, strict=True) if state.kind != "current"
        )
        for step in found
    ]


def changes(found: list[Step]) -> list[Change]:
    return [change for step in found for state in step.account for change in state.changes]


def expected_calls(found: list[Step]) -> list[str]:
    return [step.forecast.state for step in found if step.forecast.asks]


def test_nothing_has_changed(made: Project) -> None:
    """Touched files are the same files."""
    for path in made.path("data/1_raw").rglob("*.txt"):
        path.touch()
    found = lineage(made)
    assert work(found) == [(), (), ()]
    assert changes(found) == []
    assert "Nothing has changed" in explain(experiment(made), evaluation(made))


def test_the_record_tells_what_a_text_was_made_of(made: Project) -> None:
    """Template, names, texts of concepts or parent, settings and parser, each by its digest."""
    draft, essay, _ = (step.generation for step in lineage(made))

    def of(stage: str, gen_id: str, phase: str) -> dict[str, str]:
        text = made.read(generation_file(stage, gen_id, "provenance.json"))
        return dict(json.loads(text)[phase]["of"])

    told = of("draft", draft.gen_id, "prompt")
    for name in ("tide", "loom"):
        concept = made.read(f"data/1_raw/concepts/descriptions-sentence/{name}.txt")
        assert told.pop(f"concept {name}") == text_sha256(concept)
    assert told.keys() == {"template", "variables"}
    told = of("essay", essay.gen_id, "prompt")
    assert told.keys() == {"template", "variables", "parent"}
    assert told["template"] == text_sha256(made.read(GROW))
    parent = made.read(generation_file("draft", draft.gen_id, "parsed.txt"))
    assert told["parent"] == text_sha256(parent)
    for phase, names in {"raw": {"prompt", "settings"}, "parsed": {"raw", "parser"}}.items():
        assert of("essay", essay.gen_id, phase).keys() == names


def edit_template(project: Project) -> None:
    project.edit(GROW, "Grow this", "Let this grow")


def edit_concept(project: Project) -> None:
    project.edit("data/1_raw/concepts/descriptions-sentence/loom.txt", "Loom as", "A loom as")


def rename_concept(project: Project) -> None:
    project.edit("data/1_raw/concepts_metadata.csv", "loom,Loom", "loom,Handloom")


def edit_settings(project: Project) -> None:
    project.config["stages"]["essay"]["sampling"] = {"temperature": 0.5}
    project.save()


def edit_parser(project: Project) -> None:
    project.edit("data/1_raw/evaluation_templates.csv", "llm,0,9", "llm,0,10")


def edit_answer(project: Project) -> None:
    draft = lineage(project)[0].generation
    project.write(generation_file("draft", draft.gen_id, "raw.txt"), "Another text\n")


@pytest.mark.parametrize(
    ("edit", "name", "first", "calls"),
    [
        (edit_template, "template", ("essay", "render_prompt"), ["call", "waiting"]),
        (edit_concept, "concept loom", ("draft", "render_prompt"), ["call", "waiting", "waiting"]),
        (
            rename_concept,
            "names and dimensions",
            ("draft", "render_prompt"),
            ["call", "waiting", "waiting"],
        ),
        (edit_settings, "settings", ("essay", "generate_raw"), ["call", "waiting"]),
        (edit_parser, "parser", ("evaluation", "parse_response"), []),
    ],
)
def test_an_edit_is_named_and_all_after_it_is_made_again(
    made: Project,
    edit: Callable[[Project], None],
    name: str,
    first: tuple[str, str],
    calls: list[str],
) -> None:
    """With both digests; a call that waits for its parent may turn out not to be needed."""
    edit(made)
    found = lineage(made)
    (change,) = changes(found)
    assert change.name == name
    assert change.old
    assert change.new
    assert change.old != change.new
    everything = [(step.generation.stage, rule) for step in found for rule in RULES]
    planned = [
        (step.generation.stage, rule)
        for step, rules in zip(found, work(found), strict=True)
        for rule in rules
    ]
    assert planned == everything[everything.index(first) :]
    assert expected_calls(found) == calls


def test_an_answer_edited_by_hand_is_parsed_again(made: Project) -> None:
    """It is a file of the user's now; Snakemake sees it likewise."""
    edit_answer(made)
    found = lineage(made)
    assert [change.name for change in changes(found)] == ["answer"]
    assert work(found) == [("parse_response",), RULES, RULES]


def test_another_lineage_is_not_concerned(made: Project) -> None:
    """An essay of another template is as it was; and its prompt is its parent's text."""
    edit_template(made)
    assert work(lineage(made, "same")) == [(), (), ()]


def test_a_deleted_answer_comes_from_the_journal(made: Project) -> None:
    """All after it is made again, and nothing is asked."""
    essay = lineage(made)[1].generation
    Path(generation_file("essay", essay.gen_id, "raw.txt")).unlink()
    found = lineage(made)
    assert work(found) == [(), ("generate_raw", "parse_response"), RULES]
    assert expected_calls(found) == []
    text = explain(experiment(made), essay.gen_id)
    assert "raw.txt is missing: an answer from the journal" in text
    assert "2 of 6 jobs and makes no call" in text


def test_a_copy_makes_no_call(made: Project) -> None:
    """Nor does its child, if the text turns out to be the same."""
    draft = lineage(made, "same")[0].generation
    shutil.rmtree(made.path(f"data/gens/draft/{draft.gen_id}"))
    found = lineage(made, "same")
    assert work(found) == [RULES, RULES, RULES]
    assert expected_calls(found) == ["call", "waiting"]
    text = explain(experiment(made), evaluation(made, "same"))
    assert "none, as it is a copy" in text
    assert "9 of 9 jobs and makes 1 call and 1 more at most" in text


def test_a_generation_that_is_not_there_yet(made: Project) -> None:
    """Its parents are told of, and what a run does."""
    shutil.rmtree(made.path("data/gens/evaluation"))
    found = lineage(made)
    assert work(found) == [(), (), RULES]
    assert expected_calls(found) == ["call"]
    assert "none yet" in explain(experiment(made), evaluation(made))


def test_without_a_record_the_journal_makes_a_text_again(made: Project) -> None:
    """As in a store of an earlier version; where there is no journal either, it stays as it is."""
    for path in made.path("data/gens").glob("*/*/provenance.json"):
        path.unlink()
    found = lineage(made)
    assert work(found) == [RULES, RULES, RULES]
    assert expected_calls(found) == []
    assert "not recorded" in explain(experiment(made), evaluation(made))
    for path in made.path("data/gens").glob("*/*/responses"):
        shutil.rmtree(path)
    assert work(lineage(made)) == [(), (), ()]


def test_the_price_is_that_of_finished_calls_like_it(made: Project) -> None:
    """Where the catalog has prices, and the provider has counted tokens."""
    for path in made.path("data/gens/essay").glob("*/metadata.json"):
        told = json.loads(path.read_text())
        told["usage"] = {"prompt_tokens": 1000, "completion_tokens": 500}
        path.write_text(json.dumps(told))
    made.write(
        "data/1_raw/llm_models.csv",
        "id,model,provider,usd_per_mtok_in,usd_per_mtok_out\nm1,echo-1,echo,2,8\n",
    )
    edit_template(made)
    essay = lineage(made)[1].generation.gen_id
    assert "1 call, about 0.0060 USD" in explain(experiment(made), essay)


def test_an_id_that_no_cohort_has(made: Project) -> None:
    """It is refused with the nearest; and so is none at all."""
    known = evaluation(made)
    with pytest.raises(UnknownGenerationError, match=f"cohorts c1; did you mean '{known}'"):
        explain(experiment(made), f"{known[:-1]}_")
    with pytest.raises(InputError, match="gen_id"):
        explain(experiment(made), None)
