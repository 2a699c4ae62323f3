from daydream.generation import generate_raw, parse_response, render_prompt


def requested():
    """Return the ids of the generations whose answers this run is to make."""
    if MODE == "job":
        return []
    return [
        Path(file).parent.name
        for files in open_outputs()
        for file in files
        if file.endswith("/raw.txt")
    ]


@cache
def choose_answers():
    """Write down once, before the first call, which answers a refresh asks for again."""
    experiment.choose(requested())


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
                experiment,
                generation(wildcards),
                ancestors=input.get("ancestors", []),
                output=output[0],
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
            if experiment.settings.refresh:
                choose_answers()
                experiment.choose([wildcards.gen_id])
            generate_raw(experiment, generation(wildcards), **input, **output)


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
