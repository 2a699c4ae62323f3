"""The library's modules: how large they are, and who imports whom."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = ROOT / "scripts"
MODULES = sorted((SCRIPTS / "daydream").rglob("*.py"))
LINES = 400
METHODS = 20
# An import within a function says why it is there.
REASON = re.compile(r"# noqa: PLC0415 - \w")


def nodes(text: str) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(text))


def is_ours(node: ast.AST) -> bool:
    if isinstance(node, ast.Import):
        return any(alias.name.split(".")[0] == "daydream" for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        return node.level > 0 or (node.module or "").split(".")[0] == "daydream"
    return False


def large(text: str) -> list[str]:
    """Return what is too large in a module."""
    found = []
    length = len(text.splitlines())
    if length > LINES:
        found.append(f"{length} lines")
    for node in nodes(text):
        if isinstance(node, ast.ClassDef):
            methods = [
                m for m in node.body if isinstance(m, ast.FunctionDef | ast.AsyncFunctionDef)
            ]
            if len(methods) > METHODS:
                found.append(f"{node.name}: {len(methods)} methods")
    return found


def hidden(text: str) -> list[str]:
    """Return the imports of our modules that stand elsewhere than at the top, without a reason."""
    lines = text.splitlines()
    found = set()
    for node in nodes(text):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for inner in ast.walk(node):
                if is_ours(inner) and not REASON.search(lines[inner.lineno - 1]):
                    found.add(lines[inner.lineno - 1].strip())
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            found |= {lines[inner.lineno - 1].strip() for inner in ast.walk(node) if is_ours(inner)}
    return sorted(found)


def in_modules(check: Callable[[str], list[str]]) -> dict[str, list[str]]:
    """Return what a check finds, by module."""
    assert len(MODULES) > 100
    found = {str(path.relative_to(SCRIPTS)): check(path.read_text()) for path in MODULES}
    return {name: problems for name, problems in found.items() if problems}


def test_modules_and_classes_are_small() -> None:
    """A module has one topic, and a class one job."""
    assert in_modules(large) == {}


def test_imports_stand_at_the_top() -> None:
    """Elsewhere they could hide a circle; those that save time say so."""
    assert in_modules(hidden) == {}


def test_what_is_too_large_or_hidden_is_found() -> None:
    """The two tests above can fail."""
    methods = "\n".join(f"    def m{number}(self): ..." for number in range(METHODS + 1))
    assert large(f"class A:\n{methods}") == ["A: 21 methods"]
    assert large("\n" * (LINES + 1)) == ["401 lines"]
    inner = "from daydream.errors import nearest"
    assert hidden(f"def f():\n    {inner}  # noqa: PLC0415") == [f"{inner}  # noqa: PLC0415"]
    assert hidden(f"def f():\n    {inner}  # noqa: PLC0415 - takes a second") == []
    assert hidden(f"if TYPE_CHECKING:\n    {inner}") == [inner]
    assert hidden("if TYPE_CHECKING:\n    import daydream.text") == ["import daydream.text"]
    assert hidden(f"{inner}\ndef f():\n    import json") == []


def test_layers() -> None:
    """Each package imports from those below its own, as pyproject.toml says."""
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(SCRIPTS), "COLUMNS": "100"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
