"""The remote source as its callers see it."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from dataclasses import replace
from typing import Any

import httpx
import orjson
import pytest

from fhir_tools.errors import NotFound, QueryError, SourceError
from fhir_tools.profiles import Profile
from fhir_tools.remote import Remote
from fhir_tools.scope import Scoped
from fhir_tools.search.query import parse
from fhir_tools.types import Query, Reference, SearchResult
from tests.fhir_tools.remote.fake import BASE, QUICK, FakeServer, bundle, observation, outcome, statement

CHART = [{"resourceType": "Patient", "id": "one"}, *(observation(n) for n in range(9)), observation(20, "two")]
PLAIN = Profile(name="plain", title="Plain")
ALL = "Observation?patient=one"


async def search(server: FakeServer, text: str, **more: Any) -> SearchResult:
    async with Remote(server.http(), **more) as remote:
        return await remote.search(parse(text))


def ids(found: SearchResult) -> list[str]:
    return [r["id"] for r in found.matches]


def failing(status: int, *, path: str = "Observation", body: Any = None, headers: Any = None) -> Any:
    """A hook that answers requests for a path with a status."""

    def hook(request: httpx.Request) -> httpx.Response | None:
        if not request.url.path.endswith(path):
            return None
        return httpx.Response(status, json=body, headers=headers) if body else httpx.Response(status, headers=headers)

    return hook


async def test_search_reads_all_pages() -> None:
    found = await search(FakeServer(CHART, page=4), ALL)
    assert ids(found) == [f"o{n}" for n in range(9)]
    assert (found.complete, found.error, found.pages, found.total, found.next) == (True, None, 3, 9, None)


async def test_a_search_asks_strictly_for_fhir_json() -> None:
    server = FakeServer(CHART)
    await search(server, ALL)
    assert server.requests[-1].headers["accept"] == "application/fhir+json"
    assert server.requests[-1].headers["prefer"] == "handling=strict"


@pytest.mark.parametrize(
    "text", ["Observation?colour=red", "Observation?date=soon", "Nothing?a=b", "Observation?code="]
)
async def test_what_is_wrong_by_fhir_is_refused_before_anything_is_sent(text: str) -> None:
    server = FakeServer(CHART)
    with pytest.raises(QueryError):
        await search(server, text)
    assert not server.seen


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (500, "500"),
        (503, "503"),
        (429, "429"),
        (400, "refused the request for Observation"),
        (401, "credentials"),
    ],
)
async def test_a_fault_is_incomplete_and_never_empty(status: int, words: str) -> None:
    found = await search(FakeServer(CHART, hook=failing(status)), ALL)
    assert not found.complete and words in str(found.error) and not found.matches


async def test_an_outcome_with_200_is_a_refusal() -> None:
    found = await search(FakeServer(CHART, hook=failing(200, body=outcome("too-costly"))), ALL)
    assert not found.complete and "too-costly" in str(found.error) and "SECRET" not in str(found.error)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<html><title>Jane Doe</title></html>", "web page"), (b"<?xml version='1.0'?><Bundle/>", "XML"),
        (b'{"resourceType":"Bundle","entry":[', "cut off"), (b"", "empty body"), (b"[]", "no resource"),
        (b'{"resourceType":"Patient"}', "no searchset"),
        (b'{"resourceType":"Bundle","type":"history"}', "no searchset"),
    ],
)  # fmt: skip
async def test_what_is_no_searchset_is_incomplete(body: bytes, words: str) -> None:
    headers = {"content-type": "text/html" if body.startswith(b"<h") else "application/fhir+json"}

    def hook(request: httpx.Request) -> httpx.Response | None:
        return httpx.Response(200, content=body, headers=headers) if request.url.path.endswith("Observation") else None

    found = await search(FakeServer(CHART, hook=hook), ALL)
    assert not found.complete and words in str(found.error) and "Jane" not in str(found.error)


async def test_cut_off_json_is_asked_for_again() -> None:
    server = FakeServer(CHART)
    server.hook = lambda r: httpx.Response(200, content=b'{"resourceType":"Bu') if len(server.asked) == 1 else None
    found = await search(server, ALL)
    assert found.complete and len(ids(found)) == 9


async def test_a_refusal_for_want_of_a_scope_names_it() -> None:
    told = {"www-authenticate": 'Bearer realm="x", error="insufficient_scope", scope="patient/Observation.rs"'}
    found = await search(FakeServer(CHART, hook=failing(403, headers=told)), ALL)
    assert not found.complete and "the scope patient/Observation.rs is missing" in str(found.error)
    found = await search(FakeServer(CHART, hook=failing(403)), ALL)
    assert "read Observation" in str(found.error) and "may lack the scope patient/Observation.rs" in str(found.error)


class Granted:
    """Scopes for Patient alone, and for a part of it."""

    def allows(self, type_: str, action: str) -> bool:
        return type_ == "Patient"

    def missing(self, type_: str, action: str) -> str:
        return f"patient/{type_}.rs"

    def part(self, query: Query) -> str | None:
        return "patient/Patient.rs?name=x"


async def test_what_the_scopes_do_not_allow_is_not_sent() -> None:
    for granted in (Granted(), lambda: Granted()):
        server = FakeServer(CHART)
        async with Remote(server.http(), granted=granted) as remote:
            found = await remote.search(parse(ALL))
            assert not found.complete and "lack the scope patient/Observation.rs" in str(found.error)
            with pytest.raises(SourceError, match=r"patient/Observation\.rs"):
                await remote.read(Reference(type="Observation", id="o1"))
            assert (await remote.read(Reference(type="Patient", id="one")))["id"] == "one"
        assert server.asked == ["GET Patient/one"]


async def test_a_scope_for_a_part_is_told() -> None:
    found = await search(FakeServer(CHART), "Patient?_id=one", granted=Granted())
    assert (
        ids(found) == ["one"]
        and not found.complete
        and "a part of Patient: patient/Patient.rs?name=x" in str(found.error)
    )


@pytest.mark.parametrize("id_", ["../Observation/o1", "a?b", "a/b", "a#b", "..", ".", "", "%2e%2e", "ü_"])
async def test_an_id_stays_in_its_place(id_: str) -> None:
    server = FakeServer(CHART)
    async with Remote(server.http()) as remote:
        with pytest.raises(NotFound):
            await remote.read(Reference(type="Patient", id=id_))
    for request in server.requests[1:]:
        assert request.url.raw_path.startswith(b"/fhir/Patient/") and request.url.raw_path.count(b"/") == 3
        assert not request.url.query


async def test_a_byte_order_mark_is_passed_over() -> None:
    server = FakeServer(CHART)
    server.hook = lambda r: (
        httpx.Response(200, content=b"\xef\xbb\xbf" + orjson.dumps(bundle([]))) if server.asked else None
    )
    assert (await search(server, ALL)).complete


async def test_scopes_that_are_not_known_forbid_nothing() -> None:
    assert (await search(FakeServer(CHART), ALL, granted=lambda: None)).complete


@pytest.mark.parametrize("path", ["metadata", "Observation", "Patient/one"])
async def test_a_redirect_to_another_origin_is_a_fault_of_the_server(path: str) -> None:
    server = FakeServer(CHART, hook=failing(302, path=path, headers={"location": "https://evil.test/jane"}))
    async with Remote(server.http()) as remote:
        found = await remote.search(parse(ALL))
        assert found.complete is (path == "Patient/one") and "evil" not in str(found.error)
        if path != "Observation":
            with pytest.raises(SourceError, match="another origin"):
                await remote.read(Reference(type="Patient", id="one"))


# The statement.


@pytest.mark.parametrize("answer", [404, 401, 403, "html", "empty", b"", b'{"resourceType":"Capab'])
async def test_a_server_without_a_statement_works(answer: Any) -> None:
    def hook(request: httpx.Request) -> httpx.Response | None:
        if not request.url.path.endswith("metadata"):
            return None
        if answer == "html":
            return httpx.Response(200, html="<html>Sign in</html>")
        if isinstance(answer, bytes):
            return httpx.Response(200, content=answer)
        return httpx.Response(200, json={}) if answer == "empty" else httpx.Response(answer)

    async with Remote(FakeServer(CHART, hook=hook).http()) as remote:
        found = await remote.search(parse("Observation?patient=one&code=4548-4&_sort=-date&_count=2"))
        assert ids(found) == ["o8", "o7"] and found.complete
        assert (await remote.capabilities())["declared"] is False


async def test_a_statement_that_cannot_be_had_just_now_is_asked_for_again() -> None:
    server = FakeServer(CHART, hook=failing(503, path="metadata"))
    async with Remote(server.http()) as remote:
        found = await remote.search(parse(ALL))
        assert not found.complete and "503" in str(found.error)
        with pytest.raises(SourceError):
            await remote.capabilities()
        server.hook = None
        assert (await remote.search(parse(ALL))).complete


# A server that does not do what it says.


def careless(ignored: str, *, declared: bool = True, **more: Any) -> FakeServer:
    """A server that takes a parameter and does not heed it."""
    server = FakeServer(CHART, **more)

    def hook(request: httpx.Request) -> httpx.Response | None:
        if ignored not in request.url.params:
            return None
        return server(httpx.Request("GET", request.url.copy_remove_param(ignored)))

    server.hook = hook
    if not declared:
        server.statement = None
    return server


@pytest.mark.parametrize("end", ["", "&_sort=-date", "&_summary=count"])
async def test_what_is_sent_of_another_patient_is_told(end: str) -> None:
    found = await search(careless("patient", declared=False), f"{ALL}{end}")
    assert not found.complete and "1 resources" in str(found.error) and found.total in (None, 9)
    assert len(ids(found)) == (0 if "count" in end else 9)


async def test_a_statement_leaves_other_patients_to_the_scope() -> None:
    one = Reference(type="Patient", id="one")
    async with Remote(careless("patient").http()) as remote:
        assert len((await remote.search(parse(ALL))).matches) == 10
        found = await Scoped(remote, one).search(parse(ALL))
    assert len(found.matches) == 9 and not found.complete and "not this patient's" in str(found.error)


@pytest.mark.parametrize(
    ("ignored", "text", "kept"),
    [
        ("date", "date=ge2020-01-05", 5), ("code", "code=http://loinc.org|1-1", 0), ("status", "status=final", 9),
        ("status:not", "status:not=final", 0), ("_id", "_id=o1,o2", 2),
        ("code:text", "code:text=x", 9), ("_lastUpdated", "_lastUpdated=ge2020", 9),
    ],
)  # fmt: skip
async def test_a_filter_that_is_not_heeded_is_done_here(ignored: str, text: str, kept: int) -> None:
    modifiers = replace(PLAIN, modifiers=frozenset(("not", "text")))
    found = await search(careless(ignored), f"{ALL}&{text}", profile=modifiers)
    assert (len(ids(found)), found.total, found.complete) == (kept, kept, True)


async def test_the_total_of_a_filter_that_is_not_heeded_is_not_believed() -> None:
    async with Remote(careless("date", page=4).http()) as remote:
        assert (await remote.search(parse(f"{ALL}&date=ge2020-01-05&_summary=count"))).total == 9  # not seen yet
        page = await remote.search(parse(f"{ALL}&date=ge2020-01-05&_count=4"))
        assert (len(page.matches), page.total) == (0, None) and page.next
        assert (await remote.search(parse(f"{ALL}&date=ge2020-01-05"))).total == 5
        assert (await remote.search(parse(f"{ALL}&date=ge2020-01-05&_summary=count"))).total == 5


async def test_pages_are_tested_whole_and_cut_when_they_are_given() -> None:
    server = FakeServer(CHART)
    first = {**bundle(CHART[1:6]), "link": [{"relation": "next", "url": f"{BASE}/Observation?more"}]}
    pages = iter((first, bundle(CHART[6:10])))
    server.hook = lambda r: httpx.Response(200, json=next(pages)) if server.asked else None
    async with Remote(server.http(), profile=replace(PLAIN, elements=False)) as remote:
        found: list[str] = []
        text: str | None = f"{ALL}&status=final&_elements=code&_count=2"
        while text:
            page = await remote.search(parse(text))
            assert page.complete and all("effectiveDateTime" not in r for r in page.matches)
            found, text = found + ids(page), page.next
    assert found == [f"o{n}" for n in range(9)]


async def test_a_server_of_another_version_is_told() -> None:
    server = FakeServer(CHART)
    server.statement = {**statement(), "fhirVersion": "3.0.2"}
    found = await search(server, ALL)
    assert not found.complete and "STU3" in str(found.error) and not server.asked


async def test_the_statement_is_read_once() -> None:
    server = FakeServer(CHART)
    async with Remote(server.http()) as remote:
        await asyncio.gather(*(remote.search(parse(ALL)) for _ in range(5)), remote.capabilities())
        await remote.capabilities()
    assert [text for text in server.seen if "metadata" in text] == ["GET metadata"]


async def test_a_waiter_that_gives_up_does_not_take_the_statement_from_the_others() -> None:
    async def slow(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0.02)
        return server(request)

    server = FakeServer(CHART)
    http = server.http()
    http._client._transport = httpx.MockTransport(slow)
    async with Remote(http) as remote:
        first = asyncio.create_task(remote.search(parse(ALL)))
        second = asyncio.create_task(remote.search(parse(ALL)))
        await asyncio.sleep(0.005)
        first.cancel()
        assert (await second).complete


async def test_capabilities_tell_what_callers_ask_for() -> None:
    server = FakeServer(CHART)
    server.statement = statement(system=["batch"])
    server.statement["rest"][0]["resource"][1]["operation"] = [{"name": "everything"}, {"name": "$chartline-catalogue"}]
    async with Remote(server.http(), profile=PLAIN) as remote:
        told = await remote.capabilities()
    assert told["fhirVersion"] == "4.0.1" and told["batch"] is True and told["profile"] == "plain"
    assert "code" in told["search"]["Observation"] and told["base"] == BASE and told["elements"] is True
    assert {"$chartline-catalogue", "Patient/$everything"} <= set(told["operations"])


async def test_what_the_server_does_not_offer_is_incomplete() -> None:
    found = await search(FakeServer(CHART), "Goal?patient=one")
    assert not found.complete and "Goal" in str(found.error)


# Pages that the caller turns.


async def test_pages_go_on_where_they_stopped() -> None:
    server = FakeServer(CHART)
    async with Remote(server.http()) as remote:
        asked, seen = parse("Observation?patient=one&code=http://loinc.org|4548-4&_sort=date&_count=4"), []
        while True:
            found = await remote.search(asked)
            seen.append(ids(found))
            assert found.complete and found.pages == 1
            if found.next is None:
                break
            asked = parse(found.next)
    assert seen == [["o0", "o1", "o2", "o3"], ["o4", "o5", "o6", "o7"], ["o8"]]
    assert len(server.asked) == 3


async def test_pages_cut_here_go_on_as_well() -> None:
    server = FakeServer(CHART)
    server.statement = None
    async with Remote(server.http()) as remote:
        first = await remote.search(parse("Observation?patient=one&_sort=-date&_count=5"))
        sent = len(server.asked)
        second = await remote.search(parse(str(first.next)))
    assert ids(first) + ids(second) == [f"o{n}" for n in reversed(range(9))]
    assert first.total == second.total == 9 and second.next is None and len(server.asked) == sent


async def test_what_follows_a_page_that_is_not_complete_is_not_complete() -> None:
    server = FakeServer(CHART, page=6)
    server.statement = None
    server.hook = lambda r: httpx.Response(500) if "_offset" in str(r.url) else None
    async with Remote(server.http()) as remote:
        first = await remote.search(parse(f"{ALL}&_sort=-date&_count=4"))
        second = await remote.search(parse(str(first.next)))
    assert len(ids(first) + ids(second)) == 6 and not first.complete and not second.complete
    assert second.error == first.error and "500" in str(first.error) and (first.total, second.total) == (6, 6)


async def test_short_pages_are_filled() -> None:
    """A caller who wants the newest one takes an empty page for an empty chart."""
    pages = [bundle([], link=f"{BASE}/2"), bundle([], link=f"{BASE}/3"), bundle([observation(1), observation(2)])]
    server = FakeServer()
    server.hook = lambda r: httpx.Response(200, json=pages[len(server.asked) - 1]) if server.asked else None
    async with Remote(server.http()) as remote:
        found = await remote.search(parse(f"{ALL}&_sort=-date&_count=1"))
        assert ids(found) == ["o1"] and found.next
        assert ids(await remote.search(parse(found.next))) == ["o2"]


async def test_a_page_is_of_this_source_and_of_this_search_only() -> None:
    async with Remote(FakeServer(CHART).http()) as remote:
        found = await remote.search(parse(f"{ALL}&_count=4"))
        token = str(found.next).rpartition("=")[2]
        for text in (
            f"{ALL}&_count=4&_page=4.9", f"{ALL}&_count=4&_page=https://evil.test/", f"Observation?_page={token}",
            f"Observation?patient=two&_count=4&_page={token}", f"{ALL}&_page={token}",
            f"{ALL}&_count=4&_page={token}&_page={token}", f"Condition?patient=one&_count=4&_page={token}",
        ):  # fmt: skip
            with pytest.raises(QueryError, match="not a page of this search"):
                await remote.search(parse(text))


async def test_pages_pass_the_scope_of_one_patient() -> None:
    async with Remote(FakeServer(CHART).http()) as remote:
        scoped = Scoped(remote, Reference(type="Patient", id="one"))
        first = await scoped.search(parse("Observation?_count=5"))
        second = await scoped.search(parse(str(first.next)))
        assert sorted(ids(first) + ids(second)) == sorted(f"o{n}" for n in range(9))


@pytest.mark.parametrize(
    ("base", "to"),
    [
        (BASE, "?page=2"), (BASE, "Observation?page=2"), (BASE, "/fhir/Observation?page=2"),
        (BASE, f"{BASE}/Observation?page=2"),
        ("https://chart.test/fhir", f"{BASE}/Observation?page=2"), (BASE, "//chart.test/fhir/Observation?page=2"),
    ],
)  # fmt: skip
async def test_links_as_servers_write_them(base: str, to: str) -> None:
    server = FakeServer()
    pages = [bundle([observation(1)], link=to), bundle([observation(2)])]
    server.hook = lambda r: httpx.Response(200, json=pages["page=2" in str(r.url)]) if server.asked else None
    async with Remote(server.http(base)) as remote:
        assert ids(await remote.search(parse(ALL))) == ["o1", "o2"]
    assert str(server.requests[-1].url) == f"{base}/Observation?page=2"


class Expiring(httpx.Auth):
    """A token that lasts for two requests, and can be renewed so many times."""

    def __init__(self, renewals: int) -> None:
        self.renewals, self.left = renewals, 2

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["authorization"] = "old" if self.left <= 0 else "new"
        self.left -= 1
        response = yield request
        if response.status_code == 401 and self.renewals:
            self.renewals, self.left = self.renewals - 1, 1
            request.headers["authorization"] = "new"
            yield request


@pytest.mark.parametrize("renewals", [0, 1, 9])
async def test_credentials_that_end_between_pages(renewals: int) -> None:
    server = FakeServer(CHART, page=2)
    server.hook = lambda r: httpx.Response(401) if r.headers["authorization"] == "old" else None
    async with Remote(server.http(auth=Expiring(renewals))) as remote:
        found = await remote.search(parse(ALL))
    if renewals == 9:
        assert found.complete and len(ids(found)) == 9
    else:
        assert not found.complete and "refused the credentials" in str(found.error) and 0 < len(ids(found)) < 9


# Totals.


async def test_the_total_comes_without_matches() -> None:
    for text in (f"{ALL}&_summary=count", f"{ALL}&_count=0"):
        server = FakeServer(CHART)
        found = await search(server, text)
        assert (found.total, found.matches, found.complete) == (9, (), True)
        assert len(server.asked) == 1 and "_summary=count" in server.asked[0]


async def test_a_server_that_does_not_count_is_counted_by_reading() -> None:
    server = FakeServer(CHART, page=4)
    server.hook = lambda r: httpx.Response(200, json=bundle([])) if "_summary" in str(r.url) else None
    found = await search(server, f"{ALL}&_summary=count")
    assert (found.total, found.matches, found.complete) == (9, (), True)
    server.hook = lambda r: httpx.Response(200, json=bundle(CHART[1:4])) if "_summary" in str(r.url) else None
    assert (await search(server, f"{ALL}&_summary=count")).total == 3
    server.statement, server.hook = None, None
    assert (await search(server, f"{ALL}&_summary=count")).total == 9


async def test_a_total_that_failed_is_incomplete() -> None:
    found = await search(FakeServer(CHART, hook=failing(500)), f"{ALL}&_summary=count")
    assert not found.complete and found.error


# What the server lacks is done here.


async def test_what_is_not_declared_is_tested_sorted_and_cut_here() -> None:
    server = FakeServer(CHART)
    server.statement["rest"][0]["resource"][0]["searchParam"] = [{"name": "patient"}]
    found = await search(server, f"{ALL}&date=ge2020-01-04&_sort=-date&_count=3")
    assert ids(found) == ["o8", "o7", "o6"] and found.next and found.complete
    assert "date" not in server.asked[0].partition("_count")[0]


async def test_includes_are_followed_by_reading() -> None:
    orders = [
        {
            "resourceType": "MedicationRequest",
            "id": f"m{n}",
            "subject": {"reference": "Patient/one"},
            "medicationReference": {"reference": f"Medication/{n % 2 if n < 4 else 'gone'}"},
        }
        for n in range(5)
    ]
    drugs = [
        {"resourceType": "Medication", "id": str(n), "manufacturer": {"reference": f"Organization/{n}"}} for n in (0, 1)
    ]
    server = FakeServer([*orders, *drugs, {"resourceType": "Organization", "id": "1"}])
    text = "MedicationRequest?patient=one&_include=MedicationRequest:medication"
    found = await search(server, text)
    assert [r["id"] for r in found.included] == ["0", "1"] and found.complete
    assert sorted(server.asked[1:]) == ["GET Medication/0", "GET Medication/1", "GET Medication/gone"]
    server.hook = failing(500, path="Medication/1")
    found = await search(server, text)
    assert not found.complete and [r["id"] for r in found.included] == ["0"] and len(found.matches) == 5


async def test_elements_are_cut_here_where_the_server_cannot() -> None:
    found = await search(FakeServer(CHART), f"{ALL}&_elements=code,subject", profile=replace(PLAIN, elements=False))
    assert set(found.matches[0]) == {"resourceType", "id", "meta", "status", "code", "subject"}
    assert found.matches[0]["meta"]["tag"][0]["code"] == "SUBSETTED"


# Long searches.


LONG = f"{ALL}&code=" + ",".join(f"http://loinc.org|{n}-{n}" for n in range(200)) + ",4548-4"


async def test_a_long_search_goes_by_post() -> None:
    server = FakeServer(CHART)
    found = await search(server, LONG)
    assert len(ids(found)) == 9 and server.asked == ["POST Observation/_search"]
    assert server.requests[-1].headers["content-type"] == "application/x-www-form-urlencoded"


async def test_long_searches_go_together_where_there_are_batches() -> None:
    server = FakeServer(CHART)
    server.statement = statement(system=["batch"])
    codes = ",".join(f"http://loinc.org|{n}-0" for n in range(700)) + ",http://loinc.org|4548-4"
    found = await search(server, f"{ALL}&code={codes}")
    assert len(ids(found)) == 9 and found.complete and server.asked == ["POST "]
    assert len(orjson.loads(server.requests[-1].content)["entry"]) == 3


@pytest.mark.parametrize("status", [400, 414])
async def test_what_is_too_long_in_a_batch_goes_by_post(status: int) -> None:
    server = FakeServer(CHART)
    server.statement = statement(system=["batch"])
    told = {"response": {"status": f"{status} Too much"}}
    answer = {"resourceType": "Bundle", "type": "batch-response", "entry": [told, told]}
    server.hook = lambda r: httpx.Response(200, json=answer) if r.url.path.strip("/") == "fhir" else None
    found = await search(server, f"{ALL}&code={','.join(f'{n:08}-0' for n in range(599))},4548-4")
    assert len(ids(found)) == 9 and found.complete
    assert server.asked == ["POST ", *["POST Observation/_search"] * 2]


@pytest.mark.parametrize("status", [400, 404, 405, 415, 501, 302])
async def test_where_post_is_refused_it_goes_by_get(status: int) -> None:
    server = FakeServer(CHART, hook=failing(status, path="_search", headers={"location": "/fhir/x"}))
    async with Remote(server.http()) as remote:
        assert len(ids(await remote.search(parse(LONG)))) == 9
        assert len(ids(await remote.search(parse(LONG)))) == 9
    assert sum(text.startswith("POST") for text in server.asked) == (2 if status == 400 else 1)


async def test_a_url_that_is_too_long_for_the_server_goes_by_post() -> None:
    server = FakeServer(CHART)
    server.hook = lambda r: httpx.Response(414) if r.method == "GET" and r.url.query else None
    assert len(ids(await search(server, ALL))) == 9
    assert [text.partition(" ")[0] for text in server.asked] == ["GET", "POST"]


async def test_a_profile_may_ask_for_post() -> None:
    server = FakeServer(CHART)
    await search(server, ALL, profile=replace(PLAIN, post=True))
    assert server.asked == ["POST Observation/_search"]
    server = FakeServer(CHART)
    assert len(ids(await search(server, LONG, profile=replace(PLAIN, post=False)))) == 9
    assert [text.partition(" ")[0] for text in server.asked] == ["GET"]


# Reading.


async def test_a_resource_is_asked_for_by_its_etag() -> None:
    server = FakeServer(CHART)
    server.hook = lambda r: httpx.Response(304) if "if-none-match" in r.headers else None
    async with Remote(server.http()) as remote:
        first = await remote.read(Reference(type="Patient", id="one"))
        assert await remote.read(Reference(type="Patient", id="one")) == first
    assert server.requests[-1].headers["if-none-match"] == 'W/"1"'


async def test_a_304_that_was_not_asked_for_is_no_resource() -> None:
    async with Remote(FakeServer(CHART, hook=failing(304, path="Patient/one")).http()) as remote:
        with pytest.raises(SourceError):
            await remote.read(Reference(type="Patient", id="one"))


@pytest.mark.parametrize("status", [404, 410])
async def test_what_is_not_there_is_not_found(status: int) -> None:
    async with Remote(FakeServer(CHART, hook=failing(status, path="Patient/one")).http()) as remote:
        with pytest.raises(NotFound) as caught:
            await remote.read(Reference(type="Patient", id="one"))
        assert caught.value.status == status and "one" not in str(caught.value)


@pytest.mark.parametrize(
    "body", [{"resourceType": "Patient", "id": "two"}, {"resourceType": "Group", "id": "one"}, {"id": "one"}]
)
async def test_another_resource_than_the_one_asked_for_is_refused(body: Any) -> None:
    async with Remote(FakeServer(CHART, hook=failing(200, path="Patient/one", body=body)).http()) as remote:
        with pytest.raises(SourceError):
            await remote.read(Reference(type="Patient", id="one"))


async def test_a_merged_patient_comes_as_the_one_it_is_now() -> None:
    server = FakeServer([{"resourceType": "Patient", "id": "new"}])
    server.hook = failing(302, path="Patient/one", headers={"location": f"{BASE}/Patient/new"})
    async with Remote(server.http()) as remote:
        assert (await remote.read(Reference(type="Patient", id="one")))["id"] == "new"
        with pytest.raises(NotFound):
            await Scoped(remote, Reference(type="Patient", id="one")).read(Reference(type="Patient", id="one"))


async def test_versions() -> None:
    versioned = {"resourceType": "Patient", "id": "one", "meta": {"versionId": "3"}}
    server = FakeServer([versioned])
    server.hook = failing(200, path="_history/3", body=versioned)
    async with Remote(server.http()) as remote:
        assert await remote.read(Reference(type="Patient", id="one"), "3") == versioned
        with pytest.raises(NotFound):
            await remote.read(Reference(type="Patient", id="one"), "2")
    server.hook = failing(200, path="_history/2", body=versioned)
    async with Remote(server.http()) as remote:
        with pytest.raises(SourceError, match="another version"):
            await remote.read(Reference(type="Patient", id="one"), "2")
    server.statement["rest"][0]["resource"][1]["interaction"] = [{"code": "read"}]
    async with Remote(server.http()) as remote:
        assert await remote.read(Reference(type="Patient", id="one"), "3") == versioned
        with pytest.raises(NotFound, match="earlier versions"):
            await remote.read(Reference(type="Patient", id="one"), "2")
    assert QUICK.attempts == 5
