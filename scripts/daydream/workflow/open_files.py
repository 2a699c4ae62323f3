"""As many open files as the jobs of a run need at once.

The limit that a process begins with is often 1,024, or 256, and programs may raise it themselves up
to a second one, the hard limit. Where too few can be open, a paid answer could not be written down.
"""

from __future__ import annotations

import resource
from contextlib import suppress

from daydream.errors import DaydreamError

# What a run has open beside its jobs, with room for reports that are made meanwhile.
BASE = 96
# What a job may have open at once: the event loop that Snakemake gives its thread (3), the claim of
# its answer, a place among the calls in flight, and a file that is being written or read.
PER_JOB = 6
# So many threads has Snakemake beside those of the cores, for jobs that take none.
SPARE_JOBS = 5


class OpenFilesError(DaydreamError):
    """Fewer files can be open than the jobs of a run need."""

    code = "run"


def allow_open_files(jobs: int, *, providers: int) -> None:
    """Let this process open as many files as so many jobs at once may need.

    A connection to each provider stays open for as many calls as were in flight.

    Raises:
        OpenFilesError: the hard limit is lower.
    """
    if not jobs:
        return
    per_job = PER_JOB + providers
    needed = BASE + per_job * (jobs + SPARE_JOBS)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    allowed = soft
    if hard == resource.RLIM_INFINITY or hard >= needed:
        # A system may have a limit of its own below the one that it says.
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
            return
    else:
        allowed = hard
    fewer = (allowed - BASE) // per_job - SPARE_JOBS
    remedy = f"allow more with ulimit -n {needed}, which may take an administrator"
    if fewer > 0:
        remedy += f", or give --cores {fewer}"
    raise OpenFilesError(
        f"{jobs:,} jobs at once may need {needed:,} open files, and at most {allowed:,} are "
        f"allowed here; {remedy}"
    )
