"""Generates the schema of config.yaml, and the tables of its manual, from the sections.

    python -m daydream.settings.schema

writes both (run it in the root of the repository, with ``PYTHONPATH=scripts``). A test checks that
they are up to date. The schema is for editors. The workflow itself reads settings with the
sections, which also accept a number written as text, and a single name in place of a list.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue
from pydantic_core import CoreSchema

from daydream.settings.batch import OpenAIBatchApi
from daydream.settings.budget import RunBudget
from daydream.settings.embeddings import Embeddings
from daydream.settings.fields import Section
from daydream.settings.providers import (
    Anthropic,
    Asked,
    Command,
    Function,
    Gemini,
    Local,
    OpenAI,
    Pool,
    Remote,
)
from daydream.settings.sampling import Sampling
from daydream.settings.sections import ModelSettings, Settings
from daydream.settings.stages import Stage
from daydream.settings.targets import Components, TargetOptions
from daydream.settings.views import View

SCHEMA = Path("config/schemas/config.schema.yaml")
MANUAL = Path("config/README.md")
_HEADER = "# Made by `python -m daydream.settings.schema` from scripts/daydream/settings.\n"
# The tables of the manual: a section, and the section whose settings another table has.
_TABLES: Mapping[str, tuple[type[Section], type[Section] | None]] = {
    "settings": (Settings, TargetOptions),
    "targets": (TargetOptions, None),
    "components": (Components, None),
    "budget": (RunBudget, None),
    "batch": (OpenAIBatchApi, None),
    "embeddings": (Embeddings, None),
    "view": (View, None),
    "stage": (Stage, None),
    "sampling": (Sampling, None),
    "model": (ModelSettings, None),
    "openai": (OpenAI, Remote),
    "anthropic": (Anthropic, Remote),
    "gemini": (Gemini, Remote),
    "command": (Command, Remote),
    "remote": (Remote, Asked),
    "asked": (Asked, None),
    "local": (Local, Asked),
    "function": (Function, Asked),
    "pool": (Pool, None),
}
# Where the manual says more about a setting.
_MORE: Mapping[str, str] = {
    "where": "See [below](#slices)",
    "exclude": "See [below](#slices)",
    "components": "See [below](#allocate)",
    "refresh": "See [below](#refresh-and-restore)",
    "expand": "See [below](#continuing-a-large-cohort)",
    "budget": "See [below](#budget)",
    "batch": "See [below](#batches)",
    "embeddings": "See [below](#embeddings)",
    "views": "See [below](#views)",
    "items": "See [below](#a-table-of-items)",
    "parsers": "See [below](#parsers)",
    "shards": "See [docs/cluster.md](../docs/cluster.md#shards)",
    "stages": "See [below](#stages)",
    "models": "See [below](#sampling)",
    "pools": "See [below](#failures-and-limits)",
    "providers": "See [below](#providers)",
}


class _Schema(GenerateJsonSchema):
    """Without the titles that pydantic derives from names, which add nothing."""

    schema_dialect = "https://json-schema.org/draft/2020-12/schema"

    def field_title_should_be_set(self, _schema: Any) -> bool:  # noqa: ANN401 - pydantic's own
        return False

    def generate(self, schema: CoreSchema, mode: JsonSchemaMode = "validation") -> JsonSchemaValue:
        made = super().generate(schema, mode)
        for part in (made, *made["$defs"].values()):
            part.pop("title", None)
            part["description"] = " ".join(part.get("description", "").split())
        title = "The settings of the workflow (config/README.md is the manual)"
        return dict(_strict({"$schema": self.schema_dialect, "title": title, **made}))


def _strict(part: Any) -> Any:  # noqa: ANN401 - any part of a schema
    """Return a part of the schema in the form that Snakemake and editors need.

    A tool that fills in defaults, such as `snakemake.utils.validate`, follows every branch of a
    ``oneOf`` and would give each provider the settings of all, and settings to a section that is
    null. With ``if`` it does not.
    """
    if isinstance(part, list):
        return [_strict(item) for item in part]
    if not isinstance(part, dict):
        return part
    part = {name: _strict(value) for name, value in part.items()}
    if "patternProperties" in part:
        part["additionalProperties"] = False
    match part.get("anyOf"):
        case [{"$ref": reference}, {"type": "null"}]:
            del part["anyOf"]
            section = {"then": {"$ref": reference}, "else": {"type": "null"}}
            return {**part, "if": {"type": "object"}, **section}
    if "discriminator" not in part:
        return part
    types = part["discriminator"]["mapping"]
    return {
        "type": "object",
        "required": ["type"],
        "properties": {"type": {"enum": [*types]}},
        "allOf": [
            {"if": {"properties": {"type": {"const": name}}}, "then": {"$ref": reference}}
            for name, reference in types.items()
        ],
    }


def schema_text() -> str:
    """Return the schema of config.yaml, in YAML."""
    schema = Settings.model_json_schema(schema_generator=_Schema)
    return _HEADER + yaml.safe_dump(schema, sort_keys=False, allow_unicode=True, width=100)


def manual_text(manual: str) -> str:
    """Return the manual with up-to-date tables, each between the comments that name it."""

    def table(match: re.Match[str]) -> str:
        lines = "\n".join(_table(*_TABLES[match[1]]))
        return f"<!-- settings: {match[1]} -->\n\n{lines}\n\n<!-- end -->"

    return re.sub(r"<!-- settings: (\w+) -->.*?<!-- end -->", table, manual, flags=re.DOTALL)


def _table(section: type[Section], without: type[Section] | None) -> Iterator[str]:
    left_out = {"type", *(without.model_fields if without else ())}
    fields = {
        name: field
        for name, field in section.model_fields.items()
        if name not in left_out and not field.exclude
    }
    # If every default is null or empty, a column of defaults says nothing.
    defaults = {name: _default(field) for name, field in fields.items()}
    shown = not {*defaults.values()} <= {"`null`", "`{}`"}
    yield "| Setting |" + " Default |" * shown + " What it is |"
    yield "|---|" + "---|" * shown + "---|"
    for name, field in fields.items():
        text = field.description or ""
        if section is Settings and name in _MORE:
            text = f"{text} {_MORE[name]}."
        yield f"| `{name}` |" + f" {defaults[name]} |" * shown + f" {text} |"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "(required)"
    if field.default_factory is not None:
        return "`{}`"
    value = list(field.default) if isinstance(field.default, tuple) else field.default
    return f"`{yaml.safe_dump(value, default_flow_style=True).splitlines()[0]}`"


def main() -> None:
    """Write the schema and the tables of the manual."""
    SCHEMA.write_text(schema_text(), encoding="utf-8")
    MANUAL.write_text(manual_text(MANUAL.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
