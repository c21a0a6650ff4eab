"""The sections of summaries about what stands in the chart: person, problems, drugs, allergies, care, family."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from agent.summaries import lines, plain
from agent.summaries.lines import line, marks_of
from agent.summaries.reading import Reader
from agent.summaries.types import Drafted, Note, Sketch
from agent.types import Claim, Op
from fhir_tools import compute, wording
from fhir_tools.cards import event_card
from fhir_tools.conditions import ongoing
from fhir_tools.facts import facts_of
from fhir_tools.medications import taken
from fhir_tools.records import usable
from fhir_tools.types import Card, Fact, Interval, Query

__all__ = [
    "allergies", "by_concept", "conditions", "current_drugs", "drugs", "encounters", "family",
    "immunizations", "listed", "other_drugs", "past_problems", "person", "problems", "procedures",
]  # fmt: skip

Say = Callable[[Fact], str]

_MANY = 40
_ORDERS: tuple[tuple[str, str], ...] = (("MedicationRequest", "status"), ("MedicationStatement", "status"))


def by_concept(facts: Iterable[Fact]) -> tuple[tuple[Fact, ...], ...]:
    """The facts by label, each group oldest first, groups in the order of their newest fact, newest first."""
    groups: dict[str, list[Fact]] = {}
    for fact in compute.in_order(tuple(facts)):
        groups.setdefault(wording.label(fact.concept).lower(), []).append(fact)
    newest = sorted(groups.values(), key=lambda g: compute.when_key(g[-1]), reverse=True)
    return tuple(tuple(g) for g in newest)


def listed(
    reader: Reader,
    title: str,
    groups: Iterable[tuple[Fact, ...]],
    say: Say = lines.sentence,
    limit: int = _MANY,
    notes: tuple[Note, ...] = (),
) -> Sketch:
    """A section with one line for each group: its newest fact told, the whole group on its card."""
    every = tuple(groups)
    cards, told = [], []
    for group in every[:limit]:
        names = (plain.lay(group[-1].concept),) if plain.lay(group[-1].concept) else ()
        card = event_card(reader.marks, group, names=names)
        cards.append(card)
        told.append(line(card, say(group[-1]), group[-1]))
    return Sketch(title=title, lines=tuple(told), cards=tuple(cards), notes=notes, hidden=max(0, len(every) - limit))


def absent(reader: Reader, what: str, *queries: Query, others: tuple[Fact, ...] = ()) -> Note:
    """ "No … are documented" with the searches that prove it; a cut search and unusable records are told as such."""
    marks = tuple(m.id for m in reader.proof(*queries))
    faults = "; ".join(reader.faults(*queries))
    if faults:
        return Note(text=f"{what} could not be read in full ({faults}), so this may not be all.", marks=marks)
    proof = ", ".join(f"{q.type}: {reader.found(q)}" for q in queries)
    if others:
        how = ", ".join(dict.fromkeys(_HOW.get(f.standing, f.standing) for f in others))
        told = f"{len(others)} {'is' if len(others) == 1 else 'are'} on record as {how}"
        return Note(text=f"No {what.lower()} are documented that count; {told} (searched {proof}).", marks=marks)
    return Note(text=f"No {what.lower()} are documented (searched {proof}).", marks=marks)


_HOW = {"error": "entered in error", "not-done": "not done"}


def cut(reader: Reader, what: str, *queries: Query) -> tuple[Note, ...]:
    """A note for a list whose search was cut short; nothing for a complete one."""
    return (absent(reader, what, *queries),) if reader.faults(*queries) else ()


# The person.


def person(reader: Reader, everyday: bool = False) -> Sketch:
    """Name, sex, age; who has died is told as such. `everyday` speaks to the person."""
    facts = {f.path: f for f in facts_of(reader.chart.person)}
    died = next((f for p, f in facts.items() if p.startswith("Patient.deceased") and _dead(reader, f)), None)
    told, cards = [], []
    for path, word in (("Patient.name", "Name"), ("Patient.gender", "Gender")):
        if path in facts:
            card = event_card(reader.marks, (facts[path],), title="Patient", names=(word,))
            cards.append(card)
            told.append(line(card, f"{word}: {wording.value_text(facts[path])}.", facts[path]))
    if "Patient.birthDate" in facts:
        drafted, card = _age(reader, facts["Patient.birthDate"], died, everyday)
        cards.append(card)
        told.append(drafted)
    if died:
        card = event_card(reader.marks, (died,), title="Patient", names=("deceased",))
        cards.append(card)
        when = f" on {wording.value_text(died)}" if isinstance(died.value, Interval) else ""
        told.append(line(card, f"The patient died{when}." if when else "The patient is recorded as deceased.", died))
    op: Op = "age_at" if died else "list"
    return Sketch(title="You" if everyday else "Patient", lines=tuple(told), cards=tuple(cards), op=op)


def _dead(reader: Reader, fact: Fact) -> bool:
    if isinstance(fact.value, Interval):
        return bool(fact.value.low and fact.value.low < reader.end)
    return fact.value is True


def _age(reader: Reader, birth: Fact, died: Fact | None, everyday: bool) -> tuple[Drafted, Card]:
    at_death = died is not None and isinstance(died.value, Interval)
    inputs = (birth, replace(died, when=died.value)) if died and isinstance(died.value, Interval) else (birth,)
    age = compute.compute("age", inputs, at=None if at_death else reader.chart.as_of)
    shown = f"{age.result[0]} or {age.result[1]}" if isinstance(age.result, tuple) else str(age.result)
    computed = ((age, f"age {'at death' if at_death else f'on {reader.chart.as_of}'}: {shown} years"),)
    card = event_card(
        reader.marks, (birth,), title="Patient", computed=computed, names=("date of birth", "patient", "age")
    )
    mark = next(m.id for m in card.marks if m.computation and m.computation.op == "age")
    told = f"The patient {'was' if died else 'is'} {shown} years old{' at death' if at_death else ''}"
    text = f"{told}, born {wording.value_text(birth)}."
    if everyday and not died and isinstance(birth.value, Interval):
        text = f"You are {shown} years old, born {plain.day(birth.value)}."
    return Drafted(claim=Claim(text=text, marks=(mark, *marks_of(card, birth)))), card


# Problems.


async def conditions(reader: Reader) -> tuple[Query, tuple[Fact, ...]]:
    query = reader.query("Condition")
    return query, await reader.read("condition", query)


async def problems(reader: Reader, title: str = "Active problems", say: Say = lines.sentence) -> Sketch:
    query, facts = await conditions(reader)
    groups = by_concept(f for f in usable(facts) if ongoing(f))
    if groups:
        return listed(reader, title, groups, say, notes=cut(reader, "Conditions", query))
    notes = [] if usable(facts) else [absent(reader, "Conditions", query, others=facts)]
    if usable(facts):
        marks = tuple(m.id for m in reader.proof(query))
        told = f"No condition is recorded as active; {len(usable(facts))} past ones are."
        notes.append(Note(text=told, marks=marks))
    return Sketch(title=title, notes=(*notes, *cut(reader, "Conditions", query)))


async def past_problems(reader: Reader) -> tuple[Sketch, ...]:
    """What is over, and what was never sure or was refuted, told as that."""
    _, facts = await conditions(reader)
    standing = {wording.label(f.concept).lower() for f in usable(facts) if ongoing(f)}
    over = [g for g in by_concept(usable(facts)) if wording.label(g[-1].concept).lower() not in standing]
    unsure = by_concept(f for f in facts if f.standing in ("unconfirmed", "refuted"))
    made = [listed(reader, "Past problems", over)] if over else []
    if unsure:
        made.append(listed(reader, "Not confirmed, or refuted", unsure, _unsure))
    return tuple(made)


def _unsure(fact: Fact) -> str:
    word = "refuted" if fact.standing == "refuted" else "unconfirmed"
    return f"{wording.label(fact.concept)} is {word}{lines.on(fact.when)}."


# Medications.


async def drugs(reader: Reader, only_active: bool) -> tuple[tuple[Query, ...], tuple[Fact, ...]]:
    """Orders and statements up to as_of, judged for being taken; all of them or those whose status is active."""
    queries = tuple(
        reader.query(type_, *(((name, "active"),) if only_active else ()), *_until(reader, type_))
        for type_, name in _ORDERS
    )
    found = [f for q in queries for f in await reader.read("medication", q)]
    return queries, await reader.reasoned(await reader.judged(tuple(found)))


def _until(reader: Reader, type_: str) -> tuple[tuple[str, str], ...]:
    return (("authoredon", f"le{reader.chart.as_of.isoformat()}"),) if type_ == "MedicationRequest" else ()


async def current_drugs(reader: Reader, title: str = "Current medications", say: Say = lines.sentence) -> Sketch:
    """Drugs with an active order or statement whose course and stay are not over; the newest such order is told."""
    queries, facts = await drugs(reader, only_active=True)
    groups = by_concept(f for f in usable(facts) if taken(f))
    now = {wording.label(g[-1].concept) for g in groups}
    others = len({wording.label(f.concept) for f in usable(facts) if not taken(f)} - now)
    notes = list(cut(reader, "Medications", *queries))
    if others:
        verb = "is" if others == 1 else "are"
        told = f"{others} more {verb} listed active, but the course or the hospital stay is over."
        notes.append(Note(text=told))
    if not groups:
        notes.insert(0, _none_current(reader, facts, queries))
    return listed(reader, title, groups, say, notes=tuple(notes))


def _none_current(reader: Reader, facts: tuple[Fact, ...], queries: tuple[Query, ...]) -> Note:
    if not facts and any(e.count for e in reader.chart.catalogue.of("medication")) and not reader.faults(*queries):
        marks = tuple(m.id for m in reader.proof(*queries))
        return Note(text="Medications are documented, but none up to this day is recorded as active now.", marks=marks)
    return absent(reader, "Current medications", *queries, others=tuple(f for f in facts if f.standing != "fact"))


async def other_drugs(reader: Reader) -> tuple[Sketch, ...]:
    """Drugs on hold, listed active but over, and stopped ones, each under its own title."""
    _, facts = await drugs(reader, only_active=False)
    standing = usable(facts)
    now = {wording.label(f.concept).lower() for f in standing if taken(f)}
    rest = [g for g in by_concept(standing) if wording.label(g[-1].concept).lower() not in now]
    held = [g for g in rest if g[-1].status == "on-hold"]
    stale = [g for g in rest if g[-1].status == "active"]
    over = [g for g in rest if g not in held and g not in stale]
    titled = (("On hold", held), ("Listed active, but over", stale), ("Past medications", over))
    return tuple(listed(reader, title, groups) for title, groups in titled if groups)


# Allergies, vaccines, care, family.


async def allergies(reader: Reader, say: Say = lines.sentence) -> Sketch:
    query = reader.query("AllergyIntolerance")
    facts = await reader.read("allergy", query)
    standing = tuple(f for f in usable(facts) if f.details.get("clinical") not in ("inactive", "resolved"))
    if not standing:
        return Sketch(title="Allergies", notes=(absent(reader, "Allergies", query, others=facts),))
    return listed(reader, "Allergies", by_concept(standing), say, notes=cut(reader, "Allergies", query))


async def immunizations(reader: Reader, say: Say = lines.sentence, limit: int = 20) -> Sketch:
    """The newest dose of each vaccine."""
    query = reader.query("Immunization", ("date", f"le{reader.chart.as_of.isoformat()}"))
    facts = await reader.read("immunization", query)
    groups = by_concept(usable(facts))
    if not groups:
        return Sketch(title="Immunizations", notes=(absent(reader, "Immunizations", query, others=facts),))
    return listed(reader, "Immunizations", groups, say, limit, cut(reader, "Immunizations", query))


async def encounters(reader: Reader, count: int = 5, say: Say = lines.sentence) -> Sketch:
    query = reader.newest("Encounter", 2 * count)
    facts = await reader.reasoned(usable(await reader.read("encounter", query)))
    if not facts:
        return Sketch(title="Encounters", notes=(absent(reader, "Encounters", query),))
    groups = tuple((f,) for f in reversed(facts))[:count]
    made = listed(reader, "Last encounters", groups, say, notes=cut(reader, "Encounters", query))
    return replace(made, hidden=max(0, reader.found(query) - len(groups)))


async def procedures(reader: Reader, count: int = 6) -> Sketch:
    """Procedures and imaging, the newest of each kind of them."""
    first, second = reader.newest("Procedure", 8 * count), reader.newest("ImagingStudy", count)
    done = await reader.reasoned(usable(await reader.read("procedure", first)))
    seen = usable(await reader.read("imaging", second))
    title = "Recent procedures and imaging"
    if not done and not seen:
        return Sketch(title=title, notes=(absent(reader, "Procedures and imaging", first, second),))
    groups = (*by_concept(done)[:count], *by_concept(seen)[:count])
    made = listed(reader, title, groups, notes=cut(reader, "Procedures and imaging", first, second))
    told = sum(len(g) for g in groups)
    return replace(made, hidden=max(0, reader.found(first) + reader.found(second) - told))


async def family(reader: Reader) -> Sketch:
    query = reader.query("FamilyMemberHistory")
    facts = await reader.read("family", query)
    standing = usable(facts)
    if not standing:
        return Sketch(title="Family history", notes=(absent(reader, "Family history entries", query, others=facts),))
    return listed(reader, "Family history", tuple((f,) for f in standing), notes=cut(reader, "Family history", query))
