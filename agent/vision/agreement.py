"""What a model read from an image beside what its report says: where the two disagree, said by code.

A report's sentence is judged by `documents.assertions` (negated, uncertain, past, of a relative). "Lungs are clear"
denies what it does not name: the phrases are in the table of findings. What only one of the two speaks of is no
disagreement: reports leave out, and so does a model.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from agent.vision.terms import Term
from agent.vision.types import Finding
from fhir_tools.documents import Document, Found, find, sections, sentences
from fhir_tools.documents.assertions import judge
from fhir_tools.types import Reference

__all__ = ["Disagreement", "Told", "disagreements", "told_of"]

Says = Literal["present", "absent", "uncertain"]
_JUDGED: dict[str, Says] = {"affirmed": "present", "negated": "absent", "uncertain": "uncertain"}
_ASIDE = re.compile(
    r"^(?:comparison|clinical (?:information|history)|history|indication|reason|technique)", re.IGNORECASE
)
"""Sections of a report that tell of other things than this image."""
_SIDES = {
    "right": re.compile(r"\b(?:right|rt|r)\b", re.IGNORECASE),
    "left": re.compile(r"\b(?:left|lt|l)\b", re.IGNORECASE),
}
_BOTH = re.compile(r"\b(?:bilateral(?:ly)?|both|bibasilar|bibasal)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What one sentence of a report says of a finding; `sides` are those that it names."""

    report: Reference
    says: Says
    quote: str
    sides: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """A finding that the model and a report tell differently: in presence, or on which side it is."""

    finding: Finding
    told: Told
    about: Literal["presence", "side"]

    @property
    def text(self) -> str:
        """One sentence of it, with the report's own words."""
        name = self.finding.term.label.lower()
        what = f"the side of {name}" if self.about == "side" else name
        place = f", {self.finding.location}" if self.finding.location else ""
        return (
            f"Reading and report disagree on {what}: the model reads {self.finding.presence}{place}; "
            f'the report says "{self.told.quote}" ({self.told.report})'
        )


def told_of(term: Term, reports: Iterable[Document]) -> tuple[Told, ...]:
    """What reports say of a finding on their own image, sentence by sentence: named, or denied without its name."""
    documents = tuple(reports)
    named = (t for found in find(documents, term.names) if (t := _named(found)))
    return (*named, *(t for document in documents for t in _denied(term, document)))


def _named(found: Found) -> Told | None:
    says = _JUDGED.get(found.assertion)
    if says is None or _aside(found.document.text, found.span.start):
        return None
    return Told(
        report=found.document.fact.reference, says=says, quote=_short(found.sentence), sides=_sides(found.sentence)
    )


def _denied(term: Term, document: Document) -> Iterator[Told]:
    """Sentences that deny the finding by their own words, unless these are denied in turn ("lungs are not clear")."""
    if term.denials is None:
        return
    for start, end in sentences(document.text):
        sentence = document.text[start:end]
        for phrase in term.denials.finditer(sentence):
            bare = phrase[0].lower().startswith("no ")
            meant = "affirmed" if bare else judge(sentence, phrase.start(), phrase.end()).assertion
            if meant == "affirmed" and not _aside(document.text, start):
                yield Told(report=document.fact.reference, says="absent", quote=_short(" ".join(sentence.split())))


def _aside(text: str, at: int) -> bool:
    under = next((title for title, start, end in reversed(sections(text)) if start <= at < end), "")
    return bool(_ASIDE.match(under))


def _sides(text: str) -> frozenset[str]:
    if _BOTH.search(text):
        return frozenset(_SIDES)
    return frozenset(side for side, words in _SIDES.items() if words.search(text))


_LONGEST = 160


def _short(sentence: str) -> str:
    return sentence if len(sentence) <= _LONGEST else f"{sentence[:_LONGEST].rsplit(' ', 1)[0]} …"


def disagreements(findings: Sequence[Finding], reports: Iterable[Document]) -> tuple[Disagreement, ...]:
    """Where reading and reports contradict each other, one for each finding and report at most.

    Present against absent, and present on one side alone against present on the other alone. What either of the two
    leaves open contradicts nothing; a report that says both of a finding ("no left effusion; small right effusion")
    contradicts only what it says nothing like.
    """
    documents = tuple(reports)
    return tuple(d for document in documents for f in _decided(findings) if (d := _against(f, document)))


def _decided(findings: Sequence[Finding]) -> Iterator[Finding]:
    """Findings that are told as there or not; one that the model saw in another place is not told as absent."""
    seen = {f.term.id for f in findings if f.presence == "present"}
    for finding in findings:
        if finding.presence == "present" or (finding.presence == "absent" and finding.term.id not in seen):
            yield finding


def _against(finding: Finding, document: Document) -> Disagreement | None:
    told = told_of(finding.term, (document,))
    alike = [t for t in told if t.says == finding.presence]
    if any(t.says == "uncertain" for t in told):
        return None
    if told and not alike:
        return Disagreement(finding=finding, told=told[0], about="presence")
    mine = _sides(finding.location)
    if finding.presence == "present" and len(mine) == 1 and alike:
        elsewhere = all(t.sides and not t.sides & mine for t in alike)
        return Disagreement(finding=finding, told=alike[0], about="side") if elsewhere else None
    return None
