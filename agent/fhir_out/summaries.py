"""A summary as FHIR: a document with a section for each of its own, and as something to be written to a chart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from agent.fhir_out.bundles import Resource, authors, bundle, device_entries, entry, identified, labels, origin
from agent.fhir_out.output import Output, Part, Request, Source, identity
from agent.summaries.types import Cited, Kind, Section, Summary
from fhir_tools.writing.elements import checked, concept, narrative, plain, urn, uuid_identifier

__all__ = ["summary_document", "summary_output"]

_LOINC = "http://loinc.org"
_CODES: Mapping[Kind, tuple[str, str]] = {
    "problems": ("11450-4", "Problem list - Reported"),
    "medications": ("10160-0", "History of Medication use Narrative"),
    "labs": ("30954-2", "Relevant diagnostic tests/laboratory data note"),
}
_SUMMARY = ("60591-5", "Patient summary Document")


def summary_output(summary: Summary, request: Request) -> Output:
    """The summary as every resource about it tells it."""
    code, display = _CODES.get(summary.kind, _SUMMARY)
    own = [_part(s) for s in (summary.banner, *summary.sections)]
    closing = [Part(title="", lines=(summary.closing,))] if summary.closing else []
    cut = any(not s.complete for s in summary.searched)
    told = [(p.title, p.lines) for p in own]
    made = Output(
        id=identity("summary", [summary.kind, str(summary.patient), str(summary.as_of), told], request),
        kind=concept(_LOINC, code, display, plain(summary.title)),
        title=" ".join(plain(summary.title).split()),
        parts=(*own, *closing, *_about(summary)),
        sources=tuple(_sources(summary.citations)),
        reasoner="rules",
        state="incomplete" if cut else "answered",
        as_of=summary.as_of.isoformat(),
        seconds=0.0,
        request=request,
    )
    return replace(made, parts=(*made.parts, made.footer()))


def _part(section: Section) -> Part:
    lines = [(line.text, line.marks) for line in section.lines]
    notes = [(note.text, note.marks) for note in section.notes]
    more: list[tuple[str, tuple[str, ...]]] = [(f"{section.hidden} more not shown.", ())] if section.hidden else []
    told = tuple(text + "".join(f" [{m}]" for m in marks) for text, marks in (*lines, *notes, *more))
    marks = tuple(dict.fromkeys(m for _, marks in (*lines, *notes) for m in marks))
    return Part(title=section.title, lines=told or ("Nothing to tell.",), marks=marks)


def _about(summary: Summary) -> Iterator[Part]:
    cut = [s for s in summary.searched if not s.complete]
    told = list(summary.warnings)
    number = len(summary.searched)
    told.append(f"{number or 'No'} search{'es' * (number > 1)}{f', {len(cut)} not complete' if cut else ''}.")
    told += [f"{s.query}: {s.found} found, not complete: {s.error or 'cut short'}" for s in cut]
    for reason, number in Counter(r.reason for r in summary.removed).items():
        told.append(f"{number} line{'s' if number > 1 else ''} removed or shortened by the check: {reason}")
    yield Part(title="To know", lines=tuple(told))


def _sources(citations: Sequence[Cited]) -> Iterator[Source]:
    for cited in citations:
        one = len(cited.references) == 1
        for reference in cited.references:
            yield Source(
                marks=(cited.mark,), excerpt=cited.text, reference=reference, path=cited.path,
                version=cited.version if one else None, role="source" if one else "derivation",
            )  # fmt: skip
        if not cited.references:
            yield Source(marks=(cited.mark,), excerpt=cited.text, query=cited.text)


def summary_document(
    summary: Summary, request: Request, records: Mapping[str, Resource] | None = None, *, base: str = ""
) -> Resource:
    """The summary as a document (R4 3.3): Composition, the cited resources of `records` by reference, Provenance.

    `records` should hold the patient. Sections refer to what they cite among the records; all else that is cited is
    named by the Provenance alone. `base` is the URL of the server that the records are of, where it has one.
    """
    output = summary_output(summary, request)
    if records is not None:
        output = replace(output, parts=(*output.parts[:-1], *_left_out(output, records), output.parts[-1]))
    places = {name: _place(name, base) for name in records or {}}
    entries = [
        entry(output.url, _composition(output, places)),
        *(entry(places[name], resource) for name, resource in (records or {}).items()),
        *device_entries(output),
        entry(identified(output, "provenance"), origin(output)),
    ]
    return bundle("document", entries, output)


def _left_out(output: Output, records: Mapping[str, Resource]) -> Iterator[Part]:
    """That not all that is cited is in the document, where it is so."""
    number = sum(literal not in records for literal in output.literals)
    if number:
        told = f"{number} of {len(output.literals)} cited resources are not in this document: see its Provenance."
        yield Part(title="Not included", lines=(told,))


def _place(reference: str, base: str) -> str:
    """Where a record of a server is; one of a file has no place, and gets a name that is the same each time."""
    return f"{base.rstrip('/')}/{reference}" if base else urn(str(uuid5(NAMESPACE_URL, f"chartline/{reference}")))


def _composition(output: Output, places: Mapping[str, str]) -> Resource:
    sections = [_section(output, part, places) for part in output.parts]
    return checked(
        {
            "resourceType": "Composition",
            "meta": labels(output),
            "text": output.narrative,
            "identifier": uuid_identifier(output.id),
            "status": "preliminary",
            "type": output.kind,
            "subject": {"reference": places.get(output.patient, output.patient)},
            "date": output.made,
            "author": list(authors(output)),
            "title": output.title or "Summary",
            "event": [{"period": {"end": output.as_of}}],
            "section": sections,
        }
    )


def _section(output: Output, part: Part, places: Mapping[str, str]) -> Mapping[str, Any]:
    cited = [s.literal for s in output.sources if set(s.marks) & set(part.marks)]
    entries = [{"reference": places[one]} for one in dict.fromkeys(cited) if one in places]
    told = {"title": plain(part.title) or "Closing", "text": narrative([("", part.lines)])}
    return {**told, "entry": entries} if entries else told
