"""Fixtures shared by the tests."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from playwright.sync_api import Browser, sync_playwright

from support import firefox as stock
from support.browser import CHROMIUM, FLAGS
from support.project import Project

# Timing is for benchmarks: an example that takes long on a busy machine is not a failure.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return a small experiment of six evaluations at most in an empty directory."""
    return Project(tmp_path)


def required(program: str | None, name: str) -> str:
    """Return where a browser is; one that is not installed is a failure in CI."""
    if program is None:
        if os.environ.get("DAYDREAM_CI") == "1":
            pytest.fail(f"no {name} is installed")
        pytest.skip(f"no {name} is installed")
    return program


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return Chromium."""
    chromium = required(CHROMIUM, "chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory in which Firefox saves what it downloads."""
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="module")
def firefox(downloads: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Return Firefox."""
    required(stock.FIREFOX, "firefox")
    program = tmp_path_factory.mktemp("firefox") / "firefox"
    command = shlex.join([sys.executable, str(stock.__file__)])
    program.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
    program.chmod(0o755)
    with sync_playwright() as playwright:
        browser = playwright.firefox.launch(
            channel="moz-firefox", executable_path=program, downloads_path=downloads
        )
        yield browser
        browser.close()
