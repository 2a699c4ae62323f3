"""Makes the tables of a cohort's criteria from its scores, for the rule `tabulate_criteria`."""

from daydream.analysis.outputs import write_criteria
from daydream.workflow.job_logs import script_log

job = snakemake  # type: ignore[name-defined]  # noqa: F821 - Snakemake puts it here

with script_log(job.log[0]):
    write_criteria(
        job.input[0],
        dict(job.output.items()),
        job.params.criteria,
        panel=job.params.panel,
    )
