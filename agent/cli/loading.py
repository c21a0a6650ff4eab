"""`chartline load`: files into the store, with a bar on a terminal, and a report of what came in."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.text import Text

from agent import settings
from agent.cli.output import clean, console, emit, is_terminal, plain_table, tell_error, tell_note
from agent.errors import EXIT_OK, EXIT_USER, UserError, one_line
from agent.sources import is_store
from fhir_tools.load import LoadReport
from fhir_tools.load import load as load_files
from fhir_tools.local import LocalStore

__all__ = ["load"]

_WARNINGS = 20
_TENTH = 10


def load(paths: list[Path], store: Path | None, *, validate: bool) -> int:
    """Load the files and tell what came of it; the exit code is 1 when a file did not load."""
    place = (store or settings.read().store).expanduser()
    _make_room(place)
    start = time.perf_counter()
    target = LocalStore(place)
    try:
        with _progress() as tell:
            report = load_files(paths, target, validate=validate, progress=tell)
    finally:
        target.close()
    if not report.files:
        raise UserError(f"no FHIR files in {', '.join(repr(str(path)) for path in paths)}")
    _tell(report)
    tell_note(f"{_sum(report)} in {time.perf_counter() - start:.1f} s; the store is {place}")
    return EXIT_USER if report.errors else EXIT_OK


def _make_room(place: Path) -> None:
    if place.exists() and place.stat().st_size and not is_store(place):
        raise UserError(f"{str(place)!r} is no chartline store; name another file with --store")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch(mode=0o600)
    except OSError as error:
        raise UserError(
            f"cannot write the store {str(place)!r}: {error.strerror}; name another with --store"
        ) from error


def _tell(report: LoadReport) -> None:
    """The table of types, then warnings, then what failed."""
    if report.resources:
        rows = ((name, f"{count:,}") for name, count in report.resources.items())
        emit(console(), plain_table(("resources", "count"), rows, frozenset({1})))
    for path, warned in report.warnings[:_WARNINGS]:
        console(err=True).print(Text(clean(f"! {path}: {warned}"), style="yellow"), soft_wrap=True)
    if len(report.warnings) > _WARNINGS:
        tell_note(f"… and {len(report.warnings) - _WARNINGS} more kinds of warning")
    for error in report.errors:
        tell_error(f"{one_line(error)}; nothing of this file was loaded")


def _sum(report: LoadReport) -> str:
    changes = {"new": report.new, "updated": report.updated, "unchanged": report.unchanged, "deleted": report.deleted}
    told = ", ".join(f"{count:,} {word}" for word, count in changes.items() if count)
    files = len(report.files) - len(report.errors)
    return f"{files} of {len(report.files)} files, {told or 'nothing new'}"


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """A bar in bytes on a terminal; elsewhere a line for each tenth of what takes more than a second."""
    if not is_terminal():
        yield _lines()
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("loading"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console(err=True), transient=True) as bar:
        task = bar.add_task("loading", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _lines() -> Callable[[int, int], None]:
    start, told = time.perf_counter(), 0

    def tell(done: int, total: int) -> None:
        nonlocal told
        tenth = _TENTH * done // total if total else _TENTH
        if tenth > told and tenth < _TENTH and time.perf_counter() - start > 1:
            tell_note(f"loading: {100 * done // total} %")
        told = max(told, tenth)

    return tell
