"""`chartline model bench` and `compare`: run a bench with its progress, and show its figures, alone or side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import groupby
from pathlib import Path

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from agent import settings
from agent.cli.output import clean, console, emit, safe_json, tell_note
from agent.errors import EXIT_OK, EXIT_OPERATOR, UserError
from agent.evals.bench import Bench, Figures, Plan
from agent.evals.bench.figures import read_figures, write_figures
from agent.evals.bench.table import rows
from agent.evals.cases import Case, read_rows
from agent.reasoning import chat_model
from agent.settings import Settings
from fhir_tools import demo

__all__ = ["Wanted", "bench", "compare", "view"]

EXIT_INTERRUPTED = 130
_LABEL = 34


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the command line asks for; None and 0 are what the settings and the package have."""

    name: str | None = None
    url: str | None = None
    questions: Path | None = None
    charts: Path | None = None
    minutes: float = 10.0
    at_once: int = 0
    auto: bool = False


def bench(wanted: Wanted, out: Path | None, *, as_json: bool) -> int:
    """Measure, and tell what was measured, also where Ctrl-C or an error ends it. The exit code is 3 after faults."""
    given = _settings(wanted)
    plan = _plan(wanted, given)
    interrupted, measured = False, None
    with console(err=True).status("…") as status:
        made = Bench(chat_model(given), given, plan, lambda text: status.update(f"{text} …"))
        try:
            asyncio.run(_run(made))
        except KeyboardInterrupt:
            interrupted = True
        finally:
            measured = made.figures()
            if measured and out:
                write_figures(out, measured)
    if measured is None:
        raise KeyboardInterrupt
    if as_json:
        print(safe_json(measured.model_dump(mode="json")))
    else:
        emit(console(), view([measured]))
    _tell(measured, out)
    return EXIT_INTERRUPTED if interrupted else EXIT_OPERATOR if measured.faults else EXIT_OK


async def _run(made: Bench) -> None:
    async with made.model:
        await made.run()


def _settings(wanted: Wanted) -> Settings:
    given = settings.read()
    changed: dict[str, object] = {"reasoner": "auto" if wanted.auto else "llm"}
    changed |= {"model": wanted.name} if wanted.name else {}
    changed |= {"model_url": wanted.url} if wanted.url else {}
    changed |= {"model_batch": wanted.at_once} if wanted.at_once else {}
    return given.model_copy(update=changed)


def _plan(wanted: Wanted, given: Settings) -> Plan:
    if (wanted.questions is None) != (wanted.charts is None):
        raise UserError("give --questions and --charts together: the questions, and the folder with their charts")
    questions = wanted.questions or Path(str(files("agent.evals") / "demo_questions.jsonl"))
    cases = read_rows(questions, Case)
    if not cases:
        raise UserError(f"{str(questions)!r} holds no questions")
    charts = wanted.charts or demo.paths()[0].parent
    return Plan(cases=cases, charts=charts, seconds=60 * wanted.minutes, at_once=given.model_batch)


def _tell(measured: Figures, out: Path | None) -> None:
    if measured.cut:
        tell_note(f"ended early, so less or nothing was measured of: {'; '.join(measured.cut)}. More: --minutes")
    for fault in measured.faults:
        tell_note(f"the model failed: {clean(fault)}")
    if out:
        tell_note(f"written to {out}")


def compare(paths: Sequence[Path], *, as_json: bool) -> None:
    """Show the figures of the files side by side. Raises UserError for a file that holds none."""
    several = [read_figures(path) for path in paths]
    if as_json:
        print(safe_json({str(path): f.model_dump(mode="json") for path, f in zip(paths, several, strict=True)}))
        return
    emit(console(), view(several, [path.stem for path in paths]))
    if len({(f.of, f.reasoner) for f in several}) > 1:
        tell_note("other questions or another reasoner: what is told of questions cannot be compared")


def view(several: Sequence[Figures], names: Sequence[str] = ()) -> RenderableType:
    """The figures for a terminal: rows in groups, a column for each bench; for two also the second by the first."""
    parts: list[RenderableType] = []
    paired = len(several) == 2
    for group, of in groupby(rows(several), key=lambda row: row.group):
        table = Table(box=None, pad_edge=False, padding=(0, 2), show_header=False)
        table.add_column(width=_LABEL, overflow="fold")
        for cells in [("", *names)] if names and not parts else []:
            table.add_row(*(Text(clean(cell), style="bold") for cell in cells))
        for row in of:
            cells = (row.label, *row.cells, *((row.ratio,) if paired else ()))
            table.add_row(*(Text(clean(cell)) for cell in cells))
        parts += [Text(group, style="bold"), Padding(table, (0, 0, 1, 2))]
    return Group(*parts)
