"""Stage render: the claims that are left → the answer. No model; the text is put together by code."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from agent.types import (
    Answer,
    Ask,
    Citation,
    Claim,
    ClaimOut,
    Draft,
    Evidence,
    Reading,
    SearchedOut,
    SpanOut,
    Status,
    Usage,
    ValueOut,
    Verified,
)
from fhir_tools.facts import KIND_TYPES
from fhir_tools.types import Mark, Reference

__all__ = ["answer", "citation"]

_PARTLY = "Not everything could be read; this is of what was read:"
_UNKNOWN = "Not everything could be read, so this cannot be told."
_NOTHING_LEFT = "Nothing that was drafted could be backed by the chart, so nothing is told."


def answer(
    ask: Ask,
    draft: Draft,
    verified: Verified,
    evidence: Evidence,
    *,
    patient: Reference,
    as_of: date,
    reasoner: str,
    usage: Usage | None = None,
    thread: str | None = None,
    trace: str = "",
) -> Answer:
    """The public answer. `value` comes from the first surviving claim that carries one."""
    status = _status(draft, verified, evidence)
    if status == "not_found" and ask.reads_as:
        status = "incomplete"  # what the words of the question mean was a model's guess, so that it proves no absence
    draft, verified, evidence, marks = _renumbered(draft, verified, evidence)
    return Answer(
        question=ask.question,
        patient=str(patient),
        as_of=as_of.isoformat(),
        thread=thread,
        status=status,
        text=_meant(ask, verified, _text(draft, verified, evidence)),
        value=_value(verified.claims) if status == "answered" else None,
        claims=[
            ClaimOut(text=c.text, marks=list(c.marks), support=s)
            for c, s in zip(verified.claims, verified.supports, strict=True)
        ],
        citations=list(_citations(verified.claims, draft, evidence.readings, marks)),
        searched=[
            SearchedOut(query=s.query, found=s.found, complete=s.complete, error=s.error) for s in evidence.searched
        ],
        readings=list(evidence.readings),
        removed=list(verified.removed),
        warnings=_warnings(draft, evidence, ask, as_of),
        usage=usage or Usage(),
        reasoner=reasoner,
        trace=trace,
    )


def _meant(ask: Ask, verified: Verified, text: str) -> str:
    """What a model took the question for stands first: whether that is what was asked, the reader judges."""
    return f'Taken to mean "{ask.reads_as}": {text}' if ask.reads_as and verified.claims else text


_REASONS = 3
"""Reasons for something unread that an answer's text names; `searched` has all."""

_MARK = re.compile(r"(?<=\[)s\d+(?=\])")


def _renumbered(
    draft: Draft, verified: Verified, evidence: Evidence
) -> tuple[Draft, Verified, Evidence, Mapping[str, Mark]]:
    """Marks numbered in the order in which the reader meets them; the cards' own numbers have gaps by then."""
    known = {m.id: m for c in evidence.cards for m in c.marks} | {m.id: m for m in evidence.search_marks}
    used = [m for c in verified.claims for m in c.marks]
    noted = _MARK.findall(draft.note)
    seen = [r.image for r in evidence.readings]
    told = used + noted if draft.status == "answered" else noted + used
    order = dict.fromkeys(m for m in told + seen if m in known)
    names: dict[str, str] = {}
    for name in order:
        prefix = name.rstrip("0123456789")
        names[name] = f"{prefix}{1 + sum(n.rstrip('0123456789') == prefix for n in names)}"
    claims = tuple(replace(c, marks=tuple(names.get(m, m) for m in c.marks)) for c in verified.claims)
    note = _MARK.sub(lambda found: names.get(found[0], found[0]), draft.note)
    marks = {names[m]: replace(known[m], id=names[m]) for m in order}
    read = tuple(r.model_copy(update={"image": names.get(r.image, r.image)}) for r in evidence.readings)
    return replace(draft, note=note), replace(verified, claims=claims), replace(evidence, readings=read), marks


def _status(draft: Draft, verified: Verified, evidence: Evidence) -> Status:
    if draft.status in ("failed", "incomplete"):
        return draft.status
    if not evidence.complete or (draft.status == "not_found" and not evidence.searched):
        return "incomplete"
    if draft.status == "not_found" and not all(a.complete for a in evidence.absent):
        return "incomplete"
    if evidence.unseen and evidence.view and not evidence.view.reports:
        return "incomplete"  # neither pixels nor a report: what was asked about is not known
    if draft.status == "answered" and not verified.claims:
        return "answered" if evidence.readings else "refused"
    return draft.status


def _text(draft: Draft, verified: Verified, evidence: Evidence) -> str:
    """The claims with their note after them, or before them where it is the answer; what was not read comes last."""
    claims = [_with_marks(c) for c in verified.claims]
    answered, note = draft.status == "answered", [draft.note] if draft.note else []
    lead = [_PARTLY if claims else _UNKNOWN] if answered and not evidence.complete else []
    pixels = _pixels(evidence)
    if answered and not claims and not lead and not pixels:
        return _NOTHING_LEFT
    count = len(claims) + len(note) + len(lead)
    told = claims if count < 4 else [f"- {c}" for c in claims]
    parts = (*lead, *told, *note) if answered else (*note, *told)
    return (" " if count < 4 else "\n").join((*parts, *pixels, *_unread(evidence)))


def _pixels(evidence: Evidence) -> tuple[str, ...]:
    """Where to find what a model read from an image, or why none was read: what it read is in `readings` alone."""
    if not evidence.readings:
        return (evidence.unseen,) if evidence.unseen else ()
    marks = "".join(f"[{m}]" for m in dict.fromkeys(r.image for r in evidence.readings))
    return (f"What {evidence.read_by} read from the image {marks} is told apart, as a reading that no code can check.",)


def _unread(evidence: Evidence) -> tuple[str, ...]:
    """What was not read, by the reason that the source gave for it: what the answer is about first, few by name."""
    kinds = {c.kind for c in evidence.cards if c.role == "subject"} | {k for a in evidence.absent for k in a.kinds}
    near = {type_ for kind in kinds for type_ in KIND_TYPES[kind]}
    cut = [
        (s.query.partition("?")[0], s.error or "the search was cut short") for s in evidence.searched if not s.complete
    ]
    why: dict[str, dict[str, None]] = {}
    for what, error in sorted(cut, key=lambda row: row[0] not in near):
        why.setdefault(error, {})[what] = None
    if not why:
        return ()
    told = "; ".join(_cut(names, error) for error, names in list(why.items())[:_REASONS])
    more = {name for names in list(why.values())[_REASONS:] for name in names}
    rest = f"; and {len(more)} more kinds of records" if len(more) > 1 else f"; and {''.join(more)}" if more else ""
    return (f"Not all read: {told}{rest}.",)


def _cut(names: Iterable[str], error: str) -> str:
    what = ", ".join(names)
    return error if error.startswith(f"{what} ") else f"{what} ({error})"


def _with_marks(claim: Claim) -> str:
    """The sentence with its marks before the full stop: `… on 2019-03-02 [1][c2].`"""
    if not claim.marks:
        return claim.text
    marks = " " + "".join(f"[{m}]" for m in claim.marks)
    return f"{claim.text[:-1]}{marks}." if claim.text.endswith(".") else claim.text + marks


def _value(claims: Iterable[Claim]) -> ValueOut | None:
    given = [c.value for c in claims if c.value]
    return ValueOut(**given[0]) if given else None


def _citations(
    claims: Iterable[Claim], draft: Draft, readings: Iterable[Reading], marks: Mapping[str, Mark]
) -> Iterable[Citation]:
    used = [m for c in claims for m in c.marks] + _MARK.findall(draft.note) + [r.image for r in readings]
    for name in dict.fromkeys(used):
        mark = marks.get(name)
        if mark is None:
            continue
        yield citation(mark)


def citation(mark: Mark) -> Citation:
    """Where a mark points, as the public answer tells it."""
    if mark.fact:
        return Citation(
            mark=mark.id,
            reference=str(mark.fact.reference),
            version=mark.fact.version,
            path=mark.fact.path,
            excerpt=mark.shown,
            span=SpanOut(start=span.start, end=span.end, quote=span.quote) if (span := mark.span) else None,
        )
    if mark.computation:
        return Citation(
            mark=mark.id, reference="", path=mark.computation.op, excerpt=mark.shown, inputs=list(mark.references)
        )
    query: Any = mark.search.query if mark.search else ""
    return Citation(mark=mark.id, reference="", path=str(query), excerpt=mark.shown)


def _warnings(draft: Draft, evidence: Evidence, ask: Ask, as_of: date) -> list[str]:
    told = [*evidence.warnings, *draft.warnings]
    if ask.asides:
        told.append(f"taken as no part of the question: {', '.join(map(repr, ask.asides))}")
    if as_of < datetime.now().astimezone().date() and (ask.current or ask.op in ("taking", "status")):
        told.append(f"asked as of {as_of}: statuses are as recorded now, not as they were then")
    return list(dict.fromkeys(told))
