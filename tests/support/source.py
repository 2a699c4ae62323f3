"""An existing data root, as `import_store` takes it.

The source is of another time: its prompts are not what today's templates render, its ids are
its own, and its files are older than the catalogs.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from support.project import Project

YEARS_AGO = 1_700_000_000


class Source:
    """A data root in the older form, beside the project that imports it."""

    def __init__(self, project: Project) -> None:
        self.root = project.dir / "elsewhere"

    @classmethod
    def small(cls, project: Project) -> Source:
        """Return a source of one line of descent and one copy."""
        source = cls(project)
        raw_metadata = {"finish_reason": "stop", "usage": {"prompt_tokens": 5}}
        source.add("draft", "d1", raw_metadata=raw_metadata)
        source.add("essay", "e1", "d1")
        source.add("essay", "copied", "d1", template_id="same", mode="copy", llm_model_id=None)
        source.add("evaluation", "v1", "e1", replicate=None)
        source.add("evaluation", "v2", "copied", combo_id="pair", replicate=2)
        return source

    def add(self, stage: str, name: str, parent: str | None = None, /, **metadata: object) -> None:
        """Add a generation; a metadata of None is left out, and raw_metadata is a file."""
        known: dict[str, Any] = {
            "stage": stage,
            "gen_id": name,
            "template_id": {"draft": "plain", "essay": "grow", "evaluation": "judge"}[stage],
            "llm_model_id": "m1",
            "replicate": 1,
            "mode": "llm",
            **({"combo_id": "pair"} if stage == "draft" else {"parent_gen_id": parent}),
            **metadata,
        }
        raw_metadata = known.pop("raw_metadata", None)
        directory = self.path(stage, name)
        directory.mkdir(parents=True)
        score = "SCORE: 7\r\n" if stage == "evaluation" else ""
        texts = {
            "prompt.txt": f"As we asked for {name} in those days\n",
            "raw.txt": f"\ufeffThe {stage} {name}, «exactly».\n{score}",
            "parsed.txt": "7.0\n" if score else f"The {stage} {name}.",
            "metadata.json": json.dumps({k: v for k, v in known.items() if v is not None}),
        }
        if raw_metadata:
            texts["raw_metadata.json"] = json.dumps(raw_metadata)
        for file, text in texts.items():
            (directory / file).write_bytes(text.encode())
            os.utime(directory / file, (YEARS_AGO, YEARS_AGO))

    def path(self, stage: str, name: str, file: str = "") -> Path:
        """Return the path of a generation, or of a file of it."""
        return self.root / "gens" / stage / name / file

    def edit(self, stage: str, name: str, /, **metadata: object) -> None:
        """Change what the metadata of a generation says."""
        path = self.path(stage, name, "metadata.json")
        path.write_text(json.dumps({**json.loads(path.read_text()), **metadata}))


def state(directory: Path) -> dict[str, tuple[bytes, int]]:
    """Return every file below a directory with its content and its time."""
    files = [path for path in directory.rglob("*") if path.is_file()]
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}
