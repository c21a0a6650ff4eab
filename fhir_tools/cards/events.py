"""Cards of what happened or stands: conditions, drugs, procedures, vaccines, encounters, reports, family, person."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fhir_tools import compute, wording
from fhir_tools.cards.marks import Marks
from fhir_tools.types import Card, Concept, Fact, Interval, Kind, Quantity

__all__ = ["event_card", "list_card", "told"]

_SHOWN = 6
_ROWS = 60


def told(fact: Fact) -> str:
    """What a card says of one record beside its date and name."""
    parts = _TOLD.get(fact.kind, _plain)(fact)
    if fact.standing != "fact":
        parts = [_standing(fact), *parts]
    return ", ".join(p for p in parts if p)


def _standing(fact: Fact) -> str:
    return {"error": "entered in error", "not-done": "not done"}.get(fact.standing, fact.standing)


def _plain(fact: Fact) -> list[str]:
    return [wording.value_text(fact), fact.status]


def _condition(fact: Fact) -> list[str]:
    d = fact.details
    end = d.get("abatement")
    ended = f"until {wording.day_text(end)}" if isinstance(end, Interval) else f"ended {end}" if end else ""
    status = d.get("clinical") or ""
    onset = d.get("onset")
    return [
        status,
        d.get("severity", ""),
        _said("onset", onset if isinstance(onset, str) else ""),
        ended,
        d.get("stage", ""),
    ]


def _medication(fact: Fact) -> list[str]:
    d = fact.details
    dose = wording.quantity_text(d["dose"]) if isinstance(d.get("dose"), Quantity) else ""
    role = f"{d.get('role', '')} {fact.status}".strip()
    return [
        role,
        d.get("dosage") or dose,
        d.get("route", ""),
        _said("for", names(d.get("reason"))),
        d.get("taking", ""),
    ]


def _said(word: str, what: str) -> str:
    return f"{word} {what}" if what else ""


def names(reasons: Any) -> str:
    """The labels of a reason list; references that were not followed are left out."""
    return ", ".join(dict.fromkeys(wording.label(r) for r in reasons or () if isinstance(r, Concept)))


def _allergy(fact: Fact) -> list[str]:
    d = fact.details
    return [
        d.get("clinical", ""),
        _said("criticality", d.get("criticality", "")),
        _said("reaction", d.get("reaction", "")),
    ]


def _encounter(fact: Fact) -> list[str]:
    d = fact.details
    status, reason = "" if fact.status == "finished" else fact.status, _said("for", names(d.get("reason")))
    return [d.get("class", ""), status, reason, d.get("service", ""), d.get("disposition", "")]


def _procedure(fact: Fact) -> list[str]:
    d = fact.details
    status, reason = "" if fact.status == "completed" else fact.status, _said("for", names(d.get("reason")))
    return [status, d.get("body_site", ""), reason, d.get("outcome", "")]


def _imaging(fact: Fact) -> list[str]:
    d = fact.details
    return [d.get("modality", ""), d.get("body_site", "")]


def _family(fact: Fact) -> list[str]:
    relation = fact.details.get("relationship")
    onset = fact.details.get("onset")
    return [relation.label if isinstance(relation, Concept) else "relative", f"onset {onset}" if onset else ""]


def _document(fact: Fact) -> list[str]:
    return [fact.details.get("title", ""), fact.details.get("author", "")]


def _report(fact: Fact) -> list[str]:
    return [wording.value_text(fact), "" if fact.status == "final" else fact.status]


_TOLD: dict[Kind, Callable[[Fact], list[str]]] = {
    "condition": _condition,
    "medication": _medication,
    "allergy": _allergy,
    "encounter": _encounter,
    "procedure": _procedure,
    "imaging": _imaging,
    "family": _family,
    "document": _document,
    "report": _report,
    "patient": lambda f: [wording.value_text(f)],
    "immunization": lambda f: ["" if f.status == "completed" else f.status],
}


def _row(marks: Marks, fact: Fact, used: list[str], *roles: str, name: bool = False) -> str:
    mark = marks.fact(fact, *roles)
    if mark.id in used:
        return f"[{mark.id}]"
    used.append(mark.id)
    when = wording.period_text(fact.when) if fact.kind == "encounter" else wording.day_text(fact.when)
    what = f"{wording.label(fact.concept)} " if name else ""
    rest = told(fact)
    dated = ", ".join(x for x in (when if when != "undated" else "", rest) if x)
    return f"[{mark.id}] {what}{dated}".strip()


def event_card(
    marks: Marks,
    facts: tuple[Fact, ...],
    *,
    title: str = "",
    window: str = "",
    names: tuple[str, ...] = (),
    complete: bool = True,
    extra: tuple[str, ...] = (),
    computed: tuple[Any, ...] = (),
) -> Card:
    """The records of one concept (or of a class of them): first, latest, the ones between, and how many."""
    ordered = compute.in_order(facts)
    used: list[str] = []
    lines = _record_lines(marks, ordered, window, used)
    for computation, shown in computed:
        mark = marks.computed(computation, shown)
        used.append(mark.id)
        lines.append(f"{shown} [{mark.id}]")
    lines += extra
    return Card(
        title=title or _title(ordered, window),
        kind=ordered[-1].kind,
        lines=tuple(lines),
        marks=marks.of(used),
        facts=ordered,
        concepts=tuple({f.concept.key: f.concept for f in ordered}.values()),
        names=names,
        window=window,
        complete=complete,
    )


def _record_lines(marks: Marks, ordered: tuple[Fact, ...], window: str, used: list[str]) -> list[str]:
    several = len({f.concept.key for f in ordered}) > 1
    lines = [f"latest {_row(marks, ordered[-1], used, 'latest', name=several)}"]
    if len(ordered) > 1:
        lines.insert(0, f"first {_row(marks, ordered[0], used, 'first', name=several)}")
        between = ordered[1:-1][-_SHOWN:]
        lines[1:1] = [_row(marks, f, used, "previous" if f is ordered[-2] else "member", name=several) for f in between]
        if len(ordered) == 2:
            marks.fact(ordered[0], "previous")
    else:
        marks.fact(ordered[0], "first")
    if len(ordered) > 1:
        lines.append(_count_line(marks, ordered, window, used))
    return lines


def _title(ordered: tuple[Fact, ...], window: str) -> str:
    last = ordered[-1]
    code = next(
        (f" ({wording.SYSTEMS[c.system]} {c.code})" for c in last.concept.codings if c.system in wording.SYSTEMS), ""
    )
    number = f"{len(ordered)} record{'s' if len(ordered) != 1 else ''}"
    return f"{wording.label(last.concept)}{code}, {last.kind},{f' {window},' if window else ''} {number}"


def _count_line(marks: Marks, ordered: tuple[Fact, ...], window: str, used: list[str]) -> str:
    count = compute.compute("count", ordered)
    mark = marks.computed(count, f"count {count.result} {window}".strip())
    used.append(mark.id)
    line = f"count {count.result} [{mark.id}] {wording.span_of(ordered)}"
    years = compute.compute("count_by_year", ordered)
    if not window and len(years.result) > 1:
        by_year = marks.computed(years, "by year")
        used.append(by_year.id)
        line += " | by year " + "  ".join(f"{y}: {n}" for y, n in years.result[-8:]) + f" [{by_year.id}]"
    return line


def list_card(
    marks: Marks,
    groups: tuple[tuple[Fact, ...], ...],
    *,
    title: str,
    kind: Kind,
    window: str = "",
    complete: bool = True,
    everything: tuple[Fact, ...] = (),
    names: tuple[str, ...] = (),
) -> Card:
    """A list such as "active conditions": one row a group, the group's newest record told, all of them behind its mark.

    `everything` are all facts the list was chosen from, so that "only" and "all" can be checked.
    """
    used: list[str] = []
    lines = [_group_row(marks, compute.in_order(group), used) for group in groups[:_ROWS]]
    if len(groups) > _ROWS:
        lines.append(f"and {len(groups) - _ROWS} more")
    chosen = tuple(f for g in groups for f in g)
    whole = marks.computed(compute.compute("count", chosen), f"{title}: {len(groups)} ({len(chosen)} records)")
    used.append(whole.id)
    return Card(
        title=f"{title}: {len(groups)} [{whole.id}]",
        kind=kind,
        lines=tuple(lines),
        marks=marks.of(used),
        facts=everything or chosen,
        concepts=tuple({f.concept.key: f.concept for f in chosen}.values()),
        names=names,
        window=window,
        complete=complete,
    )


def _group_row(marks: Marks, ordered: tuple[Fact, ...], used: list[str]) -> str:
    if len(ordered) == 1:
        return _row(marks, ordered[0], used, "member", name=True)
    latest = ordered[-1]
    shown = f"{wording.label(latest.concept)}: {len(ordered)} records, latest {wording.day_text(latest.when)}"
    mark = marks.computed(compute.compute("list", ordered), shown)
    used.append(mark.id)
    rest = told(latest)
    return f"[{mark.id}] {shown}{f', {rest}' if rest else ''}"
