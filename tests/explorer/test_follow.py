"""A page that follows a run, in a browser: it loads itself again, and keeps its place."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from daydream.explorer.follow import follow, live_page
from support.background import until
from support.explorer_cohort import PAGE, Cohort
from support.explorer_page import without_errors
from support.project import Project


@pytest.fixture
def cohort(tmp_path: Path) -> Iterator[Cohort]:
    """Return a cohort of 28 generations of which the evaluations are missing."""
    project = Project(tmp_path)
    project.config["follow"] = 0.5
    cohort = Cohort(project, generations=28, size=3_000)
    cohort.fill()
    for row in cohort.of("evaluation"):
        for name in ("raw.txt", "parsed.txt", "metadata.json"):
            cohort.project.path(f"data/gens/evaluation/{row.gen_id}/{name}").unlink()
    cohort.build()
    with chdir(project.dir):
        yield cohort


class Following:
    """A run that is followed until it ends."""

    def __init__(self, cohort: Cohort) -> None:
        self.run_ends = threading.Event()
        self.told: list[str] = []
        self.experiment = cohort.experiment()
        self.thread = threading.Thread(target=self._follow)
        self.thread.start()

    def _follow(self) -> None:
        tell = self.told.append
        tell(follow(self.experiment, lambda: not self.run_ends.is_set(), tell))


@pytest.fixture
def following(cohort: Cohort) -> Iterator[Following]:
    found = Following(cohort)
    yield found
    found.run_ends.set()
    found.thread.join()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 500})
    page = context.new_page()
    with without_errors(page):
        yield page
        context.close()


def test_a_page_follows_a_run(cohort: Cohort, page: Page, following: Following) -> None:
    """It counts, keeps its place, waits where it is switched off, and is gone after the run."""
    live, told = live_page("c1"), following.told
    until(live.exists)
    page.goto(live.resolve().as_uri())
    counts = page.locator("#live")
    expect(counts).to_contain_text("12 of 28 complete")
    assert page.locator("#live progress").get_attribute("value") == "12"

    page.locator("#list .row", has_text="grow").nth(1).click()
    page.locator("#list .row .twist").first.click()
    place = page.url
    assert "#e_" in place
    page.locator("#pane").evaluate("pane => pane.scrollTop = 120")
    evaluation = cohort.of("evaluation")[0]
    cohort.write(evaluation, prompt="Judge", raw="SCORE: 3", parsed="3")
    cohort.build()
    expect(counts).to_contain_text("13 of 28 complete")
    assert page.url == place
    assert page.locator("#pane").evaluate("pane => pane.scrollTop") == 120
    expect(page.locator("#list .row .twist").first).to_have_text("▸")
    assert page.evaluate("document.activeElement.id") == "list"

    page.locator("#follow", has_text="Following").click()
    page.evaluate("window.kept = true")
    assert [each["id"] for each in Axe().run(page).response["violations"]] == []
    page.wait_for_timeout(1_200)
    assert page.evaluate("window.kept"), "it is switched off"
    page.reload()
    expect(page.locator("#follow")).to_have_attribute("aria-pressed", "false")
    page.locator("#follow").click()

    following.run_ends.set()
    expect(counts).to_contain_text("It follows no run any more.")
    expect(page.locator("#follow")).to_have_count(0)
    following.thread.join(20)
    assert not live.exists()
    assert len(told) == 2
    page.evaluate("window.kept = true")
    page.wait_for_timeout(700)
    assert page.evaluate("window.kept"), "the last page stays as it is"


def test_a_page_that_runs_make_follows_nothing(cohort: Cohort, page: Page) -> None:
    """Even if it is a partial one."""
    page.goto(cohort.project.path(PAGE).as_uri())
    expect(page.locator("#notices")).to_contain_text("Partial: 16 of 28")
    assert page.locator("#live").count() == 0
