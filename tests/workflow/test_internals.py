"""What the workflow replaces in Snakemake is there, and where it is not, nothing happens.

If the first test fails, Snakemake has renamed something: see rules/tuning.smk for what it was for.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from snakemake import iocontainers, persistence
from snakemake.persistence.file import FilePersistence
from snakemake.settings.types import Batch

TUNING = Path(__file__).parents[2] / "rules/tuning.smk"
OWNERS = {
    "PersistenceBase": persistence.PersistenceBase,
    "Snakemake": iocontainers.Snakemake,
    "Batch": Batch,
    "FilePersistence": FilePersistence,
    "ParamsChange": persistence.ParamsChange,
}


def replaced() -> list[tuple[str, str]]:
    """Return each class and method that rules/tuning.smk replaces."""
    calls = re.findall(r"^replace\((\w+), (\w+)=", TUNING.read_text(), re.MULTILINE)
    assert {owner for owner, _ in calls} == OWNERS.keys()
    return calls


@pytest.mark.parametrize(("owner", "name"), replaced())
def test_what_is_replaced_is_there(owner: str, name: str) -> None:
    assert name in vars(OWNERS[owner])


def test_what_is_gone_is_not_replaced() -> None:
    """Of two methods that belong together, one that is gone keeps the other as it is."""
    source = TUNING.read_text()
    function = next(
        node
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef) and node.name == "replace"
    )
    names: dict[str, object] = {}
    exec(ast.get_source_segment(source, function) or "", names)
    replace = names["replace"]
    assert callable(replace)

    class Owner:
        def kept(self) -> str:
            return "old"

    replace(Owner, kept=lambda old: lambda self: f"new {old(self)}", gone=lambda old: old)
    assert Owner().kept() == "old"
    assert not hasattr(Owner, "gone")
    replace(Owner, kept=lambda old: lambda self: f"new {old(self)}")
    assert Owner().kept() == "new old"


def test_other_runs_keep_their_locks(tmp_path: Path) -> None:
    """As Snakemake is, the end of any run deletes the locks of all."""
    source = TUNING.read_text()
    function = next(
        node
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef) and node.name == "delete_own_locks"
    )
    names: dict[str, object] = {"Path": Path, "FilePersistence": type("Stand", (), {})}
    exec(ast.get_source_segment(source, function) or "", names)
    make = names["delete_own_locks"]
    assert callable(make)
    own, other = tmp_path / "0.input.lock", tmp_path / "1.input.lock"
    own.touch()
    other.touch()
    make(lambda _: None)(SimpleNamespace(_lockfile={"input": str(own)}))
    assert not own.exists()
    assert other.exists()
