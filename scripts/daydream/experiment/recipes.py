"""What each phase of a generation is made from: files, and what is not in files.

The files are a rule's inputs (`prompt_inputs`, `raw_inputs`, `parsed_inputs`). The rest is names,
dimensions, sampling settings and the parser. These are short texts that are compared by their
digests (`variables_sha256`, `settings_sha256`, `parser_sha256`). Many generations share them, so
each is worked out once for all that do (`Experiment.shared`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from daydream.catalog.cache_lines import CACHE_POINT
from daydream.catalog.prompts import COPY
from daydream.catalog.records import Combo, Template
from daydream.experiment.experiment import Experiment
from daydream.files import text_sha256
from daydream.generations.row import Generation
from daydream.llm.dialects.question import Question, Schema
from daydream.llm.structured import schema_fields
from daydream.parsers import Shape
from daydream.parsers.structured import default_path
from daydream.settings import Provider, Stage
from daydream.store.choices import FIRST, Choice
from daydream.store.layout import generation_file
from daydream.store.records import read_record

_FIRST_TAG = re.compile(r"\s*\{[{%#]")
# The stand-in for a combo in rows with an item.
NO_CONCEPTS = Combo(combo_id="", concepts=())


def stage_of(experiment: Experiment, generation: Generation) -> Stage:
    """Return the stage of a generation."""
    return experiment.settings.stages[generation.stage]


def template_of(experiment: Experiment, generation: Generation) -> Template:
    """Return the template of a generation."""
    return experiment.catalog.templates[generation.stage][generation.template_id]


def template_file(experiment: Experiment, generation: Generation) -> str:
    """Return the file of a generation's template; empty for a copy whose template has none."""
    return str(template_of(experiment, generation).path or "")


def template_text(experiment: Experiment, generation: Generation) -> str:
    """Return the source of a generation's template.

    Raises:
        InputError: it cannot be read.
    """
    path = template_file(experiment, generation)
    return experiment.text(path) if path else COPY


def template_sha256(experiment: Experiment, generation: Generation) -> str:
    """Return the digest of that source."""
    path = template_file(experiment, generation)
    return experiment.sha256(path) if path else text_sha256(COPY)


def is_copy(experiment: Experiment, generation: Generation) -> bool:
    """Tell whether a generation takes its parent's text instead of calling a model."""
    return template_of(experiment, generation).generator == "copy"


def item_variables(experiment: Experiment, generation: Generation) -> dict[str, object]:
    """Return what templates see of a generation's item: `item`, and its columns by name.

    The columns by name are only for the first stage, where no other variable has a name. A later
    template that does not name the item does not depend on it.
    """
    if experiment.settings.items is None:
        return {}
    item = experiment.catalog.items[generation.combo_id]
    if not generation.parent_gen_id:
        return {"item": item, **item}
    return {"item": item} if "item" in template_text(experiment, generation) else {}


def named_ancestors(experiment: Experiment, generation: Generation) -> list[Generation]:
    """Return the ancestors whose texts a prompt may take, the parent last.

    A template that does not name `ancestors` takes only its parent's text.
    """
    ancestors = experiment.lineage(generation)[:-1]
    return ancestors if names_ancestors(experiment, generation) else ancestors[-1:]


def names_ancestors(experiment: Experiment, generation: Generation) -> bool:
    """Tell whether a generation's template names more than its parent."""
    return "ancestors" in template_text(experiment, generation)


def concept_files(experiment: Experiment, generation: Generation) -> dict[str, str]:
    """Return the texts of the concepts that a generation of the first stage is made from."""
    if generation.parent_gen_id:
        return {}
    combo = experiment.catalog.combos.get(generation.combo_id, NO_CONCEPTS)
    return {
        concept: str(experiment.catalog.concept_path(concept, level))
        for concept, level in combo.concepts
    }


def prompt_inputs(experiment: Experiment, generation: Generation) -> dict[str, list[str]]:
    """Return the files that a prompt is rendered from, by their role."""
    template = template_file(experiment, generation)
    inputs = {"template": [template] if template else []}
    if generation.parent_gen_id:
        inputs["ancestors"] = [
            generation_file(row.stage, row.gen_id, "parsed.txt")
            for row in named_ancestors(experiment, generation)
        ]
    else:
        inputs["concepts"] = list(concept_files(experiment, generation).values())
    return inputs


def variables_sha256(experiment: Experiment, generation: Generation) -> str:
    """Return the digest of what a prompt depends on besides its input files."""
    of_combo = not generation.parent_gen_id or experiment.settings.items is not None
    combo = generation.combo_id if of_combo else ""
    key = ("variables", generation.stage, generation.template_id, combo, *generation.dimensions)
    return experiment.shared(key, lambda: text_sha256(_prompt_variables(experiment, generation)))


def _prompt_variables(experiment: Experiment, generation: Generation) -> str:
    """Return what a prompt depends on besides its input files: names and dimensions."""
    variables: dict[str, object] = {
        **dimensions(experiment, generation),
        **item_variables(experiment, generation),
        **schema_variables(experiment, generation),
    }
    if not generation.parent_gen_id and experiment.settings.items is None:
        combo = experiment.catalog.combos[generation.combo_id]
        variables["concepts"] = [
            [concept, experiment.catalog.concepts[concept].name, level]
            for concept, level in combo.concepts
        ]
    return _canonical(variables)


def dimensions(experiment: Experiment, generation: Generation) -> dict[str, str]:
    """Return the further dimensions of a generation's stage by name."""
    names = stage_of(experiment, generation).dimensions
    return dict(zip(names, generation.dimensions, strict=True))


def raw_inputs(experiment: Experiment, generation: Generation) -> dict[str, str]:
    """Return the files that an answer is made from: the prompt, and for a copy its text."""
    inputs = {"prompt": generation_file(generation.stage, generation.gen_id, "prompt.txt")}
    if is_copy(experiment, generation):
        parent = experiment.generations[generation.parent_gen_id]
        inputs["copied"] = generation_file(parent.stage, parent.gen_id, "parsed.txt")
    return inputs


def parsed_inputs(experiment: Experiment, generation: Generation) -> dict[str, str]:
    """Return the files that a parsed text is made from: the answer and its metadata."""
    names = {"raw": "raw.txt", "metadata": "metadata.json"}
    return {
        name: generation_file(generation.stage, generation.gen_id, file)
        for name, file in names.items()
    }


def sampling_of(experiment: Experiment, generation: Generation) -> dict[str, Any]:
    """Return the sampling settings of a generation's call."""
    return experiment.settings.sampling(
        generation.stage, generation.llm_model_id, dimensions(experiment, generation)
    )


def body_settings(experiment: Experiment, generation: Generation) -> dict[str, Any]:
    """Return the sampling settings of a generation's call as fields of what is sent."""
    sampling = sampling_of(experiment, generation)
    extra_body = sampling.pop("extra_body")
    return {**sampling, **structured(experiment, generation), **extra_body}


# Answers in JSON


def schema_text(experiment: Experiment, template: Template) -> str:
    """Return the JSON Schema that a template names, as its file has it; empty if it names none.

    Raises:
        InputError: it cannot be read.
    """
    if not template.schema:
        return ""
    return experiment.text(str(experiment.catalog.schema_path(template.schema)))


def schema_of(experiment: Experiment, template: Template) -> dict[str, Any] | None:
    """Return the JSON Schema that a template names; None if it names none.

    Raises:
        InputError: it cannot be read.
        ValueError: it is not JSON.
    """
    if not template.schema:
        return None
    schema: dict[str, Any] = experiment.inputs.value(
        str(experiment.catalog.schema_path(template.schema))
    )
    return schema


def shape_of(experiment: Experiment, template: Template) -> Shape:
    """Return where in answers of JSON a template has its score or text, and which are valid."""
    scored = experiment.settings.stages[template.stage].scored
    return Shape(
        path=template.json_path or default_path(scored=scored),
        scored=scored,
        schema=schema_of(experiment, template),
    )


def structured(experiment: Experiment, generation: Generation) -> dict[str, Any]:
    """Return the fields by which a call asks for JSON of its template's schema."""
    template = template_of(experiment, generation)
    schema = schema_of(experiment, template)
    if schema is None:
        return {}
    mode = provider_of(experiment, generation).structured
    return schema_fields(mode, template.schema, schema)


def provider_of(experiment: Experiment, generation: Generation) -> Provider:
    """Return the settings of the provider of a generation's model."""
    model = experiment.catalog.models[generation.llm_model_id]
    settings = experiment.settings
    return settings.providers[settings.provider_of(model.provider)]


def cache_points(experiment: Experiment, generation: Generation, prompt: str) -> tuple[int, ...]:
    """Return the places of the cache points in a prompt; an edited prompt has none."""
    if CACHE_POINT not in template_text(experiment, generation):
        return ()
    directory = Path(generation_file(generation.stage, generation.gen_id, ""))
    made = read_record(directory).get("prompt")
    return made.points if made is not None and made.sha256 == text_sha256(prompt) else ()


def opening(experiment: Experiment, generation: Generation, prompt: str) -> int:
    """Return how many characters of a prompt are the same in all prompts of its template.

    They are the text before the template's first tag. What comes after could be the same too, but
    that is known only once the prompts are there. An edited prompt may begin otherwise.
    """
    key = ("opening", generation.stage, generation.template_id)
    text = experiment.shared(
        key, lambda: _FIRST_TAG.split(template_text(experiment, generation), maxsplit=1)[0]
    )
    return len(text) if prompt.startswith(text) else 0


def question_of(experiment: Experiment, generation: Generation, prompt: str) -> Question:
    """Return what a generation asks."""
    template = template_of(experiment, generation)
    schema = schema_of(experiment, template)
    sampling = sampling_of(experiment, generation)
    mode = provider_of(experiment, generation).structured
    return Question(
        prompt=prompt,
        system_prompt=sampling.pop("system_prompt", ""),
        extra_body=sampling.pop("extra_body"),
        sampling=sampling,
        schema=None if schema is None else Schema(mode, template.schema, schema),
        points=cache_points(experiment, generation, prompt),
        opening=opening(experiment, generation, prompt),
    )


def schema_variables(experiment: Experiment, generation: Generation) -> dict[str, str]:
    """Return the variable `schema` of a template that names it: the text of its schema."""
    source = schema_text(experiment, template_of(experiment, generation))
    if source and "schema" in template_text(experiment, generation):
        return {"schema": source.strip()}
    return {}


def settings_sha256(experiment: Experiment, generation: Generation) -> str:
    """Return the digest of what an answer depends on besides its input files."""
    settings = _call_settings(experiment, generation)
    return text_sha256(f"{generation.key}\n{settings}")


def _call_settings(experiment: Experiment, generation: Generation) -> str:
    """Return what an answer depends on besides its key and input files: model and sampling."""
    choice = experiment.choices.of(generation.gen_id)
    if choice != FIRST:
        return _settings_of_call(experiment, generation, choice)
    own = (generation.template_id, generation.llm_model_id, *generation.dimensions)
    key = ("settings", generation.stage, *own)
    return experiment.shared(key, lambda: _settings_of_call(experiment, generation, choice))


def _settings_of_call(experiment: Experiment, generation: Generation, choice: Choice) -> str:
    if is_copy(experiment, generation):
        return "copy"
    model = experiment.catalog.models[generation.llm_model_id]
    provider = experiment.settings.provider_of(model.provider)
    sampling = sampling_of(experiment, generation)
    stage = stage_of(experiment, generation)
    return _canonical(
        {
            "provider": provider,
            "model": model.model,
            # Another API is asked in other words, whatever else is the same.
            **({"api": kind} if (kind := _api(experiment, generation)) else {}),
            **sampling,
            **({} if choice == FIRST else {"choice": [choice.sample, choice.request]}),
            **structured(experiment, generation),
            # What decides whether an answer is asked for again, if the stage ever does that.
            **({"resample": stage.resample} if stage.resample else {}),
            **({"limit": stage.max_tokens_limit} if stage.on_truncation == "grow" else {}),
            **({"parser": _parser_settings(experiment, generation)} if stage.resample else {}),
        }
    )


def _api(experiment: Experiment, generation: Generation) -> str:
    kind = provider_of(experiment, generation).type
    return kind if kind in ("anthropic", "gemini") else ""


def pool_of(experiment: Experiment, generation: Generation) -> str:
    """Return the pool that limits a generation's call; a copy has none."""
    if is_copy(experiment, generation):
        return ""
    model = experiment.catalog.models[generation.llm_model_id]
    return model.pool or experiment.settings.provider_of(model.provider)


def parser_sha256(experiment: Experiment, generation: Generation) -> str:
    """Return the digest of what a parsed text depends on besides its input files."""
    key = ("parser", generation.stage, generation.template_id)
    return experiment.shared(key, lambda: text_sha256(_parser_settings(experiment, generation)))


def _parser_settings(experiment: Experiment, generation: Generation) -> str:
    """Return what a parsed text depends on besides its input files: parser and scale."""
    template = template_of(experiment, generation)
    reads_json = experiment.parsers.reads_json(template.parser)
    return _canonical(
        {
            "parser": template.parser,
            "source": experiment.parsers.digest(template.parser),
            "scale": [template.score_min, template.score_max],
            "min_lines": stage_of(experiment, generation).min_lines,
            **({"path": template.json_path} if template.json_path else {}),
            **({"schema": schema_text(experiment, template)} if reads_json else {}),
        }
    )


def _canonical(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
