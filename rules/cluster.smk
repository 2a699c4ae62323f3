from daydream.planning.scope import shard_mark

# A cluster's job takes seconds to start: only what waits for a model, or computes, is worth one.
# Not `localrules:`, which does not know the names that a workflow gives the rules it imports.
LOCAL_RULES = (
    "build_membership",
    "write_manifest",
    "render_prompt",
    "parse_response",
    "aggregate_scores",
    "build_overview",
)
workflow.localrules(*filter(None, map(name_here, LOCAL_RULES)))

ALL = name_here("all")
share_checkpoint("build_membership", key)

# Whether this run hands its work on to shards, and is none itself.
sharded = experiment.settings.shards > 1 and experiment.settings.shard is None

if sharded:
    # On this machine the shards divide what --cores gives. Elsewhere a profile says what they get:
    # a job must not want more or less because of the machine that it finds itself on.
    given = workflow.resource_settings
    here = workflow.is_main_process and given.nodes is None
    run_cores = (given.cores if here else None) or 1

    # `calls` is how many jobs a shard runs at once: most of them wait for a model, not for a core.
    # Its mark counts for one run: one that has something to make is run again.
    rule run_shard:
        input:
            rules.membership.input,
        output:
            touch(shard_mark("{shard}", "{shards}")),
        log:
            "logs/shards/{shard}-of-{shards}.log",
        threads: max(1, run_cores // experiment.settings.shards)
        resources:
            calls=lambda wildcards, threads: threads,
        run:
            if experiment.settings.refresh:
                experiment.choices.choose(experiment.selected)
            run_inner(
                inner_run(resources.calls, shard=int(wildcards.shard)), log=log[0]
            )
