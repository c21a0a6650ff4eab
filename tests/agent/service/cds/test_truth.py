"""Cards for charts as they are: changed orders, results without numbers, children, what is not understood."""

from __future__ import annotations

from typing import Any

import pytest

from tests.agent.service.cds.conftest import MARIA, Ehr, context, topics
from tests.agent.service.cds.test_rules import creatinine, egfr, observation
from tools.cds_client import bundle_of, draft


async def cards_of(ehr: Ehr, drafts: list[Any], **sent: Any) -> list[Any]:
    """The cards of order-sign, with these resources in place of the chart's for a key."""
    orders = context(MARIA, drafts)
    found = await ehr.prefetch("order-sign", orders)
    found |= {key: bundle_of(value) if isinstance(value, list) else value for key, value in sent.items()}
    answer = await ehr.call("order-sign", orders, found)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["cards"])


@pytest.mark.parametrize("status", ["stopped", "cancelled", "completed", "on-hold", "entered-in-error"])
async def test_an_order_that_is_signed_as_ended_is_no_order(ehr: Ehr, status: str) -> None:
    """order-sign is sent for changes of signed orders as well: to stop a drug is not to order it."""
    assert await cards_of(ehr, [draft("a", "Amoxicillin 500 MG", MARIA, status=status)]) == []


async def test_what_is_stopped_with_the_signature_is_no_duplicate(ehr: Ehr) -> None:
    old = draft("old", "Apixaban 5 MG", MARIA, status="active", authoredOn="2026-06-01")
    new = draft("new", "Rivaroxaban 20 MG", MARIA)
    for drafts, told in (([new], True), ([new, {**old, "status": "stopped"}], False)):
        cards = await cards_of(ehr, drafts, medications=[old])
        assert ("duplicate-order" in topics(cards)) is told


async def test_a_child_s_creatinine_is_not_told_as_missing(ehr: Ehr) -> None:
    child = {"resourceType": "Patient", "id": MARIA, "gender": "female", "birthDate": "2016-03-01"}
    order = [draft("a", "Metformin 500 MG", MARIA)]
    (card,) = await cards_of(ehr, order, patient=child, egfr=None, creatinine=[creatinine(0.9)])
    assert card["summary"] == "Metformin 500 MG: no eGFR can be had from the creatinine or eGFR that was found"
    assert "Last one found: Creatinine on 2026-06-10" in card["detail"] and "age or gender" in card["detail"]


async def test_an_egfr_that_was_worked_out_says_where_it_does_not_hold(ehr: Ehr) -> None:
    (card,) = await cards_of(ehr, [draft("a", "Metformin 500 MG", MARIA)], egfr=None, creatinine=[creatinine(3.1)])
    assert "not on dialysis" in card["detail"]


async def test_a_result_in_words_is_no_gap(ehr: Ehr) -> None:
    ehr.charts.put(draft("w", "Warfarin 5 MG", MARIA, status="active", authoredOn="2026-01-01"))
    inr = observation("inr", "34714-6", "INR", 2.2, "{INR}", "2026-06-01")
    del inr["valueQuantity"]
    for result, told in (
        ({"valueString": "2.3, see comment"}, False),
        ({"dataAbsentReason": {"text": "clotted"}}, True),
    ):
        ehr.charts.put({**inr, **result})
        cards = (await ehr.call("encounter-discharge", context(MARIA, encounterId="none"))).json()["cards"]
        assert any("no INR found" in card["summary"] for card in cards) is told


@pytest.mark.parametrize(("unit", "told"), [("K/uL", "anticoagulant-low-platelets"), ("plt", "not-checked")])
async def test_a_result_in_a_unit_that_is_not_known_is_told_as_unread(ehr: Ehr, unit: str, told: str) -> None:
    few = observation("few", "777-3", "Platelets", 30, unit, "2026-06-01")
    del few["valueQuantity"]["system"], few["valueQuantity"]["code"]
    (card,) = await cards_of(ehr, [draft("a", "Apixaban 5 MG", MARIA)], platelets=[few], creatinine=[], egfr=[egfr(90)])
    assert topics([card]) == [told]
    assert told != "not-checked" or "in a unit that cannot be compared" in card["detail"]


@pytest.mark.parametrize("link", ["Medication/m", "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0", "#m"])
async def test_a_draft_that_only_refers_to_its_drug(ehr: Ehr, link: str) -> None:
    order = draft("a", "", MARIA, medicationReference={"reference": link})
    del order["medicationCodeableConcept"]
    (card,) = await cards_of(ehr, [order])
    assert card["summary"].endswith("not known here: a drug named by a reference alone")
    order["contained"] = [{"resourceType": "Medication", "id": "m", "code": {"text": "Amoxicillin 500 MG"}}]
    assert topics(await cards_of(ehr, [order])) == ["allergy-to-order" if link == "#m" else "not-checked"]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"category": ["medication"]}, ["not-checked"]),
        ({"category": ["food"]}, []),
        ({"category": ["medication"], "clinicalStatus": {"coding": [{"code": "resolved"}]}}, []),
        ({"category": ["medication"], "code": {"text": "PCN"}}, ["allergy-to-order"]),
    ],
)
async def test_an_allergy_to_a_drug_that_is_not_known(ehr: Ehr, changed: dict[str, Any], told: list[str]) -> None:
    allergy = {
        "resourceType": "AllergyIntolerance",
        "id": "x",
        "clinicalStatus": {"coding": [{"code": "active"}]},
        "code": {"text": "Wibblezol"},
        "patient": {"reference": f"Patient/{MARIA}"},
        **changed,
    }
    cards = await cards_of(ehr, [draft("a", "Amoxicillin 500 MG", MARIA)], allergies=[allergy])
    assert topics(cards) == told
    assert told != ["not-checked"] or "Wibblezol: no drug is known here by that name" in cards[0]["detail"]
