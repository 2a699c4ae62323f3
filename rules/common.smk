import gc
import json
import os
import sys
from functools import cache
from inspect import signature
from pathlib import Path

from dotenv import load_dotenv
from snakemake.common import overwrite_function_params
from snakemake.exceptions import WorkflowError

# Snakemake imports pandas to look for tables in config and params, where this workflow has none:
# a second of every start. A None here tells Python, and so Snakemake, that there is no pandas.
# Scripts run in processes of their own, where it is.
sys.modules.setdefault("pandas", None)
# A DAG is millions of objects that stay: looking for garbage among them at Python's usual pace was a
# fifth of the planning time.
gc.set_threshold(100_000, 50, 100)
sys.path.insert(0, str(Path(workflow.basedir, "scripts")))

from daydream import console, runlock
from daydream.console import job_log
from daydream.errors import DaydreamError
from daydream.experiment import Experiment
from daydream.settings import CONFIG, load_settings, read_file
from daydream.shards import inner_command
from daydream.summary import run_summary

MODE = (
    "job"
    if not workflow.is_main_process
    else "dry-run" if workflow.output_settings.dryrun else "run"
)

console.attach(
    dry_run=MODE == "dry-run",
    others=runlock.enter() if MODE == "run" else [],
    lists_jobs="rich" not in workflow.output_settings.log_handler_settings,
)

# Read here first, as what is wrong with it is told in one line here, and not by Snakemake.
try:
    if CONFIG.exists():
        read_file(CONFIG)
except DaydreamError as error:
    raise WorkflowError(str(error)) from None


configfile: "config/config.yaml"


# Keys may stand in .env; what the environment says already wins.
load_dotenv(".env")

try:
    settings = load_settings(
        config,
        overlays=workflow.overwrite_configfiles,
        arguments=workflow.config_settings.config_args,
    )
    experiment = Experiment(settings, mode=MODE)
except DaydreamError as error:
    raise WorkflowError(str(error)) from None


# Declared, the keys reach jobs on other machines too; those that are not set are not needed.
workflow.register_envvars(*experiment.settings.key_names & os.environ.keys())


onstart:
    experiment.stop.install()
    # Where there is a limit of jobs a second, each round of the scheduler begins another a second
    # later, and that one too: after some minutes it does nothing else, with a thousand threads that
    # wait. The profile's limit is none, but can only be said as a large number.
    if workflow.scheduling_settings.max_jobs_per_timespan.max_jobs >= 100_000:
        workflow.scheduler.job_rate_limiter = None


onsuccess:
    console.tell(run_summary(experiment))


onerror:
    console.tell(run_summary(experiment))


wildcard_constraints:
    cohort="[A-Za-z0-9][A-Za-z0-9._-]*",
    stage="|".join(experiment.settings.stages),
    gen_id="[A-Za-z0-9][A-Za-z0-9_-]*",


def reported_table(path, name, subcategory):
    """Return an output that `snakemake --report` shows, captioned by report/<name>.rst."""
    return report(
        path,
        caption=f"../report/{name}.rst",
        category="Tables",
        subcategory=subcategory,
        labels={"table": name.replace("_", " ")},
    )


@cache
def expand_cohorts():
    """Wait until each configured cohort has its membership."""
    for cohort in experiment.settings.cohorts:
        checkpoints.build_membership.get(cohort=cohort)


def generation(wildcards):
    """Return the generation of a job."""
    expand_cohorts()
    return experiment.generation(wildcards.stage, wildcards.gen_id)


def of_generation(question):
    """Return a function of a job's wildcards that asks `question` of its generation."""

    def answer(wildcards):
        return question(generation(wildcards))

    # Kept with the function: Snakemake would find them out again at each call, four times a job.
    overwrite_function_params(answer, signature(answer).parameters)
    return answer


def pool_resources():
    """Return a resource for each pool with `concurrent`: a job that asks it takes one.

    So a job that would wait for long is not started, and holds no thread. There is one for each
    call at once, and a quarter more: a job holds it before and after its call, too, and calls
    themselves wait for their turn (`daydream.llm.limits`).
    """
    limits = {
        f"pool_{pool}": settings.concurrent * 5 // 4
        for pool, settings in experiment.settings.pools.items()
        if settings.concurrent is not None
    }
    for name, limit in limits.items():
        workflow.register_resource(name, limit)

    return {
        name: of_generation(
            lambda row, name=name: int(name == f"pool_{experiment.pool(row)}")
        )
        for name in limits
    }


def every_file(stage=None):
    """Return an input function that asks for every file of a stage's generations, or of all."""

    def targets(wildcards):
        expand_cohorts()
        return experiment.targets(stage)

    return targets


def present(files):
    """Return how many files there are, so that what is partial is made anew when there are more.

    A params value: of a whole report, whose inputs are all files, it says so.
    """
    if not experiment.settings.partial:
        return "all"
    return sum(Path(file).exists() for file in files)


def unless_partial(files):
    """Return an input function for the files that a cohort's report waits for.

    What is partial waits for none: it takes what exists.
    """

    def inputs(wildcards):
        expand_cohorts()
        partial = experiment.settings.partial
        return [] if partial else files(experiment, wildcards.cohort)

    return inputs


def inner_run(cores, *settings):
    """Return the command line of a run of `all` within this one, with its settings."""
    return inner_command(
        "all",
        snakefile=workflow.main_snakefile,
        cores=cores,
        configfiles=workflow.overwrite_configfiles,
        # Which answers are to be had anew is decided once, here.
        settings=[
            *workflow.config_settings.config_args,
            "refresh=false",
            *settings,
        ],
    )


def shard_inputs(wildcards):
    """Return the files that a shard's work depends on, cohorts and catalogs and parsers."""
    expand_cohorts()
    settings = experiment.settings
    yield from rules.membership.input
    for cohort in settings.cohorts:
        yield from experiment.cohort_inputs(cohort)
    yield from map(str, settings.parsers)


def shard_settings(wildcards):
    """Return what else it depends on: the settings, and which answers count."""
    expand_cohorts()
    choices = str(sorted(experiment.choices.items()))
    return json.dumps([config, choices], sort_keys=True)


def reported_figure(figure, form):
    """Return an output that `snakemake --report` shows; PNG is for slides and papers."""
    path = f"data/cohorts/{{cohort}}/reports/figures/{figure}.{form}"
    if form == "png":
        return path
    return report(
        path,
        caption=f"../report/figures/{figure}.rst",
        category="Figures",
        subcategory="{cohort}",
        labels={
            "figure": figure.replace("_", " "),
            "form": "interactive" if form == "html" else "for print",
        },
    )
