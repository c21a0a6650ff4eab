"""Notes against the structured chart: what they say otherwise of a drug, an allergy, a diagnosis or a value.

A drug that is listed as taken and that the newest note on it says was stopped; a diagnosis, an allergy or a drug that
only a note has; a value that a note tells for a day on which the chart has others. Both are told, each with its mark.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from agent.retrieve.gather import Gather
from agent.retrieve.notes import KINDS, line, notes_of, terms_of
from agent.types import AGAINST, IN_NOTES, Ask, Op, Target
from agent.untrusted import gives_orders
from fhir_tools import compute, medications
from fhir_tools.documents import Document, Found, find
from fhir_tools.documents.lacking import agrees, day_of, is_near
from fhir_tools.documents.statements import Statement, is_stopped, is_told
from fhir_tools.types import Card, Fact

__all__ = ["against"]

_OPS: frozenset[Op] = frozenset(("taking", "exists", "status", "latest", "on", "list", "ended", "describe"))
_ALLERGIC = re.compile(r"allerg|intoleran|anaphyla|hypersensitiv|reaction", re.IGNORECASE)
_MOST = 3


async def against(gather: Gather, ask: Ask, target: Target, cards: Sequence[Card]) -> tuple[Card, ...]:
    """A card of the quotes that say otherwise than these cards of the target; none where notes and record agree.

    Notes are read where the chart is at hand. Of a server whose notes no question has asked for yet they are not:
    that would be another search, and a request for each note, with every question.
    """
    compare = _COMPARE.get(target.kinds[0] if target.kinds else "")
    if compare is None or ask.op not in _OPS or ask.anchor or ask.window or ask.relative or ask.purpose:
        return ()
    catalogue = gather.chart.catalogue
    if gather.chart.waiting.intersection(KINDS) or catalogue.unread(*KINDS) or not catalogue.of("document"):
        return ()
    facts = compute.in_order(tuple(f for c in cards if c.role == "subject" for f in c.facts))
    documents = await notes_of(gather)
    # what a document that gives orders to programs says is not held against the record
    compared = compare(gather, target, facts, documents)
    found = [f for f in compared if not gives_orders((f.document.text,))][-_MOST:]
    _tell(gather, documents, found)
    if not found:
        return ()
    marks = [gather.marks.quote(f.document, f.span) for f in found]
    return (
        Card(
            title=IN_NOTES
            if compare is _value and not facts
            else AGAINST,  # without a result there is none to differ from
            kind="document",
            lines=tuple(line(m.id, f) for m, f in zip(marks, found, strict=True)),
            marks=tuple(marks),
            facts=tuple(m.fact for m in marks if m.fact),  # under no name of the target: a note is no record of it
        ),
    )


def _tell(gather: Gather, documents: Sequence[Document], found: Sequence[Found]) -> None:
    """What an absence says of the notes. Some of them not read leaves the record's own answer as it is."""
    if gather.absent and not any(d.unread for d in documents if d.fact.kind == "document"):
        told = "notes say otherwise" if found else "notes were read and do not state it by that name"
        gather.absent[-1] = replace(gather.absent[-1], notes=told)


def _told(gather: Gather, target: Target, documents: Sequence[Document]) -> list[Found]:
    """What notes say of the target as something of the patient's, the newest of what says the same, oldest first."""
    known = gather.chart.matcher.lexicon.lookup
    terms = [t for t in terms_of(gather, target) if len(t) > 2]  # two letters mean too much: "RA" is room air as well
    if target.kinds[:1] == ("measurement",):  # "vitamin D" of a list of drugs tells no result
        terms = [t for t in terms if not known(t.lower(), ("drug", "drug_class"))]
    found = [f for f in find(documents, terms) if is_told(f)]
    same = {" ".join(f.sentence.split()).lower(): f for f in found}
    return sorted(same.values(), key=lambda f: (compute.when_key(f.document.fact), f.span.start))


def _drug(gather: Gather, target: Target, facts: Sequence[Fact], documents: Sequence[Document]) -> list[Found]:
    """Stopped in the newest note on it, and listed as taken; or taken by a note alone."""
    told = _told(gather, target, documents)
    if not facts:
        return [f for f in told if f.assertion == "affirmed" and not _stops(gather, target, f)]
    taken = [f for f in facts if medications.taken(f)]
    stops = [f for f in told if _stops(gather, target, f)]
    last = told[-1].document if told else None
    if not taken or not stops or last is None or stops[-1].document is not last:
        return []
    began = max((compute.when_key(f) for f in taken), default=None)
    return [stops[-1]] if began is None or compute.when_key(last.fact) >= began else []


def _stops(gather: Gather, target: Target, found: Found) -> bool:
    sentence = found.span.quote
    places = (re.search(rf"\b{re.escape(t)}", sentence, re.IGNORECASE) for t in terms_of(gather, target))
    return any(is_stopped(sentence, m.start(), m.end()) for m in places if m)


def _diagnosis(gather: Gather, target: Target, facts: Sequence[Fact], documents: Sequence[Document]) -> list[Found]:
    """A diagnosis that a note states of the patient and the chart does not have as a fact."""
    if any(f.standing == "fact" for f in facts):
        return []
    return [f for f in _told(gather, target, documents) if f.assertion in ("affirmed", "historical")]


def _allergy(gather: Gather, target: Target, facts: Sequence[Fact], documents: Sequence[Document]) -> list[Found]:
    """An allergy that a note states, where the chart has none, or denies it."""
    if any(f.standing == "fact" and not f.details.get("negation") for f in facts):
        return []
    told = _told(gather, target, documents)
    return [f for f in told if f.assertion == "affirmed" and _ALLERGIC.search(f"{f.section} {f.sentence}")]


def _value(gather: Gather, target: Target, facts: Sequence[Fact], documents: Sequence[Document]) -> list[Found]:
    """A value that a note tells for the day of the latest result, and that no result of that day has.

    Where the chart has no result at all, what notes and reports say of the test.
    """
    latest = facts[-1] if facts else None
    if latest is None:
        return _told(gather, target, documents)
    wanted = set(target.lexicon)
    told = [
        s
        for document in documents
        for s in gather.chart.statements(document)
        if s.sort == "measurement" and s.assertion == "affirmed" and wanted & {(e.kind, e.id) for e in s.entries}
    ]
    return [_as_found(s) for s in told if _differs(s, latest, facts)][-1:]


def _as_found(s: Statement) -> Found:
    sentence = " ".join(s.span.quote.split())
    return Found(document=s.document, span=s.span, assertion=s.assertion, sentence=sentence, section=s.section)


def _differs(told: Statement, latest: Fact, facts: Sequence[Fact]) -> bool:
    day = latest.when.day if latest.when else None
    written = told.document.fact.when.day if told.document.fact.when else None
    if day is None or written is None or day_of(told) != day or written < day:
        return False  # a note tells nothing of a day after it was written
    return not any(agrees(told.values, f) for f in facts if is_near(f, day))


_COMPARE: dict[str, Callable[[Gather, Target, Sequence[Fact], Sequence[Document]], list[Found]]] = {
    "medication": _drug,
    "condition": _diagnosis,
    "allergy": _allergy,
    "measurement": _value,
}
