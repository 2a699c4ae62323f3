"""The figures of a cohort, from tables to files: a page, a drawing and a picture of each."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import altair as alt
import jinja2
import vl_convert
from markupsafe import Markup, escape

from daydream.figures.agreement import judge_agreement
from daydream.figures.allocation import allocation
from daydream.figures.calls import calls
from daydream.figures.comparisons import comparisons
from daydream.figures.cost import cost_quality
from daydream.figures.distributions import score_distributions
from daydream.figures.failures import failures
from daydream.figures.heatmap import template_judge, template_model
from daydream.figures.leaderboard import leaderboard
from daydream.figures.novelty import novelty
from daydream.figures.tables import Tables, read_tables
from daydream.figures.theme import FONT, INK, MUTED
from daydream.figures.variance import variance
from daydream.figures.writers import writer_judge
from daydream.files import replacing

Figure = Callable[[Tables], alt.VConcatChart]

DRAWN: Mapping[str, Figure] = {
    "leaderboard": leaderboard,
    "cost_quality": cost_quality,
    "score_distributions": score_distributions,
    "template_judge": template_judge,
    "template_model": template_model,
    "judge_agreement": judge_agreement,
    "variance": variance,
    "allocation": allocation,
    "writer_judge": writer_judge,
    "comparisons": comparisons,
    "novelty": novelty,
    "calls": calls,
    "failures": failures,
}
# Pixels of the picture for one of the drawing: 144 dots an inch.
RESOLUTION = 2.0
VEGA_LITE = alt.SCHEMA_VERSION.removeprefix("v").rpartition(".")[0]

# Altair's own page would let `</script>` in a name end the script. This one allows nothing but its
# own scripts; Vega makes functions of its expressions, which needs unsafe-eval.
PAGE = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(
    """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data: blob:; \
style-src 'unsafe-inline'; script-src 'unsafe-eval' {{ digests }}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>
body { margin: 0; padding: 14px; background: white; color: {{ ink }}; font: 14px/1.45 {{ font }}; }
header { max-width: 640px; overflow-wrap: anywhere; }
h1 { margin: 0; font-size: 18px; line-height: 1.3; }
p { margin: 6px 0; color: {{ muted }}; }
button { font: inherit; color: inherit; background: white; border: 1px solid {{ muted }}; \
border-radius: 4px; padding: 2px 9px; cursor: pointer; }
:focus-visible { outline: 2px solid {{ ink }}; outline-offset: 2px; }
#scroll { overflow-x: auto; }
@media print { nav { display: none; } #scroll { overflow: visible; } }
</style>
</head>
<body>
<main>
<header><h1 id="title">{{ heading }}</h1><p id="notes">{{ notes }}</p></header>
<div id="scroll" tabindex="0" role="region" aria-label="Figure"><div id="figure"></div></div>
<nav aria-label="Save the figure"><button type="button">SVG</button> \
<button type="button">PNG</button></nav>
</main>
{% for script in scripts %}<script>{{ script }}</script>
{% endfor %}</body>
</html>
"""
)
# Title and notes are the page's own. The drawing is one image of that name: its marks one by one
# say nothing to who cannot see them. What is saved of it has the title inside.
SHOW = """\
const options = {mode: "vega-lite", renderer: "svg", actions: false};
const {title, ...drawing} = spec;
drawing.padding = 10;
const save = async (format) => {
  const {view} = await vegaEmbed(document.createElement("div"), spec, options);
  const link = document.createElement("a");
  link.href = await view.toImageURL(format, 2);
  link.download = `${name}.${format}`;
  link.click();
};
for (const button of document.querySelectorAll("button")) {
  button.onclick = () => save(button.textContent.toLowerCase());
}
vegaEmbed("#figure", drawing, options).then(() => {
  const figure = document.querySelector("#figure");
  figure.removeAttribute("aria-roledescription");
  figure.removeAttribute("aria-label");
  figure.setAttribute("role", "img");
  figure.setAttribute("aria-labelledby", "title");
  figure.setAttribute("aria-describedby", "notes");
  figure.querySelector("svg").setAttribute("aria-hidden", "true");
  document.documentElement.setAttribute("data-ready", "");
});
"""


def draw_figures(tables: Mapping[str, str], *, cohort: str, output: Sequence[str]) -> None:
    """Write figures of a cohort: `output` has paths ``<directory>/<figure>.<html, svg or png>``.

    `tables` has the paths of the tables by their names in `Tables`.

    Raises:
        InputError: a table cannot be read.
        StoreError: the file system does not take a figure.
    """
    found = read_tables(tables, cohort=cohort)
    paths = [Path(path) for path in output]
    for name in dict.fromkeys(path.stem for path in paths):
        spec = DRAWN[name](found).to_dict()
        drawing = vl_convert.vegalite_to_svg(spec, vl_version=VEGA_LITE, allowed_base_urls=[])
        for path in paths:
            if path.stem == name:
                with replacing(path) as file:
                    file.write(_rendered(spec, drawing, path))


def _rendered(spec: dict[str, Any], drawing: str, path: Path) -> bytes:
    match path.suffix:
        case ".svg":
            return _named(drawing, spec).encode()
        case ".png":
            return bytes(vl_convert.svg_to_png(drawing, scale=RESOLUTION, ppi=72))
    return page(spec, title=path.stem.replace("_", " ")).encode()


def _named(drawing: str, spec: Mapping[str, Any]) -> str:
    """Return a drawing that says its title and notes as one image, to who cannot see it."""
    root, rest = drawing.split(">", 1)
    title, notes = (escape(" ".join(spec["title"][part])) for part in ("text", "subtitle"))
    return f'{root} role="img"><title>{title}</title><desc>{notes}</desc>{rest}'


def page(spec: Mapping[str, Any], *, title: str) -> str:
    """Return a page with an interactive chart that needs nothing beside itself."""
    # JSON may write any character as a number, and only a `<` could end the script.
    text = json.dumps(spec, ensure_ascii=True).replace("<", "\\u003c")
    heading = spec["title"]
    scripts = [
        vl_convert.javascript_bundle(vl_version=VEGA_LITE),  # type: ignore[call-arg]
        f"const spec = {text}, name = {json.dumps(title.replace(' ', '_'))};\n{SHOW}",
    ]
    return PAGE.render(
        title=title,
        heading=" ".join(heading["text"]),
        notes=" ".join(heading["subtitle"]),
        font=FONT,
        ink=INK,
        muted=MUTED,
        digests=Markup(" ".join(_digest(script) for script in scripts)),  # noqa: S704
        scripts=[Markup(script) for script in scripts],  # noqa: S704
    )


def _digest(script: str) -> str:
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"'sha256-{digest}'"
