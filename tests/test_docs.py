"""The pages of the documentation: none is left out of the site, and links lead somewhere.

`.ci/run` builds the site (docs/build.py), which looks closer.
"""

from __future__ import annotations

import importlib.util
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
PICTURES = sorted((ROOT / "docs/images").glob("*.*g"))


@pytest.fixture(scope="module")
def build() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build", ROOT / "docs/build.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def files(nav: Any) -> Iterator[str]:
    """Yield the pages of a navigation."""
    if isinstance(nav, str):
        yield nav
    else:
        for each in nav.values() if isinstance(nav, dict) else nav:
            yield from files(each)


def pages(build: ModuleType) -> list[Path]:
    return [path for pattern in build.PAGES for path in sorted(ROOT.glob(pattern))]


def test_each_page_is_in_the_navigation(build: ModuleType) -> None:
    """A page that is missing there is named: add it to docs/site/zensical.toml."""
    project = tomllib.loads((ROOT / "docs/site/zensical.toml").read_text())["project"]
    listed = sorted(files(project["nav"]))
    written = [str(path.relative_to(ROOT)) for path in pages(build)]
    assert listed == sorted([*written, "demo/README.md"])


def test_links_in_the_repository_lead_somewhere(build: ModuleType) -> None:
    """Also where the pages are read as they are, without a site."""
    found = []
    for page in pages(build):
        text = re.sub(r"^ *```.*?^ *```|`[^`\n]*`", "", page.read_text(), flags=re.M | re.S)
        for link in re.findall(r"\]\(([^)\s]+)\)", text):
            path = link.partition("#")[0]
            if path and ":" not in path and not (page.parent / path).exists():
                found.append(f"{page.relative_to(ROOT)}: {link}")
    assert found == []


def test_pictures_are_small() -> None:
    """A page with three of them is read on a telephone too."""
    assert len(PICTURES) >= 4
    for path in PICTURES:
        limit = 300_000 if path.suffix == ".svg" else 150_000
        assert path.stat().st_size <= limit, path.name


def test_the_readme_tells_what_the_recording_shows() -> None:
    """A new recording has other numbers."""
    film = (ROOT / "docs/images/kill.svg").read_text()
    calls = re.search(r"This run: (\d+) calls", film)
    asked = re.search(r"(\d+) requests.log", film)
    assert calls
    assert asked
    readme = (ROOT / "README.md").read_text()
    assert f"Here {100 - int(calls[1])} of 100 answers were kept" in readme
    assert f"asks for the other {calls[1]}." in readme
    assert f"Only the {int(asked[1]) - 100} requests" in readme
    assert f"the {calls[1]} calls that are missing" in readme
    assert f"counts {asked[1]} requests" in readme


def test_the_citation_names_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert citation["version"] == project["version"]
    assert citation["license"] == project["license"]


def test_what_leads_nowhere_is_found(build: ModuleType, tmp_path: Path) -> None:
    """The check of the built site can fail; a file of the repository is taken along."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/a.html").write_text(
        '<h1 id="one">One</h1> <a href="b.html">b</a> <a href="#one">1</a> <a href="#two">2</a>'
        '<a href="../LICENSE">licence</a> <a href="../../x">out</a>'
        '<script src="https://cdn.example/x.js"></script> <a href="https://example.org">other</a>'
    )
    assert sorted(build.check(tmp_path)) == [
        "docs/a.html: #two: that page has no such heading",
        "docs/a.html: ../../x leads out of the site",
        "docs/a.html: b.html leads nowhere",
        "docs/a.html: loads https://cdn.example/x.js from elsewhere",
    ]
    assert (tmp_path / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_lists_stand_as_deep_as_the_site_needs_it(build: ModuleType) -> None:
    """What belongs to a list in the repository belongs to it in the site."""
    text = (
        "1. one\n\n   ```json\n   {\n     1\n   }\n   ```\n\n- two\n  - in\n\nEnd\n\n"
        "```\n  code\n```\n"
    )
    assert build.deeper(text) == (
        "1. one\n\n    ```json\n    {\n      1\n    }\n    ```\n\n- two\n    - in\n\nEnd\n\n"
        "```\n  code\n```\n"
    )
