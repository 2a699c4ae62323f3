"""Names that are longer than there is room for: in the tree, the list, the filters and the grid."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from support.explorer_cohort import Cohort
from support.explorer_page import goto, opened
from support.project import Project

LONG = "a_plain_draft_that_takes_its_time_and_goes_round_the_harbour_before_it_turns"
DRAFTS = (f"{LONG}_inwards", f"{LONG}_outwards")


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    """Return a cohort whose combos and drafts have long names, which differ at their ends."""
    project = Project(tmp_path_factory.mktemp("names"))
    raw = "data/1_raw"
    project.edit(f"{raw}/concepts_metadata.csv", "Tide", "The tide in the old northern harbour")
    project.edit(f"{raw}/concepts_metadata.csv", "Loom", "The loom of the house beside the church")
    for name in DRAFTS:
        table = f"{raw}/draft_templates.csv"
        project.write(table, f"{project.read(table)}{name},Long,,identity,llm\n")
        text = project.read(f"{raw}/templates/draft/plain.txt")
        project.write(f"{raw}/templates/draft/{name}.txt", text)
    project.spec["axes"]["draft_template"] = list(DRAFTS)
    cohort = Cohort(project, generations=14, size=200)
    cohort.fill()
    cohort.build()
    return cohort


@pytest.fixture
def page(browser: Browser, cohort: Cohort) -> Iterator[Page]:
    """Return the cohort's page, open."""
    with opened(browser, cohort, width=1280) as page:
        yield page


# What of an element's text is neither cut off by itself nor by what it stands in.
SEEN = """each => {
  const walker = document.createTreeWalker(each, NodeFilter.SHOW_TEXT);
  const range = document.createRange();
  let seen = "";
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const boxes = [];
    for (let at = node.parentElement; at && at !== each.parentElement; at = at.parentElement) {
      if (getComputedStyle(at).overflowX !== "visible") boxes.push(at.getBoundingClientRect());
    }
    for (let at = 0; at < node.length; at += 1) {
      range.setStart(node, at);
      range.setEnd(node, at + 1);
      const { left, right } = range.getBoundingClientRect();
      const whole = (box) => left >= box.left - 1 && right <= box.right + 1;
      if (boxes.every(whole)) seen += node.data[at];
    }
  }
  return seen;
}"""


def seen(found: Locator) -> list[str]:
    """Return what can be read of some elements."""
    return [str(each.evaluate(SEEN)) for each in found.all()]


def test_a_long_name_is_shortened_in_its_middle(page: Page) -> None:
    """In the tree, the list and its paths: names that differ only at their ends can be told."""
    titles = page.locator("#list .row.combo .title")
    expect(titles).to_have_count(2)
    first, second = titles.all_text_contents()
    assert second == f"{first} + Fog"
    first, second = seen(titles)
    assert first.startswith("The tide")
    assert first.endswith("the church")
    assert second.endswith("+ Fog")
    drafts = seen(page.locator("#list .row:has(.mark.s0) .title"))
    assert [name[-10:] for name in drafts] == ["ns_inwards", "s_outwards"] * 2
    assert all(name.startswith("a_plain") and len(name) < len(LONG) for name in drafts)
    page.keyboard.press("t")
    page.locator("[data-stage='1']").click()
    paths = seen(page.locator("#list .path > span:last-child"))
    assert {name[-7:] for name in paths} == {"inwards", "utwards"}


def test_a_long_name_leaves_its_box_to_tick(page: Page) -> None:
    """Its label ends in its column, and says which one it is."""
    page.keyboard.press("f")
    boxes = page.locator("[data-facet=draft_template] input").all()
    assert len(boxes) == 2
    assert all((box.bounding_box() or {"width": 0})["width"] >= 12 for box in boxes)
    labels = seen(page.locator("[data-facet=draft_template] label > span"))
    assert [label[-7:] for label in labels] == ["inwards", "utwards"]


def test_heads_of_rows_keep_their_width_on_a_phone(page: Page, cohort: Cohort) -> None:
    """Of a grid wider than the screen, which scrolls: words that fit are whole."""
    page.set_viewport_size({"width": 390, "height": 700})
    goto(page, cohort, "#?view=grid&down=combo_id&across=draft_template")
    heads = page.locator("#grid tbody th[title]")
    expect(heads).to_have_count(2)
    for head in heads.all():
        assert (head.bounding_box() or {"width": 0})["width"] >= 120
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    goto(page, cohort, "#?view=grid")
    for head in page.locator("#grid tbody th[title]").all():
        width = (head.bounding_box() or {"width": 0})["width"]
        assert 120 <= width <= 160
