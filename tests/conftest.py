"""Fixtures shared by the tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from playwright.sync_api import Browser, sync_playwright

from support.browser import CHROMIUM, FLAGS
from support.project import Project

# Timing is for benchmarks: an example that takes long on a busy machine is not a failure.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return a small experiment of six evaluations at most in an empty directory."""
    return Project(tmp_path)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return a browser; one that is not installed is a failure in CI."""
    if CHROMIUM is None:
        if os.environ.get("DAYDREAM_CI") == "1":
            pytest.fail("no chromium is installed")
        pytest.skip("no chromium is installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()
