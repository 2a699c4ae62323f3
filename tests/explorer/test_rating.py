"""Rating texts blind in the explorer page: in headless Chromium, from a file, by the keyboard."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from daydream.files import text_sha256
from support.explorer_cohort import Cohort
from support.explorer_page import goto, without_errors
from support.project import Project

TEXTS = ".rate-texts .text"


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    """Return a cohort of 16 essays, of two recipes and two combos."""
    project = Project(tmp_path_factory.mktemp("rated"))
    table = "data/1_raw/evaluation_templates.csv"
    project.edit(table, "judge,Judge,,", "judge,Judge,How new it is,")
    project.write(table, project.read(table) + "depth,Depth,,in_last_line,llm,0,9\n")
    project.write("data/1_raw/templates/evaluation/depth.txt", "{{ response }}\nSCORE?\n")
    project.spec["axes"]["evaluation_template"] = ["judge", "depth"]
    cohort = Cohort(project, generations=56, size=300)
    cohort.fill()
    cohort.build()
    return cohort


@pytest.fixture
def page(browser: Browser, cohort: Cohort) -> Iterator[Page]:
    """Return the cohort's page, open; nothing of it may break, or ask for anything."""
    context = browser.new_context(accept_downloads=True)
    page = context.new_page()
    with without_errors(page):
        goto(page, cohort)
        yield page
        context.close()


def begin(page: Page, *, kind: str = "single", size: int = 6, seed: str = "1") -> None:
    """Open the rating and begin it, without the mouse."""
    page.locator("#rate-button").focus()
    page.keyboard.press("Enter")
    if page.locator("[name=rater]").count() == 0:
        page.get_by_text("Change", exact=True).press("Enter")
    page.locator("[name=rater]").fill("anna")
    page.select_option("[name=kind]", kind)
    page.fill("[name=size]", str(size))
    page.fill("[name=seed]", seed)
    page.keyboard.press("Enter")
    expect(page.locator(".rate-texts")).to_be_visible()


def exported(page: Page, path: Path) -> list[dict[str, str]]:
    with page.expect_download() as download:
        page.get_by_text("Export", exact=True).press("Enter")
    download.value.save_as(path)
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_single_texts_are_rated_blind_by_keyboard(
    page: Page, cohort: Cohort, tmp_path: Path
) -> None:
    """A sample of both recipes; a reload goes on; the file says what was rated, and how."""
    goto(page, cohort, f"#{cohort.of('essay')[0].gen_id}?q=plain")
    begin(page)
    named = {name for row in cohort.rows for name in (row.gen_id, row.template_id, row.combo_id)}
    told = {*named, "Tide", "Loom", "m1", "Echo"} - {"judge"}
    for number in range(6):
        expect(page.locator(".rate-head strong")).to_have_text(f"{number + 1} of 6")
        seen = page.locator("body").inner_text().replace(page.locator(TEXTS).inner_text(), "")
        assert [name for name in told if name in seen.split()] == []
        assert page.url.endswith("#?view=rate")
        assert page.title() == "Rating · c1"
        page.keyboard.press(str(number))
        if number == 2:
            page.keyboard.press("ArrowRight")
            page.keyboard.press("c")
            page.keyboard.type('=1+1, "so"')
        if number == 3:
            page.reload()
            page.wait_for_selector(".rate-texts")
            expect(page.locator(".rate-head strong")).to_have_text("5 of 6")
        else:
            page.keyboard.press("Enter")
    expect(page.locator("#rate h2")).to_have_text("All 6 rated")
    rows = exported(page, tmp_path / "anna.csv")
    assert [row["score"] for row in rows] == ["0", "1", "3", "3", "4", "5"]
    assert rows[2]["comment"] == '\'=1+1, "so"'
    essays = {row.gen_id: row for row in cohort.of("essay")}
    assert Counter(essays[row["gen_id"]].template_id for row in rows) == {"grow": 3, "same": 3}
    for row in rows:
        text = cohort.project.read(f"data/gens/essay/{row['gen_id']}/parsed.txt")
        assert text_sha256(text).startswith(row["text_sha256"])
        assert row["text_sha256"]
        assert (row["rater"], row["stage"], row["template"]) == ("anna", "evaluation", "judge")
    page.keyboard.press("Escape")
    expect(page.locator("#main")).to_be_visible()
    assert page.title() != "Rating · c1"


def test_raters_see_what_they_are_to_judge(page: Page) -> None:
    """The catalog's description, before and while they rate; nothing of what judges were told."""
    page.locator("#rate-button").click()
    asked = page.locator("#rate-asked")
    expect(asked).to_have_text("How new it is")
    page.select_option("[name=criterion]", "1")
    expect(asked).to_be_hidden()
    page.select_option("[name=criterion]", "0")
    begin(page, size=1)
    expect(page.locator(".rate-head")).to_contain_text("How new it is")


def shown(page: Page, *, size: int, seed: str, kind: str = "single") -> list[str]:
    begin(page, size=size, seed=seed, kind=kind)
    texts = []
    for _ in range(size):
        texts.append(page.locator(".rate-texts").inner_text())
        page.keyboard.press("s")
    return texts


def test_the_seed_draws_the_sample(page: Page) -> None:
    """The same seed the same texts in the same order, another seed others; the size is chosen."""
    first = shown(page, size=5, seed="1")
    assert shown(page, size=5, seed="2") != first
    assert shown(page, size=5, seed="1") == first
    pairs = shown(page, size=4, seed="1", kind="pair")
    assert len(set(pairs)) == 4
    assert shown(page, size=4, seed="1", kind="pair") == pairs


def test_pairs_are_of_one_combo_and_two_recipes(page: Page, cohort: Cohort, tmp_path: Path) -> None:
    """Which side is which is chance; A, B or a tie by the arrows, which the file names."""
    begin(page, kind="pair", size=8)
    for number in range(8):
        page.keyboard.press(["ArrowLeft", "ArrowRight", "0"][number % 3])
        page.keyboard.press("Enter")
    rows = exported(page, tmp_path / "pairs.csv")
    assert [row["choice"] for row in rows] == ["a", "b", "tie", "a", "b", "tie", "a", "b"]
    essays = {row.gen_id: row for row in cohort.of("essay")}
    sides = set()
    for row in rows:
        left, right = essays[row["gen_id"]], essays[row["other_gen_id"]]
        assert left.combo_id == right.combo_id
        sides.add((left.template_id, right.template_id))
        assert row["score"] == ""
    assert sides == {("grow", "same"), ("same", "grow")}


def test_nothing_is_skipped_by_enter_and_answers_can_be_changed(page: Page) -> None:
    """Enter wants an answer; Backspace goes back, where the answer stands and may be another."""
    begin(page, size=2, seed="again")
    page.keyboard.press("Enter")
    expect(page.locator("#rate-told")).to_have_text("Give a score first.")
    page.keyboard.press("7")
    page.keyboard.press("Enter")
    page.keyboard.press("Backspace")
    expect(page.locator("[data-answer='7']")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("[data-answer='6']")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#rated-count")).to_have_text("1 rated")


@pytest.mark.parametrize(("kind", "told"), [("single", "Give a score"), ("pair", "Choose one")])
def test_enter_in_a_comment_leaves_it_for_the_answer(
    page: Page, tmp_path: Path, kind: str, told: str
) -> None:
    """The digit that is typed next is the answer that was asked for, and not in the comment."""
    begin(page, kind=kind, size=1, seed="comment")
    page.keyboard.press("c")
    page.keyboard.type("dry")
    page.keyboard.press("Enter")
    expect(page.locator("#rate-told")).to_have_text(f"{told} first.")
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    expect(page.locator("#rate form h2")).to_have_text("All 1 rated")
    row = exported(page, tmp_path / "comment.csv")[-1]
    assert (row["comment"], row["score"], row["choice"]) == (
        "dry",
        *(("1", "") if kind == "single" else ("", "a")),
    )


def test_the_form_says_how_many_are_needed(page: Page) -> None:
    """One text of each recipe for a mean, three for its interval; pairs have no means."""
    page.locator("#rate-button").click()
    hint, needed = page.locator("#rate form"), page.locator("#rate-needed")
    expect(hint).to_contain_text("equally many of each recipe")
    expect(needed).to_contain_text("of 2 recipes: at least 2 for a mean of all, 6 for")
    page.select_option("[name=kind]", "pair")
    expect(needed).to_be_hidden()
    page.select_option("[name=kind]", "single")
    expect(needed).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_while_rating(page: Page, scheme: str) -> None:
    """Neither in the form, nor with a text, a pair, or at the end."""
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]

    def check(name: str) -> None:
        found = Axe().run(page).response
        kinds = ("violations", "incomplete")
        said = [(e["id"], e["nodes"][0]["html"][:150]) for k in kinds for e in found[k]]
        assert said == [], name

    page.locator("#rate-button").click()
    check("form")
    begin(page, size=1)
    page.keyboard.press("4")
    check("text")
    page.keyboard.press("Enter")
    check("end")
    page.get_by_text("Rate others").press("Enter")
    begin(page, kind="pair", size=1)
    page.keyboard.press("ArrowLeft")
    check("pair")
