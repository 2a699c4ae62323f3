import copy
import json
import os
from functools import cache, partial
from inspect import signature

from dotenv import load_dotenv
from snakemake.common import overwrite_function_params
from snakemake.utils import validate

from daydream.console import job_log
from daydream.config import Settings, check_config, read_words, replace_stages
from daydream.errors import DaydreamError
from daydream.experiment import Experiment
from daydream.shards import inner_command, inner_settings
from daydream.summary import run_summary

CONFIG_SCHEMA = ROOT / "config/schemas/config.schema.yaml"

# Keys may stand in .env; what the environment says already wins.
load_dotenv(".env")

# A workflow that imports this one has its own use for its settings: ours are a copy.
overlays = files_for(config)
config = copy.deepcopy(config)

try:
    replace_stages(config, map(Path, overlays))
    read_words(config)
    config.update(inner_settings())
    check_config(config, schema=CONFIG_SCHEMA, file="config/config.yaml")
    validate(config, schema=str(CONFIG_SCHEMA))
    key = json.dumps(config, sort_keys=True, default=str)
    if key not in experiments:
        experiments[key] = Experiment(Settings.from_config(config), mode=MODE)
    experiment = experiments[key]
except DaydreamError as error:
    raise WorkflowError(str(error)) from None


# Declared, the keys reach jobs on other machines too; those that are not set are not needed.
workflow.register_envvars(*experiment.settings.key_names & os.environ.keys())


def tell_summary():
    """Say what the run has spent and made, once."""
    if experiment not in told:
        told.add(experiment)
        console.tell(run_summary(experiment))


onstart:
    start_run(experiment)


onsuccess:
    tell_summary()


onerror:
    tell_summary()


run_handlers(partial(start_run, experiment), tell_summary)


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
        membership = checkpoints.build_membership.get(cohort=cohort).output[0]
        if not Path(membership).exists():
            # As with --touch, which takes the checkpoint as done.
            raise WorkflowError(
                f"[membership] {membership}: the file is missing; write it with snakemake -c1 "
                "membership"
            )


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
        f"pool_{pool}": settings["concurrent"] * 5 // 4
        for pool, settings in experiment.settings.pools.items()
        if "concurrent" in settings
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


def inner_run(cores, **settings):
    """Return the command of a run of `all` within this one, with its settings."""
    return inner_command(
        ALL,
        snakefile=workflow.main_snakefile,
        cores=cores,
        profile=own_profile(),
        configfiles=workflow.overwrite_configfiles,
        config=workflow.config_settings.config_args,
        # Which answers are to be had anew is decided once, here.
        settings={"refresh": False, **settings},
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
