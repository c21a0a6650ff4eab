"""`chartline doctor`: what a new site needs to know about its FHIR server, for the eye or as JSON."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from agent import settings
from agent.cli.output import clean, console, emit, safe_json
from agent.errors import EXIT_OK, EXIT_OPERATOR, UserError
from agent.settings import Settings
from agent.sources import check_place, credentials_for, is_url
from fhir_tools.remote.findings import AREAS, Area, Level, Need, Report, Speed
from fhir_tools.remote.needs import ASPECTS

__all__ = ["doctor", "finding_row", "report_view"]

_TITLES: dict[Area, str] = {
    "reach": "The way there",
    "server": "The server",
    "auth": "Credentials",
    "capabilities": "What it offers",
    "claims": "Tried for one patient",
    "questions": "Questions",
    "speed": "Speed",
}
_SIGNS = {"good": ("✓", "green"), "note": ("·", "cyan"), "poor": ("!", "yellow"), "bad": ("✗", "bold red")}
_WORDS = {"server": "yes", "here": "here", "no": "no", "": ""}
_MEGABYTE = 1_000_000


def doctor(fhir: str | None, patient: str | None, *, as_json: bool) -> int:
    """Look at a FHIR server and tell what was found; the exit code is 3 when it cannot be used.

    Raises UserError where no server is named, or a setting is wrong.
    """
    given = settings.read()
    base = fhir or next(iter(given.fhir), None)
    if base is None or not is_url(base):
        raise UserError("doctor looks at a FHIR server: give its base URL by --fhir, or set CHARTLINE_FHIR")
    check_place(base)
    with console(err=True).status("") as status:
        report = asyncio.run(_looked(base, patient, given, lambda stage: status.update(f"{stage} …")))
    if as_json:
        print(safe_json(report.as_json()))
    else:
        emit(console(), report_view(report))
    return EXIT_OK if report.usable else EXIT_OPERATOR


async def _looked(base: str, patient: str | None, given: Settings, tell: Callable[[str], None]) -> Report:
    from fhir_tools.auth import FhirAuth
    from fhir_tools.http import Http, Limits
    from fhir_tools.profiles import profile
    from fhir_tools.remote.probe import probe

    auth = credentials_for(base, given, alone=len(given.fhir) < 2)
    ca = str(given.fhir_ca) if given.fhir_ca else None
    limits = Limits(total=min(20.0, given.fhir_seconds), read=min(15.0, given.fhir_seconds), attempts=2)

    def connect(credentials: FhirAuth | None) -> Http:
        return Http(base, auth=credentials, origins=given.fhir_origins, limits=limits, ca=ca)

    return await probe(
        connect,
        auth=auth,
        patient=patient.removeprefix("Patient/") if patient else None,
        profile=profile(given.fhir_profile) if given.fhir_profile else None,
        ca=ca,
        tell=tell,
    )


def report_view(report: Report) -> RenderableType:
    """The report for the terminal: areas with their findings and remedies, two tables, and the verdict last."""
    parts: list[RenderableType] = [Text.assemble(("chartline doctor  ", "dim"), (clean(report.base), "bold"))]
    for area in AREAS:
        shown = [finding_row(f.level, f.text, f.remedy) for f in report.findings if f.area == area]
        if area == "capabilities" and report.needs:
            shown.append(Padding(_needs(report.needs), (0, 0, 0, 2)))
        if area == "speed" and report.speeds:
            shown.append(Padding(_speeds(report.speeds), (0, 0, 0, 2)))
        if shown:
            parts += [Text(), Text(_TITLES[area], style="bold"), *shown]
    return Group(*parts, Text(), _verdict(report))


def finding_row(level: Level, text: str, remedy: str) -> RenderableType:
    """A finding with its sign, and below it what would change it."""
    sign, style = _SIGNS[level]
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True, width=3, justify="right")
    grid.add_column(overflow="fold")
    grid.add_row(Text(sign, style=style), Text(clean(text)))
    if remedy:
        grid.add_row("", Text(f"→ {clean(remedy)}", style="dim"))
    return grid


def _needs(needs: tuple[Need, ...]) -> RenderableType:
    """By whom each type is filtered: `yes` is the server, `here` chartline over all that the patient has."""
    table = _narrow("type", *(aspect.removeprefix("_") for aspect in ASPECTS), "scope")
    for need in needs:
        cells = (_WORDS[need.abilities.get(aspect, "")] for aspect in ASPECTS)
        table.add_row(need.type, *cells, _scope(need), style="yellow" if not need.usable or need.part else "")
    return Group(table, Text("yes: the server filters; here: chartline does, over the whole type", style="dim"))


def _narrow(first: str, *headers: str, right: bool = False) -> Table:
    """A table whose first column is whole on eighty columns as well."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column(first, no_wrap=True)
    for header in headers:
        table.add_column(header, justify="right" if right else "left")
    return table


def _scope(need: Need) -> str:
    return "missing" if need.scope else "in part" if need.part else ""


def _speeds(speeds: tuple[Speed, ...]) -> RenderableType:
    table = _narrow("one page of", "   found", "      ms", "     size", " ms, cut", "size, cut", right=True)
    for s in speeds:
        whole = (str(s.found), f"{s.milliseconds:.0f}", _bytes(s.size))
        cut = ("", "") if s.cut_size is None else (f"{s.cut_milliseconds:.0f}", _bytes(s.cut_size))
        table.add_row(s.type, *whole, *cut)
    runs = max(s.runs for s in speeds)
    return Group(table, Text(f"median of {runs}; cut: with _elements, as charts are opened", style="dim"))


def _bytes(size: int) -> str:
    return (
        f"{size / _MEGABYTE:.1f} MB" if size >= _MEGABYTE else f"{size / 1000:.1f} kB" if size >= 1000 else f"{size} B"
    )


def _verdict(report: Report) -> RenderableType:
    poor = sum(f.level == "poor" for f in report.findings)
    if not report.usable:
        told = ("The server cannot be used: see ✗ above.", "bold red")
    elif poor:
        told = (
            f"The server can be used; {poor} finding{'s' if poor > 1 else ''} (!) will make answers incomplete.",
            "yellow",
        )
    else:
        told = ("All good: the server can be used for every kind of question that it has data for.", "green")
    return Text.assemble(told, (f"  {report.seconds:.1f} s", "dim"))
