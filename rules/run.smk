# The run that Snakemake is on: what it was asked to do, where this workflow is, what happens at its
# start and what files it has to make. What is taken from Snakemake's own parts was seen with 9.27.
import os
import sys
import time
from functools import cache
from itertools import filterfalse
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import DefaultFilter
from snakemake.settings.enums import Quietness
from snakemake.settings.types import RerunTrigger
from snakemake.sourcecache import LocalSourceFile

# For how many seconds a text that is gone may be made again by another run.
AGAIN_S = 5
# Where this workflow is: `workflow.basedir` is that of another one that imports it.
here = workflow.current_basedir
if not isinstance(here, LocalSourceFile):
    raise WorkflowError(
        "[module] this workflow holds a Python library, which Snakemake cannot import out of a "
        "repository; clone it, and name the Snakefile of the clone (docs/deploy.md)"
    )
ROOT = Path(here).parent
sys.path.insert(0, str(ROOT / "scripts"))

from daydream.calls.stop import end_before_jobs

if workflow.is_main_process:
    # Before what takes time, such as the other imports.
    end_before_jobs()

from daydream.workflow import console, dry_runs, log_files, repeats, runlock, subrun


def name_here(rule):
    """Return the name that a rule of this workflow has where it is imported, or None."""
    return workflow.modifier.avail_rulename(rule)


# The rules that make the texts of generations, three for each: what they cost is what a run costs.
TEXT_RULES = ("render_prompt", "generate_raw", "parse_response")
# Commands that read whole files, whatever else is going on, or have locks of their own (batches): they
# take none of Snakemake's.
READERS = (
    *("plan", "explain", "diff", "combos", "restore", "check", "allocate"),
    *("batches", "follow"),
)

MODE = (
    "job"
    if not workflow.is_main_process
    else "dry-run" if workflow.output_settings.dryrun else "run"
)

quiet = {*(workflow.output_settings.quiet or ())}
hides_jobs = not quiet.isdisjoint((Quietness.ALL, Quietness.RULES))
# What may only read is not announced as a run before its lock is asked for; targets are not known yet.
readers = set(map(name_here, READERS))
if MODE == "run" and readers.isdisjoint(sys.argv):
    runlock.enter()
progress = console.attach(runlock.others)
loggers = workflow.output_settings.log_handler_settings
if MODE == "dry-run" and "rich" in loggers and not hides_jobs:
    dry_runs.list_jobs()


def heed_quiet():
    """Let `--quiet` hold for the logger plugins, which do not know it; tell if it is about progress.

    Snakemake's filter leaves out what it says of rules or progress. What this workflow says, such as
    failures and the summary, is neither, and stays; `all` leaves out everything.
    """
    manager = getattr(workflow, "logger_manager", None)
    handlers = getattr(manager, "plugin_handlers", None) or ()
    for handler in handlers if quiet else ():
        if not any(isinstance(each, DefaultFilter) for each in handler.filters):
            handler.addFilter(manager._default_filter())
    if MODE == "dry-run" and quiet == {Quietness.RULES, Quietness.PROGRESS}:
        # Snakemake ends such a dry run early, before anything says what it would cost.
        workflow.output_settings.quiet.add(Quietness.REASON)
    return not quiet.isdisjoint((Quietness.ALL, Quietness.PROGRESS))


shows_progress = not heed_quiet()

# A workflow that imports this one runs it again at each `use rule`. What holds for all of these:
# by their settings, the experiments, what a run covers of them (and whether their memberships are
# there), the checkpoints, and what is asked in batches; and the experiments whose end has been told.
experiments, scopes, expanded, known_checkpoints, told, in_batches = vars(
    workflow
).setdefault("daydream", ({}, {}, set(), {}, set(), {}))


def is_main(settings):
    """Tell whether settings are those of the main Snakefile, to which files and --config belong."""
    return settings is workflow.modifier_stack[0].globals["config"]


@cache
def is_forced():
    """Tell whether the command line forces jobs, as `--forcerun` does; asked before `make_again`."""
    dag = workflow.dag
    trust_whole_texts(dag)
    return bool(dag.forcerules or dag.forcefiles)


def trust_whole_texts(dag):
    """Let marks of incomplete outputs count for reports alone: a text takes its name when it is whole.

    Snakemake would force such a file, and then not look whether what comes after it is to be made.
    """
    marked = dag.incomplete_files

    async def incomplete_files():
        return [file for file in await marked() if not file.startswith("data/gens/")]

    dag.incomplete_files = incomplete_files


def make_again(files):
    """Have Snakemake make files again, as `--forcerun` does, of whatever age they are."""
    is_forced()
    workflow.dag.forcefiles.update(files)


def settled(file):
    """Return an input file whose time does not count, unless this run makes the file again.

    Where the user forces jobs, what comes after them is made again by Snakemake's own rules.
    """
    made_again = is_forced() or file in workflow.dag.forcefiles
    return file if made_again else ancient(file)


def compare_no_inputs():
    """Let no job run because it names other inputs than the last time.

    What a report waits for differs from run to run, and says nothing about what it is made of.
    """
    given = workflow.dag_settings.rerun_triggers
    kept = {RerunTrigger.MTIME, RerunTrigger.PARAMS}
    workflow.dag_settings.rerun_triggers = frozenset(given) & kept


def is_to_run():
    """Tell whether jobs are to be done: not in a dry run, a summary, or any other look."""
    return MODE == "run" and workflow.executor_plugin is not None and not workflow.touch


def target_rules():
    """Return the names of the rules that this run was given as targets."""
    return {rule.name for rule in workflow.dag.targetrules}


def open_outputs():
    """Return the files that this run has still to make."""
    return [
        str(file)
        for job in workflow.dag.needrun_jobs()
        if not workflow.dag.finished(job)
        for file in job.output
    ]


def lost_texts():
    """Return the texts that this run has made or found, and that are not there any more.

    Runs without a lock take each other's texts away to make them again: that takes a moment.
    """
    texts = {
        str(file)
        for job in (workflow.dag.jobs if is_to_run() else ())
        for file in job.output
        if file.startswith("data/gens/") and file.endswith("parsed.txt")
    }
    end = time.monotonic() + AGAIN_S
    while lost := sorted(filterfalse(os.path.exists, texts)):
        if time.monotonic() > end:
            break
        time.sleep(0.2)
    return lost


def share_checkpoint(name, key):
    """Let rules that are imported without the checkpoint wait for the one imported before."""
    if hasattr(checkpoints, name):
        known_checkpoints[key] = getattr(checkpoints, name)
    elif key in known_checkpoints:
        setattr(checkpoints, name, known_checkpoints[key])


def own_profile():
    """Return the profile of a run within this one, if Snakemake would find none by itself."""
    found = any(
        Path(place, "profiles/default").exists() for place in (".", workflow.basedir)
    )
    return None if found else str(ROOT / "profiles/default")


def run_handlers(start, success, failure):
    """Have an imported workflow's handlers run, too: Snakemake runs the main Snakefile's alone.

    A main Snakefile that has handlers below the import calls them itself (docs/deploy.md).
    """
    if workflow.modifier.is_main_snakefile():
        return
    for name, own in (
        ("_onstart", start),
        ("_onsuccess", success),
        ("_onerror", failure),
    ):

        def both(log, given=getattr(workflow, name), own=own):
            given(log)
            own()

        setattr(workflow, name, both)


def draws():
    """Show the progress where the logger plugin draws; tell whether there is such a plugin.

    Seen with Snakemake 9.27 and its plugin rich 0.5; without them the progress is told in lines.
    """
    from daydream.workflow.display import take_over

    manager = getattr(workflow, "logger_manager", None)
    return take_over(getattr(manager, "plugin_handlers", None) or (), progress)


def start_run(experiment):
    """Prepare a run, before its first job."""
    if any(file.startswith(("data/", "logs/shards/")) for file in open_outputs()):
        withdraw_outdated(experiment, own_scope().accounts, console.tell)
    experiment.stop.install()
    if logs_less():
        console.log_less(progress)
    if manager := getattr(workflow, "logger_manager", None):
        log_files.say_once(manager.logfile_handlers, console.tell)
        repeats.shorten(console.LOGGER, manager.logfile_handlers, console.tell)
    subrun.watch_parent(
        lambda: experiment.stop.request("the run that started this one has ended")
    )
    progress.start(
        experiment.calls.ledger.spent,
        expected_answers,
        tells=shows_progress
        and not only_looked()
        and not (sys.stderr.isatty() and draws()),
    )
    # Where there is a limit of jobs per second, each round of the scheduler begins another a second
    # later, and that one too: after some minutes it does nothing else, with a thousand threads that
    # wait. The profile's limit is none, but can only be said as a large number.
    if workflow.scheduling_settings.max_jobs_per_timespan.max_jobs >= 100_000:
        workflow.scheduler.job_rate_limiter = None
    order_ready_jobs()
    if not workflow.use_threads:
        console.tell(
            "[run] without force-use-threads each job starts a Snakemake of its own, which takes "
            f"seconds: add --workflow-profile {ROOT}/profiles/default, or copy that directory to "
            "profiles/default here"
        )
