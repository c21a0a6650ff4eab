"""A chart under construction: FHIR R4 resources with readable ids, added one clinical event at a time."""

from __future__ import annotations

import base64
import random
import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tools.demo_charts.codes import LABS, VACCINES, VITALS, Test

__all__ = ["CVX", "ICD10", "LOINC", "RXNORM", "SNOMED", "UCUM", "Chart", "Course", "Json", "concept", "egfr", "hl7"]

ZONE = ZoneInfo("America/New_York")
TERMINOLOGY = "http://terminology.hl7.org/CodeSystem/"
LOINC, ICD10, RXNORM, CVX, SNOMED, UCUM = (
    "http://loinc.org",
    "http://hl7.org/fhir/sid/icd-10-cm",
    "http://www.nlm.nih.gov/research/umls/rxnorm",
    "http://hl7.org/fhir/sid/cvx",
    "http://snomed.info/sct",
    "http://unitsofmeasure.org",
)
DICOM = "http://dicom.nema.org/resources/ontology/DCM"

Json = dict[str, Any]


def concept(text: str, system: str = "", code: str = "", display: str = "") -> Json:
    """A CodeableConcept; without a code it is text only, as much of a real chart is."""
    if not code:
        return {"text": text}
    return {"coding": [{"system": system, "code": code, "display": display or text}], "text": text}


def hl7(system: str, code: str) -> Json:
    """A CodeableConcept of one of HL7's own status code systems."""
    return {"coding": [{"system": TERMINOLOGY + system, "code": code}]}


def egfr(creatinine: float, *, age: int, female: bool) -> float:
    """CKD-EPI 2021 in mL/min/1.73 m2 from creatinine in mg/dL (Inker, N Engl J Med 2021;385:1737)."""
    kappa, alpha = (0.7, -0.241) if female else (0.9, -0.302)
    ratio = creatinine / kappa
    value: float = 142 * min(ratio, 1) ** alpha * max(ratio, 1) ** -1.200 * 0.9938**age
    return value * 1.012 if female else value


class Course:
    """How a value runs over the years: straight lines between (day, value) anchors, with seeded noise."""

    def __init__(self, anchors: Iterable[tuple[str, float]], *, noise: float = 0.0, seed: str = "") -> None:
        self.anchors = [(date.fromisoformat(day), value) for day, value in anchors]
        self.noise, self.seed = noise, seed

    def at(self, day: date) -> float:
        """The value on `day`; flat before the first anchor and after the last."""
        swing = random.Random(f"{self.seed}:{day}").uniform(-self.noise, self.noise)
        return self._line(day) + swing

    def _line(self, day: date) -> float:
        earlier = [a for a in self.anchors if a[0] <= day]
        later = [a for a in self.anchors if a[0] > day]
        if not earlier or not later:
            return (earlier[-1] if earlier else later[0])[1]
        (d0, v0), (d1, v1) = earlier[-1], later[0]
        return v0 + (v1 - v0) * ((day - d0).days / (d1 - d0).days)


class Chart:
    """One patient's resources in the order of adding. Every `add` returns a literal reference.

    Ids are `<slug>-<what>-<day>`; a repeated one gets a counter. Times are of the Eastern zone, at the
    hour that the last `encounter` set, or noon.
    """

    def __init__(self, slug: str, patient: Json) -> None:
        self.slug = slug
        self.resources: list[Json] = []
        self.patient = self.add({"resourceType": "Patient", "active": True, **patient}, f"demo-{slug}")
        self.visit: str | None = None
        self.hour = time(12, 0)

    def add(self, resource: Mapping[str, Any], ident: str, day: str = "") -> str:
        """Give the resource its id and keep it; elements that are None or empty are left out."""
        known = {r["id"] for r in self.resources}
        base = re.sub(r"[^a-z0-9-]+", "-", f"{ident}-{day}".lower()).strip("-")[:56].rstrip("-")
        unique = next(i for i in (base, *(f"{base}-{n}" for n in range(2, 999))) if i not in known)
        kept = {k: v for k, v in resource.items() if v not in (None, "", [], {})}
        self.resources.append({"resourceType": kept.pop("resourceType"), "id": unique, **kept})
        return f"{resource['resourceType']}/{unique}"

    def ref(self, reference: str | None) -> Json | None:
        """A Reference element, or None."""
        return {"reference": reference} if reference else None

    def when(self, day: str, minutes: int = 0) -> str:
        """A dateTime with its offset; a day of coarser precision, or one that has a time, stays as written."""
        if len(day) < 10 or "T" in day:
            return day
        moment = datetime.combine(date.fromisoformat(day), self.hour, ZONE) + timedelta(minutes=minutes)
        return moment.isoformat()

    def staff(self, name: str, title: str, ident: str) -> str:
        """A practitioner; `name` is "Given Family"."""
        given, family = name.rsplit(" ", 1)
        who = {"name": [{"family": family, "given": [given], "suffix": [title]}], "active": True}
        return self.add({"resourceType": "Practitioner", **who}, f"{self.slug}-staff-{ident}")

    def place(self, name: str, ident: str) -> str:
        """An organization."""
        return self.add({"resourceType": "Organization", "active": True, "name": name}, f"{self.slug}-org-{ident}")

    def encounter(
        self,
        day: str,
        reason: str,
        *,
        kind: str = "AMB",
        status: str = "finished",
        end: str = "",
        label: str = "Office visit",
        code: str = "",
        by: str | None = None,
        disposition: str = "",
    ) -> str:
        """An encounter; it becomes the one that what is added next belongs to, and sets its hour."""
        stay = kind in ("IMP", "EMER")
        self.hour = time(random.Random(f"{self.slug}{day}").randrange(8, 16), 15)
        names = {"AMB": "ambulatory", "IMP": "inpatient encounter", "EMER": "emergency", "VR": "virtual"}
        self.visit = self.add(
            {
                "resourceType": "Encounter",
                "status": status,
                "class": {"system": TERMINOLOGY + "v3-ActCode", "code": kind, "display": names[kind]},
                "type": [{"text": label}],
                "subject": self.ref(self.patient),
                "participant": [{"individual": self.ref(by)}] if by else None,
                "period": {"start": self.when(day), "end": self.when(end or day, 0 if end else 25)},
                "reasonCode": [concept(reason, ICD10, code)],
                "hospitalization": {"dischargeDisposition": {"text": disposition}} if stay and disposition else None,
            },
            f"{self.slug}-{'stay' if kind == 'IMP' else 'visit'}",
            day,
        )
        return self.visit

    def condition(
        self,
        text: str,
        code: str,
        onset: str,
        *,
        status: str = "active",
        verified: str = "confirmed",
        ended: str = "",
        category: str = "problem-list-item",
        note: str = "",
    ) -> str:
        """A problem or a diagnosis. A refuted one has no clinicalStatus of being active (con-5 is for errors)."""
        return self.add(
            {
                "resourceType": "Condition",
                "clinicalStatus": hl7("condition-clinical", status) if verified != "entered-in-error" else None,
                "verificationStatus": hl7("condition-ver-status", verified),
                "category": [hl7("condition-category", category)],
                "code": concept(text, ICD10, code),
                "subject": self.ref(self.patient),
                "encounter": self.ref(self.visit) if category == "encounter-diagnosis" else None,
                "onsetDateTime": onset,
                "abatementDateTime": ended,
                "recordedDate": onset if len(onset) == 10 else None,
                "note": [{"text": note}] if note else None,
            },
            f"{self.slug}-condition-{text}",
        )

    def _observation(self, test: Test, day: str, category: str, status: str) -> Json:
        return {
            "resourceType": "Observation",
            "status": status,
            "category": [hl7("observation-category", category)],
            "code": concept(test.label, LOINC, test.loinc),
            "subject": self.ref(self.patient),
            "encounter": self.ref(self.visit),
            "effectiveDateTime": self.when(day, 10),
        }

    def _measure(self, test: Test, value: float, unit: str, ucum: str, comparator: str) -> Json:
        quantity = {"value": round(value, test.digits) if test.digits else round(value), "comparator": comparator}
        quantity |= {"unit": unit or test.unit, "system": UCUM, "code": ucum or unit or test.ucum}
        return {k: v for k, v in quantity.items() if v != ""}

    def measure(
        self,
        name: str,
        day: str,
        value: float | None,
        *,
        unit: str = "",
        ucum: str = "",
        comparator: str = "",
        status: str = "final",
        absent: str = "",
        note: str = "",
    ) -> str:
        """A laboratory result or a vital sign; with `value` None it says why it is `absent`."""
        test, category = (LABS[name], "laboratory") if name in LABS else (VITALS[name], "vital-signs")
        body = self._observation(test, day, category, status)
        if value is None:
            body["dataAbsentReason"] = hl7("data-absent-reason", absent)
        else:
            body["valueQuantity"] = self._measure(test, value, unit, ucum, comparator)
            body |= self._range(test, value) if not unit else {}
        if note:
            body["note"] = [{"text": note}]
        return self.add(body, f"{self.slug}-{name.replace('_', '-')}", day)

    def _range(self, test: Test, value: float) -> Json:
        limits = {"low": test.low, "high": test.high}
        bounds = {k: {"value": v, "unit": test.unit, "system": UCUM, "code": test.ucum} for k, v in limits.items() if v}
        if not bounds:
            return {}
        low, high = test.low is not None and value < test.low, test.high is not None and value > test.high
        flag = "L" if low else "H" if high else "N"
        return {"interpretation": [hl7("v3-ObservationInterpretation", flag)], "referenceRange": [bounds]}

    def pressure(self, day: str, systolic: float, diastolic: float) -> str:
        """A blood pressure with its two components."""
        parts = (("Systolic blood pressure", "8480-6", systolic), ("Diastolic blood pressure", "8462-4", diastolic))
        panel = Test(label="Blood pressure", loinc="85354-9", unit="mm[Hg]", ucum="mm[Hg]", digits=0)
        body = self._observation(panel, day, "vital-signs", "final")
        body["component"] = [
            {"code": concept(label, LOINC, loinc), "valueQuantity": self._measure(panel, value, "mmHg", "mm[Hg]", "")}
            for label, loinc, value in parts
        ]
        return self.add(body, f"{self.slug}-bp", day)

    def finding(
        self, text: str, loinc: str, day: str, value: Json, *, category: str = "laboratory", status: str = "final"
    ) -> str:
        """An observation whose value is not a number; `value` holds the value[x] element."""
        test = Test(label=text, loinc=loinc, unit="", ucum="")
        return self.add(self._observation(test, day, category, status) | value, f"{self.slug}-{text}", day)

    def drug(
        self,
        text: str,
        rxnorm: str,
        start: str,
        dosage: str,
        *,
        status: str = "active",
        name: str = "",
        reason: str | None = None,
        why: str = "",
        days: int = 0,
        inpatient: bool = False,
        by: str | None = None,
        stopped: str = "",
    ) -> str:
        """A medication order. `reason` is the Condition it is for, `stopped` why it ended, `days` its supply."""
        return self.add(
            {
                "resourceType": "MedicationRequest",
                "status": status,
                "statusReason": {"text": stopped} if stopped else None,
                "intent": "order",
                "category": [hl7("medicationrequest-category", "inpatient" if inpatient else "community")],
                "medicationCodeableConcept": concept(text, RXNORM, rxnorm, name),
                "subject": self.ref(self.patient),
                "encounter": self.ref(self.visit),
                "authoredOn": self.when(start, 20),
                "requester": self.ref(by),
                "reasonReference": [self.ref(reason)] if reason else None,
                "reasonCode": [{"text": why}] if why else None,
                "dosageInstruction": [{"text": dosage}],
                "dispenseRequest": self._supply(start, days) if days else None,
            },
            f"{self.slug}-rx-{text.split(' ')[0]}",
            start,
        )

    def _supply(self, start: str, days: int) -> Json:
        end = date.fromisoformat(start) + timedelta(days=days)
        supply = {"value": days, "unit": "days", "system": UCUM, "code": "d"}
        return {"validityPeriod": {"start": start, "end": end.isoformat()}, "expectedSupplyDuration": supply}

    def given(self, text: str, rxnorm: str, moment: str, dose: str, order: str) -> str:
        """One administration of an inpatient order."""
        return self.add(
            {
                "resourceType": "MedicationAdministration",
                "status": "completed",
                "medicationCodeableConcept": concept(text, RXNORM, rxnorm),
                "subject": self.ref(self.patient),
                "context": self.ref(self.visit),
                "effectiveDateTime": self.when(moment, 45),
                "request": self.ref(order),
                "dosage": {"text": dose},
            },
            f"{self.slug}-given-{text.split(' ')[0]}",
            moment,
        )

    def vaccine(self, name: str, day: str, *, status: str = "completed", why_not: str = "") -> str:
        """An immunization, or one not done."""
        code, text = VACCINES[name]
        return self.add(
            {
                "resourceType": "Immunization",
                "status": status,
                "statusReason": {"text": why_not} if why_not else None,
                "vaccineCode": concept(text, CVX, code),
                "patient": self.ref(self.patient),
                "occurrenceDateTime": day,
                "primarySource": True,
            },
            f"{self.slug}-vaccine-{name}",
            day,
        )

    def other(self, kind: str, ident: str, day: str = "", *, subject: str = "subject", **elements: Any) -> str:
        """Any other resource of this patient; `subject` is the element that names them."""
        body = {"resourceType": kind, subject: self.ref(self.patient), **elements}
        return self.add(body, f"{self.slug}-{ident}", day)

    def note(self, title: str, loinc: str, day: str, text: str, *, by: str | None = None) -> str:
        """A clinical note as plain text in a DocumentReference."""
        body = re.sub(r"[ \t]*\n[ \t]*", "\n", text.strip())
        attachment = {
            "contentType": "text/plain; charset=utf-8",
            "data": base64.b64encode(body.encode()).decode(),
            "size": len(body.encode()),
            "title": title,
            "creation": self.when(day, 30),
        }
        return self.other(
            "DocumentReference",
            f"note-{title}",
            day,
            status="current",
            docStatus="final",
            type=concept(title, LOINC, loinc),
            category=[concept("Clinical Note")],
            date=self.when(day, 30),
            author=[self.ref(by)] if by else None,
            content=[{"attachment": attachment}],
            context={"encounter": [self.ref(self.visit)]} if self.visit else None,
        )

    def imaging(
        self, title: str, modality: str, site: str, day: str, conclusion: str, *, loinc: str = "", views: int = 1
    ) -> str:
        """A study and its radiology report; the UIDs are of the 2.25 arc, derived from the id."""
        root = random.Random(f"{self.slug}{title}{day}").randrange(10**30, 10**31)
        device = {"system": DICOM, "code": modality}
        series = {"uid": f"2.25.{root + 1}", "number": 1, "modality": device, "numberOfInstances": views}
        study = self.other(
            "ImagingStudy",
            f"study-{title}",
            day,
            identifier=[{"system": "urn:dicom:uid", "value": f"urn:oid:2.25.{root}"}],
            status="available",
            modality=[device],
            encounter=self.ref(self.visit),
            started=self.when(day, 40),
            numberOfSeries=1,
            numberOfInstances=views,
            description=title,
            series=[series | {"bodySite": {"display": site}}],
        )
        return self.report(title, day, conclusion, loinc=loinc, section="RAD", study=study)

    def report(
        self,
        title: str,
        day: str,
        conclusion: str,
        *,
        loinc: str = "",
        section: str = "LAB",
        results: Iterable[str] = (),
        study: str | None = None,
        status: str = "final",
    ) -> str:
        """A diagnostic report with its conclusion."""
        return self.other(
            "DiagnosticReport",
            f"report-{title}",
            day,
            status=status,
            category=[hl7("v2-0074", section)],
            code=concept(title, LOINC, loinc),
            encounter=self.ref(self.visit),
            effectiveDateTime=self.when(day, 40),
            issued=self.when(day, 100),
            result=[self.ref(r) for r in results],
            imagingStudy=[self.ref(study)] if study else None,
            conclusion=conclusion,
        )
