from daydream.top import write_top


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
            for cohort, scores in zip(experiment.settings.cohorts, input):
                print(
                    write_top(
                        experiment, cohort, scores, count=params.most, by=params.by
                    )
                )
