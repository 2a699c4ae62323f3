from daydream.explorer import shown_files, write_explorer


rule build_explorer:
    input:
        membership="data/cohorts/{cohort}/membership.csv",
        scores=rules.aggregate_scores.output,
        parsed=unless_partial(shown_files),
    output:
        "data/cohorts/{cohort}/reports/explorer/index.html",
    log:
        "logs/explorer/{cohort}.log",
    params:
        present=lambda wildcards: present(shown_files(experiment, wildcards.cohort)),
        slice=experiment.slice,
    run:
        with job_log(log[0]):
            write_explorer(experiment, wildcards.cohort, output=output[0])


rule explorer:
    input:
        expand(rules.build_explorer.output, cohort=experiment.settings.cohorts),
