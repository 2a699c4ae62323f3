from daydream.calls import metadata_files, write_calls
from daydream.figures import FIGURES, FORMATS


rule collect_calls:
    input:
        membership="data/cohorts/{cohort}/membership.csv",
        metadata=unless_partial(metadata_files),
    output:
        "data/cohorts/{cohort}/reports/parsing/calls.csv",
    log:
        "logs/calls/{cohort}.log",
    params:
        present=lambda wildcards: present(metadata_files(experiment, wildcards.cohort)),
        slice=experiment.slice,
    run:
        with job_log(log[0]):
            write_calls(experiment, wildcards.cohort, output[0])


# All figures of a cohort at once: starting a process that can draw takes longer than drawing.
rule draw_figures:
    input:
        scores=rules.aggregate_scores.output[0],
        calls=rules.collect_calls.output[0],
        final_results=rules.tabulate_scores.output.final_results,
        variance=rules.tabulate_scores.output.variance,
        judge_agreement=rules.tabulate_scores.output.judge_agreement,
        comparisons=rules.tabulate_scores.output.comparisons,
    output:
        [reported_figure(name, form) for name in FIGURES for form in FORMATS],
    log:
        "logs/figures/{cohort}.log",
    conda:
        "../environment.yml"
    script:
        "../scripts/draw.py"


rule figures:
    input:
        expand(rules.draw_figures.output, cohort=experiment.settings.cohorts),
