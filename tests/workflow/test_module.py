"""The workflow imported by another one, as `module`, with rules of that one's own on its scores."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from support.project import ROOT, Project

IMPORT = f"""
configfile: "config/config.yaml"

module daydream:
    snakefile: "{ROOT}/Snakefile"
    config: config

use rule * from daydream as daydream_*
"""

BEST = """
rule count_scores:
    input:
        "data/cohorts/c1/reports/parsing/aggregated_scores.csv",
    output:
        "count.txt",
    shell:
        "wc -l < {input} > {output}"
"""

FAST = ("--cores", "4", "--workflow-profile", str(ROOT / "profiles/default"))


@pytest.fixture
def importer(tmp_path: Path) -> Project:
    """Return a project whose only Snakefile is one that imports the workflow."""
    project = Project(tmp_path, workflow=False)
    project.write("Snakefile", IMPORT + BEST)
    return project


def one_line(output: str, code: str) -> str:
    """Return the error line of that code; there is no other, and no traceback."""
    assert "Traceback" not in output
    lines = [line for line in output.splitlines() if re.match(r"\[[a-z]+\] ", line.lstrip())]
    assert len(lines) == 1, output
    assert lines[0].startswith(f"[{code}] ")
    return lines[0]


def test_a_rule_of_another_workflow_takes_the_scores(importer: Project) -> None:
    """All that they need is made, the run is summed up, and there is nothing to do afterwards."""
    output = importer.run(*FAST, "count_scores")
    assert importer.read("count.txt").strip() == "5"
    assert importer.calls() == 8
    assert "This run: 8 calls" in output
    assert "localrules directive" not in output
    assert "Nothing to be done" in importer.run(*FAST, "count_scores")


def test_without_a_profile_each_job_is_a_process_and_says_so(importer: Project) -> None:
    """No profile is found beside the other Snakefile: it works, slowly, with a hint."""
    output = importer.run("--cores", "4", "daydream_membership")
    assert f"--workflow-profile {ROOT}/profiles/default" in output
    assert len(importer.membership()) == 10


def test_tables_and_figures_are_made_under_other_names(importer: Project) -> None:
    """Scripts do not go by the names of rules; report captions and environments are found."""
    target = "data/7_cross_experiment/views/high/scores.csv"
    importer.config["views"] = {"high": {"where": {"essay_template": "grow"}}}
    importer.save()
    importer.run(*FAST, target, "data/cohorts/c1/reports/summary/leaderboard.csv")
    assert importer.path(target).exists()
    rows = importer.read("data/7_cross_experiment/scores.csv").splitlines()
    assert len(rows) == 5
    assert len(importer.read(target).splitlines()) == 3


def test_the_default_target_is_all_unless_there_is_a_rule_above(importer: Project) -> None:
    """As with any module: what stands first counts."""
    assert re.search(r"^daydream_all ", importer.run(*FAST, "-n"), re.MULTILINE)
    importer.write("Snakefile", BEST + IMPORT)
    output = importer.run(*FAST, "-n")
    assert re.search(r"^count_scores ", output, re.MULTILINE)
    assert "daydream_all" not in output


def test_settings_in_a_section_and_handlers_of_ones_own(importer: Project) -> None:
    """The rest of the other workflow's settings is its own; its handlers call ours."""
    importer.write("config/config.yaml", yaml.safe_dump({"mine": 1, "answers": importer.config}))
    handlers = """
onstart:
    print("my start")
    daydream.onstart()

onsuccess:
    daydream.onsuccess()
"""
    snakefile = IMPORT.replace("config: config", 'config: config["answers"]') + BEST + handlers
    importer.write("Snakefile", snakefile)
    output = importer.run(*FAST, "count_scores")
    assert "my start" in output
    assert output.count("This run: 8 calls") == 1


def test_another_workflow_keeps_its_settings_as_they_are(importer: Project) -> None:
    """Defaults and words that are read are filled into a copy."""
    snakefile = IMPORT + BEST + 'print("found", sorted(config))\n'
    importer.write("Snakefile", snakefile)
    output = importer.run(*FAST, "-n", "count_scores")
    assert f"found {sorted(importer.config)}" in output


def test_an_unknown_setting_is_refused_there_too(importer: Project) -> None:
    """A typing error must not become a setting of somebody else's."""
    importer.config["cohrts"] = ["c1"]
    importer.save()
    output = importer.run(*FAST, "count_scores", code=1)
    assert "found the unknown setting 'cohrts'" in one_line(output, "config")


def test_a_rule_that_is_imported_with_changes(importer: Project) -> None:
    """`use rule … with` runs the workflow again; it is the same experiment."""
    changed = """
use rule generate_raw from daydream as daydream_generate_raw with:
    threads: 2
"""
    importer.write("Snakefile", IMPORT + changed + BEST)
    output = importer.run(*FAST, "count_scores")
    assert output.count("This run: 8 calls") == 1
    assert importer.calls() == 8
    importer.spec["axes"]["draft_replicate"] = [1, 2]
    importer.write("data/cohorts/c1/spec/config.yaml", yaml.safe_dump(importer.spec))
    output = importer.run(*FAST, "-n", "count_scores")
    assert len(re.findall("^daydream_build_membership cohort=c1", output, re.MULTILINE)) == 1


def test_shards_of_an_imported_workflow(importer: Project) -> None:
    """Each shard is a run of the other Snakefile, wherever that has our settings."""
    importer.config["shards"] = 2
    importer.write("config/config.yaml", yaml.safe_dump({"answers": importer.config}))
    snakefile = IMPORT.replace("config: config", 'config: config["answers"]') + BEST
    importer.write("Snakefile", snakefile)
    importer.run(*FAST, "daydream_all")
    assert importer.calls() == 8
    assert len(importer.scores()) == 4
    for shard in ("1-of-2", "2-of-2"):
        assert "daydream all" in importer.read(f"logs/shards/{shard}.log")
    assert "Nothing to be done" in importer.run(*FAST, "daydream_report")


def test_a_prefix_is_refused(importer: Project) -> None:
    """The library looks for the files below the working directory, not below a prefix."""
    importer.edit("Snakefile", "    config: config", '    config: config\n    prefix: "sub"')
    output = importer.run(*FAST, "count_scores", code=1)
    assert "--directory" in one_line(output, "module")


def test_a_snakefile_in_a_repository_is_refused(importer: Project, tmp_path: Path) -> None:
    """Of `github(…)` and its like Snakemake reads single files, which Python cannot import."""
    repository = tmp_path / "repository"
    shutil.copytree(ROOT / "rules", repository / "workflow/rules")
    shutil.copy(ROOT / "Snakefile", repository / "workflow")
    git = ["git", "-C", str(repository), "-c", "user.name=x", "-c", "user.email=x@example.org"]
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "x"], ["branch", "shown"]):
        subprocess.run([*git, *arguments], check=True)
    place = f'gitfile("{repository}", path="workflow/Snakefile", ref="shown")'
    importer.edit("Snakefile", f'"{ROOT}/Snakefile"', place)
    output = importer.run(*FAST, "count_scores", code=1)
    assert "clone it" in one_line(output, "module")
