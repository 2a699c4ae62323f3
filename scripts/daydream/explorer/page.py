"""The page as a file: the index, the texts in chunks, and all that shows them, in one HTML file.

A chunk is a JSON array with an entry for each of some neighbouring rows,

    [parsed, raw, prompt, metadata, [[name, text], ...]]

the texts of the files as they are (null: there is no such file, or it is not of today's inputs) and
at last the journal's entries.
Metadata and journal are text too: the page shows even one that is damaged. Chunks and index are
gzipped and in base64, so there is nothing in them that could end a script element, in inert
elements that the browser keeps unread until the page asks for one. They are written as they are
made: no more than a chunk and the index is in memory.

The page's policy allows its own scripts and styles, by their digests, and no other resource.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from daydream.experiment.experiment import Experiment
from daydream.experiment.provenance import Account
from daydream.explorer.outline import build_index, shown_rows
from daydream.files import read_text, replacing
from daydream.generations.row import Generation
from daydream.reports.report import SCORES
from daydream.store.layout import RESPONSES, generation_file

HERE = Path(__file__).parent
VENDORED = ("virtual-core.min.js", "diff.min.js", "marked.min.js")
SCRIPTS = (
    "store.js",
    "columns.js",
    "grid.js",
    "outline.js",
    "state.js",
    "dom.js",
    "table.js",
    "markdown.js",
    "reader.js",
    "sample.js",
    "rate.js",
    "follow.js",
    "app.js",
)
# As small as is quickly unpacked, and large enough to hold what a text and its children share.
CHUNK = 500_000

Texts = tuple[str | None, str | None, str | None, str | None, list[tuple[str, str]]]


def write_explorer(
    experiment: Experiment,
    cohort: str,
    accounts: Mapping[str, Account],
    output: str,
    *,
    scores: Path | None = None,
    follows: Mapping[str, object] | None = None,
) -> None:
    """Write the page of a cohort, with the texts that are current; its scores must be there.

    `scores` is their file, if it is not that of the cohort's reports. `follows` is what the index
    says of a page that follows a run.

    Raises:
        StoreError: a text is not UTF-8, or the file system does not take the page.
    """
    # Here, as importing it takes 80 ms, which every start of the workflow would pay.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415
    from markupsafe import Markup  # noqa: PLC0415

    scores = scores or Path(SCORES.path(cohort))
    book = _Book(experiment, cohort, accounts, scores=scores, follows=follows)
    scripts = [*(_source("vendor", name) for name in VENDORED)]
    scripts.append("\n".join(_source("static", name) for name in SCRIPTS))
    style = _source("static", "style.css")
    loader = FileSystemLoader(HERE / "static")
    jinja = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
    page = jinja.get_template("index.html.j2").stream(
        cohort=cohort,
        book=book,
        style=Markup(style),  # noqa: S704 - the project's own file
        scripts=[Markup(script) for script in scripts],  # noqa: S704
        style_digest=_digest(style),
        script_digests=[_digest(script) for script in scripts],
    )
    with replacing(output) as file:
        page.dump(file, encoding="utf-8")


class _Book:
    """What the template asks for, in this order: the chunks one by one, then the index."""

    def __init__(
        self,
        experiment: Experiment,
        cohort: str,
        accounts: Mapping[str, Account],
        *,
        scores: Path,
        follows: Mapping[str, object] | None,
    ) -> None:
        self._experiment = experiment
        self._cohort = cohort
        self._accounts = accounts
        self._scores = scores
        self._follows = follows
        self._rows = shown_rows(experiment, cohort)
        self._starts: list[int] = []
        self._lengths: list[int | None] = []
        stages = experiment.settings.stages.values()
        self._scored = {stage.name for stage in stages if stage.scored}

    def chunks(self) -> Iterator[str]:
        """Yield the texts of all rows, packed."""
        entries: list[str] = []
        size = 0
        for number, row in enumerate(self._rows):
            texts = _texts(row, self._accounts[row.gen_id])
            parsed, raw, *_ = texts
            self._lengths.append(_length(raw if row.stage in self._scored else parsed))
            entry = json.dumps(texts, ensure_ascii=False)
            if not entries:
                self._starts.append(number)
            entries.append(entry)
            size += len(entry)
            if size > CHUNK:
                yield _packed(f"[{','.join(entries)}]")
                entries, size = [], 0
        if entries:
            yield _packed(f"[{','.join(entries)}]")

    def index(self) -> str:
        """Return the index, packed."""
        index: dict[str, Any] = build_index(
            self._experiment,
            self._cohort,
            self._rows,
            accounts=self._accounts,
            chunks=self._starts,
            lengths=self._lengths,
            scores=self._scores,
        )
        index["follows"] = self._follows
        return _packed(json.dumps(index, ensure_ascii=False))


def _texts(row: Generation, account: Account) -> Texts:
    directory = Path(generation_file(row.stage, row.gen_id, ""))
    shown = (
        ("parsed.txt", account.parsed),
        ("raw.txt", account.raw),
        ("prompt.txt", account.prompt),
        ("metadata.json", account.raw),
    )
    parsed, raw, prompt, metadata = (
        read_text(directory / name) if state.kind == "current" else None for name, state in shown
    )
    journal = sorted((directory / RESPONSES).glob("*.json"))
    return parsed, raw, prompt, metadata, [(path.stem, read_text(path)) for path in journal]


def _length(text: str | None) -> int | None:
    return None if text is None else len(text)


def _packed(text: str) -> str:
    # No time in the header: the same texts make the same page.
    return base64.b64encode(gzip.compress(text.encode(), 6, mtime=0)).decode()


def _source(*path: str) -> str:
    return HERE.joinpath(*path).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
