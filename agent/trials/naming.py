"""What the names of checks mean among all concepts of a cohort: matched as in one chart, concept by concept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from agent.chart import Chart
from agent.retrieve.events import encounters_meant
from agent.trials.checks import Concept
from agent.trials.judging.finding import PLACES, Finder, mention_of, target_of
from agent.trials.names import meanings
from fhir_tools.catalogue import Catalogue, CatalogueEntry
from fhir_tools.codes import Matcher
from fhir_tools.cohort.leaves import Meant
from fhir_tools.facts import NO_KNOWN
from fhir_tools.lexicon import normalise
from fhir_tools.types import Coding, Fact, Reference
from fhir_tools.types import Concept as Coded

__all__ = ["Names"]

_DENIALS = ("no known allergy", "no known allergies", "nka")


class Names:
    """The concepts of a cohort (rows of its `concepts` table), found by name.

    Each is looked at by itself, so that what a name means for one patient does not hang on who else is in the cohort.
    """

    def __init__(self, rows: Iterable[Mapping[str, Any]], as_of: date) -> None:
        grouped: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
        for row in rows:
            grouped[row["kind"], row["key"]].append(row)
        self.labels = {row["concept"]: row["label"] for group in grouped.values() for row in group}
        self._as_of = as_of
        self._numbers = {place: frozenset(r["concept"] for r in group) for place, group in grouped.items()}
        self._classes = {place: str(group[0]["class"] or "") for place, group in grouped.items()}
        self._entries = {place: _entry(place, group) for place, group in grouped.items()}
        self._finders = {place: Finder(self._chart(entry)) for place, entry in self._entries.items()}

    def _chart(self, entry: CatalogueEntry) -> Chart:
        catalogue = Catalogue(entries=(entry,), by_key={(entry.kind, entry.key): entry})
        nobody: Any = None
        return Chart(
            source=nobody, patient=Reference(type="Patient", id="0"), as_of=self._as_of, catalogue=catalogue,
            matcher=Matcher(catalogue), person={},
        )  # fmt: skip

    def meant(self, kind: str, of: Sequence[Concept], apart: Sequence[Concept] = (), *, history: bool = True) -> Meant:
        """The concepts that names mean in records of a kind of check, those apart left out."""
        named = all(meanings(c.name, kind) or c.codes for c in of)
        places = _places(kind)
        opaque = self._where((places[0],), lambda f: bool(f.chart.matcher.opaque(places[0])))
        if kind == "encounter":
            return Meant(sure=self._encounters(of), opaque=opaque, named=named)
        sure, doubtful = self._found(kind, of, history=history)
        if apart:
            without = frozenset[int]().union(*self._found(kind, apart, history=True))
            sure, doubtful = sure - without, doubtful - without
        denied = self._where(("allergy",), lambda f: _denies(f.chart.catalogue.entries[0])) if kind == "allergy" else ()
        return Meant(sure=sure, doubtful=doubtful, opaque=opaque - sure, named=named, denied=frozenset(denied))

    def _where(self, kinds: Sequence[str], test: Any) -> frozenset[int]:
        return frozenset(n for p, f in self._finders.items() if p[0] in kinds and test(f) for n in self._numbers[p])

    def _found(self, kind: str, of: Sequence[Concept], *, history: bool) -> tuple[frozenset[int], frozenset[int]]:
        kinds = {*_places(kind), *(("condition",) if kind == "procedure" else ())}
        sure: set[int] = set()
        doubtful: set[int] = set()
        for place, finder in self._finders.items():
            if place[0] in kinds:
                surely, perhaps = finder.entries_of(of, _places(kind), kind, history=history)
                (sure if surely else doubtful).update(self._numbers[place] if surely or perhaps else ())
        return frozenset(sure), frozenset(doubtful)

    def _encounters(self, of: Sequence[Concept]) -> frozenset[int]:
        found: set[int] = set()
        for place, entry in self._entries.items():
            if place[0] != "encounter":
                continue
            finder, stay = self._finders[place], _stay(entry, self._classes[place])
            if any(_is_stay(finder, c, stay) for c in of):
                found |= self._numbers[place]
        return frozenset(found)

    def says(self, words: str, among: frozenset[int]) -> frozenset[int]:
        """The concepts whose labels hold every one of the words."""
        wanted = set(normalise(words).split())
        return frozenset(n for n in among if wanted <= set(normalise(self.labels[n]).split()))

    def negations(self) -> frozenset[int]:
        """The explicit "no known …" among the allergies."""
        return self._where(("allergy",), lambda f: _none_known(f.chart.catalogue.entries[0]))


def _entry(place: tuple[str, str], rows: Sequence[Mapping[str, Any]]) -> CatalogueEntry:
    kind, key = place
    codings = {
        (s, c): Coding(system=s, code=c) for row in rows for s, c in zip(_systems(row), row["codes"] or (), strict=True)
    }
    labels = tuple(dict.fromkeys(r["label"] for r in rows))
    concept = Coded(label=labels[0], codings=tuple(codings.values()))
    key = key.rpartition("#")[0] if kind == "encounter" else key
    return CatalogueEntry(kind=kind, key=key, concept=concept, counts={"fact": 1}, labels=labels)  # type: ignore[arg-type]


def _systems(row: Mapping[str, Any]) -> Sequence[str | None]:
    """The systems of the codes; none where some code has none, since they could not be told apart."""
    codes, systems = row["codes"] or (), row["systems"] or ()
    return systems if len(systems) == len(codes) else [None] * len(codes)


def _denies(entry: CatalogueEntry) -> bool:
    return any(label.lower() in _DENIALS for label in entry.labels)


def _none_known(entry: CatalogueEntry) -> bool:
    said = any(label.lower().startswith(("no known", "nka", "nkda")) for label in entry.labels)
    return said or any(c.code in NO_KNOWN for c in entry.concept.codings)


def _places(kind: str) -> tuple[Any, ...]:
    return PLACES.get(kind) or (kind,)


def _is_stay(finder: Finder, concept: Concept, stay: Fact) -> bool:
    """As `Finder` looks for encounters in one chart."""
    known, matcher = meanings(concept.name, "encounter"), finder.chart.matcher
    words = mention_of(concept, known, matcher).words
    keys = () if known else tuple(e.key for e in matcher.by_words(words, ("encounter",)))
    target = target_of((concept,), ("encounter",), known, keys)
    return bool((known or keys) and encounters_meant(finder.gather, target, (stay,)))


def _stay(entry: CatalogueEntry, class_: str) -> Fact:
    type_ = entry.concept if entry.concept.codings else None
    details = {k: v for k, v in (("class", class_), ("type", type_)) if v}
    place = Reference(type="Encounter", id="0")
    return Fact(kind="encounter", concept=entry.concept, reference=place, path="Encounter.period", details=details)
