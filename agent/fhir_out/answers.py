"""An answer as FHIR: its text, sources, searches and what could not be read. Readings of pixels stay behind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from agent.fhir_out.bundles import Form, collection
from agent.fhir_out.output import Output, Part, Request, Source, identity
from agent.types import Answer, Citation
from fhir_tools.writing.elements import concept, plain

__all__ = ["answer_bundle", "answer_output"]

_LOINC = "http://loinc.org"
_STATES = {
    "not_found": "Searched for, and not documented.",
    "incomplete": "Incomplete: not all that was asked about could be read.",
    "refused": "Not answered: the question was not understood, or nothing could be backed by the chart.",
    "failed": "Not answered: the answer could not be worked out.",
}
_READINGS = "What a model read from an image is not part of this: no code can check it."
_EVENT = ("usage", "trace", "thread", "readings")
"""What an answer's identity does not hang on: how it came about, and what does not go out."""


def answer_bundle(answer: Answer, request: Request, *, form: Form = "document") -> Mapping[str, Any]:
    """The answer as a Bundle of type collection: DocumentReference (or Communication), Provenance, AuditEvent, Devices.

    The same answer at the same moment gives the same Bundle. Raises ValueError for a moment without an offset.
    """
    return collection(answer_output(answer, request), form)


def answer_output(answer: Answer, request: Request) -> Output:
    """The answer without its readings, as every resource about it tells it."""
    said = answer.model_dump(mode="json", exclude=set(_EVENT))
    made = Output(
        id=identity("answer", said, request),
        kind=concept(_LOINC, "34109-9", "Note", "Answer to a question about the chart"),
        title=_title(answer.question),
        parts=tuple(_parts(answer)),
        sources=tuple(_sources(answer)),
        reasoner=plain(answer.reasoner).strip(),
        state=answer.status,
        as_of=answer.as_of,
        seconds=answer.usage.seconds,
        request=request,
    )
    return replace(made, parts=(*made.parts, made.footer()))


def _title(question: str) -> str:
    return f"Question: {' '.join(plain(question).split()) or '(empty)'}"


def _parts(answer: Answer) -> Iterator[Part]:
    state = [_STATES[answer.status]] if answer.status in _STATES else []
    told = [line.removeprefix("- ") for line in answer.text.splitlines() if line.strip()]
    marks = tuple(m for claim in answer.claims for m in claim.marks)
    yield Part(title="Answer", lines=(*state, *told), marks=marks)
    cited = tuple(_line(c) for c in answer.citations if c.reference or c.inputs)
    if cited:
        yield Part(title="Sources", lines=cited)
    yield Part(title="Searches", lines=tuple(_searches(answer)))
    notes = tuple(_notes(answer))
    if notes:
        yield Part(title="To know", lines=notes)


def _line(citation: Citation) -> str:
    """A citation for the reader: what it says and where; the resources of a computation by their number."""
    if not citation.inputs:
        return _resource(citation).line
    number = len(citation.inputs)
    of = citation.inputs[0] if number == 1 else f"{number} resources"
    return f"[{citation.mark}] {citation.excerpt} ({citation.path} of {of})"


def _searches(answer: Answer) -> Iterator[str]:
    """Every search behind an absence or a gap; a count of them where something was found."""
    cut = [s for s in answer.searched if not s.complete]
    told = answer.searched if answer.status == "not_found" else cut
    number = len(answer.searched)
    yield f"{number or 'No'} search{'es' * (number > 1)}{f', {len(cut)} not complete' if cut else ''}."
    marks = {c.path: f"[{c.mark}] " for c in answer.citations if not (c.reference or c.inputs)}
    for s in told:
        yield f"{marks.get(s.query, '')}{s.query}: {s.found} found" + (
            "" if s.complete else f", not complete: {s.error or 'cut short'}"
        )


def _notes(answer: Answer) -> Iterator[str]:
    yield from answer.warnings
    for reason, number in Counter(r.reason for r in answer.removed).items():
        yield f"{number} statement{'s' if number > 1 else ''} removed by the check: {reason}"
    if answer.readings:
        yield _READINGS


def _sources(answer: Answer) -> Iterator[Source]:
    """A source for each citation, one for each input of a computation, and the cited or missing searches."""
    seen: set[str] = set()
    for citation in answer.citations:
        if citation.reference:
            yield _resource(citation)
        elif citation.inputs:
            yield from _inputs(citation)
        else:
            seen.add(citation.path)
            yield Source(marks=(citation.mark,), excerpt=citation.excerpt, query=citation.path)
    absent = answer.status in ("not_found", "incomplete")
    yield from (Source(marks=(), query=s.query) for s in answer.searched if absent and s.query not in seen)


def _resource(citation: Citation) -> Source:
    return Source(
        marks=(citation.mark,),
        excerpt=citation.excerpt,
        reference=citation.reference,
        version=citation.version,
        path=citation.path,
        role="quotation" if citation.span else "source",
    )


def _inputs(citation: Citation) -> Iterator[Source]:
    for reference in dict.fromkeys(citation.inputs):
        yield Source(marks=(citation.mark,), excerpt=citation.excerpt, reference=reference, role="derivation")
