"""What citations rest on, over HTTP: the demo charts, and a small chart with what they do not have."""

from __future__ import annotations

import base64
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from agent.service.app import create_app
from fhir_tools.local import LocalStore
from fhir_tools.types import Reference
from tests.agent.service.conftest import MARIA, client_of, settings_in

pytestmark = pytest.mark.asyncio

NOTE = "Seen today. \U0001f600 No chest pain. Short of breath on stairs."


def png() -> bytes:
    """A grey picture of 40 by 20 pixels with a white square."""
    from PIL import Image

    picture = Image.new("L", (40, 20), 30)
    picture.paste(255, (10, 5, 20, 15))
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def glucose(name: str, when: str, value: float, unit: str, low: float | None, high: float | None, **more: Any) -> Any:
    edges = {k: {"value": v, "unit": unit} for k, v in (("low", low), ("high", high)) if v is not None}
    return {
        "resourceType": "Observation",
        "id": name,
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "2345-7", "display": "Glucose"}]},
        "subject": {"reference": "Patient/p"},
        "effectiveDateTime": when,
        "valueQuantity": {"value": value, "unit": unit, **more},
        "referenceRange": [edges] if edges else [],
    }


def attached(name: str, kind: str, data: bytes, **more: Any) -> Any:
    return {
        "resourceType": "DocumentReference",
        "id": name,
        "status": "current",
        "type": {"text": "Clinic note"},
        "subject": {"reference": "Patient/p"},
        "date": "2025-05-01T10:00:00Z",
        "content": [{"attachment": {"contentType": kind, "data": base64.b64encode(data).decode()}}],
        **more,
    }


CHART = [
    {"resourceType": "Patient", "id": "p", "birthDate": "1960"},
    {"resourceType": "Patient", "id": "other"},
    glucose("g1", "2024-01-01", 180, "mg/dL", 70, 100),
    glucose("g2", "2024-02-01", 5.0, "g/L", None, None),
    glucose("g3", "2024-03-01", 60, "mg/dL", 70, 110, comparator="<"),
    glucose("g4", "2024-04-01", 7, "plus", None, None),
    glucose("g5", "2024-05-01", 95, "mg/dL", 70, 100),
    glucose("g6", "2030-01-01", 95, "mg/dL", 70, 100),
    {**glucose("g7", "2024-05-02", 999, "mg/dL", 70, 100), "status": "entered-in-error"},
    {**glucose("o1", "2024-05-02", 999, "mg/dL", 70, 100), "subject": {"reference": "Patient/other"}},
    attached("note", "text/plain; charset=utf-8", NOTE.encode()),
    attached("photo", "image/png", png()),
    attached("junk", "image/png", b"no picture at all"),
]


def bundle(*resources: Any) -> bytes:
    entries = [{"resource": resource} for resource in resources]
    return orjson.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries})


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """The service over a small chart."""
    file = tmp_path / "chart.json"
    file.write_bytes(bundle(*CHART))
    app = create_app(settings_in(tmp_path), fhir=(str(file),))
    async with client_of(app, params={"patient": "p"}) as client:
        yield client


async def told(client: httpx.AsyncClient, reference: str, **params: Any) -> Any:
    response = await client.get(f"/v1/evidence/{reference}", params=params)
    assert response.status_code == 200, response.text
    assert response.headers["cache-control"] == "private, no-store"
    return response.json()


async def test_what_an_answer_cites_is_shown(client: httpx.AsyncClient) -> None:
    answer = (await client.post("/v1/ask", json={"question": "last A1c?", "patient": MARIA})).json()
    (citation,) = answer["citations"]
    shown = await told(client, citation["reference"], patient=MARIA, path=citation["path"], version=citation["version"])
    assert shown["element"] == {"path": "Observation.valueQuantity", "text": "7.2 %"}
    assert [row["label"] for row in shown["rows"] if row["cited"]] == ["Value"]
    assert shown["edition"] == "current"
    (series,) = shown["series"]
    assert series["range"] == {"low": 4.0, "high": 5.6, "text": "4 to 5.6 %"}
    assert [point["when"] for point in series["points"] if point["cited"]] == ["2026-04-06"]
    assert shown["resource"]["id"] == citation["reference"].partition("/")[2]


async def test_every_kind_of_citation_is_shown(client: httpx.AsyncClient) -> None:
    """Whatever the timeline of a chart names can be opened."""
    chart = (await client.get(f"/v1/patients/{MARIA}/timeline")).json()
    by_type = {reference.partition("/")[0]: reference for reference in chart["reference"]}
    assert len(by_type) > 12
    for reference in by_type.values():
        shown = await told(client, reference, patient=MARIA)
        assert shown["lines"]
        assert shown["rows"]


async def test_a_panel_has_a_course_for_each_part(client: httpx.AsyncClient) -> None:
    answer = (await client.post("/v1/ask", json={"question": "last blood pressure?", "patient": MARIA})).json()
    citation = answer["citations"][0]
    shown = await told(client, citation["reference"], patient=MARIA, path=citation["path"])
    assert shown["element"]["text"] == "126/73 mmHg"
    assert [series["label"] for series in shown["series"]] == ["Systolic blood pressure", "Diastolic blood pressure"]
    part = await told(client, citation["reference"], patient=MARIA, path="Observation.component[1].valueQuantity")
    assert part["element"]["text"] == "73 mmHg"
    assert [s["label"] for s in part["series"]] == ["Diastolic blood pressure", "Systolic blood pressure"]
    assert [[p["cited"] for p in s["points"]][-1] for s in part["series"]] == [True, False]


async def test_units_are_brought_together_where_that_is_right(small: httpx.AsyncClient) -> None:
    shown = await told(small, "Observation/g1", path="Observation.valueQuantity")
    milligrams, odd = shown["series"]
    assert milligrams["unit"] == "mg/dL"
    assert [(p["value"], p["text"]) for p in milligrams["points"]] == [
        (180, "180 mg/dL"),
        (500, "5 g/L"),
        (60, "<60 mg/dL"),
        (95, "95 mg/dL"),
    ]
    assert [p["text"] for p in odd["points"]] == ["7 plus"]
    assert all(p["reference"] != "Observation/o1" for s in shown["series"] for p in s["points"])


async def test_ranges_are_those_of_their_day(small: httpx.AsyncClient) -> None:
    shown = await told(small, "Observation/g1", path="Observation.valueQuantity")
    points = {p["reference"]: p for p in shown["series"][0]["points"]}
    assert shown["series"][0]["range"] == {"low": 70.0, "high": 100.0, "text": "70 to 100 mg/dL"}
    assert points["Observation/g1"]["outside"] == "high"
    assert points["Observation/g1"]["range"] is None
    assert points["Observation/g3"]["range"] == {"low": 70.0, "high": 110.0, "text": "70 to 110 mg/dL"}
    assert points["Observation/g3"]["comparator"] == "<"
    assert points["Observation/g5"]["outside"] is None
    assert not points.keys() & {"Observation/g6", "Observation/g7"}


async def test_a_note_comes_as_citations_count_it(small: httpx.AsyncClient) -> None:
    shown = await told(small, "DocumentReference/note")
    assert shown["note"]["text"] == NOTE
    assert shown["note"]["content_type"] == "text/plain; charset=utf-8"
    assert shown["note"]["complete"]
    assert shown["images"] == []


async def test_an_image_is_given_frame_by_frame(small: httpx.AsyncClient) -> None:
    shown = await told(small, "DocumentReference/photo")
    (image,) = shown["images"]
    assert image["path"] == "DocumentReference.content[0].attachment"
    response = await small.get(image["href"].replace("{n}", "1"))
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "image/png"
    assert response.headers["x-source"] == "40 20"
    assert response.headers["x-region"] == "0 0 40 20"
    assert response.headers["x-frames"] == "1"
    assert "no-store" in response.headers["cache-control"]
    from PIL import Image

    picture = Image.open(io.BytesIO(response.content))
    assert picture.size == (40, 20)
    assert (picture.getpixel((12, 7)), picture.getpixel((2, 2))) == (255, 30)


@pytest.mark.parametrize(
    ("path", "status", "kind"),
    [
        ("DocumentReference/photo/frames/2.png", 404, "image"),
        ("DocumentReference/photo/frames/0.png", 422, "invalid"),
        ("DocumentReference/junk/frames/1.png", 422, "image"),
        ("DocumentReference/note/frames/1.png", 404, "not-there"),
        ("Observation/g1/frames/1.png", 404, "not-there"),
        ("nonsense/frames/1.png", 422, "invalid"),
        ("Observation/o1", 404, "not-there"),
        ("Observation/none", 404, "not-there"),
        ("Patient/other", 404, "not-there"),
        ("Practitioner/x", 404, "not-there"),
        ("nonsense", 422, "invalid"),
        ("Observation/g1?path=a b", 422, "invalid"),
        ("Observation/g1?patient=other", 404, "not-there"),
        ("Observation/g1?patient=nobody", 404, "unknown-patient"),
    ],
)
async def test_what_cannot_be_shown_is_a_problem(small: httpx.AsyncClient, path: str, status: int, kind: str) -> None:
    url = httpx.URL(f"http://localhost/v1/evidence/{path}")
    params = {"patient": "p", **dict(url.params)}
    response = await small.get(url.copy_with(query=None), params=params)
    told = response.json()
    told.pop("request", None)  # a random number, in which any value may stand
    assert (response.status_code, told["type"]) == (status, f"urn:chartline:problem:{kind}")
    assert "999" not in repr(told)


async def test_an_element_that_is_not_there_is_none(small: httpx.AsyncClient) -> None:
    shown = await told(small, "Observation/g1", path="Observation.valueString")
    assert shown["element"] is None
    assert not any(row["cited"] for row in shown["rows"])


async def test_versions_say_what_they_are(tmp_path: Path) -> None:
    """As cited and changed since, as cited and current, a version that nobody has, and one that was deleted since."""
    path = tmp_path / "store.sqlite"
    store = LocalStore(path)
    store.put({"resourceType": "Patient", "id": "p"})
    store.put(glucose("g", "2024-01-01", 1, "mg/dL", None, None))
    store.put(glucose("g", "2024-01-01", 2, "mg/dL", None, None))
    store.close()
    async with client_of(create_app(settings_in(tmp_path), fhir=(str(path),)), params={"patient": "p"}) as client:
        shown = [await told(client, "Observation/g", version=version) for version in ("1", "2", "3")]
    store = LocalStore(path)
    store.delete(Reference(type="Observation", id="g"))
    store.close()
    async with client_of(create_app(settings_in(tmp_path), fhir=(str(path),)), params={"patient": "p"}) as client:
        shown.append(await told(client, "Observation/g", version="2"))
        assert (await client.get("/v1/evidence/Observation/g")).status_code == 404
    assert [(s["edition"], s["version"], s["current_version"]) for s in shown] == [
        ("older", "1", "2"),
        ("current", "2", "2"),
        ("changed", "2", "2"),
        ("gone", "2", None),
    ]
    assert [s["resource"]["valueQuantity"]["value"] for s in shown] == [1, 2, 2, 2]


async def test_several_are_told_in_short(small: httpx.AsyncClient) -> None:
    names = ["Observation/g1", "Observation/o1", "nonsense", "DocumentReference/note"]
    response = await small.get("/v1/evidence", params={"patient": "p", "reference": names})
    shown = response.json()
    assert [item["reference"] for item in shown["items"]] == names
    assert shown["items"][0]["lines"] == ["2024-01-01 Glucose 180 mg/dL"]
    assert [bool(item["error"]) for item in shown["items"]] == [False, True, True, False]
    assert not shown["complete"]


async def test_a_file_in_a_resource_is_not_told_as_text(tmp_path: Path) -> None:
    file = tmp_path / "chart.json"
    file.write_bytes(bundle({"resourceType": "Patient", "id": "p"}, attached("big", "text/plain", b"word " * 40_000)))
    app = create_app(settings_in(tmp_path), fhir=(str(file),))
    async with client_of(app, params={"patient": "p"}) as client:
        shown = await told(client, "DocumentReference/big")
    assert not shown["resource_complete"]
    assert shown["resource"]["content"][0]["attachment"]["data"].endswith("characters)")
    assert shown["note"]["text"].count("word") == 40_000


async def test_the_timeline_is_in_columns(client: httpx.AsyncClient) -> None:
    response = await client.get(f"/v1/patients/{MARIA}/timeline")
    chart = response.json()
    assert response.headers["cache-control"] == "private, no-store"
    assert len(chart["when"]) == len(chart["label"]) == len(chart["reference"]) > 1000
    assert chart["complete"]
    assert chart["left_out"]["error"] == 1
    assert len(chart["labels"]) == len(chart["label_kinds"])
    assert max(chart["label_kinds"]) == len(chart["kinds"]) - 1
    assert chart["when"] == sorted(chart["when"], key=lambda when: (when + "-01-01")[:10])
    earlier = (await client.get(f"/v1/patients/{MARIA}/timeline", params={"as_of": "2010-01-01"})).json()
    assert earlier["left_out"]["later"] > 900
    assert max(earlier["when"]) <= "2010-01-01"


async def test_the_timeline_is_of_a_patient_who_is_there(client: httpx.AsyncClient) -> None:
    response = await client.get("/v1/patients/nobody/timeline")
    assert response.json()["type"] == "urn:chartline:problem:unknown-patient"


async def test_references_name_their_server_as_answers_do(tmp_path: Path) -> None:
    """With several servers, what the timeline, an answer and a course say can be asked for as it is."""
    for name in ("one", "two"):
        (tmp_path / f"{name}.json").write_bytes(bundle(*CHART))
    places = (str(tmp_path / "one.json"), str(tmp_path / "two.json"))
    async with client_of(create_app(settings_in(tmp_path), fhir=places), params={"patient": "p"}) as client:
        answer = (await client.post("/v1/ask", json={"question": "last glucose?", "patient": "p"})).json()
        chart = (await client.get("/v1/patients/p/timeline")).json()
        cited = answer["citations"][0]["reference"]
        assert cited in chart["reference"]
        assert cited != "Observation/g5"
        shown = await told(client, cited)
        assert shown["reference"] == cited
        assert [p["reference"] for s in shown["series"] for p in s["points"] if p["cited"]] == [cited]
        photo = next(reference for reference in chart["reference"] if reference.endswith("photo"))
        href = (await told(client, photo))["images"][0]["href"]
        assert (await client.get(href.replace("{n}", "1"))).status_code == 200
