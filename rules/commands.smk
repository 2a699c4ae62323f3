from daydream.cohorts.combos import add_combos
from daydream.planning.check import check
from daydream.planning.diff import compare, memberships_of
from daydream.planning.explain import explain
from daydream.planning.imports import import_store
from daydream.planning.plan import report as plan
from daydream.planning.prune import prune
from daydream.planning.restore import restore
from daydream.reports.ranking import write_tops

# Targets that answer a question, or do one thing to the store: no text is made for them.
COMMANDS = (*READERS, "membership", "top", "import_store", "prune")


rule plan:
    input:
        rules.membership.input,
    log:
        "logs/plan.log",
    localrule: True
    run:
        with job_log(log[0]):
            print(plan(experiment, "data/plan.csv"))


rule check:
    log:
        "logs/check.log",
    localrule: True
    run:
        with job_log(log[0]):
            print(check(experiment, "data/check.csv"))


# The table of combos is an input of the workflow, which grows by this: it is no output.
rule combos:
    log:
        "logs/combos.log",
    localrule: True
    params:
        size=config["size"],
        level=config["level"],
        concepts=config["concepts"],
    run:
        with job_log(log[0]):
            print(
                add_combos(
                    experiment.catalog, experiment.settings.combo_mappings, **params
                )
            )


rule diff:
    input:
        lambda wildcards: memberships_of(
            experiment.settings, (config["left"], config["right"])
        ),
    log:
        "logs/diff.log",
    localrule: True
    params:
        left=config["left"],
        right=config["right"],
    run:
        with job_log(log[0]):
            print(compare(experiment, **params))


rule explain:
    input:
        rules.membership.input,
    log:
        "logs/explain.log",
    localrule: True
    params:
        gen_id=config["gen_id"],
    run:
        with job_log(log[0]):
            print(explain(experiment, **params))


rule top:
    input:
        expand(
            "data/cohorts/{cohort}/reports/summary/generation_scores.csv",
            cohort=experiment.settings.cohorts,
        ),
    log:
        "logs/top.log",
    localrule: True
    params:
        most=config["count"],
        by=config["by"],
    run:
        with job_log(log[0]):
            print(write_tops(experiment, input, count=params.most, by=params.by))


rule import_store:
    log:
        "logs/import.log",
    localrule: True
    params:
        source=config["source"],
        cohort=config["cohort"],
    run:
        with job_log(log[0]):
            print(import_store(experiment, **params))


rule prune:
    log:
        "logs/prune.log",
    localrule: True
    params:
        confirm=experiment.settings.confirm,
    run:
        with job_log(log[0]):
            print(prune(experiment, **params))


rule restore:
    input:
        rules.membership.input,
    log:
        "logs/restore.log",
    localrule: True
    params:
        gen_id=config["gen_id"],
        request=config["request"],
    run:
        with job_log(log[0]):
            print(restore(experiment, **params))
