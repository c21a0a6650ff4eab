"""Questions that a chart can be asked, from templates over its own catalogue, its lexicon and its times."""

from __future__ import annotations

import random
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from agent.chart import Chart
from agent.summaries.plain import lay
from fhir_tools.catalogue import CatalogueEntry
from fhir_tools.lexicon import lexicon
from fhir_tools.types import Kind

__all__ = ["KINDS", "Posed", "posed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Posed:
    """One question. `kind` is what is asked for: an operation, `absent`, `advice`, `follow_up` or `needs`.

    `before` is the question that it follows. `means` is the same question with the chart's own `label` in it, where
    `question` has words for it that may not be understood: the reply is then a need that finds the label.
    """

    kind: str
    question: str
    before: str = ""
    means: str = ""
    label: str = ""


_VALUED: tuple[Kind, ...] = ("measurement",)
_DATED: tuple[Kind, ...] = ("procedure", "immunization", "imaging", "report", "encounter")
_COUNTED: tuple[Kind, ...] = ("measurement", "immunization", "encounter", "report", "imaging", "procedure")

# Kind of question → the kinds of concept that it is asked of, the fewest records that it takes, and how it is worded.
_TEMPLATES: Mapping[str, tuple[tuple[Kind, ...], int, tuple[str, ...]]] = {
    "latest": (
        (*_VALUED, *_DATED, "social"),
        1,
        ("What was the last {x}?", "latest {x}", "most recent {x}?", "last {x}", "Please show me the newest {x}."),
    ),
    "previous": (_VALUED, 2, ("previous {x}", "What was the {x} before the last one?", "{x} before the latest?")),
    "first": (
        (*_VALUED, *_DATED),
        2,
        ("first {x} on record?", "What was the earliest {x}?", "When was the first {x}?", "baseline {x}"),
    ),
    "highest": (_VALUED, 2, ("highest {x}?", "What was the peak {x} ever?", "max {x} since {year}")),
    "lowest": (_VALUED, 2, ("lowest {x}?", "nadir {x}", "What was the minimum {x} since {year}?")),
    "mean": (_VALUED, 2, ("average {x}?", "What was the mean {x} since {year}?", "avg {x} in {year}")),
    "count": (
        _COUNTED,
        1,
        ("How many {x} are on record?", "how many {x} since {year}?", "number of {x} in {year}", "count of {x}"),
    ),
    "count_by_year": (_VALUED, 3, ("{x} results per year", "How many {x} results each year?")),
    "change": (_VALUED, 2, ("How much has {x} changed since {year}?", "change in {x} from first to last")),
    "trend": (_VALUED, 3, ("{x} trend", "How has {x} changed over time?", "{x} trend since {year}")),
    "range": (_VALUED, 2, ("lowest and highest {x}", "range of {x} in {year}?")),
    "list": (
        (*_VALUED, "immunization", "encounter", "report"),
        1,
        ("list all {x} since {year}", "all {x} in {year}", "show every {x}"),
    ),
    "on": (_VALUED, 1, ("{x} on {day}", "What was the {x} on {day}?")),
    "taking": (
        ("medication",),
        1,
        ("Is the patient taking {x}?", "still on {x}?", "Is {x} active?", "currently on {x}?"),
    ),
    "started": (("medication",), 1, ("When was {x} started?", "when did we start {x}?")),
    "dose": (("medication",), 1, ("What is the dose of {x}?", "{x} dose?")),
    "reason": (("medication",), 1, ("What is {x} for?", "why was {x} prescribed?")),
    "exists": (
        ("condition", "allergy", "procedure", "immunization", "family"),
        0,
        ("Any history of {x}?", "Does the patient have {x}?", "Has the patient ever had {x}?", "{x} on record?"),
    ),
    "when": (("condition",), 1, ("When was {x} diagnosed?", "When was {x} first recorded?", "onset of {x}")),
    "status": (("condition",), 1, ("Is {x} still active?", "status of {x}")),
    "advice": (
        ("medication", "condition"),
        1,
        ("Should {x} be treated differently?", "Would you recommend more of {x}?", "Is it safe to ignore {x}?"),
    ),
    "find": (("medication", "condition"), 1, ("What do the notes say about {x}?", "notes mentioning {x}")),
}

_LISTS = (
    "What are the active problems?", "problem list", "List the active medications", "current meds", "any allergies?",
    "List all immunizations", "vaccines since {year}", "Which procedures were done?", "family history?",
    "hospital stays since {year}", "imaging studies?", "medications started in {year}",
)  # fmt: skip
_PERSON = ("How old is the patient?", "date of birth?", "What is the patient's sex?", "age?", "DOB")

# Kind of concept in the lexicon → how it is asked for where the chart does not hold it.
_ABSENT: Mapping[str, tuple[str, ...]] = {
    "condition": ("Any history of {x}?", "Does the patient have {x}?", "Has the patient had {x}?"),
    "drug": ("Is the patient taking {x}?", "Was {x} ever prescribed?", "dose of {x}?"),
    "lab": ("What was the last {x}?", "latest {x}", "highest {x}?", "average {x}?"),
    "vaccine": ("When was the last {x}?", "Has the patient had {x}?"),
    "allergen": ("Is the patient allergic to {x}?",),
}
_FOLLOWED = (
    ("What was the last {x}?", "and the one before?"),
    ("latest {x}", "and the highest?"),
    ("last {x}", "what about the first one?"),
)
_MEANT = ("What was the last {x}?", "latest {x}", "first {x}?", "highest {x}?")
_MEANT_OF: Mapping[Kind, tuple[str, ...]] = {
    "measurement": _MEANT,
    "condition": ("When was {x} first recorded?", "Any history of {x}?"),
    "medication": ("Is the patient taking {x}?", "When was {x} started?"),
}

KINDS = (*_TEMPLATES, "lists", "person", "absent", "follow_up", "needs")
"""Every kind of question, as rows and reports name them."""


def posed(chart: Chart, seed: int, kinds: Collection[str] = ()) -> Iterator[Posed]:
    """The chart's questions, one of each kind in turn, in an order that the seed and the patient decide.

    Every concept is asked in one wording for each kind of question that fits it. `kinds` leaves out all others.
    """
    chance = random.Random(f"{seed}:{chart.person.get('id')}")  # noqa: S311  no secret: the same rows each time
    asked = zip(KINDS, [list(questions) for questions in _all(chart, chance)], strict=True)
    by_kind = [questions for kind, questions in asked if not kinds or kind in kinds]
    for questions in by_kind:
        chance.shuffle(questions)
    for row in zip_longest(*by_kind):
        yield from (question for question in row if question is not None)


def _all(chart: Chart, chance: random.Random) -> Iterator[Iterator[Posed]]:
    """The questions of each kind, in the order of `KINDS`."""
    entries = sorted(chart.catalogue.entries, key=lambda e: (e.kind, e.key))
    for kind, (of, least, wordings) in _TEMPLATES.items():
        yield _asked(kind, [e for e in entries if e.kind in of and e.count >= least], wordings, chance)
    year = str(chart.as_of.year - chance.randint(1, 6))
    yield (Posed(kind="lists", question=wording.format(year=year)) for wording in _LISTS)
    yield (Posed(kind="person", question=wording) for wording in _PERSON)
    yield _absent(chart, chance)
    measured = [e for e in entries if e.kind == "measurement" and e.count > 1]
    yield _followed(measured, chance)
    yield _meant([e for e in entries if e.kind in _MEANT_OF and e.count], chance)


def _asked(
    kind: str, entries: Sequence[CatalogueEntry], wordings: Sequence[str], chance: random.Random
) -> Iterator[Posed]:
    for entry in entries:
        wording = chance.choice(wordings)
        yield Posed(
            kind=kind, question=wording.format(x=_name(entry, chance), year=_year(entry, chance), day=_day(entry))
        )


def _name(entry: CatalogueEntry, chance: random.Random) -> str:
    """The chart's own label, a drug without its strength and form, at times in small letters."""
    label = _label(entry)
    if entry.kind == "medication":
        label = re.split(r"[\s,]+(?=\d)|,", label)[0]
    return label.lower() if chance.random() < 0.5 else label


def _label(entry: CatalogueEntry) -> str:
    return (entry.labels or (entry.concept.label,))[0]


def _year(entry: CatalogueEntry, chance: random.Random) -> str:
    """A year within the records of the concept, so that a window mostly holds some."""
    first, last = (int((text or "2020")[:4]) for text in (entry.first, entry.last))
    return str(chance.randint(min(first, last), max(first, last)))


def _day(entry: CatalogueEntry) -> str:
    return (entry.last or "2020-01-01")[:10]


def _absent(chart: Chart, chance: random.Random) -> Iterator[Posed]:
    """Concepts of the lexicon that no label of the chart has; whether it lacks them is for the search to say."""
    labels = " ".join(label.lower() for e in chart.catalogue.entries for label in e.labels)
    for kind, wordings in _ABSENT.items():
        lacking = [e.label for e in lexicon().entries(kind) if e.label.lower() not in labels]
        for label in chance.sample(lacking, min(12, len(lacking))):
            yield Posed(kind="absent", question=chance.choice(wordings).format(x=label))


def _followed(entries: Sequence[CatalogueEntry], chance: random.Random) -> Iterator[Posed]:
    for entry in entries:
        before, question = chance.choice(_FOLLOWED)
        yield Posed(kind="follow_up", question=question, before=before.format(x=_name(entry, chance)))


def _meant(entries: Sequence[CatalogueEntry], chance: random.Random) -> Iterator[Posed]:
    """Questions in other words than the chart's: the patient's own, or as hurried hands write them."""
    for entry in entries:
        label, wording = _label(entry), chance.choice(_MEANT_OF[entry.kind])
        for words in dict.fromkeys((lay(entry.concept), _hurried(_name(entry, chance)))):
            if words and words.lower() not in label.lower():
                yield Posed(kind="needs", question=wording.format(x=words), means=wording.format(x=label), label=label)


def _hurried(label: str) -> str:
    """The longest word of a label without the vowels inside it, as abbreviations on wards are made (`crtnn`)."""
    longest = max(re.findall(r"[^\W\d_]+", label) or [""], key=len)
    return longest[:1] + re.sub("[aeiouy]", "", longest[1:-1]) + longest[-1:] if len(longest) > 5 else ""
