"""The card of a measurement: where it stands now, where it came from, its extremes, mean, change and counts."""

from __future__ import annotations

from fhir_tools import compute, wording
from fhir_tools.cards.marks import Marks
from fhir_tools.types import Card, Computation, Concept, Fact, Mark, Missing, Quantity

__all__ = ["measurement_card", "numbers_of"]

_YEARS = 8


def numbers_of(fact: Fact) -> Fact:
    """The fact whose number stands for it: itself, or the systolic part of a blood pressure."""
    parts = wording.pressures(fact)
    return parts[0] if parts else fact


def measurement_card(
    marks: Marks,
    facts: tuple[Fact, ...],
    *,
    window: str = "",
    names: tuple[str, ...] = (),
    molar_mass: float | None = None,
    complete: bool = True,
    each: int = 0,
) -> Card:
    """All about one measurement in a window; `each` lists that many of the newest, one by one.

    `facts` hold standing `fact` only and at least one of them.
    """
    ordered = compute.in_order(facts)
    told = tuple(f for f in ordered if _has_value(f))
    used: list[str] = []
    lines = [_roles_line(marks, told, molar_mass, used)] if told else []
    lines += _computed_lines(marks, told, window, molar_mass, used)
    if each and len(told) > 2:
        lines.append("each: " + " | ".join(_point(marks.fact(f, "member"), f, used) for f in told[-each:]))
    lines += _absent_line(marks, ordered, used)
    return Card(
        title=_title(ordered, told, window),
        kind=ordered[-1].kind,
        lines=tuple(lines),
        marks=marks.of(used),
        facts=ordered,
        concepts=_concepts(ordered),
        names=names,
        window=window,
        complete=complete,
    )


def _has_value(fact: Fact) -> bool:
    return fact.value is not None and not isinstance(fact.value, Missing)


def _concepts(facts: tuple[Fact, ...]) -> tuple[Concept, ...]:
    return tuple({f.concept.key: f.concept for f in facts}.values())


def _title(ordered: tuple[Fact, ...], told: tuple[Fact, ...], window: str) -> str:
    concept = ordered[-1].concept
    code = next((c.code for c in concept.codings if c.system == "http://loinc.org"), "")
    loinc = f" (LOINC {code})" if code else ""
    number = f"{len(told)} result{'s' if len(told) != 1 else ''}"
    where = f" {window}," if window else ""
    return f"{wording.label(concept)}{loinc},{where} {number} {wording.span_of(told)}"


def _roles(told: tuple[Fact, ...], molar_mass: float | None) -> dict[str, Fact]:
    roles = {"latest": told[-1]}
    if len(told) > 1:
        roles |= {"previous": told[-2], "first": told[0]}
    numbers = tuple(numbers_of(f) for f in told)
    course = compute.series(numbers, molar_mass)
    if len(course.points) > 1:
        whole = {id(n): f for n, f in zip(numbers, told, strict=True)}
        # of equal extremes the latest is told: it is the one that matters now
        high = max(reversed(course.points), key=lambda p: p[1])[0]
        low = min(reversed(course.points), key=lambda p: p[1])[0]
        roles |= {"highest": whole[id(high)], "lowest": whole[id(low)]}
    return roles


def _roles_line(marks: Marks, told: tuple[Fact, ...], molar_mass: float | None, used: list[str]) -> str:
    parts = [f"{role} {_point(marks.fact(fact, role), fact, used)}" for role, fact in _roles(told, molar_mass).items()]
    if len(told) == 1:
        numeric = isinstance(numbers_of(told[0]).value, Quantity)
        marks.fact(told[0], "first", *(("highest", "lowest") if numeric else ()))
    return " | ".join(parts)


def _point(mark: Mark, fact: Fact, used: list[str]) -> str:
    """`[1] 2019-03-02 6.9 %`; told in full once, by its mark alone after that."""
    if mark.id in used:
        return f"[{mark.id}]"
    used.append(mark.id)
    status = f" ({fact.status})" if fact.status not in ("final", "amended", "corrected", "") else ""
    flag = f" {fact.details['interpretation']}" if fact.details.get("interpretation") else ""
    return f"[{mark.id}] {wording.day_text(fact.when)} {wording.value_text(fact)}{flag}{status}".rstrip()


def _computed_lines(
    marks: Marks, told: tuple[Fact, ...], window: str, molar_mass: float | None, used: list[str]
) -> list[str]:
    parts: list[str] = []

    def add(computation: Computation, name: str, text: str) -> None:
        mark = marks.computed(computation, f"{name} {text}")
        used.append(mark.id)
        parts.append(f"{name} {text} [{mark.id}]")

    add(compute.compute("count", told), "count", str(len(told)))
    for name, numbers in _courses(told):
        exact = tuple(f for f, _ in compute.series(numbers, molar_mass).points)
        if len(exact) < 2:
            continue
        mean = compute.compute("mean", exact, molar_mass=molar_mass)
        left = f" of {len(exact)}" if len(exact) < len(numbers) else ""
        add(mean, f"mean{name}", f"{wording.quantity_text(mean.result)}{left}")
        if exact[0] is numbers[0] and exact[-1] is numbers[-1]:
            change = compute.compute("change", (exact[0], exact[-1]), molar_mass=molar_mass)
            add(change, f"first to latest{name}", _signed(change.result))
    years = compute.compute("count_by_year", told)
    if not window and len(years.result) > 1:
        shown = "  ".join(f"{year}: {n}" for year, n in years.result[-_YEARS:])
        add(years, "by year", shown)
    return [" | ".join(parts)]


def _courses(told: tuple[Fact, ...]) -> tuple[tuple[str, tuple[Fact, ...]], ...]:
    """The course of numbers, or the two of a blood pressure."""
    if told and all(wording.is_blood_pressure(f) for f in told):
        pairs = [wording.pressures(f) for f in told]
        return (" systolic", tuple(p[0] for p in pairs)), (" diastolic", tuple(p[1] for p in pairs))
    return (("", tuple(numbers_of(f) for f in told)),)


def _signed(quantity: Quantity) -> str:
    text = wording.quantity_text(quantity)
    return text if quantity.value < 0 else f"+{text}"


def _absent_line(marks: Marks, ordered: tuple[Fact, ...], used: list[str]) -> list[str]:
    absent = [f for f in ordered if not _has_value(f)]
    return ["without a value: " + " | ".join(_point(marks.fact(f), f, used) for f in absent[-3:])] if absent else []
