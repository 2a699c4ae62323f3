"""The explorer page and a figure in Firefox: what it does in a way of its own, and a walk through.

All else is tested in Chromium. Playwright knows Debian's Firefox by WebDriver BiDi, which does not
say everything: the history and downloads are looked at by other ways here.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from daydream.figures.outputs import page as figure_page
from daydream.tables import read_records
from support.background import until
from support.explorer_cohort import Cohort
from support.explorer_page import goto, without_errors
from support.project import Project

DEEP = "> a\n" + ">" * 20_000


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    """Return a cohort of 56 generations; two of its drafts are known."""
    cohort = Cohort(Project(tmp_path_factory.mktemp("small")), generations=56, size=600)
    cohort.fill()
    for row, text in zip(cohort.of("draft"), (DEEP, "The ferry left at dawn."), strict=False):
        cohort.write(row, prompt="Go", raw=text, parsed=text)
    cohort.build()
    return cohort


@pytest.fixture
def page(firefox: Browser, cohort: Cohort) -> Iterator[Page]:
    """Return the cohort's page, open; nothing is said on its console."""
    context = firefox.new_context(viewport={"width": 1280, "height": 800}, accept_downloads=True)
    page = context.new_page()
    with without_errors(page):
        goto(page, cohort)
        yield page
        context.close()


def sheets(pdf: bytes) -> int:
    """Return the number of pages of a PDF: objects in packed streams."""
    streams = re.findall(rb"stream\n(.*?)\nendstream", pdf, re.DOTALL)
    packed = [each for each in streams if each.startswith(b"x")]
    return sum(len(re.findall(rb"/Type\s*/Page\b", zlib.decompress(each))) for each in packed)


def titles(page: Page) -> Locator:
    return page.locator("#list .row .title")


def test_a_walk_through_the_page(page: Page, cohort: Cohort) -> None:
    """Tree, text, filter, search, list and Back, which the address follows."""
    status = page.locator("#status")
    expect(titles(page).first).to_have_text("Tide + Loom")
    page.locator("#list .row .twist").nth(2).click()
    expect(titles(page).nth(3)).to_have_text("judge · #1")
    page.keyboard.press("3")
    expect(page.locator("[role=tab][aria-selected=true]")).to_contain_text("Prompt")
    page.keyboard.press("f")
    page.locator("[data-facet=essay_template] label", has_text="grow").click()
    expect(status).to_contain_text("32 of 56 generations")
    page.fill("#search", "ferry dawn")
    page.keyboard.press("Enter")
    expect(status).to_contain_text("1 of 56")
    page.evaluate("history.back()")
    expect(page.locator("#search")).to_have_value("")
    expect(status).to_contain_text("32 of 56 generations")
    page.evaluate("history.back()")
    expect(status).to_have_text("56 generations")
    goto(page, cohort, "#?view=list&stage=draft&q=ferry")
    expect(titles(page)).to_have_count(1)
    page.keyboard.press("ArrowDown")
    expect(page.locator("#pane mark")).to_have_text("ferry")


def test_two_texts_side_by_side(page: Page, cohort: Cohort) -> None:
    """With what differs marked."""
    left, right = cohort.of("draft")[1:3]
    goto(page, cohort, f"#{left.gen_id}..{right.gen_id}")
    expect(page.locator(".column")).to_have_count(2)
    expect(page.locator(".column del").first).to_be_visible()
    expect(page.locator(".column ins").first).to_be_visible()


def test_what_nests_too_deeply_is_shown_as_it_is_written(page: Page, cohort: Cohort) -> None:
    """Firefox has an error of its own for it."""
    goto(page, cohort, f"#{cohort.of('draft')[0].gen_id}")
    expect(page.locator("#pane .text").first).to_contain_text(">>>>")
    expect(page.locator("#pane .rendered")).to_have_count(0)


def test_the_table_and_the_grid(page: Page, cohort: Cohort, downloads: Path) -> None:
    """The table sorts, and is saved; a cell of the grid opens its texts."""
    goto(page, cohort, "#?view=table&stage=evaluation")
    page.locator("#table thead button", has_text="score").click()
    expect(page.locator("#table [aria-sort=descending]")).to_contain_text("score")
    page.get_by_role("button", name="CSV").click()
    file = downloads / "c1.csv"
    until(lambda: file.exists() and file.stat().st_size > 0)
    scores = [float(row["score"]) for row in read_records(file)[1]]
    assert len(scores) == 32
    assert scores == sorted(scores, reverse=True)
    page.locator("#views button", has_text="Grid").click()
    page.locator("#grid td button").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#status")).to_contain_text("of 56 generations")


def test_ratings_are_kept_and_exported(page: Page, downloads: Path) -> None:
    """Blind, by keyboard; a reload goes on."""
    page.locator("#rate-button").click()
    page.locator("[name=rater]").fill("anna")
    page.keyboard.press("Enter")
    for score in "47":
        page.wait_for_selector(".rate-texts")
        page.keyboard.press(score)
        page.keyboard.press("Enter")
    expect(page.locator(".rate-head strong")).to_have_text("3 of 16")
    page.reload()
    expect(page.locator(".rate-head strong")).to_have_text("3 of 16")
    page.get_by_text("Export", exact=True).click()
    file = downloads / "c1-anna.csv"
    until(lambda: file.exists() and file.stat().st_size > 0)
    rows = read_records(file)[1]
    assert [row["score"] for row in rows] == ["4", "7"]
    assert all(len(row["text_sha256"]) == 16 for row in rows)


def test_it_prints_whole(page: Page, cohort: Cohort) -> None:
    """A text of many pages; a table with all its rows, of which the window has but a few."""
    lines = "\n".join(f"Line {number} of a long text." for number in range(400))
    goto(page, cohort, f"#{cohort.of('draft')[1].gen_id}")
    page.evaluate("text => document.querySelector('#pane .text').textContent = text", lines)
    assert sheets(page.pdf()) > 5
    goto(page, cohort, "#?view=table")
    page.set_viewport_size({"width": 1280, "height": 300})
    page.evaluate(
        """() => addEventListener('beforeprint', () => {
          window.printed = document.querySelectorAll('#table tr[data-number]').length;
        })"""
    )
    assert page.locator("#table tr[data-number]").count() < 30
    page.pdf()
    assert page.evaluate("window.printed") == 56


def test_nothing_leaves_the_window(page: Page, cohort: Cohort) -> None:
    """Whatever its width and the view, with all filters; bounds of the score stand in one line."""
    for width, view in product((390, 1024, 1920), ("tree", "table", "grid")):
        page.set_viewport_size({"width": width, "height": 700})
        goto(page, cohort, f"#?view={view}")
        page.keyboard.press("f")
        assert page.evaluate("document.documentElement.scrollWidth") == width
        over = page.evaluate(
            """() => [...document.querySelectorAll('.controls *, .bar *')]
              .filter((each) => each.getBoundingClientRect().right > innerWidth + 1)
              .map((each) => each.outerHTML)"""
        )
        assert over == [], (width, view)
        bounds = page.locator("[data-bound]").all()
        places = {(bound.bounding_box() or {"y": 0.0})["y"] for bound in bounds}
        assert len(bounds) == 2 * len(places), (width, view)


def test_scroll_bars_have_the_colours_of_the_page(page: Page) -> None:
    """Those of the system are white beside a dark page, too."""
    colours = "getComputedStyle(document.querySelector('#list')).scrollbarColor"
    light = page.evaluate(colours)
    page.keyboard.press("d")
    assert light != page.evaluate(colours)
    assert light != "auto"


def test_a_figure(firefox: Browser, tmp_path: Path) -> None:
    """It is drawn, without a word on the console."""
    spec = {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "title": {"text": ["Any of 2"], "subtitle": ["Cohort c1."]},
        "data": {"values": [{"x": 1, "y": "a"}, {"x": 2, "y": "b"}]},
        "mark": "bar",
        "encoding": {"x": {"field": "x", "type": "quantitative"}, "y": {"field": "y"}},
    }
    path = tmp_path / "leaderboard.html"
    path.write_text(figure_page(spec, title="leaderboard"))
    errors: list[str] = []
    page = firefox.new_page()
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text))
    page.goto(path.as_uri())
    page.wait_for_selector("html[data-ready]", state="attached")
    expect(page.get_by_role("img", name="Any of 2")).to_be_visible()
    expect(page.locator("#figure svg.marks text", has_text="b")).to_be_visible()
    page.close()
    assert errors == []
