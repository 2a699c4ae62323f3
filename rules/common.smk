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
from snakemake.settings.types import RerunTrigger
from snakemake.utils import validate

# Snakemake imports pandas to look for tables in config and params, where this workflow has none:
# a second of every start. A None here tells Python, and so Snakemake, that there is no pandas.
# Scripts run in processes of their own, where it is.
sys.modules.setdefault("pandas", None)
# A DAG is millions of objects that stay: looking for garbage among them at Python's usual pace was a
# fifth of the planning time.
gc.set_threshold(100_000, 50, 100)
sys.path.insert(0, str(Path(workflow.basedir, "scripts")))

from daydream import console, runlock
from daydream.commandline import commands, parent_command
from daydream.console import job_log
from daydream.files import write_text
from daydream.config import Settings, check_config, read_words, replace_stages
from daydream.errors import DaydreamError
from daydream.experiment import Experiment
from daydream.preflight import check_providers
from daydream.scope import Scope
from daydream.shards import inner_command, run_inner
from daydream.summary import end_of_run

MODE = (
    "job"
    if not workflow.is_main_process
    else "dry-run" if workflow.output_settings.dryrun else "run"
)

progress = console.attach(
    dry_run=MODE == "dry-run",
    others=runlock.enter() if MODE == "run" else [],
    lists_jobs="rich" not in workflow.output_settings.log_handler_settings,
)

CONFIG_SCHEMA = Path(workflow.basedir, "config/schemas/config.schema.yaml")

# Keys may stand in .env; what the environment says already wins.
load_dotenv(".env")

try:
    replace_stages(config, map(Path, workflow.overwrite_configfiles))
    read_words(config)
    check_config(config, schema=CONFIG_SCHEMA, file="config/config.yaml")
    validate(config, schema=str(CONFIG_SCHEMA))
    experiment = Experiment(Settings.from_config(config), mode=MODE)
except DaydreamError as error:
    raise WorkflowError(str(error)) from None


# Declared, the keys reach jobs on other machines too; those that are not set are not needed.
workflow.register_envvars(*experiment.settings.key_names & os.environ.keys())


onstart:
    if not workflow.touch:
        check_start()
    experiment.stop.install()
    if not sys.stderr.isatty():
        progress.start(experiment.calls.ledger.spent)
    # Where there is a limit of jobs a second, each round of the scheduler begins another a second
    # later, and that one too: after some minutes it does nothing else, with a thousand threads that
    # wait. The profile's limit is none, but can only be said as a large number.
    if workflow.scheduling_settings.max_jobs_per_timespan.max_jobs >= 100_000:
        workflow.scheduler.job_rate_limiter = None


onsuccess:
    tell_the_end()


onerror:
    report_failures()
    tell_the_end()


def tell_the_end():
    """Say what the run has made, what has failed, and how to go on."""
    progress.stop()
    console.tell(
        end_of_run(
            experiment,
            failures=progress.failures,
            stopped=progress.stopped,
            worked=progress.worked,
            started_at=progress.started_at,
            commands=commands(
                sys.argv,
                targets=workflow.dag_settings.targets,
                parent=parent_command(),
            ),
        )
    )


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


def make_again(files):
    """Have Snakemake make files again, as `--forcerun` does, of whatever age they are."""
    workflow.dag.forcefiles.update(files)


def settled(file):
    """Return an input file whose time does not count, unless this run makes the file again."""
    return file if file in workflow.dag.forcefiles else ancient(file)


@cache
def compare_no_inputs():
    """Let no job run because it names other inputs than the last time.

    What a report waits for differs from run to run, and says nothing about what it is made of.
    """
    given = workflow.dag_settings.rerun_triggers
    workflow.dag_settings.rerun_triggers = frozenset(given) & {
        RerunTrigger.MTIME,
        RerunTrigger.PARAMS,
    }


@cache
def scope():
    """Return what this run covers, as soon as each configured cohort has its membership.

    A dry run does not wait: it shows what is to come of the memberships that a run would write.
    """
    compare_no_inputs()
    for cohort in experiment.settings.cohorts:
        if MODE == "dry-run":
            remake_membership(cohort)
        else:
            checkpoints.build_membership.get(cohort=cohort)
    found = Scope(experiment)
    if MODE != "job":
        make_again(found.stale_files())
    return found


def generation(wildcards):
    """Return the generation of a job."""
    scope()
    return experiment.generation(wildcards.stage, wildcards.gen_id)


def of_generation(question):
    """Return an input function that asks for files of a job's generation, by what they are to it.

    The account of what is current decides what is made again (`daydream.provenance`), so the time of
    no file does.
    """

    def answer(wildcards):
        return {
            name: (
                settled(files) if isinstance(files, str) else [*map(settled, files)]
            )
            for name, files in question(generation(wildcards)).items()
        }

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
        f"pool_{pool}": settings["concurrent"] * 5 // 4
        for pool, settings in experiment.settings.pools.items()
        if "concurrent" in settings
    }
    for name, limit in limits.items():
        workflow.register_resource(name, limit)

    def takes(name):
        def answer(wildcards):
            return int(name == f"pool_{experiment.pool(generation(wildcards))}")

        overwrite_function_params(answer, signature(answer).parameters)
        return answer

    return {name: takes(name) for name in limits}


def last_texts(stage=None):
    """Return an input function for the files that stand for all generations of a stage, or of all."""

    def targets(wildcards):
        return scope().targets(stage)

    return targets


def made_texts(wildcards):
    """Return the files that stand for all that a run makes: texts, or marks of its shards."""
    found = scope()
    if experiment.settings.partial or MODE == "job":
        return []
    marks = found.marks() if found.is_divided else []
    make_again(marks)
    return marks if found.is_divided else found.targets()


def membership_of(wildcards):
    """Return the membership of a job's cohort."""
    scope()
    return settled(f"data/cohorts/{wildcards.cohort}/membership.csv")


def needs(report):
    """Return an input function for the files that a cohort's report waits for."""

    def inputs(wildcards):
        found = scope()
        if MODE == "job":
            return []
        if not found.is_current(report, wildcards.cohort):
            make_again([report.path(wildcards.cohort)])
        files = found.needs(report, wildcards.cohort)
        if found.is_divided:
            make_again(files)
        return [*map(settled, files)]

    return inputs


def check_start():
    """Refuse a run whose calls cannot be answered, before its first job."""
    try:
        if stages := requested_stages():
            check_providers(experiment, Scope(experiment), stages)
    except DaydreamError as error:
        report_failures()
        raise WorkflowError(str(error)) from None


def requested_stages():
    """Return the stages whose generations this run may make, by the targets it was given."""
    rule_names = {job.rule.name for job in workflow.dag.targetjobs}
    names = list(experiment.settings.stages)
    if rule_names <= {"plan", "explain", "membership", "diff", "combos", "import_store", "restore"}:
        return []
    of_stages = {f"{name}s": name for name in names}
    if rule_names <= of_stages.keys():
        return [of_stages[name] for name in rule_names]
    return names


REPORT_RULES = (
    "aggregate_scores",
    "collect_calls",
    "build_explorer",
    "tabulate_scores",
    "unite_scores",
    "filter_view",
    "draw_figures",
)


def report_failures():
    """Make the reports that this run was asked for of what there is, as it cannot make the rest."""
    settings = experiment.settings
    if settings.partial or not settings.report_failures or experiment.stop.by_signal:
        return
    files = [
        str(file)
        for job in workflow.dag.needrun_jobs()
        if job.rule.name.endswith(REPORT_RULES) and not workflow.dag.finished(job)
        for file in job.output
    ]
    if not files:
        return
    console.tell("Making the reports of what there is (partial).")
    try:
        run_inner(
            inner_run(workflow.resource_settings.cores or 1, "partial=true", targets=files),
            log="logs/partial.log",
        )
    except DaydreamError as error:
        console.tell(str(error))


def inner_run(cores, *settings, targets=("all",)):
    """Return the command line of a run within this one, with its settings."""
    return inner_command(
        targets,
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
