"""Joins the scores of all cohorts, for the rule `unite_scores`."""

from daydream.analysis.outputs import write_union
from daydream.workflow.job_logs import script_log

job = snakemake  # type: ignore[name-defined]  # noqa: F821 - Snakemake puts it here

with script_log(job.log[0]):
    write_union(job.input.scores, job.input.novelty, **dict(job.output.items()))
