"""The figures, drawn for real: from simulated scores to files, and those in a browser."""

from __future__ import annotations

import re
import struct
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pandas as pd
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from daydream.analysis.diversity import COLUMNS as DIVERSITY
from daydream.analysis.outputs import TABLES, write_tables
from daydream.errors import InputError
from daydream.figures import FIGURES, FORMATS
from daydream.figures.cost import cost_quality
from daydream.figures.intervals import interval_panel
from daydream.figures.outputs import DRAWN, draw_figures
from daydream.figures.tables import COLUMNS, Tables, read_tables
from daydream.reports.calls import COLUMNS as CALLS
from support.experiments import tied_writers
from support.project import ROOT
from support.simulation import LEVELS, simulated

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = (
    "a.b[0]['x']\"</script><script>document.title='taken'</script>",
    "datum['label'] + \\n {{ 7 * 7 }} <img src=x onerror=alert(1)> &amp; \u2028 end",
)
SD = {"combo_id": 0.6, "draft_template": 1.0, "draft": 0.7, "evaluation_llm": 0.6, "residual": 0.8}


def scores(missing: float = 0.0, **levels: int) -> pd.DataFrame:
    """Return simulated scores in whole points."""
    frame = simulated(np.random.default_rng(7), levels=levels, sd=SD, missing=missing)
    return frame.assign(score=frame["score"].round().clip(0, 9))


def one_score() -> pd.DataFrame:
    return scores(**dict.fromkeys(LEVELS, 1))


def calls_of(frame: pd.DataFrame, *, price: str = "0.01", mode: str = "llm") -> pd.DataFrame:
    answer = {"mode": mode, "prompt_tokens": "100", "completion_tokens": "20", "cost_usd": price}
    names = {"gen_id": frame["gen_id"], "llm_model_id": frame["evaluation_llm"]}
    table = pd.DataFrame({**names, "stage": "evaluation", **answer, "slice": ""})
    return table.reindex(columns=list(CALLS), fill_value="")


def texts_of(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the table of diversity of drafts whose templates have the names of the scores'."""
    templates = frame["draft_template"].unique()
    table = pd.DataFrame({"dimension": "draft_template", "level": templates})
    numbers = {"texts_per_combo": 4, "effective": 3.1, "ci_low": 2.6, "ci_high": 3.6}
    table = table.assign(stage="draft", slice=frame["slice"].max(), prompt_share=0.2, **numbers)
    return table.reindex(columns=DIVERSITY)


def write(
    directory: Path, frame: pd.DataFrame, calls: pd.DataFrame, *, panel: str = "adjusted"
) -> dict[str, str]:
    """Write the tables of a cohort with these scores; return their paths by name."""
    paths = {name: str(directory / f"{name}.csv") for name in ("scores", "calls", *TABLES)}
    frame.to_csv(paths["scores"], index=False)
    calls.to_csv(paths["calls"], index=False)
    write_tables(paths["scores"], {name: paths[name] for name in TABLES}, panel=panel)
    paths["diversity"] = str(directory / "diversity.csv")
    texts_of(frame).to_csv(paths["diversity"], index=False)
    return paths


def drawings(
    directory: Path, frame: pd.DataFrame, calls: pd.DataFrame | None = None
) -> dict[str, str]:
    """Draw all figures as SVG; return the text in each."""
    paths = write(directory, frame, calls_of(frame) if calls is None else calls)
    draw_figures(paths, cohort="c1", output=[str(directory / f"{name}.svg") for name in FIGURES])
    return {name: text_of(directory / f"{name}.svg") for name in FIGURES}


def text_of(path: Path) -> str:
    """Return the text that is drawn, of elements that must be those of a drawing."""
    root = ET.parse(path).getroot()
    names = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert names.isdisjoint({"script", "foreignObject", "image", "a"})
    drawn = [child for child in root if child.tag not in (f"{SVG}title", f"{SVG}desc")]
    return "\n".join(text for child in drawn for text in child.itertext())


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory of the figures of scores whose names are meant to break them."""
    directory = tmp_path_factory.mktemp("hostile")
    frame = scores(missing=0.1, combo_id=5)
    for column in ("draft_template", "draft_llm", "evaluation_template", "evaluation_llm"):
        levels = dict(zip(frame[column].unique(), HOSTILE, strict=True))
        frame[column] = frame[column].map(levels)
    frame["slice"] = '{"where": {"draft_template": "</script><script>alert(1)</script>"}}'
    output = [str(directory / f"{name}.{form}") for name in FIGURES for form in FORMATS]
    draw_figures(write(directory, frame, calls_of(frame)), cohort="<b>c1</b>", output=output)
    return directory


def test_the_list_of_figures_is_what_can_be_drawn() -> None:
    """The rules read the list alone; each figure has a caption."""
    assert tuple(DRAWN) == FIGURES
    captions = {path.stem for path in (ROOT / "report/figures").glob("*.rst")}
    assert captions == set(FIGURES)


def test_drawings_and_pictures_hold_names_as_text(hostile: Path) -> None:
    """All say whose they are, that they are a slice, and what is missing."""
    for name in FIGURES:
        text = text_of(hostile / f"{name}.svg")
        assert "Cohort <b>c1</b>." in text
        if name != "calls":
            assert "A slice, not the whole cohort:" in text
            assert re.search(r"Partial: \d+ of 320 evaluations have no score\.", text)
        width, height = struct.unpack(">II", (hostile / f"{name}.png").read_bytes()[16:24])
        assert width > 800, name
        assert height > 200, name
    assert HOSTILE[0][-10:] in text_of(hostile / "score_distributions.svg")


def test_per_cent_is_written_in_one_way(hostile: Path) -> None:
    """As in "95 %", also where Vega writes it."""
    texts = [text_of(hostile / f"{name}.svg") for name in FIGURES]
    assert not [found for text in texts for found in re.findall(r".*\d%.*", text)]
    assert re.search(r"^\d+ %$", texts[FIGURES.index("failures")], re.MULTILINE)


def test_a_drawing_names_itself(hostile: Path, browser: Browser) -> None:
    """Who cannot see it hears its title and its notes; for everybody else it is as it was."""
    page = browser.new_page()
    for name in FIGURES:
        page.goto((hostile / f"{name}.svg").as_uri())
        title, notes = page.evaluate(
            "[...document.querySelectorAll(':root > :is(title, desc)')].map((e) => e.textContent)"
        )
        assert page.get_by_role("img", name=title, exact=True).count() == 1
        drawn = "".join(page.locator("svg .role-title text").all_text_contents())
        assert plain(f"{title} {notes}") in plain(drawn)
    page.close()


def plain(text: str) -> str:
    """Return a text without blanks: the lines of a drawing do not have those between them."""
    return "".join(text.split())


def test_pages_open_in_a_browser_without_a_network(hostile: Path, browser: Browser) -> None:
    """They ask for nothing, run nothing that a name holds, and show what the drawing shows."""
    context = browser.new_context(offline=True)
    page = context.new_page()
    requests: list[str] = []
    problems: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text))
    page.on("dialog", lambda dialog: problems.append(dialog.message))
    for name in FIGURES:
        address = (hostile / f"{name}.html").as_uri()
        page.goto(address)
        page.wait_for_selector("html[data-ready]", state="attached", timeout=20_000)
        assert page.title() == name.replace("_", " ")
        assert page.locator("header p", has_text="Cohort <b>c1</b>.").is_visible()
        box = page.locator("#figure svg.marks").bounding_box()
        assert box is not None
        assert box["width"] > 400
        assert {url for url in requests if not url.startswith(("data:", "blob:"))} == {address}
        requests.clear()
    assert problems == []
    context.close()


def test_tooltips_show_names_as_text(hostile: Path, browser: Browser) -> None:
    """The whole name, which the axis may have shortened."""
    context = browser.new_context(viewport={"width": 1400, "height": 1600})
    page = context.new_page()
    page.goto((hostile / "calls.html").as_uri())
    page.wait_for_selector("html[data-ready]", state="attached")
    drawing = page.locator("#figure svg.marks").bounding_box()
    assert drawing is not None
    tip = page.locator("#vg-tooltip-element.visible")
    names = (HOSTILE[0], HOSTILE[1].replace("\u2028", " "))
    told: set[str] = set()
    for y in range(20, 300, 8):
        page.mouse.move(drawing["x"] + 0.6 * drawing["width"], drawing["y"] + y)
        told.update(tip.all_inner_texts())
    assert any(name in text for name in names for text in told)
    assert page.title() == "calls"
    context.close()


def test_one_score_has_no_interval_and_no_comparison(tmp_path: Path) -> None:
    """One judge, one model, no replicate: each figure says what cannot be known."""
    text = drawings(tmp_path, one_score(), calls_of(one_score(), price=""))
    assert "1 evaluation of 1 text" in text["score_distributions"].replace("\n", " ")
    assert "No interval for 1 of 1 estimate" in text["score_distributions"]
    assert "needs two texts with two judges, and scores that differ" in text["judge_agreement"]
    assert "needs repeated scores of two texts" in text["judge_agreement"]
    assert "shares no text with another judge" in text["judge_agreement"]
    assert text["variance"].count("needs two levels") >= 11
    assert "No dimension has two levels to compare." in text["comparisons"]
    assert "There is one recipe" in text["leaderboard"]
    assert "dt0 · dm0 · et0 · em0" in text["leaderboard"]
    assert "Nothing is missing: 1 evaluation planned and scored." in text["failures"]
    assert "The price of all answers is unknown" in text["calls"]
    assert "Cost, USD" not in text["calls"]
    assert not any("Partial" in each for each in text.values())


@pytest.mark.parametrize("rows", [384, 0])
def test_no_score_at_all(tmp_path: Path, rows: int) -> None:
    """A run that has only begun, and tables with nothing but a header."""
    frame = scores(missing=1.0).head(rows)
    text = drawings(tmp_path, frame, calls_of(frame, mode=""))
    for name in ("score_distributions", "template_judge", "judge_agreement", "variance"):
        assert "No evaluation has a score yet." in text[name], name
    assert "No evaluation has a score yet." in text["comparisons"]
    assert "No model has answered yet." in text["calls"]
    if rows:
        assert "384 of 384 evaluations" in text["failures"]
        assert "Partial: 384 of 384 generations have no answer." in text["calls"]


def test_many_levels_are_cut_and_the_cut_is_said(tmp_path: Path) -> None:
    """Combos, judges and pairs of templates that would not fit a page."""
    frame = scores(
        combo_id=30, draft_template=9, draft_llm=1, essay_template=1, evaluation_replicate=1
    )
    text = drawings(tmp_path, frame)
    assert "By combo (12 highest and 12 lowest of 30)" in text["score_distributions"]
    assert "Draft template: row less column" in text["comparisons"]
    assert "Repeats of" not in text["judge_agreement"]
    assert "includes replicate" in text["variance"]


MATRICES = ("template_judge", "template_model", "judge_agreement", "comparisons")


@pytest.fixture(scope="module")
def matrices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory of the drawings of a cohort with many templates, and its tables."""
    directory = tmp_path_factory.mktemp("matrices")
    frame = scores(combo_id=5, draft_template=9, essay_template=1, evaluation_replicate=1)
    output = [str(directory / f"{name}.svg") for name in MATRICES]
    draw_figures(write(directory, frame, calls_of(frame)), cohort="c1", output=output)
    return directory


def test_the_better_level_stands_first(matrices: Path) -> None:
    """In a forest plot of few pairs; many pairs are a matrix with both signs."""
    text = text_of(matrices / "comparisons.svg")
    pairs = pd.read_csv(matrices / "comparisons.csv")
    few = pairs[pairs["dimension"] != "draft_template"]
    assert len(few) >= 2
    for row in few.itertuples():
        both = (str(row.level), str(row.other_level))
        first, second = both if row.difference > 0 else both[::-1]
        assert f"{first} − {second}" in text
        assert f"{second} − {first}" not in text
    assert "Draft template: row less column" in text
    for difference in pairs.loc[pairs["dimension"] == "draft_template", "difference"].abs():
        assert f"+{difference:.2f}" in text
        assert f"−{difference:.2f}" in text


def test_an_interval_that_leaves_its_panel_ends_in_an_arrow() -> None:
    """And one that ends within it in a cap, on either side."""
    rows = pd.DataFrame({"label": ["a"], "value": [1.0], "ci_low": [-9.0], "ci_high": [2.0]})
    rows = rows.assign(text="", note="", marked=True)
    panel = interval_panel(rows, title="t", unit="u", domain=(0.0, 3.0))
    spec = panel.to_dict()
    drawn = {
        (layer["mark"].get("shape", layer["mark"]["type"]), layer["encoding"]["x"]["field"])
        for layer in spec["layer"]
        if layer["mark"]["type"] in ("tick", "point") and spec["datasets"][layer["data"]["name"]]
    }
    assert drawn == {("triangle-left", "low"), ("tick", "high"), ("point", "value")}


def test_judges_have_one_name_everywhere(matrices: Path) -> None:
    """Model · template."""
    for name in ("template_judge", "judge_agreement"):
        text = text_of(matrices / f"{name}.svg")
        assert "em1 · et0" in text
        assert "em1_et0" not in text


def test_numbers_in_colours_can_be_read(matrices: Path) -> None:
    """They are black, on colours with a contrast of 4.5:1 or more to it."""
    for name in MATRICES:
        drawing = (matrices / f"{name}.svg").read_text(encoding="utf-8")
        fills = re.findall(r'fill="rgb\((\d+), (\d+), (\d+)\)"', drawing)
        assert fills, name
        assert min(luminance(*map(int, fill)) for fill in fills) + 0.05 > 4.5 * 0.05, name
        assert 'fill="white"' not in re.sub(r"<(rect|path)[^>]*>", "", drawing), name


def luminance(*channels: int) -> float:
    """Return the relative luminance of a colour, as WCAG has it."""
    shares = [each / 255 for each in channels]
    linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in shares]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


def test_a_page_fits_a_phone(hostile: Path, browser: Browser) -> None:
    """Heading and notes take the width of the screen; only the drawing scrolls sideways."""
    context = browser.new_context(viewport={"width": 390, "height": 800})
    page = context.new_page()
    page.goto((hostile / "template_judge.html").as_uri())
    page.wait_for_selector("html[data-ready]", state="attached", timeout=20_000)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.locator("header p").filter(has_text="Cohort <b>c1</b>.").is_visible()
    assert not page.locator("#figure text", has_text="Cohort <b>c1</b>.").count()
    page.locator("#scroll").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("document.querySelector('#scroll').scrollLeft > 0")
    context.close()


# The contrast of each text of a drawing with what lies under its middle.
CONTRASTS = """() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const light = (...colours) => {
    canvas.fillStyle = 'white';
    canvas.fillRect(0, 0, 1, 1);
    for (const [colour, opacity] of colours) {
      canvas.globalAlpha = opacity;
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
      canvas.globalAlpha = 1;
    }
    const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map((each) => each / 255)
      .map((each) => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const inked = (element) => {
    const {fill, fillOpacity, opacity} = getComputedStyle(element);
    return fill === 'none' ? null : [fill, fillOpacity * opacity];
  };
  const texts = [...document.querySelectorAll('#figure svg text')];
  return texts.filter((text) => text.textContent).map((text) => {
    const {x, y, width, height} = text.getBoundingClientRect();
    const under = document.elementsFromPoint(x + width / 2, y + height / 2)
      .filter((each) => each.matches('#figure svg *:not(text, g)'))
      .map(inked).filter(Boolean).reverse();
    const [paper, ink] = [light(...under), light(...under, inked(text))];
    return [(Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05), text.textContent];
  });
}"""


@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_nothing(hostile: Path, browser: Browser, width: int) -> None:
    """What it leaves open is the contrast of a drawing's texts, which is measured here."""
    page = browser.new_page(viewport={"width": width, "height": 800})
    for name in FIGURES:
        page.goto((hostile / f"{name}.html").as_uri())
        page.wait_for_selector("html[data-ready]", state="attached", timeout=20_000)
        found = Axe().run(page).response
        assert [(each["id"], each["nodes"]) for each in found["violations"]] == [], name
        undecided = [(each["id"], n["html"]) for each in found["incomplete"] for n in each["nodes"]]
        assert all(each == "color-contrast" for each, _ in undecided), (name, undecided)
        assert all(html.startswith("<text ") for _, html in undecided), (name, undecided)
    page.close()


def test_texts_of_a_drawing_can_be_read(hostile: Path, browser: Browser) -> None:
    """At 4.5:1 or more, on whatever they stand."""
    page = browser.new_page(viewport={"width": 1400, "height": 3000})
    for name in FIGURES:
        page.goto((hostile / f"{name}.html").as_uri())
        page.wait_for_selector("html[data-ready]", state="attached", timeout=20_000)
        page.add_style_tag(content="#figure * { pointer-events: all !important }")
        contrasts = page.evaluate(CONTRASTS)
        assert len(contrasts) > 0, name
        assert min(contrasts) >= [4.5], name
    page.close()


def test_a_drawing_is_one_image_with_a_name_and_a_description(
    hostile: Path, browser: Browser, tmp_path: Path
) -> None:
    """Its title and its notes; both are in what is saved of it."""
    page = browser.new_page()
    page.goto((hostile / "variance.html").as_uri())
    page.wait_for_selector("html[data-ready]", state="attached", timeout=20_000)
    title, notes = page.locator("h1").inner_text(), page.locator("header p").inner_text()
    image = page.get_by_role("img", name=title, exact=True)
    expect(image).to_have_accessible_description(notes)
    for form in ("SVG", "PNG"):
        with page.expect_download() as download:
            page.get_by_role("button", name=form).press("Enter")
        assert download.value.suggested_filename == f"variance.{form.lower()}"
        download.value.save_as(tmp_path / f"saved.{form}")
    said = " ".join(text_of(tmp_path / "saved.SVG").split())
    assert title in said
    assert "Cohort <b>c1</b>." in said
    assert (tmp_path / "saved.PNG").read_bytes().startswith(b"\x89PNG")
    page.close()


def test_two_scored_stages_have_panels_of_their_own(tmp_path: Path) -> None:
    """Each on its own scale, with its name before the titles."""
    frame = scores(combo_id=2, evaluation_replicate=1)
    essays = frame.drop_duplicates("parent_gen_id").assign(score=50.5, score_max=100.0)
    essays["gen_id"], essays["parent_gen_id"] = essays["essay_gen_id"], essays["draft_gen_id"]
    essays[["essay_gen_id", *(name for name in frame if name.startswith("evaluation_"))]] = ""
    text = drawings(tmp_path, pd.concat([frame, essays]))
    assert "each stage on its own scale" in text["score_distributions"]
    for name in ("score_distributions", "template_judge", "judge_agreement", "variance"):
        assert "Essay: " in text[name], name
        assert "Evaluation: " in text[name], name


def test_a_table_that_is_none_is_refused(tmp_path: Path) -> None:
    """In a line that names the file, and the column that it lacks."""
    frame = one_score()
    paths = write(tmp_path, frame, calls_of(frame))
    table = pd.read_csv(paths["variance"]).rename(columns={"component": "componant"})
    table.to_csv(paths["variance"], index=False)
    with pytest.raises(InputError, match=r"variance\.csv: lacks the column 'component'"):
        read_tables(paths, cohort="c1")
    Path(paths["variance"]).unlink()
    with pytest.raises(InputError, match=r"variance\.csv: cannot be read"):
        read_tables(paths, cohort="c1")
    assert set(COLUMNS) < set(paths)


def test_titles_state_what_was_found(tmp_path: Path) -> None:
    """Each finding is counted again here, from the table of scores alone."""
    frame = scores(combo_id=8, evaluation_template=1, evaluation_llm=3)
    noise = np.random.default_rng(3).normal(0, 0.2, len(frame))
    frame["score"] = 4 + 2 * (frame["draft_template"] == frame["draft_template"].iloc[0]) + noise
    judges, templates = frame["evaluation_llm"].unique(), frame["draft_template"].unique()
    models = frame["draft_llm"].unique()
    frame.loc[frame["draft_llm"] == models[0], "score"] += 1
    words = {name: " ".join(text.split()) for name, text in drawings(tmp_path, frame).items()}
    title = f"Each of {len(judges)} judges gives draft template {templates[0]} the highest mean"
    assert title in words["template_judge"]
    assert (
        f"Highest mean by draft: template {templates[0]}, model {models[0]}"
        in words["template_model"]
    )
    pairs = pd.read_csv(tmp_path / "comparisons.csv")
    sure = int((pairs["p_holm"] < 0.05).sum())
    assert 0 < sure < len(pairs)
    assert f"Differences beyond chance: {sure} of {len(pairs)} tested pairs" in words["comparisons"]
    # One judge is of another mind.
    frame.loc[frame["evaluation_llm"] == judges[0], "score"] *= -1
    frame["score"] += 9 * (frame["evaluation_llm"] == judges[0])
    title = f"{len(judges) - 1} of {len(judges)} judges give draft template {templates[0]}"
    said = " ".join(drawings(tmp_path, frame)["template_judge"].split())
    assert title in said.replace("gives", "give")


def drawn(directory: Path, frame: pd.DataFrame, figure: str, *, panel: str = "adjusted") -> Path:
    """Draw one figure of scores, and return the path of the drawing."""
    path = directory / f"{figure}.svg"
    draw_figures(
        write(directory, frame, calls_of(frame), panel=panel), cohort="c1", output=[str(path)]
    )
    return path


def words(path: Path) -> str:
    return " ".join(text_of(path).split())


@pytest.fixture
def tied() -> pd.DataFrame:
    """Return scores of writers who make both stages, where an essay template copies."""
    return tied_writers().rows.drop(columns=["parent", "root", "judge", "share", "value"])


def test_no_width_of_what_shares_no_cell(tmp_path: Path, tied: pd.DataFrame) -> None:
    """The title says what it is to expect; the rule of a panel is said to be another matter."""
    text = words(drawn(tmp_path, tied, "allocation", panel="median"))
    assert "Essay model" not in text
    assert "Draft model" in text
    assert "To expect of the present design: differences within ±" in text
    assert "Of means over single judges: nothing here is of the panel's median." in text


def test_pairs_that_are_not_tested_do_not_count(tmp_path: Path, tied: pd.DataFrame) -> None:
    """The pair of essay models has no cell."""
    text = words(drawn(tmp_path, tied, "comparisons"))
    pairs = pd.read_csv(tmp_path / "comparisons.csv")
    tested = int(pairs["p_holm"].notna().sum())
    assert tested == len(pairs) - 1
    assert re.search(rf"Differences beyond chance: \d of {tested} tested pairs", text)


def test_names_of_lines_do_not_overlap(tmp_path: Path, tied: pd.DataFrame) -> None:
    """Six and eight texts are nearly as good."""
    root = ET.parse(drawn(tmp_path, tied, "allocation")).getroot()
    for panel in (group for group in root.iter(f"{SVG}g") if _is_names(group)):
        heights = sorted(
            float(re.findall(r"[-.\d]+", text.attrib["transform"])[1])
            for text in panel.iter(f"{SVG}text")
        )
        assert len(heights) > 3
        assert all(after - before > 12 for before, after in pairwise(heights))


def _is_names(group: ET.Element) -> bool:
    """Tell whether a group holds nothing but the names of lines."""
    texts = [child.text or "" for child in group]
    return bool(texts) and all(re.fullmatch(r"\d+ texts?", text) for text in texts)


def test_two_combos_leave_no_layer_empty(tmp_path: Path, browser: Browser) -> None:
    """Vega warns of a layer without marks; the present design is none of three combos."""
    frame = scores(combo_id=2)
    path = tmp_path / "allocation.html"
    draw_figures(write(tmp_path, frame, calls_of(frame)), cohort="c1", output=[str(path)])
    page = browser.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(path.as_uri())
    page.wait_for_selector("html[data-ready]", state="attached")
    page.close()
    assert said == []


def costs(directory: Path, *factors: float) -> Tables:
    """Return the tables of recipes whose texts cost so many times as much as a cent."""
    frame = scores(combo_id=8, draft_template=len(factors), draft_llm=1)
    levels = dict(zip(frame["draft_template"].unique(), factors, strict=True))
    frame["parent_usd"] = 0.01 * frame["draft_template"].map(levels)
    return read_tables(write(directory, frame, calls_of(frame)), cohort="c1")


def test_costs_far_apart_are_shown_by_their_ratios(tmp_path: Path) -> None:
    """Filled points are drawn last, on top of open ones."""
    for factors, kind in (((1, 2, 40), "log"), ((1, 2, 8), None), ((0, 1, 40), None)):
        spec = cost_quality(costs(tmp_path, *factors)).to_dict()
        (panel,) = spec["vconcat"]
        points = panel["layer"][0]
        assert points["encoding"]["x"]["scale"].get("type") == kind, factors
        rows = spec["datasets"][points["data"]["name"]]
        filled = [row["p_front"] >= 0.5 for row in rows]
        assert filled == sorted(filled)
        assert {*filled} == {False, True}
