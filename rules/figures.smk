from daydream.calls import metadata_files, write_calls
from daydream.figures import FIGURES, FORMATS


def call_inputs(wildcards):
    """Return what the calls of a cohort wait for: nothing if what exists is to be taken."""
    expand_cohorts()
    if experiment.settings.partial:
        return []
    return metadata_files(experiment, wildcards.cohort)


def figure_output(figure, form):
    """Return an output that `snakemake --report` shows; PNG is for slides and papers."""
    path = f"data/cohorts/{{cohort}}/reports/figures/{figure}.{form}"
    if form == "png":
        return path
    return report(
        path,
        caption=f"../report/figures/{figure}.rst",
        category="Figures",
        subcategory="{cohort}",
        labels={
            "figure": figure.replace("_", " "),
            "form": "interactive" if form == "html" else "for print",
        },
    )


rule collect_calls:
    input:
        membership="data/cohorts/{cohort}/membership.csv",
        metadata=call_inputs,
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
        [figure_output(figure, form) for figure in FIGURES for form in FORMATS],
    log:
        "logs/figures/{cohort}.log",
    conda:
        "../environment.yml"
    script:
        "../scripts/draw.py"


rule figures:
    input:
        expand(rules.draw_figures.output, cohort=experiment.settings.cohorts),
