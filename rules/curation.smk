from daydream.reports.ranking import write_tops


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
