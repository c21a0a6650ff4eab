"""The card of a measurement: where it stands now, where it came from, its extremes, mean, change and counts."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from fhir_tools import compute, wording
from fhir_tools.cards.marks import Marks
from fhir_tools.types import Card, Computation, Concept, Fact, Mark, Missing, Quantity

__all__ = ["extremes", "measurement_card", "numbers_of"]

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
    whole = {id(n): f for n, f in zip(numbers, told, strict=True)}
    if sum(isinstance(n.value, Quantity) for n in numbers) > 1:
        for role in _EXTREMES:
            found = extremes(numbers, role, molar_mass)
            # of equal extremes the latest is told: it is the one that matters now
            roles |= {role: whole[id(found[-1])]} if found else {}
    return roles


_EXTREMES: tuple[Literal["highest", "lowest"], ...] = ("highest", "lowest")


def extremes(
    numbers: tuple[Fact, ...], which: Literal["highest", "lowest"], molar_mass: float | None = None
) -> tuple[Fact, ...]:
    """The facts, oldest first, that are the highest (lowest) of them for certain; none where that is not known.

    A result with a comparator bounds its value on one side (R4 Quantity.comparator): `>200` is the highest when no
    other result is or may be above 200, and where a `>150` may be above an exact 180 nothing is. The same goes for
    results in units that do not meet.
    """
    exact, below, beyond = _sides(numbers, which, molar_mass) or ([], [], [])
    for kind in (beyond, exact, below):
        if not kind:
            continue
        edge = max(v for _, v in kind)
        slack = 1e-9 * max(1.0, abs(edge))
        others = (v for group in (exact, below, beyond) for _, v in group)
        return tuple(f for f, v in kind if v >= edge - slack) if max(others) <= edge + slack else ()
    return ()


_Valued = list[tuple[Fact, float]]


def _sides(
    numbers: tuple[Fact, ...], which: Literal["highest", "lowest"], molar_mass: float | None
) -> tuple[_Valued, _Valued, _Valued] | None:
    """Exact results, those that lie short of their bound and those beyond it; the sign turned for "lowest".

    None where a result's unit does not meet the others'.
    """
    ordered = [f for f in compute.in_order(numbers) if isinstance(f.value, Quantity)]
    course = compute.series(tuple(_bare(f) for f in ordered), molar_mass)
    if course.left_out:
        return None
    sign, high = (1, ">") if which == "highest" else (-1, "<")
    sides: tuple[_Valued, _Valued, _Valued] = ([], [], [])
    for fact, (_, value) in zip(ordered, course.points, strict=True):
        comparator = fact.value.comparator if isinstance(fact.value, Quantity) else None
        side = sides[0] if not comparator else sides[2] if comparator[0] == high else sides[1]
        side.append((fact, sign * value))
    return sides


def _bare(fact: Fact) -> Fact:
    """The fact with its bound as a number, to bring it to the unit of the others."""
    if isinstance(fact.value, Quantity) and fact.value.comparator:
        return replace(fact, value=replace(fact.value, comparator=None))
    return fact


def _roles_line(marks: Marks, told: tuple[Fact, ...], molar_mass: float | None, used: list[str]) -> str:
    roles = _roles(told, molar_mass)
    parts = [f"{role} {_point(marks.fact(fact, role), fact, used)}" for role, fact in roles.items()]
    unknown = [role for role in _EXTREMES if role not in roles]
    if unknown and sum(isinstance(numbers_of(f).value, Quantity) for f in told) > 1:
        parts.append(f"{' and '.join(unknown)} not known: results with < or > or in units that do not meet")
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
