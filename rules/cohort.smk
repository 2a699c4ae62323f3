checkpoint build_membership:
    input:
        cohort_inputs,
    output:
        "data/cohorts/{cohort}/membership.csv",
    log:
        "logs/membership/{cohort}.log",
    run:
        with job_log(log[0]):
            write_text(output[0], experiment.membership_text(wildcards.cohort))


rule write_manifest:
    input:
        manifest_inputs,
    output:
        "data/cohorts/{cohort}/manifest.json",
    log:
        "logs/manifest/{cohort}.log",
    run:
        with job_log(log[0]):
            write_text(output[0], experiment.manifest_text(wildcards.cohort))


rule membership:
    input:
        expand(
            rules.build_membership.output + rules.write_manifest.output,
            cohort=experiment.settings.cohorts,
        ),
