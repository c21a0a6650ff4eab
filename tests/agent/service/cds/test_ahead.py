"""Answers computed ahead: kept, shown with their age, and dropped when they are old or of other charts."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from agent.service.cds.ahead import CALLER, ahead, of_day, of_today
from agent.service.cds.kept import KEPT, drop_old, keep, kept
from agent.service.cds.rounds import ROUNDS, Rounds
from agent.service.cds.rules.question import age_of
from agent.service.holders import Holder
from agent.types import Answer, ClaimOut, Reading
from fhir_tools import demo
from tests.agent.service.cds.conftest import GRANT, MARIA, Ehr, context, topics
from tests.agent.service.conftest import Opened
from tools.cds_client import Signer, request

NOW = datetime.now(UTC)


def app_of(ehr: Ehr) -> Any:
    return ehr.client._transport.app  # type: ignore[attr-defined]


@pytest.fixture
def own(tmp_path: Path) -> str:
    """What names the service's own charts."""
    return (tmp_path / GRANT).resolve().as_uri()


def answer(**changes: Any) -> Answer:
    said = {
        "question": "last A1c?",
        "patient": f"Patient/{MARIA}",
        "as_of": demo.AS_OF.isoformat(),
        "status": "answered",
        "text": "Hemoglobin A1c was 6.9 % [1].",
        "claims": [ClaimOut(text="Hemoglobin A1c was 6.9 % [1].", marks=["1"], support="direct")],
        "reasoner": "rules",
    }
    return Answer.model_validate({**said, **changes})


async def test_an_answer_is_shown_with_its_age_and_evidence(ehr: Ehr, own: str) -> None:
    parts = app_of(ehr).state.parts
    done = await ahead(parts.desk, parts.database, own, [MARIA, "nobody"], ["last A1c?"])
    assert [(d.patient, d.kept, bool(d.fault)) for d in done] == [(MARIA, 1, False), ("nobody", 0, True)]
    cards = (await ehr.call("patient-view", context())).json()["cards"]
    card = next(c for c in cards if topics([c]) == ["last-a1c"])
    assert card["summary"].startswith("Latest: Hemoglobin A1c was 7.2 %") and card["summary"].endswith(
        "(answered just now)"
    )
    assert "Asked: “last A1c?”" in card["detail"] and "evidence=Observation%2F" in card["detail"]
    assert card["links"][0]["url"] == f"http://localhost/?patient={MARIA}&question=last+A1c%3F"
    assert "[1]" not in card["summary"] + card["detail"]


@pytest.mark.parametrize(
    ("changes", "age", "grant", "seen"),
    [
        ({}, 40, "", True),
        ({}, 25 * 60, "", False),
        ({}, 40, "https://other.example/fhir", False),
        ({"as_of": "2026-06-14"}, 40, "", False),
        ({"patient": "Patient/demo-robert-keller"}, 40, "", False),
        ({"status": "incomplete"}, 40, "", False),
        ({"status": "not_found"}, 40, "", False),
        ({"claims": [], "readings": [Reading(text="an opacity", image="1", model="m")]}, 40, "", False),
    ],
)
async def test_only_fresh_answers_of_these_charts_are_shown(
    ehr: Ehr, own: str, changes: dict[str, Any], age: int, grant: str, seen: bool
) -> None:
    database = app_of(ehr).state.parts.database
    await keep(database, grant or own, answer(**changes), datetime.now(UTC) - timedelta(minutes=age))
    cards = (await ehr.call("patient-view", context())).json()["cards"]
    shown = [c["summary"] for c in cards if topics([c]) == ["last-a1c"]]
    assert shown == (["Hemoglobin A1c was 6.9 %. (answered 40 minutes ago)"] if seen else [])


async def test_a_reading_of_pixels_never_reaches_a_card(ehr: Ehr, own: str) -> None:
    database = app_of(ehr).state.parts.database
    reading = Reading(text="an opacity in the left lung", image="1", model="m")
    await keep(database, own, answer(readings=[reading], text="6.9 [1]. an opacity in the left lung"), NOW)
    cards = (await ehr.call("patient-view", context())).json()["cards"]
    card = next(c for c in cards if topics([c]) == ["last-a1c"])
    assert "opacity" not in card["summary"] + card["detail"]


async def test_another_server_s_patient_is_somebody_else(ehr: Ehr, own: str) -> None:
    await keep(app_of(ehr).state.parts.database, own, answer(), NOW)
    sent = await ehr.prefetch("patient-view", context())
    cards = (await ehr.call("patient-view", context(), sent, fhirServer="https://ehr.example/fhir")).json()["cards"]
    assert "last-a1c" not in topics(cards)


async def test_a_client_is_not_believed_to_be_of_a_server_that_it_may_not_name(opened: Opened, tmp_path: Path) -> None:
    """It could have asked for anybody's answers by the address of the service's own FHIR server."""
    signer = Signer()
    url, server = "https://cds.example", "https://own.example/fhir"
    (tmp_path / "jwks.json").write_bytes(orjson.dumps({"keys": [signer.public()]}))
    clients = tmp_path / "clients.yaml"
    row = f"  - {{issuer: https://ISSUER.example, jwks: {tmp_path}/jwks.json, servers: [SERVER]}}\n"
    rows = (("mine", server), ("theirs", "https://theirs.example/fhir"))
    clients.write_text("clients:\n" + "".join(row.replace("ISSUER", i).replace("SERVER", s) for i, s in rows))
    async with opened(cds_clients=clients, service_url=url) as client:
        app = client._transport.app  # type: ignore[attr-defined]
        app.state.cds = replace(app.state.cds, grant=server)
        await keep(app.state.parts.database, server, answer(), NOW)
        path = "/cds-services/chartline-patient-view"
        body = request("patient-view", context(), None, fhirServer=server)
        for name, status in (("mine", 200), ("theirs", 412)):
            token = signer.token(f"https://{name}.example", f"{url}{path}")
            told = await client.post(path, json=body, headers={"Authorization": f"Bearer {token}"})
            assert told.status_code == status and ("6.9" in told.text) is (status == 200), told.text


async def test_kept_answers_are_enough_where_nothing_else_was_sent(ehr: Ehr, own: str) -> None:
    assert (await ehr.call("patient-view", context(), None)).status_code == 412
    await keep(app_of(ehr).state.parts.database, own, answer(), NOW)
    told = await ehr.call("patient-view", context(), None)
    assert told.status_code == 200 and topics(told.json()["cards"]) == ["last-a1c", "not-checked"]


async def test_a_later_answer_takes_the_place_of_an_earlier(ehr: Ehr, own: str) -> None:
    database = app_of(ehr).state.parts.database
    for status in ("answered", "incomplete"):
        await keep(database, own, answer(status=status), NOW)
    found = await kept(database, own, MARIA, ["last A1c?", "x"], demo.AS_OF, NOW - timedelta(hours=1))
    assert [k.answer.status for k in found.values()] == ["incomplete"]
    assert await drop_old(database, NOW + timedelta(hours=2), 1) == 1


def appointment(id_: str, patient: str, day: date, status: str = "booked") -> dict[str, Any]:
    return {
        "resourceType": "Appointment",
        "id": id_,
        "status": status,
        "start": f"{day}T09:00:00Z",
        "end": f"{day}T09:30:00Z",
        "participant": [
            {"actor": {"reference": "Practitioner/dr-1"}, "status": "accepted"},
            {"actor": {"reference": f"Patient/{patient}"}, "status": "accepted"},
        ],
    }


async def test_the_patients_of_the_day_and_the_task_that_asks(ehr: Ehr, own: str) -> None:
    parts = app_of(ehr).state.parts
    async with parts.desk.source(CALLER) as store:
        for row in (
            appointment("a", MARIA, demo.AS_OF),
            appointment("b", MARIA, demo.AS_OF),
            appointment("c", "demo-robert-keller", demo.AS_OF, "cancelled"),
            appointment("d", "demo-leila-haddad", demo.AS_OF + timedelta(days=1)),
        ):
            store.put(row)
    assert await of_today(parts.desk) == (MARIA,)
    await of_day(parts.desk, parts.database, own, ["last A1c?"])
    async with parts.database.connect() as connection:
        assert (await connection.execute(KEPT.select())).first()


async def test_one_process_alone_does_a_round(opened: Opened) -> None:
    """Each round goes to one of all that share the database; that of a process which died goes to another."""
    async with opened() as client:
        database = client._transport.app.state.parts.database  # type: ignore[attr-defined]
        async with Holder(database, None) as here, Holder(database, None) as there:
            mine, theirs = (Rounds(database, one.id, "charts", minutes=1) for one in (here, there))
            assert sum(await asyncio.gather(mine.begin(), theirs.begin(), mine.begin())) == 1
            await _due(database)
            assert not await mine.begin() and not await theirs.begin()  # one of them is still at it
            await asyncio.gather(mine.end(), theirs.end())
            assert await mine.begin()
            assert not await theirs.begin()  # the next is not due
            assert await Rounds(database, there.id, "other charts", minutes=1).begin()
        await _due(database)
        async with Holder(database, None) as third:  # those that were at work are gone, and did not say so
            assert await Rounds(database, third.id, "charts", minutes=1).begin()


async def test_a_round_ends_whatever_becomes_of_it(opened: Opened) -> None:
    async with opened() as client:
        database = client._transport.app.state.parts.database  # type: ignore[attr-defined]
        done = asyncio.Event()

        async def work() -> None:
            done.set()
            raise ZeroDivisionError

        async with Holder(database, None) as here:
            with pytest.raises(ZeroDivisionError):
                await Rounds(database, here.id, "charts", minutes=0).forever(work, look=0.01)
            assert done.is_set() and await Rounds(database, here.id, "charts", minutes=0).begin()


async def _due(database: Any) -> None:
    async with database.begin() as connection:
        await connection.execute(ROUNDS.update().values(due=0.0))


async def test_the_service_asks_ahead_by_itself_where_a_setting_asks(opened: Opened) -> None:
    async with opened(cds_open=True, cds_ahead_minutes=0.001) as client:
        database = client._transport.app.state.parts.database  # type: ignore[attr-defined]
        await asyncio.sleep(0.2)
        assert (await client.get("/healthz")).status_code == 200
        async with database.connect() as connection:
            assert (await connection.execute(KEPT.select())).first() is None  # nobody has an appointment


@pytest.mark.parametrize(
    ("minutes", "told"),
    [(0.5, "just now"), (1, "1 minute ago"), (40, "40 minutes ago"), (185, "3 hours ago"), (4000, "2 days ago")],
)
def test_ages(minutes: float, told: str) -> None:
    assert age_of(NOW - timedelta(minutes=minutes), NOW) == told
