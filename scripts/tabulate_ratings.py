"""Makes the tables of a cohort's ratings by people, for the rule `tabulate_ratings`."""

from daydream.analysis.outputs import write_ratings_tables
from daydream.workflow.job_logs import script_log

job = snakemake  # type: ignore[name-defined]  # noqa: F821 - Snakemake puts it here

with script_log(job.log[0]):
    write_ratings_tables(
        job.input.scores,
        job.input.ratings,
        dict(job.output.items()),
        panel=job.params.panel,
    )
