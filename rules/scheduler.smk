# Which of the jobs that make texts begin next, and how, seen with Snakemake 9.27.
#
# `--cores N` is N calls in flight, as long as there are N to make. A prompt and a parser take
# milliseconds of this process and no core (`threads: 0`, for which Snakemake keeps workers of its
# own): when calls end together, the next ones have their prompts already. Snakemake looks at all
# ready jobs each time one ends, and at none while all cores are taken; here jobs that are alike
# stand in one line, and only the first of each is looked at.
import os
from collections import Counter
from collections.abc import MutableSet
from inspect import signature
from itertools import islice

from snakemake.executors.local import Executor, run_wrapper
from snakemake.iocontainers import AttributeGuard, Namedlist

# How many jobs begin before those that have ended meanwhile are looked at.
AT_ONCE = 64
# So many chains go through all stages first: what is wrong in the last stage shows early.
PILOTS = 8


def calls_flow():
    """Tell whether this run chooses its jobs by this file: it makes texts in threads of its own."""
    return (
        is_to_run()
        and experiment.settings.tuning
        and workflow.local_exec
        and workflow.use_threads
        and workflow.scheduler.job_rate_limiter is None
    )


class ReadyJobs(MutableSet):
    """The set of jobs that can begin, with a line for those that make texts and are alike."""

    def __init__(self, jobs):
        self._lines = {}
        self._others = {}
        self._line_of = {}
        self._begun = Counter()
        self.has_more = False
        self._depth = {
            name: place for place, name in enumerate(experiment.settings.stages)
        }
        self.update(jobs)

    def __contains__(self, job):
        return job in self._line_of or job in self._others

    def __iter__(self):
        yield from self._others
        yield from self._line_of

    def __len__(self):
        return len(self._others) + len(self._line_of)

    def add(self, job):
        if not makes_text(job):
            self._others[job] = None
        elif job not in self._line_of:
            settle_resources(job)
            line = self._line(job)
            self._line_of[job] = line
            self._lines.setdefault(line, {})[job] = None

    def discard(self, job):
        self._others.pop(job, None)
        if (line := self._line_of.pop(job, None)) is not None:
            del self._lines[line][job]

    def update(self, jobs):
        for job in jobs:
            self.add(job)

    def clear(self):
        for known in (self._lines, self._others, self._line_of):
            known.clear()

    def _line(self, job):
        needs = job.scheduler_resources
        needed = tuple(
            (name, needs[name])
            for name, limit in workflow.scheduler.global_resources.items()
            if limit < sys.maxsize and needs.get(name)
        )
        stage = job.wildcards_dict["stage"]
        return job.priority, job.rule.name, stage, bool(job.threads), needed

    def next(self, free):
        """Return the texts' jobs that begin now, by what is free of each resource; then all others.

        `has_more` tells whether more of them could begin now. What makes no text, such as the report
        of a cohort that is done, would never find a core among calls: one such job has its own kept.
        """
        free, chosen = dict(free), []
        others = [job.scheduler_resources.get("_cores", 0) for job in self._others]
        free["_cores"] -= min(others, default=0)
        self.has_more = False
        for line in sorted(filter(self._lines.get, self._lines), key=self._order):
            *_, stage, takes_core, needed = line
            room = min(
                [
                    len(self._lines[line]),
                    *(free[name] // count for name, count in needed),
                ]
            )
            self.has_more |= room > AT_ONCE
            taken = list(islice(self._lines[line], max(0, min(room, AT_ONCE))))
            for name, count in needed:
                free[name] -= count * len(taken)
            self._begun[stage] += len(taken) if takes_core else 0
            chosen += taken
        return chosen + list(self._others)

    def _order(self, line):
        """Calls first: the pilots' from the last stage, all others from the first; then the rest."""
        priority, _, stage, takes_core, _ = line
        is_pilot = self._begun[stage] < PILOTS
        from_last = is_pilot or not takes_core
        depth = self._depth[stage]
        return -priority, not takes_core, not is_pilot, -depth if from_last else depth


known_resources = {}


def settle_resources(job):
    """Find out what a job of a text needs, now that all that it is made from is there.

    Jobs of a rule need the same, but for the place in a pool. Asking took a tenth of a job's time.
    """
    job.reset_params_and_resources()
    asked = [name for name, need in job.rule.resources.items() if need.is_evaluable()]
    pools = [name for name in asked if name.startswith("pool_")]
    if not {*asked} <= {*pools, "tmpdir"}:
        return
    pool = recipes.pool_of(experiment, generation(job.wildcards)) if pools else None
    same = job.rule.name, pool
    if same not in known_resources:
        known_resources[same] = job.resources
    job._resources = known_resources[same]


def order_ready_jobs():
    """Keep the ready jobs of this run in lines, from its start on."""
    dag = workflow.dag
    if calls_flow() and hasattr(dag, "_ready_jobs"):
        dag._ready_jobs = ReadyJobs(dag._ready_jobs)
        workflow.scheduler.subsample = None


def next_in_line(open_jobs):
    """Snakemake's list of ready jobs, all of them, each time that any job has ended."""

    def of(self):
        ready = self.workflow.dag.ready_jobs
        if not isinstance(ready, ReadyJobs):
            return open_jobs.fget(self)
        # Jobs that had ended before this was asked are done with: one round for all of them.
        while self._open_jobs.acquire(blocking=False):
            pass
        chosen = ready.next(self.resources)
        if ready.has_more:
            # Without it, the next round would be when a job has ended: that may take minutes.
            self._open_jobs.release()
        return chosen

    return property(of)


def select_in_line(job_selector):
    """Snakemake's choice among these, for what makes no text: texts' jobs are chosen already."""

    def select(self, jobs):
        if not isinstance(self.workflow.dag.ready_jobs, ReadyJobs):
            return job_selector(self, jobs)
        chosen = [job for job in jobs if makes_text(job)]
        for job in chosen:
            self.validate_job(job)
        with self._lock:
            self.update_available_resources(chosen)
        others = [job for job in jobs if not makes_text(job)]
        # What takes a core waits for a model: it begins before what takes none.
        chosen.sort(key=lambda job: not job.threads)
        # Without a core none of them can begin, and looking would ask for the sizes of all inputs.
        if others and self.resources["_cores"] > 0:
            return [*chosen, *job_selector(self, others)]
        return chosen

    return select


def is_plain_and_new(job):
    """Tell whether a job is files alone, finds all that it needs, and nothing in its place."""
    made_by = job.rule
    if made_by.params or made_by.benchmark or made_by.shadow_depth:
        return False
    files = (*job.output, *job.log)
    return all(map(os.path.exists, job.input)) and not any(map(os.path.lexists, files))


known_arguments = {}


def prepare_quickly(job_args_and_prepare):
    """Prepare a new text by making its directories: a fifth of what a run of new texts takes.

    Where anything is in its place, or an input is not, Snakemake does all that it does. What a
    job is given is the same for each of a rule, but for its files, wildcards and number.
    """

    def prepare(self, job):
        if not (makes_text(job) and is_plain_and_new(job)):
            return job_args_and_prepare(self, job)
        maker = job.rule.name
        if maker not in known_arguments:
            arguments = zip(
                signature(run_wrapper).parameters, job_args_and_prepare(self, job)
            )
            known_arguments[maker] = dict(arguments)
        for file in (job.output[0], job.log[0]):
            os.makedirs(os.path.dirname(file), exist_ok=True)
        own = {
            "input": job.input._plainstrings(),
            "output": job.output._plainstrings(),
            "wildcards": job.wildcards,
            "threads": job.threads,
            "resources": job.resources,
            "log": job.log._plainstrings(),
            "jobid": job.jobid,
        }
        return tuple((known_arguments[maker] | own).values())

    return prepare


def lists_without_guards(init):
    """Each list of files has a list and two objects that say which of its methods are none.

    They are the same in all lists, and so the class has them: a job has eleven lists.
    """
    Namedlist._allowed_overrides = ("index", "sort")
    for name in Namedlist._allowed_overrides:
        setattr(Namedlist, name, AttributeGuard(name))

    def __init__(
        self,
        toclone=None,
        fromdict=None,
        plainstr=False,
        strip_constraints=False,
        custom_map=None,
    ):
        if plainstr or strip_constraints or custom_map is not None:
            init(self, toclone, None, plainstr, strip_constraints, custom_map)
            return
        list.__init__(self)
        self._names = {}
        if toclone is not None:
            self.extend(toclone)
            if isinstance(toclone, Namedlist):
                self._take_names(toclone._get_names())
        for key, item in (fromdict or {}).items():
            self.append(item)
            self._add_name(key)

    return __init__


replace_seen(
    JobScheduler,
    open_jobs=("f479d4a6e889", next_in_line),
    job_selector=("11a654075403", select_in_line),
)
replace_seen(Executor, job_args_and_prepare=("1cefb86ecf66", prepare_quickly))
replace_seen(Namedlist, __init__=("a3f4ce2601f3", lists_without_guards))
