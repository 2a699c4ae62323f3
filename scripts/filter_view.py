"""Keeps the rows of a view of all scores, for the rule `filter_view`."""

from daydream.analysis.outputs import write_view
from daydream.workflow.job_logs import script_log

job = snakemake  # type: ignore[name-defined]  # noqa: F821 - Snakemake puts it here

with script_log(job.log[0]):
    write_view(job.input[0], **dict(job.params.items()), **dict(job.output.items()))
