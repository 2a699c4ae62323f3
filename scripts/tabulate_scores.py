"""Makes the tables of a cohort from its scores and texts, for the rule `tabulate_scores`."""

from daydream.analysis.outputs import write_tables
from daydream.workflow.job_logs import script_log

job = snakemake  # type: ignore[name-defined]  # noqa: F821 - Snakemake puts it here

with script_log(job.log[0]):
    write_tables(
        job.input.scores,
        dict(job.output.items()),
        panel=job.params.panel,
        texts=job.input.texts,
        embeddings=job.input.get("embeddings", ""),
    )
