from daydream.explorer import shown_files, write_explorer


def waited_for(cohort):
    """Return the texts of a cohort's page that this run may make."""
    files = shown_files(experiment, cohort)
    if experiment.settings.expand == "all":
        return files
    return sorted({*files}.intersection(experiment.targets()))


def shown_inputs(wildcards):
    """Return the texts that a cohort's page waits for: none if what exists is to be taken."""
    expand_cohorts()
    return [] if experiment.settings.partial else waited_for(wildcards.cohort)


rule build_explorer:
    input:
        membership="data/cohorts/{cohort}/membership.csv",
        scores=rules.aggregate_scores.output,
        parsed=shown_inputs,
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
