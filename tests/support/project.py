"""A small experiment in a temporary directory, and `snakemake` run in it as a user would."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from support.launcher import launcher

ROOT = Path(__file__).resolve().parents[2]
WORKFLOW = (
    "Snakefile",
    "rules",
    "scripts",
    "report",
    "environment.yml",
    "config/schemas",
    "profiles",
)

STAGES = {
    "draft": {"prefix": "d"},
    "essay": {"prefix": "e", "parent": "draft"},
    "evaluation": {"prefix": "v", "parent": "essay", "scored": True},
}

# A model of the tests' own: it answers from the prompt alone, and notes each call in a file.
ECHO = """
import hashlib
from pathlib import Path


def complete(body):
    prompt = body["messages"][-1]["content"]
    digest = hashlib.sha256(prompt.encode()).hexdigest()
    with Path("calls.log").open("a") as log:
        log.write(digest + "\\n")
    if "SCORE" in prompt:
        return f"because {digest[:6]}\\nSCORE: {int(digest, 16) % 10}"
    return f"text {digest}\\nof {len(prompt)} characters"
"""


class Project:
    """A working directory with its own catalogs, one cohort, and the workflow's own files."""

    def __init__(self, directory: Path, *, workflow: bool = True) -> None:
        """Write them; without `workflow`, as where the workflow is used from another directory."""
        self.dir = directory
        self.code = 0  # with which the last run ended
        self.output = ""  # what it printed
        for name in WORKFLOW if workflow else ():
            source, target = ROOT / name, directory / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if name == "scripts":
                # Not a copy, which each run would compile again.
                target.symlink_to(source)
            elif source.is_dir():
                shutil.copytree(source, target)
            else:
                shutil.copy(source, target)
        self.config: dict[str, Any] = {
            "cohorts": ["c1"],
            "stages": json.loads(json.dumps(STAGES)),
            "default_provider": "echo",
            "providers": {"echo": {"type": "function", "path": "echo.py"}},
        }
        self.spec: dict[str, Any] = {
            "axes": {
                "combo_id": ["pair", "trio"],
                "draft_template": ["plain"],
                "draft_llm": ["m1"],
                "essay_template": ["grow", "same"],
                "essay_llm": ["m1"],
                "evaluation_template": ["judge"],
                "evaluation_llm": ["m1"],
            }
        }
        self.write("echo.py", ECHO)
        self._write_catalogs()
        self.save()

    def _write_catalogs(self) -> None:
        raw = "data/1_raw"
        names = {"tide": "Tide", "loom": "Loom", "fog": "Fog"}
        rows = [f"{key},{name}" for key, name in names.items()]
        self.write(f"{raw}/concepts_metadata.csv", "\n".join(["concept_id,name", *rows, ""]))
        for key, name in names.items():
            for level in ("sentence", "paragraph"):
                text = f"{name} as a {level}.\n"
                self.write(f"{raw}/concepts/descriptions-{level}/{key}.txt", text)
        combos = {"pair": ["tide", "loom"], "trio": ["tide", "loom", "fog"]}
        rows = [
            f"{combo},v1,{concept},sentence,{len(concepts)},2026-11-01"
            for combo, concepts in combos.items()
            for concept in concepts
        ]
        header = "combo_id,version,concept_id,description_level,k_max,created_at"
        self.write("data/combo_mappings.csv", "\n".join([header, *rows, ""]))
        header = "template_id,template_name,description,parser,generator"
        self.write(f"{raw}/draft_templates.csv", f"{header}\nplain,Plain,,identity,llm\n")
        self.write(
            f"{raw}/essay_templates.csv",
            f"{header}\ngrow,Grow,,identity,llm\nsame,Same,,,copy\n",
        )
        self.write(
            f"{raw}/evaluation_templates.csv",
            f"{header},score_min,score_max\njudge,Judge,,in_last_line,llm,0,9\n",
        )
        self.write(
            f"{raw}/templates/draft/plain.txt",
            "Join{% for c in concepts %} {{ c.name }}: {{ c.content }}{% endfor %}\n",
        )
        self.write(f"{raw}/templates/essay/grow.txt", "Grow this:\n{{ draft_block }}\n")
        self.write(f"{raw}/templates/essay/same.txt", "{{ parent }}")
        self.write(f"{raw}/templates/evaluation/judge.txt", "Judge:\n{{ response }}\nSCORE?\n")
        self.write(
            f"{raw}/llm_models.csv",
            "id,model,provider,display_name,specialization\nm1,echo-1,echo,Echo,general\n",
        )

    def path(self, name: str) -> Path:
        return self.dir / name

    def write(self, name: str, text: str | bytes) -> None:
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())

    def read(self, name: str) -> str:
        return self.path(name).read_bytes().decode()

    def edit(self, name: str, old: str, new: str) -> None:
        text = self.read(name)
        assert old in text, f"{old!r} is not in {name}"
        self.write(name, text.replace(old, new))

    def widen(self, drafts: int, **axes: object) -> None:
        """Make the cohort so many drafts of one combo, with an essay and an evaluation each."""
        self.spec["axes"] |= {
            "combo_id": ["pair"],
            "draft_replicate": drafts,
            "essay_template": ["grow"],
            **axes,
        }

    def save(self) -> None:
        """Write the configuration and the spec as they stand."""
        self.write("config/config.yaml", yaml.safe_dump(self.config, sort_keys=False))
        if self.spec:
            name = "data/cohorts/c1/spec/config.yaml"
            self.write(name, yaml.safe_dump(self.spec, sort_keys=False))

    def serve(self, url: str, **settings: object) -> None:
        """Let the models be answered by an HTTP server that speaks the OpenAI protocol."""
        self.config["providers"]["echo"] = {
            "type": "openai",
            "base_url": url,
            "api_key_env": "TEST_API_KEY",
            **settings,
        }
        self.save()

    def snakemake(
        self, *arguments: str, code: int | None = 0, env: Mapping[str, str] | None = None
    ) -> str:
        """Run snakemake and return all that it printed, without colours; check its exit code.

        Without a target it makes all generations and their scores: the statistics and figures of
        the default target take longer than the rest of a small project.
        """
        if not _names_target(arguments):
            scores_alone = {"partial=true", "--configfile"} & {*arguments}
            stages = [] if scores_alone else [f"{name}s" for name in self.stages()]
            arguments = (*arguments, "--", "scores", *stages)
        return self.run("--cores", "4", *arguments, code=code, env=env)

    def run(
        self, *arguments: str, code: int | None = 0, env: Mapping[str, str] | None = None
    ) -> str:
        """Run snakemake with these arguments alone, and return what it printed; check its code."""
        # Beside the directory, where tests look for what a run leaves.
        log = Path(f"{self.dir}.out")
        # Tests of the library in this process may have set it: each run is one of its own.
        os.environ.pop("DAYDREAM_RUN", None)
        found = self.code = launcher().run(
            arguments,
            directory=self.dir,
            env={**os.environ, "TEST_API_KEY": "sk-test-secret", "COLUMNS": "200", **(env or {})},
            output=log,
        )
        printed = log.read_text(errors="replace")
        self.output = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", printed)
        if code is not None:
            assert found == code, self.output
        return self.output

    def stages(self) -> list[str]:
        """Return the stages of the configuration as it is written."""
        config = yaml.safe_load(self.read("config/config.yaml"))
        return list(config.get("stages") or {})

    def holding(self, secret: str) -> list[Path]:
        """Return the files of the directory, Snakemake's own included, that hold a text."""
        files = [path for path in self.dir.rglob("*") if path.is_file()]
        return [path for path in files if secret.encode() in path.read_bytes()]

    def calls(self) -> int:
        """Return the number of calls that the echo model has answered so far."""
        log = self.path("calls.log")
        return len(log.read_text().splitlines()) if log.exists() else 0

    def store(self, pattern: str = "*/*/*.txt") -> dict[str, str]:
        """Return the texts of the store by path."""
        root = self.path("data/gens")
        return {str(path.relative_to(root)): path.read_text() for path in root.glob(pattern)}

    def membership(self) -> list[dict[str, str]]:
        import csv

        with self.path("data/cohorts/c1/membership.csv").open(newline="") as file:
            return list(csv.DictReader(file))

    def first(self, stage: str, number: int = 0) -> str:
        """Return the parsed text of a generation of a stage, as a target."""
        rows = [row for row in self.membership() if row["stage"] == stage]
        return f"data/gens/{stage}/{rows[number]['gen_id']}/parsed.txt"

    def scores(self) -> list[dict[str, str]]:
        import csv

        path = self.path("data/cohorts/c1/reports/parsing/aggregated_scores.csv")
        with path.open(newline="") as file:
            return list(csv.DictReader(file))


def _names_target(arguments: Sequence[str]) -> bool:
    """Tell whether a command line names a target, or asks for something else than jobs."""
    values = ("--configfile", "--cores", "--profile", "--executor", "--report")
    words = [
        word
        for before, word in zip(("", *arguments), arguments, strict=False)
        if before not in values and not word.startswith("-") and "=" not in word
    ]
    return bool(words) or bool({"--lint", "--unlock", "--report"} & {*arguments})
