"""Tests and images that are ordered again."""

from __future__ import annotations

from typing import Any

import pytest

from tests.agent.service.cds.conftest import MARIA, Ehr, context, topics
from tools.cds_client import bundle_of

LOINC = "http://loinc.org"
A1C = {"coding": [{"system": LOINC, "code": "4548-4", "display": "Hemoglobin A1c"}]}
HAND = {"coding": [{"system": "urn:site", "code": "XR-HAND"}], "text": "X-ray of the hand"}
LAB = {"category": [{"coding": [{"code": "laboratory"}]}]}
IMAGE = {"category": [{"coding": [{"system": "http://snomed.info/sct", "code": "363679005"}]}]}
NEEDED = ("patient", "medications", "platelets")
SUBJECT = {"subject": {"reference": f"Patient/{MARIA}"}}


def order(id_: str, code: Any, status: str = "draft", **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "ServiceRequest",
        "id": id_,
        "status": status,
        "intent": "order",
        "code": code,
        **SUBJECT,
        **more,
    }


def result(code: Any, day: str, status: str = "final", **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": "r",
        "status": status,
        "code": code,
        "effectiveDateTime": day,
        **LAB,
        **SUBJECT,
        "valueQuantity": {"value": 7.1, "unit": "%"},
        **more,
    }


async def told(ehr: Ehr, *drafts: Any, **sent: Any) -> list[Any]:
    """The cards for drafts, with these resources for orders, reports and tests."""
    orders = context(MARIA, drafts)
    found = dict.fromkeys(("orders", "reports", "tests")) | {k: bundle_of(v) for k, v in sent.items()}
    answer = await ehr.call("order-sign", orders, {**await ehr.prefetch("order-sign", orders), **found})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["cards"])


@pytest.mark.parametrize(
    ("earlier", "found"),
    [
        (result(A1C, "2026-06-14"), "done on 2026-06-14 (1 day ago)"),
        (result(A1C, "2026-06-13"), None),  # beyond the window
        (result(A1C, "2026-06-14", "cancelled"), None),
        (result(A1C, "2026-06-14", "entered-in-error"), None),
        (result({"text": "hemoglobin a1c"}, "2026-06-15"), "done on 2026-06-15 (today)"),  # the same name
        (result({"coding": [{"system": LOINC, "code": "718-7", "display": "Hemoglobin"}]}, "2026-06-15"), None),
    ],
)
async def test_a_result_of_the_last_day(ehr: Ehr, earlier: Any, found: str | None) -> None:
    cards = await told(ehr, order("d", A1C, **LAB), tests=[earlier])
    assert [card["summary"] for card in cards] == ([f"Hemoglobin A1c is being ordered; {found}"] if found else [])
    assert not found or "evidence=Observation%2Fr" in cards[0]["detail"]


@pytest.mark.parametrize(
    ("status", "more", "found"),
    [
        ("active", {"authoredOn": "2026-06-01"}, "ordered on 2026-06-01"),
        ("on-hold", {"authoredOn": "2026-06-01"}, "ordered on 2026-06-01"),
        ("completed", {"authoredOn": "2026-06-01"}, "ordered and completed on 2026-06-01"),
        (
            "active",
            {"authoredOn": "2026-01-01", "occurrenceDateTime": "2026-06-20"},
            "ordered on 2026-06-20",
        ),  # planned
        ("active", {"authoredOn": "2026-01-01"}, None),
        ("active", {}, None),  # nobody knows when
        ("active", {"authoredOn": "2026-06-01", "bodySite": [{"text": "right hand"}]}, None),
        ("active", {"authoredOn": "2026-06-01", "bodySite": [{"text": "Left hand"}]}, "ordered on 2026-06-01"),
        ("active", {"authoredOn": "2026-06-01", "doNotPerform": True}, None),
        ("revoked", {"authoredOn": "2026-06-01"}, None),
        ("entered-in-error", {"authoredOn": "2026-06-01"}, None),
        ("draft", {"authoredOn": "2026-06-01"}, None),
    ],
)
async def test_an_order_of_the_same(ehr: Ehr, status: str, more: Any, found: str | None) -> None:
    image = order("d", HAND, bodySite=[{"text": "left hand"}], **IMAGE)
    cards = await told(ehr, image, orders=[order("o", HAND, status, **more)])
    assert [c["summary"].partition(" (")[0] for c in cards] == (
        [f"X-ray of the hand is being ordered; {found}"] if found else []
    )


async def test_a_report_tells_what_kind_it_is(ehr: Ehr) -> None:
    report = {"resourceType": "DiagnosticReport", "id": "x", "status": "final", "code": HAND, **SUBJECT}
    report |= {"issued": "2026-05-25T10:00:00Z"}
    for category, found in (("RAD", ["repeated-test"]), ("LAB", [])):  # 21 days: within 30, not within 1
        coded = {"category": [{"coding": [{"code": category}]}]}
        assert topics(await told(ehr, order("d", HAND), reports=[{**report, **coded}])) == found


async def test_what_is_no_repeat(ehr: Ehr) -> None:
    earlier = [order("o", A1C, "active", authoredOn="2026-06-15", **LAB)]
    for draft in (
        order("d", A1C, replaces=[{"reference": "ServiceRequest/o"}], **LAB),
        order("o", A1C, **LAB),  # the same order, signed again
        order("d", A1C, occurrenceDateTime="2026-09-15", **LAB),  # planned for later
        order(
            "d", A1C, occurrenceTiming={"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}}, **LAB
        ),  # a series
        order("d", A1C, doNotPerform=True, **LAB),
        order("d", A1C, "revoked", **LAB),
    ):
        assert await told(ehr, draft, orders=earlier) == []


async def test_two_drafts_of_one_test_are_told_once(ehr: Ehr) -> None:
    (card,) = await told(ehr, order("a", A1C, **LAB), order("b", A1C, **LAB))
    assert card["summary"] == "Hemoglobin A1c is being ordered; another draft orders it too"
    assert "suggestions" not in card and card["indicator"] == "info"


@pytest.mark.parametrize("sent", ["nothing", "a page"])
async def test_what_could_not_be_read_is_told(ehr: Ehr, sent: str) -> None:
    orders = context(MARIA, [order("d", A1C, **LAB)])
    found = await ehr.prefetch("order-sign", orders)
    del found["tests"]
    if sent == "a page":
        more = {"link": [{"relation": "next", "url": "https://ehr.example/next"}]}
        found["tests"] = bundle_of([result(A1C, "2026-06-15")], **more)
    (card,) = (await ehr.call("order-sign", orders, found)).json()["cards"]
    assert card["summary"] == "Not everything could be checked: tests could not be read"
    assert "Not checked: repeated test" in card["detail"]


async def test_a_full_page_of_the_latest_orders_is_enough(ehr: Ehr) -> None:
    days = [f"2026-{month:02}-{day:02}" for month in (6, 5) for day in range(15, 2, -1)] * 2
    rows = [order(f"o{at}", HAND, "active", authoredOn=day) for at, day in enumerate(sorted(days, reverse=True))]
    rows.append(order("last", A1C, "active", authoredOn="2026-01-01"))
    orders = context(MARIA, [order("d", HAND, **IMAGE)])
    next_page = {"link": [{"relation": "next", "url": "https://ehr.example/next"}]}
    found = {**await ehr.prefetch("order-sign", orders), "reports": None, "tests": None}
    for sent, told in (
        (rows[:30], ["repeated-test"]),
        (rows[:29], ["not-checked"]),
        (rows[:30][::-1], ["not-checked"]),
    ):
        found["orders"] = bundle_of(sent, **next_page)
        assert topics((await ehr.call("order-sign", orders, found)).json()["cards"]) == told


async def test_a_draft_without_code_needs_nothing(ehr: Ehr) -> None:
    orders = context(MARIA, [order("d", None, **LAB)])
    found = {key: value for key, value in (await ehr.prefetch("order-sign", orders)).items() if key in NEEDED}
    answer = await ehr.call("order-sign", orders, found)
    assert (answer.status_code, answer.json()) == (200, {"cards": []})
