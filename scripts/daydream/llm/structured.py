"""How a request asks for an answer in JSON: the fields of the body, as providers differ in them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from daydream.settings.providers import Structured


def schema_fields(mode: Structured, name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return what to add to a request's body so that its answer is JSON of this schema."""
    label = label_of(name)
    if mode == "response_format":
        described = {"name": label, "schema": dict(schema), "strict": is_strict(schema)}
        return {"response_format": {"type": "json_schema", "json_schema": described}}
    if mode == "json_object":
        return {"response_format": {"type": "json_object"}}
    if mode == "tool":
        function = {"name": label, "parameters": dict(schema)}
        choice = {"type": "function", "function": {"name": label}}
        return {"tools": [{"type": "function", "function": function}], "tool_choice": choice}
    return {}


def label_of(name: str) -> str:
    """Return the name of a schema as APIs take it."""
    return re.sub(r"[^a-zA-Z0-9_-]", "_", name)[:64]


def is_strict(schema: object) -> bool:
    """Tell whether OpenAI's strict mode takes a schema.

    Each object has to close itself with `additionalProperties: false`, and require all its members.
    """
    if isinstance(schema, list):
        return all(map(is_strict, schema))
    if not isinstance(schema, Mapping):
        return True
    members = schema.get("properties")
    if schema.get("type") == "object" or isinstance(members, Mapping):
        names = set(members) if isinstance(members, Mapping) else set()
        if schema.get("additionalProperties") is not False:
            return False
        if set(schema.get("required") or ()) != names:
            return False
    return all(map(is_strict, schema.values()))
