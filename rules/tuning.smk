# All that reaches into Snakemake's own parts, seen with 9.27: what this workflow learns from it, and
# what it replaces there. What is replaced may be renamed by any release: then nothing is replaced,
# runs are slower or less tidy, and tests/workflow/test_internals.py says what is gone.
import gc
import hashlib
import inspect
import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import contextmanager, nullcontext
from functools import cache
from itertools import filterfalse
from pathlib import Path

import snakemake.common
from snakemake.dag import DAG
from snakemake.exceptions import WorkflowError
from snakemake.io import is_flagged
from snakemake.iocontainers import Params, Snakemake
from snakemake.jobs import Job
from snakemake.logging import DefaultFilter
from snakemake.persistence import (
    RECORD_FORMAT_VERSION,
    MetadataRecord,
    ParamsChange,
    PersistenceBase,
)
from snakemake.persistence.file import FilePersistence
from snakemake.scheduling.job_scheduler import JobScheduler
from snakemake.script import PythonScript
from snakemake.settings.enums import Quietness
from snakemake.settings.types import Batch, RerunTrigger
from snakemake.sourcecache import LocalSourceFile
from snakemake.workflow import Workflow

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


# A DAG is millions of objects that stay: looking for garbage among them at Python's usual pace was a
# fifth of the planning time.
gc.set_threshold(100_000, 50, 100)


def replace(owner, **replacements):
    """Replace methods of a class, each made from the one that is there; all of them, or none."""
    there = {name: vars(owner).get(name) for name in replacements}
    if all(there.values()):
        for name, make in replacements.items():
            setattr(owner, name, make(there[name]))


def replace_seen(owner, **replacements):
    """The same for what only makes runs faster, where each method is the one that was read.

    With it stands the beginning of the SHA-256 of its source. A method that a release has changed
    stays, and the others of its call with it: `test_internals.py` says which.
    """
    there = {name: vars(owner).get(name) for name in replacements}
    if all(is_seen(there[name], digest) for name, (digest, _) in replacements.items()):
        for name, (_, make) in replacements.items():
            setattr(owner, name, made_here(make(there[name])))


def function_of(method):
    """Return the function of a method or a property."""
    return getattr(method, "fget", method)


def is_seen(method, digest):
    """Tell whether a method is the one that was read, or one of this file's in its place."""
    function = function_of(method)
    if function is None or hasattr(function, "of_daydream"):
        return function is not None
    source = inspect.getsource(function).encode()
    return hashlib.sha256(source).hexdigest().startswith(digest)


def made_here(method):
    """Mark a method as one of this file's: a workflow may be imported several times."""
    function_of(method).of_daydream = True
    return method


def is_table(value):
    """Tell whether a parameter is of pandas or its kind, without importing any of them."""
    packages = {base.__module__.partition(".")[0] for base in type(value).__mro__}
    return not packages.isdisjoint(("pandas", "numpy", "polars"))


def serialize_without_pandas(serialize):
    """Snakemake imports pandas, a second of every start, to see whether a parameter is a table.

    What a parameter is recorded as stays the same.
    """

    def serialize_param(self, value):
        if is_table(value):
            return serialize(self, value)
        return self._serialize_param_builtin(value)

    return serialize_param


def store_without_pandas(store):
    """The same, for the parameters that a script is given."""

    def store_params(self, params):
        if any(map(is_table, params)):
            store(self, params)
            return
        self._params_store = Params(toclone=list(params))
        self._params_store._take_names(params._get_names())
        self._params_types = {}

    return store_params


def refuse_batches(divide):
    """--batch for a rule of this workflow ends in one line; those of another one are not ours."""
    own = workflow.modifier.rules

    def get_batch(self, items):
        if self.rulename in [known.name for known in own]:
            raise WorkflowError(
                f"[run] found --batch {self.rulename}={self.idx}/{self.batches}, which Snakemake cannot "
                "do: what a rule here takes is not known before the cohorts are expanded; give "
                "--config shards=N to divide a run (docs/cluster.md), 'where={...}' to make a part"
            )
        return divide(self, items)

    return get_batch


def lock_for_writers(lock):
    """A run that makes no text waits for no other, keeps none waiting, and is none to follow."""

    @contextmanager
    def lock_unless_reading(self):
        targets = target_rules()
        only_reads = bool(targets) and targets <= readers
        # In this order: a scope is of compiled cohorts, whose mistakes are not for an import to tell.
        looks = only_reads or (experiment.settings.partial and own_scope().only_looks)
        if looks:
            runlock.leave()
        elif MODE == "run":
            runlock.enter()
        with nullcontext() if looks else lock(self):
            yield

    return lock_unless_reading


def run_undisturbed(execute_script):
    """A script of ours gets no Ctrl-C, which a terminal sends to every process of a run.

    It would break off with a traceback, in whatever it imports, before any line of ours. It is done
    in a moment, and what a signal means is for the run to say. A process has the signals blocked
    that the thread has which starts it.
    """
    own = workflow.modifier.rules

    def execute(self, *more, **options):
        if self.rulename not in [known.name for known in own]:
            return execute_script(self, *more, **options)
        ends = {signal.SIGINT, signal.SIGTERM}
        before = signal.pthread_sigmask(signal.SIG_BLOCK, ends)
        try:
            return execute_script(self, *more, **options)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    return execute


def delete_own_locks(delete_all):
    """Snakemake's end of a run deletes the locks of every run in the directory."""

    def delete_locks(self):
        for file in self._lockfile.values():
            Path(file).unlink(missing_ok=True)
        self._lockfile.clear()

    # What `snakemake --unlock` calls; once, as a workflow that imports this one may do so twice.
    if "cleanup_locks" not in vars(FilePersistence):
        FilePersistence.cleanup_locks = delete_all
    return delete_locks


@cache
def text_rules():
    """Return the names here of the rules that make texts."""
    return set(map(name_here, TEXT_RULES))


def makes_text(job):
    """Tell whether a job makes a text of a generation, by one of the three rules that do."""
    made_by = getattr(job, "rule", None)
    return made_by is not None and is_of_texts(made_by)


def is_of_texts(maker):
    """Tell whether its jobs are such; with `tuning: false` none are taken for such."""
    return experiment.settings.tuning and maker.name in text_rules()


def start_without_marks(started):
    """A text takes its name when it is whole, so nothing needs to mark it as incomplete before."""

    def start(self, job, *more):
        if not makes_text(job):
            started(self, job, *more)

    return start


def finish_without_records(finished):
    """What a text is made of is in its own record (provenance.json), which alone counts here."""

    async def finish(self, job):
        if not makes_text(job):
            await finished(self, job)

    return finish


def metadata_of_texts(metadata):
    """Look for no record of a text; tell `--report` the rule that made it, and when."""
    reports = any(word.split("=")[0] == "--report" for word in sys.argv)
    makers = {"prompt.txt": "render_prompt", "parsed.txt": "parse_response"}

    def of(self, path):
        if not (experiment.settings.tuning and path.startswith("data/gens/")):
            return metadata(self, path)
        if not reports or not Path(path).exists():
            return None
        made_at = Path(path).stat().st_mtime
        known = {"rule": name_here(makers.get(Path(path).name, "generate_raw"))}
        return MetadataRecord(
            **known,
            job_hash=hash(str(path)),
            record_format_version=RECORD_FORMAT_VERSION,
            starttime=made_at,
            endtime=made_at,
        )

    return of


def lack_no_records(log_missing):
    """A dry run tells of files without a record of Snakemake's own; texts have none, rightly."""

    def log_missing_metadata_info(self):
        for job in self.dag.jobs:
            if makes_text(job):
                self.dag.reason(job).no_metadata = False
        log_missing(self)

    return log_missing_metadata_info


def log_of_failures(handle_log):
    """No empty log for a text: its log is there if the last attempt failed."""

    async def handle(self, job):
        if not makes_text(job):
            await handle_log(self, job)

    return handle


def date_after_inputs(_):
    """Snakemake fails a job whose input is dated in the future, as by a clock of another machine.

    Of a text only the content counts. Any other output takes the time of its newest input, so that
    the next run does not find it outdated.
    """

    async def check(self, job, expanded_output):
        if makes_text(job):
            return
        inputs = [file for file in job.input if not file.is_ancient]
        newest = max([await time_of(file) for file in inputs], default=0)
        for file in expanded_output:
            if 0 < await time_of(file) < newest:
                file.touch(times=(newest, newest))

    return check


async def time_of(file):
    """Return when a file was last changed, as it is now; 0 if there is none."""
    if not await file.exists_local():
        return 0
    return (await file.mtime_uncached(skip_storage=True)).local()


@cache
def has_pipes():
    """Tell whether any rule of the whole workflow has a pipe or a service as its output."""
    return any(
        is_flagged(file, flag)
        for rule in workflow.rules
        for file in rule.output
        for flag in ("pipe", "service")
    )


def ask_for_pipes_if_any(is_pipe_or_service_input):
    """Snakemake compares each input of a job with all jobs before it: n² steps for a report."""

    def ask(self, path):
        return has_pipes() and is_pipe_or_service_input(self, path)

    return ask


def log_info_of_others(log_info):
    """A text's job is told to the progress alone; what is told of it cost more than starting it."""

    def log(self, *more, **options):
        if logs_less() and makes_text(self):
            progress.begin(self.jobid, self.rule.name, self.wildcards_dict["gen_id"])
        elif not lists_none():
            log_info(self, *more, **options)

    return log


@cache
def lists_none():
    """Tell whether this is a dry run that lists no jobs."""
    tuned = experiment.settings.tuning and not workflow.output_settings.verbose
    return MODE == "dry-run" and tuned and hides_jobs


@cache
def logs_less():
    """Tell whether nobody reads what is logged of each job: no logger but ours, and not --verbose."""
    given = workflow.output_settings
    return (
        MODE == "run"
        and experiment.settings.tuning
        and not (given.verbose or given.printshellcmds)
        and set(given.log_handler_settings) <= {"rich"}
    )


def remember_params(get_function_params):
    """Snakemake finds out the parameters of each resource's function again, three times a job."""
    known = {}

    def get(func):
        own = getattr(func, "__func__", func)
        key = own, own is func
        if key not in known:
            known[key] = get_function_params(func)
        return known[key]

    return get


class Later(Sequence):
    """A list that is made when somebody looks at it."""

    def __init__(self, make):
        self._make = make

    def __getitem__(self, place):
        return self._make()[place]

    def __len__(self):
        return len(self._make())


def list_jobs_if_asked(remaining_jobs):
    """Each round lists all jobs of the DAG for the scheduler; the greedy one does not look at them."""
    return property(lambda self: Later(lambda: remaining_jobs.fget(self)))


# What only makes runs faster, as it is in Snakemake 9.27.
replace_seen(
    PersistenceBase,
    started=("a2febaa91900", start_without_marks),
    finished=("3f347851a55e", finish_without_records),
    metadata=("577378a271d6", metadata_of_texts),
)
replace_seen(DAG, handle_log=("95b3d6d8878b", log_of_failures))
replace_seen(Job, is_pipe_or_service_input=("e1e6678cceb7", ask_for_pipes_if_any))
replace_seen(Job, log_info=("f24bb879faed", log_info_of_others))
replace_seen(snakemake.common, get_function_params=("ffd80f636452", remember_params))
replace_seen(JobScheduler, remaining_jobs=("909082fdffda", list_jobs_if_asked))
replace_seen(
    PersistenceBase, _serialize_param_pandas=("bb3b93502e24", serialize_without_pandas)
)
replace_seen(Snakemake, _safely_store_params=("e08b6d9fa56a", store_without_pandas))

replace(Batch, get_batch=refuse_batches)
replace(DAG, check_output_mtime=date_after_inputs)
replace(PersistenceBase, lock=lock_for_writers)
replace(Workflow, log_missing_metadata_info=lack_no_records)
replace(PythonScript, execute_script=run_undisturbed)
replace(FilePersistence, _delete_locks=delete_own_locks)
# `--list-changes params` names every file that has parameters, changed or not.
replace(ParamsChange, __iter__=lambda _: lambda self: iter(self.files if self else ()))
