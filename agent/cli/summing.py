"""`chartline summary`: a cited summary, to the terminal or a file."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from agent import settings
from agent.cli.asking import session
from agent.cli.output import clean, tell_note
from agent.errors import UserError

__all__ = ["summarised", "summary"]


def summary(
    patient: str | None, kind: str, format_: str, out: Path | None, as_of: date | None, fhir: Sequence[str]
) -> None:
    """Print the summary, or write it to `out`."""
    text = asyncio.run(summarised(patient, kind, format_, as_of, fhir))
    if out is None:
        print(text if format_ in ("html", "json") else clean(text))
        return
    try:
        out.write_text(text + ("" if text.endswith("\n") else "\n"), encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot write {str(out)!r}: {error.strerror}") from error
    tell_note(f"written to {out}")


async def summarised(patient: str | None, kind: str, format_: str, as_of: date | None, fhir: Sequence[str]) -> str:
    """The rendered summary of the patient that is meant."""
    from agent import summaries

    async with session(patient, as_of, fhir, settings.read()) as agent:
        made = await summaries.summarise(await agent.chart(), kind)
    return summaries.render(made, format_)
