# What this workflow replaces in Snakemake, seen with 9.27. What is replaced may be renamed by any
# release: then nothing is replaced, runs are slower or less tidy, and
# tests/workflow/test_internals.py says what is gone.
import gc
import hashlib
import inspect
import signal
import sys
from collections.abc import Sequence
from contextlib import contextmanager, nullcontext
from functools import cache
from pathlib import Path

import snakemake.common
from snakemake.dag import DAG
from snakemake.exceptions import WorkflowError
from snakemake.io import is_flagged
from snakemake.iocontainers import Params, Snakemake
from snakemake.jobs import Job
from snakemake.persistence import (
    RECORD_FORMAT_VERSION,
    MetadataRecord,
    ParamsChange,
    PersistenceBase,
)
from snakemake.persistence.file import FilePersistence
from snakemake.scheduling.job_scheduler import JobScheduler
from snakemake.script import PythonScript
from snakemake.settings.types import Batch
from snakemake.workflow import Workflow

from daydream.workflow import runlock

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
