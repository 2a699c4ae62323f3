from daydream.explorer import write_explorer
from daydream.reports import EXPLORER, look, record_report


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
            known = look(experiment, wildcards.cohort)
            write_explorer(experiment, wildcards.cohort, known, output=output[0])
            record_report(experiment, EXPLORER, wildcards.cohort, known)


rule explorer:
    input:
        rules.membership.input,
        expand(rules.build_explorer.output, cohort=experiment.settings.cohorts),
