"""The three phases of a generation, each a function of files: prompt, raw, parsed.

They run up to 100,000 times, as threads of one Snakemake process. So whatever is the same for many
jobs is held by the `Experiment` and is not computed again here. Each phase records what its text is
made of (`daydream.store.records`) and then writes the text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from daydream.catalog.prompts import PARENT_NAMES, Prompt, PromptConcept, render_marked
from daydream.errors import ParseError
from daydream.experiment import recipes
from daydream.experiment.answers import (
    build_request,
    call_record,
    find_answer,
    other_answers,
    parsed_text,
    text_of,
)
from daydream.experiment.experiment import Experiment
from daydream.experiment.provenance import of_parsed, of_prompt, of_raw
from daydream.files import read_text, text_sha256, write_json, write_text
from daydream.generations.row import Generation
from daydream.store.layout import generation_file, read_json
from daydream.store.records import Made, read_record, record_made


def render_prompt(
    experiment: Experiment,
    generation: Generation,
    *,
    template: Sequence[str] = (),
    concepts: Sequence[str] = (),
    ancestors: Sequence[str] = (),
    output: str,
) -> None:
    """Render a template with the concept texts, or with the ancestors' texts (the parent last).

    The experiment has already read `template` and `concepts`.
    """
    texts = {
        row.stage: read_text(path)
        for row, path in zip(
            recipes.named_ancestors(experiment, generation), ancestors, strict=True
        )
    }
    prompt = prompt_of(experiment, generation, texts)
    digests = {stage: text_sha256(text) for stage, text in texts.items()}
    of = of_prompt(experiment, generation, digests)
    made = Made(of, text_sha256(prompt.text), prompt.points)
    record_made(Path(output).parent, "prompt", made)
    write_text(output, prompt.text)


def prompt_of(
    experiment: Experiment, generation: Generation, ancestors: Mapping[str, str]
) -> Prompt:
    """Return a generation's prompt; `ancestors` are the texts that it may name, by stage.

    Raises:
        TemplateError: the template cannot be rendered.
    """
    variables: dict[str, object] = {
        **recipes.dimensions(experiment, generation),
        **recipes.item_variables(experiment, generation),
        **recipes.schema_variables(experiment, generation),
    }
    if ancestors:
        variables["ancestors"] = dict(ancestors)
        variables |= dict.fromkeys(PARENT_NAMES, list(ancestors.values())[-1])
    elif experiment.settings.items is None:
        variables["concepts"] = [
            PromptConcept(
                name=experiment.catalog.concepts[concept].name,
                content=experiment.text(path),
                concept_id=concept,
            )
            for concept, path in recipes.concept_files(experiment, generation).items()
        ]
    source = recipes.template_text(experiment, generation)
    name = recipes.template_file(experiment, generation) or generation.template_id
    return render_marked(source, variables, name=name)


def generate_raw(
    experiment: Experiment,
    generation: Generation,
    *,
    prompt: str,
    copied: str | None = None,
    batches: str | None = None,
    raw: str,
    metadata: str,
) -> None:
    """Answer a prompt: from the journal, or else by a model call, which is journaled first.

    `batches` says that the batches which may have the answer have been collected.

    Raises:
        CallError: there is no answer, or it has no text.
        StoreError: a file cannot be read or written.
    """
    text = read_text(prompt)
    directory = Path(raw).parent
    ancestors = experiment.lineage(generation)[:-1]
    known = identity(experiment, generation, ancestors=ancestors, prompt=text)
    parent: str | None = None
    if copied is not None:
        answer_text = read_text(copied)
        parent = text_sha256(answer_text)
        known["mode"] = "copy"
    else:
        answer = find_answer(experiment, generation, text, directory, ask=experiment.calls.ask)
        answer_text = text_of(experiment, generation, answer)
        known |= call_record(experiment, generation, answer)
    of = of_raw(experiment, generation, prompt=text_sha256(text), parent=parent)
    record_made(directory, "raw", Made(of, text_sha256(answer_text)))
    write_text(raw, answer_text)
    write_json(metadata, known)


def identity(
    experiment: Experiment,
    generation: Generation,
    *,
    ancestors: Iterable[Generation],
    prompt: str,
) -> dict[str, object]:
    """Return the part of metadata.json that identifies the generation and its prompt."""
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
        "dimensions": recipes.dimensions(experiment, generation),
        "prompt_sha256": text_sha256(prompt),
    }


def parse_response(
    experiment: Experiment, generation: Generation, *, raw: str, metadata: str, output: str
) -> None:
    """Parse an answer. If it was edited by hand, the edited text is parsed.

    Raises:
        ParseError: the answer is truncated, blank, too short, or rejected by its parser.
    """
    answer = read_text(raw)
    digest = text_sha256(answer)
    directory = Path(output).parent
    told = read_json(metadata)
    edited = is_edited(directory, "raw", digest)
    try:
        parsed = parsed_text(experiment, generation, answer, told, edited=edited)
    except ParseError as error:
        raise ParseError(f"{error.args[0]}{_others(experiment, generation, told)}") from error
    made = Made(of_parsed(experiment, generation, raw=digest), text_sha256(parsed))
    record_made(directory, "parsed", made)
    write_text(output, parsed)


def _others(experiment: Experiment, generation: Generation, told: Mapping[str, Any]) -> str:
    """Return what to say of other answers to the present prompt than the refused ones."""
    prompt = Path(generation_file(generation.stage, generation.gen_id, "prompt.txt"))
    if not prompt.exists():
        return ""
    request = build_request(experiment, generation, read_text(prompt))
    refused = [each["request_sha256"] for each in told.get("refused") or []]
    return other_answers(generation, request, but=[told.get("request_sha256", ""), *refused])


def is_edited(directory: Path, phase: str, sha256: str) -> bool:
    """Tell whether a text with this digest differs from what its phase wrote."""
    made = read_record(directory).get(phase)
    return made is not None and made.sha256 != sha256
