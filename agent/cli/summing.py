"""`chartline summary`: a cited summary, to the terminal or a file."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

from agent import auditing, settings
from agent.cli.asking import session
from agent.cli.output import clean, safe_json, tell_note
from agent.errors import UserError
from agent.sources import is_url, places

__all__ = ["summarised", "summary"]


def summary(
    patient: str | None, kind: str, format_: str, out: Path | None, as_of: date | None, fhir: Sequence[str]
) -> None:
    """Print the summary, or write it to `out`."""
    text = asyncio.run(summarised(patient, kind, format_, as_of, fhir))
    if out is None:
        print(text if format_ in ("html", "json", "fhir") else clean(text))
        return
    try:
        out.write_text(text + ("" if text.endswith("\n") else "\n"), encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot write {str(out)!r}: {error.strerror}") from error
    tell_note(f"written to {out}")


async def summarised(patient: str | None, kind: str, format_: str, as_of: date | None, fhir: Sequence[str]) -> str:
    """The rendered summary of the patient that is meant."""
    from agent import summaries

    given = settings.read()
    async with session(patient, as_of, fhir, given) as agent:
        chart = await agent.chart()
        made = await summaries.summarise(chart, kind)
        if format_ != "fhir":
            return summaries.render(made, format_)
        from agent.fhir_out import Request, cited_records, summary_document

        request = Request(who=auditing.who(agent.settings, agent.patient), made=datetime.now(UTC))
        told = summary_document(made, request, await cited_records(chart, made), base=server_of(places(fhir, given)))
    return safe_json(told)


def server_of(asked: Sequence[str]) -> str:
    """The base URL where one server alone is asked; empty otherwise."""
    return asked[0] if len(asked) == 1 and is_url(asked[0]) else ""
