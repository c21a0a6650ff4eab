"""Asking in tests: a question through every stage without LangGraph, over the demo charts or a made-up one."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from agent.chart import Chart
from agent.open import grown, open_chart
from agent.reasoners.rules import Rules
from agent.render import answer
from agent.retrieve import retrieve
from agent.types import Answer, Ask, Draft, Evidence, Turn
from agent.understand import focus_of, subject_of, understand, wanted
from agent.verify import verify
from fhir_tools import demo
from fhir_tools.load import load
from fhir_tools.local import LocalStore
from fhir_tools.source import Source
from fhir_tools.types import Fetched, Query, Reference, SearchResult

Row = tuple[str, str, str, tuple[str, ...], str]
"""Whose chart (the first letter of the given name), question, status, fragments of the text, a cited reference."""


@dataclass(frozen=True)
class Done:
    """What each stage made of one question."""

    ask: Ask
    evidence: Evidence
    draft: Draft
    answer: Answer

    @property
    def text(self) -> str:
        return self.answer.text

    @property
    def cited(self) -> tuple[str, ...]:
        """References behind the answer, those behind its computations included."""
        given = [r for c in self.answer.citations for r in (c.reference, *c.inputs) if r]
        return tuple(dict.fromkeys(given))


def ask(chart: Chart, question: str, history: tuple[Turn, ...] = ()) -> Done:
    """One question through understand, retrieve, reason, verify and render."""
    return asyncio.run(_ask(chart, question, history))


async def _ask(chart: Chart, question: str, history: tuple[Turn, ...]) -> Done:
    asked = understand(question, chart, history)
    while kinds := wanted(asked, chart):
        chart = await grown(chart, kinds, None if chart.focus else focus_of(asked))
        asked = understand(question, chart, history)
    evidence = await retrieve(chart, asked)
    draft = await Rules().reason(asked, evidence)
    told = answer(
        asked,
        draft,
        verify(asked, draft, evidence),
        evidence,
        patient=chart.patient,
        as_of=chart.as_of,
        reasoner="rules",
    )
    return Done(asked, evidence, draft, told)


def talk(chart: Chart, *questions: str) -> Done:
    """The last of the questions of one thread."""
    history: tuple[Turn, ...] = ()
    for question in questions:
        done = ask(chart, question, history)
        history = (*history, Turn(question=question, text=done.text, subject=subject_of(done.ask)))
    return done


def check(charts: Mapping[str, Chart], row: Row) -> Done:
    """Asks a row's question and holds the answer against it."""
    who, question, status, fragments, cited = row
    done = ask(charts[who], question)
    told = f"{done.answer.status}: {done.text} {done.cited}"
    assert done.answer.status == status, told
    for fragment in fragments:
        assert fragment in done.text, told
    if cited:
        assert any(cited in reference for reference in done.cited), told
    elif status in ("refused", "not_found"):
        assert not any(
            c.support in ("direct", "computed") and not c.text.startswith("Also") for c in done.answer.claims
        )
    return done


def demo_charts() -> dict[str, Chart]:
    """The demo charts by the first letter of the given name: leila, maria, robert."""
    store = LocalStore(":memory:")
    assert not load(demo.paths(), store).errors
    return {p.split("-")[1][0]: opened(store, p, demo.AS_OF) for p in demo.patients()}


def opened(source: Source, patient: str = "p", as_of: date = date(2024, 6, 1), *, lazy: bool = False) -> Chart:
    return asyncio.run(open_chart(source, Reference(type="Patient", id=patient), as_of, lazy=lazy))


def made_up(tmp_path: Path, *resources: Mapping[str, Any], as_of: date = date(2024, 6, 1), **person: Any) -> Chart:
    """The open chart of a patient `p`, born 1960-05-01, who has just these resources."""
    return opened(store_of(tmp_path, *resources, **person), as_of=as_of)


def store_of(tmp_path: Path, *resources: Mapping[str, Any], **person: Any) -> LocalStore:
    patient = {"resourceType": "Patient", "id": "p", "birthDate": "1960-05-01", "gender": "female", **person}
    entries = [{"resource": r} for r in (patient, *resources)]
    path = tmp_path / "chart.json"
    path.write_text(json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}))
    store = LocalStore(":memory:")
    assert not load([path], store).errors
    return store


# Resources of the made-up patient.

LOINC, RXNORM = "http://loinc.org", "http://www.nlm.nih.gov/research/umls/rxnorm"
ICD, CVX = "http://hl7.org/fhir/sid/icd-10-cm", "http://hl7.org/fhir/sid/cvx"
_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"


def slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower())


def concept(text: str, system: str = "", code: str = "") -> dict[str, Any]:
    return {"text": text, **({"coding": [{"system": system, "code": code, "display": text}]} if code else {})}


def result(
    name: str, day: str, value: float | None, *, unit: str = "mg/dL", code: str = "", key: str = "", **more: Any
) -> dict[str, Any]:
    """An Observation; with `value` None what it holds comes from `more`."""
    quantity = {"valueQuantity": {"value": value, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit}}
    return {
        "resourceType": "Observation",
        "id": key or f"o-{slug(name)}-{day[:10]}",
        "status": "final",
        "code": concept(name, LOINC, code),
        "subject": {"reference": "Patient/p"},
        "effectiveDateTime": day,
        **({} if value is None else quantity),
        **more,
    }


def condition(name: str, onset: str, *, clinical: str = "active", verified: str = "confirmed", **more: Any) -> Any:
    return {
        "resourceType": "Condition",
        "id": f"c-{slug(name)}",
        "subject": {"reference": "Patient/p"},
        "code": concept(name),
        "clinicalStatus": {"coding": [{"system": f"{_TERMINOLOGY}/condition-clinical", "code": clinical}]},
        "verificationStatus": {"coding": [{"system": f"{_TERMINOLOGY}/condition-ver-status", "code": verified}]},
        **({"onsetDateTime": onset} if onset else {}),
        **more,
    }


def order(name: str, day: str, *, status: str = "active", code: str = "", **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "MedicationRequest",
        "id": f"m-{name.split()[0].lower()}-{day}",
        "status": status,
        "intent": "order",
        "subject": {"reference": "Patient/p"},
        "medicationCodeableConcept": concept(name, RXNORM, code),
        "authoredOn": day,
        **more,
    }


def allergy(name: str, *, clinical: str = "active", verified: str = "confirmed", **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "AllergyIntolerance",
        "id": f"a-{slug(name)}",
        "patient": {"reference": "Patient/p"},
        "code": concept(name),
        "clinicalStatus": {"coding": [{"system": f"{_TERMINOLOGY}/allergyintolerance-clinical", "code": clinical}]},
        "verificationStatus": {
            "coding": [{"system": f"{_TERMINOLOGY}/allergyintolerance-verification", "code": verified}]
        },
        **more,
    }


def visit(kind: str, start: str, end: str, *, class_: str = "AMB", status: str = "finished", **more: Any) -> Any:
    return {
        "resourceType": "Encounter",
        "id": f"e-{start[:10]}",
        "status": status,
        "class": {"system": f"{_TERMINOLOGY}/v3-ActCode", "code": class_},
        "type": [concept(kind)],
        "subject": {"reference": "Patient/p"},
        "period": {"start": start, "end": end},
        **more,
    }


class Failing:
    """A source whose searches of some types are cut short: as a server does that fails on a later page."""

    def __init__(self, source: LocalStore, types: Sequence[str]) -> None:
        self.source, self.types = source, types

    async def read(self, reference: Reference, version: str | None = None) -> Mapping[str, Any]:
        return await self.source.read(reference, version)

    async def search(self, query: Query) -> SearchResult:
        if query.type in self.types:
            return SearchResult(query=query, complete=False, error="the server answered 503 on page 2")
        return await self.source.search(query)

    async def fetch(self, url: str) -> Fetched:
        return await self.source.fetch(url)

    async def capabilities(self) -> Mapping[str, Any]:
        return await self.source.capabilities()
