"""Tells whether all that foretells a run agrees with it.

    PYTHONPATH=tests python -m support.workflow.agreement --edits 60 --seed 1 [--store]

Random single edits and pairs of edits are made in a finished project. After each, `snakemake -n`,
`-n` with `expand=pending`, `plan` and `explain` of each leaf are asked; then comes the run, whose
jobs and calls are counted. What does not agree is printed as a table. With `--store` only the files
of generations are edited and deleted, and no inputs.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from support.workflow import edits, reading
from support.workflow.lab import Edit, Lab

TARGETS = ("drafts", "essays", "evaluations")
# Edits after which there is a run to foretell: none that has failing answers or another cohort.
KINDS = [
    kind
    for kind in (*edits.INPUTS, *edits.OF_GENERATIONS)
    if kind[0] not in ("stage_setting", "provider_file") and kind[-1] != edits.ROWS[1][-1]
]


@dataclass
class Finding:
    """What was foretold after some edits, and what the run did."""

    edits: list[Edit]
    jobs: int = 0
    calls: int = 0
    disagreements: dict[str, str] = field(default_factory=dict)


def look(lab: Lab, made: list[Edit]) -> Finding:
    """Ask all that foretells, run, and return where they disagree; `made` has been done."""
    project = lab.project
    found = Finding(made)
    plain = _listed(lab, *TARGETS)
    pending = _listed(lab, *TARGETS, "--config", "expand=pending")
    planned = explained = None
    project.snakemake("plan", code=None)
    if project.code == 0:
        planned = reading.planned(lab.dir)
        explained = {leaf: _explain(lab, leaf) for leaf in lineages(lab)}
    before, calls = lab.entries(), len(lab.calls())
    # Each job is in the log only if somebody wants to read it.
    output = project.snakemake(*TARGETS, "--printshellcmds", code=None)
    done = reading.of_generations(reading.done(lab.dir)) if reading.NOTHING not in output else set()
    asked = [lab.entries()[name] for name in lab.entries().keys() - before.keys()]
    found.jobs, found.calls = len(done), len(lab.calls()) - calls
    told = found.disagreements
    if project.code != 0:
        told["run"] = f"exit code {project.code}"
    for name, listed in (("-n", plain), ("pending", pending)):
        if listed != done:
            told[name] = (
                f"{len(listed)} jobs: {len(done - listed)} lacking, {len(listed - done)} more"
            )
    if planned is None or not planned.allow(found.calls):
        told["plan"] = (
            "refused" if planned is None else f"{planned.certain} to {sum(planned)} calls"
        )
    wrong = []
    for leaf, verdict in (explained or {}).items():
        lineage = lineages(lab).get(leaf, {leaf})
        jobs = sum(job.wildcards[-1].removeprefix("gen_id=") in lineage for job in done)
        answers = sum(gen_id in lineage for gen_id in asked)
        if verdict.jobs != jobs or not verdict.calls.allow(answers):
            wrong.append(f"{verdict.jobs} jobs, {sum(verdict.calls)} calls, not {jobs}, {answers}")
    if wrong:
        told["explain"] = f"{len(wrong)} of {len(explained or {})} leaves: {wrong[0]}"
    # What was edited by hand is not compared here; so as many files may be edited as there are.
    lab.hands.clear()
    return found


def lineages(lab: Lab) -> dict[str, set[str]]:
    """Return each evaluation with its ancestors and itself."""
    rows = {row["gen_id"]: row for row in lab.membership()}
    found = {}
    for gen_id, row in rows.items():
        if row["stage"] == "evaluation":
            found[gen_id] = {gen_id}
            parent = row["parent_gen_id"]
            while parent:
                found[gen_id].add(parent)
                parent = rows[parent]["parent_gen_id"]
    return found


def _listed(lab: Lab, *arguments: str) -> set[reading.Job]:
    output = lab.project.snakemake("-n", *arguments, code=None)
    return reading.of_generations(reading.listed(output))


def _explain(lab: Lab, gen_id: str) -> reading.Verdict:
    return reading.explained(lab.project.snakemake("explain", "--config", f"gen_id={gen_id}"))


def disagreements(
    directory: Path, *, edits_made: int, seed: int, store: bool = False
) -> Iterator[Finding]:
    """Yield what was found after each edit, or pair of edits."""
    chance = random.Random(seed)
    lab = Lab(directory)
    lab.project.snakemake(*TARGETS)
    for number in range(edits_made):
        made = [
            edits.choose(edits.OF_GENERATIONS if store else KINDS, chance)
            for _ in range(1 + number % 2)
        ]
        for edit in made:
            lab.edit(*edit)
        yield look(lab, made)


def table(found: list[Finding]) -> Iterator[str]:
    """Yield the lines of the table of disagreements, and how many there are of each kind."""
    kinds: dict[str, int] = {}
    for finding in found:
        for name, text in finding.disagreements.items():
            kinds[name] = kinds.get(name, 0) + 1
            run = f"{finding.jobs} jobs, {finding.calls} calls"
            yield f"{name:<8} {text:<52} run: {run:<20} {'; '.join(map(_words, finding.edits))}"
    disagree = sum(bool(finding.disagreements) for finding in found)
    counts = ", ".join(f"{name} {count}" for name, count in kinds.items())
    yield f"{disagree} of {len(found)} disagree{f' ({counts})' if counts else ''}"


def _words(edit: Edit) -> str:
    return " ".join(map(str, edit))


def main() -> int:
    """Print the table; the exit code is 1 if there is anything in it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--edits", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--store", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        findings = disagreements(
            Path(directory), edits_made=given.edits, seed=given.seed, store=given.store
        )
        found = []
        for finding in findings:
            found.append(finding)
            print(f"{len(found)} of {given.edits}", end="\r", file=sys.stderr, flush=True)
    print("\n".join(table(found)))
    return int(any(finding.disagreements for finding in found))


if __name__ == "__main__":
    sys.exit(main())
