from daydream.reports import SCORES, look, record_report
from daydream.results import write_scores


rule aggregate_scores:
    input:
        membership=membership_of,
        generations=needs(SCORES),
    output:
        SCORES.path("{cohort}"),
    log:
        "logs/scores/{cohort}.log",
    run:
        with job_log(log[0]):
            known = look(experiment, wildcards.cohort)
            write_scores(experiment, wildcards.cohort, known, output[0])
            record_report(experiment, SCORES, wildcards.cohort, known)


rule scores:
    input:
        rules.membership.input,
        expand(rules.aggregate_scores.output, cohort=experiment.settings.cohorts),
