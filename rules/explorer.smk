from daydream.explorer import write_explorer
from daydream.reports.report import EXPLORER, make_report


rule build_explorer:
    input:
        membership=membership_of,
        scores=rules.aggregate_scores.output,
        generations=needs(EXPLORER),
    output:
        EXPLORER.path("{cohort}"),
    log:
        "logs/explorer/{cohort}.log",
    run:
        with job_log(log[0]):
            make_report(
                experiment, EXPLORER, write_explorer, **wildcards, output=output[0]
            )


rule explorer:
    input:
        rules.membership.input,
        expand(rules.build_explorer.output, cohort=experiment.settings.cohorts),
