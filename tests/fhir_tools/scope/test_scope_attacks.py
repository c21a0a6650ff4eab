"""An attack on the scope: requests of every family that could reach another patient, or write.

The server here is the worst one: it knows three patients and answers any request with everything it has. Each
attempt must be refused before anything is sent, or give nothing of another patient without naming one. Legal requests
must pass. `python tests/fhir_tools/scope/test_scope_attacks.py 2000` prints how the attempts ended.
"""

from __future__ import annotations

import asyncio
import inspect
import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

import orjson
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from fhir_tools.errors import QueryError, ScopeError, SourceError
from fhir_tools.scope import Scoped
from fhir_tools.scope.bounds import COMPARTMENT
from fhir_tools.search.query import R4_TYPES, parameters, to_url
from fhir_tools.source import CATALOGUE_OPERATION, Source
from fhir_tools.types import Fetched, Query, Reference, SearchResult

BASE = "https://fhir.example/r4"
ME, TWIN = Reference(type="Patient", id="pat-me"), Reference(type="Patient", id="pat-twin")
OTHERS = ("pat-b", "pat-c")
MARK = "FOREIGN"  # stands in everything that is another patient's
NAMES = re.compile("pat-b|pat-c|mrn-b|stone-b", re.IGNORECASE)  # what names another patient in a request


def of(patient: str, kind: str, id_: str, /, **more: Any) -> dict[str, Any]:
    mark = {} if patient in (ME.id, TWIN.id) else {"language": MARK}
    return {"resourceType": kind, "id": id_, "subject": {"reference": f"Patient/{patient}"}, **mark, **more}


def person(id_: str, **more: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": id_, **({"language": MARK} if id_ in OTHERS else {}), **more}


EVIL_URLS = [
    "Patient/pat-b/$everything",
    f"{BASE}/Patient/pat-b",
    f"{BASE}/Patient/pat-b/*",
    f"{BASE}/Observation?patient=pat-b",
    f"{BASE}?_type=Observation&patient=pat-b",
    f"{BASE}/_history",
    f"{BASE}/Binary/..%2FPatient%2Fpat-b",
    f"{BASE}/Binary/%252e%252e/Patient/pat-b",
    f"{BASE}/Binary/x/../../Patient/pat-b",
    f"{BASE}/admin/purge?patient=pat-b",
    f"{BASE}/Binary?patient=pat-b",
    "https://fhir.example/other-tenant/Patient/pat-b",
    "https://fhir.example/admin?drop=pat-b",
    "https://user@fhir.example/r4/Patient/pat-b",
    "Observation/obs-b",
    "//fhir.example/r4/Patient/pat-b",
    "/Patient/pat-b",
    "file:///etc/passwd",
]
GOOD_URLS = ["Binary/letter", "https://files.example/2019/letter.pdf", f"{BASE}/Binary/scan"]
OWN: list[dict[str, Any]] = [
    person(ME.id, link=[{"type": "seealso", "other": {"reference": "Patient/pat-b"}}]),
    of(
        ME.id,
        "Observation",
        "obs-me",
        performer=[{"reference": "Practitioner/dr"}, {"reference": "Patient/pat-b"}, {"reference": "Group/g"}],
        hasMember=[{"reference": "Observation/obs-b"}],
        device={"reference": "Device/dev-b"},
        derivedFrom=[{"reference": "Binary/secret-b"}, {"reference": "Bundle/bundle-b"}],
        note=[{"authorReference": {"reference": "Person/person-b"}}],
    ),
    of(
        ME.id,
        "DocumentReference",
        "doc-me",
        content=[{"attachment": {"url": url}} for url in (*GOOD_URLS, *EVIL_URLS)],
        context={"related": [{"reference": "Task/task-b"}], "sourcePatientInfo": {"reference": "Patient/pat-c"}},
    ),
    person(TWIN.id),
    of(TWIN.id, "MedicationRequest", "med-twin", medicationReference={"reference": "Medication/aspirin"}),
]
SHARED = [
    {"resourceType": "Practitioner", "id": "dr"},
    {"resourceType": "Medication", "id": "aspirin"},
    {"resourceType": "Location", "id": "ward"},
]
B = {"reference": "Patient/pat-b"}
FOREIGN: list[dict[str, Any]] = [
    person("pat-b"),
    person("pat-c"),
    of("pat-b", "Observation", "obs-b"),
    of("pat-c", "Condition", "cond-c"),
    of("pat-me2", "Observation", "obs-longer"),
    of("PAT-ME", "Observation", "obs-case"),
    of("pat-me/Patient/pat-b", "Observation", "obs-odd"),
    {**of("pat-me", "Observation", "obs-both", patient=B), "language": MARK},
    {**of("x", "Observation", "obs-elsewhere"), "subject": {"reference": "https://evil.example/r4/Patient/pat-me"}},
    {**of("x", "Observation", "obs-contained"), "subject": {"reference": "#p"}, "patient": {"reference": "#p"}},
    {**of("x", "Observation", "obs-urn"), "subject": {"reference": "urn:uuid:0b"}},
    {**of("x", "Observation", "obs-group"), "subject": {"reference": "Group/g"}},
    {"resourceType": "Observation", "id": "obs-nobody", "language": MARK},
    {"resourceType": "Device", "id": "dev-b", "patient": B, "language": MARK},
    {"resourceType": "Device", "id": "dev-unlinked", "language": MARK},
    {"resourceType": "Binary", "id": "secret-b", "securityContext": B, "language": MARK},
    {"resourceType": "Binary", "id": "ward-b", "securityContext": {"reference": "Encounter/e-b"}, "language": MARK},
    {"resourceType": "Group", "id": "g", "member": [{"entity": B}], "language": MARK},
    {"resourceType": "Person", "id": "person-b", "link": [{"target": B}], "language": MARK},
    {"resourceType": "RelatedPerson", "id": "mother", "patient": B, "language": MARK},
    {"resourceType": "List", "id": "list-b", "entry": [{"item": B}], "language": MARK},
    {"resourceType": "Bundle", "id": "bundle-b", "entry": [{"resource": person("pat-b")}], "language": MARK},
    {"resourceType": "Task", "id": "task-b", "for": B, "language": MARK},
    {"resourceType": "Provenance", "id": "prov-b", "target": [{"reference": "Observation/obs-b"}], "language": MARK},
    {"resourceType": "Provenance", "id": "prov-2", "target": [{"reference": "Patient/pat-me"}, B], "language": MARK},
    {"resourceType": "Coverage", "id": "cov-b", "beneficiary": B, "language": MARK},
    {"resourceType": "Parameters", "id": "params-b", "parameter": [{"resource": person("pat-b")}], "language": MARK},
]
ALL = [*OWN, *SHARED, *FOREIGN]
BODIES = [
    orjson.dumps({"resourceType": "Bundle", "total": len(ALL), "entry": [{"resource": r} for r in ALL]}),
    b"\n".join(orjson.dumps(r) for r in ALL),
    orjson.dumps(ALL),
    b"\xef\xbb\xbf" + orjson.dumps(FOREIGN[0]),
    f'<?xml version="1.0"?>\n<!-- x --><Patient xmlns="http://hl7.org/fhir"><id value="{MARK}"/></Patient>'.encode(),
]  # fmt: skip


class Careless:
    """Answers any request with everything, and keeps the text of what was asked."""

    def __init__(self, body: bytes = BODIES[0], resources: list[dict[str, Any]] = ALL) -> None:
        self.sent: list[str] = []
        self.body, self.resources = body, resources

    async def read(self, reference: Reference, version: str | None = None) -> Mapping[str, Any]:
        self.sent.append(f"{reference}/_history/{version}" if version else str(reference))
        name = (reference.type, reference.id)
        return next((r for r in self.resources if (r["resourceType"], r["id"]) == name), self.resources[-1])

    async def search(self, query: Query) -> SearchResult:
        self.sent.append(to_url(query))
        following = f"{query.type}?patient=pat-b&_page=theirs"
        foreign = any(MARK in str(r) for r in self.resources)
        return SearchResult(
            query=query,
            matches=tuple(self.resources),
            included=tuple(self.resources) if foreign else (),
            total=len(self.resources),
            next=following if foreign else None,
        )

    async def fetch(self, url: str) -> Fetched:
        self.sent.append(url)
        return Fetched(content_type="application/fhir+json", body=self.body)

    async def capabilities(self) -> Mapping[str, Any]:
        return {"base": BASE, "operations": [CATALOGUE_OPERATION]}


# Attempts.


@dataclass(frozen=True)
class Attempt:
    """One request as a tool, a link or a model could make it."""

    family: str
    method: str
    what: Any
    body: bytes = BODIES[0]

    async def on(self, source: Source) -> str:
        """Everything that comes back, as text."""
        if self.method == "read":
            return str(await source.read(*self.what))
        if self.method == "search":
            result = await source.search(self.what)
            assert not NAMES.search(result.next or "")
            return str(result)
        fetched = await source.fetch(self.what)
        return fetched.body.decode(errors="replace")


def searching(family: str, types: st.SearchStrategy[str], *params: st.SearchStrategy[tuple[str, str]]) -> Any:
    """Searches with these parameters, alone or beside legal ones that should lull the check."""
    lull = st.sampled_from(
        [(), (("patient", "pat-me"),), (("patient", "Patient/pat-me"), ("code", "1")), (("_count", "5"),)]
    )
    made = st.tuples(types, lull, st.tuples(*params), st.booleans())
    return made.map(
        lambda x: Attempt(family, "search", Query(type=x[0], params=(*x[2], *x[1]) if x[3] else (*x[1], *x[2])))
    )


def fetching(family: str, urls: st.SearchStrategy[str]) -> Any:
    forms = st.sampled_from(["{}", BASE + "/{}", BASE.upper().replace("/R4", "/r4") + "/{}", "/{}", "{}#x", "./{}"])
    return st.builds(
        lambda url, form, body: Attempt(family, "fetch", form.format(url), body), urls, forms, st.sampled_from(BODIES)
    )


def full_width(text: str) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


other = st.sampled_from(OTHERS)
bare = st.one_of(
    other,
    other.map(lambda x: f"Patient/{x}"),
    other.map(lambda x: f"{BASE}/Patient/{x}"),
    other.map(lambda x: f"pat-me,{x}"),
    other.map(lambda x: f"Patient/pat-me,Patient/{x}"),
    other.map(lambda x: f"pat-me\\,{x}"),
    other.map(lambda x: f"Patient/{x}/_history/1"),
    other.map(lambda x: f"Patient/{x}|2"),
    other.map(lambda x: f"Patient/pat-me&patient={x}"),
    other.map(lambda x: f"Patient/pat-me#{x}"),
    other.map(lambda x: f"Patient/../Patient/{x}"),
    other.map(lambda x: f"{BASE}/../r4/Patient/{x}"),
)
named = st.one_of(
    bare, bare.map(lambda x: quote(x, safe="")), bare.map(lambda x: quote(quote(x, safe=""))), bare.map(full_width)
)
compartment = st.sampled_from(sorted(COMPARTMENT))
NAMING = (
    "patient",
    "subject",
    "beneficiary",
    "individual",
    "subject:Patient",
    "patient:Patient",
    "patient:not",
    "Patient",
)
NAMING_ODD = (
    "patient:identifier",
    "subject:identifier",
    "patient:above",
    "patient%3APatient",
    "patient ",
    "Subject",
    "PATIENT",
)
CHAINS = (
    "patient.identifier",
    "subject:Patient.name",
    "encounter.patient",
    "encounter:Encounter.subject",
    "patient._id",
    "performer:Patient.name",
    "general-practitioner.name",
    "subject.link",
    "focus.subject.identifier",
)
HAS = (
    "_has:Encounter:subject:patient",
    "_has:Group:member:_id",
    "_has:Observation:patient:_has:Provenance:target:agent",
    "_has",
)
INCLUDES = (
    "*",
    "Observation:*",
    "Patient:link",
    "Observation:performer:Patient",
    "Group:member",
    "Observation:subject:Group:x",
    "List:item",
    "Person:patient",
    "RelatedPerson:patient",
    "Encounter:patient:Patient:x",
    "",
)
CONTROLS = (
    "_list",
    "_filter",
    "_query",
    "_contained",
    "_containedType",
    "_text",
    "_content",
    "_security",
    "_page",
    "_type",
    "_source",
    "_in",
    "_cursor",
    "_getpages",
    "_format",
    "_since",
    "_outputFormat",
    "_method",
    "_operation",
)
LINKLIKE = (
    "performer",
    "author",
    "sender",
    "recipient",
    "source",
    "asserter",
    "requester",
    "focus",
    "participant",
    "entry",
    "performer:Patient",
    "author:Patient",
    "agent",
    "target",
    "link",
    "derived-from:Patient",
    "member",
)
WRITES = (
    "$process-message",
    "$expunge",
    "$reindex",
    "$merge",
    "$meta-add",
    "$meta-delete",
    "$apply",
    "$populate",
    "$submit-data",
    "$export",
    "$import",
    "$purge",
    "$validate?mode=delete",
    "$everything?_method=DELETE",
    "$add",
    "$remove",
    "$match",
    "$lastn",
    "$stats",
    '$graphql?query={Patient(id:"pat-b"){name}}',
    "$transform",
    "$evaluate-measure",
    "$diff",
    "$chartline-catalogue/../$purge",
    "$EVERYTHING",
    "%24everything",
    "$everything/$purge",
    "$docref",
)
NO_VERSION = st.none()
elsewhere = sorted(R4_TYPES - COMPARTMENT)
odd_ids = st.one_of(
    other.map(lambda x: f"pat-me/../{x}"),
    other.map(lambda x: f"../Patient/{x}"),
    other.map(lambda x: f"pat-me?_id={x}"),
    other.map(lambda x: f"pat-me#{x}"),
    other.map(lambda x: f"..%2FPatient%2F{x}"),
    other.map(lambda x: f"pat-me\n{x}"),
    other.map(full_width),
    other.map(lambda x: f"{x}\u200b"),
    st.sampled_from(
        ["", ".", "..", "...", "_search", "$everything", "*", "pat-me ", "pat-me\x00", "Pat-Me", "ＰＡＴ-me"]
    ),
)


def reading(family: str, types: Any, ids: Any, versions: Any = NO_VERSION) -> Any:
    return st.builds(lambda t, i, v: Attempt(family, "read", (Reference(type=t, id=i), v)), types, ids, versions)


paths = st.one_of(
    other.map(lambda x: f"Patient/{x}/$everything"),
    other.map(lambda x: f"Patient/{x}/{CATALOGUE_OPERATION}?as_of=2020-01-01"),
    other.map(lambda x: f"Patient/{x}/$summary"),
    other.map(lambda x: f"Patient/pat-me/$everything?patient={x}"),
    other.map(lambda x: f"Patient/pat-me/$everything?_type=Observation&_since=Patient/{x}"),
    other.map(lambda x: f"Patient/pat-me/../{x}/$everything"),
    other.map(lambda x: f"Patient/{x}%2F$everything"),
    other.map(lambda x: f"Patient/pat-me,{x}/$everything"),
)
places = st.builds(
    lambda who, kind: f"Patient/{who}/{kind}",
    st.sampled_from(["pat-me", *OTHERS]),
    st.sampled_from(
        [*sorted(COMPARTMENT)[:8], "*", "_history", "_history/1", "Observation/_search", "Observation?code=1"]
    ),
)
posts = st.builds(
    lambda kind, rest: f"{kind}{rest}",
    compartment,
    st.sampled_from(
        ["/_search?patient=pat-b", "?patient=pat-b", "/_history", "/obs-b/_history/1", "/obs-b", "?_has:x=1", ""]
    ),
)
hosts = st.builds(
    lambda host, path: f"{host}/{path}",
    st.sampled_from(
        [
            "https://evil.example/r4",
            "http://fhir.example.evil.example/r4",
            "https://fhir.example@evil.example/r4",
            "https://fhir.example:8443/r4",
            "https://fhir.example/r4x",
            "https://fhir.example/R4",
            "//evil.example",
            "https://evil.example\\@fhir.example/r4",
            "ftp://fhir.example/r4",
            "urn:x",
        ]
    ),
    st.sampled_from(
        ["Patient/pat-me/$everything", "Binary/letter", "Patient/pat-b", "Observation?patient=pat-b", "Patient/pat-me"]
    ),
)
foreign_names = st.sampled_from([(str(r["resourceType"]), str(r["id"])) for r in FOREIGN])
alphabet = st.lists(
    st.sampled_from(
        "Patient / pat-b pat-me ? & = # % %2F .. : . , | \\ $everything _has _history subject Binary".split()
    ),
    max_size=7,
).map("".join)

ATTEMPTS = st.one_of(
    searching("another patient's name", compartment, st.tuples(st.sampled_from(NAMING), named)),
    searching("another patient by an odd name", compartment, st.tuples(st.sampled_from(NAMING_ODD), named)),
    searching(
        "identifier or name",
        compartment,
        st.tuples(st.sampled_from(NAMING), st.sampled_from(["http://x|mrn-b", "Stone-b"])),
    ),
    searching(
        "chain",
        compartment,
        st.tuples(st.sampled_from(CHAINS), st.sampled_from(["mrn-b", "Stone-b", "pat-b", "Patient/pat-c"])),
    ),
    searching("_has", compartment, st.tuples(st.sampled_from(HAS), named)),
    searching(
        "_include",
        compartment,
        st.tuples(st.sampled_from(["_include", "_include:iterate", "_include:recurse"]), st.sampled_from(INCLUDES)),
    ),
    searching(
        "_revinclude",
        compartment,
        st.tuples(
            st.sampled_from(["_revinclude", "_revinclude:iterate"]),
            st.sampled_from(["Provenance:target", "Group:member", "Observation:patient", "*", "List:item"]),
        ),
    ),
    searching(
        "control",
        compartment,
        st.tuples(st.sampled_from(CONTROLS), st.one_of(named, st.sampled_from(["both", "true", "patient eq pat-b"]))),
    ),
    searching(
        "_sort, _elements, _summary",
        compartment,
        st.sampled_from(
            [
                ("_sort", "patient.name"),
                ("_sort", "subject:Patient.name"),
                ("_summary", "text"),
                ("_elements", "code"),
                ("_elements", "id"),
                ("_summary", "count"),
                ("_sort", "Patient/pat-b"),
            ]
        ),
    ),
    searching("a reference that may be a patient", compartment, st.tuples(st.sampled_from(LINKLIKE), named)),
    searching(
        "a value that names one",
        compartment,
        st.tuples(
            st.sampled_from(["code", "status", "identifier", "_tag", "_id", "date"]),
            named.filter(lambda x: "Patient" in unicodedata.normalize("NFKC", unquote(unquote(x)))),
        ),
    ),
    searching(
        "injection",
        compartment,
        st.sampled_from(
            [
                ("code", "1&patient=Patient/pat-b"),
                ("code=1&patient", "pat-b"),
                ("", "pat-b"),
                ("../Patient/pat-b?x", "1"),
                ("code", "1\r\nX: Patient/pat-b"),
                ("code", "1#?patient=Patient/pat-b"),
            ]
        ),
    ),
    searching(
        "another type",
        st.sampled_from(elsewhere),
        st.tuples(st.sampled_from(["patient", "subject", "_id", "member", "code"]), named | st.just("pat-me")),
    ),
    searching(
        "no type",
        st.sampled_from(
            [
                "",
                "*",
                "Patient/pat-b/Observation",
                "Observation/_search",
                "observation",
                "Observation?x",
                "$export",
                "Patient/pat-b",
                "../r4/Patient",
                "Ｐatient",
            ]
        ),
        st.tuples(st.just("patient"), named),
    ),
    searching(
        "the Patient itself",
        st.just("Patient"),
        st.tuples(st.sampled_from(["_id", "_id:not", "link", "identifier:not", "_has"]), named),
    ),
    reading("another patient", st.just("Patient"), st.one_of(other, st.sampled_from(["PAT-ME", "pat-me2"]))),
    reading("odd id", st.one_of(compartment, st.sampled_from(elsewhere)), odd_ids),
    reading("odd version", st.sampled_from(["Observation", "Patient"]), st.sampled_from(["obs-me", "pat-me"]), odd_ids),
    st.builds(
        lambda n, v: Attempt("a foreign resource by id", "read", (Reference(type=n[0], id=n[1]), v)),
        foreign_names,
        st.none() | st.just("1"),
    ),
    reading(
        "unlinked",
        st.sampled_from(["Practitioner", "Binary", "Medication", "Bundle", "Group", "Person"]),
        st.sampled_from(["none", "pat-b", "ward-b"]),
    ),
    fetching("an operation on another", paths),
    fetching(
        "an operation that writes",
        st.builds(
            lambda who, op: f"{who}{op}",
            st.sampled_from(["Patient/pat-me/", "", "Patient/", "Observation/obs-me/", "Group/g/", "Patient/pat-b/"]),
            st.sampled_from(WRITES),
        ),
    ),
    fetching("a compartment", places),
    fetching("a search or history by URL", posts),
    st.builds(lambda url, body: Attempt("another server", "fetch", url, body), hosts, st.sampled_from(BODIES)),
    st.builds(
        lambda url, body: Attempt("an attachment that lies", "fetch", url, body),
        st.sampled_from(EVIL_URLS),
        st.sampled_from(BODIES),
    ),
    st.builds(
        lambda url, body: Attempt("a body that is another's", "fetch", url, body),
        st.sampled_from(GOOD_URLS),
        st.sampled_from(BODIES),
    ),
    st.builds(
        lambda url, body: Attempt("everything of a careless server", "fetch", url, body),
        st.sampled_from(["Patient/pat-me/$everything", f"{BASE}/Patient/pat-twin/$everything?_count=9"]),
        st.sampled_from(BODIES),
    ),
    fetching("anything", alphabet),
    searching("anything", compartment | alphabet, st.tuples(alphabet, alphabet)),
    reading("anything", compartment | alphabet, alphabet, st.none() | alphabet),
)


async def opened(source: Careless) -> Scoped:
    """A scope with one verified alias that has read its chart, so that every link of it is known."""
    scope = Scoped(source, ME, frozenset({TWIN}))
    await scope.search(Query(type="Observation"))
    source.sent.clear()
    return scope


async def outcome(attempt: Attempt) -> str:
    """How an attempt ended. Fails where something of another patient came through or one was named to the server."""
    source = Careless(attempt.body)
    scope = await opened(source)
    try:
        given_back = await attempt.on(scope)
    except (ScopeError, QueryError):
        # What guards a Binary may be read to learn whose it is; anything else is refused unsent.
        assert source.sent == []
        return "refused unsent"
    except SourceError:
        given_back = ""
    for request in source.sent:
        text = request
        for _ in range(3):
            text = unicodedata.normalize("NFKC", unquote(text))
        assert attempt.method == "read" or not NAMES.search(text), text
        assert attempt.method != "search" or is_bound(text), text
        assert not re.search("Patient/(?!pat-(me|twin)\\b)", text), text
        assert not ("$" in text and not text.startswith(("Patient/pat-me/$", "Patient/pat-twin/$"))), text
    assert MARK not in given_back
    return "nothing foreign" if given_back else "withheld"


def is_bound(url: str) -> bool:
    """Whether a search, as sent, is of the chart alone: by its type, its patient, and without ways out of it."""
    kind, _, rest = url.partition("?")
    params = [pair.partition("=")[::2] for pair in rest.split("&")]
    whose = [value for name, value in params if name == ("_id" if kind == "Patient" else "patient")]
    allowed = {
        "_id",
        "_count",
        "_sort",
        "_elements",
        "_summary",
        "_total",
        "_include",
        "_lastUpdated",
        "_tag",
        "_profile",
    }
    ways = [
        v
        for n, v in params
        if n.startswith("_include") and ("*" in v or v in ("Patient:link", "Observation:performer:Patient"))
    ]
    return (
        kind in COMPARTMENT
        and bool(whose)
        and all(re.fullmatch("(Patient/)?pat-(me|twin)", one) for value in whose for one in value.split(","))
        and all(name in allowed for name, _ in params if name.startswith("_") and ":" not in name)
        and not any("." in name or name.startswith("_has") or (name == "_sort" and "." in v) for name, v in params)
        and not ways
    )


ENDED: Counter[str] = Counter()
FAMILIES: Counter[tuple[str, str]] = Counter()


def attack(attempt: Attempt) -> None:
    ended = asyncio.run(outcome(attempt))
    ENDED[ended] += 1
    FAMILIES[attempt.family, ended] += 1


def run(number: int) -> Counter[str]:
    """So many generated attempts, the same ones each time."""
    ENDED.clear()
    FAMILIES.clear()
    slow = settings(max_examples=number, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    seed(3)(slow(given(ATTEMPTS)(attack)))()
    return ENDED


def test_no_attempt_gets_through() -> None:
    ended = run(250)
    assert sum(ended.values()) >= 250
    assert ended["refused unsent"] > ended["nothing foreign"] > 0


@pytest.mark.slow
def test_none_of_two_thousand_attempts_gets_through() -> None:
    ended = run(2_000)
    assert sum(ended.values()) >= 2_000
    assert ended["refused unsent"] > 1_000 and ended["nothing foreign"] > 0


def test_there_is_nothing_to_write_with() -> None:
    public = {name for name, _ in inspect.getmembers(Scoped, inspect.isfunction) if not name.startswith("_")}
    assert public == {name for name, _ in inspect.getmembers(Source, inspect.isfunction) if not name.startswith("_")}


@pytest.mark.parametrize(
    "name", [*WRITES, "$expand", "$translate", "$lookup", "$convert", "$sync", "$batch-validate-code"]
)
@pytest.mark.parametrize("on", ["", "Patient/", "Patient/pat-me/", "Observation/obs-me/", f"{BASE}/Patient/pat-me/"])
async def test_no_operation_but_those_that_read_the_chart_is_sent(on: str, name: str) -> None:
    source = Careless()
    scope = await opened(source)
    with pytest.raises(ScopeError):
        await scope.fetch(f"{on}{name}")
    assert source.sent == []


# Legal requests.

VALUES = {
    "token": st.sampled_from(["4548-4", "http://loinc.org|4548-4", "|x", "final,amended"]),
    "date": st.sampled_from(["2019", "ge2015-01-01", "lt2020-01-01T10:00:00Z"]),
    "string": st.sampled_from(["Müller", "a b", "O'Neil"]),
    "quantity": st.sampled_from(["5", "gt5.4|http://unitsofmeasure.org|mg", "5||mg"]),
    "number": st.sampled_from(["5", "lt7"]),
    "uri": st.sampled_from(["http://example.org/profile", "urn:oid:1.2.3"]),
    "reference": st.sampled_from(
        ["Encounter/e1", "Practitioner/dr,Practitioner/nurse", f"{BASE}/Observation/o1", "Patient/pat-me"]
    ),
    "composite": st.sampled_from(["4548-4$gt5"]),
    "special": st.sampled_from(["1"]),
}
LEGAL_CONTROL = st.sampled_from(
    [
        ("_count", "50"),
        ("_sort", "-date"),
        ("_sort", "code,-_lastUpdated"),
        ("_summary", "count"),
        ("_summary", "data"),
        ("_elements", "code,status"),
        ("_id", "a,b,c"),
        ("_lastUpdated", "ge2020"),
        ("_total", "accurate"),
        ("_tag", "x|y"),
    ]
)
MINE = st.sampled_from(["pat-me", "Patient/pat-me", f"{BASE}/Patient/pat-me", "Patient/pat-twin", "pat-me,pat-twin"])


@st.composite
def legal(draw: st.DrawFn) -> Query:
    kind = draw(compartment)
    params: list[tuple[str, str]] = []
    specs = [s for s in parameters(kind).values() if s.name not in (*NAMING, "_id", "_security", "_source")]
    params += [(s.name, draw(VALUES[s.type])) for s in draw(st.lists(st.sampled_from(specs), max_size=3))]
    if draw(st.booleans()):
        params.append(draw(LEGAL_CONTROL.filter(lambda x: (kind, x[0]) != ("Patient", "_id"))))
    if draw(st.booleans()):
        params.append(
            ("_id", "pat-me") if kind == "Patient" else (draw(st.sampled_from(["patient", "subject"])), draw(MINE))
        )
    targets = [s.name for s in specs if s.type == "reference" and (kind, s.name) != ("Patient", "link")]
    if targets and draw(st.booleans()):
        params.append(("_include", f"{kind}:{draw(st.sampled_from(targets))}"))
    return Query(type=kind, params=tuple(draw(st.permutations(params))))


@given(legal())
async def test_a_legal_search_passes(query: Query) -> None:
    source = Careless(resources=OWN)
    result = await Scoped(source, ME, frozenset({TWIN})).search(query)
    assert len(source.sent) == 1 and result.complete and list(result.matches) == OWN


@given(
    st.sampled_from(
        [
            ("read", (ME, None)),
            ("read", (TWIN, "3")),
            ("read", (Reference(type="Observation", id="obs-me"), None)),
            ("read", (Reference(type="Practitioner", id="dr"), None)),
            ("read", (Reference(type="Medication", id="aspirin"), "1")),
            *(("fetch", url) for url in GOOD_URLS),
            ("fetch", f"{BASE}/Binary/letter"),
            ("fetch", "Binary/scan"),
            ("fetch", "Patient/pat-me/$everything?_type=Observation,Condition&_count=50&start=2015-01-01"),
            ("fetch", f"Patient/pat-twin/{CATALOGUE_OPERATION}"),
            ("fetch", f"{BASE}/Patient/pat-me/$summary"),
        ]
    )
)
async def test_legal_reads_and_bodies_pass(request_: tuple[str, Any]) -> None:
    source = Careless(b'{"resourceType":"Bundle"}', [*OWN, *SHARED])
    scope = await opened(source)
    assert await Attempt("legal", *request_).on(scope)
    assert len(source.sent) == 1 and "fhir.example" not in source.sent[0]


@pytest.mark.parametrize(
    "value", ["MedicationRequest:medication", "MedicationRequest:medication:Medication", "MedicationRequest:requester"]
)
async def test_what_a_prescription_names_is_included(value: str) -> None:
    source = Careless(resources=[*OWN, *SHARED])
    scope = Scoped(source, ME, frozenset({TWIN}))
    query = Query(type="MedicationRequest", params=(("patient", "Patient/pat-me"), ("_include", value)))
    assert OWN[4] in (await scope.search(query)).matches
    more = Query(type="MedicationRequest", params=(*query.params, ("_include:iterate", "Medication:manufacturer")))
    await scope.search(more)
    assert all("patient=Patient/pat-me,Patient/pat-twin" in sent for sent in source.sent)


if __name__ == "__main__":
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000
    print(f"{sum(run(wanted).values())} attempts: " + ", ".join(f"{n} {how}" for how, n in ENDED.most_common()))
    for (family, how), count in sorted(FAMILIES.items()):
        print(f"  {family:40} {how:16} {count:5}")
