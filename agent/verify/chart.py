"""The evidence of one question, indexed: facts once each, the marks that stand for them, the names that reach them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from agent.types import Ask, Evidence
from agent.verify.told import normal
from agent.verify.values import quantities_of, unit_spelling
from agent.verify.words import KIND_NOUNS, MONTHS, NEUTRAL
from fhir_tools import units
from fhir_tools.types import Card, Components, Concept, Fact, Mark, Quantity, Reference

__all__ = ["DEATH", "Chart", "Mention", "aside", "is_list", "texts_of", "tokens"]

Ids = frozenset[int]

_TOKEN = re.compile(r"[^\W_]+(?:\.\d+)*")
_TAG = re.compile(
    r"\s*\((?:disorder|procedure|finding|situation|regime/therapy|event|morphologic abnormality|substance|person)\)$"
)
_PAREN = re.compile(r"\s*\(([^()]*)\)")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_LISTED = re.compile(r": \d+ \[c\d+\]$")
_DETAILS = (
    "reason", "relationship", "reaction", "severity", "body_site", "dosage", "route", "stage", "outcome",
    "location", "provider",
    "author", "title", "disposition", "service", "type", "status_reason", "onset", "codes", "modality",
    "description", "panel",
    "dose", "made",
)  # fmt: skip
"""Details that a claim may tell by name; statuses, roles and the like are read by their own words."""
_CLASSES = {
    "inpatient": ("IMP", "ACUTE", "NONAC"), "outpatient": ("AMB",), "ambulatory": ("AMB",), "emergency": ("EMER",),
    "virtual": ("VR",), "home": ("HH",), "observation": ("OBSENC",), "short stay": ("SS",), "wellness": ("WELLNESS",),
}  # fmt: skip
"""Words for HL7 v3 ActEncounterCode, by which R4 classes encounters."""
_FORMS = frozenset(
    """tablet tablets capsule oral injection injectable solution suspension extended release delayed hour cream
    ointment patch spray inhaler topical syringe prefilled pen chewable human structure substance product medicinal
    containing only""".split()
)
DEATH = "Patient.deceasedDateTime"
_LIFE = ("Patient.birthDate", DEATH)
_PERSON = {
    "date of birth": ("born", "dob", "birth date", "birthdate", "birthday"), "gender": ("sex",),
    "medical record number": ("mrn",), "deceased": ("died", "dead", "death", "date of death"),
    "marital status": ("married", "widowed", "divorced", "single"), "language": ("speaks",),
    "general practitioner": ("pcp", "gp", "primary care provider"), "address": ("lives at",), "phone": ("telephone",),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """A name in a claim and the facts (by index) of which it is the concept, the coded value or a told detail.

    `cards` are the cards (by index) that go by this name, with facts or, where nothing was found, without.
    """

    start: int
    end: int
    text: str
    concept: Ids = frozenset()
    value: Ids = frozenset()
    detail: Ids = frozenset()
    cards: Ids = frozenset()


@dataclass(slots=True)
class _Name:
    exact: str | None = None
    concept: set[int] = field(default_factory=set)
    value: set[int] = field(default_factory=set)
    detail: set[int] = field(default_factory=set)
    cards: set[int] = field(default_factory=set)


@lru_cache(maxsize=1 << 14)
def tokens(text: str) -> tuple[str, ...]:
    """The words and numbers of a text in lower case, punctuation dropped."""
    return tuple(m[0] for m in _TOKEN.finditer(normal(text)))


@lru_cache(maxsize=1 << 14)
def _name_of(text: str) -> tuple[str, ...]:
    """The words of a name; none for what names nothing: a number, or a kind's own noun ("imaging studies")."""
    words = tokens(text)
    noun = len(text) < 40 and any(p.fullmatch(normal(text).strip()) for p in KIND_NOUNS.values())
    return () if noun or all(w.isdigit() and len(w) < 5 for w in words) else words


def is_list(card: Card) -> bool:
    """Whether the card lists several concepts instead of telling about one."""
    return bool(_LISTED.search(card.title)) or any(m.computation and m.computation.op == "list" for m in card.marks)


def aside(card: Card) -> bool:
    """Whether the card shows the closest things instead of what was asked."""
    return card.role == "also" or card.title.lower().startswith("also in the chart")


class Chart:
    """Facts, marks and names of all cards. Built once for a draft; nothing in it is fetched."""

    def __init__(self, ask: Ask, evidence: Evidence) -> None:
        self.cards = evidence.cards
        self.facts: list[Fact] = []
        self.references: list[str] = []
        self.marks: dict[str, Mark] = {}
        self.card_of: dict[str, Card] = {}
        self.cards_of: list[list[Card]] = []
        self._ids: dict[tuple[str, str], int] = {}
        self._by_reference: dict[str, list[int]] = {}
        self._names: dict[str, dict[tuple[str, ...], _Name]] = {}
        for card in self.cards:
            self._take(card)
        self._marked = self._marks_by_fact()
        written = {(q.unit, q.code) for f in self.facts for q in (*quantities_of(f), *_doses(f))}
        self.units = {unit_spelling(u) for unit, code in written for u in (unit, code, units.show(code)) if u}
        self._name(ask)
        self.windows = self._windows(ask)

    def _windows(self, ask: Ask) -> dict[str, Ids]:
        """The words of each window with the facts in it: those of its cards, else those that the question means."""
        found: dict[str, set[int]] = {}
        for at, cards in enumerate(self.cards_of):
            for card in cards:
                if card.window and not aside(card):
                    found.setdefault(normal(card.window), set()).add(at)
        window = ask.window
        if window is not None and window.text and normal(window.text) not in found:
            found[normal(window.text)] = {
                i for i, f in enumerate(self.facts) if f.when and (window.starts_in(f.when) or window.contains(f.when))
            }
        return {words: frozenset(ids) for words, ids in found.items()}

    # Facts and marks.

    def _take(self, card: Card) -> None:
        # a computation's inputs must be facts of cards; only birth and death may come from elsewhere
        marked = (f for m in card.marks for f in m.facts if m.fact or f.path in _LIFE)
        for fact in (*card.facts, *marked):
            self._add(fact, card)
            if isinstance(fact.value, Components):
                for part in fact.value.parts:
                    self._add(part, card)
        for mark in card.marks:
            self.marks.setdefault(mark.id, mark)
            self.card_of.setdefault(mark.id, card)

    def _add(self, fact: Fact, card: Card) -> None:
        key = (str(fact.reference), fact.path)
        at = self._ids.get(key)
        if at is None:
            at = self._ids[key] = len(self.facts)
            self.facts.append(fact)
            self.references.append(key[0])
            self.cards_of.append([])
            self._by_reference.setdefault(key[0], []).append(at)
        elif len(fact.details) > len(self.facts[at].details):
            self.facts[at] = fact
        if not any(c is card for c in self.cards_of[at]):
            self.cards_of[at].append(card)

    def id_of(self, fact: Fact) -> int | None:
        """The index of a fact that a card holds; None for one that none holds, or holds with another value."""
        at = self._ids.get((str(fact.reference), fact.path))
        return at if at is not None and self.facts[at].value == fact.value else None

    def _marks_by_fact(self) -> dict[int, list[str]]:
        found: dict[int, list[str]] = {}
        for mark in self.marks.values():
            if mark.fact and not mark.span:
                for at in self._by_reference.get(str(mark.fact.reference), ()):
                    exact = self.facts[at].path == mark.fact.path
                    whole = isinstance(mark.fact.value, Components) or isinstance(self.facts[at].value, Components)
                    if exact:
                        found.setdefault(at, []).insert(0, mark.id)
                    elif whole:
                        found.setdefault(at, []).append(mark.id)
        for mark in self.marks.values():
            for fact in _stood_for(mark):
                at_ = self.id_of(fact)
                if at_ is not None:
                    found.setdefault(at_, []).append(mark.id)
        return found

    def marks_for(self, at: int) -> list[str]:
        """The marks that stand for a fact: its own first, then its panel's, then a list that holds it."""
        return self._marked.get(at, [])

    def kind(self, kind: str) -> Ids:
        """The facts of a kind."""
        return frozenset(i for i, f in enumerate(self.facts) if f.kind == kind)

    @property
    def death(self) -> Ids:
        """The facts that tell the patient's death."""
        return frozenset(i for i, f in enumerate(self.facts) if f.path == DEATH)

    def is_unit(self, text: str) -> bool:
        """Whether the evidence writes this unit."""
        return unit_spelling(text) in self.units

    # Names.

    def _name(self, ask: Ask) -> None:
        for at, fact in enumerate(self.facts):
            for text in _labels(fact):
                self._put(text, "concept", (at,), fact.kind == "patient")
            for text in _value_names(fact):
                self._put(text, "value", (at,))
            for text in self._detail_names(fact):
                self._put(text, "detail", (at,))
        self._name_components()
        for number, card in enumerate(self.cards):
            self._name_card(card)
            for text in (
                *card.names,
                *(v for c in card.concepts for v in _variants(c)),
                re.split(r" \(|, ", card.title)[0],
            ):
                self._put(text, "cards", (number,))
        for target in ask.targets:
            ids = [i for i, f in enumerate(self.facts) if f.concept.key in target.keys]
            for text in (target.words, target.label):
                self._put(text, "concept", ids)

    def _name_components(self) -> None:
        """LOINC's component alone names a result ("Leukocytes [#/volume] in Blood"), where it can mean no other."""
        found: dict[str, dict[str, list[int]]] = {}
        for at, fact in enumerate(self.facts):
            component, bracket, _ = fact.concept.label.partition(" [")
            if bracket and fact.kind == "measurement":
                found.setdefault(normal(component), {}).setdefault(fact.concept.key, []).append(at)
        for component, by_key in found.items():
            if len(by_key) == 1:
                self._put(component, "concept", next(iter(by_key.values())))

    def _name_card(self, card: Card) -> None:
        own = [i for i, cards in enumerate(self.cards_of) if any(c is card for c in cards)]
        whole = [i for i in own if not (isinstance(self.facts[i].details.get("panel"), Concept))]
        labels = {t: {i for i in own if t in map(tokens, _labels(self.facts[i]))} for t in map(tokens, card.names)}
        for text in card.names:
            self._put(text, "concept", labels[tokens(text)] if is_list(card) and labels[tokens(text)] else whole)
        if not is_list(card):
            self._put(re.split(r" \(|, ", card.title)[0], "concept", whole)
            if card.kind in ("measurement", "social"):
                for concept in card.concepts:
                    for text in _variants(concept):
                        self._put(text, "concept", whole)

    def _detail_names(self, fact: Fact) -> Iterator[str]:
        for key in (key for key in _DETAILS if key in fact.details):
            for item in _each(fact.details[key]):
                if isinstance(item, Reference):
                    for at in self._by_reference.get(str(item), ()):
                        yield from _labels(self.facts[at])
                else:
                    yield from texts_of(item)
        if level := fact.details.get("criticality"):
            yield from (f"criticality {level}", f"{level} criticality")
        code = str(fact.details.get("class", ""))
        yield from (word for word, codes in _CLASSES.items() if code in codes)

    def _put(self, text: str, what: str, ids: Iterable[int], always: bool = False) -> None:
        words = _name_of(text)
        if not words:
            return
        if len(words) == 1 and not always and (words[0] in NEUTRAL or words[0] in MONTHS or words[0] in ("yes", "no")):
            return
        entry = self._names.setdefault(words[0], {}).setdefault(words, _Name())
        if len(words) == 1 and len(words[0]) < 3:
            entry.exact = text.strip()
        getattr(entry, what).update(ids)

    def mentions(self, text: str, shown: str) -> list[Mention]:
        """The names in a normalised text, longest first, never overlapping; `shown` is the text with its capitals."""
        spans = [(m[0], m.start(), m.end()) for m in _TOKEN.finditer(text)]
        found: list[Mention] = []
        at = 0
        while at < len(spans):
            best = self._longest(spans, at, shown)
            if best:
                words, name = best
                start, end = spans[at][1], _closed(text, spans[at][1], spans[at + len(words) - 1][2])
                found.append(
                    Mention(start=start, end=end, text=text[start:end], concept=frozenset(name.concept),
                            value=frozenset(name.value), detail=frozenset(name.detail), cards=frozenset(name.cards))
                )  # fmt: skip
            at += len(best[0]) if best else 1
        return found

    def _longest(self, spans: list[tuple[str, int, int]], at: int, shown: str) -> tuple[tuple[str, ...], _Name] | None:
        word = spans[at][0]
        options = [
            *self._names.get(word, {}).items(),
            *(self._names.get(word[:-1], {}).items() if word.endswith("s") else ()),
        ]
        for words, name in sorted(options, key=lambda o: -len(o[0])):
            run = tuple(s[0] for s in spans[at : at + len(words)])
            plural = len(run) == len(words) and run[:-1] == words[:-1] and run[-1] == words[-1] + "s"
            if run != words and not plural:
                continue
            told = shown[spans[at][1] : spans[at + len(words) - 1][2]]
            if name.exact and told != name.exact and not (told.isupper() and len(told) > 1):
                continue
            return words, name
        return None


def _stood_for(mark: Mark) -> Iterator[Fact]:
    """The facts that a computation's mark stands for: all of a list; of a count those whose date it shows."""
    c = mark.computation
    if c is None or c.op not in ("list", "count"):
        return
    shown = set(_DAY.findall(mark.shown)) if c.op == "count" else set()
    yield from (f for f in c.inputs if c.op == "list" or (f.when and f.when.text in shown))


def _closed(text: str, start: int, end: int) -> int:
    """The end of a name with the bracket that closes it: `Body mass index (BMI) [Ratio]`."""
    opened, closing = {")": "(", "]": "["}, text[end : end + 1]
    unbalanced = closing in opened and text.count(opened[closing], start, end) > text.count(closing, start, end)
    return end + 1 if unbalanced else end


def _each(value: object) -> tuple[object, ...]:
    return value if isinstance(value, tuple) else () if value is None else (value,)


def texts_of(item: object) -> Iterator[str]:
    """The words of a detail: a text, a concept's labels, a quantity as shown."""
    if isinstance(item, str):
        yield item
    elif isinstance(item, Concept):
        yield from _variants(item)
    elif isinstance(item, Quantity):
        yield f"{units.show_number(item.value)} {item.unit or item.code or ''}".strip()


@lru_cache(maxsize=1 << 13)
def _variants(concept: Concept) -> tuple[str, ...]:
    """What a concept goes by: its label and displays, without their tags and brackets, and its codes."""
    return tuple(_spelt(concept))


def _spelt(concept: Concept) -> Iterator[str]:
    for text in dict.fromkeys((concept.label, *(c.display for c in concept.codings if c.display))):
        plain = _TAG.sub("", text)
        yield from dict.fromkeys((text, plain))
        inner = _PAREN.search(plain)
        if inner:
            yield _PAREN.sub("", plain)
            if inner[1].isupper() and 2 < len(inner[1]) <= 8:
                yield inner[1]
    for coding in concept.codings:
        if not coding.code.isdigit() or len(coding.code) > 4:
            yield coding.code


def _labels(fact: Fact) -> Iterator[str]:
    yield from _variants(fact.concept)
    if isinstance(fact.details.get("panel"), Concept):
        yield from (w for w in ("systolic", "diastolic") if w in fact.concept.label.lower())
    if fact.kind == "imaging":
        yield from (str(fact.details[k]) for k in ("made", "description") if fact.details.get(k))
    if fact.kind in ("medication", "allergy"):
        yield from _ingredients(fact.concept.label)
    if fact.kind == "patient":
        yield from _PERSON.get(fact.concept.label, ())


def _ingredients(label: str) -> Iterator[str]:
    """The first long word of each part of a drug's label: `24 HR metoprolol succinate 100 MG` is metoprolol."""
    for part in label.split("/"):
        words = [w for w in re.findall(r"[A-Za-z]+", part) if len(w) > 4 and w.lower() not in _FORMS]
        yield from words[:1]


def _value_names(fact: Fact) -> Iterator[str]:
    if isinstance(fact.value, Concept):
        yield from _variants(fact.value)
    elif isinstance(fact.value, str) and len(fact.value) <= 120:
        yield fact.value


def _doses(fact: Fact) -> Iterator[Quantity]:
    yield from (d for d in fact.details.values() if isinstance(d, Quantity))
