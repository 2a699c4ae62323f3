"""What the workflow replaces in Snakemake is there, and where it is not, nothing happens.

If the first test fails, Snakemake has changed something: see rules/tuning.smk for what it was for.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import snakemake.api
import snakemake.common
from snakemake import iocontainers, persistence
from snakemake.dag import DAG
from snakemake.executors.local import Executor
from snakemake.jobs import Job, Reason
from snakemake.persistence.file import FilePersistence
from snakemake.rules import Rule
from snakemake.scheduling.job_scheduler import JobScheduler
from snakemake.script import PythonScript
from snakemake.settings.types import Batch
from snakemake.workflow import Workflow

from support.project import Project

RULES = Path(__file__).parents[2] / "rules"
TUNING = RULES / "tuning.smk"
OWNERS = {
    "PersistenceBase": persistence.PersistenceBase,
    "Snakemake": iocontainers.Snakemake,
    "Batch": Batch,
    "FilePersistence": FilePersistence,
    "ParamsChange": persistence.ParamsChange,
    "DAG": DAG,
    "Job": Job,
    "JobScheduler": JobScheduler,
    "Executor": Executor,
    "PythonScript": PythonScript,
    "Workflow": Workflow,
    "Namedlist": iocontainers.Namedlist,
    "Reason": Reason,
    "Rule": Rule,
    "snakemake.common": snakemake.common,
}


def replaced() -> list[tuple[str, str, str]]:
    """Return each class and method that the rules replace, and the digest that it has to have."""
    found = []
    for file in (TUNING, RULES / "scheduler.smk", RULES / "memory.smk"):
        calls = re.findall(
            r"^replace(?:_seen)?\(\s*([\w.]+),\s(.*?)\)$",
            file.read_text(),
            re.MULTILINE | re.DOTALL,
        )
        for owner, methods in calls:
            digests = re.findall(r'(\w+)=\("(\w+)"', methods)
            names = [(name, "") for name in re.findall(r"(\w+)=(?!\()", methods)]
            found += [(owner, name, digest) for name, digest in digests or names]
    assert {owner for owner, *_ in found} == OWNERS.keys()
    return found


@pytest.mark.parametrize(("owner", "name", "digest"), replaced())
def test_what_is_replaced_is_there(owner: str, name: str, digest: str) -> None:
    """Where a release changes one of these: read it, and write its digest beside it."""
    method = vars(OWNERS[owner])[name]
    source = inspect.getsource(getattr(method, "fget", method))
    assert hashlib.sha256(source.encode()).hexdigest().startswith(digest)


def functions_of_tuning(*wanted: str) -> dict[str, Any]:
    """Return some functions of rules/tuning.smk, which is no module."""
    source = TUNING.read_text()
    names: dict[str, Any] = {"inspect": inspect, "hashlib": hashlib}
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef) and node.name in wanted:
            exec(ast.get_source_segment(source, node) or "", names)
    return names


def test_what_is_gone_is_not_replaced() -> None:
    """Of two methods that belong together, one that is gone keeps the other as it is."""
    replace = functions_of_tuning("replace")["replace"]

    class Owner:
        def kept(self) -> str:
            return "old"

    replace(Owner, kept=lambda old: lambda self: f"new {old(self)}", gone=lambda old: old)
    assert Owner().kept() == "old"
    assert not hasattr(Owner, "gone")
    replace(Owner, kept=lambda old: lambda self: f"new {old(self)}")
    assert Owner().kept() == "new old"


def test_what_a_release_has_changed_is_not_replaced() -> None:
    """Nor what belongs to it; what was replaced before is replaced again, by another import."""
    names = functions_of_tuning("replace_seen", "is_seen", "function_of", "made_here")
    replace_seen = names["replace_seen"]

    class Owner:
        def kept(self) -> str:
            return "old"

        @property
        def of(self) -> str:
            return "old"

    def digest(function: object) -> str:
        return hashlib.sha256(inspect.getsource(function).encode()).hexdigest()[:12]  # type: ignore[arg-type]

    def new(old: Any) -> Any:
        return lambda self: f"new {old(self)}"

    def new_property(old: Any) -> property:
        return property(lambda self: f"new {old.fget(self)}")

    kept, of = digest(Owner.kept), digest(vars(Owner)["of"].fget)
    replace_seen(Owner, kept=(kept, new), of=("0" * 12, new_property))
    replace_seen(Owner, kept=(kept, new), gone=(kept, new))
    assert (Owner().kept(), Owner().of) == ("old", "old")
    replace_seen(Owner, kept=(kept, new), of=(of, new_property))
    replace_seen(Owner, kept=(kept, new), of=(of, new_property))
    assert (Owner().kept(), Owner().of) == ("new new old", "new new old")


def test_other_runs_keep_their_locks(tmp_path: Path) -> None:
    """As Snakemake is, the end of any run deletes the locks of all."""
    names = functions_of_tuning("delete_own_locks")
    names |= {"Path": Path, "FilePersistence": type("Stand", (), {})}
    make = names["delete_own_locks"]
    own, other = tmp_path / "0.input.lock", tmp_path / "1.input.lock"
    own.touch()
    other.touch()
    make(lambda _: None)(SimpleNamespace(_lockfile={"input": str(own)}))
    assert not own.exists()
    assert other.exists()


def files(project: Project, *places: str) -> list[str]:
    """Return the files below some directories."""
    return sorted(
        str(path.relative_to(project.dir))
        for place in places
        for path in project.path(place).rglob("*")
        if path.is_file()
    )


def test_with_and_without_tuning_the_store_is_the_same(
    project: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Without it Snakemake writes an empty log and a record for each text as well."""
    other = Project(tmp_path_factory.mktemp("untuned"))
    other.config["tuning"] = False
    other.save()
    for each in (project, other):
        each.snakemake()
    assert project.store() == other.store()
    texts = len(project.store("*/*/prompt.txt"))
    assert not [name for name in files(project, "logs") if "/draft/" in name]
    assert len([name for name in files(other, "logs") if re.search("/[dev]_", name)]) == 3 * texts
    assert len(files(project, ".snakemake/metadata")) + 4 * texts == len(
        files(other, ".snakemake/metadata")
    )
    for each in (project, other):
        calls = each.calls()
        assert "Nothing to be done" in each.snakemake() or each.calls() == calls
        assert each.calls() == calls


def test_a_run_goes_on_from_a_store_made_without_tuning(project: Project) -> None:
    """And the other way round; nothing is made again."""
    project.config["tuning"] = False
    project.save()
    project.snakemake("drafts")
    store, calls = project.store(), project.calls()
    for tuning in (True, False):
        project.config["tuning"] = tuning
        project.save()
        output = project.snakemake("drafts")
        assert project.store() == store
        assert project.calls() == calls
        assert "render_prompt" not in output


def test_the_log_of_a_failure_is_there_until_it_succeeds(project: Project) -> None:
    """It is where the account of what has failed reads."""
    project.edit("data/1_raw/evaluation_templates.csv", "in_last_line", "three_scores_last_line")
    project.snakemake(code=1)
    failed = files(project, "logs/evaluation")
    assert len(failed) == 4
    assert all(project.path(name).read_text().startswith("[parse] ") for name in failed)
    project.edit("data/1_raw/evaluation_templates.csv", "three_scores_last_line", "in_last_line")
    project.snakemake()
    assert files(project, "logs/evaluation") == []


def test_the_report_knows_the_texts(project: Project) -> None:
    """Snakemake warns of no file without a record."""
    project.snakemake("tables", "evaluations")
    output = project.snakemake("tables", "evaluations", "--report", "report.html")
    assert "Missing metadata" not in output
    assert "generate_raw" in project.read("report.html")


def test_a_dry_run_misses_no_records_of_texts(project: Project) -> None:
    """Neither after a run nor after a part of one; a record that a table lacks is told."""
    project.snakemake("drafts")
    assert "missing provenance" not in project.snakemake("-n", "scores")
    project.snakemake("scores")
    assert "missing provenance" not in project.snakemake("-n", "scores")
    table = "data/cohorts/c1/reports/parsing/aggregated_scores.csv"
    project.snakemake("--cleanup-metadata", table)
    output = project.snakemake("-n", "scores")
    assert "1 jobs have missing provenance/metadata" in output
    assert "Rules with missing metadata: aggregate_scores" in output


def test_verbose_runs_log_each_job(project: Project) -> None:
    """Also those that make texts."""
    project.snakemake("drafts", "--printshellcmds")
    log = next(project.path(".snakemake/log").glob("*.log")).read_text()
    assert "generate_raw" in log
