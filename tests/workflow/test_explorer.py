"""The explorer page that a run leaves, in headless Chromium."""

from __future__ import annotations

from playwright.sync_api import Browser, expect

from support.explorer_cohort import PAGE
from support.project import Project


def test_after_a_run_with_failures(browser: Browser, project: Project) -> None:
    """The page that such a run leaves says what failed; on a narrow screen too."""
    project.edit(
        "echo.py", "digest = hash", 'assert "Fog" not in prompt, "foggy"\n    digest = hash'
    )
    output = project.snakemake("explorer", code=1)
    assert "foggy" in output
    page = browser.new_page(viewport={"width": 400, "height": 700})
    page.goto(project.path(PAGE).as_uri())
    page.wait_for_selector("html[data-ready]", state="attached")
    expect(page.locator("#notices")).to_contain_text(
        "Partial: 5 of 10 generations not complete (1 failed, 4 blocked), 2 scores missing"
    )
    page.locator("#list .is-failed").click()
    expect(page.locator("#pane .reason")).to_contain_text("Failed: [call]")
    expect(page.locator("#pane .reason")).to_contain_text("foggy")
    assert page.evaluate("document.documentElement.scrollWidth") == 400
    page.close()
