"""`prune`: what no cohort reaches is listed, and put aside at the user's word alone."""

from __future__ import annotations

import csv
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from daydream.errors import InputError
from daydream.experiment.experiment import Experiment
from daydream.planning.prune import prune
from daydream.settings import load_settings
from support.project import Project
from support.provider_server import ProviderServer


@pytest.fixture
def shrunk(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Return a finished project whose cohort has lost a level since; it is the directory."""
    with ProviderServer() as server:
        project.serve(server.url)
        project.snakemake()
    project.spec["axes"]["essay_template"] = project.spec["axes"]["essay_template"][:1]
    project.save()
    monkeypatch.chdir(project.dir)
    return project


def experiment(project: Project) -> Experiment:
    """Return the experiment as a run has it: of today's spec."""
    return Experiment(load_settings(yaml.safe_load(project.read("config/config.yaml"))), mode="run")


def files(place: str) -> dict[str, bytes]:
    root = Path(place)
    return {
        str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }


def test_a_list_changes_nothing(shrunk: Project) -> None:
    """It says how many generations and answers, what they cost, and how to put them aside."""
    before = files("data")
    text = prune(experiment(shrunk), confirm=False)
    assert files("data") == before
    assert "Nothing was moved" in text
    assert "snakemake -c1 prune --config confirm=true" in text
    kept = {row.gen_id for row in experiment(shrunk).generations.values()}
    there = {path.name for path in Path("data/gens").glob("*/*")}
    listed = sum(
        int(line.split()[1])
        for line in text.splitlines()
        if line.startswith(("essay", "evaluation"))
    )
    assert listed == len(there - kept) > 0


def test_put_aside_and_brought_back(shrunk: Project) -> None:
    """With every answer; what cohorts reach stays, and nothing is asked for again."""
    before = files("data/gens")
    text = prune(experiment(shrunk), confirm=True)
    (target,) = Path("data/pruned").iterdir()
    kept = files("data/gens")
    aside = {name: data for name, data in files(str(target)).items() if name != "pruned.csv"}
    assert kept | aside == before
    assert not kept.keys() & aside.keys()
    with (target / "pruned.csv").open() as file:
        assert {row["gen_id"] for row in csv.DictReader(file)} == {
            name.split("/")[1] for name in aside
        }
    assert {name.split("/")[1] for name in kept} == set(experiment(shrunk).generations)
    assert "nothing to prune" in prune(experiment(shrunk), confirm=True)
    command = text.splitlines()[-1].strip()
    subprocess.run(command, shell=True, check=True)
    assert files("data/gens") == before
    prune(experiment(shrunk), confirm=True)
    assert len(list(Path("data/pruned").iterdir())) == 2
    with ProviderServer() as server:
        shrunk.serve(server.url)
        shrunk.snakemake()
        assert server.history == []


def test_what_another_cohort_reaches_stays(shrunk: Project) -> None:
    """Also of one that is not configured, as long as its membership is there."""
    shutil.copytree("data/cohorts/c1", "data/cohorts/older")
    assert "nothing to prune" in prune(experiment(shrunk), confirm=True)
    Path("data/cohorts/older/membership.csv").unlink()
    with pytest.raises(InputError, match=r"older/membership.csv: is missing, so that nobody knows"):
        prune(experiment(shrunk), confirm=True)
    shutil.rmtree("data/cohorts/older")
    assert "They are in data/pruned/" in prune(experiment(shrunk), confirm=True)


def test_prune_by_snakemake(shrunk: Project) -> None:
    output = shrunk.run("-c1", "prune")
    assert "Nothing was moved" in output
    shrunk.write("my own.yaml", "partial: true\n")
    told = shrunk.run("-c1", "prune", "--configfile", "my own.yaml")
    assert "  snakemake -c1 prune --configfile 'my own.yaml' --config confirm=true\n" in told
    output = shrunk.run("-c1", "prune", "--config", "confirm=true")
    assert "They are in data/pruned/" in output
    assert "nothing to prune" in shrunk.run("-c1", "prune")
    assert "Nothing is wrong." in shrunk.run("-c1", "check")
