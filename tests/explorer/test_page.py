"""The explorer page, as a reader uses it: in headless Chromium, from a file, without a network."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import mean, stdev
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect

from daydream.explorer.page import HERE
from daydream.generations.row import Generation
from daydream.tables import csv_text, guarded, read_records
from support.explorer_cohort import PAGE, Cohort
from support.explorer_page import address, goto, without_errors
from support.project import Project

HOSTILE = (
    "Before. </script><script>document.title='taken'</script> <img src=x onerror=\"document.title="
    "'taken'\"> <!-- <script> ]]> &lt;b&gt; \u2028 {{ 7 * 7 }} After the lighthouse."
)
IN_JSON = '{"reason": "Dry <b>but</b> true", "depth": {"points": 7}, "tags": ["dry"]}'
IN_MARKDOWN = f"""<think>
I *should* think of the harbour.
</think>
# The ferry

A **bold** word, `code` and a [link](javascript:document.title='taken').
Its second line. ![map](http://tracker.example/map.png)

### Two levels down

1. first
2. second
   - inner

| Boat | Fare |
|---|--:|
| Tide | 3 |

```
<b>kept</b>
```

<div onclick="document.title='taken'"><script>document.title='taken'</script></div>

{HOSTILE.replace("lighthouse", "mole")}
"""
LEFT = "The ferry left at dawn, and nobody waved."
RIGHT = "The ferry came at dusk, and nobody waved."


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    """Return a cohort of 28 generations, complete; three of its texts are known."""
    cohort = Cohort(Project(tmp_path_factory.mktemp("small")), generations=28, size=600)
    cohort.fill()
    hostile, left, right = cohort.of("draft")[:3]
    cohort.write(hostile, prompt=f"Why {HOSTILE}", raw=HOSTILE, parsed=HOSTILE)
    cohort.write(left, prompt="Go", raw=LEFT, parsed=LEFT, answers=3)
    cohort.write(right, prompt="Go", raw=RIGHT, parsed=RIGHT)
    reported = cohort.of("draft")[3]
    cohort.write(reported, prompt="Go", raw=IN_MARKDOWN, parsed=IN_MARKDOWN)
    for number, row in enumerate(cohort.of("evaluation")):
        cohort.write(row, prompt="Judge", raw=f"SCORE: {number % 10}", parsed=str(number % 10))
    essay = cohort.of("essay")[1].gen_id
    judged = next(row for row in cohort.of("evaluation") if row.parent_gen_id == essay)
    cohort.write(judged, prompt="Judge", raw=IN_JSON, parsed="7")
    cohort.build()
    return cohort


@pytest.fixture
def page(browser: Browser, cohort: Cohort) -> Iterator[Page]:
    """Return the cohort's page, open; it must ask for nothing and break nowhere."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, color_scheme="light")
    page = context.new_page()
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    with without_errors(page):
        goto(page, cohort)
        yield page
        context.close()
    assert {url.partition("#")[0] for url in requests} == {address(cohort)}


def rows(page: Page) -> list[str]:
    """Return the titles of the rows in view, in their order."""
    page.wait_for_timeout(50)
    found = page.locator("#list .row").all()
    places = [(row.bounding_box() or {"y": 0})["y"] for row in found]
    titles = [row.locator(".title").inner_text() for row in found]
    return [title for _, title in sorted(zip(places, titles, strict=True), key=lambda x: x[0])]


def scores(page: Page) -> list[float]:
    found = page.locator("#list .row .score").all_inner_texts()
    return [float(text) for text in found]


def search(page: Page, text: str) -> None:
    page.fill("#search", text)
    page.keyboard.press("Enter")
    page.wait_for_selector(f"#list[data-searched='{text}']" if '"' not in text else "#list")


def test_it_shows_the_lineage_as_a_tree(page: Page) -> None:
    """Combos hold drafts, drafts essays; the scored leaves are folded until they are asked for."""
    expect(page.locator("#counts")).to_have_text("4 drafts · 8 essays · 16 evaluations")
    family = ["plain · #1", "grow", "same", "plain · #2", "grow", "same"]
    assert rows(page) == ["Tide + Loom", *family, "Tide + Loom + Fog", *family]
    page.locator(".row .twist").nth(2).click()
    assert rows(page)[:5] == ["Tide + Loom", "plain · #1", "grow", "judge · #1", "judge · #2"]
    page.locator(".row .twist").nth(0).click()
    assert rows(page)[:2] == ["Tide + Loom", "Tide + Loom + Fog"]


def test_a_filter_keeps_what_meets_it_and_what_leads_there(page: Page) -> None:
    """Filters of several dimensions meet; a filter of a later stage keeps ancestors alone."""
    page.keyboard.press("f")
    page.locator("[data-facet=essay_template] label", has_text="grow").click()
    expect(page.locator("#status")).to_contain_text("16 of 28 generations")
    page.locator("[data-facet=combo_id] label", has_text="Fog").click()
    expect(page.locator("#status")).to_contain_text("8 of 28 generations")
    assert rows(page) == ["Tide + Loom + Fog", "plain · #1", "grow", "plain · #2", "grow"]
    page.locator("[data-stage='2']").click()
    expect(page.locator("#status")).to_contain_text("4 of 28 generations")
    page.get_by_text("Clear filters").click()
    expect(page.locator("#status")).to_have_text("28 generations")


def test_a_mean_says_that_it_is_not_filtered(page: Page) -> None:
    """A combo above the one essay that is left has the mean of all of its essays, and says so."""
    status, note = page.locator("#status"), "Means in italics"
    expect(status).not_to_contain_text(note)
    page.keyboard.press("f")
    page.fill("[data-bound=low]", "7")
    shown = page.locator("#list .row:has(.score)")
    expect(status).to_contain_text(note)
    combo = shown.first.locator(".score")
    expect(combo).to_have_attribute(
        "title", re.compile(r"^the mean of 8 scores; the filters leave [1-7] of 8")
    )
    assert combo.evaluate("each => getComputedStyle(each).fontStyle") == "italic"
    whole = shown.filter(has_text="judge").locator(".score").first
    assert whole.evaluate("each => getComputedStyle(each).fontStyle") == "normal"
    page.get_by_text("Clear filters").click()
    expect(status).to_have_text("28 generations")
    page.locator("[data-stage='1']").click()
    expect(status).not_to_contain_text(note)
    page.get_by_text("Clear filters").click()
    search(page, "lighthouse")
    expect(status).to_contain_text(note)


def test_a_filter_by_score(page: Page) -> None:
    """The bounds are on the templates' own scale, and hold for the mean of what is not scored."""
    page.keyboard.press("f")
    page.fill("[data-bound=low]", "7")
    page.keyboard.press("Escape")
    page.keyboard.press("t")
    assert scores(page)
    assert min(scores(page)) >= 7


def test_sorting_by_score_and_by_dimension(page: Page) -> None:
    """In the list each generation has its place; in the tree siblings have."""
    page.keyboard.press("t")
    page.locator("[data-stage='2']").click()
    page.select_option("#sort", "score")
    assert scores(page) == sorted(scores(page), reverse=True)
    page.click("#direction")
    assert scores(page) == sorted(scores(page))
    page.locator("[data-stage='1']").click()
    page.select_option("#sort", label="essay template")
    assert rows(page) == ["grow"] * 4 + ["same"] * 4
    page.click("#direction")
    assert rows(page) == ["same"] * 4 + ["grow"] * 4


def test_full_text_search(page: Page, cohort: Cohort) -> None:
    """All words must occur, in any case; a phrase in quotes occurs as it is; marks show where."""
    search(page, "LIGHTHOUSE before")
    expect(page.locator("#status")).to_contain_text("1 of 28")
    expect(page.locator("#list mark").first).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#pane mark")).to_have_count(2)
    search(page, '"ferry left at"')
    expect(page.locator("#status")).to_contain_text("1 of 28")
    search(page, "ferry .*")
    expect(page.locator("#status")).to_contain_text("nothing matches")
    search(page, cohort.of("essay")[0].gen_id)
    expect(page.locator("#status")).to_contain_text("1 of 28")
    page.keyboard.press("Escape")
    expect(page.locator("#status")).to_have_text("28 generations")


def test_prompts_are_searched_if_asked_for(page: Page) -> None:
    """They repeat their parents, so they are left out at first."""
    search(page, "why")
    expect(page.locator("#status")).to_contain_text("nothing matches")
    page.check("#prompts")
    expect(page.locator("#status")).to_contain_text("1 of 28")


def test_everything_of_a_generation(page: Page, cohort: Cohort) -> None:
    """Parsed text, raw answer, prompt, metadata, and each answer of the journal."""
    goto(page, cohort, f"#{cohort.of('draft')[1].gen_id}")
    expect(page.locator("#pane .text")).to_have_text(LEFT)
    page.keyboard.press("2")
    expect(page.locator("#pane .text")).to_have_text(LEFT)
    page.keyboard.press("3")
    expect(page.locator("#pane .text")).to_have_text("Go")
    page.keyboard.press("4")
    expect(page.locator("#pane .pairs")).to_contain_text("request_sha256")
    page.keyboard.press("5")
    expect(page.locator("#pane .entry")).to_have_count(3)
    expect(page.locator("#pane .entry.current")).to_have_count(1)
    expect(page.locator("#pane .entry .text").first).to_have_text(LEFT)


def test_hostile_texts_are_text(page: Page, cohort: Cohort) -> None:
    """What looks like markup is shown as it was written, in every place; nothing of it runs."""
    goto(page, cohort, f"#{cohort.of('draft')[0].gen_id}")
    assert page.locator("#pane .text").text_content() == HOSTILE
    page.keyboard.press("3")
    assert page.locator("#pane .text").text_content() == f"Why {HOSTILE}"
    page.keyboard.press("5")
    assert page.locator("#pane .entry .text").text_content() == HOSTILE
    search(page, "lighthouse")
    expect(page.locator("#list .second mark")).to_have_text("lighthouse")
    assert page.locator("#pane img, #list img, #pane script, #list script").count() == 0
    assert page.title().endswith("· c1")
    source = cohort.project.path(PAGE).read_text()
    assert len(re.findall("<script", source)) == len(re.findall("</script>", source))
    assert "taken" not in source


def test_markdown_is_rendered(page: Page, cohort: Cohort) -> None:
    """As elements of its own; what is in it never becomes one, and no link can be followed."""
    goto(page, cohort, f"#{cohort.of('draft')[3].gen_id}")
    text = page.locator("#pane .rendered")
    expect(text.locator("h3")).to_have_text("The ferry")
    expect(text.locator("h4")).to_have_text("Two levels down")
    expect(text.locator("strong")).to_have_text("bold")
    expect(text.locator("ol > li > ul > li")).to_have_text("inner")
    assert text.locator("table").inner_text().split() == ["Boat", "Fare", "Tide", "3"]
    expect(text.locator("pre")).to_have_text("<b>kept</b>")
    expect(text).to_contain_text("link (javascript:document.title='taken').")
    expect(text).to_contain_text("Its second line.")
    expect(text).to_contain_text("picture: map (http://tracker.example/map.png)")
    expect(text).to_contain_text("<script>document.title='taken'</script></div>")
    expect(text).to_contain_text("<img src=x onerror=")
    assert text.locator("a, img, script, [onclick], [href], [src]").count() == 0
    assert page.title().endswith("· c1")
    thinking = text.locator("details.thinking")
    expect(thinking.locator("em")).not_to_be_visible()
    thinking.locator("summary").click()
    expect(thinking.locator("em")).to_have_text("should")


def test_the_source_of_markdown_is_a_key_away(page: Page, cohort: Cohort) -> None:
    """The choice is in the address, and a text that is no Markdown has none."""
    draft = cohort.of("draft")[3].gen_id
    goto(page, cohort, f"#{draft}")
    page.keyboard.press("m")
    expect(page.locator("#pane .text").first).to_have_text(IN_MARKDOWN)
    assert hash_of(page) == f"{draft}?source=1"
    page.go_back()
    expect(page.locator("#pane .rendered")).to_be_visible()
    goto(page, cohort, f"#{draft}?source=1")
    expect(page.locator("#pane .rendered")).to_have_count(0)
    page.locator(".mode button", has_text="Rendered").click()
    expect(page.locator("#pane .rendered")).to_be_visible()
    expect(page.locator(".mode button:focus")).to_have_text("Rendered")
    assert hash_of(page) == draft
    goto(page, cohort, f"#{cohort.of('draft')[1].gen_id}")
    expect(page.locator(".mode")).to_have_count(0)
    expect(page.locator("#pane .text")).to_have_text(LEFT)


def test_a_search_marks_what_it_finds_in_markdown(page: Page, cohort: Cohort) -> None:
    """In a folded thought too, which then opens."""
    goto(page, cohort, f"#{cohort.of('draft')[3].gen_id}?q=harbour")
    expect(page.locator("#pane .rendered mark")).to_have_text("harbour")
    expect(page.locator("#pane .rendered mark")).to_be_visible()


def test_degenerate_markdown_does_not_stop_the_page(browser: Browser) -> None:
    """What would nest too deeply, or take too long, is shown as it is written."""
    page = browser.new_page()
    for name in ("vendor/marked.min.js", "static/dom.js", "static/markdown.js"):
        page.add_script_tag(path=HERE / name)
    shown = "text => looksLikeMarkdown(text) && renderMarkdown(text, null) !== null"
    assert page.evaluate(shown, "# A\n\nB")
    begin = time.perf_counter()
    for text in (
        "> a\n" + ">" * 20_000,
        "# A\n\n" + "_a__b" * 20_000,
        "**a** " * 60_000,
        "# A\n" + "[" * 100_000,
    ):
        assert not page.evaluate(shown, text), text[:20]
    assert page.evaluate(shown, "<think>" + " - " * 30_000)
    assert time.perf_counter() - begin < 20
    parts = "text => thinkingParts(text).map((each) => [each.thinking, each.part.trim()])"
    assert page.evaluate(parts, "<think>cut") == [[True, "cut"]]
    assert page.evaluate(parts, "so\n</think>\nyes") == [[True, "so"], [False, "yes"]]
    assert page.evaluate(parts, "a\n<think>b") == [[False, "a\n<think>b"]]
    page.close()


def test_two_generations_side_by_side(page: Page, cohort: Cohort) -> None:
    """Words that differ are marked on both sides, blanks between them too; the texts stay exact."""
    left, right = cohort.of("draft")[1:3]
    goto(page, cohort, f"#{left.gen_id}")
    page.keyboard.press("c")
    expect(page.locator("#pane .pinned")).to_be_visible()
    page.locator(f"#list .row:nth-child({1 + rows(page).index('Tide + Loom + Fog')})").click()
    page.keyboard.press("ArrowDown")
    expect(page.locator(".column")).to_have_count(2)
    assert page.locator(".column .text").all_text_contents() == [LEFT, RIGHT]
    assert page.locator(".column del").all_text_contents() == ["left", "dawn"]
    assert page.locator(".column ins").all_text_contents() == ["came", "dusk"]
    expect(page.locator(".summary")).to_contain_text(
        "2 words only on the left, 2 only on the right"
    )
    assert page.url.endswith(f"#{left.gen_id}..{right.gen_id}")
    page.keyboard.press("x")
    expect(page.locator(".column del")).to_have_text(["came", "dusk"])
    page.keyboard.press("5")
    expect(page.locator(".column .entry")).to_have_count(4)
    page.keyboard.press("Escape")
    expect(page.locator(".column")).to_have_count(0)


def test_deep_links(page: Page, cohort: Cohort) -> None:
    """A link opens its generation even if it is hidden, or two; an unknown one says so."""
    leaf = cohort.of("evaluation")[-1]
    goto(page, cohort, f"#{leaf.gen_id}")
    expect(page.locator("#pane a.id")).to_have_text(leaf.gen_id)
    expect(page.locator("#list [aria-selected=true] .title")).to_have_text("judge · #2")
    page.locator(".crumbs a").first.click()
    expect(page.locator("#pane h2")).to_have_text("Tide + Loom + Fog")
    page.go_back()
    expect(page.locator("#pane a.id")).to_have_text(leaf.gen_id)
    other = cohort.of("evaluation")[0]
    goto(page, cohort, f"#{other.gen_id}..{leaf.gen_id}")
    expect(page.locator(".column a.id")).to_have_text([other.gen_id, leaf.gen_id])
    goto(page, cohort, "#e_nobody")
    expect(page.locator("#notices")).to_contain_text("no generation e_nobody")


def hash_of(page: Page) -> str:
    return page.url.partition("#")[2]


def test_a_link_shows_what_one_saw(page: Page, cohort: Cohort) -> None:
    """View, stage, filters, bounds, judge, sort, search and tab: all of it in another window."""
    page.keyboard.press("t")
    page.locator("[data-stage='1']").click()
    page.keyboard.press("f")
    page.locator("[data-facet=essay_template] label", has_text="grow").click()
    page.locator("[data-facet=combo_id] label", has_text="Fog").click()
    page.fill("[data-bound=low]", "1.5")
    page.select_option("#sort", "score")
    page.click("#direction")
    page.locator("#list .row").first.click()
    page.keyboard.press("3")
    expect(page.locator("[role=tab][aria-selected=true]")).to_contain_text("Prompt")
    seen = rows(page), page.locator("#status").inner_text(), page.locator("#pane").inner_text()
    link = hash_of(page)
    assert "view=list&stage=essay&sort=score&low=1.5" in link
    assert "essay_template=grow" in link
    assert link.endswith("tab=prompt")
    goto(page, cohort, f"#{link}")
    assert seen == (
        rows(page), page.locator("#status").inner_text(), page.locator("#pane").inner_text()
    )  # fmt: skip
    expect(page.locator("#active")).to_have_text(": combo, essay template, score")
    expect(page.locator("#sort")).to_have_value("score")
    page.keyboard.press("Control+a")
    assert hash_of(page) == link


def test_a_link_to_a_search(page: Page, cohort: Cohort) -> None:
    """Its words, whatever characters they have, and whether prompts are searched too."""
    search(page, "go & #tide? 100% ä")
    page.check("#prompts")
    link = hash_of(page)
    goto(page, cohort, f"#{link}")
    expect(page.locator("#search")).to_have_value("go & #tide? 100% ä")
    expect(page.locator("#prompts")).to_be_checked()
    search(page, "lighthouse")
    first = cohort.of("draft")[0].gen_id
    goto(page, cohort, f"#{first}?q=lighthouse")
    expect(page.locator("#status")).to_contain_text("1 of 28")
    expect(page.locator("#pane mark")).to_have_count(1)


def test_back_and_forward(page: Page) -> None:
    """Each choice is a step of the history; a word that is typed is one step."""
    page.locator("[data-stage='2']").click()
    page.keyboard.press("t")
    page.focus("#search")
    page.keyboard.type("SCORE", delay=260)
    expect(page.locator("#list")).to_have_attribute("data-searched", "SCORE")
    page.go_back()
    expect(page.locator("#search")).to_have_value("")
    expect(page.locator("#status")).to_contain_text("16 of 28")
    expect(page.locator("[data-view=list]")).to_have_attribute("aria-pressed", "true")
    page.go_back()
    expect(page.locator("[data-view=tree]")).to_have_attribute("aria-pressed", "true")
    page.go_back()
    expect(page.locator("#status")).to_have_text("28 generations")
    expect(page.locator("#pane .text")).to_be_visible()
    page.go_forward()
    expect(page.locator("#status")).to_contain_text("16 of 28")
    page.go_forward()
    page.go_forward()
    expect(page.locator("#search")).to_have_value("SCORE")


def test_links_inside_the_page_keep_its_state(page: Page, cohort: Cohort) -> None:
    """A link to a parent opens it; filters and view stay, also on the way back."""
    leaf = cohort.of("evaluation")[0].gen_id
    goto(page, cohort, f"#{leaf}?view=list&stage=evaluation")
    page.locator(".crumbs a").last.click()
    expect(page.locator("#pane a.id")).not_to_have_text(leaf)
    expect(page.locator("#status")).to_contain_text("16 of 28")
    assert hash_of(page).endswith("?view=list&stage=evaluation")
    page.go_back()
    expect(page.locator("#pane a.id")).to_have_text(leaf)


def test_what_a_link_names_and_the_page_has_not_is_left_out(page: Page, cohort: Cohort) -> None:
    """Also what is no value at all; the rest of the link holds."""
    goto(page, cohort, "#?view=moon&stage=x&sort=-y&low=z&judge=j&state=s&draft_llm=n&tab=9&q=")
    expect(page.locator("#status")).to_have_text("28 generations")
    goto(page, cohort, "#?stage=essay&draft_template=nothing&%E0%A4%A=1")
    expect(page.locator("#status")).to_contain_text("8 of 28")
    expect(page.locator("#pane .empty")).to_be_visible()


def test_on_a_phone_back_leads_from_the_text_to_the_list(page: Page, cohort: Cohort) -> None:
    """And a link made from the list opens the list."""
    page.set_viewport_size({"width": 390, "height": 700})
    goto(page, cohort)
    page.locator("[data-stage='1']").click()
    page.locator("#list .row").nth(1).click()
    expect(page.locator("#list")).not_to_be_visible()
    page.go_back()
    expect(page.locator("#list")).to_be_visible()
    assert hash_of(page) == "?stage=essay"
    page.go_forward()
    page.locator(".back").click()
    assert hash_of(page) == "?stage=essay"


def table(page: Page) -> list[list[str]]:
    """Return the cells of the table's rows in view, in their order."""
    page.wait_for_timeout(50)
    found = page.locator("#table tr[data-number]").all()
    return [row.locator("th, td").all_inner_texts() for row in found]


def column(page: Page, title: str) -> list[str]:
    """Return the cells of a column of the table."""
    titles = page.locator("#table thead button span:first-child").all_inner_texts()
    place = titles.index(title)
    return [row[place] for row in table(page)]


def test_the_table_has_what_the_filters_leave(page: Page, cohort: Cohort) -> None:
    """A row for each, in the columns that tell generations apart; a click opens its text."""
    page.locator("#views button", has_text="Table").click()
    page.locator("[data-stage='1']").click()
    heads = page.locator("#table thead button span:first-child").all_inner_texts()
    assert heads[:2] == ["stage", "template"]
    assert "model" not in heads
    assert {"combo", "score", "spread of judges", "judges", "characters"} <= set(heads)
    assert column(page, "template") == ["grow", "same"] * 4
    assert set(column(page, "judges")) == {"1"}
    expect(page.locator("#table table")).to_have_attribute("aria-rowcount", "9")
    expect(page.locator("#pane")).not_to_be_visible()
    page.locator("#table tr[data-number]").nth(1).click()
    draft = cohort.of("draft")[0].gen_id
    copy = next(row for row in cohort.of("essay", "same") if row.parent_gen_id == draft)
    expect(page.locator("#pane a.id")).to_have_text(copy.gen_id)
    expect(page.locator("#table [aria-selected=true]")).to_have_count(1)
    text = page.locator("#pane .text").first.text_content() or ""
    assert column(page, "characters")[1] == f"{len(text):,}"
    page.keyboard.press("Escape")
    expect(page.locator("#pane")).not_to_be_visible()
    expect(page.locator("#table table")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page.locator("#pane a.id")).not_to_have_text(copy.gen_id)
    expect(page.locator("#pane")).to_be_visible()
    page.locator("#table tr[data-number]").nth(4).click(modifiers=["Shift"])
    expect(page.locator(".column")).to_have_count(2)


def test_the_table_is_sorted_by_any_column(page: Page, cohort: Cohort) -> None:
    """By click or key, again to turn it round; the head says so, and keeps the focus."""
    goto(page, cohort, "#?view=table&stage=essay")
    page.get_by_role("button", name="characters").click()
    expect(page.locator("#table [aria-sort=descending]")).to_contain_text("characters")
    lengths = [int(text.replace(",", "")) for text in column(page, "characters")]
    assert lengths == sorted(lengths, reverse=True)
    page.keyboard.press("Enter")
    expect(page.locator("#table [aria-sort=ascending]")).to_contain_text("characters")
    expect(page.locator("#table th button:focus")).to_contain_text("characters")
    assert [int(text.replace(",", "")) for text in column(page, "characters")] == lengths[::-1]
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Space")
    spreads = [float(text) for text in column(page, "spread of judges")]
    assert spreads == sorted(spreads, reverse=True)
    assert hash_of(page) == "?view=table&stage=essay&sort=-spread"
    page.locator("#table thead button", has_text="template").click()
    assert column(page, "template") == ["grow"] * 4 + ["same"] * 4


def test_columns_are_chosen(page: Page, cohort: Cohort) -> None:
    """Any dimension of the lineage is one; the choice is in the address."""
    goto(page, cohort, "#?view=table")
    page.locator("#columns summary").click()
    page.locator("#column-choice label", has_text="draft replicate").click()
    page.locator("#column-choice label", has_text="judges").last.click()
    heads = page.locator("#table thead button span:first-child")
    expect(heads.filter(has_text="draft replicate")).to_have_count(1)
    link = hash_of(page)
    assert "draft_replicate" in link
    goto(page, cohort, f"#{link}")
    expect(heads.filter(has_text="draft replicate")).to_have_count(1)
    expect(heads.filter(has_text=re.compile("^judges$"))).to_have_count(0)
    assert set(column(page, "draft replicate")) == {"1", "2"}


def test_the_table_as_a_file(page: Page, cohort: Cohort) -> None:
    """All filtered rows in their order, with ids in place of names; and as text to paste."""
    goto(page, cohort, "#?view=table&stage=evaluation&sort=-score&show=combo_id,state,score")
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").click()
    assert download.value.suggested_filename == "c1.csv"
    header, found = read_records(download.value.path())
    assert header == ["gen_id", "combo_id", "state", "score"]
    assert {row["gen_id"] for row in found} == {row.gen_id for row in cohort.of("evaluation")}
    assert {row["combo_id"] for row in found} == {row.combo_id for row in cohort.rows}
    marks = [float(row["score"]) for row in found]
    assert marks == sorted(marks, reverse=True)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy").click()
    expect(page.locator("#told")).to_have_text("16 rows copied.")
    pasted = page.evaluate("navigator.clipboard.readText()").splitlines()
    assert pasted[0].split("\t") == header
    assert [line.split("\t")[0] for line in pasted[1:]] == [row["gen_id"] for row in found]


def test_no_cell_of_the_table_is_run_by_a_spreadsheet(browser: Browser) -> None:
    """What looks like a formula is guarded as every table of the project is; numbers stay."""
    cells = ["=1+1", "-2.5", "-x", 'say "x"', "\tq", "a\nb", "'=1", "'a", "+3e5", "@", "＝1", "a,b"]
    page = browser.new_page()
    page.add_script_tag(path=HERE / "static/table.js")
    made = page.evaluate("cells => csvText([cells, cells])", cells)
    assert made == csv_text(cells, [cells])
    pasted = page.evaluate("cells => tsvText([cells])", cells)
    kept = [str(guarded(cell)) for cell in cells]
    assert pasted[:-1].split("\t") == [re.sub(r"[\t\n]", " ", cell) for cell in kept]
    page.close()


def test_the_table_prints_whole(page: Page, cohort: Cohort) -> None:
    """All rows, not only those in view, and no text beside them."""
    goto(page, cohort, "#?view=table")
    page.set_viewport_size({"width": 1280, "height": 300})
    page.wait_for_timeout(100)
    assert page.locator("#table tr[data-number]").count() < 28
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    expect(page.locator("#table tr[data-number]")).to_have_count(28)
    expect(page.locator(".controls")).not_to_be_visible()
    expect(page.locator("#pane")).not_to_be_visible()
    assert page.evaluate("document.documentElement.scrollHeight") > 28 * 10
    page.set_viewport_size({"width": 794, "height": 1123})
    assert page.evaluate("document.querySelector('#table table').scrollWidth") <= 794
    page.emulate_media(media="screen")
    page.set_viewport_size({"width": 1280, "height": 300})
    page.wait_for_timeout(100)
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    expect(page.locator("#table tr[data-number]")).not_to_have_count(28)


# The words of the table that stand on more than one line.
BROKEN = """() => [...document.querySelectorAll("#table :is(th, td)")].flatMap((cell) => {
  const walker = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
  const range = document.createRange();
  const found = [];
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    for (const { 0: word, index } of node.data.matchAll(/[^\\s-]+/g)) {
      range.setStart(node, index);
      range.setEnd(node, index + word.length);
      if (new Set([...range.getClientRects()].map(({ top }) => top)).size > 1) found.push(word);
    }
  }
  return found;
})"""


def test_a_printed_table_breaks_no_word_that_fits(page: Page, cohort: Cohort) -> None:
    """On A4 with usual margins; a column without a word in it is left out, until it is printed."""
    shown = (
        "gen_id,stage,template,model,replicate,combo_id,draft_replicate,essay_template,score,spread"
    )
    goto(page, cohort, f"#?view=table&show={shown},judges,characters,state,error")
    heads = page.locator("#table thead th")
    before = heads.all_inner_texts()
    assert before[-1] == "error"
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 700, "height": 1000})
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    expect(page.locator("#table tr[data-number]")).to_have_count(28)
    expect(heads).to_have_count(len(before) - 1)
    assert page.evaluate("document.querySelector('#table table').scrollWidth") <= 700
    assert page.evaluate(BROKEN) == []
    page.emulate_media(media="screen")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    expect(heads).to_have_count(len(before))
    assert heads.all_inner_texts() == before


def test_a_printed_table_breaks_what_does_not_fit(page: Page, cohort: Cohort) -> None:
    """A word longer than the page leaves room for the others."""
    goto(page, cohort, "#?view=table&show=template,score,error")
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 700, "height": 1000})
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.evaluate("document.querySelector('#table tbody th').textContent = 'x'.repeat(900)")
    assert page.evaluate("document.querySelector('#table table').scrollWidth") <= 700
    page.evaluate("dispatchEvent(new Event('afterprint'))")


def cell(page: Page, row: str, column: str) -> Locator:
    """Return the button of a cell of the grid, by the names at its row and its column."""
    return page.locator(f"#grid button[aria-label^='{row}, {column}: ']")


def test_the_grid_has_means_and_spreads(page: Page, cohort: Cohort) -> None:
    """Of the recipes and combos at first; a cell holds what the score table would give."""
    page.locator("#views button", has_text="Grid").click()
    heads = page.locator("#grid thead th")
    expect(heads).to_have_text(["recipe × combo", "Tide + Loom", "Tide + Loom + Fog", "all"])
    expect(page.locator("#grid tbody th")).to_have_text(["plain → grow", "plain → same", "all"])
    by_id = {row.gen_id: row for row in cohort.rows}
    first = cohort.of("draft")[0].combo_id
    given = [
        int(cohort.project.read(f"data/gens/evaluation/{row.gen_id}/parsed.txt"))
        for row in cohort.of("evaluation")
        if row.combo_id == first and by_id[row.parent_gen_id].template_id == "grow"
    ]
    expect(cell(page, "plain → grow", "Tide + Loom")).to_have_attribute(
        "aria-label",
        f"plain → grow, Tide + Loom: mean {mean(given):.1f}, "
        f"standard deviation {stdev(given):.1f}, 4 scores",
    )
    expect(page.locator("#grid .legend")).to_contain_text("Means of 16 scores")
    expect(page.locator("#pane")).not_to_be_visible()


def test_a_cell_of_the_grid_opens_its_texts(page: Page, cohort: Cohort) -> None:
    """As filters of the tree, which can be cleared, and the first one; Back leads to the grid."""
    filters = "?combo_id=trio&essay_template=grow"
    inside = [row for row in cohort.of("essay", "grow") if row.combo_id == "trio"]
    other = cohort.of("essay", "same")[0]
    for before in ("", other.gen_id):
        goto(page, cohort, f"#{before}?view=grid")
        cell(page, "plain → grow", "Tide + Loom + Fog").click()
        expect(page.locator("#status")).to_contain_text("8 of 28 generations")
        assert rows(page)[:3] == ["Tide + Loom + Fog", "plain · #1", "grow"]
        expect(page.locator("#pane .id")).to_have_text(inside[0].gen_id)
        assert hash_of(page) == inside[0].gen_id + filters
        page.go_back()
        expect(page.locator("#grid table")).to_be_visible()
        expect(page.locator("#status")).to_have_text("28 generations")
        assert hash_of(page) == f"{before}?view=grid"
    goto(page, cohort, f"#{inside[1].gen_id}?view=grid")
    cell(page, "plain → grow", "Tide + Loom + Fog").click()
    expect(page.locator("#pane .id")).to_have_text(inside[1].gen_id)


def test_on_a_phone_a_cell_of_the_grid_opens_the_list(page: Page, cohort: Cohort) -> None:
    """Of its texts, of which one chooses: there is room for the list or a text."""
    page.set_viewport_size({"width": 390, "height": 700})
    goto(page, cohort, f"#{cohort.of('essay', 'same')[0].gen_id}")
    page.locator(".back").click()
    page.locator("#views button", has_text="Grid").click()
    cell(page, "plain → grow", "Tide + Loom + Fog").click()
    expect(page.locator("#list")).to_be_visible()
    expect(page.locator("#pane")).not_to_be_visible()
    expect(page.locator("#list [aria-selected=true]")).to_have_count(0)
    assert hash_of(page) == "?combo_id=trio&essay_template=grow"


def test_the_grid_is_of_any_two_dimensions(page: Page, cohort: Cohort) -> None:
    """Chosen above it, and in the address; the same on both sides changes places."""
    goto(page, cohort, "#?view=grid")
    page.select_option("#down", label="essay template")
    page.select_option("#across", label="evaluation replicate")
    expect(page.locator("#grid tbody th")).to_have_text(["grow", "same", "all"])
    assert hash_of(page) == "?view=grid&down=essay_template&across=evaluation_replicate"
    page.select_option("#across", label="essay template")
    expect(page.locator("#grid thead th").nth(1)).to_have_text("grow")
    assert hash_of(page) == "?view=grid&down=evaluation_replicate&across=essay_template"
    page.go_back()
    expect(page.locator("#grid tbody th")).to_have_text(["grow", "same", "all"])
    page.go_back()
    page.go_back()
    expect(page.locator("#grid tbody th").first).to_have_text("plain → grow")


def test_the_grid_is_of_what_the_filters_leave(page: Page, cohort: Cohort) -> None:
    """A filter leaves scores out; a search keeps those of the texts that it finds."""
    goto(page, cohort, "#?view=grid&essay_template=grow")
    expect(page.locator("#grid .legend")).to_contain_text("Means of 8 scores")
    goto(page, cohort, "#?view=grid&q=lighthouse")
    expect(page.locator("#grid .legend")).to_contain_text("Means of 4 scores")
    goto(page, cohort, "#?view=grid&stage=essay&low=9&high=9")
    expect(page.locator("#grid .empty")).to_contain_text("has a score")


def test_the_grid_by_keyboard(page: Page, cohort: Cohort) -> None:
    """Of the cells one is in the order of the tab key; arrows go on from there, Enter opens."""
    goto(page, cohort, "#?view=grid")
    page.locator("#across").focus()
    page.keyboard.press("Tab")
    expect(page.locator("#grid [data-side=rows]")).to_be_focused()
    page.keyboard.press("Tab")
    expect(cell(page, "plain → grow", "Tide + Loom")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    expect(cell(page, "plain → same", "Tide + Loom + Fog")).to_be_focused()
    expect(page.locator("#grid button[tabindex='0']")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page.locator("#status")).to_contain_text("8 of 28 generations")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_ink_of_the_grid_can_be_read(
    page: Page, cohort: Cohort, scheme: Literal["light", "dark"]
) -> None:
    """On each shade from the lowest to the highest score, at 4.5 or more."""
    page.emulate_media(color_scheme=scheme)
    goto(page, cohort, "#?view=grid")
    contrasts = page.evaluate(
        """() => {
          const canvas = document.createElement('canvas')
            .getContext('2d', {willReadFrequently: true});
          const light = (color) => {
            canvas.fillStyle = color;
            canvas.fillRect(0, 0, 1, 1);
            const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map((each) => each / 255)
              .map((each) => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4);
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
          };
          const button = document.querySelector('#grid td button');
          return [0, 0.25, 0.5, 0.75, 1].flatMap((share) => {
            button.style.setProperty('--share', share);
            const paper = light(getComputedStyle(button).backgroundColor);
            return ['b', 'small'].map((each) => {
              const ink = light(getComputedStyle(button.querySelector(each)).color);
              return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
            });
          });
        }"""
    )
    assert len(contrasts) == 10
    assert min(contrasts) >= 4.5


def test_keys(page: Page) -> None:
    """Arrows walk the tree and fold it, / goes to the search, ? shows the keys."""
    page.keyboard.press("Home")
    expect(page.locator("#list [aria-selected=true] .title")).to_have_text("Tide + Loom")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#list [aria-selected=true] .title")).to_have_text("plain · #1")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#list [aria-selected=true]")).to_have_attribute("aria-expanded", "false")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#list [aria-selected=true] .title")).to_have_text("Tide + Loom")
    page.keyboard.press("/")
    expect(page.locator("#search")).to_be_focused()
    page.keyboard.type("c")
    expect(page.locator("#search")).to_have_value("c")
    page.keyboard.press("Escape")
    expect(page.locator("#search")).to_have_value("")
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()


def test_the_help_opens_at_its_beginning(page: Page) -> None:
    """Also on a phone, where it is longer than the screen; Escape closes it."""
    page.set_viewport_size({"width": 390, "height": 400})
    page.keyboard.press("?")
    expect(page.get_by_role("heading", name="Keys")).to_be_in_viewport()
    expect(page.get_by_role("button", name="Close")).not_to_be_in_viewport()
    page.keyboard.press("Escape")
    expect(page.locator("#help")).to_be_hidden()


def test_a_filter_unfolds_what_it_finds(page: Page) -> None:
    """Evaluations are folded away at first; chosen as a stage, they are all in the tree."""
    assert not any(title.startswith("judge") for title in rows(page))
    page.locator("#stages button", has_text="Evaluations").click()
    expect(page.locator("#status")).to_contain_text("16 of 28 generations")
    assert len([title for title in rows(page) if title.startswith("judge")]) >= 8
    page.locator("#status button", has_text="Clear filters").click()
    assert not any(title.startswith("judge") for title in rows(page))


def test_a_filter_during_a_search_hides_no_hit(page: Page) -> None:
    """What a search has opened stays open; without the search, the filter opens what it finds."""
    search(page, "SCORE")
    page.locator("#stages button", has_text="Evaluations").click()
    assert any(title.startswith("judge") for title in rows(page))
    page.keyboard.press("Escape")
    page.locator("#search").fill("")
    page.wait_for_timeout(400)
    assert any(title.startswith("judge") for title in rows(page))


def test_back_after_a_walk_by_keys(page: Page, cohort: Cohort) -> None:
    """It goes to where the walk began, and does not leave the page."""
    first, second = (row.gen_id for row in cohort.of("draft")[:2])
    goto(page, cohort, f"#{first}")
    page.locator("#list").focus()
    for _ in range(3):
        page.keyboard.press("ArrowDown")
    expect(page.locator("#pane a.id")).not_to_have_text(first)
    page.go_back()
    expect(page.locator("#pane a.id")).to_have_text(first)
    goto(page, cohort, f"#{second}")
    assert second != first


def test_the_page_prints_whole(page: Page, cohort: Cohort) -> None:
    """On paper, which is narrow: a text of many pages, from its first line to its last."""
    lines = "\n".join(f"Line {number} of a long text." for number in range(400))
    row = cohort.of("draft")[0]
    goto(page, cohort, f"#{row.gen_id}")
    page.evaluate("text => document.querySelector('#pane .text').textContent = text", lines)
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 794, "height": 1123})
    found = page.evaluate(
        """() => {
          const end = document.querySelector('#pane .text').getBoundingClientRect().bottom;
          return [end, document.documentElement.scrollHeight,
            getComputedStyle(document.querySelector('#pane')).position];
        }"""
    )
    assert found[2] == "static"
    assert found[1] >= found[0] > 5 * 1123
    assert not page.locator(".side").is_visible()


@pytest.mark.parametrize("width", [820, 900, 1024, 1100])
def test_the_controls_stay_in_their_column(page: Page, width: int) -> None:
    """Also at 125 % zoom, which is a narrower window to the page."""
    for zoomed in (width, round(width / 1.25)):
        page.set_viewport_size({"width": zoomed, "height": 800})
        over = page.evaluate(
            """() => {
              const side = document.querySelector('.side').getBoundingClientRect().right;
              return [...document.querySelectorAll('.controls *')]
                .filter((each) => each.getBoundingClientRect().right > side + 1
                  || (each.matches('.segments') && each.scrollWidth > each.clientWidth + 1))
                .map((each) => each.id);
            }"""
        )
        assert over == [], zoomed


def test_tabs_by_keyboard(page: Page, cohort: Cohort) -> None:
    """A tab keeps the focus, arrows go from tab to tab, and the tree stays as it is."""
    goto(page, cohort, f"#{cohort.of('draft')[1].gen_id}")
    before = rows(page)
    page.locator("[role=tab]", has_text="Raw answer").click()
    focused = page.locator("[role=tab]:focus")
    expect(focused).to_contain_text("Raw answer")
    page.keyboard.press("ArrowRight")
    expect(focused).to_contain_text("Prompt")
    expect(page.locator("[role=tabpanel]")).to_have_attribute("aria-labelledby", "tab2")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(focused).to_contain_text("Parsed text")
    assert rows(page) == before


def test_the_tree_tells_where_a_row_stands(page: Page) -> None:
    """Its place among its siblings, for a screen reader; the title names what is shown."""
    drafts = page.locator("#list [aria-level='2']")
    count = int(drafts.first.get_attribute("aria-setsize") or 0)
    places = [row.get_attribute("aria-posinset") for row in drafts.all()[:count]]
    assert places == [str(number + 1) for number in range(count)]
    drafts.first.click()
    title = drafts.first.locator(".title").inner_text()
    expect(page).to_have_title(f"{title} · c1")


def test_right_to_left_and_empty_texts(browser: Browser, tmp_path: Path) -> None:
    """Each paragraph has the direction of its own letters; an empty answer says that it is one."""
    own = Cohort(Project(tmp_path), generations=28, size=100)
    own.fill()
    hebrew, empty = own.of("draft")[:2]
    text = "שלום עולם\nAnd some English."
    own.write(hebrew, prompt="Go", raw=text, parsed=text)
    own.write(empty, prompt="Go", raw="", parsed="")
    own.build()
    page = browser.new_page()
    page.goto(f"{own.project.path(PAGE).as_uri()}#{hebrew.gen_id}")
    page.wait_for_selector("html[data-ready]", state="attached")
    box = page.locator("#pane [role=tabpanel] .text")
    assert box.evaluate("each => getComputedStyle(each).direction") == "rtl"
    assert box.evaluate("each => getComputedStyle(each).unicodeBidi") == "plaintext"
    page.evaluate(f"location.hash = '{empty.gen_id}'")
    expect(page.locator("#pane .missing")).to_contain_text("parsed.txt is empty")
    page.close()


def test_names_are_found(page: Page) -> None:
    """A search for a combo's concept, a template or a model finds what it names."""
    search(page, "Loom")
    assert "plain · #1" in rows(page)
    search(page, '"grow"')
    page.wait_for_timeout(300)
    assert "grow" in rows(page)


def test_a_combo_shows_the_texts_of_its_concepts(page: Page, cohort: Cohort) -> None:
    """Not their levels alone."""
    page.locator("#list .row.combo").first.click()
    concepts = cohort.project.dir.glob("data/1_raw/concepts/*/*.txt")
    texts = {path.read_text().strip() for path in concepts}
    shown = {text.strip() for text in page.locator("#pane dd .text").all_inner_texts()}
    assert shown
    assert shown <= texts


def test_what_to_compare_with_is_said_in_the_list(page: Page) -> None:
    """On a phone the list is all that is in view then."""
    page.set_viewport_size({"width": 390, "height": 700})
    title = page.locator("#pane h2").first.inner_text()
    page.keyboard.press("c")
    expect(page.locator("#status")).to_contain_text(f"Choose what to compare with {title}.")


def test_a_panel_of_judges_by_its_median(tmp_path: Path, browser: Browser) -> None:
    """Of a text the median over its judges; above it the mean of medians; a sole judge as it is."""
    project = Project(tmp_path)
    models = "id,model,provider,display_name,specialization\n"
    models += "".join(f"m{n},echo-{n},echo,Echo {n},general\n" for n in (1, 2, 3))
    project.write("data/1_raw/llm_models.csv", models)
    project.spec["axes"]["evaluation_llm"] = ["m1", "m2", "m3"]
    project.config["panel"] = "median"
    cohort = Cohort(project, generations=14, size=200)
    cohort.fill()
    given = {"m1": "8", "m2": "7", "m3": "0"}
    for row in cohort.of("evaluation"):
        cohort.write(row, raw=f"SCORE: {given[row.llm_model_id]}", parsed=given[row.llm_model_id])
    cohort.build()
    page = browser.new_page()
    goto(page, cohort)
    page.keyboard.press("t")
    page.locator("[data-stage='1']").click()
    assert set(scores(page)) == {7.0}
    cell = page.locator("#list .score").first
    expect(cell).to_have_attribute("title", "the median over its judges")
    page.locator("#list .title").first.click()
    expect(page.locator(".judgements h2").first).to_have_text(
        "Judged 6 times: median 7.0 of 3 judges"
    )
    page.keyboard.press("f")
    expect(page.locator("#judge option").first).to_have_text("median of all judges")
    page.locator("[data-stage='0']").click()
    assert set(scores(page)) == {7.0}
    page.close()
    project.config["panel"] = "mean"
    project.save()
    cohort.build()
    page = browser.new_page()
    goto(page, cohort)
    page.keyboard.press("t")
    page.locator("[data-stage='1']").click()
    assert set(scores(page)) == {5.0}
    page.locator("#list .title").first.click()
    expect(page.locator(".judgements h2").first).to_have_text("Judged 6 times: 5.0 on average")
    page.keyboard.press("f")
    expect(page.locator("#judge option").first).to_have_text("mean of all judges")
    page.close()


def test_judgements_stand_below_their_text(page: Page, cohort: Cohort) -> None:
    """Score, judge and reason, the furthest from the mean first."""
    essay = cohort.of("essay")[0]
    goto(page, cohort, f"#{essay.gen_id}")
    items = page.locator(".judgements li")
    judged = [row for row in cohort.of("evaluation") if row.parent_gen_id == essay.gen_id]
    assert items.count() == len(judged)
    expect(items.first.locator(".reason")).to_contain_text("SCORE: ")
    shown = [float(text) for text in items.locator(".score").all_inner_texts()]
    expected = [
        float(cohort.project.read(f"data/gens/evaluation/{row.gen_id}/parsed.txt"))
        for row in judged
    ]
    assert sorted(shown) == sorted(expected)


def test_a_judgement_in_json_is_shown_as_pairs(page: Page, cohort: Cohort) -> None:
    """Paths and values, however deep; what is not JSON stays as it is."""
    essay = cohort.of("essay")[1]
    goto(page, cohort, f"#{essay.gen_id}")
    said = page.locator(".judgements .said")
    expect(said).to_have_count(1)
    assert said.locator("dt").all_inner_texts() == ["reason", "depth.points", "tags.0"]
    assert said.locator("dd").all_inner_texts() == ["Dry <b>but</b> true", "7", "dry"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(page: Page, cohort: Cohort, scheme: Literal["light", "dark"]) -> None:
    """No violation of axe-core's rules, and nothing that it leaves open."""
    page.emulate_media(color_scheme=scheme)
    essay, draft = cohort.of("essay")[0].gen_id, cohort.of("draft")[1].gen_id
    states = {
        "a text with judgements": f"#{essay}",
        "a comparison": f"#{draft}..{essay}",
        "a combo": "#combo:" + cohort.of("draft")[0].combo_id,
        "a text in Markdown": f"#{cohort.of('draft')[3].gen_id}",
        "a table": "#?view=table&sort=-score",
        "a table and a text": f"#{essay}?view=table",
        "a grid": "#?view=grid",
    }
    for name, hash_ in states.items():
        goto(page, cohort, hash_)
        page.locator("#filters summary").click()
        if "table" in name:
            page.locator("#columns summary").click()
        found = Axe().run(page)
        problems = [(each["id"], each["nodes"][0]["html"]) for each in found.response["violations"]]
        assert problems == [], name
        undecided = [
            (each["id"], node["html"][:120], node["any"][0]["message"][:160] if node["any"] else "")
            for each in found.response["incomplete"]
            for node in each["nodes"]
            # An arrow in the ink of all text, with a name of its own: nothing to decide.
            if 'id="direction"' not in node["html"]
        ]
        assert undecided == [], name


def test_light_and_dark(page: Page) -> None:
    """The page follows the system, and the reader's own choice is remembered."""
    paper = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(paper)
    page.emulate_media(color_scheme="dark")
    dark = page.evaluate(paper)
    assert light != dark
    page.keyboard.press("d")
    assert page.evaluate(paper) == light
    page.reload()
    page.wait_for_selector("html[data-ready]", state="attached")
    assert page.evaluate(paper) == light


def test_narrow(page: Page) -> None:
    """On a small screen the list and the text take turns."""
    page.set_viewport_size({"width": 400, "height": 700})
    page.reload()
    expect(page.locator("#list")).to_be_visible()
    page.locator("#list .row").nth(1).click()
    expect(page.locator("#list")).not_to_be_visible()
    page.locator(".back").click()
    expect(page.locator("#list")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 400


@pytest.mark.parametrize("view", ["tree", "list", "table", "grid"])
def test_a_phone_scrolls_no_view_sideways(page: Page, cohort: Cohort, view: str) -> None:
    """A wide table has a scroll bar of its own; each control is in view."""
    page.set_viewport_size({"width": 390, "height": 700})
    goto(page, cohort, f"#?view={view}")
    page.keyboard.press("f")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    over = page.evaluate(
        """() => [...document.querySelectorAll('.controls *, .bar *')]
          .filter((each) => each.getBoundingClientRect().right > 391)
          .map((each) => each.outerHTML)"""
    )
    assert over == []


def with_failures(project: Project) -> tuple[Cohort, Generation, Generation, str]:
    """Return a cohort, an essay of it that was refused, one that was not asked, and the refusal."""
    cohort = Cohort(project, generations=28, size=200)
    cohort.fill()
    unparsed, unasked = cohort.of("essay", "grow")[:2]
    project.path(f"data/gens/essay/{unparsed.gen_id}/parsed.txt").unlink()
    error = f"[parse] essay {unparsed.gen_id}: the answer is blank"
    project.write(f"logs/essay/{unparsed.gen_id}.parsed.log", f"{error}\n")
    shutil.rmtree(project.path(f"data/gens/essay/{unasked.gen_id}"))
    return cohort, unparsed, unasked, error


def test_a_part_says_what_is_missing_and_why(browser: Browser, project: Project) -> None:
    """A slice names its conditions; what is not complete is counted by state, with the reasons."""
    cohort, unparsed, unasked, error = with_failures(project)
    cohort.write(unasked, prompt="Grow")
    project.config["where"] = {"draft_replicate": 1}
    project.save()
    cohort.build()
    page = browser.new_page()
    goto(page, cohort, f"#{unparsed.gen_id}")
    notices = page.locator("#notices")
    expect(notices).to_contain_text("draft_replicate = 1. Shows 14 of 28 generations")
    expect(notices).to_contain_text(
        "Partial: 3 of 14 generations not complete (1 failed, 2 blocked)"
    )
    expect(notices).to_contain_text("2 scores missing")
    page.locator(".partial summary").click()
    expect(notices.locator("li").first).to_contain_text(
        "failed: [parse] essay …: the answer is blank"
    )
    expect(notices.locator("li").last).to_contain_text("blocked: its essay … failed")
    page.locator(".partial summary").click()
    expect(page.locator("#pane .reason")).to_have_text(f"Failed: {error}")
    expect(page.locator("#pane .missing")).to_have_text("There is no current parsed.txt.")
    selected = page.locator("#list [aria-selected=true]")
    expect(selected.locator(".none")).to_have_text("failed")
    page.keyboard.press("2")
    expect(page.locator("#pane .text")).to_be_visible()
    child = next(row for row in cohort.rows if row.parent_gen_id == unparsed.gen_id)
    goto(page, cohort, f"#{child.gen_id}")
    expect(page.locator("#pane .reason")).to_have_text(
        f"Blocked: its essay {unparsed.gen_id} failed"
    )
    expect(page.locator("aside .error")).to_have_text(f"failed essay {unparsed.gen_id}: {error}")
    page.close()


def test_a_filter_by_reason_of_failure(browser: Browser, project: Project) -> None:
    """The kinds of the table `coverage`, with counts; a failed ancestor is named as such."""
    cohort, *_ = with_failures(project)
    third = cohort.of("draft")[2]
    unscored = next(row for row in cohort.of("evaluation") if cohort.root(row) == third)
    cohort.write(unscored, prompt="Judge", raw="Seven", parsed="Seven")
    cohort.build()
    draft = cohort.of("draft")[-1]
    project.write(f"data/gens/draft/{draft.gen_id}/parsed.txt", "Mine now")
    cohort.build(record=False)
    page = browser.new_page()
    goto(page, cohort, "#?view=list")
    page.keyboard.press("f")
    facet = page.locator("[data-facet=reason]")
    expect(facet.locator("label")).to_have_count(5)
    counts = dict(text.split("\n") for text in facet.locator("label").all_inner_texts())
    assert counts == {
        "stale essay": "6",
        "missing essay": "3",
        "failed essay": "2",
        "parse": "1",
        "no number": "1",
    }
    facet.locator("label", has_text="parse").click()
    expect(page.locator("#status")).to_contain_text("1 of 28 generations")
    assert rows(page) == ["grow"]
    expect(page.locator("#active")).to_have_text(": reason")
    assert hash_of(page) == "?view=list&reason=parse"
    goto(page, cohort, "#?view=table&reason=failed+essay&reason=parse")
    expect(page.locator("#table tr[data-number]")).to_have_count(3)
    page.get_by_text("Clear filters").click()
    expect(page.locator("#status")).to_have_text("28 generations")
    page.close()


def test_a_complete_page_has_no_banner(page: Page) -> None:
    """Nothing is said of parts, reasons or edits where there are none."""
    expect(page.locator("#notices")).to_be_empty()
    expect(page.locator(".reason, .edit, .edited, .none:not(:empty)")).to_have_count(0)
    page.keyboard.press("f")
    expect(page.locator("[data-facet=reason], [data-facet=state]")).to_have_count(0)


def test_edited_and_stale_texts(browser: Browser, project: Project) -> None:
    """Edits are marked by text, and in what was made of them; of stale texts only the reason is."""
    cohort = Cohort(project, generations=28, size=200)
    cohort.fill()
    cohort.build()
    draft, other = cohort.of("draft")[:2]
    judged = next(row for row in cohort.of("evaluation") if cohort.root(row) == other)
    project.write(f"data/gens/draft/{draft.gen_id}/parsed.txt", "Mine <b>now</b>")
    project.write(f"data/gens/evaluation/{judged.gen_id}/parsed.txt", "3")
    cohort.build(record=False)
    page = browser.new_page()
    goto(page, cohort, f"#{draft.gen_id}")
    expect(page.locator("#notices")).to_contain_text(
        "Partial: 6 of 28 generations not complete (6 stale), 4 scores missing"
    )
    expect(page.locator("#pane .text")).to_have_text("Mine <b>now</b>")
    expect(page.locator("#pane .edit")).to_have_text("Edited by hand: parsed text.")
    expect(page.locator("#pane [data-tab='0'] .edited")).to_be_visible()
    expect(page.locator("#pane .tabs .edited")).to_have_count(1)
    expect(page.locator("#list [aria-selected=true] .edited")).to_be_visible()
    essay = next(row for row in cohort.of("essay") if row.parent_gen_id == draft.gen_id)
    goto(page, cohort, f"#{essay.gen_id}")
    expect(page.locator("#pane .reason")).to_have_text("Stale: parent changed")
    expect(page.locator("#pane .edit")).to_contain_text("Made from a text edited by hand: draft")
    for key in "1234":
        page.keyboard.press(key)
        expect(page.locator("#pane .missing")).to_contain_text("There is no current")
    page.locator("#pane .edit a").click()
    expect(page.locator("#pane a.id")).to_have_text(draft.gen_id)
    goto(page, cohort, f"#{judged.gen_id}")
    expect(page.locator("#pane .edit")).to_have_text("Edited by hand: parsed text.")
    expect(page.locator("#pane .heading .score")).to_contain_text("3 of 9")
    goto(page, cohort, f"#{draft.gen_id}..{other.gen_id}")
    expect(page.locator(".column .edit")).to_have_count(1)
    page.close()


def test_5000_generations(browser: Browser, tmp_path: Path) -> None:
    """The page of 5,000 texts opens, scrolls to its end and is searched; the time is printed."""
    cohort = Cohort(Project(tmp_path), generations=5_000, size=4_000)
    cohort.fill()
    needle = cohort.of("draft")[-1]
    cohort.write(needle, prompt="Go", raw=LEFT, parsed=LEFT)
    begin = time.perf_counter()
    path = cohort.build()
    built = time.perf_counter()
    page = browser.new_page()
    goto(page, cohort)
    expect(page.locator("#pane .text")).to_be_visible()
    opened = time.perf_counter()
    size = path.stat().st_size / 1e6
    print(f"{size:.1f} MB, built in {built - begin:.1f} s, opened in {opened - built:.2f} s")
    assert page.locator("#list .row").count() < 100
    page.keyboard.press("End")
    expect(page.locator("#list [aria-selected=true] .title")).to_have_text("same")
    search(page, "ferry")
    expect(page.locator("#status")).to_contain_text("1 of 4,998")
    page.keyboard.press("Escape")
    page.keyboard.press("f")
    facet = page.locator("[data-facet=draft_replicate]")
    facet.get_by_role("searchbox").fill("345")
    facet.get_by_text("345").click()
    expect(page.locator("#status")).to_contain_text("14 of 4,998")
    page.get_by_text("Clear filters").click()
    page.locator("#views button", has_text="Table").click()
    assert page.locator("#table tr[data-number]").count() < 100
    page.keyboard.press("End")
    expect(page.locator("#table tr[aria-rowindex='4999']")).to_be_visible()
    page.locator("#views button", has_text="Grid").click()
    page.select_option("#across", label="draft replicate")
    expect(page.locator("#grid .warning")).to_contain_text("Shows 60 of 357 columns")
    page.close()
