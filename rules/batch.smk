from daydream.experiment.batches import batched, collect_batches, submit_batches

# Runs within a run, such as shards, have marks of their own.
of_shard = (
    ""
    if experiment.settings.shard is None
    else f"-{experiment.settings.shard}-of-{experiment.settings.shards}"
)
MARK = f"data/batches/marks/{{stage}}{of_shard}.{{event}}"


# Both marks count for one run: one that has something to ask sends and waits again.
rule submit_batches:
    input:
        prompts_of_batches,
    output:
        touch(batch_mark("{stage}", "submitted")),
    log:
        f"logs/batches/{{stage}}{of_shard}.submitted.log",
    localrule: True
    run:
        with job_log(log[0]):
            submit_batches(experiment, chosen_rows(wildcards.stage))


rule collect_batches:
    input:
        rules.submit_batches.output,
    output:
        touch(batch_mark("{stage}", "collected")),
    log:
        f"logs/batches/{{stage}}{of_shard}.collected.log",
    localrule: True
    run:
        with job_log(log[0]):
            collect_batches(experiment, batch_rows(wildcards.stage))
