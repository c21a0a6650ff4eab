"""`chartline report` and `chartline images triage`: what the vision model makes of whole studies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from agent import auditing, reasoning, settings
from agent.cli.asking import session
from agent.cli.output import clean, console, emit, plain_table, safe_json, tell_note
from agent.errors import EXIT_OK, EXIT_OPERATOR, OperatorError, UserError
from agent.patients import choose, listed
from agent.settings import Settings
from agent.sources import open_source
from fhir_tools.types import Reference

if TYPE_CHECKING:
    from agent.models.base import ChatModel
    from agent.studies import Wanted
    from agent.vision.triage import Row, Seen
    from fhir_tools.audit import Record
    from fhir_tools.source import Source

__all__ = ["report", "triage"]

_ORDER = "An order to read in, by what a model saw; no verdict, and no reason not to read the rest."
_WHO = "no vision model is set: CHARTLINE_VISION names one that reads images, CHARTLINE_VISION_URL its server"


def report(
    study: str, patient: str | None, format_: str, out: Path | None, as_of: date | None, fhir: Sequence[str]
) -> None:
    """Print the draft report of one image, or write it to `out`."""
    text = asyncio.run(_report(study, patient, format_, as_of, fhir))
    if out is None:
        print(text if format_ == "fhir" else clean(text), end="" if text.endswith("\n") else "\n")
        return
    try:
        out.write_text(text if text.endswith("\n") else f"{text}\n", encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot write {str(out)!r}: {error.strerror}") from error
    tell_note(f"written to {out}: a draft, to be checked and signed")


async def _report(study: str, patient: str | None, format_: str, as_of: date | None, fhir: Sequence[str]) -> str:
    known, reference = settings.read(), named(study)
    async with session(patient, as_of, fhir, known) as agent:
        if agent.looking.eyes is None:
            raise UserError(_WHO)
        from agent.studies import draft_report
        from agent.vision.drafting import as_fhir, as_text

        made = await draft_report(agent.looking, await agent.chart(), reference)
    return safe_json(as_fhir(made)) if format_ == "fhir" else as_text(made)


def named(text: str) -> Reference:
    """The image that is named. Raises UserError for what is no Type/id."""
    try:
        return Reference.parse(text.strip())
    except ValueError as error:
        raise UserError(f"{text!r} names no image; give Type/id, as `chartline images list` has it") from error


def triage(
    patients: Sequence[str],
    worklist: Path | None,
    modality: str,
    since: date | None,
    as_of: date | None,
    fhir: Sequence[str],
    *,
    as_json: bool,
) -> int:
    """Print studies in the order to read them in; the exit code is 3 where some chart or study could not be read."""
    return asyncio.run(_triage(patients, worklist, modality, since, as_of, fhir, as_json))


async def _triage(
    patients: Sequence[str],
    worklist: Path | None,
    modality: str,
    since: date | None,
    as_of: date | None,
    fhir: Sequence[str],
    as_json: bool,
) -> int:
    from agent.studies import Wanted
    from agent.vision.triage import as_data, ranked

    known = settings.read()
    lines = _lines(worklist) if worklist else tuple((p, None) for p in patients)
    seen: list[Seen] = []
    whole = True
    async with _charts(known, as_of, fhir) as look:
        for patient, reference in lines or tuple((p, None) for p in await look.everyone()):
            wanted = Wanted(modality=modality, since=since, reference=reference)
            found, complete = await look.through(patient, wanted)
            seen, whole = [*seen, *found], whole and complete
    rows = ranked(seen)
    if as_json:
        print(safe_json({"order": _ORDER, "complete": whole, "studies": as_data(rows)}))
    else:
        _show(rows)
    unread = any(row.soon == "not read" for row in rows)
    return EXIT_OPERATOR if unread or not whole else EXIT_OK


def _lines(path: Path) -> tuple[tuple[str, Reference | None], ...]:
    from agent.studies import parsed

    try:
        return parsed(path.read_text(encoding="utf-8").splitlines())
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {str(path)!r}: {getattr(error, 'strerror', 'it is no text')}") from error


def _show(rows: Sequence[Row]) -> None:
    if not rows:
        tell_note("there is no such study")
        return
    cells = [(str(row.rank), row.soon, _study(row), "\n".join(filter(None, (row.reason, row.unsure)))) for row in rows]
    headers = ("", "see within", "study", "reason, as read by the model")
    emit(console(), plain_table(headers, cells, frozenset({0})))
    models = ", ".join(dict.fromkeys(row.model for row in rows if row.model))
    tell_note(f"{_ORDER}{f' Read by {models}.' if models else ''}")


def _study(row: Row) -> str:
    taken = row.image.when.text if row.image.when else "undated"
    return f"{row.image.reference}\n{str(row.patient).removeprefix('Patient/')}, {taken}"


class _Charts:
    """Looks through the charts of one source, one after the other, with one model."""

    def __init__(
        self, source: Source, known: Settings, record: Record | None, model: ChatModel, as_of: date | None,
        fhir: Sequence[str],
    ) -> None:  # fmt: skip
        self._source, self._known, self._record = source, known, record
        self._model, self._as_of, self._fhir = model, as_of, fhir

    async def everyone(self) -> tuple[str, ...]:
        """Every patient of the source. Raises UserError where they cannot be listed to the end."""
        people, whole = await listed(self._source)
        if not whole:
            raise UserError("the server has more patients than it lists: name them, or give a --list")
        return tuple(person.id for person in people)

    async def through(self, patient: str, wanted: Wanted) -> tuple[tuple[Seen, ...], bool]:
        """What is seen in the studies wanted of one patient; a chart that cannot be read is told and passed over."""
        from agent.reasoners.rules import Rules
        from agent.studies import look_through
        from agent.wire import Agent

        reference = await choose(self._source, patient)
        async with Agent(
            self._source, reference, as_of=self._as_of, settings=self._known, reasoner=Rules(), vision=self._model,
            record=self._record, fhir=self._fhir,
        ) as agent:  # fmt: skip
            try:
                chart = await agent.chart()
            except OperatorError as error:
                tell_note(f"{reference} could not be read: {error}")
                return (), False
            seen, whole = await look_through(agent.looking, chart, wanted)
        if not seen:
            tell_note(f"{reference} has no such image{'' if whole else ', as far as could be read'}")
        return seen, whole


@asynccontextmanager
async def _charts(known: Settings, as_of: date | None, fhir: Sequence[str]) -> AsyncIterator[_Charts]:
    model = reasoning.vision_model(known)
    if model is None:
        raise UserError(_WHO)
    async with open_source(fhir, known) as source, auditing.open_record(known) as record, model:
        yield _Charts(source, known, record, model, as_of, fhir)
