"""How every figure looks: fonts, colours, sizes, and the Altair theme made of them."""

from __future__ import annotations

import altair as alt

# Liberation Sans is in vl-convert, which draws SVG and PNG; Arial has the same widths.
FONT = "Liberation Sans, Arial, Helvetica, sans-serif"

INK = "#1f2933"
MUTED = "#5f6b76"
FAINT = "#d5dade"
EMPTY = "#eef0f2"
BLUE = "#0072b2"
PALE_BLUE = "#9cc6e0"
# Colours that the colour-blind tell apart: Okabe and Ito, Color Universal Design, 2008, without
# black and yellow, which do not stand out from text or from white.
PALETTE = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#7f7f7f"]
# The ends of colours in matrices, all of them light: black numbers stand on each with a contrast of
# 7:1 or more.
SEQUENTIAL = ["#f1f6fa", "#5fa8d3"]
DIVERGING = ["#e8932f", "#f4f2ee", "#5fa8d3"]

WIDTH = 460
ROW = 24
CELL = 46


@alt.theme.register("daydream", enable=True)
def theme() -> alt.theme.ThemeConfig:
    """Return the theme."""
    return {
        "background": "white",
        # Text that another font makes wider stays within the drawing.
        "padding": {"left": 40, "right": 80, "top": 18, "bottom": 18},
        "config": {
            "font": FONT,
            "title": {
                "font": FONT,
                "fontSize": 17,
                "fontWeight": "bold",
                "color": INK,
                "subtitleFont": FONT,
                "subtitleFontSize": 12.5,
                "subtitleColor": MUTED,
                "subtitleLineHeight": 17,
                "subtitlePadding": 6,
                "anchor": "start",
                "offset": 16,
            },
            "axis": {
                "labelFontSize": 12,
                "labelColor": INK,
                "labelPadding": 6,
                "titleFontSize": 12,
                "titleFontWeight": "normal",
                "titleColor": MUTED,
                "titlePadding": 8,
                "gridColor": "#e8ebee",
                "domainColor": FAINT,
                "tickColor": FAINT,
            },
            "axisY": {"ticks": False, "domain": False, "grid": False},
            "legend": {
                "labelFontSize": 12,
                "labelColor": INK,
                "labelLimit": 260,
                "titleFontSize": 12,
                "titleFontWeight": "normal",
                "titleColor": MUTED,
                "orient": "top",
                "direction": "horizontal",
            },
            "view": {"stroke": None},
            # As in texts: a space before the sign.
            "locale": {
                "number": {
                    "decimal": ".",
                    "thousands": ",",
                    "grouping": [3],
                    "currency": ["$", ""],
                    "percent": " %",
                }
            },
            "range": {"category": PALETTE},
            "text": {"font": FONT, "fontSize": 12, "color": INK},
            "concat": {"spacing": 26},
            # Texts beside the marks: at the ends of rows, and in place of what there is not. A rim
            # keeps lines from running through it.
            "style": {  # type: ignore[typeddict-unknown-key]
                "head": {"align": "left", "angle": -40},
                "name": {"align": "right"},
                "aside": {"align": "left", "color": MUTED, "fontSize": 11.5},
                "note": {"align": "left", "color": MUTED, "fontSize": 11.5, "fontStyle": "italic"},
                "rim": {
                    "align": "left",
                    "fontSize": 11.5,
                    "fontStyle": "italic",
                    "stroke": "white",
                    "strokeWidth": 4,
                },
            },
        },
    }
