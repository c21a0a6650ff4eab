"""The summary as one self-contained HTML page: no scripts, nothing loaded, every mark a link to its citation."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from agent.summaries.plots import svg
from agent.summaries.types import Plot, Summary

__all__ = ["html"]


def html(summary: Summary, more: Mapping[str, tuple[str, ...]], searches: str) -> str:
    """The page. `more` has what each section (by title) leaves out; `searches` is the line about searches."""
    return _template().render(
        summary=summary,
        sections=(summary.banner, *summary.sections),
        more=more,
        searches=searches,
        drawn=_drawn,
        told=_told,
    )


@cache
def _template() -> Template:
    # Chart text is data: everything is escaped but the drawings, which are made here.
    loader = PackageLoader("agent.summaries", package_path=".")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("page.html.j2")


def _drawn(plot: Plot) -> Markup:
    return Markup(svg(plot))  # noqa: S704  vl-convert escapes the labels that it draws


def _told(plot: Plot) -> str:
    """The plot in words, for who does not see it."""
    first, last = plot.points[0], plot.points[-1]
    known = plot.low is not None or plot.high is not None
    band = f"; reference range {_bound(plot.low)} to {_bound(plot.high)}" if known else ""
    number = len([p for p in plot.points if p[2] == plot.names[0]])
    return f"{plot.title}, {number} results from {first[0].date()} to {last[0].date()}{band}"


def _bound(value: float | None) -> str:
    return "open" if value is None else f"{value:g}"
