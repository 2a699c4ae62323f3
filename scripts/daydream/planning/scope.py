"""What a run is to make: which generations it names, and what it has Snakemake make again.

Snakemake makes a file that is missing, and everything that is made from it. The account of
`experiment.provenance` tells it which other files to make again (`stale_files`), and which files to
ask for. If a phase is not current, nothing after it is. So the last text of each line of descent
stands for the whole line. Naming every file would work too, but a job with n inputs costs Snakemake
n² steps: for 30,000 generations with four files each, that alone took minutes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cached_property

from daydream.experiment.experiment import Experiment
from daydream.experiment.provenance import FILES, PHASES, RULES, Account, accounts
from daydream.experiment.recipes import is_copy
from daydream.generations.row import Generation
from daydream.generations.shares import shards_of
from daydream.reports.report import REPORTS, Report, covered, with_lineage
from daydream.reports.sources import Sources
from daydream.settings import chain
from daydream.store.layout import generation_file

# From so many generations on, Snakemake plans only those that are not complete: planning the others
# takes it some milliseconds each, more than all else that a run with little to do does.
LARGE = 1_000
_FAILED = ("failed", "blocked")


class Scope:
    """The generations that a run covers, and the state of each when the run began.

    `named` are generations whose files are targets, whatever the slice is; of `prompts` only the
    prompt is one. `makes_texts`: texts are targets besides reports, so a partial report waits for
    them. `asks_for_all`: what Snakemake was
    asked to do, such as `--forceall` or `--report`, is about complete generations, too.
    """

    def __init__(
        self,
        experiment: Experiment,
        *,
        named: Iterable[str] = (),
        prompts: Collection[str] = (),
        makes_texts: bool = False,
        asks_for_all: bool = False,
    ) -> None:
        self._experiment = experiment
        self._makes_texts = makes_texts
        self._asks_for_all = asks_for_all
        self._named = list(named)
        self._prompts = prompts
        self._sources_of: dict[str, Sources] = {}
        self.named = bool(self._named)
        settings = experiment.settings
        rows = experiment.selected
        self._shards = shards_of(rows.values(), settings.shards)
        if settings.shard is not None:
            rows = {name: row for name, row in rows.items() if self._shards[name] == settings.shard}
        self.rows: Mapping[str, Generation] = rows
        beside = [
            experiment.generations[name] for name in self._named if name in experiment.generations
        ]
        self._all = with_lineage(experiment, [*rows.values(), *beside])
        if settings.skip_failed:
            self.rows = {
                name: row for name, row in rows.items() if self.accounts[name].kind not in _FAILED
            }

    @cached_property
    def accounts(self) -> dict[str, Account]:
        """The account of each generation, as the store was at the first use."""
        return accounts(self._experiment, self._all)

    @cached_property
    def waiting(self) -> dict[str, Generation]:
        """The generations that are not complete, including all their descendants."""
        return {name: row for name, row in self.rows.items() if not self.accounts[name].complete}

    @property
    def requested(self) -> Mapping[str, Generation]:
        """The generations that Snakemake is to plan for."""
        expand = self._experiment.settings.expand
        plans_all = self._asks_for_all or len(self.rows) < LARGE
        if expand == "all" or (expand == "auto" and plans_all):
            return self.rows
        return self.waiting

    def rows_of(self, stages: Collection[str]) -> dict[str, Generation]:
        """Return the generations that targets of these stages cover: their ancestors, too."""
        links = self._experiment.settings.stages
        wanted = {link.name for name in stages for link in chain(links, name)}
        return {name: row for name, row in self.rows.items() if row.stage in wanted}

    def covered(
        self, stages: Collection[str], cohorts: Iterable[str] = (), *, prompts: bool = True
    ) -> Mapping[str, Generation]:
        """Return the generations that targets of these stages, reports and the named ones cover.

        Without `prompts`, a generation of which only the prompt is a target is left out; its
        ancestors are not, as the prompt is made of their texts.
        """
        experiment = self._experiment
        beside = [row for cohort in cohorts for row in covered(experiment, cohort)]
        for name in self._named:
            row = experiment.generations.get(name)
            if row is not None and name in self._prompts and not prompts:
                row = experiment.generations.get(row.parent_gen_id)
            beside += [row] if row is not None else []
        lineage = {row.gen_id: row for row in with_lineage(experiment, beside)}
        return self.rows_of(stages) | lineage

    def workload(self, stages: Collection[str]) -> tuple[list[Generation], list[str]]:
        """Return what is to be made for the stages, and those of it that need an answer."""
        rows = [row for name, row in self.rows_of(stages).items() if name in self.waiting]
        wanted = [
            row.gen_id
            for row in rows
            if self.accounts[row.gen_id].raw.kind != "current"
            and not is_copy(self._experiment, row)
        ]
        return rows, wanted

    def stale_files(self) -> Iterator[str]:
        """Yield the existing files that have to be made again."""
        for row in self._all:
            for phase, state in zip(PHASES, self.accounts[row.gen_id], strict=True):
                if state.kind != "current" and state.sha256:
                    for file in FILES[phase]:
                        yield generation_file(row.stage, row.gen_id, file)

    def reason(self, rule: str, wildcards: Mapping[str, str]) -> str:
        """Return why a job of a generation or a report has to run; empty for any other job."""
        if rule.endswith("build_membership"):
            return "its rows are not those of the spec, or it is missing"
        for report in REPORTS:
            if rule.endswith(report.rule):
                return self._sources(wildcards["cohort"]).reason(report)
        account = self.accounts.get(wildcards.get("gen_id", ""))
        phases = [phase for phase in PHASES if rule.endswith(RULES[phase])]
        if account is None or not phases:
            return ""
        state = account[PHASES.index(phases[0])]
        return ", ".join(state.reasons)

    def is_after_failure(self, wildcards: Mapping[str, str]) -> bool:
        """Tell whether a job is of a generation that failed before, or comes after one."""
        account = self.accounts.get(wildcards.get("gen_id", ""))
        return account is not None and account.kind in _FAILED

    def targets(self, stage: str | None = None) -> list[str]:
        """Return the files that stand for all requested generations of a stage, or of all."""
        rows = self.requested.values()
        return _last_texts([row for row in rows if stage in (None, row.stage)])

    def needs(self, report: Report, cohort: str) -> list[str]:
        """Return the files that a cohort's report waits for; for shards, their marks."""
        if self.only_looks:
            return []
        rows = [row for row in report.rows(self._experiment, cohort) if row.gen_id in self.rows]
        if self.is_divided:
            return self.marks(row for row in rows if row.gen_id in self.waiting)
        return _last_texts([row for row in rows if row.gen_id in self.requested])

    def is_current(self, report: Report, cohort: str) -> bool:
        """Tell whether a report was made of exactly what exists, and nothing is missing."""
        return self._sources(cohort).is_current(report, partial=self.only_looks)

    def _sources(self, cohort: str) -> Sources:
        if cohort not in self._sources_of:
            self._sources_of[cohort] = Sources(self._experiment, cohort, self.accounts)
        return self._sources_of[cohort]

    @property
    def only_looks(self) -> bool:
        """Whether a partial run makes no texts. Shards make some; only their report is partial."""
        settings = self._experiment.settings
        return settings.partial and settings.shards == 1 and not self._makes_texts

    @property
    def is_divided(self) -> bool:
        """Whether shards make the texts, and this run is not one of them."""
        settings = self._experiment.settings
        return settings.shards > 1 and settings.shard is None

    def marks(self, rows: Iterable[Generation] | None = None) -> list[str]:
        """Return the marks of shards that have something to make, or that make one of `rows`."""
        waiting = self.waiting.values() if rows is None else rows
        numbers = sorted({self._shards[row.gen_id] for row in waiting})
        return [shard_mark(number, self._experiment.settings.shards) for number in numbers]


def shard_mark(shard: int, shards: int) -> str:
    """Return the file that marks a shard as done for one run."""
    return f"logs/shards/{shard}-of-{shards}.done"


def _last_texts(rows: Collection[Generation]) -> list[str]:
    """Return the parsed.txt of each generation without children among these."""
    parents = {row.parent_gen_id for row in rows}
    return [
        generation_file(row.stage, row.gen_id, "parsed.txt")
        for row in rows
        if row.gen_id not in parents
    ]
