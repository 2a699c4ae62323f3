"""The explorer page of a cohort in a browser."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page

from support.explorer_cohort import PAGE, Cohort


def address(cohort: Cohort) -> str:
    """Return the address of a cohort's page."""
    return cohort.project.path(PAGE).as_uri()


def goto(page: Page, cohort: Cohort, hash_: str = "") -> None:
    """Open a cohort's page afresh, also where it is open already."""
    page.goto("about:blank")
    page.goto(address(cohort) + hash_)
    page.wait_for_selector("html[data-ready]", state="attached")


@contextmanager
def opened(browser: Browser, cohort: Cohort, *, width: int) -> Iterator[Page]:
    """Open a cohort's page in a window of that width; nothing of it may break."""
    page = browser.new_page(viewport={"width": width, "height": 800})
    with without_errors(page):
        goto(page, cohort)
        yield page
        page.close()


@contextmanager
def without_errors(page: Page) -> Iterator[None]:
    """Check that nothing breaks in a page, and that nothing is said on its console."""
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text))
    yield
    assert errors == []
