from daydream.files import holds
from daydream.plan import report as plan
from daydream.provenance import accounts


def remake_membership(cohort):
    """Have a membership made again if its rows are not those of today."""
    path, text = f"data/cohorts/{cohort}/membership.csv", experiment.membership_text(
        cohort
    )
    if Path(path).exists() and not holds(path, text):
        make_again([path])


def cohort_inputs(wildcards):
    """Return the files a membership is made from; what it holds decides whether it is made again.

    So an edit that leaves the rows as they are, of a template's text or of a table's other columns,
    makes no membership again.
    """
    if MODE != "job":
        remake_membership(wildcards.cohort)
        check_start()
    return [ancient(file) for file in experiment.cohort_inputs(wildcards.cohort)]


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


def manifest_inputs(wildcards):
    """Return the files a manifest is made from; what it holds decides whether it is made again."""
    path = f"data/cohorts/{wildcards.cohort}/manifest.json"
    if MODE != "job" and Path(path).exists():
        if not holds(path, experiment.manifest_text(wildcards.cohort)):
            make_again([path])
    return [ancient(file) for file in experiment.cohort_inputs(wildcards.cohort)]


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


rule plan:
    input:
        rules.membership.input,
    log:
        "logs/plan.log",
    localrule: True
    run:
        with job_log(log[0]):
            known = accounts(experiment, experiment.selected.values())
            print(plan(experiment, known, "data/plan.csv"))
