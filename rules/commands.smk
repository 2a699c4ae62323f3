# Each command imports its own module: no run waits for those of the others. What `follow` takes, every
# run has: the explorer.
from daydream.explorer.follow import follow

# Targets that answer a question, or do one thing to the store: no text is made for them.
COMMANDS = (*READERS, "membership", "top", "import_store", "prune")


# Cohorts are compiled in memory: what only looks writes no membership.
rule plan:
    log:
        "logs/plan.log",
    localrule: True
    run:
        with job_log(log[0]):
            tell_whole_plan()


rule check:
    log:
        "logs/check.log",
    localrule: True
    run:
        from daydream.planning.check import check

        with job_log(log[0]):
            print(check(experiment, "data/check.csv"))


rule allocate:
    log:
        "logs/allocate.log",
    localrule: True
    run:
        from daydream.planning.allocate import allocate

        with job_log(log[0]):
            print(allocate(experiment, "data/allocate.csv"))


# The table of combos is an input of the workflow that this extends, so it is not an output.
rule combos:
    log:
        "logs/combos.log",
    localrule: True
    params:
        size=config["size"],
        level=config["level"],
        concepts=config["concepts"],
    run:
        from daydream.cohorts.combos import add_combos

        with job_log(log[0]):
            print(
                add_combos(
                    experiment.catalog, experiment.settings.combo_mappings, **params
                )
            )


rule batches:
    log:
        "logs/batches.log",
    localrule: True
    params:
        cancel=config["cancel"],
    run:
        from daydream.planning.batches import batches

        with job_log(log[0]):
            print(batches(experiment, **params))


# Beside a run, with pages of its own: no lock, and no file that the run makes.
rule follow:
    log:
        "logs/follow.log",
    localrule: True
    run:
        with job_log(log[0]):
            print(follow(experiment, runlock.others, console.tell))


rule diff:
    input:
        compared_memberships,
    log:
        "logs/diff.log",
    localrule: True
    params:
        left=config["left"],
        right=config["right"],
    run:
        from daydream.planning.diff import compare

        with job_log(log[0]):
            print(compare(experiment, **params))


rule explain:
    log:
        "logs/explain.log",
    localrule: True
    params:
        gen_id=config["gen_id"],
    run:
        from daydream.planning.explain import explain

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
        from daydream.reports.ranking import write_tops

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
        from daydream.planning.imports import import_store

        with job_log(log[0]):
            print(import_store(experiment, **params))


rule prune:
    log:
        "logs/prune.log",
    localrule: True
    params:
        confirm=experiment.settings.confirm,
    run:
        from daydream.planning.prune import prune

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
        from daydream.planning.restore import restore

        with job_log(log[0]):
            print(restore(experiment, **params))
