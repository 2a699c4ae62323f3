from daydream.results import write_scores


rule aggregate_scores:
    input:
        membership="data/cohorts/{cohort}/membership.csv",
        parsed=unless_partial(Experiment.scored_targets),
    output:
        "data/cohorts/{cohort}/reports/parsing/aggregated_scores.csv",
    log:
        "logs/scores/{cohort}.log",
    params:
        present=lambda wildcards: present(experiment.scored_targets(wildcards.cohort)),
        slice=experiment.slice,
    run:
        with job_log(log[0]):
            write_scores(experiment, wildcards.cohort, output[0])


rule scores:
    input:
        expand(rules.aggregate_scores.output, cohort=experiment.settings.cohorts),
