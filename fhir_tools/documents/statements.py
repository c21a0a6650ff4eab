"""What documents state of a patient: problems, symptoms, medications, adverse events, measurements, with their spans.

A statement is a concept of the lexicon in its sentence: what is asserted of it there, the time that the sentence
tells, and for a measurement the value beside it. Instructions, education and plans tell what may come, not what is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from fhir_tools import units
from fhir_tools.documents.assertions import Assertion
from fhir_tools.documents.concepts import Named, concepts
from fhir_tools.documents.finding import found_at
from fhir_tools.documents.sections import sections, sentences
from fhir_tools.documents.times import Told, times
from fhir_tools.documents.types import Document, Found
from fhir_tools.lexicon import Entry
from fhir_tools.lexicon.entry import ICD10
from fhir_tools.types import Quantity, Span

__all__ = ["Sort", "Statement", "is_stopped", "is_told", "statements"]

Sort = Literal["problem", "symptom", "medication", "adverse event", "measurement"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One thing that a document states. `span` is the quote, `entries` what it may be of the lexicon.

    `cause` is the agent of an adverse event; `values` are a measurement's numbers (two of a blood pressure);
    `stopped` is a drug that the sentence says is no longer taken; `when` is the time that the sentence tells.
    """

    sort: Sort
    document: Document
    span: Span
    entries: tuple[Entry, ...]
    name: str
    assertion: Assertion
    section: str = ""
    cause: str = ""
    values: tuple[Quantity, ...] = ()
    stopped: bool = False
    when: Told | None = None


_NOT_SAID = re.compile(
    r"instruct|education|counsel|care plan|precaution|disclaimer|template|return to|reason for (?:visit|exam)|technique"
    r"|nursing diagnos|goals?\b|follow[- ]?up|risk|susceptib|sensitivit"
    r"|post-?operative plan",
    re.IGNORECASE,
)
"""Sections that say what to do, to watch for or to learn."""
_ALLERGIES = re.compile(r"allerg|intoleranc|adverse (?:drug )?reaction", re.IGNORECASE)


def is_told(found: Found) -> bool:
    """Whether a mention stands where a document tells what is, not what to do or to watch for."""
    return not _NOT_SAID.search(found.section)


def statements(document: Document) -> tuple[Statement, ...]:
    """Every statement of a document, in the order of its text."""
    text = document.text
    parts, lines = sections(text), sentences(text)
    named = concepts(text)
    out: list[Statement] = []
    at = 0
    for start, end in lines:
        inside: list[Named] = []
        while at < len(named) and named[at].start < end:
            inside += [named[at]] if named[at].start >= start else []
            at += 1
        if inside:
            under = next((title for title, a, b in reversed(parts) if a <= start < b), "")
            if not _NOT_SAID.search(under):
                out += _Sentence(document, start, end, under, inside).statements()
    return tuple(out)


_STOPPED = re.compile(
    r"\b(?:stop(?:ped|ping|s)?|d/?c['’]?e?d|discontinu(?:e[ds]?|ing|ation)|held|holding"
    r"|withheld|no longer (?:tak\w+|on|us\w+)"
    r"|c(?:a|o)me off|off of|weaned off|tapered off|ceased|quit|avoided)\b",
    re.IGNORECASE,
)
_NOT_STOPPED = re.compile(
    r"\b(?:not|never|n['’]t|without) (?:be |been )?(?:stop\w*|discontinu\w*|held|hold)|\b(?:if|until|may|should|to|or"
    r"|will be|would|can|could|plan(?:ned)? to|consider\w*|before) (?:be )?(?:stop\w*|discontinu\w*|held|hold)\b"
    r"|\brestart|\bresum|\b(?:stop|hold|discontinue)\b[^.;]*\b(?:if|when|until)\b",
    re.IGNORECASE,
)
_PARTED = re.compile(r";|\.\s|\n|\b(?:but|and|while|whereas|instead)\b", re.IGNORECASE)


def is_stopped(sentence: str, start: int, end: int) -> bool:
    """Whether `sentence` says that the drug at `[start, end)` was stopped or held, in the clause that names it."""
    before = [m.end() for m in _PARTED.finditer(sentence, 0, start)]
    after = _PARTED.search(sentence, end)
    clause = sentence[max(before, default=0) : after.start() if after else len(sentence)]
    return bool(_STOPPED.search(clause)) and not _NOT_STOPPED.search(clause)


_INDUCED = re.compile(r"[-\s](?:induced|related|associated|mediated)\s+$", re.IGNORECASE)
_BY_DRUG = re.compile(
    r"^[\s,]*(?:was |is |thought |felt |likely |probably |most |to be )*(?:due to|secondary to|caused by|from|with|"
    r"after|on|following|in response to|2/2|attributed to|induced by)\s+"
    r"(?:the |her |his |recent |taking |starting |use of )*$",
    re.IGNORECASE,
)
_CAUSED = re.compile(r"^\s*(?:caused|causes|causing|gave (?:him|her)|led to|resulted in|:|\(|reaction:?)\s*$", re.I)
_ALLERGIC = re.compile(
    r"(?:allerg(?:ic|y|ies)\s*(?:reactions?\s*)?(?:to|:)|intoleran(?:t|ce)\s*(?:to|of|:)|anaphyla\w+ (?:to|after|with)"
    r"|reaction to|hypersensitivity to)\s*(?:\w+[\s,]+(?:and\s+)?){0,3}$",
    re.IGNORECASE,
)
_ALLERGY_AFTER = re.compile(r"^[\s,]*(?:drug )?(?:allergy|intolerance|hypersensitivity)\b", re.IGNORECASE)
_VALUE = re.compile(
    r"(?:\s*(?:levels?|results?|values?|count|today|now|on arrival|was|is|of|at|:|=|,)\s*){0,3}\s*"
    r"(?P<sign>[<>]=?|~)?\s*(?P<n>\d{1,6}(?:[.,]\d+)?)(?:\s*/\s*(?P<n2>\d{1,3}))?\s*(?P<unit>(?:%|°\s?[CF]|[a-zµμ]{1,6}(?:\[[A-Za-z]+\])?"
    r"(?:/[\w.²]+)*|/[a-z]+|10\*\d/uL|[xX]?10\^?\d/u?L))?(?![\w/])",
    re.IGNORECASE,
)


_LIMIT = re.compile(
    r"\b(?:prn|target|goal|if|until|when|keep|maintain|titrate|call|return|notify)\b[^.;]*$", re.IGNORECASE
)
"""What makes the number after a name one to act on, not one that was measured."""
_SUSCEPTIBLE = re.compile(r"\s*[=:]\s*[SIR]\b")
_PAIRED = frozenset(("blood pressure",))
"""Measurements of two numbers; elsewhere `22/23` is a score and the most that it can be."""


class _Sentence:
    """One sentence with the names in it."""

    def __init__(self, document: Document, start: int, end: int, under: str, named: list[Named]) -> None:
        self._document, self._start, self._end, self._under, self._named = document, start, end, under, named
        self._text = document.text[start:end]
        self._times = times(self._text, document.fact.when)

    def statements(self) -> Iterator[Statement]:
        """Adverse events first: what takes part in one is not told as a problem or a drug that is taken as well."""
        taken: set[int] = set()
        for number, name in enumerate(self._named):
            event, agent = self._adverse(number, name)
            if event:
                taken |= {number, agent}
                yield event
        for number, name in enumerate(self._named):
            if number not in taken and (made := self._plain(name)):
                yield made

    def _adverse(self, number: int, name: Named) -> tuple[Statement | None, int]:
        """The adverse event that a name is, and the number of the name that is its agent."""
        agents = tuple(e for e in _of(name, "drug", "drug_class", "allergen") if not e.id.startswith("no known"))
        conditions = _of(name, "condition")
        before, after = self._text[: name.start - self._start], self._text[name.end - self._start :]
        if agents and (_ALLERGIES.search(self._under) or _ALLERGIC.search(before) or _ALLERGY_AFTER.match(after)):
            return self._made("adverse event", name, agents, cause=agents[0].label), number
        for at in (number - 1, number + 1) if conditions else ():
            other = self._named[at] if 0 <= at < len(self._named) else name
            cause = _of(other, "drug", "drug_class")
            if not cause:
                continue
            first, last = sorted((other, name), key=lambda n: n.start)
            between = self._document.text[first.end : last.start]
            pattern = (_INDUCED, _CAUSED) if other is first else (_BY_DRUG,)
            if any(p.search(between) for p in pattern) or (other is first and _INDUCED.search(between + " ")):
                return self._made("adverse event", name, conditions, cause=cause[0].label), at
        return None, number

    def _plain(self, name: Named) -> Statement | None:
        labs, drugs = _of(name, "lab"), _of(name, "drug")
        values = self._values(name) if labs else ()
        if values and not (drugs and "/" not in (values[0].unit or "")):  # "Vitamin D 1000 IU" is a dose
            return self._made("measurement", name, labs, values=values)
        if (labs and not (drugs and values)) or _SUSCEPTIBLE.match(self._document.text, name.end):
            return None
        if drugs:
            at = name.start - self._start
            stopped = is_stopped(self._text, at, at + name.end - name.start)
            return self._made("medication", name, drugs, stopped=stopped)
        if conditions := tuple(e for e in _of(name, "condition") if e.id != "allergy"):
            return self._made("symptom" if all(map(_is_symptom, conditions)) else "problem", name, conditions)
        return None

    def _values(self, name: Named) -> tuple[Quantity, ...]:
        found = _VALUE.match(self._document.text, name.end, self._end)
        if found is None or found["sign"] in ("<=", ">=") or _LIMIT.search(self._text, 0, name.start - self._start):
            return ()
        unit = (found["unit"] or "").rstrip(".") or None
        code = units.canonical(unit, None) if unit else None
        sign = found["sign"] if found["sign"] in ("<", "<=", ">", ">=") else None
        paired = any(e.id in _PAIRED for e in name.entries)
        numbers = [float(n.replace(",", ".")) for n in (found["n"], found["n2"] if paired else None) if n]
        return tuple(Quantity(value=n, unit=unit, code=code, comparator=sign) for n in numbers)

    def _made(
        self,
        sort: Sort,
        name: Named,
        entries: tuple[Entry, ...],
        *,
        cause: str = "",
        values: tuple[Quantity, ...] = (),
        stopped: bool = False,
    ) -> Statement:
        found: Found = found_at(self._document, self._start, self._end, name.start, name.end, self._under)
        return Statement(
            sort=sort,
            document=self._document,
            span=found.span,
            entries=entries,
            name=self._document.text[name.start : name.end],
            assertion="historical" if stopped and found.assertion == "negated" else found.assertion,
            section=self._under,
            cause=cause,
            values=values,
            stopped=stopped,
            when=self._nearest(name),
        )

    def _nearest(self, name: Named) -> Told | None:
        """The time told in the sentence nearest to the name."""
        at = name.start - self._start
        return min(self._times, key=lambda t: min(abs(t.start - at), abs(t.end - at)), default=None)


def _of(name: Named, *kinds: str) -> tuple[Entry, ...]:
    return tuple(e for e in name.entries if e.kind in kinds)


def _is_symptom(entry: Entry) -> bool:
    """Whether its ICD-10-CM codes are all of chapter 18: symptoms, signs and abnormal findings (R00 to R99)."""
    codes = [code for system, code in entry.codes if system == ICD10]
    return bool(codes) and all(code.startswith("R") for code in codes)
