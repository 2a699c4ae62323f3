"""Draws the figures of a cohort, for the rule `draw_figures`."""

from daydream.figures.outputs import draw_figures
from daydream.workflow.job_logs import script_log

job = snakemake  # type: ignore[name-defined]  # noqa: F821 - Snakemake puts it here

with script_log(job.log[0]):
    draw_figures(dict(job.input.items()), cohort=job.wildcards.cohort, output=list(job.output))
