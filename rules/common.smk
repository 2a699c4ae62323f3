import copy
import json
import os
from contextlib import suppress
from functools import cache, partial
from inspect import signature

from dotenv import load_dotenv
from snakemake.common import overwrite_function_params

from daydream.workflow.commandline import commands, parent_command
from daydream.workflow.console import job_log
from daydream.planning.dry_run import dry_run_summary
from daydream.errors import DaydreamError
from daydream.experiment import recipes
from daydream.experiment.experiment import Experiment
from daydream.files import holds, write_text
from daydream.planning.plan import plan as planned
from daydream.planning.preflight import check_providers
from daydream.reports.report import is_report_file
from daydream.reports.withdrawal import withdraw_outdated
from daydream.planning.scope import Scope
from daydream.settings import CONFIG, load_settings, read_file
from daydream.workflow.subrun import inner_arguments, inner_command, run_inner
from daydream.workflow.summary import end_of_run

# Read here first, as what is wrong with it is told in one line here, and not by Snakemake.
try:
    if CONFIG.exists() and not workflow.modifier.skip_configfile:
        read_file(CONFIG)
except DaydreamError as error:
    raise WorkflowError(str(error)) from None


configfile: "config/config.yaml"


# Keys may stand in .env; what the environment says already wins.
try:
    load_dotenv(".env")
except (OSError, UnicodeDecodeError) as error:
    raise WorkflowError(
        f"[config] .env: cannot be read ({error}); make it a readable file in UTF-8"
    )

try:
    # A workflow that imports this one has its own use for its settings, of which ours are a copy;
    # what it gives us is not what stands in files here, or on the command line.
    ours = is_main(config)
    config = copy.deepcopy(config)
    settings = load_settings(
        config,
        base=CONFIG if ours else Path("the importing workflow"),
        overlays=workflow.overwrite_configfiles if ours else (),
        arguments=[
            *(workflow.config_settings.config_args if ours else ()),
            *inner_arguments(),
        ],
    )
    key = json.dumps(config, sort_keys=True, default=str)
    if key not in experiments:
        experiments[key] = Experiment(settings, mode=MODE)
        if MODE == "dry-run":
            console.at_end_of_dry_run(lambda: tell_the_plan())
    experiment = experiments[key]
except DaydreamError as error:
    raise WorkflowError(str(error)) from None


# Declared, the keys reach jobs on other machines too; those that are not set are not needed.
workflow.register_envvars(*experiment.settings.key_names & os.environ.keys())


def tell_the_plan():
    """Say at the end of a dry run what there is, and what a run would make."""
    with suppress(DaydreamError):
        found = own_scope()
        forecasts = planned(experiment, found.accounts)
        console.tell(dry_run_summary(found.rows, found.accounts, forecasts))


def tell_the_end():
    """Say once what the run has made, what has failed, and how to go on."""
    if experiment in told:
        return
    told.add(experiment)
    progress.stop()
    if only_looked() and not progress.worked:
        return
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


def end_in_failure():
    """Make the reports of what there is, and say how the run has ended."""
    report_failures()
    tell_the_end()


onstart:
    start_run(experiment)


onsuccess:
    tell_the_end()


onerror:
    end_in_failure()


run_handlers(partial(start_run, experiment), tell_the_end, end_in_failure)


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


def scope():
    """Return what this run covers, as soon as each configured cohort has its membership.

    What is to be made again is said before: a file that is there would keep Snakemake from waiting.
    A dry run does not wait: it shows what is to come of the memberships that a run would write.
    """
    if key in expanded:
        return scopes[key]
    check_start()
    compare_no_inputs()
    if MODE != "job":
        make_again(own_scope().stale_files())
    for cohort in experiment.settings.cohorts:
        if MODE != "job":
            remake_membership(cohort)
        if MODE != "dry-run":
            wait_for_membership(cohort)
    if MODE == "dry-run":
        console.give_reasons(own_scope().reason)
    expanded.add(key)
    return own_scope()


def wait_for_membership(cohort):
    """Wait for the checkpoint of a cohort."""
    membership = checkpoints.build_membership.get(cohort=cohort).output[0]
    if not Path(membership).exists():
        # As with --touch, which takes the checkpoint as done.
        raise WorkflowError(
            f"[membership] {membership}: the file is missing; write it with snakemake -c1 membership"
        )


def own_scope():
    """Return what this run covers, by the targets that it was given."""
    if key not in scopes:
        files = [Path(str(file)) for file in workflow.dag.targetfiles]
        named = [file.parent.name for file in files if file.is_relative_to("data/gens")]
        of_stages = {name_here(f"{stage}s") for stage in experiment.settings.stages}
        makes_texts = bool(named) or not of_stages.isdisjoint(target_rules())
        scopes[key] = Scope(experiment, named=named, makes_texts=makes_texts)
        if scopes[key].only_looks or target_rules() == {name_here("top")}:
            experiment.choices.only_look()
    return scopes[key]


def generation(wildcards):
    """Return the generation of a job."""
    scope()
    return experiment.generation(wildcards.stage, wildcards.gen_id)


def remake_membership(cohort):
    """Have a membership made again if its rows are not those of today, or it is not there."""
    path = f"data/cohorts/{cohort}/membership.csv"
    if not holds(path, experiment.membership_text(cohort)):
        make_again([path])


def cohort_inputs(wildcards):
    """Return the files a membership is made from; what it holds decides whether it is made again.

    So an edit that leaves the rows as they are, of a template's text or of a table's other columns,
    makes no membership again.
    """
    if MODE != "job":
        remake_membership(wildcards.cohort)
        check_start()
    return [ancient(file) for file in experiment.cohort_inputs(wildcards.cohort)]


def manifest_inputs(wildcards):
    """Return the files a manifest is made from; what it holds decides whether it is made again."""
    path = f"data/cohorts/{wildcards.cohort}/manifest.json"
    if MODE != "job" and Path(path).exists():
        if not holds(path, experiment.manifest_text(wildcards.cohort)):
            make_again([path])
    return [ancient(file) for file in experiment.cohort_inputs(wildcards.cohort)]


@cache
def choose_all():
    """Write down once, before the first call, which answers a refresh asks for again."""
    open_files = [] if MODE == "job" else [Path(file) for file in open_outputs()]
    experiment.choices.choose(
        file.parent.name for file in open_files if file.name == "raw.txt"
    )


def choose_answers(row):
    """Write down a refresh before a job of it asks."""
    if experiment.settings.refresh:
        choose_all()
        experiment.choices.choose([row.gen_id])


def of_generation(question):
    """Return an input function that asks for files of a job's generation, by what they are to it.

    The account of what is current decides what is made again (`daydream.experiment.provenance`), so the time of
    no file does.
    """

    def answer(wildcards):
        return {
            name: (settled(files) if isinstance(files, str) else [*map(settled, files)])
            for name, files in question(experiment, generation(wildcards)).items()
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
        f"pool_{pool}": settings.concurrent * 5 // 4
        for pool, settings in experiment.settings.pools.items()
        if settings.concurrent is not None
    }
    for name, limit in limits.items():
        workflow.register_resource(name, limit)

    def takes(name):
        def answer(wildcards):
            return int(
                name == f"pool_{recipes.pool_of(experiment, generation(wildcards))}"
            )

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
    if MODE == "job" or found.only_looks:
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


@cache
def check_start():
    """Refuse a run whose calls cannot be answered, before its first job.

    Reports that it would have made again are taken away, as after any other failure.
    """
    if not is_to_run() or own_scope().only_looks:
        return
    if stages := requested_stages():
        found = own_scope()
        try:
            check_providers(experiment, found, stages)
        except DaydreamError:
            withdraw_outdated(experiment, found.accounts)
            raise


def only_looked():
    """Tell whether this run was given no other targets than commands."""
    targets = target_rules()
    return bool(targets) and targets <= set(map(name_here, LOOKS))


LOOKS = (
    "plan",
    "explain",
    "membership",
    "diff",
    "combos",
    "top",
    "import_store",
    "restore",
)


def requested_stages():
    """Return the stages whose generations this run may make, by the targets it was given."""
    targets = target_rules()
    if only_looked():
        return []
    of_stages = {name_here(f"{name}s"): name for name in experiment.settings.stages}
    if targets and targets <= of_stages.keys():
        return [of_stages[name] for name in targets]
    return list(experiment.settings.stages)


def report_failures():
    """Make the reports that this run was asked for of what there is, as it cannot make the rest."""
    done_already = own_scope().only_looks
    if done_already or not experiment.settings.report_failures:
        return
    if experiment.stop.by_signal:
        return
    files = [file for file in open_outputs() if is_report_file(file)]
    if not files:
        return
    console.tell("Making the reports of what there is.")
    try:
        cores = workflow.resource_settings.cores or 1
        run_inner(
            inner_run(cores, targets=files, partial=True, shards=1),
            log="logs/partial.log",
        )
    except DaydreamError as error:
        console.tell(str(error))


def inner_run(cores, *, targets=None, **settings):
    """Return the command of a run within this one, of `all` unless told otherwise."""
    return inner_command(
        [ALL] if targets is None else targets,
        snakefile=workflow.main_snakefile,
        cores=cores,
        profile=own_profile(),
        configfiles=workflow.overwrite_configfiles,
        config=workflow.config_settings.config_args,
        # Which answers are to be had anew is decided once, here.
        settings={"refresh": False, **settings},
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
