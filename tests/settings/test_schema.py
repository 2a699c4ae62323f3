"""The schema and the manual's tables are what the sections say, and refuse what they refuse."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from snakemake.utils import validate

from daydream.settings import load_settings
from daydream.settings.schema import MANUAL, SCHEMA, manual_text, schema_text
from support.project import ROOT

CONFIG = yaml.safe_load((ROOT / "config/config.yaml").read_text())
AGAIN = "run PYTHONPATH=scripts python -m daydream.settings.schema"


def test_the_schema_is_made_from_the_sections() -> None:
    """As it stands in the repository."""
    assert (ROOT / SCHEMA).read_text(encoding="utf-8") == schema_text(), AGAIN


def test_the_tables_of_the_manual_are_made_from_the_sections() -> None:
    """As they stand in the repository; each is there, and no setting is without a word."""
    manual = (ROOT / MANUAL).read_text(encoding="utf-8")
    assert manual == manual_text(manual), AGAIN
    assert manual.count("<!-- settings: ") == 19
    assert "|  |" not in manual


def parts(schema: Any) -> Iterator[dict[str, Any]]:
    """Yield every mapping of the schema."""
    if isinstance(schema, dict):
        yield schema
    for item in schema.values() if isinstance(schema, dict) else schema:
        if isinstance(item, dict | list):
            yield from parts(item)


def test_every_section_is_closed_and_described() -> None:
    """An unknown setting is marked at every level, and an editor can explain each."""
    sections = [
        part for part in parts(yaml.safe_load(schema_text())) if part.get("type") == "object"
    ]
    assert len(sections) > 15
    for section in sections:
        fixed = {"properties", "patternProperties"} & section.keys()
        if fixed and "allOf" not in section:
            assert section["additionalProperties"] is False, section
            for name, setting in section.get("properties", {}).items():
                assert setting.get("description") or name == "type", name


def accepted(config: dict[str, Any]) -> bool:
    try:
        validate(config, schema=str(ROOT / SCHEMA))
    except Exception as error:
        assert type(error).__name__ == "WorkflowError", error
        return False
    return True


def test_snakemake_can_fill_in_defaults_by_the_schema() -> None:
    """What `validate` makes of a configuration means what it meant before."""
    filled, plain = copy.deepcopy(CONFIG), copy.deepcopy(CONFIG)
    assert accepted(filled)
    assert filled["stages"]["draft"]["min_lines"] == 0
    assert load_settings(filled) == load_settings(plain)
    assert filled == plain
    assert accepted(plain), "the completed settings are settings too"
    assert load_settings(copy.deepcopy(plain)) == load_settings(plain)


@pytest.mark.parametrize(
    "change",
    [
        {"partial": "maybe"},
        {"cohorts": []},
        {"cohorts": ["a", "a"]},
        {"where": {"combo_id": []}},
        {"views": {"v": {}}},
        {"views": {"a b": {"where": {"x": "y"}}}},
        {"budget": {"eur": 1}},
        {"providers": {"x": {"type": "grpc"}}},
        {"providers": {"x": {"type": "local", "base_url": "http://x"}}},
        {"providers": {"x": {"type": "function"}}},
        {"pools": {"x": {"concurrent": 0}}},
        {"stages": {"draft": {"prefix": "D"}}},
        {"stages": {"Draft": {"prefix": "d"}}},
        {"stages": {"draft": {"prefix": "d", "sampling": {"top_p": 0}}}},
        {"stages": {"draft": {"prefix": "d", "sampling": {"extra_body": {"model": "x"}}}}},
        {"stages": {"draft": {"prefix": "d", "dimensions": ["llm"]}}},
    ],
)
def test_the_schema_refuses_what_the_sections_refuse(change: dict[str, Any]) -> None:
    """An editor marks it before the workflow does."""
    config = copy.deepcopy(CONFIG) | change
    assert not accepted(copy.deepcopy(config))
    with pytest.raises(Exception, match=r"\[config\] "):
        load_settings(config)
