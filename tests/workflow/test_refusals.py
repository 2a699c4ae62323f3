"""Every bad input is refused in one line that says where, what and what to do; nothing is written.

Each case changes one thing in a sound project and runs `snakemake` as a user would.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from support.project import Project

RAW = "data/1_raw"
SPEC = "data/cohorts/c1/spec/config.yaml"
GIVEN = "data/cohorts/c1/spec/membership.csv"
Change = Callable[[Project], object]


def edit(name: str, old: str, new: str) -> Change:
    return lambda project: project.edit(name, old, new)


def append(name: str, line: str) -> Change:
    return lambda project: project.write(name, project.read(name) + line + "\n")


def write(name: str, text: str | bytes) -> Change:
    return lambda project: project.write(name, text)


def remove(name: str) -> Change:
    return lambda project: project.path(name).unlink()


def config(*path: str, value: object) -> Change:
    def change(project: Project) -> None:
        place = project.config
        for name in path[:-1]:
            place = place.setdefault(name, {})
        place[path[-1]] = value
        project.save()

    return change


def axis(name: str, value: object) -> Change:
    def change(project: Project) -> None:
        project.spec["axes"][name] = value
        project.save()

    return change


def no_axis(name: str) -> Change:
    def change(project: Project) -> None:
        del project.spec["axes"][name]
        project.save()

    return change


def rules(**sections: object) -> Change:
    def change(project: Project) -> None:
        project.spec["rules"] = sections
        project.save()

    return change


HEADER = "stage,gen_id,parent_gen_id,combo_id,template_id,llm_model_id,replicate"


def given(*rows: str, header: str = HEADER) -> Change:
    def change(project: Project) -> None:
        project.path(SPEC).unlink()
        project.write(GIVEN, "\n".join([header, *rows, ""]))

    return change


CASES: dict[str, tuple[Change, str, str]] = {
    # The configuration.
    "unknown setting": (config("cohort", value="c1"), "config", "did you mean 'cohorts'?"),
    "no cohort": (config("cohorts", value=[]), "config", "cohorts"),
    "cohort without a spec": (config("cohorts", value=["c2"]), "cohort", "data/cohorts/c2/spec"),
    "spec of another ending": (
        lambda p: p.path(SPEC).rename(p.path(SPEC).with_suffix(".yml")),
        "cohort",
        "; rename data/cohorts/c1/spec/config.yml to data/cohorts/c1/spec/config.yaml",
    ),
    "spec beside its directory": (
        lambda p: p.path(SPEC).rename(p.path("data/cohorts/c1/config.yaml")),
        "cohort",
        "; rename data/cohorts/c1/config.yaml to data/cohorts/c1/spec/config.yaml",
    ),
    "cohort outside its directory": (config("cohorts", value=["../x"]), "config", "'../x'"),
    "max_tokens as text": (
        config("stages", "draft", "sampling", value={"max_tokens": "many"}),
        "config",
        "stages.draft.sampling.max_tokens: found 'many'",
    ),
    "misspelt sampling": (
        config("stages", "draft", "sampling", value={"temprature": 1}),
        "config",
        "did you mean 'temperature'",
    ),
    "extra_body overrides": (
        config("stages", "draft", "sampling", value={"extra_body": {"model": "x"}}),
        "config",
        "stages.draft.sampling.extra_body",
    ),
    "unknown parent": (
        config("stages", "essay", "parent", value="drift"),
        "config",
        "stages.essay.parent: found 'drift'",
    ),
    "second root": (
        config("stages", "essay", "parent", value=None),
        "config",
        "is already the first",
    ),
    "shared prefix": (
        config("stages", "essay", "prefix", value="d"),
        "config",
        "stages.essay.prefix",
    ),
    "stage name": (config("stages", "Peer review", value={"prefix": "p"}), "config", "stages"),
    "unknown provider type": (
        config("providers", "echo", "type", value="grpc"),
        "config",
        "providers.echo.type: found 'grpc'",
    ),
    "provider setting": (
        config("providers", "echo", "url", value="x"),
        "config",
        "unknown setting 'url'",
    ),
    "unknown default provider": (config("default_provider", value="eco"), "config", "did you mean"),
    "override for no stage": (
        config("models", value={"m1": {"stages": {"essays": {}}}}),
        "config",
        "found 'essays'",
    ),
    "missing parser file": (config("parsers", value=["mine.py"]), "parser", "mine.py"),
    "broken parser file": (
        lambda p: (p.write("mine.py", "def f(:\n"), config("parsers", value=["mine.py"])(p)),
        "parser",
        "mine.py, line 1",
    ),
    "table without a header": (
        lambda p: (
            p.write("data/cohorts/c1/spec/x.csv", "pair\ntrio\n"),
            axis("combo_id", "@file:x.csv")(p),
        ),
        "spec",
        "found the header 'pair', which is a level of combo_id",
    ),
    "settings of the environment in UTF-16": (
        write(".env", b"\xff\xfeA\0"),
        "config",
        ".env: cannot be read",
    ),
    "parser file that refuses": (
        lambda p: (
            p.write(
                "mine.py", "from daydream.errors import ParseError\n\nraise ParseError('no')\n"
            ),
            config("parsers", value=["mine.py"])(p),
        ),
        "parser",
        "mine.py, line 3: raised ParseError: no; fix the file",
    ),
    # The catalogs.
    "missing catalog": (remove(f"{RAW}/llm_models.csv"), "catalog", f"{RAW}/llm_models.csv"),
    "missing column": (
        edit(f"{RAW}/llm_models.csv", "id,model,", "id,modell,"),
        "catalog",
        "model",
    ),
    "duplicate id": (
        append(f"{RAW}/llm_models.csv", "m1,echo-2,echo,Echo,general"),
        "catalog",
        "line 3",
    ),
    "empty cell": (append(f"{RAW}/llm_models.csv", "m2,,echo,Echo,x"), "catalog", "line 3"),
    "row too long": (append(f"{RAW}/concepts_metadata.csv", "a,b,c"), "catalog", "line 5"),
    "not UTF-8": (
        write(f"{RAW}/concepts_metadata.csv", b"concept_id,name\n\xff,x\n"),
        "catalog",
        "line 2",
    ),
    "NUL": (
        write(f"{RAW}/concepts_metadata.csv", b"concept_id,name\na\0,x\n"),
        "catalog",
        "line 2",
    ),
    "empty catalog": (write(f"{RAW}/draft_templates.csv", ""), "catalog", "draft_templates.csv"),
    "unknown concept": (
        append("data/combo_mappings.csv", "pair,v1,tyde,sentence,2,2026-11-01"),
        "catalog",
        "'tyde'",
    ),
    "missing level": (
        edit("data/combo_mappings.csv", "fog,sentence", "fog,article"),
        "catalog",
        "line 6, column description_level: found 'article', but there is no data/1_raw/concepts/",
    ),
    "concept outside its directory": (
        append(f"{RAW}/concepts_metadata.csv", "../tide,Tide"),
        "catalog",
        "'../tide'",
    ),
    "template outside its directory": (
        append(f"{RAW}/draft_templates.csv", "../x,X,,identity,llm"),
        "catalog",
        "'../x'",
    ),
    "unknown generator": (edit(f"{RAW}/draft_templates.csv", "llm", "lim"), "catalog", "'lim'"),
    "unknown parser": (
        edit(f"{RAW}/draft_templates.csv", "identity", "identiti"),
        "catalog",
        "'identiti'",
    ),
    "score bounds": (edit(f"{RAW}/evaluation_templates.csv", "0,9", "9,0"), "catalog", "score_m"),
    "missing template text": (
        remove(f"{RAW}/templates/draft/plain.txt"),
        "catalog",
        "templates/draft/plain.txt",
    ),
    "blank template text": (
        write(f"{RAW}/templates/draft/plain.txt", " \n"),
        "catalog",
        "templates/draft/plain.txt: is blank (2 generations use it)",
    ),
    "missing concept text": (
        remove(f"{RAW}/concepts/descriptions-sentence/tide.txt"),
        "catalog",
        "or use a level that is there: 'paragraph'",
    ),
    "blank concept text": (
        write(f"{RAW}/concepts/descriptions-sentence/fog.txt", "\ufeff"),
        "catalog",
        "descriptions-sentence/fog.txt: is blank (1 generation uses it)",
    ),
    "concept text not UTF-8": (
        write(f"{RAW}/concepts/descriptions-sentence/fog.txt", b"\xe9"),
        "catalog",
        "fog.txt, line 1: found the byte 0xe9",
    ),
    "copy of nothing": (
        edit(f"{RAW}/draft_templates.csv", "llm", "copy"),
        "catalog",
        "line 2, column generator: template 'plain' is a copy, but a draft has no parent",
    ),
    "no table of templates": (
        remove(f"{RAW}/evaluation_templates.csv"),
        "spec",
        f"axes.evaluation_template: found the axis 'evaluation_template', but there is no {RAW}",
    ),
    "replication of no stage": (
        write(f"{RAW}/replication_config.csv", "stage,replicates\nessays,2\n"),
        "catalog",
        "'essays'",
    ),
    # The spec.
    "no YAML": (write(SPEC, "axes: [\n"), "spec", SPEC),
    "unknown axis": (axis("draft_modell", ["x"]), "spec", "draft_modell"),
    "unknown level": (axis("draft_llm", ["m2"]), "spec", "'m2'"),
    "unknown level with its line": (
        axis("essay_template", ["grow", "storey"]),
        "spec",
        f"{SPEC}, line 11, column axes.essay_template[1]: found 'storey', which is not a template",
    ),
    "unknown combo": (axis("combo_id", ["pear"]), "spec", "did you mean 'pair'"),
    "duplicate level": (axis("draft_llm", ["m1", "m1"]), "spec", "m1"),
    "text for a list": (axis("draft_llm", "m1"), "spec", "draft_llm"),
    "missing axis": (no_axis("essay_llm"), "spec", "essay_llm"),
    "missing stage": (no_axis("essay_template"), "spec", "essay_template"),
    "missing items": (axis("combo_id", "@file:items/none.csv"), "spec", "items/none.csv"),
    "items outside the spec": (axis("combo_id", "@file:../../x.csv"), "spec", "../../x.csv"),
    "unknown rule kind": (rules(pears={}), "spec", "pears"),
    "subset of nothing": (rules(subsets={"draft_template": ["plane"]}), "spec", "'plane'"),
    "empty design": (
        rules(
            tuples={
                "a": {"axes": ["combo_id", "essay_template"], "items": [["pair", "grow"]]},
                "b": {"axes": ["combo_id", "essay_template"], "items": [["trio", "same"]]},
            }
        ),
        "spec",
        SPEC,
    ),
    "uneven balance": (
        rules(
            pairs={
                "p": {
                    "left": "combo_id",
                    "right": "essay_template",
                    "allowed": [["pair", "grow"], ["pair", "same"], ["trio", "grow"]],
                    "balance": "left",
                }
            }
        ),
        "spec",
        "balance",
    ),
    "replicate zero": (axis("draft_replicate", [0]), "spec", "draft_replicate"),
    # A membership given by hand.
    "membership and design": (write(GIVEN, HEADER + "\n"), "cohort", "both"),
    "membership without rows": (given(), "membership", "no row"),
    "membership without a column": (
        given("draft,d_1,pair,plain,m1", header="stage,gen_id,combo_id,template_id,llm_model_id"),
        "membership",
        "replicate",
    ),
    "unknown stage": (given("draught,d_1,,pair,plain,m1,1"), "membership", "'draught'"),
    "id outside its directory": (given("draft,../d,,pair,plain,m1,1"), "membership", "'../d'"),
    "id twice": (
        given("draft,d_1,,pair,plain,m1,1", "draft,d_1,,trio,plain,m1,1"),
        "membership",
        "line 3, column gen_id",
    ),
    "unknown template, often": (
        given("draft,d_1,,pair,plane,m1,1", "draft,d_2,,pair,plane,m1,2"),
        "membership",
        "line 2, column template_id: found 'plane', which is not a template of stage 'draft' (in 2 "
        "rows)",
    ),
    "orphan": (given("essay,e_1,d_9,pair,grow,m1,1"), "membership", "'d_9'"),
    "unknown template": (given("draft,d_1,,pair,plane,m1,1"), "membership", "'plane'"),
    "replicate of text": (given("draft,d_1,,pair,plain,m1,one"), "membership", "'one'"),
    "foreign key": (
        given("draft,d_1,,pair,plain,m1,1,a|b|c|1", header=HEADER + ",key"),
        "membership",
        "column key",
    ),
    # Templates.
    "template syntax": (
        write(f"{RAW}/templates/draft/plain.txt", "{% for c in %}"),
        "template",
        "templates/draft/plain.txt",
    ),
    "unknown variable": (
        write(f"{RAW}/templates/draft/plain.txt", "{{ concept }}"),
        "template",
        "did you mean 'concepts'",
    ),
    "unknown ancestor": (
        write(f"{RAW}/templates/essay/grow.txt", "\n{{ ancestors.drift }}"),
        "template",
        "grow.txt, line 2: 'ancestors' has no 'drift' (2 generations use it); did you mean 'draft'",
    ),
}


def written(project: Project) -> set[Path]:
    skipped = {".snakemake", "logs", "__pycache__"}
    return {
        path
        for path in project.dir.rglob("*")
        if path.is_file() and not skipped & set(path.relative_to(project.dir).parts)
    }


@pytest.mark.parametrize("name", CASES)
def test_bad_input(project: Project, name: str) -> None:
    """One clear line a problem, no traceback, and no output."""
    change, code, fragment = CASES[name]
    change(project)
    before = written(project)
    output = project.snakemake(code=1)
    lines = [line for line in output.splitlines() if line.startswith(f"[{code}] ")]
    assert lines, output
    assert any(fragment in line for line in lines), output
    for line in lines:
        assert re.match(r"\[[a-z]+\] \S+.*: .+; .+", line), line
    assert "Traceback" not in output
    assert 'File "' not in output
    assert project.calls() == 0
    assert written(project) == before


def test_all_problems_of_a_catalog_are_reported_together(project: Project) -> None:
    """Three mistakes, one run."""
    project.edit("data/1_raw/draft_templates.csv", "llm", "lim")
    models = "id,model,provider\nm1,x,echo\nm1,y,echo\nm2,,echo\n"
    project.write("data/1_raw/llm_models.csv", models)
    output = project.snakemake(code=1)
    assert len([line for line in output.splitlines() if line.startswith("[catalog] ")]) == 3


def test_what_only_a_render_can_tell_is_refused_by_its_job(project: Project) -> None:
    """In one line as well."""
    project.write(f"{RAW}/templates/draft/plain.txt", "{{ ''.__class__.__mro__ }}")
    output = project.snakemake(code=1)
    assert f"[template] {RAW}/templates/draft/plain.txt" in output
    assert "Traceback" not in output
    assert project.calls() == 0


def test_all_that_cohorts_use_and_cannot_is_said_at_once(project: Project) -> None:
    """Of several cohorts and kinds of inputs, each once, and before any job."""
    project.write("data/cohorts/c2/spec/config.yaml", project.read(SPEC))
    project.write(f"{RAW}/templates/draft/plain.txt", "{{ concept }} {{ concept }} {% if x %}")
    project.path(f"{RAW}/templates/essay/grow.txt").unlink()
    project.edit(f"{RAW}/evaluation_templates.csv", "in_last_line", "in_lost_line")
    project.path(f"{RAW}/concepts/descriptions-sentence/tide.txt").unlink()
    output = project.snakemake("-n", "--config", "cohorts=[c1,c2]", code=1)
    lines = [line for line in output.splitlines() if line.startswith("[")]
    assert [re.findall(r"\[\w+\]|\(\d+ gen", line) for line in lines] == [
        ["[template]", "(4 gen"],
        ["[catalog]", "(4 gen"],
        ["[catalog]", "(8 gen"],
        ["[catalog]", "(4 gen"],
    ]


@pytest.mark.parametrize("file", ["parsing/calls.csv", "summary/leaderboard.csv"])
def test_a_report_of_a_cohort_that_is_not_configured(project: Project, file: str) -> None:
    """One line with the nearest name, and how to add it."""
    output = project.snakemake(f"data/cohorts/c2/reports/{file}", code=1)
    assert "data/cohorts/c2 is not one of the configured cohorts" in output.replace(":", "")
    assert "known: 'c1'; or add it with --config 'cohorts=[c2]'" in output
    assert "Traceback" not in output
    assert "KeyError" not in output


def test_an_unknown_generation_names_the_cohorts_searched(project: Project) -> None:
    """A file of no configured cohort is refused, before and after the membership exists."""
    for _ in range(2):
        output = project.snakemake("data/gens/essay/e_none/parsed.txt", code=1)
        assert (
            "[generation] found 'e_none', which is not the id of any essay of the cohorts c1; "
            in output
        )
        assert "Traceback" not in output


def test_an_id_of_another_stage_is_unknown(project: Project) -> None:
    """A draft's id under essay/ is not an essay."""
    project.snakemake("membership")
    draft = project.membership()[0]["gen_id"]
    output = project.snakemake(f"data/gens/essay/{draft}/parsed.txt", code=1)
    assert f"[generation] found '{draft}', which is not the id of any essay" in output
