"""A cohort whose store is written, not generated: as many texts as one likes, at once."""

from __future__ import annotations

import json
import random
from contextlib import chdir
from pathlib import Path

import yaml

from daydream.experiment.experiment import Experiment
from daydream.experiment.provenance import FILES, of_parsed, of_prompt, of_raw
from daydream.explorer import write_explorer
from daydream.files import text_sha256, write_text
from daydream.generations.row import Generation
from daydream.reports.scores import write_scores
from daydream.reports.sources import look
from daydream.settings import load_settings
from daydream.store.layout import generation_file
from daydream.store.records import RECORD, Made
from support.project import Project

REPORTS = "data/cohorts/c1/reports"
PAGE = f"{REPORTS}/explorer/index.html"
# Each draft has an essay and a copy of itself, each of them two evaluations.
FAMILY = 7
# Distinct words, as many as a writer uses.
WORDS = [a + b + c for a in "bdflmst" for b in "aeiou" for c in ("nd", "rk", "st", "lm", "ve")]


class Cohort:
    """A project with a store of its own; each text is `size` characters long, about."""

    def __init__(self, project: Project, *, generations: int, size: int) -> None:
        self.project = project
        self.size = size
        self.random = random.Random(generations)
        project.spec["axes"] |= {
            "draft_replicate": max(1, generations // (2 * FAMILY)),
            "evaluation_replicate": 2,
        }
        project.save()
        with chdir(project.dir):
            experiment = self.experiment()
            (Path(REPORTS) / "parsing").mkdir(parents=True)
            (Path(REPORTS) / "explorer").mkdir()
            self.rows = experiment.memberships["c1"]

    def experiment(self) -> Experiment:
        """Return the experiment as its configuration stands."""
        config = yaml.safe_load(self.project.read("config/config.yaml"))
        return Experiment(load_settings(config))

    def fill(self) -> None:
        """Write every generation's files, parents before children."""
        parsed = {"": "Tide and loom"}
        for row in self.rows:
            prompt = f"Go on from this:\n{parsed[row.parent_gen_id]}\n"
            if row.template_id == "same":
                raw = parsed[row.parent_gen_id]
            elif row.stage == "evaluation":
                raw = f"{self.text()}\nSCORE: {self.random.randrange(10)}"
            else:
                raw = self.text()
            parsed[row.gen_id] = raw[-1] if row.stage == "evaluation" else raw
            self.write(row, prompt=prompt, raw=raw, parsed=parsed[row.gen_id])

    def text(self) -> str:
        """Return a text in paragraphs."""
        words = self.random.choices(WORDS, k=self.size // 6)
        lines = [" ".join(words[at : at + 60]) for at in range(0, len(words), 60)]
        return ".\n\n".join(lines) + "."

    def write(
        self,
        row: Generation,
        *,
        prompt: str | None = None,
        raw: str | None = None,
        parsed: str | None = None,
        answers: int = 1,
    ) -> None:
        """Write the files of a generation that are given; the last of `answers` is in use."""
        names = [f"{number:064x}" for number in range(answers)]
        files = {"prompt.txt": prompt, "raw.txt": raw, "parsed.txt": parsed}
        if raw is not None:
            copy = row.template_id == "same"
            called = {"mode": "llm", "request_sha256": names[-1], "truncated": False}
            metadata = {"gen_id": row.gen_id, **({"mode": "copy"} if copy else called)}
            files["metadata.json"] = json.dumps(metadata)
            for name in [] if copy else names:
                files[f"responses/{name}.json"] = json.dumps(_entry(prompt or "", raw), indent=1)
        for name, text in files.items():
            if text is not None:
                self.project.write(generation_file(row.stage, row.gen_id, name), text)

    def build(self, *, record: bool = True) -> Path:
        """Write the scores and the page of what is in the store, and return the page.

        Without `record` what was changed since the last time counts as edited or stale.
        """
        with chdir(self.project.dir):
            experiment = self.experiment()
            if record:
                self._record(experiment)
            known = look(experiment, "c1")
            write_scores(experiment, "c1", known, f"{REPORTS}/parsing/aggregated_scores.csv")
            write_explorer(experiment, "c1", known, output=PAGE)
        return self.project.path(PAGE)

    def _record(self, experiment: Experiment) -> None:
        """Record of all texts that they were made of what there is now, as the phases would."""
        parsed: dict[str, str | None] = {"": None}
        for row in self.rows:
            directory = Path(generation_file(row.stage, row.gen_id, ""))
            texts = {phase: directory / names[0] for phase, names in FILES.items()}
            digests = {
                phase: text_sha256(path.read_text()) if path.exists() else ""
                for phase, path in texts.items()
            }
            parent = parsed[row.parent_gen_id]
            parsed[row.gen_id] = digests["parsed"]
            ancestors = {} if parent is None else {"parent": parent}
            of = {
                "prompt": of_prompt(experiment, row, ancestors),
                "raw": of_raw(experiment, row, prompt=digests["prompt"], parent=parent),
                "parsed": of_parsed(experiment, row, raw=digests["raw"]),
            }
            made = {p: Made(of[p], digest).entry() for p, digest in digests.items() if digest}
            if made:
                write_text(directory / RECORD, json.dumps(made))

    def of(self, stage: str, template: str | None = None) -> list[Generation]:
        """Return the generations of a stage, and of a template."""
        return [
            row for row in self.rows if row.stage == stage and template in (None, row.template_id)
        ]

    def root(self, row: Generation) -> Generation:
        """Return the draft that a generation descends from."""
        by_id = {each.gen_id: each for each in self.rows}
        while row.parent_gen_id:
            row = by_id[row.parent_gen_id]
        return row


def _entry(prompt: str, raw: str) -> dict[str, object]:
    return {
        "provider": "echo",
        "sample": 0,
        "request": {"model": "echo-1", "messages": [{"role": "user", "content": prompt}]},
        "response": {
            "model": "echo-1",
            "choices": [{"message": {"content": raw}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 10, "completion_tokens": 20},
        },
        "attempts": 1,
        "started_at": "2026-11-23T12:00:00.000+00:00",
        "duration_s": 1.5,
    }
