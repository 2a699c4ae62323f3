"""Makes what the rules of rules/analysis.smk ask for; each is one call into the library.

An error of the user's is one line in the job's log, which Snakemake shows.
"""

import sys

from daydream.analysis.outputs import write_tables, write_union, write_view
from daydream.errors import DaydreamError
from daydream.workflow.console import job_log

job = snakemake  # type: ignore[name-defined]  # noqa: F821 - Snakemake puts it here
output, params = dict(job.output.items()), dict(job.params.items())

try:
    with job_log(job.log[0]):
        # Not by the rule's name, which is another one where this workflow is imported.
        if "conditions" in params:
            write_view(job.input[0], **params, **output)
        elif "rows" in output:
            write_union(list(job.input), **output)
        else:
            write_tables(job.input[0], output)
except DaydreamError:
    sys.exit(1)
