"""What chartline needs of a server for each kind of question, against what the server says it has. Pure.

The planner itself is asked, so what is told is what will happen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, Protocol

from fhir_tools.errors import QueryError
from fhir_tools.facts import CATALOGUE_ELEMENTS, KIND_TYPES
from fhir_tools.following import INCLUDES
from fhir_tools.profiles import Profile
from fhir_tools.remote.findings import Ability, Finding, Need
from fhir_tools.remote.plan import plan
from fhir_tools.remote.statement import Statement
from fhir_tools.search.query import parameters
from fhir_tools.types import Kind, Query

__all__ = ["ASPECTS", "KIND_WORDS", "TYPES", "Granted", "lacking", "needs", "offers", "questions"]

ASPECTS = ("patient", "code", "category", "date", "_elements", "_include")

KIND_WORDS: Mapping[Kind, str] = {
    "patient": "the person (name, birth date, sex)",
    "measurement": "results and vital signs",
    "social": "smoking and other social history",
    "condition": "conditions and problems",
    "medication": "medications",
    "allergy": "allergies",
    "immunization": "vaccinations",
    "procedure": "procedures",
    "encounter": "visits and stays",
    "report": "reports",
    "document": "notes and documents",
    "imaging": "imaging studies",
    "family": "family history",
    "order": "orders and referrals",
    "careplan": "care plans",
    "goal": "goals",
    "device": "devices and implants",
}

TYPES: tuple[str, ...] = tuple(dict.fromkeys(t for types in KIND_TYPES.values() for t in types))

_CODES = ("code", "vaccine-code", "type")
_DATES = ("date", "onset-date", "authoredon", "effective", "effective-time", "whenhandedover", "started", "authored")
_PROBE = "Patient/chartline-doctor"
_VALUES = {"code": "http://loinc.org|4548-4", "category": "laboratory", "date": "ge2000-01-01"}


class Granted(Protocol):
    """The scopes that a token has (`fhir_tools.auth.Scopes`)."""

    def allows(self, type_: str, action: Literal["r", "s"], /) -> bool: ...

    def missing(self, type_: str, action: Literal["r", "s"], /) -> str: ...

    def part(self, query: Query, /) -> str | None: ...


def needs(statement: Statement, profile: Profile, granted: Granted | None) -> tuple[Need, ...]:
    """What each type can do that questions read."""
    return tuple(_need(type_, statement, profile, granted) for type_ in TYPES)


def _need(type_: str, statement: Statement, profile: Profile, granted: Granted | None) -> Need:
    scope = granted.missing(type_, "s") if granted and not granted.allows(type_, "s") else ""
    part = (granted.part(Query(type=type_, params=(("patient", _PROBE),))) or "") if granted and not scope else ""
    try:
        abilities = dict(_abilities(type_, statement, profile))
    except QueryError as error:
        return Need(type=type_, abilities={"patient": "no"}, reason=str(error), scope=scope, part=part)
    return Need(type=type_, abilities=abilities, scope=scope, part=part)


def _abilities(type_: str, statement: Statement, profile: Profile) -> Iterator[tuple[str, Ability]]:
    """Raises QueryError where the type cannot be searched by patient."""
    whose = ("_id", _PROBE.partition("/")[2]) if type_ == "Patient" else ("patient", _PROBE)
    whole = plan(Query(type=type_, params=(whose,)), statement, profile)
    yield "patient", "here" if whole.residue else "server"
    for aspect, names in (("code", _CODES), ("category", ("category",)), ("date", _DATES)):
        name = next((n for n in names if n in parameters(type_)), None)
        if name is None or type_ == "Patient":
            yield aspect, ""
            continue
        made = plan(Query(type=type_, params=(whose, (name, _VALUES[aspect]))), statement, profile)
        yield aspect, "here" if any(p.name == name for p in made.residue) else "server"
    if type_ in CATALOGUE_ELEMENTS:
        made = plan(
            Query(type=type_, params=(whose, ("_elements", ",".join(CATALOGUE_ELEMENTS[type_])))), statement, profile
        )
        yield "_elements", "server" if any(n == "_elements" for q in made.queries for n, _ in q.params) else "here"
    if type_ in INCLUDES:
        made = plan(Query(type=type_, params=(whose, INCLUDES[type_])), statement, profile)
        yield "_include", "here" if made.include else "server"


def questions(found: Iterable[Need]) -> Iterator[Finding]:
    """Which kinds of questions will be incomplete, and why."""
    by_type = {need.type: need for need in found}
    whole = []
    for kind, types in KIND_TYPES.items():
        of_kind = [by_type[t] for t in types]
        faulty = [n for n in of_kind if not n.usable or n.part]
        if not faulty:
            whole.append(KIND_WORDS[kind])
        else:
            yield _question(KIND_WORDS[kind], of_kind, faulty)
    if whole:
        yield Finding(
            area="questions", level="good", text=f"can be answered from all that is there: {'; '.join(whole)}"
        )


def _question(words: str, of_kind: list[Need], faulty: list[Need]) -> Finding:
    left = [n.type for n in of_kind if n.usable]
    answered = f"answered from {', '.join(left)}, and told as incomplete" if left else "not answered"
    if any(n.scope for n in faulty):
        remedy = "have the client granted what is missing"
    elif any(n.part for n in faulty):
        remedy = "have the client granted the whole type, if questions are to be answered from all of it"
    else:
        remedy = "ask who runs the server whether it can be offered; nothing can be done here"
    return Finding(area="questions", level="poor", text=f"{words}: {answered} ({_why(faulty)})", remedy=remedy)


def _why(faulty: list[Need]) -> str:
    scopes = [n.scope for n in faulty if n.scope]
    told = [f"scope missing: {', '.join(scopes)}"] if scopes else []
    told += [n.reason or f"the scope {n.part} allows only a part of {n.type}" for n in faulty if not n.scope]
    return "; ".join(dict.fromkeys(told))


def lacking(found: Iterable[Need], granted: Granted | None) -> Iterator[Finding]:
    """All scopes that are missing, as an operator asks for them."""
    shared = [granted.missing(t, "r") for t in ("Binary", "Medication") if granted and not granted.allows(t, "r")]
    scopes = [*(need.scope for need in found if need.scope), *shared]
    if scopes:
        text = f"{len(scopes)} scopes that questions need are not granted"
        yield Finding(area="auth", level="poor", text=text, remedy=f"have the client granted: {' '.join(scopes)}")


def offers(statement: Statement, profile: Profile, granted: Granted | None) -> Iterator[Finding]:
    """What the server has beside searches: the ways to ask for much at once, bodies and drugs by reference."""
    if not statement.declared:
        yield Finding(
            area="capabilities",
            level="note",
            text="the server has no CapabilityStatement that names a type: only plain searches are sent to it, "
            "and what comes back is filtered here",
            remedy="if the base URL is right, name the kind of server by CHARTLINE_FHIR_PROFILE",
        )
    batch = profile.batch if profile.batch is not None else "batch" in statement.system
    yield _offer(batch, "searches of one question go in one batch", "no batch: searches go side by side")
    everything = "Patient/$everything" in statement.operations or "$everything" in statement.operations
    yield _offer(
        everything,
        "Patient/$everything is offered; chartline searches by type, which is less",
        "no $everything; it is not needed",
    )
    counts = profile.summary_count is not False and statement.declared
    yield _offer(counts, "counts come by _summary=count", "no _summary=count: what is counted is read")
    for type_, words in (("Binary", "the bodies of notes and reports"), ("Medication", "drugs named by reference")):
        if granted and not granted.allows(type_, "r"):
            yield Finding(
                area="questions",
                level="poor",
                text=f"{words} are not read: the scope {granted.missing(type_, 'r')} is missing",
                remedy=f"have the client granted {granted.missing(type_, 'r')}",
            )
        elif statement.declared and "read" not in statement.interactions.get(type_, ()):
            yield Finding(
                area="capabilities",
                level="note",
                text=f"the server does not say that {type_} can be read; {words} are had only where they lie inside "
                "the resource or by another URL",
            )


def _offer(has: bool, good: str, less: str) -> Finding:
    return Finding(area="capabilities", level="good" if has else "note", text=good if has else less)
