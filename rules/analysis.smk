import re

from daydream.analysis import FOLDERS
from daydream.reports.scores import score_columns
from daydream.analysis.views import check_views, union_columns

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


rule tabulate_scores:
    input:
        rules.aggregate_scores.output,
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
    script:
        "../scripts/analyse.py"


rule unite_scores:
    input:
        expand(rules.aggregate_scores.output, cohort=experiment.settings.cohorts),
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
        "../scripts/analyse.py"


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
        "../scripts/analyse.py"


rule tables:
    input:
        rules.membership.input,
        expand(rules.tabulate_scores.output, cohort=experiment.settings.cohorts),
        rules.unite_scores.output,
        expand(rules.filter_view.output, view=experiment.settings.views),
