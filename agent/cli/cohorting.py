"""`chartline cohort`: load, ask, screen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import orjson
from rich.console import Group
from rich.text import Text

from agent import auditing, settings
from agent.cli.output import clean, console, emit, is_terminal, plain_table, safe_json, tell_note
from agent.errors import UserError
from agent.settings import Settings
from agent.sources import credentials_for, is_url, open_source
from agent.trials.asking import Question, understand
from agent.trials.counting import WORDS, count, question_of, screened
from agent.trials.matching import match
from agent.trials.population import Place
from agent.trials.prescreening import prescreen
from agent.trials.runs import read_run, write_run
from agent.trials.sheet import Sheet
from fhir_tools.cohort.loading import Loaded, load_cohort
from fhir_tools.cohort.tables import Cohort, opened
from fhir_tools.cohort.views import View, read_view
from fhir_tools.types import Reference

__all__ = ["ask", "load", "screen"]

_SHOWN = 40
_TOKENS = (1_200, 300)
"""Prompt and generated tokens of one statement that a model reads in one chart, about."""
_BATCH = 50
"""Charts that are read between two writes of the state."""


def load(
    places: Sequence[str], folder: Path | None, group: str, views: Path | None, jobs: int, *, as_json: bool
) -> None:
    """Load the places and tell what came of it. Raises UserError, LoadError, SourceError."""
    given = settings.read()
    own = tuple(read_view(p) for p in sorted(views.glob("*.json"))) if views else ()
    home = _home(folder, given)
    urls = [p for p in places if is_url(p)]
    if urls and (len(urls) > 1 or len(places) > 1):
        raise UserError("a cohort is loaded from files and folders, or from one server")
    if urls:
        work = home.with_name(home.name + ".export")
        files = asyncio.run(_exported(urls[0], work, group, given))
        told = _load(files, home, own, jobs)
        _forget(work)
    else:
        told = _load([Path(p).expanduser() for p in places], home, own, jobs)
    _record(given, home)
    _tell(told, as_json=as_json)


def _load(paths: Sequence[Path], home: Path, views: tuple[View, ...], jobs: int) -> Loaded:
    with _bar("files") as tell:
        return load_cohort(paths, home, views=views, jobs=jobs, progress=tell)


def _tell(told: Loaded, *, as_json: bool) -> None:
    if as_json:
        print(
            safe_json(
                {
                    "cohort": str(told.folder),
                    "resources": told.resources,
                    "rows": told.rows,
                    "files": told.files,
                    "nobody": told.nobody,
                }
            )
        )
        return
    rows = [(name, str(n)) for name, n in sorted(told.rows.items()) if n]
    emit(console(), plain_table(("view", "rows"), rows))
    if told.nobody:
        tell_note(
            f"! {told.nobody} records name no patient as Patient/id, so no question finds them; a Bundle that uses "
            "urn:uuid links goes through a store: chartline load, serve-fhir, then cohort load from that server"
        )
    again = f", {told.reused} of them done by an earlier run" if told.reused else ""
    tell_note(f"{sum(told.resources.values())} resources of {told.files} files{again}: {told.folder}")


async def _exported(base: str, folder: Path, group: str, given: Settings) -> tuple[Path, ...]:
    from fhir_tools.cohort.bulk import export
    from fhir_tools.cohort.views import shipped
    from fhir_tools.http import Http, Limits

    types = sorted({v.resource for v in shipped()})
    limits = Limits(total=3600, read=given.fhir_seconds, body=4_000_000_000)
    ca = str(given.fhir_ca) if given.fhir_ca else None
    async with Http(base, auth=credentials_for(base, given), origins=given.fhir_origins, limits=limits, ca=ca) as http:
        return await export(http, folder, group=group, types=types, told=_note)


def _note(what: str, done: int = 0, total: int = 0) -> None:
    tell_note(f"{what} {done} of {total}" if total else what)


def _forget(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)


def _home(folder: Path | None, given: Settings) -> Path:
    return (folder or given.cohort).expanduser()


def ask(
    text: str, folder: Path | None, engine: str, as_of: date | None, min_cell: int, out: Path | None,
    *, no_names: bool, sql: bool, as_json: bool,
) -> None:  # fmt: skip
    """Print a count or a list. Raises UserError for words that are not understood."""
    given, question = settings.read(), understand(text)
    day = as_of or given.today()
    with opened(_home(folder, given), engine) as cohort:
        expression = question_of(question, cohort, day)
        if sql:
            print(_sql(cohort, expression))
            return
        _record(given, cohort.folder, cohort)
        wanted = question.want == "list" or out is not None
        found = count(cohort, expression, least=min_cell, listed=wanted, names=not no_names)
    if out is not None and not found.few:
        _write(out, found.rows)
    told = {
        "question": text, "understood": list(question.told), "as_of": day.isoformat(),
        "patients": found.patients, "listed": None if question.want == "count" else list(found.rows),
        "engine": engine, "warnings": list(found.warnings),
    }  # fmt: skip
    if as_json:
        print(safe_json(told))
    else:
        emit(console(), view_of(question, told, found.rows))


def view_of(question: Question, told: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> Group:
    counts = told["patients"]
    parts: list[Any] = [Text(f"Understood as of {told['as_of']}: patients with", style="dim")]
    parts += [Text(clean(f"  {line}"), style="dim") for line in told["understood"]]
    number = counts["hold"]
    open_ = counts["cannot be told"]
    parts.append(Text(f"{number} patient{'' if number == 1 else 's'}", style="bold"))
    if open_:
        parts.append(Text(f"of {open_} more it cannot be told: a result or a date is missing", style="yellow"))
    parts += [Text(w, style="yellow") for w in told["warnings"]]
    if question.want == "list" and rows:
        parts.append(plain_table(tuple(rows[0]), [tuple(str(v or "") for v in r.values()) for r in rows[:_SHOWN]]))
        if len(rows) > _SHOWN:
            parts.append(Text(f"… and {len(rows) - _SHOWN} more; --out or --json has all", style="dim"))
    return Group(*parts)


def _sql(cohort: Cohort, expression: Any) -> str:
    return str(cohort.backend.compile(expression, pretty=True))


def screen(
    trial: str, folder: Path | None, engine: str, as_of: date | None, min_cell: int, out: Path | None,
    read: Sequence[str], state: Path | None, *, no_names: bool, sql: bool, yes: bool, as_json: bool,
) -> None:  # fmt: skip
    """Print how many patients each statement keeps; write who passes, with every word and the facts behind it."""
    from agent.cli.trialling import sheet_of

    given = settings.read()
    sheet = asyncio.run(sheet_of(trial, given))
    day = as_of or given.today()
    with opened(_home(folder, given), engine) as cohort:
        asked = prescreen(sheet.criteria, cohort, day)
        if sql:
            print(_sql(cohort, asked.expression))
            return
        _record(given, cohort.folder, cohort)
        told = screened(cohort, asked, day, least=min_cell, names=not no_names)
        table, counts, rows = told.criteria, told.patients, told.rows
    if out is not None:
        _write(out, rows)
    if as_json:
        print(
            safe_json(
                {"trial": sheet.trial, "as_of": day.isoformat(), "patients": counts, "criteria": table, "passing": rows}
            )
        )
    else:
        emit(console(), _screened(sheet, day, counts, table))
    if read:
        _read(sheet, rows, day, read, state, given, yes=yes)


def _screened(sheet: Sheet, day: date, counts: Mapping[str, Any], table: Sequence[Mapping[str, Any]]) -> Group:
    rows = [
        (str(t["number"] or ""), f"{t['section']}: {t['text']}", *(str(t[w]) for w in WORDS.values())) for t in table
    ]
    told = f"{counts['pass']} pass or cannot be told, {counts['excluded']} excluded"
    return Group(
        Text.assemble((clean(sheet.title or sheet.trial), "bold"), f"  {sheet.trial} as of {day}"),
        Text(told, style="dim"),
        plain_table(("", "statement", "met", "unknown", "not met"), rows),
    )


def _read(
    sheet: Sheet, rows: Sequence[Mapping[str, Any]], day: date, places: Sequence[str], state: Path | None,
    given: Settings, *, yes: bool,
) -> None:  # fmt: skip
    """The charts of those who pass, read one by one, after the cost was told."""
    open_ = sum(1 for r in rows for v in r["criteria"].values() if v["verdict"] == "unknown")
    prompt, made = (open_ * n for n in _TOKENS)
    tell_note(
        f"{len(rows)} charts, {open_} open statements: about {prompt:,} prompt and {made:,} generated tokens at most"
    )
    if given.reasoner != "rules" and not yes:
        raise UserError("a model would be used on all of these; add --yes to do it, or set CHARTLINE_REASONER=rules")
    asyncio.run(_read_charts(sheet, [r["patient"] for r in rows], day, places, state, given))


async def _read_charts(
    sheet: Sheet, patients: Sequence[str], day: date, places: Sequence[str], state: Path | None, given: Settings
) -> None:
    from agent.cli.trialling import reads_with, view_of

    before = read_run(state) if state else None
    async with (
        open_source(places, given) as source,
        reads_with(given) as (reads, name),
        auditing.open_record(given) as record,
    ):
        work = None
        for end in [*range(_BATCH, len(patients), _BATCH), len(patients)]:
            place = Place(source, [Reference(type="Patient", id=p) for p in patients[:end]])
            done = await match(sheet, place, day, given, reads=reads, reader=name, record=record, before=before)
            before, work = done.run, done.worklist
            if state:
                write_run(state, done.run)
            tell_note(f"read {end} of {len(patients)}")
    if work is not None:
        emit(console(), view_of(work, verbose=False))


def _write(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    try:
        path.write_bytes(b"".join(orjson.dumps(r) + b"\n" for r in rows))
    except OSError as error:
        raise UserError(f"cannot write {str(path)!r}: {error.strerror}") from error
    tell_note(f"written to {path}")


def _record(given: Settings, folder: Path, cohort: Cohort | None = None) -> None:
    """The run on record: who looked at which cohort (a digest of what was loaded); nothing of what was found."""
    digest = cohort.id if cohort else orjson.loads((folder / "manifest.json").read_bytes())["digest"]
    asyncio.run(_recorded(given, str(digest)))


async def _recorded(given: Settings, digest: str) -> None:
    async with auditing.open_record(given) as record:
        await auditing.keep(record, auditing.cohort_entry(given, digest))


@contextmanager
def _bar(what: str) -> Iterator[Callable[[int, int], None] | None]:
    """A bar on a terminal, nothing elsewhere."""
    if not is_terminal():
        yield None
        return
    from rich.progress import Progress

    with Progress(console=console(err=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
