"""The cards that ship, for orders and charts as an EHR sends them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.agent.service.cds.conftest import LEILA, MARIA, ROBERT, Ehr, context, topics
from tests.agent.service.conftest import Opened
from tools.cds_client import bundle_of, draft


def observation(
    id_: str, code: str, label: str, value: float, unit: str, day: str, patient: str = MARIA, **more: Any
) -> Any:
    quantity = {"value": value, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit, **more}
    return {
        "resourceType": "Observation",
        "id": id_,
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": code, "display": label}]},
        "subject": {"reference": f"Patient/{patient}"},
        "effectiveDateTime": day,
        "valueQuantity": quantity,
    }


def creatinine(value: float, day: str = "2026-06-10", unit: str = "mg/dL", **more: Any) -> Any:
    return observation("new-creatinine", "2160-0", "Creatinine", value, unit, day, **more)


def egfr(value: float, day: str = "2026-06-10", **more: Any) -> Any:
    return observation("new-egfr", "33914-3", "eGFR", value, "mL/min/{1.73_m2}", day, **more)


async def test_a_cross_reacting_drug_is_told_with_the_allergy_as_evidence(ehr: Ehr) -> None:
    (card,) = await ehr.orders("Amoxicillin 500 MG Oral Capsule")
    assert card["summary"] == "Amoxicillin 500 MG Oral Capsule is being ordered; allergy listed: Penicillin V"
    assert card["indicator"] == "warning"
    assert "both are of the class penicillin" in card["detail"]
    assert "evidence=AllergyIntolerance%2Fsantos-allergy-penicillin-v" in card["detail"]


@pytest.mark.parametrize(
    ("drug", "told"),
    [
        ("Penicillin V 250 MG", "critical"),
        ("Pen VK", "critical"),
        ("Augmentin 875", "warning"),
        ("Enalapril 5 MG", "warning"),
        ("Lisinopril / Hydrochlorothiazide 20-12.5", "critical"),
        ("Penicillin", "critical"),  # the order names a class
        ("Cephalexin 500 MG", None),
        ("Azithromycin 250 MG", None),
        ("Wibblezol 5 MG", None),
    ],
)
async def test_allergies_meet_by_ingredient_brand_and_class(ehr: Ehr, drug: str, told: str | None) -> None:
    found = [c["indicator"] for c in await ehr.orders(drug) if topics([c]) == ["allergy-to-order"]]
    assert found == ([told] if told else [])


async def test_an_allergy_to_a_class_meets_its_members(ehr: Ehr) -> None:
    allergy = {
        "resourceType": "AllergyIntolerance",
        "id": "nsaids",
        "clinicalStatus": {"coding": [{"code": "active"}]},
        "code": {"text": "NSAIDs"},
        "patient": {"reference": f"Patient/{ROBERT}"},
    }
    ehr.charts.put(allergy)
    cards = await ehr.orders("Naproxen 500 MG", patient=ROBERT)
    assert ("allergy-to-order", "critical") in [(topics([c])[0], c["indicator"]) for c in cards]


@pytest.mark.parametrize(
    "changed",
    [
        {"code": {"coding": [{"system": "http://snomed.info/sct", "code": "716186003"}], "text": "No known allergies"}},
        {"verificationStatus": {"coding": [{"code": "refuted"}]}},
        {"verificationStatus": {"coding": [{"code": "entered-in-error"}]}},
        {"clinicalStatus": {"coding": [{"code": "inactive"}]}},
        {"clinicalStatus": {"coding": [{"code": "resolved"}]}},
    ],
)
async def test_what_is_no_allergy_now_is_not_told(ehr: Ehr, changed: dict[str, Any]) -> None:
    allergy = {
        "resourceType": "AllergyIntolerance",
        "id": "x",
        "clinicalStatus": {"coding": [{"code": "active"}]},
        "verificationStatus": {"coding": [{"code": "confirmed"}]},
        "code": {"text": "Amoxicillin"},
        "patient": {"reference": f"Patient/{MARIA}"},
    }
    drafts = [draft("d", "Amoxicillin", MARIA)]
    sent = await ehr.prefetch("order-sign", context(MARIA, drafts))
    for resource, told in ((allergy, True), ({**allergy, **changed}, False)):
        sent["allergies"] = {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": resource}]}
        cards = (await ehr.call("order-sign", context(MARIA, drafts), sent)).json()["cards"]
        assert ("allergy-to-order" in topics(cards)) is told


async def test_the_reported_egfr_is_held_against_the_label(ehr: Ehr) -> None:
    ehr.charts.put(egfr(27.4))
    (card,) = await ehr.orders("Metformin 500 MG Oral Tablet")
    assert (
        card["summary"] == "Metformin 500 MG Oral Tablet: eGFR 27 on 2026-06-10; by its label contraindicated below 30"
    )
    assert card["indicator"] == "warning"
    assert "(5 days ago)" in card["detail"] and "evidence=Observation%2Fnew-egfr" in card["detail"]


async def test_an_egfr_is_worked_out_from_a_newer_creatinine(ehr: Ehr) -> None:
    ehr.charts.put(egfr(55, "2026-06-01"))
    ehr.charts.put(creatinine(2.4))
    (card,) = await ehr.orders("Metformin 500 MG Oral Tablet")
    assert "worked out by CKD-EPI 2021 for age" in card["detail"] and "female" in card["detail"]
    assert "Creatinine: 2.4 mg/dL" in card["detail"]
    assert "evidence=Observation%2Fnew-creatinine" in card["detail"] and f"evidence=Patient%2F{MARIA}" in card["detail"]


async def test_creatinine_in_micromoles_is_converted(ehr: Ehr) -> None:
    ehr.charts.put(creatinine(212.2, unit="umol/L"))
    (card,) = await ehr.orders("Metformin 500 MG Oral Tablet")
    ehr.charts.put(creatinine(2.4))
    (same,) = await ehr.orders("Metformin 500 MG Oral Tablet")
    assert card["summary"] == same["summary"]


@pytest.mark.parametrize(
    ("result", "told"),
    [
        (egfr(30), []),
        (egfr(29.96), ["kidney-function"]),
        (egfr(29.4), ["kidney-function"]),
        (egfr(60, comparator=">"), []),
        (egfr(15, comparator="<"), ["kidney-function"]),
        (egfr(90, comparator="<"), []),
    ],
)
async def test_limits_and_comparators(ehr: Ehr, result: Any, told: list[str]) -> None:
    ehr.charts.put(result)
    assert topics(await ehr.orders("Metformin 500 MG Oral Tablet")) == told


async def test_a_value_is_not_rounded_up_to_its_limit(ehr: Ehr) -> None:
    ehr.charts.put(egfr(29.6))
    (card,) = await ehr.orders("Metformin 500 MG")
    assert "eGFR 29.6 on" in card["summary"] and card["summary"].endswith("contraindicated below 30")


async def test_of_one_day_the_latest_result_counts(ehr: Ehr) -> None:
    ehr.charts.put({**egfr(20, "2026-06-10T06:00:00Z"), "id": "early"})
    ehr.charts.put({**egfr(60, "2026-06-10T18:00:00Z"), "id": "late"})
    assert await ehr.orders("Metformin 500 MG") == []


async def test_a_limit_of_clearance_says_that_egfr_is_not_the_same(ehr: Ehr) -> None:
    ehr.charts.put(egfr(40))
    card = next(c for c in await ehr.orders("Gabapentin 300 MG") if topics([c]) == ["kidney-function"])
    assert "an eGFR is not the same" in card["detail"] and card["indicator"] == "info"


async def test_no_recent_result_is_told_as_what_was_searched(ehr: Ehr) -> None:
    cards = await ehr.orders("Gabapentin 300 MG", patient=LEILA)
    card = next(c for c in cards if topics([c]) == ["kidney-function"])
    assert card["summary"] == "Gabapentin 300 MG: no eGFR or creatinine found of the last 12 months"
    assert "Searched: Observations by the LOINC codes" in card["detail"]


@pytest.mark.parametrize("unit", ["10*3/uL", "10*9/L"])
async def test_an_anticoagulant_with_few_platelets(ehr: Ehr, unit: str) -> None:
    ehr.charts.put(observation("plt", "777-3", "Platelets", 31, unit, "2026-06-12"))
    cards = await ehr.orders("Apixaban 5 MG")
    card = next(c for c in cards if topics([c]) == ["anticoagulant-low-platelets"])
    assert card["summary"] == f"Apixaban 5 MG is being ordered; platelets 31 {unit} on 2026-06-12"


@pytest.mark.parametrize(("value", "day"), [(50, "2026-06-12"), (31, "2025-06-12")])
async def test_enough_or_old_platelets_are_silent(ehr: Ehr, value: float, day: str) -> None:
    for number in range(6):  # the newest five are of that day
        ehr.charts.put(observation(f"plt-{number}", "777-3", "Platelets", value, "10*3/uL", day))
    drafts = [draft("d", "Apixaban 5 MG", MARIA)]
    sent = await ehr.prefetch("order-sign", context(MARIA, drafts))
    rows = sent["platelets"]["entry"]
    sent["platelets"]["entry"] = [r for r in rows if r["resource"]["id"].startswith("plt-")]
    cards = (await ehr.call("order-sign", context(MARIA, drafts), sent)).json()["cards"]
    assert "anticoagulant-low-platelets" not in topics(cards)


async def test_a_current_anticoagulant_is_told_when_the_chart_is_opened(ehr: Ehr) -> None:
    ehr.charts.put(observation("plt", "777-3", "Platelets", 31, "10*3/uL", "2026-06-12", patient=ROBERT))
    order = draft("warfarin", "Warfarin 5 MG", ROBERT, status="active", authoredOn="2026-05-01")
    ehr.charts.put(order)
    cards = (await ehr.call("patient-view", context(ROBERT))).json()["cards"]
    card = next(c for c in cards if "Warfarin" in c["summary"] and topics([c]) == ["anticoagulant-low-platelets"])
    assert card["summary"].startswith("Warfarin 5 MG is listed active; platelets 31")
    assert "last ordered on 2026-05-01 (45 days ago)" in card["detail"]


async def test_the_same_drug_twice_may_be_removed_and_is_not_recommended_to_be(ehr: Ehr) -> None:
    card = next(c for c in await ehr.orders("Losartan 50 MG") if topics([c]) == ["duplicate-order"])
    assert card["summary"] == "Losartan 50 MG is being ordered; listed active: Losartan 100 MG Oral Tablet"
    assert "listed active, last ordered on 2026-01-12" in card["detail"]
    (suggestion,) = card["suggestions"]
    assert suggestion["isRecommended"] is False and card["selectionBehavior"] == "at-most-one"
    assert suggestion["actions"] == [
        {"type": "delete", "description": "Remove this draft order", "resourceId": "MedicationRequest/draft-0"}
    ]


async def test_another_of_a_class_is_told_without_a_suggestion(ehr: Ehr) -> None:
    card = next(c for c in await ehr.orders("Rosuvastatin 10 MG") if topics([c]) == ["duplicate-order"])
    assert "both are of the class statin" in card["detail"] and card["indicator"] == "info"
    assert "suggestions" not in card and "selectionBehavior" not in card


async def test_two_drafts_of_one_drug_are_told_once(ehr: Ehr) -> None:
    cards = await ehr.orders("Ondansetron 4 MG", "Zofran 8 MG")
    assert topics(cards) == ["duplicate-order"] and "another draft" in cards[0]["summary"]


async def test_a_renewal_is_no_duplicate_of_what_it_replaces(ehr: Ehr) -> None:
    prior = {"priorPrescription": {"reference": "MedicationRequest/santos-rx-losartan-2026-01-12"}}
    assert await ehr.orders("Losartan 100 MG", **prior) == []


async def test_a_drug_that_is_not_known_is_told_to_be_unchecked(ehr: Ehr) -> None:
    (card,) = await ehr.orders("Wibblezol <b>5</b> MG")
    assert topics([card]) == ["not-checked"] and card["indicator"] == "info"
    assert card["summary"] == "Not everything could be checked: not known here: Wibblezol <b>5</b> MG"
    assert "Wibblezol \\<b\\>5\\</b\\> MG: no drug is known here by that name" in card["detail"]


async def test_who_sees_no_card_is_not_told_what_was_not_checked(ehr: Ehr) -> None:
    orders = {**context(MARIA, [draft("d", "Wibblezol 5 MG", MARIA)]), "userId": f"Patient/{MARIA}"}
    for prefetch in ("all", None):
        assert (await ehr.call("order-sign", orders, prefetch)).json() == {"cards": []}


@pytest.mark.parametrize("named", [True, False])
async def test_an_active_order_that_only_refers_to_its_drug(ehr: Ehr, named: bool) -> None:
    order = draft("active", "", MARIA, status="active", authoredOn="2026-06-01")
    del order["medicationCodeableConcept"]
    order["medicationReference"] = {"reference": "Medication/m"}
    rows = [order, {"resourceType": "Medication", "id": "m", "code": {"text": "Ondansetron 8 MG"}}][: 2 if named else 1]
    orders = context(MARIA, [draft("d", "Ondansetron 4 MG", MARIA)])
    sent = {**await ehr.prefetch("order-sign", orders), "medications": bundle_of(rows)}
    cards = (await ehr.call("order-sign", orders, sent)).json()["cards"]
    assert topics(cards) == (["duplicate-order"] if named else ["not-checked"])
    assert named or "names its drug by a reference" in cards[0]["detail"]


async def test_the_patient_is_not_needed_where_the_egfr_is_newest(ehr: Ehr) -> None:
    orders = context(MARIA, [draft("d", "Metformin 500 MG", MARIA)])
    for result, told in ((egfr(20), ["kidney-function"]), (creatinine(2.5, "2026-06-12"), ["not-checked"])):
        ehr.charts.put(result)
        sent = await ehr.prefetch("order-sign", orders)
        del sent["patient"]
        assert topics((await ehr.call("order-sign", orders, sent)).json()["cards"]) == told


async def test_an_inpatient_order_is_no_duplicate_of_a_home_drug(ehr: Ehr) -> None:
    inside = {"category": [{"coding": [{"code": "inpatient"}]}]}
    assert "duplicate-order" not in topics(await ehr.orders("Losartan 50 MG", **inside))
    outside = {"category": [{"coding": [{"code": "outpatient"}]}]}
    assert "duplicate-order" in topics(await ehr.orders("Losartan 50 MG", **outside))


async def test_an_inpatient_order_of_a_stay_that_is_over_is_not_active(ehr: Ehr) -> None:
    """Heparin of a stay in 2023 is still listed active."""
    assert "duplicate-order" not in topics(await ehr.orders("Heparin 5000 UNT"))


async def test_of_selected_orders_others_are_only_compared(ehr: Ehr) -> None:
    drafts = [draft("a", "Amoxicillin 500 MG", MARIA), draft("b", "Ondansetron 4 MG", MARIA)]
    chosen = {**context(MARIA, drafts), "selections": ["MedicationRequest/b"]}
    cards = (await ehr.call("order-select", chosen)).json()["cards"]
    assert cards == []
    chosen["selections"] = ["MedicationRequest/a"]
    cards = (await ehr.call("order-select", chosen)).json()["cards"]
    assert topics(cards) == ["allergy-to-order"]


async def test_a_medication_that_the_draft_refers_to_is_read_from_the_bundle(ehr: Ehr) -> None:
    order = draft("a", "", MARIA)
    del order["medicationCodeableConcept"]
    order["medicationReference"] = {"reference": "Medication/m"}
    medication = {"resourceType": "Medication", "id": "m", "code": {"text": "Amoxicillin 500 MG"}}
    cards = (await ehr.call("order-sign", context(MARIA, [order, medication]))).json()["cards"]
    assert topics(cards) == ["allergy-to-order"]


async def test_orders_that_are_no_drugs_need_no_data_and_get_no_card(ehr: Ehr) -> None:
    subject = {"reference": f"Patient/{MARIA}"}
    orders = [
        {"resourceType": kind, "id": str(at), "status": "draft", "intent": "order", "subject": subject}
        for at, kind in enumerate(("ServiceRequest", "NutritionOrder", "DeviceRequest", "VisionPrescription"))
    ]
    answer = await ehr.call("order-sign", context(MARIA, orders))
    assert (answer.status_code, answer.json()) == (200, {"cards": []})


async def test_a_gap_in_monitoring_names_the_search_and_the_last_result(ehr: Ehr) -> None:
    ehr.charts.put(draft("li", "Lithium carbonate 300 MG", MARIA, status="active", authoredOn="2026-01-01"))
    ehr.charts.put(observation("li-1", "14334-7", "Lithium", 0.7, "mmol/L", "2024-02-01"))
    cards = (await ehr.call("encounter-discharge", context(MARIA, encounterId="none"))).json()["cards"]
    card = next(c for c in cards if "Lithium" in c["summary"] and "level" in c["summary"])
    assert card["summary"] == "Lithium carbonate 300 MG: no Lithium level found of the last 6 months"
    assert "since 2025-12-15" in card["detail"] and "Last one found: Lithium on 2024-02-01" in card["detail"]
    ehr.charts.put(observation("li-2", "14334-7", "Lithium", 0.7, "mmol/L", "2026-02-01"))
    cards = (await ehr.call("encounter-discharge", context(MARIA, encounterId="none"))).json()["cards"]
    assert not [c for c in cards if "level" in c["summary"]]


async def test_text_of_drafts_and_charts_is_no_markup(ehr: Ehr) -> None:
    evil = "Amoxicillin](javascript:alert(1)) <img src=x onerror=y> www.evil.example ![a](http://evil.example) `x`\n# y"
    (card,) = await ehr.orders(evil)
    detail = card["detail"].replace("\\]", "").replace("\\[", "").replace("\\<", "").replace("\\!", "")
    assert "](javascript" not in detail and "<img" not in detail and "![" not in detail
    assert "www\\.evil" in detail and "http\\://evil" in detail and "\\`x\\`" in detail
    assert len(card["summary"]) < 140 and "\n" not in card["summary"]


async def test_a_site_s_own_cards(opened: Opened, tmp_path: Any, charts: Any) -> None:
    path = tmp_path / "cards.yaml"
    path.write_text(
        """
cards:
  - kind: kidney
    name: ours
    hooks: [order-sign]
    limits: {metformin: 45}
    summary: "Check {drug}: {egfr} is below {limit}"
  - kind: allergy
    name: for-others
    hooks: [order-sign]
    who: {users: [Patient]}
"""
    )
    charts.put(egfr(40))
    async with opened(cds_open=True, cds_cards=path) as client:
        cards = await Ehr(client=client, charts=charts).orders("Metformin 500 MG", "Amoxicillin 500 MG")
    assert [c["summary"] for c in cards] == ["Check Metformin 500 MG: 40 is below 45"]
    assert "the site's own limit" in cards[0]["detail"]
