"""One patient: whatever is asked, and whatever the source answers, nothing of another patient comes through.

The source here answers everything it is asked with everything it has, and keeps what reached it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self
from urllib.parse import quote

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_tools.errors import NotFound, QueryError, ScopeError, SourceError
from fhir_tools.scope import COMPARTMENT, Scoped, addresses
from fhir_tools.search.query import R4_TYPES, parse
from fhir_tools.source import CATALOGUE_OPERATION
from fhir_tools.types import Fetched, Query, Reference, SearchResult

ME, OTHER = Reference(type="Patient", id="me"), Reference(type="Patient", id="other")
SERVER = "https://fhir.example/r4"


def about(patient: str, kind: str = "Observation", **more: Any) -> dict[str, Any]:
    return {"resourceType": kind, "id": kind.lower(), "subject": {"reference": patient}, **more}


MINE = about(
    "Patient/me",
    id="o1",
    performer=[{"reference": "Practitioner/dr"}, {"reference": "Group/g"}, {"reference": "Patient/other"}],
    hasMember=[{"reference": "Observation/foreign"}],
    device={"reference": "Device/d"},
    extension=[{"url": "https://ext.example/def", "valueString": "x"}],
)
LETTER = about(
    "Patient/me",
    "DocumentReference",
    id="d1",
    content=[
        {"attachment": {"url": "Binary/b1"}},
        {"attachment": {"url": "https://files.example/2019/my%20letter.pdf"}},
        {"attachment": {"url": f"{SERVER}/Binary/b2"}},
        {"attachment": {"url": "Patient/other/$everything"}},
        {"attachment": {"url": f"{SERVER}/Observation?patient=other"}},
        {"attachment": {"url": f"{SERVER}/Observation/foreign"}},
        {"attachment": {"url": f"{SERVER}/Binary/..%2fPatient/other"}},
        {"attachment": {"url": "Binary/../Observation/foreign"}},
        {"attachment": {"url": "Observation/foreign"}},
        {"attachment": {"url": "file:///etc/passwd"}},
    ],
)
FOREIGN: tuple[dict[str, Any], ...] = (
    {"resourceType": "Patient", "id": "other"},
    about("Patient/other", id="foreign"),
    about("https://fhir.example/r4/Patient/other", id="absolute"),
    about("Patient/other/_history/2", id="versioned"),
    about("Patient/ME", id="case"),
    about("Patient/me2", id="longer"),
    about("Patient/me/x", id="odd"),
    about("Group/g", id="group-subject"),
    about("#p", id="contained-subject", contained=[{"resourceType": "Patient", "id": "p"}]),
    {"resourceType": "Observation", "id": "nobody"},
    {"resourceType": "Observation", "id": "logical", "subject": {"identifier": {"value": "me"}, "display": "me"}},
    {**about("Patient/me", id="both"), "patient": {"reference": "Patient/other"}},
    {"resourceType": "Immunization", "id": "i", "patient": {"reference": "Patient/other"}},
    {"resourceType": "Coverage", "id": "c", "beneficiary": {"reference": "Patient/other"}},
    {"resourceType": "Account", "id": "a", "subject": [{"reference": "Patient/other"}]},
    {"resourceType": "Group", "id": "g", "member": [{"entity": {"reference": "Patient/other"}}]},
    {"resourceType": "Person", "id": "p", "link": [{"target": {"reference": "Patient/other"}}]},
    {"resourceType": "Bundle", "id": "b", "entry": [{"resource": {"resourceType": "Patient", "id": "other"}}]},
    {"resourceType": "Task", "id": "t", "for": {"reference": "Patient/other"}},
    {"resourceType": "Provenance", "id": "pr", "target": [{"reference": "Patient/other"}]},
    {"resourceType": "Provenance", "id": "p2", "target": [{"reference": "Patient/me"}, {"reference": "Patient/other"}]},
    {"resourceType": "Binary", "id": "secret", "securityContext": {"reference": "Patient/other"}},
    {"resourceType": "Device", "id": "d9", "patient": {"reference": "Patient/other"}},
    {"resourceType": "List", "id": "unowned", "entry": [{"item": {"reference": "Observation/foreign"}}]},
    {"resourceType": ["Observation"], "id": "dirt"},
)
SHARED = (
    {"resourceType": "Practitioner", "id": "dr"},
    {"resourceType": "Medication", "id": "m"},
    {"resourceType": "Device", "id": "d"},
)


class Everything:
    """A careless server: any request gets all that it has, of all patients."""

    def __init__(
        self, *resources: Mapping[str, Any], body: bytes = b"text", kind: str = "text/plain", base: str | None = SERVER
    ) -> None:
        self.resources, self.fetched, self.base = resources, Fetched(content_type=kind, body=body), base
        self.sent: list[Any] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *of: object) -> None:
        return None

    async def read(self, reference: Reference, version: str | None = None) -> Mapping[str, Any]:
        self.sent.append(reference)
        found = [r for r in self.resources if (r["resourceType"], r["id"]) == (reference.type, reference.id)]
        return found[0] if found else self.resources[0]

    async def search(self, query: Query) -> SearchResult:
        self.sent.append(query)
        return SearchResult(query=query, matches=self.resources, included=self.resources, total=len(self.resources))

    async def fetch(self, url: str) -> Fetched:
        self.sent.append(url)
        return self.fetched

    async def capabilities(self) -> Mapping[str, Any]:
        return {"operations": [CATALOGUE_OPERATION], **({"base": self.base} if self.base else {})}


def scoped(**more: Any) -> tuple[Scoped, Everything]:
    source = Everything(MINE, LETTER, {"resourceType": "Patient", "id": "me"}, *FOREIGN, *SHARED, **more)
    return Scoped(source, ME), source


async def opened(**more: Any) -> tuple[Scoped, Everything]:
    """A scope that has read this patient's resources, so that their links are known."""
    scope, source = scoped(**more)
    await scope.read(Reference(type="Observation", id="o1"))
    await scope.read(Reference(type="DocumentReference", id="d1"))
    source.sent.clear()
    return scope, source


def is_mine(resource: Mapping[str, Any]) -> bool:
    return resource in (MINE, LETTER, {"resourceType": "Patient", "id": "me"}, *SHARED)


# Searches.

REFUSED_PARAMS = [
    ("patient", "Patient/other"),
    ("patient", "other"),
    ("patient", ""),
    ("patient", "me,other"),
    ("patient", "Patient/me,Patient/other"),
    ("patient", r"me\,other"),
    ("patient", "ME"),
    ("patient", "Patient%2Fother"),
    ("patient", "patient/other"),
    ("patient", f"{SERVER}/Patient/other"),
    ("patient", "Patient/other|1"),
    ("patient", "Group/g"),
    ("subject", "Patient/other"),
    ("subject", "other"),
    ("subject", "Group/g"),
    ("subject", "urn:uuid:1"),
    ("beneficiary", "other"),
    ("individual", "Patient/other"),
    ("subject:Patient", "other"),
    ("patient:Patient", "Patient/other"),
    ("subject:Group", "g"),
    ("patient:identifier", "http://mrn|7"),
    ("patient:not", "Patient/me"),
    ("patient:missing", "false"),
    ("subject:missing", "true"),
    ("patient.identifier", "7"),
    ("patient.name", "Stone"),
    ("subject:Patient.name", "Stone"),
    ("encounter.patient", "other"),
    ("_has:Encounter:subject:patient", "other"),
    ("_has", "x"),
    ("_list", "unowned"),
    ("_filter", "patient eq other"),
    ("_text", "other"),
    ("_content", "other"),
    ("_query", "all"),
    ("_revinclude", "Provenance:target"),
    ("_contained", "both"),
    ("_security", "x"),
    ("performer", "Patient/other"),
    ("performer", "Practitioner/dr,Patient/other"),
    ("code", "1&patient=Patient/other"),
    ("code=1&patient", "x"),
    ("patient ", "me"),
    ("../Patient/other?x", "1"),
    ("", "x"),
]


@pytest.mark.parametrize(("name", "value"), REFUSED_PARAMS)
async def test_a_search_that_could_leave_the_chart_is_refused_unsent(name: str, value: str) -> None:
    scope, source = scoped()
    for params in (((name, value),), (("patient", "Patient/me"), (name, value)), ((name, value), ("patient", "me"))):
        with pytest.raises(ScopeError):
            await scope.search(Query(type="Observation", params=params))
    assert source.sent == []


@pytest.mark.parametrize(
    "params",
    [
        (("_id", "other"),),
        (("_id", "me,other"),),
        (("_id:not", "me"),),
        (("_id", ""),),
        (("_id", "me"), ("_id", "other")),
        (("link", "Patient/other"),),
    ],
)
async def test_the_patient_itself_is_found_by_its_id_only(params: tuple[tuple[str, str], ...]) -> None:
    scope, source = scoped()
    with pytest.raises(ScopeError):
        await scope.search(Query(type="Patient", params=params))
    assert source.sent == []


@pytest.mark.parametrize(
    "type_", [*sorted(R4_TYPES - COMPARTMENT), "observation", "Observation?x", "Patient/other", ""]
)
async def test_types_outside_the_compartment_are_not_searched(type_: str) -> None:
    scope, source = scoped()
    with pytest.raises(ScopeError):
        await scope.search(Query(type=type_))
    assert source.sent == []


@pytest.mark.parametrize(
    ("params", "sent"),
    [
        ((), (("patient", "Patient/me"),)),
        ((("patient", "me"),), (("patient", "me"),)),
        ((("patient", "Patient/me"), ("code", "1")), (("patient", "Patient/me"), ("code", "1"))),
        ((("subject", "me"),), (("patient", "Patient/me"), ("subject", "me"))),
        ((("subject:Patient", "me"),), (("patient", "Patient/me"), ("subject:Patient", "me"))),
        ((("individual", "me"),), (("patient", "Patient/me"), ("individual", "me"))),
        ((("_id", "a,b"), ("_count", "5")), (("patient", "Patient/me"), ("_id", "a,b"), ("_count", "5"))),
        ((("subject", f"{SERVER}/Patient/me"),), (("patient", "Patient/me"), ("subject", "Patient/me"))),
        ((("patient", "HTTP://FHIR.example:80/r4/Patient/me"),), (("patient", "Patient/me"),)),
        ((("performer", "Patient/me"),), (("patient", "Patient/me"), ("performer", "Patient/me"))),
        ((("performer", f"{SERVER}/Practitioner/dr"),), (("patient", "Patient/me"), ("performer", "Practitioner/dr"))),
        ((("encounter", "e1"),), (("patient", "Patient/me"), ("encounter", "e1"))),
        ((("code:text", "inpatient/outpatient"),), (("patient", "Patient/me"), ("code:text", "inpatient/outpatient"))),
        ((("_elements", "code"),), (("patient", "Patient/me"), ("_elements", "code,subject"))),
    ],
)
async def test_every_search_that_is_sent_names_the_patient(params: Any, sent: Any) -> None:
    scope, source = scoped()
    await scope.search(Query(type="Observation", params=params))
    assert source.sent == [Query(type="Observation", params=sent)]


async def test_a_search_for_the_patient_names_its_id() -> None:
    scope, source = scoped()
    for params in ((), (("patient", "Patient/me"),), (("_id", "me"),)):
        await scope.search(Query(type="Patient", params=params))
    assert [q.params[0] for q in source.sent] == [("_id", "me")] * 3


async def test_a_merged_record_is_the_same_patient() -> None:
    source = Everything(about("Patient/me"), about("Patient/twin"), about("Patient/other"))
    scope = Scoped(source, ME, frozenset((Reference(type="Patient", id="twin"),)))
    result = await scope.search(Query(type="Observation", params=(("subject", "twin"),)))
    assert source.sent[0].params[0] == ("patient", "Patient/twin")
    assert [r["subject"]["reference"] for r in result.matches] == ["Patient/me", "Patient/twin"]


async def test_what_comes_back_of_others_is_dropped_and_told() -> None:
    scope, _ = scoped()
    result = await scope.search(Query(type="Observation"))
    assert all(map(is_mine, (*result.matches, *result.included)))
    assert MINE in result.matches
    assert not any(r in result.matches for r in SHARED)
    assert all(r in result.included for r in SHARED)
    assert not result.complete
    assert result.total == len(result.matches)
    assert result.error and "other" not in result.error.replace("another", "")


async def test_a_clean_answer_passes_untouched() -> None:
    source = Everything(MINE, about(f"{SERVER}/Patient/me/_history/3"))
    result = await Scoped(source, ME).search(Query(type="Observation"))
    assert (result.complete, result.error, result.total, len(result.matches)) == (True, None, 2, 2)


class Paging:
    """A clean server whose next page is what it is told to be."""

    def __init__(self, following: str) -> None:
        self.following, self.sent = following, 0

    async def search(self, query: Query) -> SearchResult:
        self.sent += 1
        return SearchResult(query=query, matches=(MINE,), total=9, next=self.following)

    async def capabilities(self) -> Mapping[str, Any]:
        return {"base": SERVER}


@pytest.mark.parametrize(
    ("following", "ok"),
    [
        ("Observation?patient=Patient/me&_page=t", True),
        (f"{SERVER}/Observation?patient=Patient/me&_page=t", True),
        ("Observation?patient=Patient/other&_page=t", False),
        ("Observation?patient=me&_has:x=1&_page=t", False),
        ("Condition?patient=Patient/me&_page=t", False),
        ("Group?_page=t", False),
        ("?_getpages=1", False),
        ("?_type=Observation&_page=t", False),
        ("Observation?colour=red", False),
    ],
)
async def test_a_next_page_that_leads_out_of_the_chart_is_not_offered(following: str, ok: bool) -> None:
    source: Any = Paging(following)
    scope = Scoped(source, ME)
    with pytest.raises(ScopeError):
        await scope.search(Query(type="Observation", params=(("_page", "t"),)))
    assert source.sent == 0
    result = await scope.search(Query(type="Observation", params=(("_count", "1"),)))
    assert (result.complete, result.next) == ((True, following) if ok else (False, None))
    assert result.total == 9 and "other" not in (result.error or "")
    if ok:
        await scope.search(parse(following))
        assert source.sent == 2


# Reads.


@pytest.mark.parametrize("resource", [r for r in FOREIGN if isinstance(r["resourceType"], str)], ids=lambda r: r["id"])
async def test_no_resource_of_another_is_read(resource: dict[str, Any]) -> None:
    scope, _ = await opened()
    with pytest.raises((ScopeError, NotFound)):
        await scope.read(Reference(type=resource["resourceType"], id=resource["id"]))


@pytest.mark.parametrize(
    ("type_", "id_", "version"),
    [
        ("Patient", "other", None),
        ("Patient", "ME", None),
        ("Patient", "me/../other", None),
        ("Observation", "../Patient/other", None),
        ("Observation", "o1/_history", None),
        ("Observation", "o1?_include=*", None),
        ("Observation", "o1", "../../Patient/other"),
        ("Observation", "o1", ""),
        ("Observation", "..", None),
        ("Observation", "$lastn", None),
        ("Observation", "%2e%2e", None),
        ("Observation", "", None),
        ("Practitioner", "never-mentioned", None),
        ("Binary", "b9", None),
    ],
)
async def test_reads_that_leave_the_chart_are_refused_unsent(type_: str, id_: str, version: str | None) -> None:
    scope, source = await opened()
    with pytest.raises(ScopeError):
        await scope.read(Reference(type=type_, id=id_), version)
    assert source.sent == []


async def test_own_and_linked_resources_are_read() -> None:
    scope, source = scoped()
    doctor = Reference(type="Practitioner", id="dr")
    with pytest.raises(ScopeError):
        await scope.read(doctor)
    assert await scope.read(ME) == {"resourceType": "Patient", "id": "me"}
    assert await scope.read(Reference(type="Observation", id="o1"), "2") is MINE
    assert await scope.read(doctor) == SHARED[0]
    assert await scope.read(Reference(type="Device", id="d")) == SHARED[2]
    assert len(source.sent) == 4


async def test_another_resource_than_was_asked_for_is_not_given() -> None:
    scope = Scoped(Everything(MINE), ME)
    with pytest.raises(NotFound):
        await scope.read(Reference(type="Condition", id="c1"))


async def test_links_of_a_search_count_too() -> None:
    scope, _ = scoped()
    await scope.search(Query(type="Observation"))
    assert await scope.read(Reference(type="Practitioner", id="dr")) == SHARED[0]


# Bodies.


@pytest.mark.parametrize(
    "url",
    [
        "Patient/other/$everything",
        "Patient/me/$everything/../../other/$everything",
        "Patient/me/$export",
        "Patient/me/$everything?patient=other",
        "Patient/me/$everything?_type=Observation&subject=Patient/other",
        "Patient/me",
        "Patient/me/Observation",
        "patient/me/$everything",
        f"Patient/other/{CATALOGUE_OPERATION}",
        f"{SERVER}/Patient/other/$everything",
        "https://evil.example/r4/Patient/me/$everything",
        "Observation/foreign",
        "Observation?patient=other",
        "Group/g/$everything",
        "Binary/b9",
        f"{SERVER}?_type=Observation&patient=other",
        f"{SERVER}/Patient/other/*",
        "Binary/b1/../b9",
        "Binary/../Observation/foreign",
        "Binary",
        "https://ext.example/def",
        "https://files.example/2019/other.pdf",
        f"{SERVER}/Observation?patient=other",
        f"{SERVER}/Observation/foreign",
        f"{SERVER}/Binary/..%2fPatient/other",
        "file:///etc/passwd",
        "",
        "$everything",
    ],
)
async def test_bodies_of_others_are_not_fetched(url: str) -> None:
    scope, source = await opened()
    with pytest.raises(ScopeError):
        await scope.fetch(url)
    assert source.sent == []


@pytest.mark.parametrize(
    "url",
    [
        "Binary/b1",
        "https://files.example/2019/my%20letter.pdf",
        f"{SERVER}/Binary/b2",
        f"Patient/me/{CATALOGUE_OPERATION}?as_of=2020-01-01",
        "Patient/me/$everything",
        f"{SERVER}/Patient/me/$everything",
        "Binary/b2",
    ],
)
async def test_own_bodies_are_fetched(url: str) -> None:
    body = b'{"resourceType":"Bundle"}' if "$" in url else b"text"
    scope, source = await opened(body=body)
    assert (await scope.fetch(url)).body == body
    assert source.sent == [url.removeprefix(f"{SERVER}/")]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"%PDF-1.4",
        b"[]",
        b'{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Patient","id":"other","x":NaN}}]}',
        b'{"resourceType":["Bundle"],"entry":[{"resource":{"resourceType":"Patient","id":"other"}}]}',
        b'{"entry":[{"resource":{"resourceType":"Patient","id":"other"}}]}',
        b'[{"resourceType":"Patient","id":"me"}]',
        b'{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Patient","id":"other"}}]} x',
        '{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Patient","id":"other"}}]}'.encode("utf-16"),
        b'<Bundle xmlns="http://hl7.org/fhir"/>',
    ],
)
async def test_an_operation_whose_answer_cannot_be_checked_is_withheld(body: bytes) -> None:
    scope, _ = await opened(body=body, kind="application/fhir+json")
    with pytest.raises(SourceError):
        await scope.fetch("Patient/me/$everything")


@pytest.mark.parametrize(
    "entry",
    [
        {"resource": [FOREIGN[0]]},
        {"resource": "Patient/other"},
        {"response": {"status": "200", "outcome": FOREIGN[0]}},
        {"fullUrl": "urn:x", "contained": [FOREIGN[0]]},
        [FOREIGN[0]],
        "Patient/other",
        None,
    ],
    ids=str,
)
async def test_an_entry_of_no_known_shape_is_dropped_and_told(entry: Any) -> None:
    body = orjson.dumps({"resourceType": "Bundle", "total": 2, "entry": [{"resource": MINE}, entry]})
    scope, _ = await opened(body=body, kind="application/fhir+json")
    told = orjson.loads((await scope.fetch("Patient/me/$everything")).body)
    assert told["entry"][0] == {"resource": MINE} and told["total"] == 1
    assert [e["resource"]["resourceType"] for e in told["entry"][1:]] == ["OperationOutcome"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize(
    "head",
    ["", " " * 30_000, '<?xml version="1.0"?><!-- x -->', '<!DOCTYPE Patient [<!ENTITY a "b>"> ]>', "<!doctype x>"],
)
async def test_fhir_xml_of_another_is_seen_behind_any_prologue(head: str, encoding: str) -> None:
    body = (head + '<f:Patient xmlns:f="http://hl7.org/fhir"><f:id value="other"/></f:Patient>').encode(encoding)
    scope, _ = await opened(body=body, kind="application/pdf")
    with pytest.raises(NotFound):
        await scope.fetch("Binary/b1")


async def test_nothing_is_attached_before_the_chart_says_so() -> None:
    scope, source = scoped()
    with pytest.raises(ScopeError):
        await scope.fetch("Binary/b1")
    assert source.sent == []


def bundle(*resources: Mapping[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "id": "b", "entry": [{"resource": r} for r in resources]}


@pytest.mark.parametrize(
    "content",
    [
        *(r for r in FOREIGN if r["id"] in ("other", "foreign", "secret", "g", "i", "nobody")),
        bundle(MINE, FOREIGN[0]),
        bundle(MINE, bundle(FOREIGN[1])),
    ],
    ids=lambda r: r["resourceType"] + r["id"],
)
async def test_a_body_that_is_a_resource_of_another_is_withheld(content: dict[str, Any]) -> None:
    scope, _ = await opened(body=b" \n" + orjson.dumps(content), kind="application/fhir+json")
    with pytest.raises(NotFound):
        await scope.fetch("Binary/b1")


@pytest.mark.parametrize(
    "body",
    [
        orjson.dumps({"resourceType": "Binary", "id": "b1", "data": "dGV4dA=="}),
        orjson.dumps(bundle(MINE, {"resourceType": "Patient", "id": "me"}, SHARED[0])),
        orjson.dumps({"resourceType": "Bundle", "entry": "x"}),
        b'{"some": "json"}',
        b"{not json",
        b"",
    ],
)
async def test_own_bodies_come_as_they_are(body: bytes) -> None:
    scope, _ = await opened(body=body)
    assert (await scope.fetch("Binary/b1")).body == body


# Anything at all.

BITS = st.sampled_from(
    "patient subject Patient / me other : . _has _id , \\ %2F & = ? | Group $everything _history .. Binary b1 b9 "
    f"{SERVER} Observation foreign \x00".split(" ")
)
TEXT = st.lists(BITS, max_size=6).map("".join) | st.text(max_size=12)
NAMES = TEXT | st.sampled_from([name for name, _ in REFUSED_PARAMS])
QUERIES = st.builds(
    lambda type_, params: Query(type=type_, params=tuple(params)),
    st.sampled_from(["Observation", "Patient", "Coverage", "Group", "List"]) | TEXT,
    st.lists(st.tuples(NAMES, TEXT | TEXT.map(quote)), max_size=4),
)


def names_only_me(query: Query) -> bool:
    """Whether the search, as sent, is bound to the patient by a parameter that its type has."""
    key, own = ("_id", ("me",)) if query.type == "Patient" else ("patient", ("me", "Patient/me"))
    bound = [value for name, value in query.params if name == key]
    return bool(bound) and all(one in own for value in bound for one in value.split(","))


@given(QUERIES)
async def test_any_search_is_refused_or_bound(query: Query) -> None:
    scope, source = scoped()
    try:
        result = await scope.search(query)
    except (ScopeError, QueryError):
        assert source.sent == []
        return
    assert all(names_only_me(q) for q in source.sent)
    assert all(map(is_mine, (*result.matches, *result.included)))


@given(st.sampled_from(sorted(R4_TYPES)) | TEXT, TEXT | st.sampled_from([r["id"] for r in FOREIGN]), st.none() | TEXT)
async def test_any_read_is_refused_or_own(type_: str, id_: str, version: str | None) -> None:
    scope, _ = await opened()
    try:
        resource = await scope.read(Reference(type=type_, id=id_), version)
    except (ScopeError, NotFound):
        return
    assert is_mine(resource)


OWN_BODIES = {
    f"{SERVER}/Binary/b1",
    "Binary/b1",
    f"{SERVER}/Binary/b2",
    "Binary/b2",
    "https://files.example/2019/my%20letter.pdf",
}


@given(TEXT | TEXT.map(quote) | st.lists(BITS, max_size=6).map("/".join))
async def test_any_fetch_is_refused_or_own(url: str) -> None:
    scope, source = await opened(body=b'{"resourceType":"Bundle"}')
    try:
        await scope.fetch(url)
    except ScopeError:
        assert source.sent == []
        return
    path = url.removeprefix(f"{SERVER}/").split("?")[0]
    assert url in OWN_BODIES or path in ("Patient/me/$everything", "Patient/me/$summary")


@given(st.recursive(st.none() | TEXT, lambda x: st.lists(x, max_size=3) | st.dictionaries(BITS, x, max_size=3)))
async def test_a_subject_of_any_shape_is_not_this_patient_by_accident(subject: Any) -> None:
    resource = {"resourceType": "Observation", "id": "x", "subject": subject, "patient": subject}
    result = await Scoped(Everything(resource), ME).search(Query(type="Observation"))
    assert result.matches == ()


# Addresses, and what looking through links costs.


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("Binary/b1", True),
        ("Binary/b1/_history/2", True),
        (f"{SERVER}/Binary/b1", True),
        ("https://files.example/Patient/7/scan.png", True),
        ("https://files.example/", True),
        ("http://files.example/a?token=b", True),
        (f"{SERVER}/Patient/7", False),
        (f"{SERVER}/Patient/7/_history/1", False),
        (f"{SERVER}/Patient/7/Observation", False),
        (f"{SERVER}/Observation/_search?x=y", False),
        (f"{SERVER}/Patient/7/$everything", False),
        (f"{SERVER}/Patient/7/%24everything", False),
        (f"{SERVER}/Binary/%252e%252e/Patient/7", False),
        (f"{SERVER}\\Patient\\7", False),
        ("https://[bad", False),
        ("ftp://files.example/a", False),
        ("//files.example/a", False),
        ("/Binary/b1", False),
    ],
)
def test_what_can_be_an_attachment(url: str, expected: bool) -> None:
    assert addresses.is_body(url) is expected


def test_links_hold_references_and_attachments_and_nothing_else() -> None:
    references, attached = addresses.links(
        {
            "subject": {"reference": f"{SERVER}/Patient/me/_history/1"},
            "performer": [{"reference": "https://elsewhere.example/r4/Practitioner/dr"}, {"reference": "#contained"}],
            "extension": [{"url": "https://ext.example", "valueAttachment": {"url": "Binary/x"}}],
            "meta": {"profile": ["https://profile.example"]},
            "presentedForm": [{"url": "Binary/y"}, {"url": f"{SERVER}/Binary/w"}, {"url": 5}, None],
            "basedOn": [{"reference": f"{SERVER}/Binary/z"}, {"reference": ["list"]}],
        },
        [SERVER],
    )
    assert references == {"Patient/me", "Binary/w", "Binary/x", "Binary/y", "Binary/z"}
    assert attached == {"Binary/x", "Binary/y", "Binary/w"}


def test_links_of_a_very_deep_resource() -> None:
    deep: dict[str, Any] = {"reference": "Medication/m"}
    for _ in range(5_000):
        deep = {"extension": [deep]}
    assert addresses.links(deep)[0] == {"Medication/m"}


async def test_links_are_looked_through_only_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[Any] = []
    links = addresses.links
    monkeypatch.setattr(addresses, "links", lambda resource, bases: looked.append(resource) or links(resource, bases))
    scope = Scoped(Everything(*(about("Patient/me", id=str(n)) for n in range(500)), MINE), ME)
    await scope.search(Query(type="Observation"))
    await scope.read(Reference(type="Observation", id="7"))
    assert looked == []
    with pytest.raises(ScopeError):
        await scope.read(Reference(type="Practitioner", id="unknown"))
    read_once = len(looked)
    with pytest.raises(ScopeError):
        await scope.fetch("Binary/unknown")
    assert read_once == len(looked) == 1003
