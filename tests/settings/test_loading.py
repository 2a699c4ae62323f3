"""Reading settings: what is taken, what is refused, and from where it says that it came."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from snakemake.cli import parse_config
from snakemake.utils import update_config

from daydream.errors import InputError
from daydream.settings import Sampling, Settings, as_setting, check_names, load_settings
from daydream.settings.sampling import merged
from daydream.settings.stages import RULES

BASE: dict[str, Any] = {
    "cohorts": ["c1"],
    "stages": {
        "draft": {"prefix": "d"},
        "essay": {"prefix": "e", "parent": "draft"},
        "evaluation": {"prefix": "v", "parent": "essay", "scored": True},
    },
    "default_provider": "echo",
    "providers": {"echo": {"type": "function", "path": "echo.py"}},
}
Load = Callable[..., Settings]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Return a function that reads settings as Snakemake would hand them on.

    `base` changes config.yaml, `files` are those of --configfile, `arguments` those of --config.
    """
    monkeypatch.chdir(tmp_path)
    Path("config").mkdir()

    def load(*arguments: str, base: Any = None, files: tuple[Any, ...] = ()) -> Settings:
        own = {**BASE, **(base or {})} if not isinstance(base, str) else base
        paths = [Path("config/config.yaml").absolute()]
        paths += [Path(f"{number}.yaml").absolute() for number, _ in enumerate(files, start=1)]
        for path, content in zip(paths, (own, *files), strict=True):
            text = content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False)
            path.write_text(text)
        # As Snakemake does it: what comes last is there first.
        config: dict[str, Any] = {}
        for path in paths[1:]:
            update_config(config, yaml.safe_load(path.read_text()))
        update_config(config, parse_config(arguments))
        above = json.loads(json.dumps(config))
        update_config(config, yaml.safe_load(paths[0].read_text()))
        update_config(config, above)
        load.config = config  # type: ignore[attr-defined]
        return load_settings(config, overlays=paths[1:], arguments=arguments)

    return load


def refusals(load: Load, *arguments: str, **places: Any) -> list[str]:
    with pytest.raises(InputError) as refusal:
        load(*arguments, **places)
    return str(refusal.value).splitlines()


# What is taken.


def test_config_reaches_any_depth(load: Load) -> None:
    """Snakemake hands on what stands inside a mapping as text."""
    found = load(
        "stages={evaluation: {sampling: {temperature: 0, top_p: 0.5, max_tokens: 70, seed: 3}}}",
        "pools={echo: {concurrent: 2}}",
        "models={m1: {stages: {draft: {temperature: 1.5}}}}",
        "budget={usd: 1e-2, cohort: {calls: 9}}",
        "where={essay_replicate: [1, 2], draft_template: 007}",
        "exclude={1: a, 01: b}",
        "providers={echo: {name: answer}}",
        "views={v: {where: {essay_llm: m1}}}",
        "report_failures=no",
        "refresh=True",
        "shards=3",
        "items=null",
    )
    sampling = {"temperature": 0, "top_p": 0.5, "max_tokens": 70, "seed": 3, "extra_body": {}}
    assert found.sampling("evaluation", "m1") == sampling
    assert found.stages["evaluation"].parent == "essay"
    assert found.sampling("draft", "m1")["temperature"] == 1.5
    assert found.pools["echo"].concurrent == 2
    assert (found.budget.usd, found.cohort_budget.calls) == (0.01, 9)
    assert found.exclude == {"1": "a", "01": "b"}
    assert found.where == {"essay_replicate": ["1", "2"], "draft_template": "007"}
    assert found.providers["echo"].name == "answer"  # type: ignore[union-attr]
    assert found.views["v"].where == {"essay_llm": "m1"}
    assert (found.report_failures, found.refresh, found.shards, found.items) == (
        False,
        True,
        3,
        None,
    )


def test_an_extra_body_has_the_kinds_of_values_that_were_typed(load: Load) -> None:
    """Nobody here knows what a provider wants."""
    body = '{top_k: 40, stop: "1", echo: true, bias: {5: 0.5}, grammar: null, list: [1, a]}'
    found = load(f"stages={{draft: {{sampling: {{extra_body: {body}}}}}}}")
    assert found.stages["draft"].sampling.extra_body == {
        "top_k": 40,
        "stop": "1",
        "echo": True,
        "bias": {"5": 0.5},
        "grammar": None,
        "list": [1, "a"],
    }


@pytest.mark.parametrize(
    "text", ["9e59", "1234", "0x1f", "1_000", "007", "1e5", "True", "0b1", "3f6a", "2024-13-01"]
)
def test_a_hash_is_taken_as_it_is_typed(load: Load, text: str) -> None:
    """However YAML or Snakemake would read it."""
    found = load(f"request={text}", f"gen_id={text}", f"left={text}")
    assert (found.request, found.gen_id, found.left) == (text, text, text)
    assert load.config["request"] == text  # type: ignore[attr-defined]


def test_a_cohort_may_look_like_a_number_and_be_alone(load: Load) -> None:
    """In a file as on the command line."""
    assert load("cohorts=c1").cohorts == ("c1",)
    assert load("cohorts=2024").cohorts == ("2024",)
    assert load("cohorts=[2024, a]").cohorts == ("2024", "a")
    assert load(base={"cohorts": [2024]}).cohorts == ("2024",)
    assert load(base={"cohorts": "c2"}).cohorts == ("c2",)
    assert load("concepts=tide").concepts == ("tide",)


def test_the_mapping_is_completed_in_place(load: Load) -> None:
    """Rules read it, and shards hand it on: with every default, and nothing that JSON has not."""
    found = load("size=3", "cohorts=c1")
    config = load.config  # type: ignore[attr-defined]
    assert json.loads(json.dumps(config)) == config == found.plain()
    assert (config["size"], config["by"], config["cohorts"]) == (3, "shrunk_mean", ["c1"])
    assert config["stages"]["draft"]["sampling"] == {}
    assert load_settings(json.loads(json.dumps(config))).plain() == config


def test_settings_cannot_be_changed(load: Load) -> None:
    """What two jobs see is the same."""
    found = load()
    with pytest.raises(ValueError, match="frozen"):
        found.partial = True  # type: ignore[misc]


def test_null_takes_a_sampling_setting_away(load: Load) -> None:
    """What is not said is left as it is; numbers stay as they were written."""
    draft = {
        "prefix": "d",
        "sampling": {"temperature": 1, "seed": 2, "extra_body": {"a": 1, "b": 2}},
    }
    models = {
        "m1": {"sampling": {"temperature": None, "extra_body": {"b": 3}}},
        "m2": {"stages": {"draft": {"extra_body": None}}},
    }
    found = load(base={"stages": {"draft": draft}, "models": models})
    assert found.sampling("draft", "m1") == {"seed": 2, "extra_body": {"a": 1, "b": 3}}
    assert found.sampling("draft", "m2") == {"temperature": 1, "seed": 2, "extra_body": {}}
    assert json.dumps(found.sampling("draft", "x")["temperature"]) == "1"
    assert found.sampling("draft", "x", {"temperature": "0.5", "tone": "dry"})["temperature"] == 0.5


# The chain.


def test_the_order_of_stages_follows_from_parent(load: Load) -> None:
    """In any order; what does not depend on parents keeps the order in which it is written."""
    stages = {
        "judge": {"prefix": "j", "parent": "essay"},
        "essay": {"prefix": "e", "parent": "draft"},
        "check": {"prefix": "c", "parent": "essay"},
        "draft": {"prefix": "d"},
    }
    found = load(base={"stages": stages})
    assert list(found.stages) == ["draft", "essay", "judge", "check"]
    assert list(load.config["stages"]) == list(found.stages)  # type: ignore[attr-defined]
    assert [stage.name for stage in found.stages.values()] == list(found.stages)


@given(st.permutations(list(BASE["stages"])))
def test_any_order_is_the_same_chain(order: list[str]) -> None:
    config = {
        **json.loads(json.dumps(BASE)),
        "stages": {name: BASE["stages"][name] for name in order},
    }
    assert list(load_settings(config).stages) == ["draft", "essay", "evaluation"]


def test_a_file_may_change_one_stage(load: Load) -> None:
    """Laid over config.yaml, like everything else."""
    found = load(files=({"stages": {"evaluation": {"sampling": {"temperature": 0.1}}}},))
    assert list(found.stages) == ["draft", "essay", "evaluation"]
    assert found.sampling("evaluation", "m1")["temperature"] == 0.1
    assert found.stages["evaluation"].prefix == "v"


def test_a_file_with_prefixes_replaces_the_chain(load: Load) -> None:
    """In any order; later files and --config change it further; settings of gone stages go."""
    models = {"m1": {"stages": {"essay": {"max_tokens": 1}, "draft": {"max_tokens": 2}}}}
    chain = {"evaluation": {"prefix": "v", "parent": "draft"}, "draft": {"prefix": "d"}}
    found = load(
        "stages={draft: {min_lines: 3}}",
        base={"models": models},
        files=({"stages": chain}, {"stages": {"evaluation": {"resample": 1}}}),
    )
    assert list(found.stages) == ["draft", "evaluation"]
    assert (found.stages["draft"].min_lines, found.stages["evaluation"].resample) == (3, 1)
    assert list(found.models["m1"].stages) == ["draft"]


def test_a_model_is_not_told_of_a_stage_that_its_own_file_has_not(load: Load) -> None:
    """Only what was said before the chain was replaced goes with the old one."""
    file = {"stages": {"draft": {"prefix": "d"}}, "models": {"m1": {"stages": {"essay": {}}}}}
    assert refusals(load, files=(file,)) == [
        "[config] 1.yaml, models.m1.stages.essay: found 'essay', which is not a stage; "
        "known: 'draft'"
    ]


# Where it was given, and what is wrong.


def test_each_line_names_the_place_where_the_value_was_given(load: Load) -> None:
    """All at once: config.yaml, each file, the command line."""
    found = refusals(
        load,
        "budget={usd: much}",
        base={"expand": "al", "stages": {**BASE["stages"], "essay": {"parent": "drift"}}},
        files=({"shards": 0}, {"providers": {"echo": {"url": 1}}}),
    )
    assert found == [
        "[config] --config on the command line, budget.usd: found 'much'; give a number",
        "[config] config/config.yaml, expand: found 'al'; give one of auto, all, pending",
        "[config] 2.yaml, providers.echo: found the unknown setting 'url'; "
        "known: 'name', 'path', 'structured', 'type'",
        "[config] 1.yaml, shards: found 0; give at least 1",
        "[config] config/config.yaml, stages.essay.parent: found 'drift', which is not a stage; "
        "did you mean 'draft'?",
        "[config] config/config.yaml, stages.essay: lacks prefix; "
        "add it (config/README.md describes it)",
    ]


@pytest.mark.parametrize(
    ("argument", "line"),
    [
        ("partial=maybe", "partial: found 'maybe'; give true or false"),
        ("parital=true", "top level: found the unknown setting 'parital'; did you mean 'partial'?"),
        ("where=x", "where: found 'x'; give a mapping such as {a: b}"),
        ("where={a: {b: c}}", "where.a: found {'b': 'c'}; give a text"),
        ("where={a: []}", "where.a: found []; give at least one value"),
        ("cohorts=[]", "cohorts: found []; give at least one"),
        ("cohorts={a: b}", "cohorts: found {'a': 'b'}; give a list such as [a, b]"),
        ("cohorts=[a, a]", "cohorts: found ['a', 'a']; give each once"),
        ("cohorts=../x", "cohorts.0: found '../x'; give a name of letters, digits, "),
        ("raw_dir=", "raw_dir: found nothing (null); give a text"),
        ("cohort=c2", "cohort: found 'c2', which names a cohort to import, without a source; ad"),
        ("default_provider=eco", "default_provider: found 'eco', which is not a provider; name on"),
        ("providers={echo: {type: grpc}}", "providers.echo.type: found 'grpc'; give one of openai"),
        ("providers={x: {path: y}}", "providers.x: lacks type; give one of openai, anthropic"),
        (
            "providers={x: {type: openai, base_url: 'ftp://h/v1'}}",
            "providers.x.base_url: found 'ftp://h/v1'; give an address such as https://api.example",
        ),
        (
            "providers={x: {type: openai, base_url: 'http://me:secret@h/v1'}}",
            "providers.x.base_url: found '…@…'; leave out what stands before the @, and name a key",
        ),
        (
            "providers={x: {type: openai, base_url: 'http://h/v1?a=b'}}",
            "providers.x.base_url: found 'http://h/v1?a=b'; leave out what begins with ? or #",
        ),
        (
            "providers={x: {type: gemini, base_url: 'h/v1'}}",
            "providers.x.base_url: found 'h/v1'; give an address such as https://api.example.com",
        ),
        (
            "providers={x: {type: openai, base_url: 'http://h/v1/chat/completions/'}}",
            "providers.x.base_url: found 'http://h/v1/chat/completions/'; leave out /chat/compl",
        ),
        (
            "stages={draft: {on_truncation: grow}}",
            "stages.draft.max_tokens_limit: found none, though on_truncation is 'grow'; write the",
        ),
        ("providers={x: y}", "providers.x: found 'y'; give a mapping such as {a: b}"),
        ("pools={a b: {}}", "pools: found 'a b'; give a name of letters, digits, "),
        ("views={v: {}}", "views.v: found {}; give `where`, `exclude` or both"),
        ("models={m: {stages: {esay: {}}}}", "models.m.stages.esay: found 'esay', which is not a "),
        ("stages={essay: {prefix: d}}", "stages.essay.prefix: found 'd', which stage 'draft' alr"),
        ("stages={essay: {prefix: D}}", "stages.essay.prefix: found 'D'; give lowercase letters a"),
        ("stages={essay: {parent: null}}", "stages.essay.parent: found none, but stage 'draft' is"),
        ("stages={essay: {name: x}}", "stages.essay: found the unknown setting 'name'; the key a"),
        ("stages={draft: {parent: evaluation}}", "stages.draft.parent: found 'evaluation', which "
         "makes a cycle: draft -> evaluation -> essay -> draft; give each stage"),
        ("stages={draft: {scored: 1}}", "stages.draft.scored: found '1'; give true or false"),
        ("stages={draft: {min_lines: true}}", "stages.draft.min_lines: found 'true'; give a whole"),
        ("stages={draft: {min_lines: 1.5}}", "stages.draft.min_lines: found '1.5'; give a whole n"),
        ("stages={draft: {min_lines: -1}}", "stages.draft.min_lines: found -1; give at least 0"),
        ("stages={draft: {dimensions: [llm]}}", "stages.draft.dimensions.0: found 'llm'; remove "),
        ("stages={draft: {sampling: {top_p: 0}}}", "stages.draft.sampling.top_p: found 0; give "
         "more than 0"),
        ("stages={draft: {sampling: {top_p: 2}}}", "stages.draft.sampling.top_p: found 2; give "
         "at most 1"),
        ("stages={draft: {sampling: {temperature: .inf}}}", "stages.draft.sampling.temperature: f"),
        ("stages={draft: {sampling: {seed: x}}}", "stages.draft.sampling.seed: found 'x'; give a "
         "whole number, at least 0, or gen_id"),
        ("stages={draft: {sampling: {extra_body: {seed: 1}}}}", "stages.draft.sampling.extra_body"
         ": found 'seed'; remove it here: the workflow sets it itself"),
        ("where={a: 1, a: 2}", ": found where.a twice; keep one of them"),
    ],
)  # fmt: skip
def test_a_wrong_argument_is_one_line(load: Load, argument: str, line: str) -> None:
    """In plain words, with the nearest name."""
    found = refusals(load, argument)
    assert len(found) == 1
    place = "[config] --config on the command line"
    assert found[0].startswith(f"{place}{line}" if line.startswith(":") else f"{place}, {line}")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("partial: true\npartial: false\n", "line 2: found partial twice, first on line 1; keep"),
        ("views:\n  a: {where: {x: y}}\n  a: {}\n", "line 3: found views.a twice, first on line 2"),
        ("stages:\n  e: {sampling: {seed: 1, seed: 2}}\n", "line 2: found stages.e.sampling.seed"),
        ("parsers: [\n", "line 2: is not YAML: "),
        ("cohort: 2024-13-01\n", "is not YAML: month must be in 1..12; correct it"),
        ("just text\n", "holds no settings; write lines such as"),
        ("", "holds no settings; write lines such as"),
        (b"\xff\xfep\0a\0", "line 1: found the byte 0xff as byte 1, which is not UTF-8; save the"),
        ("partial: \u00e4\n".encode("latin-1"), "line 1: found the byte 0xe4 as byte 10, which is"),
    ],
)
@pytest.mark.parametrize("name", ["config/config.yaml", "mine.yaml"])
def test_a_file_that_cannot_be_read_is_one_line(
    load: Load, name: str, text: str | bytes, line: str
) -> None:
    """A key that stands twice, which YAML would take silently; another encoding; no YAML."""
    load()
    Path(name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError) as refusal:
        overlays = [] if name.startswith("config") else [Path(name).absolute()]
        load_settings(json.loads(json.dumps(BASE)), overlays=overlays)
    found = str(refusal.value).splitlines()
    assert len(found) == 1
    assert found[0].startswith((f"[config] {name}, {line}", f"[config] {name}: {line}"))


def test_a_key_that_stands_twice_in_json_is_one_line(load: Load) -> None:
    """With tabs, which YAML does not take, and keys that only look like keys."""
    load()
    Path("mine.json").write_text(
        '{\n\t"where":\t{"a": "{\\"a\\": 1"},\n\t"where":\t{"a": "b"}\n}\n'
    )
    with pytest.raises(InputError) as refusal:
        load_settings(json.loads(json.dumps(BASE)), overlays=[Path("mine.json").absolute()])
    line = "[config] mine.json, line 3: found where twice, first on line 2; keep one of them"
    assert str(refusal.value) == line


def test_json_with_tabs_and_a_byte_order_mark_are_taken(load: Load) -> None:
    """As Snakemake takes them."""
    load()
    Path("config/config.yaml").write_text("\ufeff" + yaml.safe_dump(BASE), encoding="utf-8")
    Path("mine.json").write_text('{\n\t"partial":\ttrue\n}\n')
    config = {**json.loads(json.dumps(BASE)), "partial": "maybe"}
    with pytest.raises(InputError, match=r"^\[config\] mine\.json, partial: found 'maybe'"):
        load_settings(config, overlays=[Path("mine.json").absolute()])


# Names that only the catalog knows.


def unknown(found: Settings) -> list[str]:
    try:
        check_names(found, models={"m1": "echo", "m2": "echo"}, pools=["free"])
    except InputError as refusal:
        return str(refusal).splitlines()
    return []


def test_models_and_pools_that_do_not_exist_are_refused(load: Load) -> None:
    """Their settings would have no effect, and nobody would know; a provider's name is a pool."""
    known = {"models": {"m1": {}}, "pools": {"free": {}, "echo": {}}}
    assert unknown(load(base=known)) == []
    found = load("pools={fre: {concurrent: 2}}", base={**known, "models": {"m-1": {}}})
    assert unknown(found) == [
        "[config] config/config.yaml, models: found 'm-1', which is not a model of "
        "data/1_raw/llm_models.csv; remove it, or correct the name; did you mean 'm1'?",
        "[config] --config on the command line, pools: found 'fre', which is not a pool of "
        "data/1_raw/llm_models.csv, nor a provider; remove it, or correct the name; "
        "did you mean 'free'?",
    ]


def test_what_is_said_of_another_catalog_is_not_held_against_this_one(load: Load) -> None:
    """A file with a catalog of its own need not know the models of config.yaml; its own it must."""
    base = {"models": {"bundled": {}}, "pools": {"slow": {}}, "raw_dir": "data/1_raw"}
    own = {"raw_dir": "examples/raw", "models": {"m3": {}}}
    assert [line.split(";")[0] for line in unknown(load(base=base, files=(own,)))] == [
        "[config] 1.yaml, models: found 'm3', which is not a model of examples/raw/llm_models.csv"
    ]
    assert unknown(load("raw_dir=elsewhere", base=base)) == []
    assert len(unknown(load("partial=true", base=base, files=({"partial": True},)))) == 2
    again = load(base=base, files=({"raw_dir": "x"}, {"models": {"bundled": {"sampling": {}}}}))
    assert len(unknown(again)) == 1


# The targets of stages


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ({"plan": {"prefix": "d", "target": "plan"}}, "stages.plan.target: found 'plan'"),
        ({"table": {"prefix": "d"}}, "stages.table.target: found 'tables'"),
        (
            {"a": {"prefix": "a", "target": "bs"}, "b": {"prefix": "b", "parent": "a"}},
            "stages.b.target: found 'bs', which is the name of the target of stage 'a'",
        ),
    ],
)
def test_a_target_that_is_taken(load: Load, stages: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as refused:
        load(base={"stages": stages})
    assert message in str(refused.value)


def test_a_stage_may_name_its_target(load: Load) -> None:
    found = load(base={"stages": {"summary": {"prefix": "s", "target": "summaries"}}})
    assert found.stages["summary"].target_name == "summaries"


def test_the_names_of_rules_are_those_of_the_rules() -> None:
    """Which a stage's target cannot have."""
    root = Path(__file__).parents[2]
    files = [*(root / "rules").glob("*.smk"), root / "Snakefile"]
    text = "".join(path.read_text() for path in files)
    assert sorted(re.findall(r"(?m)^ *(?:rule|checkpoint) (\w+):", text)) == sorted(RULES)


def test_reasoning_is_a_word_or_a_number() -> None:
    """In the settings, and as a dimension of that name."""
    assert merged([Sampling(reasoning="2000")], {}) == {"reasoning": 2000, "extra_body": {}}
    by_dimension = merged([Sampling(reasoning=2000)], {"reasoning": "high"})
    assert by_dimension == {"reasoning": "high", "extra_body": {}}
    assert as_setting("reasoning", "0") == 0
    with pytest.raises(ValueError, match=r"give one of none, minimal, .*, or a whole number of"):
        as_setting("reasoning", "much")
