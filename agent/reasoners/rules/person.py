"""What rules say of the person: birth date, age, sex and the other demographics."""

from __future__ import annotations

from agent.reasoners.rules import say
from agent.types import Ask, Claim
from fhir_tools import wording
from fhir_tools.types import Card, Interval

__all__ = ["claims"]


def claims(ask: Ask, card: Card) -> tuple[Claim, ...]:
    """One claim about one element of the Patient resource, or the age worked out from it."""
    mark = next((m for m in card.marks if m.fact), None)
    if mark is None or mark.fact is None:
        return ()
    if ask.op == "age_at":
        return ()
    if ask.attribute == "age":
        return _age(card)
    fact = mark.fact
    if ask.attribute == "deceased" and ask.expects == "date" and isinstance(fact.value, Interval):
        day = wording.value_text(fact)
        return (say.claim(f"The patient died on {day}.", mark, value={"kind": "date", "value": day, "unit": None, "date": day}),)
    if ask.attribute == "deceased":
        dead = isinstance(fact.value, Interval) or fact.value is True
        text = f"Yes: the patient died on {wording.value_text(fact)}." if isinstance(fact.value, Interval) else f"{'Yes: the patient is' if dead else 'No: the patient is not'} recorded as deceased."
        alive = any(w in ask.question.lower() for w in ("alive", "living"))
        if alive:
            text = text.replace("Yes: the patient died", "No: the patient died").replace("Yes: the patient is recorded", "No: the patient is recorded").replace("No: the patient is not recorded", "Yes: the patient is not recorded")
        return (say.claim(text, mark, value=say.truth(dead != alive)),)
    kind = "date" if isinstance(fact.value, Interval) else "text"
    shown = wording.value_text(fact)
    value = {"kind": kind, "value": shown, "unit": None, "date": shown if kind == "date" else None}
    return (say.claim(f"{say.name(fact).capitalize()}: {shown}.", mark, value=value),)


def _age(card: Card) -> tuple[Claim, ...]:
    mark = say.computed(card, "age")
    if mark is None or mark.computation is None or mark.computation.result is None:
        return ()
    age, birth = mark.computation.result, mark.computation.inputs[0]
    died = len(mark.computation.inputs) > 1
    shown = f"{age[0]} or {age[1]}" if isinstance(age, tuple) else str(age)
    value = None if isinstance(age, tuple) else {"kind": "number", "value": age, "unit": "a", "date": None}
    verb = "was" if died else "is"
    text = f"The patient {verb} {shown} years old{' at death' if died else ''}, born {wording.value_text(birth)}."
    return (say.claim(text, mark, say.mark_of(card, birth), value=value),)
