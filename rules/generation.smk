from daydream.experiment.phases import generate_raw, parse_response, render_prompt


rule render_prompt:
    input:
        unpack(of_generation(recipes.prompt_inputs)),
    output:
        "data/gens/{stage}/{gen_id}/prompt.txt",
    log:
        "logs/{stage}/{gen_id}.prompt.log",
    threads: 0
    run:
        with job_of(wildcards, log[0]) as row:
            render_prompt(experiment, row, **input, output=output[0])


rule generate_raw:
    input:
        unpack(of_generation(answer_inputs)),
    output:
        raw="data/gens/{stage}/{gen_id}/raw.txt",
        metadata="data/gens/{stage}/{gen_id}/metadata.json",
    log:
        "logs/{stage}/{gen_id}.raw.log",
    resources:
        **pool_resources(),
    run:
        with job_of(wildcards, log[0]) as row:
            choose_answers(row)
            generate_raw(experiment, row, **input, **output)


rule parse_response:
    input:
        unpack(of_generation(recipes.parsed_inputs)),
    output:
        "data/gens/{stage}/{gen_id}/parsed.txt",
    log:
        "logs/{stage}/{gen_id}.parsed.log",
    threads: 0
    run:
        with job_of(wildcards, log[0]) as row:
            parse_response(experiment, row, **input, output=output[0])


# One target per stage: drafts, essays, evaluations, or whatever the chain is.
for stage in experiment.settings.stages.values():

    rule:
        name:
            stage.target_name
        input:
            rules.membership.input,
            last_texts(stage.name),
