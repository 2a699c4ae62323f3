"""Scores by people in table and grid, the grid's order, recipes that copy; and all by keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import mean

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from support.explorer_cohort import Cohort
from support.explorer_page import goto, opened
from support.project import Project

# By the essay's number: what anna and, of some, ben say of it.
SAID = {0: (2, 4), 1: (9,), 2: (3,), 3: (8, 6), 5: (7,)}


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    """Return a cohort in which two models write, or copy, the essays; people have rated some."""
    project = Project(tmp_path_factory.mktemp("people"))
    models = "data/1_raw/llm_models.csv"
    project.write(models, project.read(models) + "m2,echo-2,echo,Echo 2,general\n")
    project.spec["axes"]["essay_llm"] = ["m1", "m2"]
    cohort = Cohort(project, generations=28, size=200)
    cohort.fill()
    for number, row in enumerate(cohort.of("evaluation")):
        cohort.write(row, prompt="Judge", raw="SCORE", parsed=str(number * 7 % 10))
    essays = cohort.of("essay")
    lines = [
        f"{rater},evaluation,judge,{essays[number].gen_id},{score}"
        for number, scores in SAID.items()
        for rater, score in zip(("anna", "ben"), scores, strict=False)
    ]
    header = "rater,stage,template,gen_id,score"
    project.write("data/ratings/all.csv", "\n".join([header, *lines, ""]))
    cohort.build()
    return cohort


@pytest.fixture
def page(browser: Browser, cohort: Cohort) -> Iterator[Page]:
    """Return the cohort's page, open; nothing of it may break."""
    with opened(browser, cohort, width=1500) as page:
        yield page


def heads(page: Page, part: str) -> list[str]:
    """Return the names at the grid's rows (``tbody``) or columns (``thead``), without "all"."""
    texts = page.locator(f"#grid {part} th:not(.corner)").all_inner_texts()
    return [text for text in texts if not text.startswith("all")]


def means(page: Page, cells: str) -> list[float]:
    found = page.locator(f"#grid {cells} b").all_inner_texts()
    return [float(text) for text in found]


def test_scores_by_people_are_columns_of_the_table(page: Page, cohort: Cohort) -> None:
    """Their mean and their number, to sort by and to save; where nobody rated, there are none."""
    goto(page, cohort, "#?view=table&stage=essay&sort=-people&show=gen_id,people,ratings")
    essays = cohort.of("essay")
    expected = {essays[n].gen_id: (f"{mean(said):.1f}", str(len(said))) for n, said in SAID.items()}
    rows = [
        row.locator("th, td").all_inner_texts()
        for row in page.locator("#table tr[data-number]").all()
    ]
    assert {gen_id: tuple(cells) for gen_id, *cells in rows if cells[0]} == expected
    shown = [cells[1] for cells in rows]
    assert shown == sorted(shown, reverse=True)


def test_without_ratings_nothing_is_said_of_people(browser: Browser, project: Project) -> None:
    """No column, and no choice of whose scores the grid shows."""
    bare = Cohort(project, generations=28, size=100)
    bare.fill()
    bare.build()
    page = browser.new_page()
    goto(page, bare, "#?view=table")
    expect(page.locator("#table thead")).not_to_contain_text("people")
    goto(page, bare, "#?view=grid")
    expect(page.locator("#scores")).to_be_hidden()
    page.close()


def test_the_grid_of_scores_by_people(page: Page, cohort: Cohort) -> None:
    """Their means, which the address names; filters leave texts out."""
    goto(page, cohort, "#?view=grid&down=essay_template")
    page.select_option("#scores", "people")
    expect(page.locator("#grid .legend")).to_contain_text("Means of 7 scores by people")
    assert page.url.endswith("#?view=grid&down=essay_template&scores=people")
    of = {"grow": [], "same": []}
    essays = cohort.of("essay")
    for number, said in SAID.items():
        of[essays[number].template_id] += said
    found = dict(zip(heads(page, "tbody"), means(page, "td:last-child"), strict=False))
    assert found == {name: round(mean(said), 1) for name, said in of.items() if said}
    goto(page, cohort, "#?view=grid&scores=people&essay_llm=m2&stage=essay")
    expected = sum(len(said) for n, said in SAID.items() if essays[n].llm_model_id == "m2")
    expect(page.locator("#grid .legend")).to_contain_text(f"Means of {expected} score")
    goto(page, cohort, "#?view=grid&scores=people&stage=evaluation")
    expect(page.locator("#grid .legend")).to_contain_text("Means of 7 scores by people")


def test_copies_under_several_models_are_one_recipe(page: Page, cohort: Cohort) -> None:
    """As in the tables: a model that copied had no part in the text."""
    goto(page, cohort, "#?view=grid")
    assert heads(page, "tbody") == ["plain → grow · m1", "plain → grow · m2", "plain → same"]
    page.locator("#grid button[aria-label^='plain → same, ']").last.click()
    copies = len(cohort.of("essay", "same"))
    expect(page.locator("#status")).not_to_contain_text("nothing matches")
    goto(page, cohort, "#?stage=essay&essay_template=same")
    expect(page.locator("#status")).to_contain_text(f"{copies} of")


def test_the_grid_is_sorted_by_mean(page: Page, cohort: Cohort) -> None:
    """Rows and columns, each down, up and as designed; the head says so and keeps the focus."""
    goto(page, cohort, "#?view=grid")
    designed = heads(page, "tbody"), heads(page, "thead")
    rows = page.locator("#grid [data-side=rows]")
    rows.focus()
    page.keyboard.press("Enter")
    expect(rows).to_be_focused()
    expect(page.locator("#grid thead [aria-sort=descending]")).to_have_count(1)
    falling = means(page, "tbody tr:not(.all) td:last-child")
    assert falling == sorted(falling, reverse=True)
    page.keyboard.press("Enter")
    rising = means(page, "tbody tr:not(.all) td:last-child")
    assert rising == falling[::-1]
    page.locator("#grid [data-side=columns]").press("Enter")
    columns = means(page, "tr.all td:not(:last-child)")
    assert columns == sorted(columns, reverse=True)
    assert page.url.endswith("#?view=grid&rows=mean&columns=-mean")
    seen = heads(page, "tbody"), heads(page, "thead")
    goto(page, cohort, "#?view=grid&rows=mean&columns=-mean")
    assert (heads(page, "tbody"), heads(page, "thead")) == seen
    goto(page, cohort, "#?view=grid&rows=moon")
    assert (heads(page, "tbody"), heads(page, "thead")) == designed


@pytest.mark.parametrize("view", ["tree", "list", "table", "grid", "rate"])
def test_all_is_reached_by_the_tab_key(page: Page, cohort: Cohort, view: str) -> None:
    """Each control that is shown, on one way round."""
    goto(page, cohort, f"#?view={view}")
    for summary in page.locator("#filters summary, #columns summary").all():
        if summary.is_visible():
            summary.press("Enter")
    page.locator("#theme").focus()
    page.evaluate(
        """() => {
          window.reached = new Set();
          addEventListener('focusin', (event) => reached.add(event.target));
        }"""
    )
    for _ in range(90):
        page.keyboard.press("Tab")
    missed = page.evaluate(
        """() => [...document.querySelectorAll('button, select, input, summary, textarea, a[href]')]
          .filter((each) => each.checkVisibility({visibilityProperty: true}) && !reached.has(each)
            && each.id !== 'theme' && each.tabIndex >= 0 && !each.disabled)
          .map((each) => each.outerHTML.slice(0, 120))"""
    )
    assert missed == []
    assert page.evaluate("reached.size") > 8


def test_filters_ratings_and_the_grid_by_keyboard(page: Page, cohort: Cohort) -> None:
    """From the keys alone: filter, whose scores, order, a cell's texts, and back to the list."""
    page.keyboard.press("f")
    page.locator("[data-facet=essay_llm] input").first.focus()
    page.keyboard.press("Space")
    expect(page.locator("#active")).to_have_text(": essay model")
    page.get_by_text("Clear filters").press("Enter")
    page.locator("#list").focus()
    for _ in range(3):
        page.keyboard.press("t")
    expect(page.locator("#grid table")).to_be_visible()
    page.locator("#scores").focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator("#grid .legend")).to_contain_text("by people")
    page.keyboard.press("Tab")
    expect(page.locator("#grid [data-side=rows]")).to_be_focused()
    page.keyboard.press("Space")
    expect(page.locator("#grid thead [aria-sort=descending]")).to_have_count(1)
    page.keyboard.press("Tab")
    expect(page.locator("#grid td button:focus")).to_have_count(1)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#list")).to_be_focused()
    expect(page.locator("#status")).to_contain_text("Clear filters")


@pytest.mark.parametrize(
    "hash_", ["#?view=grid&scores=people&rows=-mean", "#?view=table&sort=-people"]
)
def test_axe_finds_nothing(page: Page, cohort: Cohort, hash_: str) -> None:
    goto(page, cohort, hash_)
    found = Axe().run(page).response
    assert [(each["id"], each["nodes"][0]["html"]) for each in found["violations"]] == []
