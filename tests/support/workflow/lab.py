"""A project that is edited and run, step by step, beside fresh ones that tell what is right.

A `Lab` holds a working directory with a past. `edit` changes one thing in it. `run` runs
`snakemake` once there, and once in an empty directory that gets the same inputs and the same
journal, and compares the two. All that is compared is files; nothing of Daydream is imported.

Model calls are answered by a function whose answer follows from the request alone. It notes each
call beside the working directory, and fails as the file faults.json there says.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from support.project import Project
from support.workflow import reading

RAW = "data/1_raw"
STAGES = ("draft", "essay", "review", "evaluation")
LONG_AGO = 1_000_000_000
OUTPUTS = ("prompt.txt", "raw.txt", "parsed.txt", "metadata.json")

PROVIDER = """
import hashlib
import json
from pathlib import Path

VERSION = 0


def complete(body):
    here = Path.cwd()
    asked = json.dumps(body, sort_keys=True)
    with Path(f"{here}.calls").open("a") as calls:
        calls.write(asked + "\\n")
    digest = hashlib.sha256(f"{VERSION} {asked}".encode()).hexdigest()
    prompt = body["messages"][-1]["content"]
    text = f"text {digest[:20]}\\nof {len(prompt)} characters"
    if "SCORE" in prompt:
        text = f"because {digest[:6]}\\nSCORE: {int(digest, 16) % 10}"
    reason = "stop"
    for kind, word, share in json.loads((here.parent / "faults.json").read_text()):
        if word in prompt and (share == "all" or hashlib.md5(asked.encode()).digest()[0] % 2):
            if kind == "raises":
                raise RuntimeError("the model is moody")
            text = "no number here" if kind == "unparsable" else text
            reason = "length" if kind == "truncated" else reason
    message = {"role": "assistant", "content": text}
    return {"model": body["model"], "choices": [{"message": message, "finish_reason": reason}]}
"""
PARSERS = """
from daydream.parsers import parser

VERSION = 0


@parser
def mine(answer):
    return f"{answer} [{VERSION}]"


@parser
def mine_score(answer):
    return str((int(answer[-1]) + VERSION) % 10)
"""
TEXTS = {
    ("draft", "plain"): "Join{% for c in concepts %} {{ c.name }}: {{ c.content }}{% endfor %}\n",
    ("essay", "grow"): "Grow this:\n{{ draft_block }}\n",
    ("essay", "same"): "{{ parent }}",
    ("review", "look"): "Look at this:\n{{ parent }}\n",
    ("evaluation", "judge"): "Judge:\n{{ response }}\nSCORE?\n",
}
# A word that only the prompts of a stage hold.
WORDS = {"draft": "Join", "essay": "Grow", "review": "Look at", "evaluation": "SCORE"}
TEMPLATES: dict[str, dict[str, dict[str, str]]] = {
    "draft": {"plain": {"parser": "identity", "generator": "llm"}},
    "essay": {
        "grow": {"parser": "identity", "generator": "llm"},
        "same": {"parser": "", "generator": "copy"},
    },
    "review": {"look": {"parser": "identity", "generator": "llm"}},
    "evaluation": {
        "judge": {
            "parser": "in_last_line",
            "generator": "llm",
            "score_min": "0",
            "score_max": "9",
        }
    },
}
REPORTS = "data/cohorts/{cohort}/reports"
# What stands under data/ after the targets that are named, beside generations and memberships.
REACHES = {
    "scores": ("parsing/aggregated_scores.csv",),
    "explorer": ("parsing/aggregated_scores.csv", "explorer/"),
    "tables": ("parsing/aggregated_scores.csv", "summary/", "analysis/"),
    "figures": ("parsing/", "summary/", "analysis/", "figures/"),
    "report": ("",),
    "all": ("",),
}

Edit = tuple[Any, ...]
# The content of files by path.
Tree = dict[str, tuple[bytes]]


class InvariantError(AssertionError):
    """A run left what it must not leave; the message begins with what kind of thing it is."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run: its target and its settings."""

    target: str = "evaluations scores"
    expand: str = "all"
    shards: int = 1
    partial: bool = False
    where: str = ""
    sampling: float | None = None
    refresh: bool = False
    again: bool = True
    tuning: bool = True

    def arguments(self, *, refresh: bool | None = None, tuning: bool | None = None) -> list[str]:
        """Return the command line."""
        settings = []
        if not (self.tuning if tuning is None else tuning):
            settings.append("tuning=false")
        if self.expand != "all":
            settings.append(f"expand={self.expand}")
        if self.shards > 1:
            settings.append(f"shards={self.shards}")
        if self.partial:
            settings.append("partial=true")
        if self.where:
            settings.append(self.where)
        if self.sampling is not None:
            settings.append(f"stages={{essay: {{sampling: {{temperature: {self.sampling}}}}}}}")
        if self.refresh if refresh is None else refresh:
            settings.append("refresh=true")
        return [*self.target.split(), *(["--config", *settings] if settings else [])]


@dataclass
class Hand:
    """A file of the store that was edited by hand: what it holds, and what it held before.

    `disturbed`: something that it may be made of was edited since. It may then be made again.
    """

    text: str
    base: str
    disturbed: bool = False


@dataclass
class Times:
    """How long the parts of the steps took, in seconds."""

    steps: int = 0
    own: float = 0.0
    fresh: float = 0.0
    again: float = 0.0

    def __str__(self) -> str:
        total = self.own + self.fresh + self.again
        each = 1000 * total / max(1, self.steps)
        return (
            f"{self.steps} steps, {each:.0f} ms each (own run {self.own:.0f} s, "
            f"fresh {self.fresh:.0f} s, again {self.again:.0f} s)"
        )


TIMES = Times()


class Lab:
    """One project with a past; see the module."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        self.project = Project(root / "main")
        self.dir = self.project.dir
        self.steps: list[object] = []
        self.output = ""
        self._numbers = itertools.count(1)
        self._written: list[Path] = []
        self.hands: dict[str, Hand] = {}
        # Entries of the journal that were deleted while the answer's files stayed.
        self._lost: dict[str, bytes] = {}
        self._tables = json.loads(json.dumps(TEMPLATES))
        self._concepts = {"tide": "Tide", "loom": "Loom", "fog": "Fog"}
        self._models = {"m1": "echo-1", "m2": "echo-2"}
        self._mine = dict(self.project.spec["axes"], evaluation_replicate=[1, 2])
        config = self.project.config
        config["parsers"] = ["mine.py"]
        for stage in config["stages"].values():
            stage["sampling"] = {"seed": "gen_id"}
        self._put("echo.py", PROVIDER)
        self._put("mine.py", PARSERS)
        for (stage, name), text in TEXTS.items():
            self._put(f"{RAW}/templates/{stage}/{name}.txt", text)
        self._save_tables()
        self._save()
        self.faults()

    # Edits. Each takes plain values, so that a sequence of them can be written down.

    def edit(self, kind: str, *values: Any) -> None:
        """Change one thing, as the method of that name says."""
        self.steps.append((kind, *values))
        getattr(self, kind)(*values)

    def template(self, stage: str, name: str, version: int | str) -> None:
        """Give a template another text, or a comment that no prompt shows."""
        text = TEXTS[stage, name]
        said = "{# quietly #}" if version == "comment" else f"v{version} " if version else ""
        self._input(f"{RAW}/templates/{stage}/{name}.txt", said + text, stage)

    def broken_template(self, stage: str) -> None:
        """Give a template a text that cannot be compiled; `template` makes it good again."""
        name = next(name for of, name in TEXTS if of == stage)
        self._input(f"{RAW}/templates/{stage}/{name}.txt", "{% for c in %}", stage)

    def concept(self, name: str, version: int) -> None:
        """Give a concept another text."""
        text = f"{name} as a sentence{' again' * version}.\n"
        self._input(f"{RAW}/concepts/descriptions-sentence/{name}.txt", text, "draft")

    def concept_name(self, name: str, version: int) -> None:
        """Rename a concept in its catalog."""
        self._concepts[name] = f"{name.title()}{'!' * version}"
        self._disturb("draft")
        self._save_tables()

    def combo(self, order: int) -> None:
        """Turn the order of a combo's concepts."""
        self._order = order
        self._disturb("draft")
        self._save_tables()

    _order = 0

    def row(self, stage: str, name: str, column: str, value: str) -> None:
        """Edit a cell of a template's row: its name, parser, generator, or scale."""
        self._tables[stage][name][column] = value
        self._disturb(stage)
        self._save_tables()

    def model(self, name: str) -> None:
        """Let the catalog's model be another of the provider's."""
        self._models["m1"] = name
        self._disturb("draft")
        self._save_tables()

    def parser_file(self, version: int) -> None:
        """Edit the file of the user's own parsers."""
        text = PARSERS.replace("VERSION = 0", f"VERSION = {version}")
        self._input("mine.py", text, "draft")

    def provider_file(self, version: int) -> None:
        """Edit the file of the user's own provider: it would answer otherwise."""
        text = PROVIDER.replace("VERSION = 0", f"VERSION = {version}")
        self._input("echo.py", text, "draft")

    def sampling(self, stage: str, temperature: float | None) -> None:
        """Change a setting of a stage's calls in config.yaml."""
        settings = self._stage(stage)["sampling"]
        settings.pop("temperature", None)
        if temperature is not None:
            settings["temperature"] = temperature
        self._disturb(stage)
        self._save()

    def stage_setting(self, stage: str, name: str, value: int) -> None:
        """Change `min_lines` or `resample` of a stage."""
        self._stage(stage)[name] = value
        self._disturb(stage)
        self._save()

    def chain(self, length: int) -> None:
        """Let the chain have three stages, or four, with a review before the evaluation."""
        stages = self.project.config["stages"]
        stages.pop("review", None)
        evaluation = stages.pop("evaluation")
        axes = [self.project.spec["axes"], self._mine]
        for spec in axes:
            spec.pop("review_template", None)
            spec.pop("review_llm", None)
        if length == 4:
            seed = {"seed": "gen_id"}
            stages["review"] = {"prefix": "r", "parent": "essay", "sampling": seed}
            for spec in axes:
                spec |= {"review_template": ["look"], "review_llm": ["m1"]}
        stages["evaluation"] = {**evaluation, "parent": "review" if length == 4 else "essay"}
        self._save()

    def axis(self, name: str, levels: list[Any] | None) -> None:
        """Give an axis of the spec other levels, or take it away."""
        axes = self.project.spec["axes"]
        axes.pop(name, None)
        if levels is not None:
            axes[name] = levels
        self._save()

    def cohorts(self, *names: str) -> None:
        """Work on other cohorts: c1, and `mine`, which has each evaluation twice."""
        self.project.config["cohorts"] = list(names)
        self._save()

    def delete(self, kind: str, place: int) -> None:
        """Delete what was made: one file of a kind, or all of .snakemake, logs, the store."""
        for path in self._chosen(kind, place):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                if path.parent.name == "responses":
                    self._lost[self._name(path)] = path.read_bytes()
                path.unlink()
            name = self._name(path)
            for hand in [hand for hand in self.hands if hand.startswith(name)]:
                del self.hands[hand]
            if kind == "store":
                self._lost.clear()
            elif name.startswith("data/gens/"):
                self._disturb(name.split("/")[2])
            if path.name in ("raw.txt", "metadata.json"):
                self._find_lost(path.parent)

    def _find_lost(self, directory: Path) -> None:
        """Forget lost entries whose answer does not stand any more: they have to be asked for."""
        start = f"{self._name(directory)}/"
        for name in [name for name in self._lost if name.startswith(start)]:
            del self._lost[name]

    def lose(self, place: int) -> None:
        """Delete an answer's journal entry and its raw.txt: it has to be asked for again."""
        for path in self._chosen("journal", place):
            path.unlink()
            raw = path.parent.parent / "raw.txt"
            raw.unlink(missing_ok=True)
            self._find_lost(raw.parent)
            self.hands.pop(self._name(raw), None)
            self._disturb(path.parts[-4])

    def touch(self, kind: str, place: int) -> None:
        """Give files the time of now, without a change."""
        self._set_times(kind, place, time.time())

    def back_date(self, kind: str, place: int) -> None:
        """Give files a time long ago, as a copy or a checkout may."""
        self._set_times(kind, place, LONG_AGO)

    def hand(self, file: str, place: int, number: int) -> None:
        """Edit a prompt.txt, raw.txt or parsed.txt by hand."""
        reached = {f"{row['stage']}/{row['gen_id']}" for row in self.membership()}
        found = [
            path
            for path in sorted(self.dir.glob(f"data/gens/*/*/{file}"))
            if str(path.parent.relative_to(self.dir / "data/gens")) in reached
        ]
        if not found or len(self.hands) > 1:
            return
        path = found[place % len(found)]
        stage = path.parts[-3]
        text = f"{path.read_text()}\nby hand {number}\n"
        if stage == "evaluation" and file != "prompt.txt":
            text = f"by hand\nSCORE: {number}\n" if file == "raw.txt" else f"{number}.0\n"
        name = self._name(path)
        base = self.hands[name].base if name in self.hands else path.read_text()
        self._disturb(stage, but=name)
        self.hands[name] = Hand(text, base)
        path.write_text(text)

    def restore(self, place: int) -> None:
        """Let another answer of the journal count, by the command for it."""
        known = {row["gen_id"] for row in self.membership()}
        found = [path for path in self._chosen("journal", None) if path.parts[-3] in known]
        if found:
            path = found[place % len(found)]
            self._disturb(path.parts[-4])
            settings = (f"gen_id={path.parts[-3]}", f"request={path.stem}")
            self.project.snakemake("restore", "--config", *settings, code=None)

    def faults(self, *faults: list[str]) -> None:
        """Let the provider fail for prompts with a word: (raises|unparsable|truncated, …)."""
        (self.root / "faults.json").write_text(json.dumps(faults))

    def _stage(self, stage: str) -> dict[str, Any]:
        stages: dict[str, Any] = self.project.config["stages"]
        return stages.get(stage) or {"sampling": {}}

    def _save(self) -> None:
        """Write configuration and specs, those files alone that are not so already."""
        project = self.project
        self._put("config/config.yaml", yaml.safe_dump(project.config, sort_keys=False))
        for cohort, axes in (("c1", project.spec["axes"]), ("mine", self._mine)):
            if cohort == "c1" or "mine" in project.config["cohorts"]:
                text = yaml.safe_dump({"axes": axes}, sort_keys=False)
                self._put(f"data/cohorts/{cohort}/spec/config.yaml", text)

    def _save_tables(self) -> None:
        lines = [f"{key},{name}" for key, name in self._concepts.items()]
        self._put(f"{RAW}/concepts_metadata.csv", "\n".join(["concept_id,name", *lines, ""]))
        models = [f"{key},{name},echo,Echo,general" for key, name in self._models.items()]
        header = "id,model,provider,display_name,specialization"
        self._put(f"{RAW}/llm_models.csv", "\n".join([header, *models, ""]))
        combos = {"pair": ["tide", "loom"], "trio": ["tide", "loom", "fog"]}
        combos["pair"] = combos["pair"][:: -1 if self._order else 1]
        lines = [
            f"{combo},v1,{concept},sentence,{len(concepts)},2026-11-01"
            for combo, concepts in combos.items()
            for concept in concepts
        ]
        header = "combo_id,version,concept_id,description_level,k_max,created_at"
        self._put("data/combo_mappings.csv", "\n".join([header, *lines, ""]))
        for stage, templates in self._tables.items():
            names = ["parser", "generator", *(("score_min", "score_max") * (stage == "evaluation"))]
            lines = [
                ",".join([name, row.get("template_name", name.title()), "", *map(row.get, names)])
                for name, row in templates.items()
            ]
            header = ",".join(["template_id", "template_name", "description", *names])
            self._put(f"{RAW}/{stage}_templates.csv", "\n".join([header, *lines, ""]))

    def _input(self, name: str, text: str, stage: str) -> None:
        self._disturb(stage)
        self._put(name, text)

    def _put(self, name: str, text: str) -> None:
        path = self.dir / name
        if path.is_file() and path.read_text() == text:
            return
        self.project.write(name, text)
        self._written.append(path)

    def _disturb(self, stage: str, but: str = "") -> None:
        """Note that what hand edits of this stage and later ones were made of may be another."""
        for name, hand in self.hands.items():
            if name != but and STAGES.index(name.split("/")[2]) >= STAGES.index(stage):
                hand.disturbed = True

    def _chosen(self, kind: str, place: int | None) -> list[Path]:
        """Return the files of a kind; with a place one of them at the most."""
        whole = {"snakemake": ".snakemake", "logs": "logs", "store": "data/gens"}
        patterns = {
            "record": "data/gens/*/*/*.json",
            "journal": "data/gens/*/*/responses/*.json",
            "report": "data/cohorts/*/reports/*/*.*",
            "membership": "data/cohorts/*/membership.csv",
            "manifest": "data/cohorts/*/manifest.json",
            "choices": "data/choices.json",
            "generation": "data/gens/*/*/*.*",
            "input": f"{RAW}/**/*.*",
            **whole,
        }
        if kind == "edited":
            return self._written[-1:]
        if kind == "everything":
            return [path for path in self.dir.rglob("data/**/*.*") if path.is_file()]
        found = sorted(self.dir.glob(patterns.get(kind, f"data/gens/*/*/{kind}")))
        return found if place is None or not found else [found[place % len(found)]]

    def _set_times(self, kind: str, place: int, seconds: float) -> None:
        for path in self._chosen(kind, None if place < 0 else place):
            os.utime(path, (seconds, seconds))

    def _name(self, path: Path) -> str:
        return str(path.relative_to(self.dir))

    def membership(self, directory: Path | None = None) -> list[dict[str, str]]:
        """Return the rows of the configured cohorts, as far as their memberships are there."""
        found = []
        for cohort in self.project.config["cohorts"]:
            path = (directory or self.dir) / f"data/cohorts/{cohort}/membership.csv"
            if path.is_file():
                found += reading.table(path)
        return found

    # Runs

    def run(self, run: Run) -> None:
        """Run once, and compare with a fresh directory; then see whether anything is left to do.

        Raises:
            InvariantError: it is not so.
        """
        self.steps.append(run)
        run = self._within_reach(run)
        TIMES.steps += 1
        if run.refresh:
            # The number of the next sample follows from the journal: it is whole again.
            for name, data in self._lost.items():
                self.project.write(name, data)
            self._lost.clear()
        before = self._tree()
        journal = self._journal()
        calls = self.calls()
        choices = self._content(self.dir / "data/choices.json")
        if run.refresh:
            self._disturb("draft")
        began = time.perf_counter()
        code, self.output = self._snakemake(self.project, run)
        TIMES.own += time.perf_counter() - began
        self._check_calls(journal, self.calls()[len(calls) :])
        began = time.perf_counter()
        fresh = self._fresh(run, journal, choices)
        TIMES.fresh += time.perf_counter() - began
        self._compare(run, code, fresh, before)
        shutil.rmtree(fresh.dir)
        for file in self.root.glob(f"{fresh.dir.name}.*"):
            file.unlink()
        if run.again and run.shards == 1:
            began = time.perf_counter()
            self._check_again(run, code)
            TIMES.again += time.perf_counter() - began
        self._forget()

    def _within_reach(self, run: Run) -> Run:
        """Return the run with its target as a path; hand edits are tried on whole stages."""
        values = dict(vars(run))
        if self.hands and (run.where or run.partial or run.target.startswith("file")):
            values |= {"where": "", "partial": False, "target": "evaluations scores"}
        if run.target.startswith("file"):
            rows = self.membership()
            place = int(run.target.split(":")[1])
            row = rows[place % len(rows)] if rows else None
            path = f"data/gens/{row['stage']}/{row['gen_id']}/parsed.txt" if row else "drafts"
            values["target"] = path if not self.hands else "evaluations scores"
        if run.partial:
            values["target"] = "scores"
        if run.shards > 1:
            values["target"] = "all"
        return Run(**values)

    def _snakemake(self, project: Project, run: Run, **changes: bool) -> tuple[int, str]:
        output = project.snakemake(*run.arguments(**changes), code=None)
        return project.code, output

    def _fresh(self, run: Run, journal: dict[str, bytes], choices: bytes | None) -> Project:
        """Return a project that was empty, got the inputs and the journal, and was run."""
        fresh = Project(self.root / f"fresh{next(self._numbers)}")
        shutil.rmtree(fresh.dir / "data")
        for name in ("config/config.yaml", "echo.py", "mine.py", "data/combo_mappings.csv"):
            fresh.write(name, (self.dir / name).read_bytes())
        shutil.copytree(self.dir / RAW, fresh.dir / RAW)
        for spec in self.dir.glob("data/cohorts/*/spec"):
            shutil.copytree(spec, fresh.dir / self._name(spec))
        # A lost entry whose answer still stands counts, unless it was asked for again.
        kept = {name: data for name, data in self._lost.items() if not (self.dir / name).exists()}
        for name, data in {**journal, **kept}.items():
            fresh.write(name, data)
        if choices is not None:
            fresh.write("data/choices.json", choices)
        self._edit_by_hand(fresh, run)
        # One of the two runs is without what is replaced in Snakemake: that makes it faster only.
        fresh.code, fresh.output = self._snakemake(fresh, run, tuning=not run.tuning)
        return fresh

    def _edit_by_hand(self, fresh: Project, run: Run) -> None:
        order = [f"{stage}/{file}" for stage in STAGES for file in OUTPUTS]

        def place(name: str) -> int:
            _, _, stage, _, file = name.split("/")
            return order.index(f"{stage}/{file}")

        reached = self._stages_of(run)
        for name in sorted(self.hands, key=place):
            hand = self.hands[name]
            if name.split("/")[2] not in reached:
                continue
            fresh.snakemake(
                name, *run.arguments(refresh=False)[len(run.target.split()) :], code=None
            )
            if fresh.code != 0 or fresh.read(name) != hand.base:
                continue
            if hand.disturbed and self._content(self.dir / name) != hand.text.encode():
                continue
            fresh.write(name, hand.text)

    def _stages_of(self, run: Run) -> set[str]:
        """Return the stages that a run's target reaches."""
        word = run.target.split()[0]
        if word.startswith("data/gens/"):
            return set()
        last = word[:-1] if word[:-1] in STAGES else "evaluation"
        return set() if word == "membership" else {*STAGES[: STAGES.index(last) + 1]}

    def _compare(self, run: Run, code: int, fresh: Project, before: Tree) -> None:
        if (code == 0) != (fresh.code == 0):
            self._fail("exit code", [f"{code}, fresh {fresh.code}"], fresh)
        if not reading.started(fresh.output):
            if self._tree() != before:
                changed = {name for name, _ in before.items() ^ self._tree().items()}
                self._fail("a refused run wrote files", sorted(changed), fresh)
            return
        if run.partial:
            self._compare_partial(run, fresh)
            return
        found = self._different(run, fresh, failed=code != 0)
        if found:
            self._fail("after a failure" if code else "not as fresh", found, fresh)
        self._compare_journals(fresh)

    def _compare_partial(self, run: Run, fresh: Project) -> None:
        """Compare numbers with those of the whole: each is of today, and a row without says why."""
        whole = replace(run, target="scores", partial=False, refresh=False)
        fresh.snakemake(*whole.arguments(), "--keep-going", code=None)
        found: list[str] = []
        for cohort in self.project.config["cohorts"]:
            path = self.dir / f"{REPORTS.format(cohort=cohort)}/parsing/aggregated_scores.csv"
            found += self._wrong_scores(path, self._parsed(fresh.dir), partial=True)
        if found:
            self._fail("partial scores", found, fresh)

    def _different(self, run: Run, fresh: Project, *, failed: bool) -> list[str]:
        """Return which of a fresh directory's files are otherwise here; reports after a failure."""
        found: list[str] = []
        there = [path for path in fresh.dir.glob("data/**/*.*") if path.is_file()]
        names = sorted(str(path.relative_to(fresh.dir)) for path in there)
        compared = [name for name in names if self._is_compared(name)]
        for name in compared:
            of_generation = name.startswith("data/gens")
            if failed and (of_generation or name == "data/choices.json"):
                continue
            own = self._content(self.dir / name)
            if failed and Path(name).name in ("aggregated_scores.csv", "scores.csv"):
                found += self._wrong_scores(self.dir / name, reading.scores(fresh.path(name)))
            elif own is None:
                found.append(f"{name}: is not there")
            else:
                content = reading.comparable(name, fresh.path(name).read_bytes())
                own_content = reading.comparable(name, own)
                if self._lost and name.endswith("index.html"):
                    own_content, content = map(_without_journal, (own_content, content))
                found += reading.differences(own_content, content, name)
        if failed:
            found += self._old_reports(run, {*compared}, fresh)
        return found

    def _old_reports(self, run: Run, compared: set[str], fresh: Project) -> Iterator[str]:
        """Yield reports that the target reaches, that a fresh directory has not, and that lie."""
        words = [word for word in run.target.split() if word in REACHES]
        for cohort in self.project.config["cohorts"]:
            for beginning in {name for word in words for name in REACHES[word]}:
                start = f"{REPORTS.format(cohort=cohort)}/{beginning}"
                for path in self.dir.glob(f"{REPORTS.format(cohort=cohort)}/*/*.*"):
                    name = self._name(path)
                    if not name.startswith(start) or name in compared or "/provenance/" in name:
                        continue
                    if name.endswith("aggregated_scores.csv"):
                        yield from self._wrong_scores(path, self._parsed(fresh.dir))
                    else:
                        yield f"{name}: stands there, of another time"
        if {"tables", "report", "all"} & {*words}:
            for path in self.dir.glob("data/7_cross_experiment/**/*.*"):
                if self._name(path) not in compared:
                    yield f"{self._name(path)}: stands there, of another time"

    def _wrong_scores(
        self, path: Path, right: dict[str, str], *, partial: bool = False
    ) -> Iterator[str]:
        """Yield rows of a table whose number is not the right one, or that do not say why."""
        if not path.exists():
            return
        for row in reading.table(path):
            score, expected = row["score"], right.get(row["gen_id"], "")
            if score and (not expected or float(score) != float(expected)):
                yield f"{path.name}: {row['gen_id']} has {score}, not {expected or 'an error'}"
            if not score and not row["error"]:
                yield f"{path.name}: {row['gen_id']} has neither a score nor an error"
            if not score and expected and not partial:
                yield f"{path.name}: {row['gen_id']} has no score, but {row['error']!r}"

    @staticmethod
    def _parsed(directory: Path) -> dict[str, str]:
        paths = directory.glob("data/gens/evaluation/*/parsed.txt")
        return {path.parent.name: path.read_text() for path in paths}

    def _is_compared(self, name: str) -> bool:
        parts = name.split("/")
        if name.startswith("data/gens/"):
            return len(parts) == 5 and parts[-1] in OUTPUTS
        made = ("data/cohorts/", "data/7_cross_experiment/", "data/choices.json")
        if not name.startswith(made) or "/spec/" in name or "/reports/provenance/" in name:
            return False
        # Pictures of times.
        return not parts[-1].startswith("calls.") or name.endswith(".csv")

    def _compare_journals(self, fresh: Project) -> None:
        def read(directory: Path) -> dict[str, object]:
            return {
                str(path.relative_to(directory)): reading.journal_entry(path)
                for path in directory.glob("data/gens/*/*/responses/*.json")
            }

        own, other = read(self.dir), read(fresh.dir)
        missing = {name for name in other.keys() - own.keys() if name not in self._lost}
        found = [f"{name}: is in one journal only" for name in sorted(own.keys() - other.keys())]
        if not self.hands:
            found += [f"{name}: was asked for there, not here" for name in sorted(missing)]
        found += [
            f"{name}: holds another answer"
            for name in own
            if other.get(name, own[name]) != own[name]
        ]
        if found:
            self._fail("journals", found, fresh)

    def _check_calls(self, journal: dict[str, bytes], calls: list[str]) -> None:
        known = {
            json.dumps(json.loads(data)["request"], sort_keys=True) for data in journal.values()
        }
        again = [call for call in calls if call in known or calls.count(call) > 1]
        if again:
            self._fail("paid twice", again)

    def _check_again(self, run: Run, code: int) -> None:
        """See that a second run does nothing after a success, and tries again after a failure."""
        calls, journal = self.calls(), self._journal()
        again, output = self._snakemake(self.project, run, refresh=False)
        self._check_calls(journal, self.calls()[len(calls) :])
        if code == 0:
            if again != 0 or reading.NOTHING not in output:
                jobs = sorted(
                    " ".join([job.rule, *job.wildcards]) for job in reading.done(self.dir)
                )
                self._fail("the second run does something", [f"exit code {again}", *jobs])
            if self.calls() != calls:
                self._fail("the second run calls", [])
        elif again == 0:
            self._fail("the second run does not try again", [output])

    def _forget(self) -> None:
        for name, hand in list(self.hands.items()):
            if self._content(self.dir / name) != hand.text.encode():
                del self.hands[name]
        self._lost = {
            name: data for name, data in self._lost.items() if not (self.dir / name).exists()
        }

    def _tree(self) -> Tree:
        """Return the content of all that is made, by path."""
        files = (path for path in self.dir.glob("data/**/*") if path.is_file())
        return {self._name(path): (path.read_bytes(),) for path in files}

    def _journal(self) -> dict[str, bytes]:
        paths = self.dir.glob("data/gens/*/*/responses/*.json")
        return {self._name(path): path.read_bytes() for path in paths}

    def entries(self) -> dict[str, str]:
        """Return the gen_id of each entry of the journal, by its path."""
        return {name: name.split("/")[3] for name in self._journal()}

    def calls(self) -> list[str]:
        """Return what was asked so far, a JSON body each."""
        path = Path(f"{self.dir}.calls")
        return path.read_text().splitlines() if path.exists() else []

    @staticmethod
    def _content(path: Path) -> bytes | None:
        with suppress(FileNotFoundError):
            return path.read_bytes()
        return None

    def _fail(self, kind: str, found: Iterable[str], fresh: Project | None = None) -> None:
        told = [*found]
        lines = [f"{kind}:", *(f"  {line}" for line in told[:12])]
        if len(told) > 12:
            lines.append(f"  and {len(told) - 12} more")
        lines += ["after these steps:", *(f"  {_written(step)}" for step in self.steps)]
        if fresh is not None:
            lines += ["a fresh directory says:", *_last(fresh.output), "and the run said:"]
        raise InvariantError("\n".join([*lines, *_last(self.output)]))


def _without_journal(page: Any) -> dict[str, Any]:
    return {**page, "rows": {name: row[:-1] for name, row in page["rows"].items()}}


def _last(output: str) -> list[str]:
    lines = [line for line in output.splitlines() if line.strip(" ─")]
    told = [line for line in lines if line.startswith("[") or "rror" in line or "Done:" in line]
    return [f"  | {line[:180]}" for line in (told or lines)[-6:]]


def _written(step: object) -> str:
    """Return a step as it is written in a test."""
    if not isinstance(step, Run):
        return f"{step!r},"
    default = Run()
    given = {name: value for name, value in vars(step).items() if value != getattr(default, name)}
    return f"Run({', '.join(f'{name}={value!r}' for name, value in given.items())}),"


def replay(root: Path, steps: Iterable[Edit | Run]) -> Lab:
    """Do a sequence of steps; a run is compared with a fresh directory."""
    lab = Lab(root)
    for step in steps:
        if isinstance(step, Run):
            lab.run(step)
        else:
            lab.edit(*step)
    return lab
