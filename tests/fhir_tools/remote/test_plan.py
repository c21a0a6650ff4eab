"""A planned search gives what the embedded store gives, on servers that have only what they declare."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from fhir_tools.errors import QueryError, Unsupported
from fhir_tools.local import LocalStore
from fhir_tools.profiles import Profile, names, profile
from fhir_tools.remote.plan import Plan, plan
from fhir_tools.remote.statement import Statement
from fhir_tools.search.definitions import elements
from fhir_tools.search.elements import ranges, tokens, walk
from fhir_tools.search.match import matches
from fhir_tools.search.query import check, parameters, parse
from fhir_tools.search.subset import with_elements
from fhir_tools.types import Query

LOINC, SNOMED, CATEGORY = (
    "http://loinc.org",
    "http://snomed.info/sct",
    "http://terminology.hl7.org/CodeSystem/observation-category",
)
PLAIN = Profile(name="plain", title="A server that does what R4 says")


def _concept(*codes: tuple[str, str]) -> dict[str, Any]:
    return {"coding": [{"system": s, "code": c} for s, c in codes]}


def _observation(number: int, patient: str, code: str, day: str, category: str | None, **more: Any) -> dict[str, Any]:
    made = {
        "resourceType": "Observation",
        "id": f"o{number}",
        "status": "final" if number % 3 else "amended",
        "code": _concept((LOINC, code)),
        "subject": {"reference": f"Patient/{patient}"},
        "effectiveDateTime": day,
        **more,
    }
    return made | ({"category": [_concept((CATEGORY, category))]} if category else {})


def _component(code: str) -> dict[str, Any]:
    return {"code": _concept((LOINC, code)), "valueQuantity": {"value": 1, "unit": "mm[Hg]"}}


def _resources() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [{"resourceType": "Patient", "id": p, "gender": "female"} for p in ("a", "b")]
    pressure = [_component("8480-6"), _component("8462-4")]
    number = 0
    for patient in ("a", "b"):
        for year in ("2018", "2019-05", "2020-02-03", "2021-03-04T05:06:07Z"):
            for code, category, more in (
                ("4548-4", "laboratory", {}),
                ("2345-7", None, {}),
                ("85354-9", "vital-signs", {"component": pressure}),
                ("55284-4", "vital-signs", {"component": pressure}),
                ("8480-6", "vital-signs", {}),
                ("99999-0", "survey", {"component": [_component("4548-4")]}),
            ):
                number += 1
                found.append(_observation(number, patient, code, year, category, **more))
        subject = {"reference": f"Patient/{patient}"}
        for i in range(4):
            ident = f"{patient}{i}"
            found += [
                {
                    "resourceType": "Condition",
                    "id": f"c{ident}",
                    "subject": subject,
                    "code": _concept((SNOMED, str(100 + i % 2))),
                    "onsetDateTime": f"20{10 + i}-01",
                    "clinicalStatus": _concept(("http://terminology.hl7.org/CodeSystem/condition-clinical", "active")),
                },
                {
                    "resourceType": "MedicationRequest",
                    "id": f"m{ident}",
                    "status": "active" if i % 2 else "stopped",
                    "intent": "order",
                    "subject": subject,
                    "authoredOn": f"201{i}-06-01",
                    **(
                        {"medicationReference": {"reference": f"Medication/d{i}"}}
                        if i == 3
                        else {"medicationCodeableConcept": _concept(("urn:rx", str(i)))}
                    ),
                },
                {
                    "resourceType": "Immunization",
                    "id": f"i{ident}",
                    "status": "completed",
                    "patient": subject,
                    "vaccineCode": _concept(("http://hl7.org/fhir/sid/cvx", str(140 + i % 3))),
                    "occurrenceDateTime": f"201{i}",
                },
                {
                    "resourceType": "Coverage",
                    "id": f"v{ident}",
                    "status": "active",
                    "beneficiary": subject,
                    "payor": [{"reference": "Organization/x"}],
                },
            ]
    return found


@pytest.fixture(scope="module")
def store() -> LocalStore:
    made = LocalStore()
    with made.transaction():
        for resource in _resources():
            made.put(resource)
    return made


RESULT = ("_sort", "_count", "_elements", "_summary", "_total", "_include", "_revinclude")


@dataclass
class Server:
    """A server with the store's data. It takes what it declares and its profile allows, and refuses all else."""

    store: LocalStore
    statement: Statement
    profile: Profile
    seen: list[Query] = field(default_factory=list)

    async def search(self, query: Query) -> list[dict[str, Any]]:
        self.seen.append(query)
        declared = self.statement.search.get(query.type, frozenset()) if self.statement.declared else frozenset()
        basic = {"patient", "subject", "_id", "code", "category", "date"}
        takes = (declared or basic) | {name for name, _ in self.profile.supply.get(query.type, ())}
        filters, result = check(query)
        for param in filters:
            assert param.name in takes | {"_id"}, f"{param.name} is not declared"
            assert param.modifier is None or param.modifier in self.profile.modifiers
        page = self._page(query)
        most = self.profile.most(query.type)
        assert int(result.get("_count", ("0",))[-1]) <= (most or 0)
        if not self.statement.declared:
            assert set(result) <= {"_count"} or self.profile.paging_sort
        found: list[dict[str, Any]] = []
        while True:
            answer = await self.store.search(page)
            found += answer.matches  # type: ignore[arg-type]
            if "_summary" in result:
                return [{}] * (answer.total or 0)
            if answer.next is None:
                return found
            page = parse(answer.next)

    def _page(self, query: Query) -> Query:
        """The search as the server runs it; what its profile forbids is an error here."""
        kind, names = self.profile, {n.partition(":")[0] for n, _ in query.params if n not in RESULT}

        def of(table: Any) -> frozenset[str]:
            return frozenset(table.get("*", ())) | frozenset(table.get(query.type, ()))

        assert not names & of(kind.lacks)
        assert not (names & of(kind.alone) and len(names) > 1)
        assert not any({first, second} <= names for first, second in kind.apart)
        assert not any("," in value for name, value in query.params if name in of(kind.single))
        wanted = kind.require.get(query.type, ())
        assert not wanted or any(names >= alternative for alternative in wanted)
        ignored = names - of(kind.overrides) if names & of(kind.overrides) else set()
        return replace(query, params=tuple(p for p in query.params if p[0] != "_include" and p[0] not in ignored))


async def run(made: Plan, server: Server, asked: Query) -> list[dict[str, Any]] | int:
    """What C's remote source does with a plan, without its faults."""
    own_page = [int(v) for n, v in asked.params if n == "_count"]
    united: dict[str, dict[str, Any]] = {}
    for query in made.queries:
        answer = await server.search(query)
        if any(p == ("_summary", "count") for p in query.params):
            return len(answer)
        if own_page and made.count is None:
            answer = answer[: own_page[-1]]
        united.update({r["id"]: r for r in answer})
    left = [r for r in united.values() if all(matches(r, p) for p in made.residue)]
    for key in reversed(made.sort):
        left = _sorted(left, asked.type, key)
    if made.counts_only:
        return len(left)
    left = left[: made.count] if made.count is not None else left
    return [with_elements(r, made.fields) for r in left] if made.fields else left


def _sorted(found: list[dict[str, Any]], type_: str, key: str) -> list[dict[str, Any]]:
    return sorted(found, key=lambda r: _start(r, type_, key), reverse=key.startswith("-"))


def _start(resource: dict[str, Any], type_: str, key: str) -> int:
    spec = parameters(type_)[key.removeprefix("-")]
    return min(low for e in walk(resource, spec.paths) for low, _ in ranges(e))


# Searches of the kinds that agent/retrieve/gather.py and fhir_tools/catalogue.py send.

CODES = ("4548-4", "8480-6", "85354-9", "2345-7", "1-1")
PATIENTS = st.sampled_from(("patient=Patient/a", "patient=a", "subject=Patient/a", "patient=Patient/a,Patient/b"))
OBSERVATION = st.one_of(
    st.lists(st.sampled_from(CODES), min_size=1, max_size=3, unique=True).flatmap(
        lambda codes: st.sampled_from(
            (
                "combo-code=" + ",".join(f"{LOINC}|{c}" for c in codes),
                "combo-code=" + ",".join(codes),
                "code=" + ",".join(f"{LOINC}|{c}" for c in codes),
                "component-code=" + ",".join(codes),
            )
        )
    ),
    st.sampled_from(
        (
            "category=laboratory,vital-signs",
            "category:missing=true",
            "status=final",
            "status:not=final",
            "date=ge2019-06-01",
            "date=lt2020&date=ge2018-12",
            "date=sa2019",
            "code:text=glu",
            "_id=o1,o3",
            "",
        )
    ),
)
OTHERS = {
    "Condition": ("code=http://snomed.info/sct|100", "clinical-status=active", "onset-date=ge2011", ""),
    "MedicationRequest": ("code=urn:rx|1", "status=active", "authoredon=ge2011&authoredon=lt2013", "intent=order", ""),
    "Immunization": ("vaccine-code=http://hl7.org/fhir/sid/cvx|141", "date=ge2012", "status=completed", ""),
    "Coverage": ("status=active", ""),
}
SORTS = {
    "Observation": ("date", "-date"),
    "Condition": ("onset-date",),
    "MedicationRequest": ("-authoredon",),
    "Immunization": ("-date",),
}


FIELDS = {"Observation": "code,effective", "Condition": "code", "Coverage": "status"}
FIELDS |= {"MedicationRequest": "status,authoredOn", "Immunization": "vaccineCode"}


@st.composite
def searches(draw: st.DrawFn) -> str:
    type_ = draw(st.sampled_from(("Observation", "Observation", *OTHERS)))
    own = draw(
        st.lists(OBSERVATION, max_size=2) if type_ == "Observation" else st.sampled_from(OTHERS[type_]).map(list_of)
    )
    who = draw(PATIENTS) if type_ in ("Observation", "Condition", "MedicationRequest") else "patient=Patient/a"
    ends = ["", "", "_summary=count", "_count=3"]
    ends.append(f"_elements={FIELDS[type_]}")
    ends += [f"_sort={k}" for k in SORTS.get(type_, ())] + [f"_sort={k}&_count=2" for k in SORTS.get(type_, ())]
    parts = [who, *own, draw(st.sampled_from(ends))]
    return f"{type_}?" + "&".join(p for p in parts if p)


def list_of(value: str) -> list[str]:
    return [value]


@st.composite
def statements(draw: st.DrawFn) -> Statement:
    if draw(st.integers(0, 5)) == 0:
        return Statement()
    search = {}
    for type_ in ("Observation", *OTHERS):
        every = sorted(n for n in parameters(type_) if n not in ("patient", "subject", "beneficiary"))
        patient = [n for n in ("patient", "subject", "beneficiary") if n in parameters(type_)]
        who = draw(st.lists(st.sampled_from(patient), min_size=1, unique=True))
        search[type_] = frozenset(draw(st.lists(st.sampled_from(every), unique=True))) | frozenset(who)
    return Statement(declared=True, fhir_version="4.0.1", search=search)


PROFILES = st.one_of(
    st.sampled_from(names()).map(profile),
    st.builds(
        lambda modifiers, most, elements, count, short, sort: replace(
            PLAIN,
            modifiers=frozenset(modifiers),
            count={"*": most},
            elements=elements,
            summary_count=count,
            short_pages=short,
            sort_keys=sort,
        ),
        st.lists(st.sampled_from(("missing", "not", "text"))),
        st.sampled_from((1, 2, 7, 500)),
        st.sampled_from((None, False)),
        st.sampled_from((None, False)),
        st.booleans(),
        st.sampled_from((None, 0)),
    ),
)
BASIC = Statement(
    declared=True,
    search={
        "Observation": frozenset(("patient", "category", "code", "date")),
        "Condition": frozenset(("patient", "clinical-status")),
        "MedicationRequest": frozenset(("patient", "status", "intent")),
        "Immunization": frozenset(("patient",)),
        "Coverage": frozenset(("patient",)),
    },
)


BENEFICIARY = replace(BASIC, search={"Coverage": frozenset(("beneficiary",))})


def without(query: Query, *left_out: str) -> Query:
    return replace(query, params=tuple(p for p in query.params if p[0] not in left_out))


@given(text=searches(), statement=statements(), kind=PROFILES)
@example(text=f"Observation?patient=Patient/a&combo-code={LOINC}|8480-6", statement=BASIC, kind=PLAIN)
@example(text=f"Observation?patient=a&combo-code={LOINC}|4548-4&_summary=count", statement=BASIC, kind=PLAIN)
@example(text="Coverage?patient=a", statement=BENEFICIARY, kind=PLAIN)
@example(text="Observation?patient=a&_id=o1&status=final", statement=BASIC, kind=profile("epic"))
@example(text="Observation?patient=a&_elements=code&category:missing=true", statement=Statement(), kind=PLAIN)
@example(text="Observation?patient=a&_elements=code,effective", statement=Statement(), kind=profile("epic"))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_the_same_matches_as_the_embedded_store(
    store: LocalStore, text: str, statement: Statement, kind: Profile
) -> None:
    query = parse(text)
    try:
        made = plan(query, statement, kind)
    except Unsupported:
        assume(False)
    _names_the_patient(made)
    got = await run(made, Server(store, statement, kind), query)
    whole = without(query, "_count", "_summary", "_elements")
    every = [r for r in (await store.search(whole)).matches if _listed(r, made, kind)]
    if ("_summary", "count") in query.params:
        assert got == len(every)
        return
    assert isinstance(got, list)
    size = next((int(v) for n, v in query.params if n == "_count"), len(every))
    assert len({r["id"] for r in got}) == len(got) == min(size, len(every))
    assert {r["id"] for r in got} <= {r["id"] for r in every}
    if sort := next((v for n, v in query.params if n == "_sort"), ""):
        assert _starts(got, query.type, sort) == _starts(every, query.type, sort)[:size]
    if fields := next((v.split(",") for n, v in query.params if n == "_elements"), []):
        known = elements(query.type)
        keep = {*fields, *known.mandatory, "resourceType", "id", "meta"}
        assert all(known.base(key) in keep for r in got for key in r)


def _listed(resource: Any, made: Plan, kind: Profile) -> bool:
    """Epic lists results by category or code alone: those of no category are in none of its lists."""
    supplied = {v for n, value in kind.supply.get("Observation", ()) for v in value.split(",") if n == "category"}
    asked = [v for q in made.queries for n, v in q.params if n == "category" and v in supplied]
    if resource["resourceType"] != "Observation" or len(asked) < len(supplied) or not supplied:
        return True
    return any(code in supplied for c in resource.get("category", ()) for _, code in tokens(c))


def _starts(found: list[Any], type_: str, key: str) -> list[int]:
    return [_start(r, type_, key) for r in found]


def _names_the_patient(made: Plan) -> None:
    for query in made.queries:
        assert any(name in ("patient", "subject", "beneficiary") for name, _ in query.params), str(query)


# One case each.

US_CORE = BASIC


def sent(text: str, statement: Statement = US_CORE, kind: Profile = PLAIN) -> list[str]:
    made = plan(parse(text), statement, kind)
    return [re.sub(r"[?&]_count=500$", "", str(q)) for q in made.queries]


def residue(text: str, statement: Statement = US_CORE, kind: Profile = PLAIN) -> list[tuple[str, str | None]]:
    return [(p.name, p.modifier) for p in plan(parse(text), statement, kind).residue]


def declares(**types: str) -> Statement:
    return Statement(declared=True, search={k: frozenset(v.split()) for k, v in types.items()})


def test_what_is_not_declared_is_tested_here() -> None:
    assert sent("Observation?patient=a&status=final&code=x") == ["Observation?patient=a&code=x"]
    assert residue("Observation?patient=a&status=final&code=x") == [("status", None)]
    assert residue("Observation?patient=a&code:text=x") == [("code", "text")]


def test_modifiers_and_prefixes_go_only_to_a_server_that_is_known_to_take_them() -> None:
    taking = replace(PLAIN, modifiers=frozenset(("missing",)), prefixes=PLAIN.prefixes | {"sa"})
    assert sent("Observation?patient=a&category:missing=true") == ["Observation?patient=a"]
    assert sent("Observation?patient=a&category:missing=true", kind=taking) == [
        "Observation?patient=a&category:missing=true"
    ]
    assert residue("Observation?patient=a&date=sa2019") == [("date", None)]
    assert residue("Observation?patient=a&date=sa2019", kind=taking) == []


def test_an_exact_text_is_asked_for_by_its_beginning() -> None:
    takes = declares(Patient="_id family")
    assert sent("Patient?family:exact=Berg", takes) == ["Patient?family=Berg"]
    assert residue("Patient?family:exact=Berg", takes) == [("family", "exact")]


@pytest.mark.parametrize(
    "text", ["patient=Patient/a", "patient=a", "subject=Patient/a", "subject:Patient=a", "subject=a"]
)
def test_the_patient_in_every_form_becomes_the_form_of_the_server(text: str) -> None:
    assert sent(f"Observation?{text}") == ["Observation?patient=a"]
    assert sent(f"Observation?{text}", declares(Observation="subject code")) == ["Observation?subject=Patient/a"]
    assert sent(f"Observation?{text}", kind=replace(PLAIN, patient="typed")) == ["Observation?patient=Patient/a"]


def test_a_search_is_never_sent_without_its_patient() -> None:
    for statement in (declares(Observation="code category"), declares(Condition="patient")):
        with pytest.raises(Unsupported):
            plan(parse("Observation?patient=a&code=x"), statement, PLAIN)
    with pytest.raises(Unsupported, match="patient"):
        plan(parse("Observation?patient=a"), US_CORE, replace(PLAIN, lacks={"Observation": frozenset(("patient",))}))


def test_several_patients_become_searches_of_their_own_where_a_server_takes_one() -> None:
    single = replace(PLAIN, single={"Immunization": frozenset(("patient",))})
    assert sent("Immunization?patient=a,Patient/b", kind=single) == ["Immunization?patient=a", "Immunization?patient=b"]
    assert sent("Immunization?patient=a,Patient/b") == ["Immunization?patient=a,b"]


def test_a_subject_that_is_no_patient_is_left_as_it_is() -> None:
    assert sent("Observation?subject=Group/a", declares(Observation="subject")) == ["Observation?subject=Group/a"]


def test_codes_of_components() -> None:
    text = f"Observation?patient=a&combo-code={LOINC}|8480-6"
    assert sent(text, declares(Observation="patient combo-code")) == [text]
    both = declares(Observation="patient code component-code")
    assert sent(text, both) == [text.replace("combo-code", "code"), text.replace("combo-code", "component-code")]
    assert residue(text, both) == [("combo-code", None)]
    assert sent(text) == ["Observation?patient=a"]
    panels = replace(PLAIN, panels={f"{LOINC}|8480-6": (f"{LOINC}|85354-9",)})
    assert sent(text, both, panels) == [f"Observation?patient=a&code={LOINC}|8480-6,{LOINC}|85354-9"]
    assert sent("Observation?patient=a&combo-code=8480-6", kind=panels) == [
        f"Observation?patient=a&code=8480-6,{LOINC}|85354-9"
    ]
    assert sent(f"Observation?patient=a&component-code={LOINC}|8480-6", kind=panels) == [
        f"Observation?patient=a&code={LOINC}|85354-9"
    ]
    # a code that may lie in a panel that nobody listed is looked for everywhere
    other = f"Observation?patient=a&combo-code={LOINC}|4548-4"
    assert sent(other, kind=panels) == ["Observation?patient=a"]
    assert sent(other, kind=replace(panels, panels_only=True)) == [f"Observation?patient=a&code={LOINC}|4548-4"]


def test_a_server_that_declares_nothing_gets_the_basic_parameters_and_all_is_tested_here() -> None:
    text = "Observation?patient=a&code=x&status=final&_sort=-date&_elements=code&_include=Observation:encounter"
    made = plan(parse(text), Statement(base="https://ehr.example/r4"), PLAIN)
    assert [str(q) for q in made.queries] == ["Observation?patient=a&code=x&_count=500"]
    assert [p.name for p in made.residue] == ["patient", "code", "status"]
    assert made.residue[0].values == ("Patient/a", "https://ehr.example/r4/Patient/a")
    assert (made.sort, made.fields) == (("-date",), frozenset(("code",)))
    assert made.include == ("Observation:encounter",)


def test_one_page_is_the_servers_where_nothing_is_left_to_do() -> None:
    text = "Observation?patient=a&_sort=-date&_count=3"
    assert [str(q) for q in plan(parse(text), US_CORE, PLAIN).queries] == [text]
    assert plan(parse(text), US_CORE, PLAIN).count is None
    for kind in (
        replace(PLAIN, short_pages=True),
        replace(PLAIN, count={"*": 2}),
        replace(PLAIN, sorts={"*": frozenset(("_lastUpdated",))}),
    ):
        made = plan(parse(text), US_CORE, kind)
        assert (made.count, made.sort) == (3, ("-date",))
        assert not any(n == "_sort" for q in made.queries for n, _ in q.params)


def test_a_count_needs_no_resources_where_the_server_counts() -> None:
    text = "Observation?patient=a&code=x&_summary=count"
    assert sent(text) == [text]
    assert not plan(parse(text), US_CORE, PLAIN).counts_only
    for kind in (replace(PLAIN, summary_count=False), replace(PLAIN, exact_total=False)):
        made = plan(parse(text), US_CORE, kind)
        assert made.counts_only
        assert [str(q) for q in made.queries] == ["Observation?patient=a&code=x&_count=500&_elements=id"]
    tested = plan(parse("Observation?patient=a&status=final&_summary=count"), US_CORE, PLAIN)
    assert str(tested.queries[0]) == "Observation?patient=a&_count=500&_elements=id,status"
    assert plan(parse("Observation?patient=a&_count=0"), US_CORE, PLAIN).queries == (
        parse("Observation?patient=a&_summary=count"),
    )


def test_elements_hold_what_is_tested_and_sorted_here() -> None:
    made = plan(parse("Observation?patient=a&status=final&_elements=code"), US_CORE, PLAIN)
    assert ("_elements", "code,status") in made.queries[0].params
    assert made.fields == {"code"}
    # `effective[x]` is named differently from server to server: the whole comes, and is cut here
    made = plan(parse("Observation?patient=a&_sort=date&_elements=code"), US_CORE, PLAIN)
    assert not any(n == "_elements" for n, _ in made.queries[0].params)
    assert made.fields == {"code"}
    made = plan(parse("Observation?patient=a&_sort=date&_elements=code,effective"), US_CORE, PLAIN)
    assert ("_elements", "code,effective") in made.queries[0].params
    assert made.fields == frozenset()
    made = plan(parse("Observation?patient=a&code-value-quantity=x$5&_elements=status"), US_CORE, PLAIN)
    assert not any(n == "_elements" for n, _ in made.queries[0].params)  # value[x] again, inside a composite
    made = plan(parse("Observation?patient=a&_elements=code"), US_CORE, replace(PLAIN, elements=False))
    assert (str(made.queries[0]), made.fields) == ("Observation?patient=a&_count=500", {"code"})


def test_includes_are_sent_where_declared_else_followed() -> None:
    text = "MedicationRequest?patient=a&_include=MedicationRequest:medication"
    for value in ("MedicationRequest:medication", "MedicationRequest:*", "*"):
        there = replace(US_CORE, includes={"MedicationRequest": frozenset((value,))})
        made = plan(parse(text), there, PLAIN)
        assert ("_include", "MedicationRequest:medication") in made.queries[0].params
        assert made.include == ()
        assert plan(parse(text), there, replace(PLAIN, include=False)).include == ("MedicationRequest:medication",)
    assert plan(parse(text), US_CORE, PLAIN).include == ("MedicationRequest:medication",)
    every = plan(parse("MedicationRequest?patient=a&_include=*&_elements=status"), US_CORE, PLAIN)
    assert every.include == ("*",)
    further = plan(parse(text + "&_include:iterate=Medication:manufacturer"), there, PLAIN)
    assert further.include == ("Medication:manufacturer:iterate",)
    back = "Observation?patient=a&_revinclude=Provenance:target"
    takes = replace(US_CORE, revincludes={"Observation": frozenset(("Provenance:target",))})
    assert ("_revinclude", "Provenance:target") in plan(parse(back), takes, PLAIN).queries[0].params
    with pytest.raises(Unsupported, match="_revinclude"):
        plan(parse(back), US_CORE, PLAIN)


def test_parameters_that_exclude_others() -> None:
    kind = replace(PLAIN, alone={"*": frozenset(("_id",))}, apart=(("date", "_lastUpdated"),))
    takes = declares(Observation="patient _id code date _lastUpdated", Patient="_id gender", Medication="_id status")
    # the patient is never given up
    assert sent("Observation?patient=a&_id=o1&code=x", takes, kind) == ["Observation?patient=a&code=x"]
    assert residue("Observation?patient=a&_id=o1&code=x", takes, kind) == [("_id", None)]
    assert sent("Patient?_id=a&gender=male", takes, kind) == ["Patient?_id=a"]
    assert sent("Medication?_id=a&status=active", takes, kind) == ["Medication?_id=a"]
    text = "Observation?patient=a&date=ge2019&_lastUpdated=ge2020"
    assert sent(text, takes, kind) == ["Observation?patient=a&date=ge2019"]
    assert residue(text, takes, kind) == [("_lastUpdated", None)]


def test_a_parameter_beside_which_others_are_ignored() -> None:
    kind = replace(PLAIN, overrides={"*": frozenset(("_id",))})
    text = "Observation?patient=a&_id=o1&code=x"
    assert sent(text, declares(Observation="patient code _id"), kind) == [text]
    assert residue(text, declares(Observation="patient code _id"), kind) == [("patient", None), ("code", None)]


def test_chains_are_sent_to_a_server_that_follows_them_and_refused_elsewhere() -> None:
    chained, reverse = (
        "Observation?patient=a&encounter.status=finished",
        "Patient?_id=a&_has:Observation:patient:code=x",
    )
    takes = declares(Observation="patient encounter", Patient="_id")
    following = replace(PLAIN, chains=True, has=True)
    assert sent(chained, takes, following) == [chained]
    assert sent(reverse, takes, following) == [reverse]
    for text in (chained, reverse):
        with pytest.raises(Unsupported):
            plan(parse(text), takes, PLAIN)
        with pytest.raises(Unsupported):
            plan(parse(text), Statement(), following)
    with pytest.raises(Unsupported):
        plan(parse(reverse), takes, replace(following, alone={"*": frozenset(("_id",))}))


def test_what_a_server_requires_is_supplied_or_refused() -> None:
    kind = replace(
        PLAIN,
        require={"Observation": (frozenset(("category",)), frozenset(("code",)), frozenset(("_id",)))},
        supply={"Observation": (("category", "laboratory,vital-signs"),)},
    )
    assert sent("Observation?patient=a", kind=kind) == ["Observation?patient=a&category=laboratory,vital-signs"]
    assert sent("Observation?patient=a&code=x", kind=kind) == ["Observation?patient=a&code=x"]
    with pytest.raises(Unsupported, match=r"only by category or code"):
        plan(
            parse("Observation?patient=a"),
            US_CORE,
            replace(kind, require={"Observation": kind.require["Observation"][:2]}, supply={}),
        )


def test_what_is_wrong_by_the_standard_is_said_before_anything_is_planned() -> None:
    for text in ("Observation?patient=a&colour=red", "Observation?patient=a&_count=x", "Observation?patient=a&_sort=x"):
        with pytest.raises(QueryError):
            plan(parse(text), US_CORE, PLAIN)


def test_a_type_that_is_listed_without_parameters_is_asked_like_a_server_without_a_statement() -> None:
    bare = Statement(
        declared=True, search={"Observation": frozenset()}, interactions={"Observation": frozenset(("search-type",))}
    )
    assert sent("Observation?patient=a&code=x", bare) == ["Observation?patient=a&code=x"]
    assert residue("Observation?patient=a&code=x", bare) == [("patient", None), ("code", None)]
    with pytest.raises(Unsupported, match="does not offer"):
        plan(parse("Observation?patient=a"), replace(bare, interactions={"Observation": frozenset(("read",))}), PLAIN)


def test_pages_are_kept_stable_by_the_sort_that_a_server_wants() -> None:
    kind = replace(PLAIN, paging_sort="_lastUpdated")
    assert sent("Observation?patient=a", kind=kind) == ["Observation?patient=a&_sort=_lastUpdated"]


# What a server is not to be given, and what is tested after it.


def test_long_lists_are_cut_into_several_searches() -> None:
    codes = [f"{n}-0" for n in range(301)]
    made = plan(parse(f"Observation?patient=a&code={','.join(codes)}&_count=5&_sort=-date"), US_CORE, PLAIN)
    sent = [v.split(",") for q in made.queries for n, v in q.params if n == "code"]
    assert [len(part) for part in sent] == [300, 1] and [c for part in sent for c in part] == codes
    assert (made.sort, made.count) == (("-date",), 5)


def test_what_is_excluded_stays_one_list() -> None:
    codes = ",".join(f"{n}-0" for n in range(700))
    kind = replace(PLAIN, modifiers=frozenset(("not",)))
    assert len(plan(parse(f"Observation?patient=a&code:not={codes}"), US_CORE, kind).queries) == 1


@pytest.mark.parametrize(
    ("text", "tested"),
    [
        ("code=x&date=ge2020", ["code", "date"]),
        ("code=x&_elements=code", []),
        ("code=x&_summary=true", []),
        ("code=x&_summary=count", ["code"]),
        ("_lastUpdated=ge2020&_id=o1", ["_id"]),
        ("code:text=x", []),
        ("encounter=e", []),
        ("value-quantity=5", ["value-quantity"]),
        ("value-quantity=5||mg", []),
        ("value-string=x", []),
        ("status=final", []),
    ],
)
def test_what_every_server_must_agree_on_is_tested_again(text: str, tested: list[str]) -> None:
    takes = declares(Observation="patient code date _id _lastUpdated encounter value-quantity value-string")
    kind = replace(PLAIN, modifiers=frozenset(("text",)))
    assert [p.name for p in plan(parse(f"Observation?patient=a&{text}"), takes, kind).retest] == tested


def test_whose_a_match_is_is_tested_where_nothing_is_declared() -> None:
    made = plan(parse("Observation?patient=a&code=x"), Statement(), PLAIN)
    assert made.patient == made.residue[0] and made.patient.name == "patient"
    assert plan(parse("Observation?patient=a&code=x"), US_CORE, PLAIN).patient is None


def test_a_search_that_is_had_in_parts_alone_says_so_unless_a_code_proves_it() -> None:
    """Epic lists results by category: those of another category, or of none, are in no list (api=1048)."""
    epic = profile("epic")
    whole = plan(parse("Observation?patient=a"), US_CORE, epic)
    assert len(whole.queries) == 15 and "Observation by category" in whole.limits[0]
    assert plan(parse("Observation?patient=a&_summary=count"), US_CORE, epic).limits
    assert not plan(parse("Observation?patient=a&code=x"), US_CORE, epic).limits
    assert not plan(parse("Observation?patient=a&category=laboratory"), US_CORE, epic).limits
    proof = plan(parse("Observation?patient=a&combo-code=x,y"), US_CORE, epic)
    sent_ = [str(q).partition("&_count")[0] for q in proof.queries]
    assert not proof.limits and "Observation?patient=a&code=x,y" in sent_ and len(sent_) == 16
    assert plan(parse("Observation?patient=a&component-code=x"), US_CORE, epic).limits
    assert not plan(parse("Condition?patient=a"), US_CORE, epic).limits
    for other in ("oracle-health", "hapi", "generic", "chartline"):
        made = plan(parse("Observation?patient=a"), US_CORE, profile(other))
        assert not made.limits and len(made.queries) == 1
