"""One of the family who asks about the patient: "How old was mum when …?", "My father had a polyp removed, when?"."""

from __future__ import annotations

import re
from typing import get_args

from agent.chart import Chart
from agent.types import Target
from agent.understand.reading import Reading
from fhir_tools.types import Kind

__all__ = ["OF_THE_PATIENT", "is_called", "is_own"]

OF_THE_PATIENT = frozenset(get_args(Kind)) - {"family", "condition", "procedure", "social"}
"""The kinds of record that a chart holds of the patient alone."""
_NAMES = frozenset(
    """mum mom mummy mommy mam mama dad daddy papa pop grandma gran granny nan nana nanny grandpa grandad granddad
    gramps""".split()
)
"""What family members are called, and call themselves: never how a clinician names a patient's."""


def is_called(at: int, reading: Reading, *, formal: bool = False) -> bool:
    """Whether mention `at` is the patient to the one who asks: by such a name alone, or as "my …", "our …".

    `formal`: of what is recorded of relatives seldom, "mother" alone is the patient as well.
    """
    mine = re.search(rf"\b(?:my|our) m{at}\b", reading.skeleton)
    alone = re.search(rf"(?:^|\b(?:did|was|is|has|had|does|when|so|and|of|for) )m{at}\b", reading.skeleton)
    return bool(mine) or bool(alone and (formal or reading.mentions[at].words in _NAMES))


def is_own(target: Target, chart: Chart) -> bool:
    """Whether what is asked about stands in the patient's own chart, and nothing of it in the family history.

    Until both have been read it is taken for what must be read next (see `agent.understand.relied.wanted`).
    """
    if not target.kinds or target.kinds[0] in OF_THE_PATIENT:
        return bool(target.kinds)
    if "family" in chart.waiting:
        return False
    if chart.waiting.intersection(target.kinds):
        return True
    return bool(target.keys) and not chart.matcher.entries_of(target.lexicon, ("family",))
