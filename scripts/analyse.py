"""Makes what the rules of rules/analysis.smk ask for; each is one call into the library.

An error of the user's is one line in the job's log, which Snakemake shows.
"""

import sys

from daydream.analysis.outputs import write_tables, write_union, write_view
from daydream.console import job_log
from daydream.errors import DaydreamError

job = snakemake  # type: ignore[name-defined]  # noqa: F821 - Snakemake puts it here
output = dict(job.output.items())

try:
    with job_log(job.log[0]):
        match job.rule:
            case "tabulate_scores":
                write_tables(job.input[0], output)
            case "unite_scores":
                write_union(list(job.input), **output)
            case "filter_view":
                write_view(job.input[0], **dict(job.params.items()), **output)
except DaydreamError:
    sys.exit(1)
