"""The three phases of a generation, each a function of files: prompt, raw, parsed.

They run as threads of one Snakemake, some 100,000 times: whatever is the same for many jobs is
held by the `Experiment`, not made again here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from daydream.catalog import Model
from daydream.errors import ParseError
from daydream.experiment import Experiment
from daydream.files import read_text, text_sha256, write_json, write_text
from daydream.llm.request import Request, Response, derive_seed
from daydream.membership import Generation
from daydream.prompts import PromptConcept, render
from daydream.store import find_response, read_json, record_response


def render_prompt(
    experiment: Experiment,
    generation: Generation,
    *,
    template: str,
    concepts: Sequence[str] = (),
    ancestors: Sequence[str] = (),
    output: str,
) -> None:
    """Render a template with the concept texts, or with the ancestors' texts (the parent last)."""
    variables: dict[str, object] = {
        **experiment.dimensions(generation),
        **experiment.item_variables(generation),
    }
    if ancestors:
        texts = [read_text(path) for path in ancestors]
        stages = experiment.ancestor_names(generation)[-len(texts) :]
        variables["ancestors"] = dict(zip(stages, texts, strict=True))
        # The first name is ours; the others are those of templates that already exist.
        for name in ("parent", "draft_block", "links_block", "response"):
            variables[name] = texts[-1]
    elif experiment.settings.items is None:
        combo = experiment.catalog.combos[generation.combo_id]
        variables["concepts"] = [
            PromptConcept(
                name=experiment.catalog.concepts[concept_id].name,
                content=read_text(path),
                concept_id=concept_id,
            )
            for (concept_id, _), path in zip(combo.concepts, concepts, strict=True)
        ]
    write_text(output, render(read_text(template), variables, name=template))


def build_request(experiment: Experiment, generation: Generation, prompt: str) -> Request:
    """Return the model call that a prompt makes under the experiment's settings."""
    model = experiment.catalog.models[generation.llm_model_id]
    provider = experiment.settings.provider_of(model.provider)
    sampling = experiment.sampling(generation)
    system_prompt = sampling.pop("system_prompt", None)
    extra_body = sampling.pop("extra_body")
    if sampling.get("seed", _default_seed(experiment, provider)) == "gen_id":
        sampling["seed"] = derive_seed(generation.gen_id)
    messages: list[dict[str, str]] = []
    if system_prompt:
        messages.append({"role": "system", "content": system_prompt})
    messages.append({"role": "user", "content": prompt})
    return Request(
        provider=provider,
        model=model.model,
        messages=tuple(messages),
        sampling=sampling,
        extra_body=extra_body,
    )


def _default_seed(experiment: Experiment, provider: str) -> str | None:
    """Give the bundled model, which repeats itself under a seed, one; leave paid ones alone."""
    return "gen_id" if experiment.settings.providers[provider]["type"] == "local" else None


def generate_raw(
    experiment: Experiment,
    generation: Generation,
    *,
    prompt: str,
    copied: str | None = None,
    raw: str,
    metadata: str,
) -> None:
    """Answer a prompt: from the journal, else by one model call, which is journaled first.

    Raises:
        CallError: the provider gave no answer.
        StoreError: a file cannot be read or written.
    """
    text = read_text(prompt)
    identity = _identity(experiment, generation, prompt=text)
    if copied is not None:
        write_text(raw, read_text(copied))
        write_json(metadata, {**identity, "mode": "copy"})
        return
    request = build_request(experiment, generation, text)
    directory = Path(raw).parent
    response = find_response(directory, request)
    reused = response is not None
    if response is None:
        response = experiment.providers.complete(request)
        record_response(directory, request, response)
    answer = response.text
    write_text(raw, answer)
    model = experiment.catalog.models[generation.llm_model_id]
    write_json(
        metadata,
        {**identity, "mode": "llm", **_call_record(request, response, model), "reused": reused},
    )


def _identity(experiment: Experiment, generation: Generation, *, prompt: str) -> dict[str, object]:
    lineage = experiment.lineage(generation)[:-1]
    return {
        "stage": generation.stage,
        "gen_id": generation.gen_id,
        "parent_gen_id": generation.parent_gen_id or None,
        "ancestors": {row.stage: row.gen_id for row in lineage},
        "key": generation.key,
        "combo_id": generation.combo_id,
        "template_id": generation.template_id,
        "llm_model_id": generation.llm_model_id,
        "replicate": int(generation.replicate),
        "dimensions": experiment.dimensions(generation),
        "prompt_sha256": text_sha256(prompt),
    }


def _call_record(request: Request, response: Response, model: Model) -> dict[str, object]:
    return {
        "request_sha256": request.sha256,
        "provider": request.provider,
        "model": request.model,
        "model_reported": response.model,
        "sampling": {**request.sampling, **request.extra_body},
        "finish_reason": response.finish_reason,
        "truncated": response.truncated,
        "usage": response.usage,
        "cost_usd": cost_usd(response.usage, model),
        "attempts": response.attempts,
        "started_at": response.started_at,
        "duration_s": response.duration_s,
    }


def cost_usd(usage: Mapping[str, Any], model: Model) -> float | None:
    """Return the price of a call in USD, or None if the catalog or the provider does not tell."""
    paid, counted = model.usd_per_mtok_in, usage.get("prompt_tokens")
    paid_out, counted_out = model.usd_per_mtok_out, usage.get("completion_tokens")
    if paid is None or paid_out is None or counted is None or counted_out is None:
        return None
    return (paid * float(counted) + paid_out * float(counted_out)) / 1e6


def parse_response(
    experiment: Experiment, generation: Generation, *, raw: str, metadata: str, output: str
) -> None:
    """Parse an answer.

    Raises:
        ParseError: the answer is truncated, blank, too short, or refused by its parser.
    """
    write_text(output, parsed_text(experiment, generation, read_text(raw), read_json(metadata)))


def parsed_text(
    experiment: Experiment, generation: Generation, raw: str, metadata: Mapping[str, Any]
) -> str:
    """Return what the generation's parser makes of an answer; a copy is left as it is.

    Raises:
        ParseError: as `parse_response`; the line names the generation.
    """
    if metadata["mode"] == "copy":
        return raw
    where = f"{generation.stage} {generation.gen_id}"
    stage = experiment.stage(generation)
    if metadata["truncated"]:
        limit = metadata["sampling"].get("max_tokens")
        cut = f"at max_tokens={limit}" if limit else "by the model's own limit"
        raise ParseError(
            f"{where}: the answer was cut {cut}; raise it under stages.{stage.name}.sampling"
        )
    lines = sum(1 for line in raw.splitlines() if line.strip())
    if lines < max(1, stage.min_lines):
        raise ParseError(
            f"{where}: the answer has {lines} lines with text, min_lines is {stage.min_lines}; "
            f"change its template or stages.{stage.name}.min_lines"
        )
    try:
        return _parser(experiment, generation)(raw)
    except ParseError as error:
        raise ParseError(f"{where}: {error.args[0]}") from error


def _parser(experiment: Experiment, generation: Generation) -> Callable[[str], str]:
    template = experiment.template(generation)
    return experiment.parsers.get(
        template.parser, score_min=template.score_min, score_max=template.score_max
    )
