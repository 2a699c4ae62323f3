"""The three phases of a generation, each a function of files: prompt, raw, parsed.

They run as threads of one Snakemake, some 100,000 times: whatever is the same for many jobs is
held by the `Experiment`, not made again here.

What a text was made of is kept as digests: of the prompt in prompt.json and, with the settings of
the call, as `inputs` in metadata.json; of the parsed text in parsed.json. These two are no outputs
of a rule: nothing is made from them, `snakemake explain` alone compares them with what is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from daydream.answers import call_record, find_answer, parsed_text
from daydream.experiment import Experiment
from daydream.files import read_text, text_sha256, write_json, write_text
from daydream.membership import Generation
from daydream.prompts import PARENT_NAMES, PromptConcept, render
from daydream.store import read_json

PROMPT_INPUTS = "prompt.json"
PARSED_INPUTS = "parsed.json"


def render_prompt(
    experiment: Experiment,
    generation: Generation,
    *,
    template: str | None = None,
    concepts: Sequence[str] = (),
    ancestors: Sequence[str] = (),
    output: str,
) -> None:
    """Render a template with the concept texts, or with the ancestors' texts (the parent last)."""
    prompt, inputs = prompt_of(
        experiment, generation, template=template, concepts=concepts, ancestors=ancestors
    )
    write_json(Path(output).with_name(PROMPT_INPUTS), inputs)
    write_text(output, prompt)


def prompt_of(
    experiment: Experiment,
    generation: Generation,
    *,
    template: str | None = None,
    concepts: Sequence[str] = (),
    ancestors: Sequence[str] = (),
) -> tuple[str, dict[str, object]]:
    """Return a generation's prompt, and the digests of the texts and values that it is made of."""
    return prompt_from(
        experiment,
        generation,
        template=template,
        concepts=concepts,
        ancestors=[read_text(path) for path in ancestors],
    )


def prompt_from(
    experiment: Experiment,
    generation: Generation,
    *,
    template: str | None = None,
    concepts: Sequence[str] = (),
    ancestors: Sequence[str],
) -> tuple[str, dict[str, object]]:
    """Return the same as `prompt_of`, from the ancestors' texts, which need not be files yet."""
    source = experiment.template_text(generation)
    inputs: dict[str, object] = {
        "template": text_sha256(source),
        "variables": text_sha256(experiment.prompt_variables(generation)),
    }
    variables: dict[str, object] = {
        **experiment.dimensions(generation),
        **experiment.item_variables(generation),
    }
    if ancestors:
        texts = list(ancestors)
        stages = experiment.ancestor_names(generation)[-len(texts) :]
        variables["ancestors"] = dict(zip(stages, texts, strict=True))
        variables |= dict.fromkeys(PARENT_NAMES, texts[-1])
        digests = dict(zip(stages, map(text_sha256, texts), strict=True))
        inputs["parent"] = digests.pop(stages[-1])
        if digests:
            inputs["ancestors"] = digests
    elif experiment.settings.items is None:
        combo = experiment.catalog.combos[generation.combo_id]
        shown = [
            PromptConcept(
                name=experiment.catalog.concepts[concept_id].name,
                content=experiment.text(path),
                concept_id=concept_id,
            )
            for (concept_id, _), path in zip(combo.concepts, concepts, strict=True)
        ]
        variables["concepts"] = shown
        inputs["concepts"] = {concept.concept_id: text_sha256(concept.content) for concept in shown}
    name = template or f"the text of {generation.template_id}"
    return render(source, variables, name=name), inputs


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
    directory = Path(raw).parent
    ancestors = experiment.lineage(generation)[:-1]
    known = {
        **identity(experiment, generation, ancestors=ancestors, prompt=text),
        "inputs": {
            **read_inputs(directory / PROMPT_INPUTS),
            "settings": text_sha256(experiment.call_settings(generation)),
        },
    }
    if copied is not None:
        write_text(raw, read_text(copied))
        write_json(metadata, {**known, "mode": "copy"})
        return
    answer = find_answer(experiment, generation, text, directory, ask=experiment.ask)
    write_text(raw, answer.response.text)
    model = experiment.catalog.models[generation.llm_model_id]
    write_json(metadata, {**known, "mode": "llm", **call_record(answer, model)})


def read_inputs(path: Path) -> dict[str, Any]:
    """Return the digests that a phase has recorded, or none: an imported text has no record."""
    return read_json(path) if path.exists() else {}


def identity(
    experiment: Experiment,
    generation: Generation,
    *,
    ancestors: Iterable[Generation],
    prompt: str,
) -> dict[str, object]:
    """Return the part of metadata.json that says which generation it is, and of what prompt."""
    return {
        "stage": generation.stage,
        "gen_id": generation.gen_id,
        "parent_gen_id": generation.parent_gen_id or None,
        "ancestors": {row.stage: row.gen_id for row in ancestors},
        "key": generation.key,
        "combo_id": generation.combo_id,
        "template_id": generation.template_id,
        "llm_model_id": generation.llm_model_id,
        "replicate": int(generation.replicate),
        "dimensions": experiment.dimensions(generation),
        "prompt_sha256": text_sha256(prompt),
    }


def parse_response(
    experiment: Experiment, generation: Generation, *, raw: str, metadata: str, output: str
) -> None:
    """Parse an answer.

    Raises:
        ParseError: the answer is truncated, blank, too short, or refused by its parser.
    """
    answer = read_text(raw)
    parsed = parsed_text(experiment, generation, answer, read_json(metadata))
    inputs = {
        "raw": text_sha256(answer),
        "parser": text_sha256(experiment.parser_settings(generation)),
    }
    write_json(Path(output).with_name(PARSED_INPUTS), inputs)
    write_text(output, parsed)
