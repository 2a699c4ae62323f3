# Daydream: LLM experiments as files.
#
#   data/1_raw/, data/combo_mappings.csv                    concepts, templates, models
#   data/cohorts/<cohort>/spec/                             the design of a cohort
#   -> data/cohorts/<cohort>/membership.csv                 its generations       rules/cohort.smk
#   -> data/gens/<stage>/<gen_id>/prompt.txt                what is asked         rules/generation.smk
#   -> data/gens/<stage>/<gen_id>/raw.txt, metadata.json    what was answered
#   -> data/gens/<stage>/<gen_id>/parsed.txt                what a child's prompt takes
#   -> data/cohorts/<cohort>/reports/parsing/               scores and calls      rules/reports.smk
#   -> data/cohorts/<cohort>/reports/{summary,analysis}/    tables
#   -> data/cohorts/<cohort>/reports/{figures,explorer}/    figures, a page to read
#   -> data/7_cross_experiment/                             the scores of all cohorts, and views
from snakemake.utils import min_version

min_version("9.27")


report: "report/workflow.rst"


include: "rules/run.smk"
include: "rules/tuning.smk"
include: "rules/scheduler.smk"
include: "rules/memory.smk"
include: "rules/common.smk"
include: "rules/inputs.smk"
include: "rules/cohort.smk"
include: "rules/batch.smk"
include: "rules/generation.smk"
include: "rules/reports.smk"
include: "rules/commands.smk"
include: "rules/cluster.smk"


console.know_targets(target_names, target_files)

reports = (
    rules.scores.input,
    rules.tables.input,
    rules.figures.input,
    rules.explorer.input,
)


# The first rule here, and so the default target: where this workflow is imported, too, unless the
# other one has a rule above that.
rule all:
    input:
        rules.membership.input,
        made_texts,
        *([] if experiment.settings.shard else reports),


rule report:
    input:
        *reports,
