from daydream.plan import report as plan


checkpoint build_membership:
    input:
        lambda wildcards: experiment.cohort_inputs(wildcards.cohort),
    output:
        membership="data/cohorts/{cohort}/membership.csv",
        manifest="data/cohorts/{cohort}/manifest.json",
    log:
        "logs/membership/{cohort}.log",
    params:
        stages=lambda wildcards: str(
            [
                (stage.name, stage.prefix, stage.parent, stage.dimensions)
                for stage in experiment.settings.stages.values()
            ]
        ),
    run:
        with job_log(log[0]):
            experiment.compile_cohort(wildcards.cohort, **output)


rule membership:
    input:
        expand(
            "data/cohorts/{cohort}/membership.csv", cohort=experiment.settings.cohorts
        ),


rule plan:
    input:
        rules.membership.input,
    log:
        "logs/plan.log",
    localrule: True
    run:
        with job_log(log[0]):
            print(plan(experiment, "data/plan.csv"))
