"""The texts of a cohort as a table: one row per generation that has a text and is not a score.

Columns: ``stage, gen_id, parent_gen_id, combo_id``, then for each stage of texts, in chain order,
``<stage>_template, <stage>_llm, <stage>_replicate`` and its further dimensions (empty after the
row's own stage), then

    mode                             llm, or copy for what took over its parent's text
    file, prompt_file, parent_file   where the text, its prompt and its parent's text are
    slice                            `where` and `exclude` of the run, as in the score table
"""

from __future__ import annotations

from collections.abc import Mapping

from daydream.experiment import recipes
from daydream.experiment.experiment import Experiment
from daydream.experiment.provenance import Account
from daydream.files import write_text
from daydream.generations.row import Generation
from daydream.reports.report import unscored
from daydream.store.layout import generation_file
from daydream.tables import csv_text


def write_texts(
    experiment: Experiment, cohort: str, accounts: Mapping[str, Account], path: str
) -> None:
    """Write the texts of a cohort that there are, in membership order."""
    header = text_columns(experiment)
    rows = [
        {**_row(experiment, generation), "slice": experiment.slice}
        for generation in unscored(experiment, cohort)
        if accounts[generation.gen_id].complete
    ]
    write_text(path, csv_text(header, ([row.get(name, "") for name in header] for row in rows)))


def text_columns(experiment: Experiment) -> list[str]:
    """Return the header of the table."""
    names = ["stage", "gen_id", "parent_gen_id", "combo_id"]
    for stage in experiment.settings.stages.values():
        if not stage.scored:
            own = ("template", "llm", "replicate", *stage.dimensions)
            names += [f"{stage.name}_{name}" for name in own]
    return [*names, "mode", "file", "prompt_file", "parent_file", "slice"]


def _row(experiment: Experiment, generation: Generation) -> dict[str, str]:
    row = {
        "stage": generation.stage,
        "gen_id": generation.gen_id,
        "parent_gen_id": generation.parent_gen_id,
        "combo_id": generation.combo_id,
        "mode": "copy" if recipes.is_copy(experiment, generation) else "llm",
        "file": generation_file(generation.stage, generation.gen_id, "parsed.txt"),
        "prompt_file": generation_file(generation.stage, generation.gen_id, "prompt.txt"),
    }
    lineage = experiment.lineage(generation)
    for link in lineage:
        row[f"{link.stage}_template"] = link.template_id
        row[f"{link.stage}_llm"] = link.llm_model_id
        row[f"{link.stage}_replicate"] = link.replicate
        for name, value in recipes.dimensions(experiment, link).items():
            row[f"{link.stage}_{name}"] = value
    if generation.parent_gen_id:
        parent = lineage[-2]
        row["parent_file"] = generation_file(parent.stage, parent.gen_id, "parsed.txt")
    return row
