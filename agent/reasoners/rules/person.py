"""What rules say of the person: birth date, age, sex and the other demographics."""

from __future__ import annotations

from agent.reasoners.rules import say
from agent.types import Ask, Claim
from fhir_tools import wording
from fhir_tools.types import Card, Fact, Interval, Mark

__all__ = ["claims"]


def claims(ask: Ask, card: Card) -> tuple[Claim, ...]:
    """One claim about one element of the Patient resource, or the age worked out from it."""
    mark = next((m for m in card.marks if m.fact), None)
    if mark is None or mark.fact is None:
        return ()
    if ask.op == "age_at":
        return ()
    if ask.attribute == "age":
        return _age(card, ask)
    if ask.attribute == "deceased":
        return _deceased(ask, mark.fact, mark)
    shown = wording.value_text(mark.fact)
    value = say.day_value(shown) if isinstance(mark.fact.value, Interval) else say.text_value(shown)
    return (say.claim(f"{say.name(mark.fact).capitalize()}: {shown}.", mark, value=value),)


_ALIVE = ("alive", "living")


def _deceased(ask: Ask, fact: Fact, mark: Mark) -> tuple[Claim, ...]:
    """When the patient died, or whether: yes to "alive" is no to "deceased"."""
    day = wording.value_text(fact) if isinstance(fact.value, Interval) else ""
    if day and ask.expects == "date":
        return (say.claim(f"The patient died on {day}.", mark, value=say.day_value(day)),)
    dead = bool(day) or fact.value is True
    yes = dead != any(w in ask.question.lower() for w in _ALIVE)
    state = f"died on {day}" if day else "is recorded as deceased" if dead else "is not recorded as deceased"
    return (say.claim(f"{'Yes' if yes else 'No'}: the patient {state}.", mark, value=say.truth(yes)),)


def _age(card: Card, ask: Ask) -> tuple[Claim, ...]:
    mark = say.computed(card, "age")
    if mark is None or mark.computation is None or mark.computation.result is None:
        return ()
    age, birth = mark.computation.result, mark.computation.inputs[0]
    died = len(mark.computation.inputs) > 1
    shown = f"at least {age[0]}" if isinstance(age, tuple) else str(age)
    value = None if isinstance(age, tuple) else {"kind": "number", "value": age, "unit": "a", "date": None}
    day = "" if died or not ask.window else f" on {ask.window.low}"
    verb = "was" if died or day else "is"
    when = " at death" if died else day
    text = f"The patient {verb} {shown} years old{when}, born {wording.value_text(birth)}."
    return (say.claim(text, mark, say.mark_of(card, birth), value=value),)
