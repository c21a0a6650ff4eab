"""Small charts for the verify suite: facts from FHIR resources, cards by the package's own builders, all invented."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from agent.types import Ask, Claim, Draft, Evidence, Target, Verified
from agent.verify import verify
from fhir_tools import compute, medications
from fhir_tools.cards import Marks, event_card, list_card, measurement_card
from fhir_tools.documents import Document
from fhir_tools.facts import facts_of
from fhir_tools.types import Card, Fact, Mark, Search, Span

UCUM = "http://unitsofmeasure.org"


def code(label: str, value: str | None = None, system: str = "http://snomed.info/sct") -> dict[str, Any]:
    return {
        "text": label,
        "coding": [{"system": system, "code": value or f"x-{label.lower().replace(' ', '-')}", "display": label}],
    }


def observation(n: str, label: str, when: str, value: float | None, unit: str = "%", **more: Any) -> Fact:
    quantity = {"value": value, "unit": unit, "system": UCUM, "code": unit}
    if "comparator" in more:
        quantity["comparator"] = more.pop("comparator")
    resource = {
        "resourceType": "Observation", "id": n, "status": "final", "code": code(label, system="http://loinc.org"),
        "effectiveDateTime": when, **({} if value is None else {"valueQuantity": quantity}), **more,
    }  # fmt: skip
    return facts_of(resource)[0]


def pressure(n: str, when: str, top: float, bottom: float) -> Fact:
    def part(label: str, loinc: str, value: float) -> dict[str, Any]:
        return {
            "code": code(label, loinc, "http://loinc.org"),
            "valueQuantity": {"value": value, "unit": "mm[Hg]", "system": UCUM, "code": "mm[Hg]"},
        }

    parts = [part("Diastolic Blood Pressure", "8462-4", bottom), part("Systolic Blood Pressure", "8480-6", top)]
    resource = {"resourceType": "Observation", "id": n, "status": "final", "code": code("Blood Pressure", "85354-9", "http://loinc.org"),
                "effectiveDateTime": when, "component": parts}  # fmt: skip
    return facts_of(resource)[0]


def condition(
    n: str, label: str, when: str, clinical: str = "active", verification: str = "confirmed", **more: Any
) -> Fact:
    resource = {
        "resourceType": "Condition", "id": n, "code": code(label), "onsetDateTime": when,
        "clinicalStatus": {"coding": [{"code": clinical}]},
        "verificationStatus": {"coding": [{"code": verification}]}, **more,
    }  # fmt: skip
    return facts_of(resource)[0]


def order(n: str, label: str, when: str, status: str = "active", reason: str = "", **more: Any) -> Fact:
    resource = {
        "resourceType": "MedicationRequest", "id": n, "status": status, "intent": "order", "authoredOn": when,
        "medicationCodeableConcept": code(label), **({"reasonCode": [code(reason)]} if reason else {}), **more,
    }  # fmt: skip
    return medications.judged(facts_of(resource), {}, date(2020, 1, 1))[0]


def resource(**parts: Any) -> Fact:
    return facts_of(parts)[0]


def encounter(
    n: str, label: str, start: str, end: str, status: str = "finished", class_: str = "AMB", **more: Any
) -> Fact:
    return resource(
        resourceType="Encounter",
        id=n,
        status=status,
        type=[code(label)],
        period={"start": start, "end": end},
        **{"class": {"code": class_}},
        **more,
    )


def relative(n: str, relation: str, label: str, onset: str = "") -> Fact:
    return resource(resourceType="FamilyMemberHistory", id=n, status="completed", relationship={"text": relation},
                    date="2015-01-01",
                    condition=[{"code": code(label), **({"onsetString": onset} if onset else {})}])  # fmt: skip


def note(n: str, when: str, title: str = "Progress note") -> Fact:
    return resource(
        resourceType="DocumentReference",
        id=n,
        status="current",
        type=code(title),
        date=when + "T10:00:00Z",
        content=[{"attachment": {"contentType": "text/plain"}}],
    )


A1C = tuple(
    observation(f"a{i}", "Hemoglobin A1c", when, value)
    for i, (when, value) in enumerate(
        [
            ("2009-05-02", 6.1),
            ("2015-04-11", 8.2),
            ("2017-02-03", 7.4),
            ("2018-03-05", 7.7),
            ("2018-09-01", 7.1),
            ("2019-03-02", 6.9),
        ]
    )
)
GLUCOSE = tuple(
    observation(f"g{i}", "Glucose", when, value, "mg/dL")
    for i, (when, value) in enumerate([("2015-04-11", 183.17308), ("2018-09-01", 140.0), ("2019-03-02", 126.0)])
)
PRESSURES = (pressure("p1", "1994-12-03", 140, 85), pressure("p2", "1995-12-23", 152.11, 92.26))
CEA = (observation("e1", "Carcinoembryonic antigen", "2019-01-05", 0.5, "ng/mL", comparator="<"),)
CONDITIONS = (
    condition("c1", "Asthma", "2001-02-03"),
    condition("c2", "Hypertension (disorder)", "2010-06-07"),
    condition("c3", "Acute bronchitis", "2012-01-10", "resolved", abatementDateTime="2012-01-24"),
    condition("c4", "Body mass index 30+ - obesity", "2014-05-06"),
)
EMBOLISM = (condition("r1", "Pulmonary embolism", "2015-01-01", "inactive", "refuted"),)
METOPROLOL = (
    order(
        "m1", "24 HR metoprolol succinate 100 MG Extended Release Oral Tablet", "2017-05-01", "stopped", "Hypertension"
    ),
    order(
        "m2", "24 HR metoprolol succinate 100 MG Extended Release Oral Tablet", "2019-03-02", "active", "Hypertension"
    ),
)
AZATHIOPRINE = (order("z1", "azathioprine 50 MG Oral Tablet", "2016-08-09", "stopped"),)
BIRTH = resource(resourceType="Patient", id="x", birthDate="1950-03-04", gender="female")
TUMOUR = condition("n1", "Non-small cell carcinoma of lung, TNM stage 1", "2013-10-05")
OVARY = (relative("f1", "mother", "Ovarian cancer", "45 years"),)
VISITS = (
    encounter("v1", "General examination", "2017-04-01T09:00:00Z", "2017-04-01T09:30:00Z"),
    encounter("v2", "Admission to ward", "2018-11-03T09:00:00Z", "2018-11-08T12:00:00Z", class_="IMP"),
    encounter("v3", "Follow-up visit", "2019-06-06T09:00:00Z", "2019-06-06T09:30:00Z"),
    encounter("v4", "Planned visit", "2019-12-01T09:00:00Z", "2019-12-01T09:30:00Z", status="cancelled"),
)
LETTER = note("d1", "2018-11-08")
SENTENCES = (
    "Reports shortness of breath on exertion.",
    "Denies chest pain. No evidence of pneumothorax.",
    "Possible sarcoidosis, to be followed.",
    "Mother had colon cancer.",
)


class Chart:
    """Cards over the invented facts; mark ids by what they stand for."""

    def __init__(self, *cards: Card, targets: tuple[Target, ...] = (), **ask: Any) -> None:
        self.cards = cards
        self.ask = Ask(question=ask.pop("question", ""), op=ask.pop("op", "latest"), targets=targets, **ask)

    def verify(self, text: str, *marks: str, value: Mapping[str, Any] | None = None) -> Verified:
        return verify(self.ask, Draft(claims=(Claim(text=text, marks=marks, value=value),)), Evidence(cards=self.cards))

    def kind(self, text: str, *marks: str, value: Mapping[str, Any] | None = None) -> str:
        """The kind of fault; empty for a claim that is held."""
        found = self.verify(text, *marks, value=value)
        assert bool(found.claims) != bool(found.removed)
        return found.removed[0].kind if found.removed else ""

    def marks(self, text: str, *marks: str) -> tuple[str, ...]:
        found = self.verify(text, *marks)
        return found.claims[0].marks if found.claims else ()

    def references(self, text: str, *marks: str) -> set[str]:
        known = {m.id: m for c in self.cards for m in c.marks}
        return {r for m in self.marks(text, *marks) for r in known[m].references}


def a1c_target() -> Target:
    return Target(words="a1c", label="Hemoglobin A1c", keys=(A1C[0].concept.key,))


def labs(**ask: Any) -> Chart:
    marks = Marks()
    return Chart(
        measurement_card(marks, A1C, names=("a1c", "hba1c")),
        measurement_card(marks, GLUCOSE, names=("blood sugar",)),
        measurement_card(marks, PRESSURES, names=("bp",)),
        measurement_card(marks, CEA, names=("cea",)),
        **ask,
    )


def problems(**ask: Any) -> Chart:
    marks = Marks()
    groups = tuple((f,) for f in CONDITIONS if f.status == "active")
    return Chart(
        list_card(marks, groups, title="Active conditions", kind="condition", everything=CONDITIONS),
        *(event_card(marks, (f,)) for f in CONDITIONS),
        event_card(marks, EMBOLISM),
        event_card(marks, OVARY),
        **ask,
    )


def drugs(**ask: Any) -> Chart:
    marks = Marks()
    allergy = resource(resourceType="AllergyIntolerance", id="al1", code=code("No known allergy", "716186003"),
                       verificationStatus={"coding": [{"code": "confirmed"}]})  # fmt: skip
    return Chart(
        event_card(marks, METOPROLOL, names=("metoprolol", "Lopressor")),
        event_card(marks, AZATHIOPRINE, names=("azathioprine",)),
        event_card(marks, CONDITIONS[:1]),
        event_card(marks, CONDITIONS[1:2]),
        event_card(marks, (allergy,)),
        **ask,
    )


def person(**ask: Any) -> Chart:
    marks = Marks()
    now = compute.compute("age", (BIRTH,), at=date(2020, 1, 1))
    then = compute.compute("age_at", (BIRTH, TUMOUR))
    one = event_card(marks, (BIRTH,), computed=((now, f"age {now.result}"),))
    two = event_card(marks, (TUMOUR,), computed=((then, f"age at onset {then.result}"),))
    return Chart(one, two, **ask)


def visits(**ask: Any) -> Chart:
    marks = Marks()
    stay = compute.compute("length_of_stay", VISITS[1:2])
    return Chart(
        event_card(marks, VISITS, title="Encounters, 4 records", computed=((stay, "length of stay 5 d"),)), **ask
    )


def absent(name: str = "Epilepsy", *, found: int = 0, complete: bool = True, **ask: Any) -> Chart:
    marks = Marks()
    mark = marks.searched(Search(query=f"Condition?code:text={name}", found=found, complete=complete))
    card = Card(
        title=f"{name}, condition",
        kind="condition",
        lines=(f"searched: {found} found [{mark.id}]",),
        marks=(mark,),
        names=(name.lower(),),
    )
    return Chart(card, event_card(marks, CONDITIONS[:1]), **ask)


def notes(**ask: Any) -> Chart:
    marks = Marks()
    text = "".join(f"{s:<100}" for s in SENTENCES)
    letter = Document(fact=LETTER, text=text)
    spans = [marks.quote(letter, Span(start=i * 100, end=i * 100 + len(s), quote=s)) for i, s in enumerate(SENTENCES)]
    card = Card(
        title="Progress note, document",
        kind="document",
        lines=tuple(m.shown for m in spans),
        marks=tuple(spans),
        facts=(LETTER,),
    )
    return Chart(card, **ask)


def mark(chart: Chart, reference: str) -> Mark:
    """The mark of a resource, computations aside."""
    return next(m for c in chart.cards for m in c.marks if m.fact and str(m.fact.reference) == reference)
