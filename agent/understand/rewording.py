"""A question in a model's words: taken only where rules know them, the chart holds them, and nothing of it is lost."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from agent.types import Ask
from fhir_tools.codes import words_of

__all__ = ["reworded"]


def reworded(asked: Ask, wordings: Sequence[Ask]) -> Ask:
    """The question as the first of its wordings has it that rules know and the chart holds; else as before.

    A wording names a concept and what is asked of it: what the question itself said of time is kept. `reads_as` says
    the wording; where none could be taken, `unknown` says what was not understood.
    """
    taken = next((w for w in wordings if _is_held(w)), None)
    if taken is None or _loses(asked, taken):
        first = wordings[0].question if wordings else ""
        return replace(asked, reads_as=first, unknown=asked.unknown or (asked.question,))
    timed = taken.window is not None or taken.anchor is not None
    return replace(
        taken,
        question=asked.question,
        window=taken.window if timed else asked.window,
        anchor=taken.anchor if timed else asked.anchor,
        reads_as=taken.question,
    )


def _is_held(ask: Ask) -> bool:
    """Whether rules know all of it as one thing, and the chart has that; of a part, another thing would be told."""
    if ask.unknown or len(ask.targets) > 1:
        return False
    if not ask.targets:
        return bool(ask.attribute) or (bool(ask.kinds) and ask.op == "list")
    named = ask.targets[0]
    if named.lexicon and all(kind == "body_site" for kind, _ in named.lexicon):
        return False  # what was done to a part of the body, or seen of it, is not named
    beside = {w.text for w in words_of(ask.question)} - {w.text for w in words_of(named.words)} - _BESIDE
    return bool(named.keys) and not named.choices and not beside


_BESIDE = frozenset(
    "a any did ever first had has highest how last latest lowest many patient show the was what when"
    " count level measurement reading result score test value".split()
)
"""What a wording holds beside the name: how it is asked, and that it is a result."""
_BINDS = re.compile(
    r"\b(?:not|no|never|nor|neither|without|except|than|cannot|\w+n['’]t|(?:refus|declin)\w*|turn(?:ed)? down|both|who"
    r"|whose|(?:the|his|her) (?:second|third)|day (?:that |when )?(?:of|he|she|they))\b",
    re.IGNORECASE,
)
"""Words that make it another question, and that a name with what is asked of it does not hold."""
_TIMES = re.compile(r"\b(?:before|after|until|while|between|during)\b|\d", re.IGNORECASE)
"""Words and numbers that are a time, where rules understood them; else they are lost."""
_AMOUNT = re.compile(
    r"(?:and |so )*how (?!many|often|long|old|come|did|do|does|was|were|is|are|has|have)\w+", re.IGNORECASE
)
"""How much, high, heavy: a value is asked for."""


def _loses(asked: Ask, taken: Ask) -> bool:
    """Whether the question says more than the wording does, or wants a value and the wording names none."""
    question = asked.question
    if _BINDS.search(question) or (_AMOUNT.match(question) and taken.kinds[:1] not in (("measurement",), ("social",))):
        return True
    if not (asked.window or asked.anchor) and _TIMES.search(question):
        return True
    said = ("relative", "purpose", "n", "threshold")
    return asked.state not in ("", "active", taken.state) or any(getattr(asked, s) != getattr(taken, s) for s in said)
