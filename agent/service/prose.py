"""An answer as plain text with its sources under it, for clients that show text alone."""

from __future__ import annotations

from collections.abc import Iterator

from agent.types import Answer, Citation

__all__ = ["prose"]


def prose(answer: Answer) -> str:
    """The answer's text, then what each mark points to, what a model read from pixels, and what a reader must know.

    Of a removed statement only the fault is told; a search that was not complete is told with its own.
    """
    return "\n\n".join("\n".join(part) for part in _parts(answer) if part)


def _parts(answer: Answer) -> Iterator[list[str]]:
    yield [answer.text]
    yield [f"Read from image [{r.image}] by {r.model}, not checked: {r.text}" for r in answer.readings]
    yield [_source(citation) for citation in answer.citations]
    partial = (row for row in answer.searched if not row.complete)
    yield [
        *(f"Warning: {warning}" for warning in answer.warnings),
        *(f"Not all could be searched: {row.query}: {row.error or 'cut short'}" for row in partial),
        *(f"A statement was removed: {removed.reason}" for removed in answer.removed),
    ]
    yield [f"({answer.status.replace('_', ' ')}; {answer.reasoner}; as of {answer.as_of})"]


def _source(citation: Citation) -> str:
    """`[1] 2026-04-06 Hemoglobin A1c 7.2 % (Observation/abc)`."""
    where = citation.reference or (f"of {len(citation.inputs)} records" if citation.inputs else "")
    return f"[{citation.mark}] {citation.excerpt}" + (f" ({where})" if where else "")
