from daydream.generation import generate_raw, parse_response, render_prompt


rule render_prompt:
    input:
        unpack(of_generation(experiment.prompt_inputs)),
    output:
        "data/gens/{stage}/{gen_id}/prompt.txt",
    log:
        "logs/{stage}/{gen_id}.prompt.log",
    run:
        with job_log(log[0]):
            render_prompt(
                experiment, generation(wildcards), **input, output=output[0]
            )


rule generate_raw:
    input:
        unpack(of_generation(experiment.raw_inputs)),
    output:
        raw="data/gens/{stage}/{gen_id}/raw.txt",
        metadata="data/gens/{stage}/{gen_id}/metadata.json",
    log:
        "logs/{stage}/{gen_id}.raw.log",
    resources:
        **pool_resources(),
    run:
        with job_log(log[0]):
            generate_raw(experiment, chosen(wildcards), **input, **output)


rule parse_response:
    input:
        unpack(of_generation(experiment.parsed_inputs)),
    output:
        "data/gens/{stage}/{gen_id}/parsed.txt",
    log:
        "logs/{stage}/{gen_id}.parsed.log",
    run:
        with job_log(log[0]):
            parse_response(
                experiment, generation(wildcards), **input, output=output[0]
            )


# One target per stage: drafts, essays, evaluations, or whatever the chain is.
for stage in experiment.settings.stages:

    rule:
        name:
            f"{stage}s"
        input:
            rules.membership.input,
            last_texts(stage),
