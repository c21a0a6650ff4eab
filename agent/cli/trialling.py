"""`chartline trials`: compile, match, find."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import date
from pathlib import Path

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from agent import auditing, settings
from agent.cli.output import clean, console, emit, is_terminal, plain_table, safe_json, tell_note
from agent.errors import EXIT_OK, EXIT_OPERATOR, UserError
from agent.patients import choose
from agent.reasoning import chat_model
from agent.settings import Settings
from agent.sources import open_source
from agent.trials.export import export, unnamed
from agent.trials.matching import Step
from agent.trials.matching import find as find_trials
from agent.trials.matching import match as match_patients
from agent.trials.population import Among, Folder, Place, Population
from agent.trials.proposing import improved
from agent.trials.reader import ModelReader
from agent.trials.reading import compile_trial, is_number, read_file, read_folder
from agent.trials.registry import fetch_trial
from agent.trials.runs import read_run, write_run
from agent.trials.screening import Reads
from agent.trials.sheet import Sheet, is_sheet, read_sheet, write_sheet
from agent.trials.types import Criterion, Screened, Trial, Verdict
from agent.trials.worklist import Worklist

__all__ = ["compile_", "find", "match", "reads_with", "sheet_of", "view_of"]

_COLOURS = {"eligible": "green", "possibly eligible": "yellow", "excluded": "red"}
_SHOWN = 40


def compile_(trial: str, out: Path | None) -> None:
    """Print the sheet, or write it; tell how much of it rules understood."""
    protocol, criteria = asyncio.run(_compiled(trial, settings.read()))
    text = write_sheet(protocol, criteria, str(out) if out else "criteria.yaml")
    if out is None:
        print(clean(text), end="")
    else:
        _write(out, text)
    open_ = [c.statement.number for c in criteria if c.check.type in ("reader", "no chart")]
    told = f"; rules cannot check no. {', '.join(map(str, open_))}" if open_ else ""
    tell_note(f"{len(criteria)} statements{told}")


async def _compiled(trial: str, given: Settings) -> tuple[Trial, tuple[Criterion, ...]]:
    """The protocol and its checks, those that rules leave open proposed by a model where one is set."""
    protocol = await _protocol(trial, given)
    criteria = compile_trial(protocol)
    if given.reasoner == "rules":
        return protocol, criteria
    async with chat_model(given) as model:
        return protocol, await improved(criteria, model, seconds=given.model_seconds)


async def _protocol(trial: str, given: Settings) -> Trial:
    path = Path(trial).expanduser()  # noqa: ASYNC240  once, at the start
    if not path.exists() and is_number(trial):
        return await fetch_trial(trial, given)
    if path.is_dir():
        raise UserError(f"{trial!r} is a folder; name one protocol in it")
    found = read_file(path)
    if len(found) != 1:
        raise UserError(f"{trial!r} holds {len(found)} studies; give a file with one")
    return found[0]


async def sheet_of(trial: str, given: Settings) -> Sheet:
    path = Path(trial).expanduser()  # noqa: ASYNC240  once, at the start
    if is_sheet(path):
        return read_sheet(path)
    protocol, criteria = await _compiled(trial, given)
    return Sheet(trial=protocol.id, title=protocol.title, criteria=criteria)


def match(
    trial: str, charts: Path | None, fhir: Sequence[str], cohort: Path | None, patients: Sequence[str],
    as_of: date | None, format_: str, out: Path | None, state: Path | None, min_cell: int,
    *, no_names: bool, verbose: bool,
) -> int:  # fmt: skip
    """Print or write the worklist; the exit code is 3 when a patient could not be screened."""
    if charts and (fhir or patients):
        raise UserError("--charts is a folder of whole charts; leave out --fhir and --patient, or leave it out")
    work = asyncio.run(_match(trial, charts, fhir, cohort, patients, as_of, state, min_cell))
    work = unnamed(work) if no_names else work
    if format_ == "terminal":
        screen = console()
        emit(screen, view_of(work, verbose=verbose))
    elif out is None:
        print(clean(export(work, format_)))
    if out is not None and format_ == "terminal":
        raise UserError("--out needs --format json, csv, html or fhir")
    if out is not None:
        _write(out, export(work, format_))
    return EXIT_OPERATOR if work.failed else EXIT_OK


async def _match(
    trial: str,
    charts: Path | None,
    fhir: Sequence[str],
    cohort: Path | None,
    patients: Sequence[str],
    as_of: date | None,
    state: Path | None,
    min_cell: int,
) -> Worklist:
    given = settings.read()
    sheet = await sheet_of(trial, given)
    before = read_run(state) if state else None
    as_of = as_of or given.today()
    left = _not_excluded(sheet, cohort, as_of) if cohort else None
    async with (
        _population(charts, fhir, patients, given) as population,
        reads_with(given) as (reads, name),
        auditing.open_record(given) as record,
    ):
        people = population if left is None else Among(population, left)
        with _progress("patients") as tell:
            done = await match_patients(
                sheet, people, as_of, given, reads=reads, reader=name, record=record,
                before=before, min_cell=min_cell, progress=tell,
            )  # fmt: skip
    if state:
        write_run(state, done.run)
    return done.worklist


def _not_excluded(sheet: Sheet, folder: Path, as_of: date) -> frozenset[str]:
    """The ids of a cohort's patients that its checks leave: who passes, or whose check cannot be told."""
    from agent.trials.prescreening import prescreen
    from fhir_tools.cohort.tables import opened

    with opened(folder.expanduser()) as cohort:
        asked = prescreen(sheet.criteria, cohort, as_of)
        left = frozenset(row["patient"] for row in cohort.rows(asked.passing().select("patient")))
        [every] = cohort.rows(asked.expression.aggregate(n=asked.expression.count()))
    tell_note(f"the cohort excludes {every['n'] - len(left)} of {every['n']}; {len(left)} charts to look at")
    return left


@asynccontextmanager
async def _population(
    charts: Path | None, fhir: Sequence[str], patients: Sequence[str], given: Settings
) -> AsyncIterator[Population]:
    if charts:
        yield Folder(charts, given)
        return
    async with open_source(fhir, given) as source:
        yield Place(source, [await choose(source, p) for p in patients])


@asynccontextmanager
async def reads_with(given: Settings) -> AsyncIterator[tuple[Reads | None, str]]:
    """A reader with the model of the settings, and its name; none where they name rules."""
    if given.reasoner == "rules":
        yield None, "rules"
        return
    async with AsyncExitStack() as stack:
        model = await stack.enter_async_context(chat_model(given))
        card = await model.describe()
        yield ModelReader(model, thinking=given.model_thinking, seconds=given.model_seconds), card.name


def find(
    folder: Path, patient: str | None, fhir: Sequence[str], as_of: date | None, *, as_json: bool, verbose: bool
) -> None:
    """Print the trials that fit the patient."""
    found = asyncio.run(_find(folder, patient, fhir, as_of))
    if as_json:
        print(safe_json([s.model_dump(mode="json") for s in found]))
        return
    emit(console(), _found_view(found, verbose=verbose))


async def _find(folder: Path, patient: str | None, fhir: Sequence[str], as_of: date | None) -> tuple[Screened, ...]:
    given = settings.read()
    sheets = _sheets(folder)
    async with (
        open_source(fhir, given) as source,
        reads_with(given) as (reads, _),
        auditing.open_record(given) as record,
    ):
        reference = await choose(source, patient)
        with _progress("trials") as tell:
            return await find_trials(
                sheets,
                source,
                reference,
                as_of or given.today(),
                given,
                reads=reads,
                record=record,
                progress=tell,
            )


def _sheets(folder: Path) -> list[Sheet]:
    """The protocols and the edited sheets of a folder."""
    sheets = [Sheet(trial=t.id, title=t.title, criteria=compile_trial(t)) for t in _protocols(folder)]
    sheets += [read_sheet(p) for p in sorted(folder.iterdir()) if is_sheet(p)]
    if not sheets:
        raise UserError(f"{str(folder)!r} holds no protocol; give .json of ClinicalTrials.gov or FHIR, .txt, or .yaml")
    return sheets


def _protocols(folder: Path) -> tuple[Trial, ...]:
    return read_folder(folder) if any(p.suffix.lower() in (".json", ".txt", ".md") for p in folder.iterdir()) else ()


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text + ("" if text.endswith("\n") else "\n"), encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot write {str(path)!r}: {error.strerror}") from error
    tell_note(f"written to {path}")


@contextmanager
def _progress(what: str) -> Iterator[Callable[[Step], None] | None]:
    """A bar on a terminal, nothing elsewhere."""
    if not is_terminal():
        yield None
        return
    from rich.progress import Progress

    with Progress(console=console(err=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda step: bar.update(task, completed=step.done, total=step.total)


def view_of(work: Worklist, *, verbose: bool) -> RenderableType:
    """The worklist for the terminal."""
    counts = ", ".join(f"{n} {name}" for name, n in work.counts.items())
    parts: list[RenderableType] = [
        Text.assemble((clean(work.title or work.trial), "bold"), f"  {work.trial} as of {work.as_of}"),
        Text(f"{counts}; {work.looked} looked at", style="dim"),
        *(Text(f"! {w}", style="yellow") for w in work.warnings),
        *(Text(clean(f"! {f.patient} could not be screened: {f.error}"), style="magenta") for f in work.failed),
    ]
    if work.changes:
        rows = [(c.patient, c.text or "outcome", f"{c.before} → {c.after}", c.reason) for c in work.changes]
        parts += [
            Padding(Text("Changed since the last run", style="bold"), (1, 0, 0, 0)),
            plain_table(("patient", "what", "change", "why"), rows),
        ]
    shown = work.rows if verbose else work.rows[:_SHOWN]
    parts.append(Padding(_patients(shown), (1, 0, 0, 0)))
    if len(shown) < len(work.rows):
        parts.append(Text(f"… and {len(work.rows) - len(shown)} more; --verbose or --format shows them", style="dim"))
    if verbose:
        parts += [Padding(_verdicts(r), (1, 0, 0, 0)) for r in shown]
    return Group(*parts)


def _patients(rows: Sequence[Screened]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2), header_style="bold")
    for head in ("#", "patient", "outcome", "open points, or why not"):
        table.add_column(head, overflow="fold", no_wrap=head in ("#", "outcome"))
    for rank, row in enumerate(rows, 1):
        who = clean(f"{row.name}\n{row.patient}" if row.name else row.patient)
        table.add_row(str(rank), Text(who), Text(row.outcome, style=_COLOURS[row.outcome]), Text(clean(_settle(row))))
    return table


def _settle(row: Screened) -> str:
    """Why a patient is excluded, or what is open, unknown before undocumented."""
    if row.outcome == "excluded":
        return row.why
    open_ = [v for v in row.verdicts if v.number in row.open]
    asks = [f"{v.number}. {v.missing}" for v in open_ if v.verdict == "unknown"]
    bare = [str(v.number) for v in open_ if v.verdict != "unknown"]
    return "\n".join([*asks, *((f"{', '.join(bare)}: not documented",) if bare else ())])


def _verdicts(row: Screened) -> RenderableType:
    rows = [(str(v.number or ""), f"{v.section}: {v.text}", v.verdict.replace("_", " "), _why(v)) for v in row.verdicts]
    who = clean(f"{row.name or row.patient}: {row.trial}, {row.outcome}")
    return Group(Text(who, style="bold"), plain_table(("", "statement", "verdict", "why"), rows))


def _why(verdict: Verdict) -> str:
    cited = " ".join(f"[{c.mark}] {c.reference}" for c in verdict.citations if c.reference)
    return "\n".join(filter(None, (verdict.reason, f"→ {verdict.missing}" if verdict.missing else "", cited)))


def _found_view(found: Sequence[Screened], *, verbose: bool) -> RenderableType:
    table = Table(box=None, pad_edge=False, padding=(0, 2), header_style="bold")
    for head in ("#", "trial", "outcome", "open points, or why not"):
        table.add_column(head, overflow="fold", no_wrap=head in ("#", "outcome"))
    for rank, row in enumerate(found, 1):
        table.add_row(str(rank), row.trial, Text(row.outcome, style=_COLOURS[row.outcome]), Text(clean(_settle(row))))
    return Group(table, *(Padding(_verdicts(r), (1, 0, 0, 0)) for r in found if verbose))
