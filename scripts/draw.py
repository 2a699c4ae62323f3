"""Draws the figures of a cohort, as rules/figures.smk asks; one call into the library.

An error of the user's is one line in the job's log, which Snakemake shows.
"""

import sys

from daydream.errors import DaydreamError
from daydream.figures.outputs import draw_figures
from daydream.workflow.console import job_log

job = snakemake  # type: ignore[name-defined]  # noqa: F821 - Snakemake puts it here

try:
    with job_log(job.log[0]):
        draw_figures(dict(job.input.items()), cohort=job.wildcards.cohort, output=list(job.output))
except DaydreamError:
    sys.exit(1)
