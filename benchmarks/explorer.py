"""The explorer page: built, opened and searched, and its table sorted.

Of 500 and 5,000 generations with texts of 4 kB, and of 30,000 with texts of 600 characters.

uv run python benchmarks/explorer.py
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests")]

from support.browser import CHROMIUM, FLAGS  # noqa: E402
from support.explorer_cohort import Cohort  # noqa: E402
from support.project import Project  # noqa: E402

SIZES = ((500, 4_000), (5_000, 4_000), (30_000, 600))


def main() -> None:
    """Print a row for each size."""
    if CHROMIUM is None:
        sys.exit("no chromium is installed; apt-get install chromium")
    print("generations    page    built   opened   searched  sorted   (open: median of 5)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for generations, size in SIZES:
            with tempfile.TemporaryDirectory() as name:
                cohort = Cohort(Project(Path(name)), generations=generations, size=size)
                cohort.fill()
                begin = time.perf_counter()
                path = cohort.build()
                built = time.perf_counter() - begin
                page = browser.new_page()
                opened = median(_open(page, path) for _ in range(5))
                print(
                    f"{len(cohort.rows):>11,} {path.stat().st_size / 1e6:>4.1f} MB "
                    f"{built:>6.1f} s {opened:>6.2f} s {_search(page):>8.2f} s "
                    f"{_sort(page):>6.2f} s"
                )
                page.close()
        browser.close()


def _open(page: Page, path: Path) -> float:
    """Return the seconds until the list and the first text are there to be read."""
    begin = time.perf_counter()
    page.goto(path.as_uri())
    page.wait_for_selector("html[data-ready] #pane .text", state="attached")
    return time.perf_counter() - begin


def _search(page: Page) -> float:
    """Return the seconds until all texts are searched for what stands in few of them."""
    begin = time.perf_counter()
    page.fill("#search", "bandand")
    page.wait_for_selector("#list[data-searched='bandand']")
    return time.perf_counter() - begin


def _sort(page: Page) -> float:
    """Return the seconds until the table of all generations is there, sorted by score."""
    page.goto(page.url.partition("#")[0] + "#?view=table")
    page.wait_for_selector("#table tr[data-number]")
    begin = time.perf_counter()
    page.click("#table [data-sort=score]")
    page.wait_for_selector("#table [aria-sort=descending]")
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
