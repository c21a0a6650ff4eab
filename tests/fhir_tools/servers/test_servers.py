"""Several servers as one source: what they hold together, each resource once, under a name of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_tools.audit import Audited, Entry, RequestEntry
from fhir_tools.errors import NotFound, QueryError, ScopeError, SourceError, UserError
from fhir_tools.http import Http
from fhir_tools.local import LocalStore
from fhir_tools.remote import Remote
from fhir_tools.scope import Scoped
from fhir_tools.scope.aliases import resolve_aliases
from fhir_tools.search.query import parse
from fhir_tools.serve import create_app
from fhir_tools.servers import Servers
from fhir_tools.source import CATALOGUE_OPERATION, Source
from fhir_tools.types import Fetched, Query, Reference, SearchResult

A, B = "https://a.example/fhir", "https://b.example/r4"
MRN = "https://mrn.example"


def ref(text: str) -> Reference:
    return Reference.parse(text)


def person(id_: str, *numbers: str, born: str = "1950-02-03", **more: Any) -> dict[str, Any]:
    told = [{"system": MRN, "value": n} for n in numbers]
    return {"resourceType": "Patient", "id": id_, "birthDate": born, "identifier": told, **more}


def lab(id_: str, patient: str, when: str, value: float = 1.0, **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": id_,
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "4548-4"}]},
        "subject": {"reference": f"Patient/{patient}"},
        "effectiveDateTime": when,
        "valueQuantity": {"value": value},
        **more,
    }


class Server:
    """A store that says its base, as a remote source does; `down` is what every request then raises."""

    def __init__(self, base: str, *resources: Mapping[str, Any], types: tuple[str, ...] = ()) -> None:
        self.store, self.base, self.types = LocalStore(), base, types
        with self.store.transaction():
            for resource in resources:
                self.store.put(resource)
        self.sent: list[str] = []
        self.down: Exception | None = None
        self.closed = False

    async def __aenter__(self) -> Server:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.closed = True
        self.store.close()

    def _take(self, text: str) -> None:
        self.sent.append(text)
        if self.down:
            raise self.down

    async def read(self, reference: Reference, version: str | None = None) -> Mapping[str, Any]:
        self._take(f"{reference}/_history/{version}" if version else str(reference))
        return await self.store.read(reference, version)

    async def search(self, query: Query) -> SearchResult:
        self._take(str(query))
        return await self.store.search(query)

    async def fetch(self, url: str) -> Fetched:
        self._take(url)
        if "://" in url:
            raise ScopeError("not allowed")
        if url.endswith("$everything"):
            found = await self.store.search(Query(type="Observation", params=(("patient", url.partition("/$")[0]),)))
            body = orjson.dumps({"resourceType": "Bundle", "entry": [{"resource": r} for r in found.matches]})
            return Fetched(content_type="application/fhir+json", body=body)
        return await self.store.fetch(url)

    async def capabilities(self) -> Mapping[str, Any]:
        said = await self.store.capabilities()
        types = {t: names for t, names in said["search"].items() if not self.types or t in self.types}
        return {**said, "base": self.base, "search": types}


ONE = (
    person("7", "m1"),
    person("8", "m8"),
    lab("1", "7", "2015-01-01", 5.5),
    lab("2", "7", "2017-01-01", 6.5),
    lab("3", "8", "2016-01-01", 9.9),
)
TWO = (
    person("7", "m2", born="1990"),
    person("9", "m1", born="1950-02"),
    lab(
        "1", "9", "2016-01-01", 6.0, performer=[{"reference": "Practitioner/dr"}, {"reference": f"{A}/Practitioner/dr"}]
    ),
    lab("4", "9", "2018-01-01", 7.0),
    lab("5", "7", "2016-06-01", 8.8),
    {"resourceType": "Practitioner", "id": "dr", "name": [{"family": "Two"}]},
)


def both() -> tuple[Servers, Server, Server]:
    one, two = Server(A, *ONE), Server(B, *TWO)
    return Servers({"a": one, "b": two}), one, two


async def ids(source: Source, text: str) -> list[str]:
    return [r["id"] for r in (await source.search(parse(text))).matches]


async def test_it_is_a_source_that_closes_what_it_holds() -> None:
    servers, one, two = both()
    assert isinstance(servers, Source)
    async with servers:
        pass
    assert one.closed and two.closed


@pytest.mark.parametrize("labels", [[], ["A"], ["a", "b.c"]])
def test_labels_are_checked(labels: list[str]) -> None:
    with pytest.raises(UserError):
        Servers({label: Server(A) for label in labels})


async def test_a_read_goes_to_the_server_of_the_id() -> None:
    servers, one, two = both()
    assert (await servers.read(ref("Patient/7")))["identifier"][0]["value"] == "m1"
    theirs = await servers.read(ref("Observation/b.1"), "1")
    assert (theirs["id"], theirs["subject"]["reference"]) == ("b.1", "Patient/b.9")
    assert [p["reference"] for p in theirs["performer"]] == ["Practitioner/b.dr", "Practitioner/dr"]
    assert (one.sent, two.sent) == (["Patient/7"], ["Observation/1/_history/1"])


async def test_what_is_not_there_names_the_server() -> None:
    servers, _, two = both()
    with pytest.raises(NotFound, match=r"^b: "):
        await servers.read(ref("Observation/b.99"))
    two.down = SourceError("down", status=503)
    with pytest.raises(SourceError, match=r"^b: down") as caught:
        await servers.read(ref("Observation/b.1"))
    assert caught.value.status == 503


@pytest.mark.parametrize(
    ("text", "found", "asked_a", "asked_b"),
    [
        ("Observation?patient=Patient/7,Patient/b.9", ["1", "2", "b.1", "b.4"], "Patient/7", "Patient/9"),
        ("Observation?patient=7,b.9&_sort=-date", ["b.4", "2", "b.1", "1"], "7", "9"),
        ("Observation?patient=7,b.9&_sort=date&_elements=code,subject", ["1", "b.1", "2", "b.4"], "7", "9"),
        (f"Observation?subject={A}/Patient/7,{B}/Patient/9", ["1", "2", "b.1", "b.4"], "Patient/7", "Patient/9"),
        ("Observation?patient=Patient/7", ["1", "2"], "Patient/7", None),
        ("Observation?patient:Patient=b.9", ["b.1", "b.4"], None, "9"),
        ("Observation?patient=7,b.9&_id=b.1,2", ["2", "b.1"], "_id=2", "_id=1"),
        ("Observation?code=4548-4&date=2016", ["3", "b.1", "b.5"], "code", "code"),
        (
            "Observation?patient=b.9&_include=Observation:performer",
            ["b.1", "b.4"],
            None,
            "_include=Observation:performer",
        ),
        ("Observation?subject:Patient.birthdate=1990", ["b.5"], "birthdate=1990", "birthdate=1990"),
        ("Patient?identifier=https://mrn.example|m1", ["7", "b.9"], "m1", "m1"),
        ("Observation?patient=Patient/7&performer=Practitioner/b.dr", [], None, None),
    ],
)
async def test_searches_are_united(text: str, found: list[str], asked_a: str | None, asked_b: str | None) -> None:
    servers, one, two = both()
    result = await servers.search(parse(text))
    assert [r["id"] for r in result.matches] == found
    assert (result.complete, result.total) == (True, len(found))
    for server, asked in ((one, asked_a), (two, asked_b)):
        assert (asked in server.sent[0] and "b." not in server.sent[0]) if asked else server.sent == []


async def test_what_is_included_comes_under_its_name() -> None:
    servers, _, _ = both()
    result = await servers.search(
        parse("Observation?patient=7,b.9&_include=Observation:performer&_include=Observation:patient")
    )
    assert sorted(r["id"] for r in result.included) == ["7", "b.9", "b.dr"]


async def test_counts_are_summed() -> None:
    servers, _, _ = both()
    for text in ("Observation?patient=7,b.9&_summary=count", "Observation?patient=7,b.9&_count=0"):
        result = await servers.search(parse(text))
        assert (result.total, result.matches, result.next) == (4, (), None)


@pytest.mark.parametrize("fault", [SourceError("gone"), None])
async def test_a_server_that_fails_is_named_and_the_rest_is_given(fault: Exception | None) -> None:
    servers, _, two = both()
    await servers.capabilities()
    if fault:
        two.down = fault
    else:
        two.store.search = cut  # type: ignore[method-assign]
    result = await servers.search(parse("Observation?patient=7,b.9"))
    assert [r["id"] for r in result.matches] == ["1", "2"]
    assert not result.complete and result.error and result.error.startswith("b: ")


async def cut(query: Query) -> SearchResult:
    return SearchResult(query=query, complete=False, error="page 2 could not be read")


async def test_both_are_asked_at_once() -> None:
    servers, one, two = both()
    await servers.capabilities()
    gate = asyncio.Barrier(2)

    def waiting(server: Server) -> Any:
        search = server.store.search

        async def slow(query: Query) -> SearchResult:
            await asyncio.wait_for(gate.wait(), 5)
            return await search(query)

        return slow

    for server in (one, two):
        server.store.search = waiting(server)  # type: ignore[method-assign]
    assert len(await ids(servers, "Observation?patient=7,b.9")) == 4


@pytest.mark.parametrize(
    "text", ["Observation?colour=red", "Observation?date=soon&patient=7", "Observation?_sort=colour", "Nonsense?x=1"]
)
async def test_a_wrong_search_is_refused(text: str) -> None:
    servers, _, _ = both()
    with pytest.raises(QueryError):
        await servers.search(parse(text))


async def test_a_server_without_the_type_is_not_asked() -> None:
    one, two = Server(A, *ONE), Server(B, *TWO, types=("Patient",))
    servers = Servers({"a": one, "b": two})
    result = await servers.search(parse("Observation?code=4548-4"))
    assert result.complete and two.sent == []


async def test_pages_over_the_union_hold_each_match_once_in_order() -> None:
    servers, _, _ = both()
    whole = await ids(servers, "Observation?patient=7,b.9&_sort=date")
    asked, seen = parse("Observation?patient=7,b.9&_sort=date&_count=1"), []
    for _ in range(9):
        result = await servers.search(asked)
        assert result.total == 4 and len(result.matches) <= 1
        seen += [r["id"] for r in result.matches]
        if result.next is None:
            break
        asked = parse(result.next)
    assert seen == whole == ["1", "b.1", "2", "b.4"]


async def test_a_page_belongs_to_its_search() -> None:
    servers, _, _ = both()
    following = (await servers.search(parse("Observation?patient=7,b.9&_count=1"))).next
    assert following
    with pytest.raises(QueryError):
        await servers.search(parse(following.replace("patient=7", "patient=8")))
    with pytest.raises(QueryError):
        await servers.search(parse("Observation?patient=7&_page=0.5"))


async def test_bodies_and_operations_go_to_their_server() -> None:
    servers, one, two = both()
    everything = orjson.loads((await servers.fetch("Patient/b.9/$everything")).body)
    assert [e["resource"]["subject"]["reference"] for e in everything["entry"]] == ["Patient/b.9"] * 2
    assert two.sent == ["Patient/9/$everything"]
    two.store.put({"resourceType": "Binary", "id": "x", "contentType": "text/plain", "data": "SGVsbG8="})
    assert (await servers.fetch("Binary/b.x")).body == (await servers.fetch(f"{B}/Binary/x")).body == b"Hello"
    with pytest.raises(ScopeError):
        await servers.fetch("https://elsewhere.example/x")
    assert one.sent == ["https://elsewhere.example/x"]
    with pytest.raises(NotFound, match=r"^b: "):
        await servers.fetch("Binary/b.none")


async def test_capabilities_are_what_they_have_in_common() -> None:
    servers, _, _ = both()
    said = await servers.capabilities()
    assert said["servers"] == {"a": A, "b": B} and said["base"] == A and said["unreachable"] == []
    assert said["operations"] == [] and CATALOGUE_OPERATION not in said["operations"]
    assert {"patient", "code"} <= set(said["search"]["Observation"]) and "Practitioner" in said["search"]


async def test_a_server_that_cannot_be_asked_now_does_not_make_the_other_wait() -> None:
    servers, one, two = both()
    said = two.capabilities

    async def down() -> Mapping[str, Any]:
        raise SourceError("down")

    two.capabilities = down  # type: ignore[method-assign]
    assert await ids(servers, "Observation?patient=7") == ["1", "2"]
    assert (await servers.capabilities())["unreachable"] == ["b"]
    one.capabilities, kept = two.capabilities, one.capabilities  # type: ignore[method-assign]
    with pytest.raises(SourceError, match=r"^a: down"):
        await servers.capabilities()
    one.capabilities = kept  # type: ignore[method-assign]
    two.capabilities = said  # type: ignore[method-assign]
    assert await ids(servers, f"Observation?patient={B}/Patient/9") == ["b.1", "b.4"]


async def test_a_citation_says_which_server() -> None:
    servers, _, _ = both()
    await servers.capabilities()
    assert servers.original(ref("Observation/b.4")) == (B, ref("Observation/4"))
    assert servers.original(ref("Observation/4")) == (A, ref("Observation/4"))
    assert servers.located(ref("Observation/b.4")) == f"{B}/Observation/4"


# One person.


async def same(one: tuple[Any, ...], two: tuple[Any, ...], start: str = "Patient/7", systems: Any = ()) -> Any:
    servers = Servers({"a": Server(A, *one), "b": Server(B, *two)}, systems=systems)
    return await resolve_aliases(servers, ref(start))


async def test_a_person_is_found_by_an_identifier() -> None:
    found = await same(ONE, TWO)
    assert found.references == {ref("Patient/b.9")}
    assert found.searched == (ref("Patient/7"), ref("Patient/b.9")) and found.warnings == found.unread == ()
    back = await same(ONE, TWO, "Patient/b.9")
    assert back.references == {ref("Patient/7")} and back.patient == ref("Patient/b.9")


async def test_one_chart_comes_of_it() -> None:
    servers, _, _ = both()
    found = await resolve_aliases(servers, ref("Patient/7"))
    scope = Scoped(servers, found.patient, found.references, searched=found.searched)
    result = await scope.search(parse("Observation?patient=Patient/7&_sort=date"))
    assert [r["valueQuantity"]["value"] for r in result.matches] == [5.5, 6.0, 6.5, 7.0]
    assert result.complete and (await scope.read(ref("Practitioner/b.dr")))["name"]
    for other in ("Patient/b.7", "Patient/8", "Patient/9"):
        with pytest.raises(ScopeError):
            await scope.read(ref(other))
    paged = await scope.search(parse("Observation?patient=Patient/7&_sort=date&_count=3"))
    assert paged.complete and paged.next
    assert [r["id"] for r in (await scope.search(parse(paged.next))).matches] == ["b.4"]


@pytest.mark.parametrize(
    "there",
    [
        person("9", "M1"),
        person("9", "m11"),
        person("9"),
        {**person("9"), "identifier": [{"value": "m1"}]},
        {**person("9"), "identifier": [{"system": "https://other.example", "value": "m1"}]},
        {**person("9"), "identifier": [{"system": MRN, "value": "m1", "use": "old"}]},
    ],
)
async def test_another_identifier_is_another_person(there: dict[str, Any]) -> None:
    found = await same(ONE, (there,))
    assert not found.references and found.searched == (ref("Patient/7"),)
    assert ["b" in w and "m1" not in w for w in found.warnings] == [True]


async def test_only_the_systems_that_are_named_count() -> None:
    two = (person("9", "m1", link=[]),)
    assert not (await same(ONE, two, systems=["https://national.example"])).references
    assert (await same(ONE, two, systems=[MRN])).references == {ref("Patient/b.9")}


async def test_several_who_match_are_refused_unless_they_are_merged() -> None:
    with pytest.raises(UserError, match="several patients of server 'b'") as caught:
        await same(ONE, (person("9", "m1"), person("10", "m1")))
    assert "m1" not in str(caught.value) and "9" not in str(caught.value)
    merged = (
        person("9", "m1", link=[{"type": "replaces", "other": {"reference": "Patient/10"}}]),
        person("10", "m1", link=[{"type": "replaced-by", "other": {"reference": "Patient/9"}}]),
    )
    assert (await same(ONE, merged)).references == {ref("Patient/b.9"), ref("Patient/b.10")}


async def test_an_identifier_that_two_patients_of_the_own_server_share_finds_nobody() -> None:
    # A child under the mother's number: the other server's only holder of it is the mother.
    child, mother = person("7", "m1", "own"), {**person("8", "m1")}
    there = {k: v for k, v in person("9", "m1").items() if k != "birthDate"}
    with pytest.raises(UserError, match="several patients of server 'a'") as caught:
        await same((child, mother), (there,))
    assert "m1" not in str(caught.value) and "Patient/" not in str(caught.value)


async def test_where_the_own_server_cannot_say_who_shares_it_nobody_is_taken() -> None:
    one, two = Server(A, *ONE), Server(B, *TWO)

    async def cut(query: Query) -> SearchResult:
        return SearchResult(query=query, complete=False, error="not offered")

    one.search = cut  # type: ignore[method-assign]
    found = await Servers({"a": one, "b": two}).same_patient(ref("Patient/7"))
    assert not found.references and found.unread[0].startswith("b: whether others of a have")


@pytest.mark.parametrize(
    ("born", "ok"), [("1950-02-03", True), ("1950", True), ("1950-02", True), ("1950-02-04", False), ("1951", False)]
)
async def test_a_birth_date_that_contradicts_is_refused(born: str, ok: bool) -> None:
    if ok:
        assert (await same(ONE, (person("9", "m1", born=born),))).references
    else:
        with pytest.raises(UserError, match="birth date on server 'b'"):
            await same(ONE, (person("9", "m1", born=born),))


async def test_a_server_that_cannot_say_leaves_the_chart_not_whole() -> None:
    one, two = Server(A, *ONE), Server(B, *TWO)
    servers = Servers({"a": one, "b": two})
    two.down = SourceError("down")
    found = await servers.same_patient(ref("Patient/7"))
    assert not found.references and found.unread == ("b: down",)
    one.down = SourceError("down")
    with pytest.raises(SourceError):
        await servers.same_patient(ref("Patient/7"))


# The union is what one store with everything would answer.

DAYS = st.integers(1, 28).map("2020-01-{:02d}".format)
LABS = st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["7", "8"]), DAYS, st.integers(1, 9)), max_size=12)
SEARCHES = st.sampled_from(
    [
        "",
        "&_sort=date",
        "&_sort=-date",
        "&_sort=-value-quantity,date",
        "&date=ge2020-01-10",
        "&value-quantity=gt4",
        "&_count=3&_sort=date",
        "&_count=2",
    ]
)


@given(LABS, SEARCHES)
async def test_the_union_equals_one_store(labs: list[tuple[str, str, str, int]], more: str) -> None:
    held: dict[str, list[Any]] = {"a": [person("7"), person("8")], "b": [person("7"), person("8")]}
    whole = [person("7"), person("b.7"), person("8"), person("b.8")]
    for label, patient, day, value in labs:
        id_ = str(len(held[label]))
        held[label].append(lab(id_, patient, f"{day}T10:00:00Z", value, note=[{"text": id_}]))
        whole.append(
            lab(
                id_ if label == "a" else f"b.{id_}",
                patient if label == "a" else f"b.{patient}",
                f"{day}T10:00:00Z",
                value,
            )
        )
    one, asked = Server(A, *whole), f"Observation?patient=7,b.7{more}"
    async with Servers({"a": Server(A, *held["a"]), "b": Server(B, *held["b"])}) as servers, one:
        expected, found = await pages(one, asked), await pages(servers, asked)
        assert sorted(expected) == sorted(found)
        if "_sort=date" in more or "_sort=-date" in more:
            days = {r["id"]: r.get("effectiveDateTime") for r in whole}
            assert [days[i] for i in expected] == [days[i] for i in found]


async def pages(source: Source, text: str) -> list[str]:
    found: list[str] = []
    while True:
        result = await source.search(parse(text))
        assert result.complete
        found += [r["id"] for r in result.matches]
        if result.next is None:
            return found
        text = result.next


# With the parts it is used with: two servers over HTTP, scoped to one person, every request on record.


def over_http(base: str, *resources: Mapping[str, Any]) -> Remote:
    store = LocalStore()
    with store.transaction():
        for resource in resources:
            store.put(resource)
    return Remote(Http(base, transport=httpx.ASGITransport(create_app(store))))


async def test_one_chart_over_two_real_clients() -> None:
    note = {"resourceType": "Binary", "id": "n", "contentType": "text/plain", "data": "SGVsbG8="}
    letter = {
        "resourceType": "DocumentReference",
        "id": "d",
        "status": "current",
        "subject": {"reference": "Patient/9"},
        "content": [{"attachment": {"url": "Binary/n", "contentType": "text/plain"}}],
    }
    kept: list[Entry] = []
    servers = Servers({"a": over_http("http://a.test", *ONE), "b": over_http("http://b.test", *TWO, letter, note)})
    async with servers:
        found = await resolve_aliases(servers, ref("Patient/7"))
        scope = Scoped(servers, found.patient, found.references, searched=found.searched)
        source = Audited(scope, kept.append, agent="dr", patient=found.patient, purpose="TREAT", locate=servers.located)
        assert await pages(source, "Observation?patient=Patient/7&_sort=date&_count=1") == ["1", "b.1", "2", "b.4"]
        absolute = await source.search(parse("Observation?patient=http://a.test/Patient/7&code=4548-4"))
        assert len(absolute.matches) == 4
        documents = await source.search(parse("DocumentReference?patient=Patient/7"))
        assert documents.complete
        url = documents.matches[0]["content"][0]["attachment"]["url"]
        assert url == "Binary/b.n" and (await source.fetch(url)).body == b"Hello"
        everything = orjson.loads((await source.fetch("Patient/b.9/$everything")).body)
        assert {"b.9", "b.1", "b.4", "b.d"} <= {e["resource"]["id"] for e in everything["entry"]}
        for outside in ("Patient/b.7", "Observation/3", "Observation/b.5"):
            with pytest.raises((ScopeError, NotFound)):
                await source.read(ref(outside))
        with pytest.raises(ScopeError):
            await source.fetch("Patient/b.7/$everything")
    told = [name for entry in kept if isinstance(entry, RequestEntry) for name in entry.references]
    assert "http://b.test/Observation/1/_history/1" in told and "http://a.test/Observation/1/_history/1" in told
    assert [e.outcome for e in kept if isinstance(e, RequestEntry)][-4:] == [
        "refused",
        "not-found",
        "not-found",
        "refused",
    ]
