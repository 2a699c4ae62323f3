from daydream.reports.calls import write_calls
from daydream.figures import FIGURES, FORMATS
from daydream.reports.report import CALLS, make_report


rule collect_calls:
    input:
        membership=membership_of,
        generations=needs(CALLS),
    output:
        CALLS.path("{cohort}"),
    log:
        "logs/calls/{cohort}.log",
    run:
        with job_log(log[0]):
            make_report(
                experiment, CALLS, write_calls, **wildcards, output=output[0]
            )


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
        rules.membership.input,
        expand(rules.draw_figures.output, cohort=experiment.settings.cohorts),
