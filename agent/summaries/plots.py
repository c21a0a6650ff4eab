"""The course of a measurement as a drawing: an inline SVG for pages, a line of block characters for terminals."""

from __future__ import annotations

import re
from datetime import UTC
from typing import Any

import altair as alt
import vl_convert

from agent.summaries.types import Plot
from fhir_tools import compute, units, wording
from fhir_tools.cards.measurement import numbers_of
from fhir_tools.types import Components, Fact, Quantity

__all__ = ["plot_of", "sparkline", "svg"]

_BLOCKS = "▁▂▃▄▅▆▇█"
_SPARK = 24
_LEAST = 3
_DAYS, _MONTHS = 90, 3 * 365
_TIME: dict[str, Any] = {
    "tickCount": 4,
    "grid": False,
    "labelFlush": True,
    "labelOverlap": "greedy",
    "labelSeparation": 8,
}
_TEXT, _BAND, _LINE, _NOW = "#010203", "#010204", "#010205", "#010206"
_VARIABLES = {_TEXT: "currentColor", _BAND: "var(--band)", _LINE: "var(--line)", _NOW: "var(--now)"}
"""Stand-in colours of the drawing, and the page's own that take their place (so that dark mode reaches it)."""
_RANGE = re.compile(r"^\s*(?P<low>-?\d+(?:\.\d+)?)\s*-\s*(?P<high>-?\d+(?:\.\d+)?)(?![\d-])\s*(?P<unit>\S*)")
_ONE = re.compile(r"^\s*(?P<sign>[<>]=?|≤|≥)\s*(?P<value>-?\d+(?:\.\d+)?)\s*(?P<unit>\S*)")


def plot_of(facts: tuple[Fact, ...], older: int = 0) -> Plot | None:
    """The facts (of one concept, oldest first) as a course; None with fewer than three comparable, dated numbers."""
    told = tuple(f for f in facts if f.when and f.when.low and f.when.precision in ("day", "time"))
    pressure = bool(told) and all(wording.is_blood_pressure(f) for f in told)
    course = compute.series(tuple(numbers_of(f) for f in told))
    points = [(f.when.low, v, "systolic" if pressure else "") for f, v in course.points if f.when and f.when.low]
    if len(points) < _LEAST:
        return None
    if pressure:
        lower = compute.series(tuple(f.value.parts[1] for f in told if isinstance(f.value, Components)))
        points += [(f.when.low, v, "diastolic") for f, v in lower.points if f.when and f.when.low]
    low, high = (None, None) if pressure else _bounds(course.points[-1][0])
    return Plot(
        title=wording.label(told[-1].concept),
        unit=units.show(course.unit) or "",
        points=tuple(points),
        low=low,
        high=high,
        older=max(0, older),
    )


def _bounds(fact: Fact) -> tuple[float | None, float | None]:
    """The result's own reference range, if it is in the result's own unit or has none."""
    text = str(fact.details.get("range", ""))
    both, one = _RANGE.match(text), _ONE.match(text)
    found = both or one
    if not found or not isinstance(fact.value, Quantity):
        return None, None
    if found["unit"] and found["unit"] not in (fact.value.unit, fact.value.code):
        return None, None
    if both:
        return float(both["low"]), float(both["high"])
    value = float(one["value"]) if one else 0.0
    return (None, value) if one and one["sign"][0] in "<≤" else (value, None)


def sparkline(plot: Plot) -> str:
    """`▁▃▆█`, the newest 24 points of the first series, scaled from its least to its greatest."""
    values = [value for _, value, name in plot.points if name == plot.names[0]][-_SPARK:]
    least, span = min(values), max(values) - min(values)
    return "".join(_BLOCKS[round((v - least) / span * (len(_BLOCKS) - 1))] if span else _BLOCKS[3] for v in values)


def svg(plot: Plot) -> str:
    """The plot as one `<svg>` element without ids, colours taken from the page (`currentColor` and CSS variables)."""
    made = vl_convert.vegalite_to_svg(_chart(plot).to_dict())
    made = made[made.index("<svg") :]
    for colour, variable in _VARIABLES.items():
        made = made.replace(colour, variable)
    return made


def _chart(plot: Plot) -> Any:
    rows = [{"t": when.astimezone(UTC).isoformat(), "v": v, "s": name or plot.title} for when, v, name in plot.points]
    last = [next(r for r in reversed(rows) if r["s"] == (name or plot.title)) for name in plot.names]
    x = alt.X("t:T", title=None, scale=alt.Scale(type="utc"), axis=alt.Axis(**_TIME, format=_format(plot)))
    y = alt.Y("v:Q", title=None, scale=alt.Scale(zero=False, nice=True), axis=alt.Axis(tickCount=4))
    line = alt.Chart(_data(rows)).mark_line(color=_LINE, strokeWidth=1.5, point={"color": _LINE, "size": 14})
    latest = alt.Chart(_data(last))
    layers = [
        line.encode(x=x, y=y, detail="s:N"),
        latest.mark_point(color=_NOW, filled=True, size=60, opacity=1).encode(x=x, y=y),
        latest.mark_text(color=_TEXT, dx=7, align="left", fontWeight="bold").encode(x=x, y=y, text="v:Q"),
    ]
    if plot.low is not None or plot.high is not None:
        layers.insert(0, _band(plot, [float(str(r["v"])) for r in rows], y))
    return (
        alt.layer(*layers)
        .properties(width=240, height=110, background="transparent")
        .configure(
            font="system-ui, sans-serif",
            padding={"left": 4, "right": 34, "top": 8, "bottom": 4},
            view=alt.ViewConfig(stroke=None),
            axis=alt.AxisConfig(
                labelColor=_TEXT, titleColor=_TEXT, tickColor=_TEXT, domainColor=_TEXT, gridColor=_BAND
            ),
        )
    )


def _format(plot: Plot) -> str:
    """How days are written on the axis: a day, a month or a year, by how long the course is."""
    days = (plot.points[-1][0] - plot.points[0][0]).days
    return "%-d %b %Y" if days < _DAYS else "%b %Y" if days < _MONTHS else "%Y"


def _data(rows: list[dict[str, Any]]) -> Any:
    return alt.InlineData(values=rows)


def _band(plot: Plot, values: list[float], y: Any) -> Any:
    """The reference range; a side that the chart leaves open ends where the points do."""
    low = plot.low if plot.low is not None else min([*values, plot.high or 0.0])
    high = plot.high if plot.high is not None else max([*values, low])
    rows = [{"v": low, "v2": high}]
    return alt.Chart(_data(rows)).mark_rect(color=_BAND, opacity=1).encode(y=y, y2="v2:Q")
