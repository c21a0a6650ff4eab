"""What one chart holds of the things that a check names: facts, or the searches that show that there are none."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date

from agent.chart import Chart
from agent.retrieve import Gather
from agent.retrieve.events import facts_of_target
from agent.trials.checks import Concept
from agent.trials.names import ANY_VACCINE, LEXICAL, fits, is_given_otherwise, meanings, narrowing
from agent.types import Absence, Target
from fhir_tools.catalogue import CatalogueEntry
from fhir_tools.codes import Matcher, Mention, words_of
from fhir_tools.lexicon import Entry, normalise
from fhir_tools.meaning import entries_meant
from fhir_tools.records import usable
from fhir_tools.types import Fact, Interval, Kind, Mark

__all__ = ["PLACES", "Finder", "Found", "label_of", "mention_of", "target_of"]

_HISTORY = ("history of ", "past history of ", "h/o ")
PLACES: dict[str, tuple[Kind, ...]] = {
    "procedure": ("procedure", "imaging"),
    "immunization": ("immunization", "procedure"),
    "imaging": ("imaging", "procedure", "report"),
    "device": ("device", "procedure"),
    "measurement": ("measurement", "social"),
}
"""The chart's kinds of record in which a kind of check is looked for, where that is not its own name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """`facts` are those of standing `fact`, oldest first; `others` were refuted, planned or entered in error.

    `doubtful` are facts that may be something wider than was asked for. `known`: whether the names mean anything to the
    lexicon or this chart. `absent` and `marks` prove an absence; `whole`: whether everything could be read.
    """

    facts: tuple[Fact, ...] = ()
    others: tuple[Fact, ...] = ()
    doubtful: tuple[Fact, ...] = ()
    known: bool = True
    absent: Absence | None = None
    marks: tuple[Mark, ...] = ()
    whole: bool = True


def label_of(concepts: Iterable[Concept]) -> str:
    """The names as told: "stroke or heart failure"; a capital stays where it is more than a sentence's first letter."""
    names = [c.name[:1].lower() + c.name[1:] if c.name[1:2].islower() else c.name for c in concepts]
    return ", ".join(names[:-1]) + " or " + names[-1] if len(names) > 1 else names[0]


class Finder:
    """Reads one chart for one statement; keeps every search of it as proof."""

    def __init__(self, chart: Chart) -> None:
        self.chart = chart
        self.gather = Gather(chart)

    @property
    def as_of(self) -> date:
        """The day that counts as today."""
        return self.chart.as_of

    def mark(self, fact: Fact) -> Mark:
        """The fact's mark."""
        return self.gather.marks.fact(fact)

    async def find(
        self, kind: str, of: Sequence[Concept], apart: Sequence[Concept] = (), *, history: bool = True
    ) -> Found:
        """The facts of the things named. `history`: whether "history of …" among the conditions counts.

        Raises SourceError where the source fails before anything was read; what was cut short is not `whole`.
        """
        if kind == "encounter":
            return await self._encounters(of)
        places: tuple[Kind, ...] = PLACES.get(kind) or (kind,)  # type: ignore[assignment]
        sure, doubtful = self.entries_of(of, places, kind, history=history)
        if apart:
            without = {(e.kind, e.key) for part in self.entries_of(apart, places, kind, history=True) for e in part}
            sure, doubtful = ([e for e in part if (e.kind, e.key) not in without] for part in (sure, doubtful))
        facts = await self._read(sure)
        unsure = tuple(f for f in await self._read(doubtful) if f not in facts)
        real = usable(facts)
        known = bool(sure or doubtful) or all(meanings(c.name, kind) or c.codes or _is_any(c, kind) for c in of)
        others = tuple(f for f in facts if f.standing != "fact")
        if real:
            return Found(facts=real, others=others, doubtful=usable(unsure), known=known, whole=self.whole)
        absent, marks = await self._absent(of, places, kind)
        return Found(others=others, doubtful=usable(unsure), known=known, absent=absent, marks=marks, whole=self.whole)

    @property
    def whole(self) -> bool:
        """Whether every search so far was read to its end."""
        return all(s.complete for s in self.gather.searched.values())

    def ended(self, when: object) -> bool:
        """Whether a time lies before the end of the day that counts as today."""
        return not (isinstance(when, Interval) and when.low and when.low >= self.gather.end)

    async def _read(self, entries: Sequence[CatalogueEntry]) -> tuple[Fact, ...]:
        by_kind: dict[Kind, list[str]] = {}
        for e in entries:
            by_kind.setdefault(e.kind, []).append(e.key)
        found: list[Fact] = []
        for kind, keys in by_kind.items():
            found += await self.gather.facts(kind, tuple(dict.fromkeys(keys)))
        return tuple(found)

    def entries_of(
        self, concepts: Sequence[Concept], places: Sequence[Kind], kind: str, *, history: bool
    ) -> tuple[list[CatalogueEntry], list[CatalogueEntry]]:
        """The chart's concepts that are meant, and those that may be wider than what is meant."""
        sure: dict[tuple[str, str], CatalogueEntry] = {}
        doubtful: dict[tuple[str, str], CatalogueEntry] = {}
        for concept in concepts:
            for entry, certain in self._of(concept, places, kind, history=history):
                (sure if certain else doubtful)[entry.kind, entry.key] = entry
        return list(sure.values()), [e for k, e in doubtful.items() if k not in sure]

    def _of(
        self, concept: Concept, places: Sequence[Kind], kind: str, *, history: bool
    ) -> Iterable[tuple[CatalogueEntry, bool]]:
        matcher = self.chart.matcher
        known = meanings(concept.name, kind)
        mention = mention_of(concept, known, matcher)
        narrow = frozenset().union(*(narrowing(concept.name, e) for e in known)) if known else frozenset()
        classes = {(e.kind, e.id) for e in known}
        meant = entries_meant(mention, places, matcher)
        if kind not in ("medication", "measurement"):
            meant += matcher.entries_of(classes, places)
        if not (meant or known) and not matcher.lexicon.lookup(mention.words, ("body_site",)):
            labelled = matcher.by_words(mention.words, places)
            yield from ((e, _says_no_more(e, mention.words)) for e in labelled if not _is_denied(e, mention.words))
        meant += [e for e in matcher.catalogue.of(*places) if _coded(e, concept)]
        if _is_any(concept, kind):
            yield from ((e, True) for e in matcher.catalogue.of("immunization"))
            return
        if ("procedure", "procedure") in classes:
            yield from (
                (e, True) for e in matcher.catalogue.of("procedure") if not _NO_OPERATION.search(e.concept.label)
            )
            return
        yield from ((e, False) for e in self._unstaged(known, places) if e not in meant)
        past = (
            [e for e in matcher.catalogue.of("condition") if _is_history(e)]
            if kind in ("condition", "procedure")
            else []
        )
        for e in {(e.kind, e.key): e for e in meant}.values():
            if (
                (history or e not in past)
                and (certain := _fits(e, narrow)) is not False
                and _may_be_given(concept, kind, e)
            ):
                yield e, certain is True
        if history:
            yield from ((e, _fits(e, narrow) is True) for e in past if self._was(e, classes, mention.words, kind))

    def _unstaged(self, known: Sequence[Entry], places: Sequence[Kind]) -> list[CatalogueEntry]:
        """The chart's concepts that leave open the stage that is asked for: "chronic kidney disease"."""
        wider = {(e.kind, p) for e in known if _STAGED.search(e.label) for p in e.parents}
        return [e for e in self.chart.matcher.entries_of(wider, places) if self._is_unstaged(e, wider)]

    def _is_unstaged(self, entry: CatalogueEntry, wider: set[tuple[str, str]]) -> bool:
        matcher = self.chart.matcher
        meant = matcher.classes_of(entry)
        told = [known.label for c in meant if (known := matcher.lexicon.by_id(*c))]
        return bool(meant & wider) and not any(map(_STAGED.search, (*told, entry.concept.label)))

    def _was(self, entry: CatalogueEntry, classes: set[tuple[str, str]], words: str, kind: str) -> bool:
        """Whether a "history of …" is of the thing named, or of something narrower."""
        label = normalise(entry.concept.label)
        rest = next(label.removeprefix(h) for h in _HISTORY if label.startswith(h))
        rest = rest.removesuffix(" situation").strip()
        todo = list(self.chart.matcher.lexicon.lookup(rest, LEXICAL[kind]))
        seen: set[tuple[str, str]] = set()
        while todo:
            known = todo.pop()
            if (known.kind, known.id) not in seen:
                seen.add((known.kind, known.id))
                todo += [p for name in known.parents if (p := self.chart.matcher.lexicon.by_id(known.kind, name))]
        return rest == words or bool(seen & classes)

    async def _encounters(self, of: Sequence[Concept]) -> Found:
        found: list[Fact] = []
        for concept in of:
            known = meanings(concept.name, "encounter")
            mention = mention_of(concept, known, self.chart.matcher)
            keys = () if known else tuple(e.key for e in self.chart.matcher.by_words(mention.words, ("encounter",)))
            target = target_of((concept,), ("encounter",), known, keys)
            found += await facts_of_target(self.gather, target) if known or keys else ()
        facts = tuple(dict.fromkeys(f.reference for f in found))
        real = usable({f.reference: f for f in found}[r] for r in facts)
        known_all = bool(real) or all(meanings(c.name, "encounter") for c in of)
        if real:
            return Found(facts=real, known=known_all, whole=self.whole)
        absent, marks = await self._absent(of, ("encounter",), "encounter")
        return Found(known=known_all, absent=absent, marks=marks, whole=self.whole)

    async def _absent(
        self, of: Sequence[Concept], places: Sequence[Kind], kind: str
    ) -> tuple[Absence, tuple[Mark, ...]]:
        known = tuple(e for c in of for e in meanings(c.name, kind))
        before = len(self.gather.absent)
        await self.gather.absence(target_of(of, tuple(places), known, ()))
        absent = self.gather.absent[before]
        return absent, tuple(self.gather.marks.of(absent.searched))


def target_of(of: Sequence[Concept], kinds: tuple[Kind, ...], known: Sequence[Entry], keys: tuple[str, ...]) -> Target:
    """The concepts as a question's subject, with the chart's keys for them."""
    words = " ".join(w.text for w in words_of(of[0].name))
    return Target(words=words, label=label_of(of), kinds=kinds, keys=keys, lexicon=tuple((e.kind, e.id) for e in known))


def mention_of(concept: Concept, known: tuple[Entry, ...], matcher: Matcher) -> Mention:
    """The name as a mention of this chart: its very label where it has one, and the lexicon's meanings of that kind."""
    words = words_of(concept.name)
    whole = [
        m for m in matcher.mentions(words, [False] * len(words), frozenset()) if (m.first, m.last) == (0, len(words))
    ]
    text = " ".join(w.text for w in words)
    mention = whole[0] if whole else Mention(first=0, last=len(words), words=text)
    return replace(mention, classes=known)


def _is_any(concept: Concept, kind: str) -> bool:
    return kind == "immunization" and concept.name == ANY_VACCINE


def _coded(entry: CatalogueEntry, concept: Concept) -> bool:
    return bool(concept.codes) and any(f"{c.system or ''}|{c.code}" in concept.codes for c in entry.concept.codings)


def _is_history(entry: CatalogueEntry) -> bool:
    return normalise(entry.concept.label).startswith(_HISTORY)


def _may_be_given(concept: Concept, kind: str, entry: CatalogueEntry) -> bool:
    """Whether a drug's label does not speak against the way that a name says it is given."""
    return kind != "medication" or not is_given_otherwise(concept.name, " ".join((entry.concept.label, *entry.labels)))


def _is_denied(entry: CatalogueEntry, words: str) -> bool:
    """Whether a label has words only to deny them: "migraine without aura"."""
    return bool(re.search(rf"\b(?:without|no|not)\b.*\b{re.escape(words)}\b", normalise(entry.concept.label)))


_STAGED = re.compile(r"\b(?:stage|grade) \w+", re.IGNORECASE)
_NO_OPERATION = re.compile(
    r"\b(?:\w*therapy|measurement|evaluation|documentation|auscultation|exam\w*|counsel\w+|screen\w+|\w*test\w*|x-?ray|\w*radiograph\w*|ultraso\w+|\w*scan\w*|imaging|tomography|resonance"
    r"|spirometry|\w*cardiogra\w+|\w*encephalogra\w+|vaccin\w+|immuni[sz]\w+|assessment|monitoring|injection|infusion|interview|review|reconciliation|education|care|rehabilitation|antibody|antigen|culture|count"
    r"|typing|smear|immobili[sz]ation|ventilation|cardioversion|h[a]?emodialysis|dialysis|bronchodilator|admission|interpretation|study|gathering)\b",
    re.IGNORECASE,
)
"""What a chart lists among procedures that is no operation."""
_LITTLE = frozenset("of the and disorder finding situation procedure regime therapy disease chronic history".split())


def _says_no_more(entry: CatalogueEntry, words: str) -> bool:
    """Whether a label that holds words which nobody knows is of just that, and not of something beside it."""
    rest = set(normalise(entry.concept.label).split()) - set(words.split()) - _LITTLE
    return not rest or len(words.split()) > 1


def _fits(entry: CatalogueEntry, narrow: frozenset[str]) -> bool | None:
    """Whether the chart's own words say all that the name narrows; None where they leave it open."""
    return fits(narrow, " ".join((entry.concept.label, *entry.labels)))
