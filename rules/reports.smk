import re

from daydream.analysis import CRITERIA, FOLDERS, OF_RATINGS
from daydream.analysis.views import check_views, union_columns
from daydream.explorer import write_explorer
from daydream.figures import FIGURES, FORMATS
from daydream.reports.calls import write_calls
from daydream.reports.embeddings import embed_texts
from daydream.reports.overview import write_overview
from daydream.reports.ratings import write_ratings
from daydream.reports.report import (
    CALLS,
    EMBEDDINGS,
    EXPLORER,
    RATINGS,
    SCORES,
    TEXTS,
    ratings_of,
)
from daydream.reports.said import criteria
from daydream.reports.scores import score_columns, write_scores
from daydream.reports.sources import make_report
from daydream.reports.texts import write_texts

# A view of what there is not is refused before the first job.
try:
    check_views(
        {name: view.model_dump() for name, view in experiment.settings.views.items()},
        union_columns(
            column
            for stage in experiment.settings.stages.values()
            if stage.scored
            for column in score_columns(experiment, stage.name)
        ),
        file="config/config.yaml",
    )
except DaydreamError as error:
    raise WorkflowError(str(error)) from None

CROSS = "data/7_cross_experiment"


rule aggregate_scores:
    input:
        membership=membership_of,
        generations=needs(SCORES),
    output:
        SCORES.path("{cohort}"),
    log:
        "logs/scores/{cohort}.log",
    run:
        with job_log(log[0]):
            make_report(
                experiment, SCORES, write_scores, **wildcards, output=output[0]
            )


rule scores:
    input:
        rules.membership.input,
        expand(rules.aggregate_scores.output, cohort=experiment.settings.cohorts),


# Where each text is, for what compares them.
rule list_texts:
    input:
        membership=membership_of,
        generations=needs(TEXTS),
    output:
        TEXTS.path("{cohort}"),
    log:
        "logs/texts/{cohort}.log",
    run:
        with job_log(log[0]):
            make_report(
                experiment, TEXTS, write_texts, **wildcards, output=output[0]
            )


rule embed_texts:
    input:
        rules.list_texts.output[0],
    output:
        f"data/cohorts/{{cohort}}/reports/{EMBEDDINGS}",
    log:
        "logs/embeddings/{cohort}.log",
    run:
        with job_log(log[0]):
            embed_texts(
                experiment,
                cohort=wildcards.cohort,
                texts=input[0],
                output=output[0],
            )


rule tabulate_scores:
    input:
        **embedded(rules.embed_texts.output[0]),
        scores=rules.aggregate_scores.output[0],
        texts=rules.list_texts.output[0],
    output:
        **{
            name: reported_table(
                f"data/cohorts/{{cohort}}/reports/{folder}/{name}.csv",
                name,
                "{cohort}",
            )
            for name, folder in FOLDERS.items()
        },
    log:
        "logs/tables/{cohort}.log",
    conda:
        "../environment.yml"
    params:
        panel=experiment.settings.panel,
    script:
        "../scripts/tabulate_scores.py"


rule tabulate_criteria:
    input:
        rules.aggregate_scores.output[0],
    output:
        **{
            name: reported_table(
                f"data/cohorts/{{cohort}}/reports/criteria/{name}.csv",
                f"criteria/{name}",
                "{cohort}",
            )
            for name in CRITERIA
        },
    log:
        "logs/tables/{cohort}-criteria.log",
    conda:
        "../environment.yml"
    params:
        criteria=lambda wildcards: criteria(experiment, wildcards.cohort),
        panel=experiment.settings.panel,
    script:
        "../scripts/tabulate_criteria.py"


# What people have said of the texts; made only where they have said anything.
rule collect_ratings:
    input:
        membership=membership_of,
        generations=needs(RATINGS),
    output:
        RATINGS.path("{cohort}"),
    log:
        "logs/ratings/{cohort}.log",
    run:
        with job_log(log[0]):
            make_report(
                experiment, RATINGS, write_ratings, **wildcards, output=output[0]
            )


rule tabulate_ratings:
    input:
        scores=rules.aggregate_scores.output[0],
        ratings=rules.collect_ratings.output[0],
    output:
        **{
            name: reported_table(
                f"data/cohorts/{{cohort}}/reports/ratings/{name}.csv",
                f"ratings/{name}",
                "{cohort}",
            )
            for name in OF_RATINGS
        },
    log:
        "logs/tables/{cohort}-ratings.log",
    conda:
        "../environment.yml"
    params:
        panel=experiment.settings.panel,
    script:
        "../scripts/tabulate_ratings.py"


rule unite_scores:
    input:
        scores=expand(rules.aggregate_scores.output, cohort=experiment.settings.cohorts),
        novelty=expand(
            rules.tabulate_scores.output.novelty, cohort=experiment.settings.cohorts
        ),
    output:
        rows=f"{CROSS}/scores.csv",
        template_model=reported_table(
            f"{CROSS}/template_model.csv", "template_model", "All cohorts"
        ),
    log:
        "logs/tables/union.log",
    conda:
        "../environment.yml"
    params:
        cohorts=experiment.settings.cohorts,
    script:
        "../scripts/unite_scores.py"


rule filter_view:
    input:
        rules.unite_scores.output.rows,
    output:
        rows=f"{CROSS}/views/{{view}}/scores.csv",
        template_model=reported_table(
            f"{CROSS}/views/{{view}}/template_model.csv",
            "template_model",
            "View {view}",
        ),
    log:
        "logs/tables/view-{view}.log",
    wildcard_constraints:
        view="|".join(map(re.escape, experiment.settings.views)) or "none",
    conda:
        "../environment.yml"
    params:
        name="{view}",
        conditions=lambda wildcards: experiment.settings.views[
            wildcards.view
        ].model_dump(),
    script:
        "../scripts/filter_view.py"


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
            make_report(
                experiment, EXPLORER, write_explorer, **wildcards, output=output[0]
            )


rule explorer:
    input:
        rules.membership.input,
        expand(rules.build_explorer.output, cohort=experiment.settings.cohorts),


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


# What `snakemake --report` begins with (report/workflow.rst), and the tables to read.
rule build_overview:
    input:
        membership=membership_of,
        scores=rules.aggregate_scores.output[0],
        calls=rules.collect_calls.output[0],
        tables=rules.tabulate_scores.output,
        criteria=tables_of_criteria,
        ratings=tables_of_ratings,
    output:
        overview=reported_page("overview"),
        tables=reported_page("tables"),
    log:
        "logs/overview/{cohort}.log",
    run:
        with job_log(log[0]):
            write_overview(wildcards.cohort, dict(input.items()), output)


rule tables:
    input:
        rules.membership.input,
        expand(rules.tabulate_scores.output, cohort=experiment.settings.cohorts),
        tables_of_criteria,
        tables_of_ratings,
        rules.unite_scores.output,
        expand(rules.filter_view.output, view=experiment.settings.views),
        expand(rules.build_overview.output, cohort=experiment.settings.cohorts),


# All figures of a cohort at once: starting a process that can draw takes longer than drawing.
rule draw_figures:
    input:
        scores=rules.aggregate_scores.output[0],
        calls=rules.collect_calls.output[0],
        final_results=rules.tabulate_scores.output.final_results,
        leaderboard=rules.tabulate_scores.output.leaderboard,
        writer_judge=rules.tabulate_scores.output.writer_judge,
        variance=rules.tabulate_scores.output.variance,
        allocation=rules.tabulate_scores.output.allocation,
        judge_agreement=rules.tabulate_scores.output.judge_agreement,
        comparisons=rules.tabulate_scores.output.comparisons,
        diversity=rules.tabulate_scores.output.diversity,
    output:
        [reported_figure(name, form) for name in FIGURES for form in FORMATS],
    log:
        "logs/figures/{cohort}.log",
    conda:
        "../environment.yml"
    script:
        "../scripts/draw_figures.py"


rule figures:
    input:
        rules.membership.input,
        expand(rules.draw_figures.output, cohort=experiment.settings.cohorts),
