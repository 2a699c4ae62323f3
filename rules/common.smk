import copy
import json
import os
import re
from contextlib import suppress
from functools import cache, partial

from dotenv import load_dotenv

from daydream.errors import DaydreamError
from daydream.experiment.experiment import Experiment
from daydream.files import write_text
from daydream.planning.dry_run import dry_run_summary
from daydream.planning.plan import plan as planned
from daydream.planning.preflight import (
    check_all_embeddings,
    check_providers,
    check_ratings,
    checks,
    obstacles,
)
from daydream.reports.ratings import ratings_told
from daydream.reports.report import is_report_file
from daydream.reports.withdrawal import outdated_reports, withdraw_outdated
from daydream.settings import CONFIG, load_settings, read_file
from daydream.store.spill import take_in
from daydream.workflow.commandline import commands, parent_command
from daydream.workflow.job_logs import job_log
from daydream.workflow.open_files import allow_open_files
from daydream.workflow.subrun import (
    ShardError,
    inner_arguments,
    inner_command,
    run_inner,
)
from daydream.workflow.summary import causes, end_of_run
from daydream.workflow.workload import Workload

if storage := workflow.storage_settings.default_storage_provider:
    raise WorkflowError(
        f"[storage] found the default storage provider {storage!r}, which this workflow cannot use: "
        "it keeps its journal and its ledger in files below the working directory; leave the option "
        "out, and use a file system that all machines share"
    )
if not os.access(".snakemake", os.W_OK) and os.path.exists(".snakemake"):
    raise WorkflowError(
        f"[run] {Path.cwd()} cannot be written, and Snakemake keeps notes there even of what only "
        "looks; make it writable, or work in a copy"
    )
if workflow.modifier.modify_path("data/gens/x") != "data/gens/x":
    raise WorkflowError(
        "[module] found a prefix, which this workflow cannot use: its files stand where its library "
        "looks for them, below the working directory; leave it out, and give the project a "
        "directory of its own with --directory"
    )
if not (
    workflow.modifier.skip_configfile
    or workflow.overwrite_configfiles
    or Path("config/config.yaml").exists()
):
    raise WorkflowError(
        f"[config] {Path.cwd()} has no config/config.yaml; copy {ROOT}/config/config.yaml there and "
        "name your cohorts in it, or name a file of settings with --configfile"
    )

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
            console.before(
                "This was a dry-run", "Nothing to be done", say=lambda: tell_the_plan()
            )
        console.before("Report created", say=lambda: tell_outdated_reports())
    experiment = experiments[key]
except DaydreamError as error:
    raise WorkflowError(str(error)) from None


# Declared, the keys reach jobs on other machines too; those that are not set are not needed.
workflow.register_envvars(*experiment.settings.key_names & os.environ.keys())


def covered_rows():
    """Return the generations that the targets of this run cover; all, for what makes no text."""
    found = own_scope()
    whole = found.covered(requested_stages(), requested_cohorts())
    return whole or found.rows


def answered_rows():
    """Return the generations whose answers these targets need."""
    found = own_scope()
    return found.covered(requested_stages(), requested_cohorts(), prompts=False)


def tell_the_plan():
    """Say at the end of a dry run what there is, and what a run would make."""
    with suppress(DaydreamError):
        found = own_scope()
        rows = covered_rows()
        forecasts, embeddings = planned(experiment, found.accounts, rows.values())
        console.tell(dry_run_summary(rows, found.accounts, forecasts))
        if embeddings and makes_tables():
            console.tell(embeddings)
        if experiment.settings.shard is None:
            console.tell("\n".join(ratings_told(experiment, found.accounts)))
        console.tell(causes(rows, found.accounts))
        if forecasts:
            tell_obstacles(found, answered_rows())


def tell_outdated_reports():
    """Say of a report that Snakemake makes if what it shows is not of today's inputs."""
    shown, known = {*open_outputs()}, own_scope().accounts
    cohorts = [
        cohort
        for cohort in experiment.settings.cohorts
        for report in outdated_reports(experiment, cohort, known)
        if report.path(cohort) in shown
    ]
    if cohorts:
        console.tell(
            f"[report] what it shows of {', '.join(dict.fromkeys(cohorts))} is not of today's texts and "
            "settings: run the same command without --report, and then this one again"
        )


def tell_obstacles(found, rows):
    """Say what would keep a run of these generations from its first job, such as a missing key."""
    lines = obstacles(
        experiment, found, rows, embeds=makes_tables(), rated=shows_ratings()
    )
    if lines:
        console.tell("\n".join(["A run would end before its first job:", *lines]))


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
            covered=covered_rows,
            failures=progress.failures,
            stopped=progress.stopped,
            worked=progress.worked,
            commands=commands(
                sys.argv,
                targets=workflow.dag_settings.targets,
                parent=parent_command(),
            ),
        )
    )


def end_in_success():
    """Say how the run has ended; that is a failure if texts are gone that it has made."""
    lost = lost_texts()
    tell_the_end()
    if lost:
        text = "1 text is" if len(lost) == 1 else f"{len(lost):,} texts are"
        raise WorkflowError(
            f"[store] {lost[0]}: {text} gone that this run had made or found, as after another run "
            "without a lock; run the same command again, which makes them of the answers there are"
        )


def end_in_failure():
    """Go on with what is ready, make the reports of what there is, and say how the run has ended."""
    go_on_in_batches()
    report_failures()
    tell_the_end()


onstart:
    start_run(experiment)


onsuccess:
    end_in_success()


onerror:
    end_in_failure()


run_handlers(partial(start_run, experiment), end_in_success, end_in_failure)


wildcard_constraints:
    cohort="[A-Za-z0-9][A-Za-z0-9._-]*",
    stage="|".join(experiment.settings.stages),
    gen_id="[A-Za-z0-9][A-Za-z0-9_-]*",


def tell_whole_plan():
    """Write the plan of a whole run, and print it with what would keep that from beginning."""
    from daydream.planning.plan import report as plan

    print(plan(experiment, "data/plan.csv"))
    tell_obstacles(own_scope(), own_scope().rows)


def expected_answers():
    """Return the answers that this run is to get; None if it was given single files, or commands."""
    found = own_scope()
    if found.named or found.only_looks or only_looked():
        return None
    return Workload(*found.workload(requested_stages()), divided=found.is_divided)


def jobs_at_once(found, rows):
    """Return how many jobs this run may have going on at once, of those it has to make."""
    given = workflow.resource_settings
    cores = (given.cores if workflow.local_exec else given.local_cores) or 1
    jobs = sum(not found.accounts[name].complete for name in rows)
    texts_here = found.named or not target_rules().isdisjoint(stage_targets())
    if found.is_divided and not texts_here:
        # Each shard is one job here, and sees to its own files.
        jobs = min(jobs, experiment.settings.shards)
    return min(cores, jobs)


@cache
def check_start():
    """Refuse a run whose calls cannot be answered, before its first job.

    Reports that it would have made again are taken away, as after any other failure.
    """
    if not is_to_run() or own_scope().only_looks or only_looked():
        return
    if taken := take_in():
        count = f"{len(taken)} answer{'s' * (len(taken) > 1)}"
        console.tell(
            f"Took in {count} that an earlier run had to keep in {taken[0].parents[5]}."
        )
    found, rows = own_scope(), answered_rows()
    models = experiment.catalog.models
    asked = {
        models[row.llm_model_id].provider
        for row in rows.values()
        if row.llm_model_id in models
    }
    allow_open_files(jobs_at_once(found, rows), providers=len(asked))
    for check in checks(embeds=makes_tables(), rated=shows_ratings()):
        try:
            check(experiment, found, rows)
        except DaydreamError:
            # What would fail each call leaves what failed calls leave.
            if check in (check_providers, check_all_embeddings):
                withdraw_outdated(experiment, found.accounts, console.tell)
            raise


def target_names():
    """Return what may be given as a target, besides files."""
    return [rule.name for rule in workflow.rules if not rule.has_wildcards()]


def target_files():
    """Return the files of the configured cohorts that may be targets, besides texts."""
    # Snakemake writes the constraint of a wildcard into it.
    files = [
        re.sub(r"\{cohort\b[^}]*\}", "{cohort}", str(file))
        for rule in workflow.rules
        for file in rule.output
    ]
    return [
        file.replace("{cohort}", cohort)
        for cohort in experiment.settings.cohorts
        for file in files
        if "{" not in file.replace("{cohort}", "")
    ]


def stage_targets():
    """Return the stage that each target makes the texts of, by the target's name."""
    stages = experiment.settings.stages.values()
    return {name_here(stage.target_name): stage.name for stage in stages}


@cache
def without_texts():
    """Return the names here of the targets that make no texts."""
    return {name_here(name) for name in COMMANDS if name != "top"}


def only_looked():
    """Tell whether this run was given no other targets than commands that make no texts."""
    targets = target_rules()
    return bool(targets) and targets <= without_texts()


def makes_tables():
    """Tell whether this run makes tables, which may need embeddings, by the targets it was given."""
    if experiment.settings.shard is not None:
        return False
    targets = target_rules()
    names = ("all", "report", "tables", "figures", "plan")
    files = [str(file) for file in workflow.dag.targetfiles]
    return not targets.isdisjoint(map(name_here, names)) or any(
        is_report_file(file) for file in files
    )


def shows_ratings():
    """Tell whether this run was given targets that show what people have said of texts."""
    names = ("all", "report", "tables", "explorer", "plan")
    whole = experiment.settings.shard is None
    return whole and not target_rules().isdisjoint(map(name_here, names))


def other_files():
    """Return the files among the targets that are not texts."""
    files = [str(file) for file in workflow.dag.targetfiles]
    return [file for file in files if not file.startswith("data/gens/")]


def cohort_of(file):
    """Return the cohort that a file is of; empty for a file of several, or of none."""
    found = re.match(r"data/cohorts/([^/]+)/", file)
    return found[1] if found else ""


def requested_stages():
    """Return the stages whose texts the targets of this run need, whatever the cohort is.

    A target that is neither a stage's nor a cohort's file may need all of them.
    """
    of_stages = stage_targets()
    targets = target_rules() - without_texts()
    if targets <= of_stages.keys() and all(map(cohort_of, other_files())):
        return [of_stages[name] for name in targets]
    return list(experiment.settings.stages)


def requested_cohorts():
    """Return the cohorts whose reports are targets of this run."""
    return {cohort_of(file) for file in other_files() if is_report_file(file)} - {""}


def inner_run(cores, *, targets=None, **settings):
    """Return the command of a run within this one, of `all` unless told otherwise."""
    return inner_command(
        [ALL] if targets is None else targets,
        snakefile=workflow.main_snakefile,
        cores=cores,
        profile=own_profile(),
        configfiles=workflow.overwrite_configfiles,
        config=workflow.config_settings.config_args,
        # Which answers are asked for again is decided once, here.
        settings={"refresh": False, **settings},
    )


def go_on_in_batches():
    """Ask in batches for what is ready, where a failed text has kept the batch of a stage waiting."""
    waiting = {
        str(file)
        for file in open_outputs()
        if file.startswith("data/batches/marks/") and file.endswith(".submitted")
    }
    tried = any("logs/batches/" in failure.place for failure in progress.failures)
    if not waiting or tried or experiment.stop.event.is_set():
        return
    run_beside(
        "Asking in batches for what is ready.",
        log="logs/batches/ready.log",
        targets=sorted(target_rules() & stage_targets().keys())
        or list(stage_targets()),
        skip_failed=True,
        report_failures=False,
    )


def report_failures():
    """Make the reports that this run was asked for of what there is, as it cannot make the rest."""
    if not experiment.settings.report_failures or experiment.stop.by_signal:
        return
    files = [file for file in open_outputs() if is_report_file(file)]
    # Asked last: a command that makes no report may have failed because there is no scope.
    if not files or own_scope().only_looks:
        return
    progress.make("the reports of what there is")
    run_beside(
        "Making the reports of what there is.",
        log="logs/partial.log",
        targets=files,
        partial=True,
        shards=1,
    )


def run_beside(what, *, log, targets, **settings):
    """Say what is done now, and do it in a run within this one."""
    console.tell(what)
    try:
        cores = workflow.resource_settings.cores or 1
        run_inner(inner_run(cores, targets=targets, **settings), log=log)
    except ShardError:
        console.tell(f"That has failed, too; {log} says why.")
    except DaydreamError as error:
        console.tell(str(error))
