"""The experiment of a project, and its files made, by the library alone: without Snakemake."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import yaml

from daydream.experiment import recipes
from daydream.experiment.experiment import Experiment
from daydream.experiment.phases import generate_raw, parse_response, render_prompt
from daydream.settings import load_settings
from daydream.store.layout import generation_file
from support.project import Project


def experiment(project: Project) -> Experiment:
    """Return the experiment as the configuration is written, of the working directory."""
    config = yaml.safe_load(project.read("config/config.yaml"))
    return Experiment(load_settings(config))


def compiled(project: Project, *cohorts: str) -> Experiment:
    """Return the experiment with the memberships of these cohorts, or of those configured."""
    project.config["cohorts"] = list(cohorts) or project.config["cohorts"]
    project.save()
    made = experiment(project)
    for cohort in made.settings.cohorts:
        table = project.path(f"data/cohorts/{cohort}/membership.csv")
        table.write_text(made.membership_text(cohort))
    return made


def make(made: Experiment, gen_ids: Iterable[str] | None = None) -> None:
    """Make the files of generations, or of all, by the functions that the rules call."""
    for row in made.generations.values() if gen_ids is None else map(made.generation_of, gen_ids):
        names = ("prompt.txt", "raw.txt", "metadata.json", "parsed.txt")
        prompt, raw, metadata, parsed = (
            generation_file(row.stage, row.gen_id, name) for name in names
        )
        Path(prompt).parent.mkdir(parents=True, exist_ok=True)
        ancestors = recipes.prompt_inputs(made, row).get("ancestors", [])
        render_prompt(made, row, ancestors=ancestors, output=prompt)
        generate_raw(made, row, **recipes.raw_inputs(made, row), raw=raw, metadata=metadata)
        parse_response(made, row, **recipes.parsed_inputs(made, row), output=parsed)


def evaluation(project: Project, template: str = "grow", combo: str = "pair") -> str:
    """Return the id of the evaluation of an essay of that template."""
    rows = {row["gen_id"]: row for row in project.membership()}
    (found,) = (
        name
        for name, row in rows.items()
        if row["stage"] == "evaluation"
        and row["combo_id"] == combo
        and rows[row["parent_gen_id"]]["template_id"] == template
    )
    return found
