"""Snakemake's own options, in a project of its own that the workflow is applied to with `-s`."""

from __future__ import annotations

import base64
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.project import ROOT, Project

HERE = ("--snakefile", str(ROOT / "Snakefile"), "--cores", "4")
TARGETS = ("--", "scores", "evaluations")

# A storage provider that Snakemake can find, and no more.
STORAGE = """
from snakemake_interface_storage_plugins.storage_provider import (
    QueryType, StorageProviderBase, StorageQueryValidationResult)
from snakemake_interface_storage_plugins.storage_object import (
    StorageObjectRead, StorageObjectWrite)


class StorageProvider(StorageProviderBase):
    @classmethod
    def example_queries(cls):
        return []

    def rate_limiter_key(self, query, operation):
        return query

    def default_max_requests_per_second(self):
        return 1.0

    def use_rate_limiter(self):
        return False

    @classmethod
    def is_valid_query(cls, query):
        return StorageQueryValidationResult(query=query, valid=True)

    def list_objects(self, query):
        return []

    @classmethod
    def get_storage_object_cls(cls):
        return StorageObject


class StorageObject(StorageObjectRead, StorageObjectWrite):
    async def inventory(self, cache):
        pass

    def get_inventory_parent(self):
        return None

    def local_suffix(self):
        return self.query

    def cleanup(self):
        pass

    def exists(self):
        return False

    def mtime(self):
        return 0.0

    def size(self):
        return 0

    def retrieve_object(self):
        pass

    def store_object(self):
        pass

    def remove(self):
        pass
"""


@pytest.fixture
def outside(tmp_path: Path) -> Project:
    """Return a project that holds its data and its settings alone."""
    return Project(tmp_path, workflow=False)


@pytest.fixture
def finished(outside: Project) -> Project:
    """Return such a project whose generations and scores have been made."""
    outside.run(*HERE, *TARGETS)
    return outside


def error_line(output: str, code: str) -> str:
    """Return the error line of that code; there is no other, and no traceback."""
    assert "Traceback" not in output
    lines = [line for line in output.splitlines() if re.match(r"\[[a-z]+\] ", line)]
    assert len(lines) == 1, output
    assert lines[0].startswith(f"[{code}] ")
    return lines[0]


def snakemake(directory: Path, *arguments: str, path: Path) -> subprocess.CompletedProcess[str]:
    """Run snakemake in a process that finds modules in `path`, too."""
    return subprocess.run(
        [sys.executable, "-m", "snakemake", *HERE, *arguments],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(path)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_data_and_settings_are_all_that_a_project_needs(finished: Project) -> None:
    """The rest, schema, profile, captions and environments, is the workflow's."""
    assert finished.calls() == 8
    assert "Nothing to be done" in finished.run(*HERE, *TARGETS)
    finished.run(*HERE, "data/cohorts/c1/reports/summary/leaderboard.csv")
    finished.run(*HERE, "--report", "report.html", *TARGETS)
    kept = {path.name for path in finished.dir.iterdir()}
    assert kept == {
        *(".snakemake", "calls.log", "config", "data", "echo.py", "logs", "report.html")
    }


def test_a_project_without_settings_is_told_what_to_do(outside: Project) -> None:
    """Those of the workflow are never taken: an update of it must not change what is asked."""
    outside.path("config/config.yaml").rename(outside.path("mine.yaml"))
    line = error_line(outside.run(*HERE, "-n", code=1), "config")
    assert f"{ROOT}/config/config.yaml" in line
    assert "--configfile" in line
    outside.run(*HERE, "membership", "--configfile", "mine.yaml")
    assert len(outside.membership()) == 10


@pytest.mark.parametrize("batch", ["evaluations=1/3", "scores=1/2", "all=1/2"])
def test_batches_are_refused(outside: Project, batch: str) -> None:
    """Neither before nor after the membership is there can Snakemake divide what is not known."""
    outside.run(*HERE, "membership")
    target = batch.partition("=")[0]
    line = error_line(outside.run(*HERE, target, "--batch", batch, code=1), "run")
    assert "shards=N" in line
    assert outside.calls() == 0


def test_a_default_storage_provider_is_refused(outside: Project, tmp_path: Path) -> None:
    """Before Snakemake has anything to say on patterns and flags."""
    plugins = tmp_path / "plugins"
    package = plugins / "snakemake_storage_plugin_shelf"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(STORAGE)
    arguments = ("--default-storage-provider", "shelf", "--default-storage-prefix", "x")
    found = snakemake(outside.dir, "-n", *arguments, path=plugins)
    assert found.returncode == 1
    assert "'shelf'" in error_line(found.stdout + found.stderr, "storage")


def test_users_files_can_import_pandas(outside: Project) -> None:
    """Parsers and provider functions are Python, whatever the workflow does to start fast."""
    parser = """
import pandas
from daydream.parsers import parser

@parser
def counted(answer: str) -> str:
    return str(pandas.Series([3, 4]).sum())
"""
    outside.write("parsers.py", parser)
    outside.config["parsers"] = ["parsers.py"]
    outside.save()
    outside.edit("data/1_raw/evaluation_templates.csv", "in_last_line", "counted")
    outside.write("echo.py", "import pandas\n" + outside.read("echo.py"))
    outside.run(*HERE, *TARGETS)
    assert {row["score"] for row in outside.scores()} == {"7.0"}
    assert "Nothing to be done" in outside.run(*HERE, *TARGETS)


def test_the_start_imports_no_pandas(finished: Project, tmp_path: Path) -> None:
    """It would be half of the time that a dry run takes."""
    marker = tmp_path / "imported"
    fake = tmp_path / "packages/pandas"
    fake.mkdir(parents=True)
    (fake / "__init__.py").write_text(f"open({str(marker)!r}, 'w').close()\n")
    found = snakemake(finished.dir, "-n", *TARGETS, path=fake.parent)
    assert "Nothing to be done" in found.stdout + found.stderr
    assert not marker.exists()


def test_a_table_as_a_parameter_is_recorded_as_ever(tmp_path: Path) -> None:
    """A workflow that imports this one may have tables among its params, and edit them."""
    project = Project(tmp_path, workflow=False)
    snakefile = f"""
import pandas
configfile: "config/config.yaml"
module daydream:
    snakefile: "{ROOT}/Snakefile"
    config: config
use rule * from daydream as daydream_*
rule tabulate:
    output: "out.txt"
    params: table=pandas.DataFrame({{"a": [1, 2]}})
    script: "tabulate.py"
"""
    project.write("Snakefile", snakefile)
    project.write(
        "tabulate.py", "open(snakemake.output[0], 'w').write(str(snakemake.params.table.a.sum()))"
    )
    project.run("--cores", "1", "tabulate")
    assert project.read("out.txt") == "3"
    assert "Nothing to be done" in project.run("-n", "tabulate")
    project.edit("Snakefile", "[1, 2]", "[1, 5]")
    project.run("--cores", "1", "tabulate")
    assert project.read("out.txt") == "6"


@pytest.mark.parametrize(
    "option",
    [
        ("--delete-all-output", "-n"),
        ("--summary",),
        ("--detailed-summary",),
        ("--list-changes", "params"),
        ("--dag",),
        ("--rulegraph",),
        ("--filegraph",),
        ("--forceall", "-n"),
        ("-R", "generate_raw", "-n"),
        ("--until", "generate_raw", "-n"),
        ("--omit-from", "parse_response", "-n"),
        ("--keep-incomplete", "-n"),
        ("--rerun-triggers", "mtime", "-n"),
        ("--notemp", "-n"),
        ("--list-rules",),
        ("--list-target-rules",),
        ("--print-compilation",),
        ("--lint",),
    ],
    ids=" ".join,
)
def test_an_option_works_before_a_run_and_after(outside: Project, option: tuple[str, ...]) -> None:
    """No call is made, and no traceback shown."""
    targets = () if option[0] in ("--print-compilation", "--lint") else TARGETS
    for _ in ("before", "after"):
        calls = outside.calls()
        output = outside.run(*HERE, *option, *targets)
        assert "Traceback" not in output
        assert "Error" not in output
        assert outside.calls() == calls
        outside.run(*HERE, *TARGETS)


def test_nothing_can_be_touched_where_nothing_is(outside: Project) -> None:
    """`--touch` makes no membership, and says so; afterwards it has nothing to do."""
    line = error_line(outside.run(*HERE, "--touch", *TARGETS, code=1), "membership")
    assert "snakemake -c1 membership" in line
    outside.run(*HERE, *TARGETS)
    assert "Nothing to be done" in outside.run(*HERE, "--touch", *TARGETS)


def test_output_that_is_deleted_comes_back_without_a_call(finished: Project) -> None:
    """`--delete-all-output` leaves the journal; what was paid for is taken from it."""
    before = finished.store()
    finished.run(*HERE, "--delete-all-output", *TARGETS)
    assert not finished.store()
    finished.run(*HERE, *TARGETS)
    assert finished.store() == before
    assert finished.calls() == 8


def test_nothing_has_changed_where_nothing_has(finished: Project) -> None:
    """`--list-changes` names no text, as its own account decides: a dry run says what and why."""
    for kind in ("params", "code", "input"):
        output = finished.run(*HERE, "--list-changes", kind, *TARGETS)
        assert "data/gens" not in output
    finished.config["stages"]["essay"]["sampling"] = {"temperature": 0.5}
    finished.save()
    output = finished.run(*HERE, "-n", *TARGETS)
    changed = re.findall(r"^generate_raw stage=(\w+) .*settings changed", output, re.MULTILINE)
    assert changed == ["essay", "essay"]


@pytest.mark.parametrize("rule", ["render_prompt", "generate_raw", "parse_response"])
def test_forced_jobs_take_all_with_them_that_comes_after(finished: Project, rule: str) -> None:
    """What the user forces, and what is stale elsewhere, is made in one run; nothing is paid."""
    calls = finished.calls()
    finished.edit("data/1_raw/evaluation_templates.csv", "llm,0,9", "llm,0,10")
    output = finished.run(*HERE, "-R", rule, *TARGETS)
    assert "all               10       0        0" in output
    assert all(row["score_max"] == "10.0" for row in finished.scores())
    assert "Nothing to be done" in finished.run(*HERE, *TARGETS)
    assert finished.calls() == calls


def test_a_mark_of_a_killed_job_hides_nothing(finished: Project) -> None:
    """A draft that is whole, though marked as incomplete, and an essay that is stale."""
    draft = next(finished.path("data/gens/draft").glob("*/raw.txt"))
    name = base64.b64encode(str(draft.relative_to(finished.dir)).encode()).decode()
    finished.write(f".snakemake/incomplete/{name}", "")
    finished.edit("data/1_raw/templates/essay/grow.txt", "Grow this", "Let this grow")
    calls = finished.calls()
    text = next(finished.path("data/gens/evaluation").glob("*/parsed.txt")).relative_to(
        finished.dir
    )
    finished.run(*HERE, *TARGETS, str(text))
    assert finished.calls() == calls + 4
