"""One of the family who asks about the patient: "How old was mum when …?", "My father had a polyp removed, when?"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import get_args

from agent.chart import Chart
from agent.types import Target
from agent.understand.asked import attribute_of, cued_kinds, op_of, state_of
from agent.understand.reading import Reading
from agent.understand.targets import target_of
from fhir_tools.codes import Mention
from fhir_tools.types import Kind

__all__ = ["is_the_patient", "relatives_of"]

_OF_THE_PATIENT = frozenset(get_args(Kind)) - {"family", "condition", "procedure", "social"}
"""The kinds of record that a chart holds of the patient alone."""
_NAMES = frozenset(
    """mum mom mummy mommy mam mama dad daddy papa pop grandma gran granny nan nana nanny grandpa grandad granddad
    gramps""".split()
)
"""What family members are called, and call themselves: never how a clinician names a patient's."""


def relatives_of(mentions: Sequence[Mention]) -> tuple[list[str], list[Mention]]:
    """The family members named ("mother"), and the other mentions."""
    named = [
        m
        for m in mentions
        if any(c.kind == "relationship" for c in m.classes) and not any(e.kind != "family" for e in m.entries)
    ]
    labels = [c.id for m in named for c in m.classes if c.kind == "relationship"]
    return labels, [m for m in mentions if m not in named]


_OF_ANOTHER = (
    r"\b(?:his|her|their|its|patients?|pts?|family|paternal|maternal|(?:his|her|whose) \w+) {0}\b"
    r"|\b{0} of (?:the|this|his|her|their)\b|\ban? {0}\b"
)
_CHILDREN = frozenset(("son", "daughter", "child"))
_FEMALE = frozenset(("mother", "grandmother", "daughter", "sister", "wife", "aunt", "niece"))
_MALE = frozenset(("father", "grandfather", "son", "brother", "husband", "uncle", "nephew"))


def is_the_patient(
    relatives: Sequence[str], reading: Reading, s: str, named: Sequence[Sequence[Mention]], chart: Chart
) -> bool:
    """ "What is my son allergic to": one of the family asks about the patient, if a family history cannot hold it."""
    if not _may_be_the_patient(relatives, reading, s, chart):
        return False
    at = _place(relatives, reading)
    if re.search(rf"\b(?:my|our) m{at}\b", s) and relatives[0] in _CHILDREN and not _is_family(relatives[0], chart):
        return True
    cued = cued_kinds(s, [])
    targets = [target_of(group, cued, op_of(s), chart.matcher) for group in named]
    if targets and _is_called(at, reading, formal=all(t.kinds[:1] == ("procedure",) for t in targets)):
        return all(_is_own(t, chart) for t in targets)
    if targets:
        return all(t.kinds and t.kinds[0] in _OF_THE_PATIENT for t in targets)
    own = bool(cued) and (set(cued) <= _OF_THE_PATIENT or state_of(s) == "active")
    attributes = ("age", "date of birth", "deceased") if _is_called(at, reading) else ("age", "date of birth")
    return own or attribute_of(s) in attributes


def _is_family(relative: str, chart: Chart) -> bool:
    """Whether the family history tells of such a relative."""
    return bool(chart.matcher.entries_of((("relationship", relative),), ("family",)))


def _may_be_the_patient(relatives: Sequence[str], reading: Reading, s: str, chart: Chart) -> bool:
    """Whether one relative is named, nobody's in particular. Who is of the other sex may mean the wrong chart."""
    other = {"male": _FEMALE, "female": _MALE}.get(str(chart.person.get("gender")), frozenset())
    if len(set(relatives)) > 1 or relatives[0] in other | {"family member"}:
        return False
    return not re.search(_OF_ANOTHER.format(f"m{_place(relatives, reading)}"), s)


def _place(relatives: Sequence[str], reading: Reading) -> int:
    """The number of the first relative's mention."""
    return next(n for n, m in enumerate(reading.mentions) if any(c.id == relatives[0] for c in m.classes))


def _is_called(at: int, reading: Reading, *, formal: bool = False) -> bool:
    """Whether mention `at` is the patient to the one who asks: by such a name alone, or as "my …", "our …".

    `formal`: of what is recorded of relatives seldom, "mother" alone is the patient as well.
    """
    mine = re.search(rf"\b(?:my|our) m{at}\b", reading.skeleton)
    alone = re.search(rf"(?:^|\b(?:did|was|is|has|had|does|when|so|and|of|for) )m{at}\b", reading.skeleton)
    return bool(mine) or bool(alone and (formal or reading.mentions[at].words in _NAMES))


def _is_own(target: Target, chart: Chart) -> bool:
    """Whether what is asked about stands in the patient's own chart, and nothing of it in the family history.

    Until both have been read it is taken for what must be read next (see `agent.understand.relied.wanted`).
    """
    if not target.kinds or target.kinds[0] in _OF_THE_PATIENT:
        return bool(target.kinds)
    if "family" in chart.waiting:
        return False
    if chart.waiting.intersection(target.kinds):
        return True
    return bool(target.keys) and not chart.matcher.entries_of(target.lexicon, ("family",))
