"""Makes the pictures of the documentation, each from a run made for it.

    uv run python docs/images/make.py [pictures] [recording] [diagrams] [REPORTS]

`pictures`: the demo on the bundled model, with all five of its combos, in a directory of its own;
its pages as Chromium shows them; with REPORTS, those of such a run. `recording`: a session in a
real terminal, with a server on this machine in place of a provider; it answers after about a
second, and charges for each request.
`diagrams`: the Mermaid diagrams of the pages, for the site, where Mermaid does not run. Needs npm.
"""

from __future__ import annotations

import csv
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from playwright.sync_api import Browser, FloatRect, Page, sync_playwright

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "docs"), str(HERE)]

from build import DIAGRAM, PAGES, diagram_name  # noqa: E402 - docs/build.py
from recording import Shell, quicker, write_svg  # noqa: E402

from support.browser import CHROMIUM, FLAGS  # noqa: E402
from support.provider_server import ProviderServer, Reply, completion  # noqa: E402

BIN = Path(sys.executable).parent
SPEC = "data/cohorts/demo/spec/config.yaml"
ROWS, COLUMNS = 18, 96
LIMITS = {".png": 150_000, ".svg": 300_000}


def main() -> None:
    """Make the pictures that are asked for, or all."""
    makers: dict[str, Callable[[], None]] = {
        "pictures": pictures,
        "recording": recording,
        "diagrams": diagrams,
    }
    for name in sys.argv[1:] or makers:
        if name in makers:
            makers[name]()
        else:
            take(Path(name).resolve())
    for path in sorted(HERE.glob("*.*g")):
        size = path.stat().st_size
        print(f"{path.relative_to(ROOT)}: {size / 1000:.0f} kB")
        if size > LIMITS[path.suffix]:
            sys.exit(f"{path.name} is larger than {LIMITS[path.suffix] / 1000:.0f} kB.")


def clone(directory: Path) -> None:
    """Copy the files of the repository that git knows to an empty directory."""
    names = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    for name in names.strip("\0").split("\0"):
        if (ROOT / name).is_file():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, directory / name)


def pictures() -> None:
    """Run the demo with all of its combos, and take pictures of its pages."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        clone(directory)
        spec = yaml.safe_load((directory / SPEC).read_text())
        del spec["rules"]["subsets"]
        (directory / SPEC).write_text(yaml.safe_dump(spec, sort_keys=False))
        subprocess.run([BIN / "snakemake", "--cores", "2"], cwd=directory, check=True)
        take(directory / "data/cohorts/demo/reports")


def take(reports: Path) -> None:
    """Take pictures of a cohort's pages."""
    with (reports.parent / "membership.csv").open(newline="") as file:
        essays = [row for row in csv.DictReader(file) if row["stage"] == "essay"]
    first, second, *_ = (row["gen_id"] for row in essays if row["template_id"] == "story")
    page = (reports / "explorer/index.html").as_uri()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        overview = shot(browser, (reports / "overview.html").as_uri(), 500, 640, answers)
        explorer = shot(browser, f"{page}#{first}", 880, 436)
        (HERE / "first.png").write_bytes(beside(browser, overview, explorer))
        (HERE / "explorer.png").write_bytes(shot(browser, f"{page}#{first}", 1280, 640))
        two = f"{page}#{first}..{second}?tab=prompt"
        (HERE / "explorer-compare.png").write_bytes(shot(browser, two, 1120, 640))
        browser.close()


def answers(page: Page) -> FloatRect:
    """Return the part of an overview that says which recipes are best, and if judges agree."""
    boxes = [page.get_by_role("heading", name=name).bounding_box() for name in ("Best", "Failures")]
    assert boxes[0]
    assert boxes[1]
    top, end = boxes[0]["y"], boxes[1]["y"]
    return {"x": 0, "y": top - 8, "width": 500, "height": end - top - 8}


def shot(
    browser: Browser,
    url: str,
    width: int,
    height: int,
    part: Callable[[Page], FloatRect] | None = None,
) -> bytes:
    """Return a picture of a page, as a window of that size shows it, or of a part of it."""
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme="light")
    page.goto(url)
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(1000)
    picture = page.screenshot(clip=part(page), full_page=True) if part else page.screenshot()
    page.close()
    return picture


def beside(browser: Browser, *pictures: bytes) -> bytes:
    """Return one picture of several, side by side."""
    page = browser.new_page(viewport={"width": 1412, "height": 100})
    sources = [f"data:image/png;base64,{b64encode(picture).decode()}" for picture in pictures]
    images = "".join(f'<img src="{source}">' for source in sources)
    page.set_content(
        "<style>body{margin:0;padding:8px;display:flex;gap:16px;align-items:flex-start;"
        "background:#eceae4}img{border-radius:6px;box-shadow:0 1px 4px #0004}</style>" + images
    )
    page.wait_for_load_state("networkidle")
    picture = page.screenshot(full_page=True)
    page.close()
    return picture


def recording() -> None:
    """Record a run that is killed, the run after it, and one with nothing to do."""
    chance = random.Random(3)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        clone(directory)
        log = directory / "requests.log"

        def answer(body: dict[str, Any]) -> Reply:
            with log.open("a") as file:
                file.write(f"{body['model']}\n")
            text = "A town that lives by its walls.\nThey mend them in winter.\nSCORE: 6"
            tokens = {"prompt_tokens": 310, "completion_tokens": 140, "total_tokens": 450}
            reply = completion(text, usage={**tokens, "cost": 0.0021})
            return Reply(body=reply, delay=chance.uniform(0.5, 1.5))

        with ProviderServer(answer) as server:
            settle(directory, server.url)
            environment = {
                "PATH": f"{BIN}:/usr/bin:/bin",
                "HOME": name,
                "LANG": "C.UTF-8",
                "OPENROUTER_API_KEY": "sk-or-recording",
            }
            shell = Shell(directory, environment, rows=ROWS, columns=COLUMNS, every=0.4)
            shell.wait(5)
            for command in (
                "timeout -s KILL 12 snakemake --cores 8 scores",
                "snakemake --cores 8 scores",
                "wc -l requests.log  # what the provider was asked",
            ):
                shell.watch(0.8)
                shell.type(command)
                shell.watch(0.5)
                shell.wait()
            shell.watch(0.6)
            shell.close()
    title = "A run is killed halfway. The same command goes on, and asks only for what is missing."
    shown = quicker(shell.frames, speed=1.6, longest=1, hold=6)
    write_svg(HERE / "kill.svg", shown, columns=COLUMNS, title=title, hide=name)


def settle(directory: Path, url: str) -> None:
    """Let the demo have all its combos, and two models of a server in place of the bundled one."""
    spec = yaml.safe_load((directory / SPEC).read_text())
    del spec["rules"]["subsets"]
    axes = spec["axes"]
    axes["draft_llm"] = axes["essay_llm"] = ["writer"]
    axes["evaluation_llm"] = ["judge-a", "judge-b"]
    (directory / SPEC).write_text(yaml.safe_dump(spec, sort_keys=False))
    models = "".join(f"{name},{name},openrouter\n" for name in ("writer", "judge-a", "judge-b"))
    (directory / "data/1_raw/llm_models.csv").write_text(f"id,model,provider\n{models}")
    config = yaml.safe_load((directory / "config/config.yaml").read_text())
    del config["models"]
    config["providers"]["openrouter"]["base_url"] = url
    (directory / "config/config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))


def diagrams() -> None:
    """Draw the Mermaid diagrams of all pages, with Mermaid as npm has it."""
    texts = [
        match[1]
        for pattern in PAGES
        for path in sorted(ROOT.glob(pattern))
        for match in DIAGRAM.finditer(path.read_text(encoding="utf-8"))
    ]
    for old in HERE.glob("diagram-*.svg"):
        old.unlink()
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        subprocess.run(["npm", "pack", "--silent", "mermaid@11"], cwd=name, check=True)
        (archive,) = Path(name).glob("*.tgz")
        shutil.unpack_archive(archive, name)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page()
        page.add_script_tag(path=str(Path(name, "package/dist/mermaid.min.js")))
        page.evaluate(
            "mermaid.initialize({startOnLoad: false, theme: 'neutral', htmlLabels: false,"
            " flowchart: {htmlLabels: false}, fontFamily: 'sans-serif'})"
        )
        for number, text in enumerate(texts):
            svg = page.evaluate(
                "([id, text]) => mermaid.render(id, text).then(({svg}) => svg)",
                [f"diagram{number}", text],
            )
            # As a file, and not within a page, it needs a size of its own, and strict XML.
            box = re.search(r'viewBox="([-\d.]+) ([-\d.]+) ([-\d.]+) ([-\d.]+)"', svg)
            assert box
            size = f'width="{float(box[3]):.0f}" height="{float(box[4]):.0f}"'
            svg = svg.replace('width="100%"', size, 1).replace("<br>", "<br/>")
            (HERE / diagram_name(text)).write_text(f"{svg}\n", encoding="utf-8")
        browser.close()


if __name__ == "__main__":
    os.environ.pop("DAYDREAM_RUN", None)
    main()
