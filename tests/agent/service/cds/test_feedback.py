"""What readers did with cards is kept by the name of the card."""

from __future__ import annotations

from typing import Any

import pytest

from agent.service.cds.feedback import tally
from tests.agent.service.cds.conftest import Ehr

PATH = "/cds-services/chartline-order-sign/feedback"
WHEN = "2026-06-15T12:00:00Z"


def overridden(card: str, **why: Any) -> dict[str, Any]:
    return {"card": card, "outcome": "overridden", "outcomeTimestamp": WHEN, **why}


async def test_feedback_is_counted_by_card(ehr: Ehr) -> None:
    cards = await ehr.orders("Amoxicillin 500 MG", "Losartan 50 MG")
    allergy, duplicate = cards
    reason = {"reason": duplicate["overrideReasons"][0], "userComment": "taken before"}
    suggestion = duplicate["suggestions"][0]["uuid"]
    told = [
        overridden(allergy["uuid"]),
        overridden(allergy["uuid"], overrideReason=reason),
        {
            "card": duplicate["uuid"],
            "outcome": "accepted",
            "acceptedSuggestions": [{"id": suggestion}],
            "outcomeTimestamp": "2026-06-15T14:00:00+02:00",
        },
    ]
    answer = await ehr.client.post(PATH, json={"feedback": told})
    assert answer.status_code == 200, answer.text
    await ehr.orders("Amoxicillin 500 MG")
    database = ehr.client._transport.app.state.parts.database  # type: ignore[attr-defined]
    first, second = await tally(database)
    assert (first.card, first.shown, first.accepted, first.overridden) == ("allergy-to-order", 2, 0, 2)
    assert first.reasons == {"no reason": 1, "replaces": 1}
    assert (second.card, second.shown, second.accepted, second.overridden) == ("duplicate-order", 1, 1, 0)


async def test_cards_that_were_not_sent_have_no_feedback(ehr: Ehr) -> None:
    (card,) = await ehr.orders("Amoxicillin 500 MG")
    both = {"feedback": [overridden(card["uuid"]), overridden("unknown")]}
    answer = await ehr.client.post(PATH, json=both)
    assert answer.status_code == 404 and answer.json()["type"] == "urn:chartline:problem:unknown-card"
    other = await ehr.client.post(PATH.replace("sign", "select"), json={"feedback": [overridden(card["uuid"])]})
    assert other.status_code == 404
    (only,) = await tally(ehr.client._transport.app.state.parts.database)  # type: ignore[attr-defined]
    assert only.overridden == 0


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"feedback": []},
        {"feedback": [{"card": "x", "outcome": "ignored", "outcomeTimestamp": WHEN}]},
        {"feedback": [{"card": "x", "outcome": "accepted", "outcomeTimestamp": WHEN}]},
        {"feedback": [{"card": "x", "outcome": "overridden"}]},
        {"feedback": [{"card": "x", "outcome": "overridden", "outcomeTimestamp": "2026-06-15T12:00:00"}]},
        {"feedback": [{"card": "a\0b", "outcome": "overridden", "outcomeTimestamp": WHEN}]},
        {"feedback": [{"card": "", "outcome": "overridden", "outcomeTimestamp": WHEN}]},
        [],
        "x",
    ],
)
async def test_feedback_of_another_shape_is_refused(ehr: Ehr, body: Any) -> None:
    answer = await ehr.client.post(PATH, json=body)
    assert answer.status_code == 422 and answer.headers["content-type"] == "application/problem+json"
