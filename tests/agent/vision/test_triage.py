"""The order that studies are read in."""

from __future__ import annotations

from agent.vision.triage import Seen, as_data, ranked
from agent.vision.types import Finding
from fhir_tools.types import Reference
from tests.agent.vision.made import finding, image, sight

WHO = Reference(type="Patient", id="p")


def seen(key: str, *findings: Finding, day: str = "2024-03-02", unread: str = "") -> Seen:
    if unread:
        return Seen(patient=WHO, image=image(key, day), unread=unread)
    return Seen(patient=WHO, image=image(key, day), sight=sight(*findings, key=key))


def order(*of: Seen) -> list[str]:
    return [row.image.reference.id for row in ranked(of)]


def test_by_urgency_then_certainty_then_number() -> None:
    studies = [
        seen("clear", finding("pneumothorax", "absent")),
        seen("old-bones", finding("scoliosis")),
        seen("nodule", finding("lung nodule")),
        seen("maybe-ptx", finding("pneumothorax", "uncertain")),
        seen("ptx-unsure", finding("pneumothorax", certainty="low")),
        seen("effusion", finding("pleural effusion")),
        seen("two", finding("pleural effusion"), finding("pneumonia")),
        seen("ptx", finding("pneumothorax"), finding("scoliosis")),
    ]
    wanted = ["ptx", "ptx-unsure", "maybe-ptx", "two", "effusion", "nodule", "old-bones", "clear"]
    assert order(*studies) == wanted == order(*reversed(studies))


def test_what_could_not_be_read_never_sinks_below_what_shows_nothing() -> None:
    rows = ranked(
        [seen("clear"), seen("broken", unread="the archive answered 503"), seen("ptx", finding("pneumothorax"))]
    )
    assert [(row.image.reference.id, row.soon) for row in rows] == [
        ("ptx", "minutes"), ("broken", "not read"), ("clear", "nothing told"),
    ]  # fmt: skip
    assert rows[1].reason == "the archive answered 503"


def test_of_two_alike_the_older_study_comes_first() -> None:
    assert order(seen("new", finding("edema"), day="2024-05-01"), seen("old", finding("edema"), day="2024-04-01")) == [
        "old", "new",
    ]  # fmt: skip


def test_each_row_tells_its_reason_and_what_is_doubtful() -> None:
    (row,) = ranked(
        [seen("a", finding("pneumothorax", "uncertain", location="left apex"), finding("edema", certainty="low"))]
    )
    assert row.reason == "Pneumothorax: uncertain, left apex (sure)"
    assert row.unsure == "may be: pneumothorax; unsure: pulmonary edema"
    (data,) = as_data([row])
    assert data["soon"] == "minutes" and data["findings"][0]["presence"] == "present"
