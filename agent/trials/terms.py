"""Names and numbers of criteria as the checks have them: concepts, records, limits, stages; what qualifies a name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal

from agent.trials.amounts import Amount
from agent.trials.checks import All, Any_, Concept, Limit, Measurement, Record
from agent.trials.lexing import Token
from agent.trials.names import meanings, narrowing
from agent.trials.segments import Segment
from fhir_tools.lexicon import lexicon, normalise

__all__ = [
    "graded", "limits_of", "named", "narrowest", "phrase_of", "pressures", "record_of", "runs", "settled", "sliced",
    "staged", "with_unit",
]  # fmt: skip

_BRACKETED = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")


def staged(record: Record, low: int, high: int) -> Record | None:
    """The stages of a condition, where the lexicon has them."""
    names = (f"{record.of[0].name} stage {n}" for n in range(low, high + 1))
    known = [m[0].label for name in names if (m := meanings(name, record.kind)) and m[0].label != record.of[0].name]
    return record.model_copy(update={"of": tuple(Concept(name=n) for n in dict.fromkeys(known))}) if known else None


_FORMS = {"condition": ("infection",), "medication": ("injection", "infusion", "injections", "iv infusion")}
"""Words behind a name that say no more than it does, by the kind of what they follow: "hepatitis C infection"."""


def narrowest(out: list[Any]) -> list[Any]:
    """Names side by side that are one: a class and what it is a kind of ("opioid analgesic"), a name and a form."""
    kept: list[Any] = []
    for check in out:
        last = kept[-1] if kept else None
        if isinstance(check, Record) and isinstance(last, Record) and _is_same(last, check):
            continue
        kept.append(check)
    return kept


def _is_same(first: Record, second: Record) -> bool:
    if second.of[0].name.lower() in _FORMS.get(first.kind, ()) or (first.kind, second.of[0].name) == (
        "procedure",
        "Procedure",
    ):
        return True
    before = {p for e in meanings(first.of[0].name, first.kind) for p in e.parents}
    wider = {e.id for e in meanings(second.of[0].name, second.kind)}
    return first.kind == second.kind == "medication" and bool(before & wider)


def phrase_of(text: str, piece: Segment) -> str:
    """All the words of a segment but its cues."""
    out = text[: piece.end]
    for token in piece.of("cue", "time", "bracket"):
        out = out[: token.start] + " " * (token.end - token.start) + out[token.end :]
    return " ".join(out[piece.start :].split()).strip(" .")


_GRADE = re.compile(
    r"\b(?:severe|mild|moderate|morbid|dual|triple|hfpef|hfref|hfmref|stage \w+|class \w+)\b",
    re.IGNORECASE,
)


def graded(token: Token, concept: Concept, text: str) -> list[str]:
    """A degree that the lexicon has among a name's synonyms and that its records need not have ("severe asthma")."""
    said = _GRADE.findall(text[token.start : token.end])
    out = [x for x in said if x.lower() not in concept.name.lower()]
    written = text[token.start : token.end].lower()
    if written.startswith("chronic ") and "chronic" not in concept.name.lower():
        bare = {e.id for e in lexicon().lookup(normalise(written[8:]))}  # the name is one without the word as well
        out += ["chronic"] if bare & {e.id for e in token.value} else []
    return out


def record_of(piece: Segment, kind: str, concept: Concept) -> Record:
    """A record of the thing, in the state that the cues beside it say."""
    state = ""
    if kind == "condition":
        state = piece.state
    elif kind == "medication":
        state = "" if piece.then == "ever" and piece.state != "active" else "current"
    elif kind == "allergy" and piece.state == "active":
        state = "active"
    return Record(kind=kind, of=(concept,), state=state)


def named(token: Token, kind: str, text: str) -> Concept | None:
    """The name as the lexicon has it in that kind of record; as written where it means several things or none there."""
    written = " ".join(_BRACKETED.sub(" ", text[token.start : token.end]).split())
    written = " ".join(w for w in written.split() if w.lower() not in ("the", "a", "an"))
    if written.lower().startswith("non-") and not meanings(written, kind):
        written = written[4:]  # one word to the reader of words, and its denial is read as one
    return Concept(name=settled(written, kind)[:120]) if written else None


def settled(written: str, kind: str) -> str:
    """The lexicon's name of what is written, where it has one for all of it."""
    known = meanings(written, kind)
    one = len({e.id for e in known}) == 1 and meanings(known[0].label, kind) and not narrowing(written, known[0])
    return known[0].label if one else written


def pressures(amount: Amount, which: Literal["latest", "any"]) -> list[Any]:
    """A blood pressure's two numbers: above either, or below both."""
    parts = tuple(
        Measurement(of=(Concept(name=name),), limits=limits, which=which)
        for name, limits in (("Systolic blood pressure", amount.limits), ("Diastolic blood pressure", amount.second))
    )
    return [Any_(of=parts) if ">" in amount.limits[0].sign else All(of=parts)]


def limits_of(tokens: Sequence[Token]) -> tuple[Limit, ...]:
    """The limits of all the comparisons."""
    return tuple(limit for t in tokens for limit in t.value.limits)


def with_unit(limits: Sequence[Limit], unit: str) -> tuple[Limit, ...]:
    """The limits, those without a unit in that of the others."""
    return tuple(x if x.unit else Limit(sign=x.sign, value=x.value, unit=unit) for x in limits)


def sliced(text: str, tokens: Sequence[Token]) -> str:
    """The text from the first of some tokens to the last."""
    return " ".join(text[tokens[0].start : tokens[-1].end].split()) if tokens else ""


def runs(text: str, tokens: Sequence[Token]) -> list[str]:
    """Words that stand side by side, as phrases."""
    out: list[list[Token]] = []
    for token in tokens:
        if out and not text[out[-1][-1].end : token.start].strip(" -/"):
            out[-1].append(token)
        else:
            out.append([token])
    return [sliced(text, run) for run in out]
