from daydream.cohorts.combos import add_combos
from daydream.planning.diff import compare, memberships_of
from daydream.planning.explain import explain


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
