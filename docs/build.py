"""Builds the site of the documentation in `site/`, and fails on a link that leads nowhere.

    uv run --group docs python docs/build.py [--demo]

The pages stand in the site as they do in the repository, so that the same relative links work in
both. A link to another file of the repository takes that file along. If the demo has been run, its
explorer, overview, tables and figures are part of the site; with `--demo` they must be there.

Zensical checks the links between pages, and this script every link of every page that it made.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parent.parent
SITE = ROOT / "site"
PAGES = ("README.md", "CHANGELOG.md", "docs/*.md", "config/README.md", "benchmarks/README.md")
OTHERS = ("docs/images/*", "docs/site/extra.css", "docs/site/iframe-worker.*")
REPORTS = ROOT / "data/cohorts/demo/reports"
# What a reader opens, of the reports of a cohort. The tables are named by the overview.
SHOWN = ("overview.html", "tables.html", "explorer/index.html", "figures/**/*", "**/*.csv")
# Zensical loads this from elsewhere; it lets a browser search a site that is opened from a disk.
SHIM = "https://unpkg.com/iframe-worker/shim"
DIAGRAM = re.compile(r"^```mermaid\n(.*?)^```\n", re.MULTILINE | re.DOTALL)


class Links(HTMLParser):
    """The links of a page, the names that others can link to, and what it loads from elsewhere."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.names: set[str] = set()
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag says."""
        given = {name: value or "" for name, value in attrs}
        self.names |= {given[name] for name in ("id", "name") if name in given}
        for name in ("href", "src"):
            if name not in given:
                continue
            loads = name == "src" or (tag == "link" and given.get("rel") != "canonical")
            if not urlsplit(given[name]).scheme:
                self.links.append(given[name])
            elif loads and not given[name].startswith("data:"):
                self.loads.append(given[name])


def main() -> None:
    """Build the site, and put it in the place of the one before."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--demo", action="store_true", help="the demo's results must be there")
    demo_needed = parser.parse_args().demo
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        pages = work / "pages"
        shutil.copy(ROOT / "docs/site/zensical.toml", work)
        copy_pages(pages)
        has_demo = copy_demo(pages)
        if demo_needed and not has_demo:
            sys.exit(f"There are no results of the demo in {REPORTS}: run it first.")
        done = subprocess.run(
            [sys.executable, "-m", "zensical", "build", "--strict"], cwd=work, check=False
        )
        if done.returncode:
            sys.exit(done.returncode)
        site = work / "site"
        shim = "docs/site/iframe-worker.js"
        for page in site.rglob("*.html"):
            text = page.read_text(encoding="utf-8")
            if SHIM in text:
                up = "../" * (len(page.relative_to(site).parts) - 1)
                page.write_text(text.replace(SHIM, up + shim), encoding="utf-8")
        faults = sorted(check(site))
        if faults:
            sys.exit("\n".join([*faults, f"{len(faults)} links lead nowhere."]))
        shutil.rmtree(SITE, ignore_errors=True)
        shutil.move(site, SITE)
    count = sum(1 for _ in SITE.rglob("*.html"))
    print(f"{SITE.relative_to(ROOT)}/index.html: {count} pages, all links lead somewhere.")


def copy_pages(pages: Path) -> None:
    """Copy the pages and pictures to a directory, as Zensical reads them."""
    for pattern in PAGES + OTHERS:
        for source in sorted(ROOT.glob(pattern)):
            target = pages / source.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.suffix == ".md":
                text = source.read_text(encoding="utf-8")
                target.write_text(for_zensical(text, source), encoding="utf-8")
            else:
                shutil.copy(source, target)


def for_zensical(text: str, source: Path) -> str:
    """Return a page as Zensical reads it, of one as repositories show it."""
    # A badge comes from elsewhere.
    text = re.sub(r"^\[!\[[^]]*\]\(https:[^)]*\)\]\([^)]*\)\n", "", text, flags=re.MULTILINE)
    text = DIAGRAM.sub(lambda match: picture(match, source), text)
    return deeper(text)


def picture(match: re.Match[str], source: Path) -> str:
    """Return the picture of a diagram, which docs/images/make.py draws, or else its source."""
    name = diagram_name(match[1])
    if not (ROOT / "docs/images" / name).exists():
        print(f"{source.relative_to(ROOT)}: a diagram is shown as text; run docs/images/make.py")
        return match[0].replace("```mermaid", "```text")
    up = "../" * (len(source.relative_to(ROOT).parts) - 1)
    return f"![A diagram]({up}docs/images/{name})\n"


def diagram_name(text: str) -> str:
    """Return the name of a diagram's picture, which is another one for another text."""
    return f"diagram-{hashlib.sha256(text.encode()).hexdigest()[:8]}.svg"


def deeper(text: str) -> str:
    """Return a page in which what belongs to a list stands four blanks in, as Zensical needs it."""
    lines = []
    fenced = False
    shift = 0
    for line in text.splitlines():
        if line.startswith("```"):
            fenced = not fenced
        elif not fenced and (marker := re.match(r"(\d+\.|[-*]) +", line)):
            shift = 4 - marker.end()
        elif line and not line.startswith(" "):
            shift = 0
        indented = not fenced and line.startswith(" ")
        lines.append(" " * max(0, shift) + line if indented else line)
    return "\n".join(lines) + "\n"


def _is_of_demo(report: Path) -> bool:
    """Tell whether a report of Snakemake's is there, and of the demo alone."""
    if not report.exists():
        return False
    cohorts = re.findall(r"data/cohorts/([\w.-]+)/", report.read_text(encoding="utf-8"))
    return set(cohorts) == {"demo"}


def copy_demo(pages: Path) -> bool:
    """Copy the demo's results and a page that shows them, and tell whether there are any."""
    files = [file for pattern in SHOWN for file in REPORTS.glob(pattern) if file.is_file()]
    here = {REPORTS / name for name in SHOWN[:3]} <= set(files)
    text = "# The demo's results\n\nThis site was built without them.\n"
    if here:
        text = (ROOT / "docs/site/demo.md").read_text(encoding="utf-8")
        # Snakemake's report has links to these files, so it stands where it stands in the project.
        if _is_of_demo(ROOT / "report.html"):
            files.append(ROOT / "report.html")
        else:
            text = re.sub(r".*\(\.\./report\.html\).*\n", "", text)
        text += "\n## The figures\n\nEach leads to its interactive form.\n"
        for file in sorted(file for file in files if file.suffix == ".svg"):
            path = f"../{file.relative_to(ROOT).with_suffix('')}"
            text += f"\n[![{file.stem.replace('_', ' ')}]({path}.svg)]({path}.html)\n"
        for file in files:
            target = pages / file.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target)
    (pages / "demo").mkdir()
    (pages / "demo/README.md").write_text(text, encoding="utf-8")
    return here


def check(site: Path) -> Iterator[str]:
    """Yield each link that leads nowhere; take along files of the repository that are linked."""
    site = site.resolve()
    pages = {
        path: Links(path.read_text(encoding="utf-8"))
        for path in site.rglob("*.html")
        if path.name != "404.html"
    }
    # Their scripts make what their links name.
    results = {path for path in pages if {"data", "report.html"} & {*path.relative_to(site).parts}}
    for path, page in pages.items():
        where = path.relative_to(site)
        yield from (f"{where}: loads {link} from elsewhere" for link in page.loads)
        for link in page.links:
            parts = urlsplit(link)
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.is_relative_to(site):
                yield f"{where}: {link} leads out of the site"
                continue
            file = ROOT / target.relative_to(site)
            if not target.exists() and file.is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, target)
            found = pages.get(target)
            if not target.is_file():
                yield f"{where}: {link} leads nowhere"
            elif (
                (name := unquote(parts.fragment))
                and found
                and name not in found.names
                and not {path, target} & results
            ):
                yield f"{where}: {link}: that page has no such heading"


if __name__ == "__main__":
    main()
