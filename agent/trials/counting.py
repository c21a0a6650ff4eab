"""A cohort asked or screened: counts that may be masked, and who is meant. What edges call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from agent.errors import UserError
from agent.trials.asking import Question
from agent.trials.prescreening import Compiler, Prescreen, column_of
from agent.trials.worklist import masked
from fhir_tools.cohort.tables import Cohort
from fhir_tools.cohort.words import Asked

__all__ = ["WORDS", "Counted", "Passed", "count", "question_of", "screened"]

WORDS = {1: "met", 0: "unknown", -1: "not_met"}
"""The words of an expression's numbers, for a patient and a check."""
_SAID = {"met": "hold", "not_met": "do not hold", "unknown": "cannot be told"}
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """How many patients a question holds for, and who they are. Counts under `least` are masked, and then none is
    listed."""

    patients: Mapping[str, int | str]
    rows: tuple[Row, ...]
    warnings: tuple[str, ...]
    few: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """How many patients a trial's checks keep, by statement, and who passes with the facts behind each word."""

    patients: Mapping[str, int | str]
    criteria: tuple[Row, ...]
    rows: tuple[Row, ...]


def question_of(question: Question, cohort: Cohort, day: date) -> Any:
    """The question as an expression over the cohort. Raises UserError for names that nothing in it is called by."""
    compiler = Compiler(cohort, day)
    if unheard := compiler.unheard(question.check):
        raise UserError(f"{', '.join(map(repr, unheard))}: no rule knows it, and nothing in the cohort is called so")
    asked = Asked({"holds": compiler.node(question.check)}, compiler.cut)
    return asked.expression(cohort.facts, cohort.people)


def count(cohort: Cohort, expression: Any, *, least: int = 0, listed: bool = True, names: bool = True) -> Counted:
    """Count, and list where that is wanted and gives no masked count away. `expression` is that of `question_of`."""
    rows = cohort.rows(expression.group_by("holds").agg(n=expression.count()))
    found = dict.fromkeys(_SAID, 0) | {WORDS[r["holds"]]: r["n"] for r in rows}
    counts = masked(found, least)
    few = bool(least) and isinstance(counts["met"], str)  # a list would show how many
    told = f"fewer than {least} patients, or a count next to such a one: nobody is listed"
    return Counted(
        patients={_SAID[k]: v for k, v in counts.items()},
        rows=() if few or not listed else tuple(_people(cohort, expression, names=names)),
        warnings=(told,) if few else (),
        few=few,
    )


def _people(cohort: Cohort, expression: Any, *, names: bool) -> list[dict[str, Any]]:
    held = expression.filter(expression.holds == 1).select("patient")
    if names:
        people = cohort.people.select(whose="patient", name="name")
        held = held.left_join(people, held.patient == people.whose).select("patient", "name")
    return cohort.rows(held.order_by("patient"))


def screened(cohort: Cohort, asked: Prescreen, day: date, *, least: int = 0, names: bool = True) -> Passed:
    """A trial's checks over the cohort. Nobody is listed where the count of who passes is masked."""
    counts = masked(_outcomes(cohort, asked), least)
    few = isinstance(counts["pass"], str)
    return Passed(
        patients=counts,
        criteria=tuple(_statements(cohort, asked, least)),
        rows=() if few else tuple(_passing(cohort, asked, day, names=names)),
    )


def _outcomes(cohort: Cohort, asked: Prescreen) -> dict[str, int]:
    passing = asked.passing()
    [both] = cohort.rows(passing.aggregate(n=passing.count()))
    [every] = cohort.rows(asked.expression.aggregate(n=asked.expression.count()))
    return {"pass": both["n"], "excluded": every["n"] - both["n"]}


def _statements(cohort: Cohort, asked: Prescreen, least: int) -> list[dict[str, Any]]:
    e = asked.expression
    sums = {f"{column_of(c)}_{w}": (e[column_of(c)] == n).sum() for c in asked.criteria for n, w in WORDS.items()}
    [row] = cohort.rows(e.aggregate(**sums))
    return [
        {
            "number": c.statement.number, "section": c.statement.section, "text": c.statement.text,
            **masked({w: int(row[f"{column_of(c)}_{w}"] or 0) for w in WORDS.values()}, least),
        }
        for c in asked.criteria
    ]  # fmt: skip


def _passing(cohort: Cohort, asked: Prescreen, day: date, *, names: bool) -> list[dict[str, Any]]:
    """Who passes: the words, and the facts that each statement looked at."""
    from fhir_tools.cohort.words import Cut

    found: Sequence[Row] = cohort.rows(asked.passing().order_by("patient"))
    facts = asked.evidence(cohort, [r["patient"] for r in found], Cut(as_of=day)) if found else None
    looked: dict[tuple[str, str], list[str]] = {}
    for fact in cohort.rows(facts) if facts is not None else ():
        looked.setdefault((fact["patient"], fact["criterion"]), []).append(f"{fact['type']}/{fact['id']}")
    known = {r["patient"]: r["name"] for r in cohort.rows(cohort.people.select("patient", "name"))} if names else {}
    return [
        {
            "patient": r["patient"],
            **({"name": known.get(r["patient"])} if names else {}),
            "criteria": {
                name: {"verdict": WORDS[r[name]], "facts": sorted(looked.get((r["patient"], name), ()))}
                for name in map(column_of, asked.criteria)
            },
        }
        for r in found
    ]  # fmt: skip
