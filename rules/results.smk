from daydream.reports.report import SCORES, make_report
from daydream.reports.scores import write_scores


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
            make_report(
                experiment, SCORES, write_scores, **wildcards, output=output[0]
            )


rule scores:
    input:
        rules.membership.input,
        expand(rules.aggregate_scores.output, cohort=experiment.settings.cohorts),
