"""The proxy does what its faults say, over a tiny server: so a fault run that comes out well proves something."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import orjson
import pytest

from tools.faults.clock import run
from tools.faults.kinds import ALWAYS, ANSWERS, ENTRIES, KINDS, PAGES, STATEMENTS, Fault, draw
from tools.faults.pages import OTHER_PATIENT
from tools.faults.proxy import FaultyProxy
from tools.faults.transport import InProcess, Message, Receive, Scope, Send

BASE = "http://fhir.test/fhir"


def _observation(number: int) -> dict[str, Any]:
    return {"resourceType": "Observation", "id": str(number), "subject": {"reference": "Patient/one"}}


def _page(start: int, count: int) -> dict[str, Any]:
    found = [_observation(n) for n in range(10)][start : start + count]
    links = [{"relation": "self", "url": f"{BASE}/Observation?_offset={start}&_count={count}"}]
    if start + count < 10:
        links.append({"relation": "next", "url": f"{BASE}/Observation?_offset={start + count}&_count={count}"})
    entries = [{"resource": r, "search": {"mode": "match"}} for r in found]
    return {"resourceType": "Bundle", "type": "searchset", "total": 10, "link": links, "entry": entries}


async def tiny(scope: Scope, receive: Receive, send: Send) -> None:
    """Ten observations in pages, and a batch of two of them."""
    asked = dict(pair.split("=") for pair in scope["query_string"].decode().split("&") if pair)
    body = orjson.loads((await receive())["body"] or b"{}")
    answer: dict[str, Any] = _page(int(asked.get("_offset", 0)), int(asked.get("_count", 4)))
    if body:
        entry = {"response": {"status": "200"}, "resource": answer}
        answer = {"resourceType": "Bundle", "type": "batch-response", "entry": [entry for _ in body["entry"]]}
    if scope["path"].endswith("/metadata"):
        answer = {"resourceType": "CapabilityStatement"}
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/fhir+json")]})
    await send({"type": "http.response.body", "body": orjson.dumps(answer)})


async def _ask(proxy: FaultyProxy, url: str = "/Observation", method: str = "GET", body: Any = None) -> httpx.Response:
    async with httpx.AsyncClient(transport=InProcess(proxy), timeout=30) as client:
        return await client.request(method, url if url.startswith("http") else BASE + url, json=body)


def _faulty(*faults: Fault, page_size: int | None = None) -> FaultyProxy:
    return FaultyProxy(tiny, faults, base=BASE, page_size=page_size)


def _next(page: dict[str, Any]) -> str | None:
    return next((link["url"] for link in page["link"] if link["relation"] == "next"), None)


def test_without_faults_nothing_is_changed() -> None:
    assert run(_ask(_faulty())).json() == _page(0, 4)


def test_pages_are_made_small() -> None:
    proxy = _faulty(page_size=2)
    assert len(run(_ask(proxy)).json()["entry"]) == 2
    assert len(run(_ask(proxy, "/Observation?_count=500")).json()["entry"]) == 2
    assert len(run(_ask(proxy, "/Observation?_count=1")).json()["entry"]) == 1


def test_a_fault_strikes_where_and_as_often_as_it_says() -> None:
    async def five() -> list[int]:
        return [(await _ask(proxy)).status_code for _ in range(5)]

    proxy = _faulty(Fault(kind="502", at=1, times=2))
    assert run(five()) == [200, 502, 502, 200, 200]
    assert proxy.injected["502"] == 2


@pytest.mark.parametrize("kind", ANSWERS)
def test_every_answer_is_spoilt(kind: str) -> None:
    proxy = _faulty(Fault(kind=kind, times=ALWAYS))
    plain = {"wrong-type", "no-type", "drip"}  # the body arrives as it was
    try:
        found = run(_ask(proxy))
        same = found.status_code == 200 and found.json() == _page(0, 4)
    except (httpx.HTTPError, ValueError):
        same = False
    assert same == (kind in plain or False)
    assert proxy.injected[kind] == 1


@pytest.mark.parametrize(
    ("kind", "header"),
    [
        ("429-seconds", "1"),
        ("503-zero", "0"),
        ("429-garbage", "soon, perhaps"),
        ("503-huge", "999999999"),
        ("429-none", None),
    ],
)
def test_retry_after_is_as_it_says(kind: str, header: str | None) -> None:
    assert run(_ask(_faulty(Fault(kind=kind)))).headers.get("retry-after") == header


@pytest.mark.parametrize("kind", ["reset", "reset-in-body", "short-body", "stall", "no-answer", "gzip-garbage"])
def test_connections_break_as_connections_do(kind: str) -> None:
    with pytest.raises((httpx.TransportError, httpx.DecodingError)):
        run(_ask(_faulty(Fault(kind=kind))))


@pytest.mark.parametrize("kind", PAGES)
def test_every_page_is_spoilt_also_inside_a_batch(kind: str) -> None:
    assert run(_ask(_faulty(Fault(kind=kind)))).json() != _page(0, 4)
    batch = {"resourceType": "Bundle", "type": "batch", "entry": [{"request": {"method": "GET", "url": "Observation"}}]}
    answer = run(_ask(_faulty(Fault(kind=kind)), "", "POST", batch)).json()
    assert answer["entry"][0]["resource"] != _page(0, 4)


async def _walk(proxy: FaultyProxy, most: int = 12) -> list[str]:
    """The ids of all pages, as a client without any care would read them."""
    ids: list[str] = []
    url: str | None = "/Observation"
    for _ in range(most):
        page = (await _ask(proxy, url)).json()
        ids += [e["resource"].get("id", "?") for e in page.get("entry", []) if e and "resource" in e]
        url = _next(page) if "link" in page else None
        if url is None:
            break
    return ids


@pytest.mark.parametrize(("kind", "holds"), [
    ("short-page", lambda ids: ids == list("0123456789")),
    ("empty-page", lambda ids: ids == list("0123456789")),
    ("duplicates", lambda ids: sorted(set(ids)) == list("0123456789") and len(ids) > 10),
    ("same-page-twice", lambda ids: sorted(set(ids)) == list("0123456789") and len(ids) > 10),
    ("loop", lambda ids: len(ids) > 30),
    ("loop-two", lambda ids: len(ids) > 30),
    ("expired-link", lambda ids: ids == list("0123")),
    ("cut", lambda ids: ids == list("0123")),
    ("outcome-error", lambda ids: len(ids) < 10),
    ("other-patient-link", lambda ids: ids[:4] == list("0123") and all(i.startswith("other-") for i in ids[4:])),
])  # fmt: skip
def test_a_walk_meets_what_the_fault_says(kind: str, holds: Callable[[list[str]], bool]) -> None:
    assert holds(run(_walk(_faulty(Fault(kind=kind, times=ALWAYS if kind == "loop" else 1)))))


def test_another_patients_entries_are_marked_as_such() -> None:
    page = run(_ask(_faulty(Fault(kind="other-patient-entry")))).json()
    subjects = {e["resource"]["subject"]["reference"] for e in page["entry"]}
    assert subjects == {"Patient/one", f"Patient/{OTHER_PATIENT}"}


@pytest.mark.parametrize("kind", ENTRIES)
def test_entries_of_a_batch_are_spoilt(kind: str) -> None:
    urls = [{"request": {"method": "GET", "url": f"Observation?_offset={n}"}} for n in (0, 4)]
    batch = {"resourceType": "Bundle", "type": "batch", "entry": urls}
    proxy = _faulty(Fault(kind=kind))
    run(_ask(proxy, "", "POST", batch))
    assert proxy.injected[kind] == 1


@pytest.mark.parametrize(
    "kind", [kind for kind in STATEMENTS if kind.startswith("statement-") and kind != "statement-lies"]
)
def test_the_statement_is_spoilt(kind: str) -> None:
    answer = run(_ask(_faulty(Fault(kind=kind, times=ALWAYS)), "/metadata"))
    assert answer.status_code != 200 or answer.content != b'{"resourceType":"CapabilityStatement"}'


async def test_a_lying_server_ignores_what_it_is_asked() -> None:
    seen: list[str] = []

    async def listening(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["query_string"].decode())
        await tiny({**scope, "query_string": b""}, receive, send)

    proxy = FaultyProxy(listening, [Fault(kind="statement-lies", times=ALWAYS)], base=BASE)
    await _ask(proxy, "/Observation?patient=one&code=x&date=ge2020")
    assert seen == ["patient=one"]


def test_a_seed_gives_the_same_faults_and_all_kinds_have_their_turn() -> None:
    assert draw(7) == draw(7)
    assert {fault.kind for seed in range(len(KINDS)) for fault in draw(seed)} == set(KINDS)


async def test_requests_to_another_host_are_kept_apart() -> None:
    transport = InProcess(tiny)
    async with httpx.AsyncClient(transport=transport) as client:
        await client.get("http://elsewhere.test/fhir/Observation")
        await client.get(f"{BASE}/Observation")
    assert [request.url.host for request in transport.strays] == ["elsewhere.test"]
    assert len(transport.requests) == 2 and transport.received > 0


async def test_an_app_that_fails_is_heard() -> None:
    async def broken(scope: Scope, receive: Receive, send: Callable[[Message], Any]) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        async with httpx.AsyncClient(transport=InProcess(broken)) as client:
            await client.get(BASE)
