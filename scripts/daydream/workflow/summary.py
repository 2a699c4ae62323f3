"""What a run has to say at its end: what is complete, what failed and why, and how to go on.

The numbers are of generations, and never of files: a generation counts as complete only if
`experiment.provenance` says so, no job of it has failed in this run, and its ancestors are
complete.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from daydream.calls.batch import closing
from daydream.calls.ledger import LEDGER
from daydream.calls.spent import Spent
from daydream.errors import ANSWER_KEPT, OTHER_ANSWERS, DaydreamError
from daydream.experiment import provenance
from daydream.experiment.experiment import Experiment
from daydream.experiment.provenance import Account
from daydream.generations.row import Generation
from daydream.reports.ratings import ratings_told
from daydream.reports.report import EXPLORER, RATINGS, SCORES, Report, with_lineage
from daydream.reports.report import covered as covered_by
from daydream.reports.scores import count_without_score
from daydream.reports.sources import Sources
from daydream.text import table
from daydream.workflow.commandline import Commands
from daydream.workflow.failures import Failure

CAUSES = 8
# How many changed inputs are named.
CHANGED = 3


_PARTIAL = " (partial)"


Standing = Literal["complete", "failed", "waiting"]


def standings(
    rows: Mapping[str, Generation],
    accounts: Mapping[str, Account],
    failures: Iterable[Failure] = (),
) -> dict[str, Standing]:
    """Return by gen_id whether a generation is complete, has failed, or waits to be made.

    Parents stand before children in `rows`. `failures` are those of this run.
    """
    failed = {failure.gen_id for failure in failures if not failure.is_waiting}
    found: dict[str, Standing] = {}
    for gen_id, row in rows.items():
        account = accounts.get(gen_id)
        parent = found.get(row.parent_gen_id, "complete")
        if gen_id in failed or (account is not None and account.failure):
            found[gen_id] = "failed"
        elif account is not None and account.complete and parent == "complete":
            found[gen_id] = "complete"
        else:
            found[gen_id] = "waiting"
    return found


def run_summary(
    rows: Mapping[str, Generation],
    accounts: Mapping[str, Account],
    *,
    failures: Sequence[Failure] = (),
    spent: Spent,
    batches: Sequence[str] = (),
    stopped: str = "",
    changed: Sequence[str] = (),
    ratings: Sequence[str] = (),
    results: Sequence[str] = (),
    commands: Commands | None = None,
) -> str:
    """Return the text; without `rows` it says nothing of generations.

    `batches` are facts of batches, `stopped` is why the run was ended before its end, `changed` are
    the inputs that were edited meanwhile, `ratings` is what is told of ratings, `results` are the
    reports that there are.
    """
    found = standings(rows, accounts, failures)
    parts = [
        _by_stage(rows, found),
        causes(rows, accounts, failures),
        "\n".join([*_facts(spent, batches, stopped, changed), *ratings, *_shown_results(results)]),
        "\n".join(_how_to_go_on(found, failures, stopped, results, commands)),
    ]
    return "\n\n".join(part for part in parts if part)


def _by_stage(rows: Mapping[str, Generation], found: Mapping[str, Standing]) -> str:
    if not rows:
        return ""
    counts = Counter((rows[gen_id].stage, standing) for gen_id, standing in found.items())
    stages = list(dict.fromkeys(row.stage for row in rows.values()))
    names: tuple[Standing, ...] = ("complete", "failed", "waiting")
    lines = [[stage, *(f"{counts[stage, name]:,}" for name in names)] for stage in stages]
    if len(stages) > 1:
        totals = Counter(found.values())
        lines.append(["all", *(f"{totals[name]:,}" for name in names)])
    return table([["", *names], *lines])


_QUOTED = r"(?:'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\")(?!\w)"
_NUMBERS = (
    r"|\b[A-Za-z0-9]{1,16}_[0-9a-z]{16}\b|\b(?=[a-f]*\d)[0-9a-f]{6,64}\b|\b[a-f]{12,64}\b"
    # Names that a server makes up for a request.
    r"|\b(?=[\w-]*\d)(?=[\w-]*[A-Za-z])[\w-]{16,}\b"
    r"|(?<![\w.])(?<!status )(?<!HTTP )(?<!answered )\d+(?:[.,:]\d+)*"
)
# What lines of the same cause may differ in: quoted texts, ids and numbers; but not the provider,
# nor the status of an answer over HTTP: 429 and 500 are two causes.
_VARYING = re.compile(rf"(?<!\w)(?<!provider ){_QUOTED}{_NUMBERS}")
# Where no answer came, the quoted text is what the provider says of it: a cause of its own.
_VARYING_IN_CALLS = re.compile(rf"(?<=model ){_QUOTED}{_NUMBERS}")


def cause(failure: Failure) -> str:
    """Return what the lines of failures of the same cause have in common, whatever they make.

    These are no ids or numbers, and no quoted texts, unless a provider says in them why it gives no
    answer. Nor does it matter what other answers there are.
    """
    line = _without_place(failure).partition(OTHER_ANSWERS)[0]
    return _varying(line).sub(_kind, line)


def _varying(line: str) -> re.Pattern[str]:
    said_by_provider = line.startswith("[call]") and ANSWER_KEPT not in line
    return _VARYING_IN_CALLS if said_by_provider else _VARYING


def _kind(found: re.Match[str]) -> str:
    return "'…'" if found[0][0] in "'\"" else "…"


def _shown(lines: Sequence[str]) -> str:
    """Return lines of the same cause as one: of quoted texts the first, what else varies as "…"."""
    if len(lines) == 1:
        return lines[0]
    bare = [line.partition(OTHER_ANSWERS)[0] for line in lines]
    pattern = _varying(bare[0])
    varying = zip(*map(pattern.findall, bare), strict=False)
    alike = iter([len(set(values)) == 1 for values in varying])

    def shown(found: re.Match[str]) -> str:
        is_quoted = _kind(found) != "…"
        return found[0] if next(alike, True) or is_quoted else "…"

    text = pattern.sub(shown, bare[0])
    others = sum(OTHER_ANSWERS in line for line in lines)
    if not others:
        return text
    return (
        f"{text}; {others:,} of them {'has' if others == 1 else 'have'} other answers, which "
        "`snakemake -c1 restore --config gen_id=…` lists"
    )


def causes(
    rows: Mapping[str, Generation],
    accounts: Mapping[str, Account],
    failures: Sequence[Failure] = (),
) -> str:
    """Return the failures of this run and of earlier ones, the most frequent cause first.

    Before these stands what waits for batches.
    """
    waiting = [failure for failure in failures if failure.is_waiting]
    failures = [failure for failure in failures if not failure.is_waiting]
    known = {failure.gen_id for failure in failures}
    earlier = [
        Failure(account.failure, f"{rows[gen_id].stage} {gen_id}", gen_id)
        for gen_id, account in accounts.items()
        if gen_id in rows and gen_id not in known and account.failure
    ]
    parts = [
        _by_cause("Waiting for batches:", rows, waiting),
        _by_cause("Failed, by cause:", rows, [*failures, *earlier]),
    ]
    return "\n\n".join(part for part in parts if part)


def _by_cause(heading: str, rows: Mapping[str, Generation], failures: Iterable[Failure]) -> str:
    groups: dict[str, list[Failure]] = {}
    for failure in failures:
        groups.setdefault(cause(failure), []).append(failure)
    ordered = sorted(groups.values(), key=len, reverse=True)
    if not ordered:
        return ""
    several = len({row.llm_model_id for row in rows.values()}) > 1
    shown = []
    for group in ordered[:CAUSES]:
        shown.append((f"{len(group):,} ×", _shown([_without_place(failure) for failure in group])))
        models = f"; {_models(rows, group)}" if several else ""
        shown.append(("", f"{'for example ' if len(group) > 1 else ''}{group[0].place}{models}"))
    lines = [heading, table(shown, left=(1,), indent=2, gap=1)]
    if len(ordered) > CAUSES:
        rest = ordered[CAUSES:]
        causes = f"{len(rest):,} more cause{'s' if len(rest) > 1 else ''}"
        lines.append(f"  … and {causes} of {sum(map(len, rest)):,} failures")
    return "\n".join(lines)


def _models(rows: Mapping[str, Generation], group: Iterable[Failure]) -> str:
    """Return how many failures each model has, the most first."""
    counts = Counter(rows[each.gen_id].llm_model_id for each in group if each.gen_id in rows)
    return ", ".join(f"{name} {count:,} ×" for name, count in counts.most_common())


def _without_place(failure: Failure) -> str:
    """Return the line without the generation that it names: that stands below it."""
    for place in (f" ({failure.place})", f"{failure.place}: "):
        failure = failure._replace(line=failure.line.replace(place, "", 1))
    return failure.line


def _facts(
    spent: Spent, batches: Sequence[str], stopped: str, changed: Sequence[str]
) -> Iterator[str]:
    if spent:
        yield f"This run: {spent} ({LEDGER})"
    yield from batches
    if stopped:
        yield f"Stopped: {stopped}"
    if changed:
        shown = ", ".join(changed[:CHANGED])
        if len(changed) > CHANGED:
            shown += f" and {len(changed) - CHANGED:,} more"
        them = "it" if len(changed) == 1 else "them"
        yield f"Changed since this run read {them}: {shown}; the next run uses {them} as changed"


def _shown_results(results: Sequence[str]) -> Iterator[str]:
    if results:
        first, *others = results
        rows = [("Results:", first), *(("", path) for path in others)]
        yield table(rows, left=(0, 1), gap=1)


def _how_to_go_on(
    found: Mapping[str, Standing],
    failures: Sequence[Failure],
    stopped: str,
    results: Sequence[str],
    commands: Commands | None,
) -> Iterator[str]:
    if commands is None or not (failures or stopped or "failed" in found.values()):
        return
    some = "complete" in found.values() and {*found.values()} != {"complete"}
    if some and not any(result.endswith(_PARTIAL) for result in results):
        yield "Scores of what there is:"
        yield f"  {commands.partial}"
    first = " (raise or remove `budget` first)" if "budget" in stopped else ""
    if failures and not stopped and all(failure.is_of_answer for failure in failures):
        yield "What was refused is refused again until what the lines above name has changed. Then:"
    else:
        yield f"To go on{first}; what was paid for is kept:"
    yield f"  {commands.again}"


# What of a cohort's reports is shown, with a file that is there if it was made, and the report that
# it is made from.
_RESULTS = (
    ("parsing/aggregated_scores.csv", "", SCORES),
    ("summary/", "final_results.csv", SCORES),
    ("analysis/", "coverage.csv", SCORES),
    ("criteria/", "final_results.csv", SCORES),
    ("ratings/", "calibrated_means.csv", RATINGS),
    ("figures/", "score_distributions.html", SCORES),
    ("explorer/index.html", "", EXPLORER),
)


def reports(
    cohorts: Iterable[str],
    *,
    is_of_today: Callable[[Report, str], bool],
    partial: Collection[str],
) -> list[str]:
    """Return the reports of the cohorts that are made of exactly what there is now.

    Those of the cohorts that are not complete (`partial`) say that they are partial.
    """
    found = []
    for cohort in cohorts:
        root = Path("data/cohorts", cohort, "reports")
        current = {report: is_of_today(report, cohort) for report in (SCORES, RATINGS, EXPLORER)}
        for name, file, report in _RESULTS:
            if current[report] and (root / name / file).exists():
                table = root / name if name == SCORES.file else None
                found.append(f"{root}/{name}{_PARTIAL if cohort in partial else _lacks(table)}")
    return found


def _lacks(table: Path | None) -> str:
    """Say of a whole table of scores how many texts hold none, as after edits by hand."""
    count = 0 if table is None else count_without_score(table)
    return f" ({count:,} of its rows without a score: see their `error`)" if count else ""


def end_of_run(
    experiment: Experiment,
    *,
    covered: Callable[[], Mapping[str, Generation]],
    failures: Sequence[Failure],
    stopped: str,
    worked: bool,
    commands: Commands,
) -> str:
    """Return what a run has to say at its end; empty if it has made nothing and nothing failed.

    `covered` returns the generations that the run was to make, and their ancestors. `stopped` is
    why a run within this one was ended before its end. `worked`: a job that makes part of a
    generation or of a report was begun.
    """
    stopped = experiment.stop.reason or stopped
    if experiment.settings.shard is not None:
        # A shard is a part of a run, which says of the whole what there is and what it took: in the
        # ledger, calls of other shards are still in flight.
        return run_summary({}, {}, failures=failures, spent=Spent(), stopped=stopped)
    try:
        spent = experiment.calls.ledger.spent()
    except DaydreamError:
        # What keeps the ledger from being read is among the failures.
        spent = Spent()
    if not (worked or failures or stopped or spent):
        return ""
    rows: Mapping[str, Generation] = {}
    known: Mapping[str, Account] = {}
    cohorts = experiment.settings.cohorts
    ratings: Sequence[str] = ()
    results: Sequence[str] = ()
    batches: Sequence[str] = ()
    try:
        batches = [*closing.facts(experiment.calls.run), *experiment.batching.moved]
        rows = covered()
        known = provenance.accounts(
            experiment, with_lineage(experiment, [*experiment.selected.values(), *rows.values()])
        )
        ratings = ratings_told(experiment, known)
        failed = {failure.gen_id for failure in failures}
        sources = {cohort: Sources(experiment, cohort, known) for cohort in cohorts}
        results = reports(
            cohorts,
            is_of_today=lambda report, cohort: sources[cohort].is_current(report, partial=True),
            partial=[
                name for name in cohorts if _is_partial(experiment, name, sources[name], failed)
            ],
        )
    except (DaydreamError, OSError):
        # What keeps the memberships from being read is among the failures.
        rows = {}
    return run_summary(
        rows,
        known,
        failures=failures,
        spent=spent,
        batches=batches,
        stopped=stopped,
        changed=experiment.inputs.changed(),
        ratings=ratings,
        results=results,
        commands=commands,
    )


def _is_partial(
    experiment: Experiment, cohort: str, sources: Sources, failed: Collection[str]
) -> bool:
    """Tell whether a cohort's scores are not of all that there should be."""
    if any(row.gen_id in failed for row in covered_by(experiment, cohort)):
        return True
    return not sources.is_current(SCORES)
