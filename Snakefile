# Daydream: LLM experiments as files.
#
#   data/1_raw/, data/combo_mappings.csv                 catalogs: concepts, templates, models
#   data/cohorts/<cohort>/spec/                          the design of a cohort
#     -> data/cohorts/<cohort>/membership.csv            its generations          (rules/cohort.smk)
#     -> data/gens/<stage>/<gen_id>/prompt.txt           what is asked        (rules/generation.smk)
#     -> data/gens/<stage>/<gen_id>/raw.txt, metadata.json   what was answered
#     -> data/gens/<stage>/<gen_id>/parsed.txt           what a child's prompt takes
#     -> data/cohorts/<cohort>/reports/parsing/          scores                  (rules/results.smk)
#     -> data/cohorts/<cohort>/reports/summary, analysis   tables               (rules/analysis.smk)
#     -> data/cohorts/<cohort>/reports/figures/          figures                (rules/figures.smk)
#     -> data/7_cross_experiment/                        all cohorts' scores, and views of them
from snakemake.utils import min_version

min_version("9.27")


include: "rules/common.smk"
include: "rules/cohort.smk"
include: "rules/generation.smk"
include: "rules/results.smk"
include: "rules/analysis.smk"
include: "rules/explorer.smk"
include: "rules/curation.smk"
include: "rules/figures.smk"
include: "rules/store.smk"
include: "rules/explore.smk"
include: "rules/cluster.smk"


rule report:
    input:
        rules.scores.input,
        rules.tables.input,
        rules.figures.input,
        rules.explorer.input,


if sharded:

    # A plain run over everything: it takes what the shards made as it is, and makes the rest.
    rule all:
        default_target: True
        input:
            expand(
                rules.run_shard.output,
                shard=range(1, experiment.settings.shards + 1),
                shards=experiment.settings.shards,
            ),
        log:
            "logs/shards/all.log",
        threads: run_cores
        resources:
            calls=lambda wildcards, threads: threads,
        run:
            run_inner(inner_run(resources.calls, "shards=1"), log=log[0])
            # Their marks count for one run only.
            for mark in input:
                Path(mark).unlink()

else:

    rule all:
        default_target: True
        input:
            [] if experiment.settings.partial else every_file(),
            [] if experiment.settings.shard else rules.report.input,
