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
from markupsafe import Markup

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
body { margin: 0; background: white; color: {{ ink }}; font: 14px/1.45 {{ font }}; }
header { display: none; padding: 12px 14px 0; overflow-wrap: anywhere; }
h1 { margin: 0; font-size: 18px; line-height: 1.25; }
p { margin: 6px 0; color: {{ muted }}; }
#figure { width: max-content; }
@media (max-width: 640px) {
  header { display: block; }
  #figure { display: block; width: auto; overflow-x: auto; }
}
</style>
</head>
<body>
<header><h1>{{ heading }}</h1><p>{{ notes }}</p></header>
<main id="figure"></main>
{% for script in scripts %}<script>{{ script }}</script>
{% endfor %}</body>
</html>
"""
)


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
            return drawing.encode()
        case ".png":
            return bytes(vl_convert.svg_to_png(drawing, scale=RESOLUTION, ppi=72))
    return page(spec, title=path.stem.replace("_", " ")).encode()


def page(spec: Mapping[str, Any], *, title: str) -> str:
    """Return a page with an interactive chart that needs nothing beside itself."""
    # JSON may write any character as a number, and only a `<` could end the script.
    text = json.dumps(spec, ensure_ascii=True).replace("<", "\\u003c")
    actions = {"export": True, "source": False, "compiled": False, "editor": False}
    options = json.dumps({"mode": "vega-lite", "renderer": "svg", "actions": actions})
    heading = spec["title"]
    scripts = [
        vl_convert.javascript_bundle(vl_version=VEGA_LITE),  # type: ignore[call-arg]
        # On a phone, whatever is wider than the screen scrolls; heading and notes take its width.
        f"const spec = {text}; if (matchMedia('(max-width: 640px)').matches) "
        f"{{ delete spec.title; spec.padding = 10; }} "
        f"vegaEmbed('#figure', spec, {options}).then("
        f"() => document.documentElement.setAttribute('data-ready', ''))",
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
