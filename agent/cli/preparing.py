"""`chartline service`: answers ahead, the file of cards, what readers did with cards."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from agent import settings as settings_module
from agent.cli.output import clean, console, emit, plain_table, tell_note
from agent.errors import EXIT_OK, EXIT_OPERATOR, MissingExtra, UserError
from agent.settings import Settings

if TYPE_CHECKING:
    from agent.service.cds.ahead import Done
    from agent.service.cds.feedback import Tally

__all__ = ["ahead", "cards", "feedback"]


@contextmanager
def _service() -> Iterator[None]:
    """Imports of the service. Raises MissingExtra."""
    try:
        yield
    except ModuleNotFoundError as missing:
        if missing.name not in ("fastapi", "starlette", "sqlalchemy"):
            raise
        raise MissingExtra("service", "service") from missing


def ahead(patients: Path | None, cards: Path | None, fhir: Sequence[str], as_of: date | None, *, as_json: bool) -> int:
    """Ask ahead and tell what is kept. 3 where a chart could not be read."""
    settings = settings_module.read()
    settings = settings.model_copy(update={"as_of": as_of or settings.as_of, "cds_cards": cards or settings.cds_cards})
    done = asyncio.run(_ahead(settings, patients, tuple(fhir)))
    if as_json:
        sys.stdout.write(orjson.dumps([asdict(one) for one in done]).decode() + "\n")
    failed = sum(bool(one.fault) for one in done)
    tell_note(f"{sum(one.kept for one in done)} answers kept of {len(done) - failed} patients; {failed} failed")
    return EXIT_OPERATOR if failed else EXIT_OK


async def _ahead(settings: Settings, patients: Path | None, fhir: tuple[str, ...]) -> tuple[Done, ...]:
    with _service():
        from agent.service.cds.ahead import ahead, of_today
        from agent.service.cds.configuring import read_cards
        from agent.service.cds.deciding import grant_of
        from agent.service.database import open_database
        from agent.service.desk import Desk
    questions = read_cards(settings.cds_cards).questions
    if not questions:
        raise UserError("no card asks a question: add one of kind question to the file of cards")
    async with open_database(settings) as database, Desk(settings, fhir=fhir) as desk:
        asked = _ids(patients) if patients else await of_today(desk)
        if not asked:
            tell_note("no patient has an appointment today; give ids by --patients FILE")

        def tell(one: Done) -> None:
            tell_note(f"{clean(one.patient)}: {clean(one.fault) if one.fault else f'{one.kept} answers'}")

        return await ahead(desk, database, grant_of(desk, fhir), asked, questions, tell)


def _ids(path: Path) -> tuple[str, ...]:
    """The ids of a file, one a line; blank lines and lines that begin with # are passed over."""
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {str(path)!r}: a text file with one patient id a line is meant") from error
    lines = (line.strip() for line in text.splitlines())
    return tuple(dict.fromkeys(line for line in lines if line and not line.startswith("#")))


def cards(path: Path | None) -> int:
    """Check the file and show its cards."""
    with _service():
        from agent.service.cds.configuring import read_cards
    found = read_cards(path or settings_module.read().cds_cards)
    rows = [(c.name, c.kind, c.indicator, ", ".join(c.hooks)) for c in found.cards]
    emit(console(), plain_table(("card", "kind", "indicator", "hooks"), rows))
    return EXIT_OK


def feedback(*, as_json: bool) -> int:
    """Show the counts."""
    found = asyncio.run(_tallies())
    if as_json:
        sys.stdout.write(orjson.dumps([asdict(one) for one in found]).decode() + "\n")
        return EXIT_OK
    rows = [(t.card, str(t.shown), str(t.accepted), str(t.overridden), _reasons(t)) for t in found]
    if not rows:
        tell_note("no card was shown yet")
    emit(console(), plain_table(("card", "shown", "accepted", "overridden", "reasons"), rows))
    return EXIT_OK


def _reasons(tally: Tally) -> str:
    return ", ".join(f"{clean(reason)} {number}" for reason, number in tally.reasons.items())


async def _tallies() -> tuple[Tally, ...]:
    with _service():
        from agent.service.cds import feedback as kept
        from agent.service.database import open_database
    async with open_database(settings_module.read()) as database:
        return await kept.tally(database)
