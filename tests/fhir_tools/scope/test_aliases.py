"""Which records are one patient: what both sides confirm, or the server redirects; nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_tools.errors import NotFound, SourceError
from fhir_tools.scope.aliases import resolve_aliases
from fhir_tools.types import Fetched, Query, Reference, SearchResult

SERVER = "https://fhir.example/r4"
PAIRS = {("replaced-by", "replaces"), ("replaces", "replaced-by"), ("refer", "seealso"), ("seealso", "refer")} | {
    ("refer", "refer")
}
TYPES = ("replaced-by", "replaces", "refer", "seealso")


def patient(id_: str, *links: tuple[str, str]) -> dict[str, Any]:
    told = [{"type": type_, "other": {"reference": other}} for type_, other in links]
    return {"resourceType": "Patient", "id": id_, **({"link": told} if told else {})}


def me(id_: str) -> Reference:
    return Reference(type="Patient", id=id_)


class Records:
    """A server of Patients; `redirects` are ids that it answers with another record."""

    def __init__(self, *records: Mapping[str, Any], redirects: Mapping[str, str] | None = None) -> None:
        self.records = {r["id"]: r for r in records}
        self.redirects = redirects or {}
        self.faults: dict[str, SourceError] = {}
        self.read_ids: list[str] = []

    async def read(self, reference: Reference, version: str | None = None) -> Mapping[str, Any]:
        self.read_ids.append(reference.id)
        if reference.id in self.faults:
            raise self.faults[reference.id]
        id_ = self.redirects.get(reference.id, reference.id)
        if id_ not in self.records:
            raise NotFound("gone", status=410)
        return self.records[id_]

    async def search(self, query: Query) -> SearchResult:
        raise AssertionError("aliases are read, not searched")

    async def fetch(self, url: str) -> Fetched:
        raise AssertionError("aliases are read, not fetched")

    async def capabilities(self) -> Mapping[str, Any]:
        return {"base": SERVER}


async def ids(source: Records, start: str = "a") -> tuple[list[str], list[str], int]:
    found = await resolve_aliases(source, me(start))
    assert found.patient == me(start)
    return sorted(r.id for r in found.references), sorted(r.id for r in found.searched), len(found.warnings)


async def test_a_patient_without_links_is_alone() -> None:
    assert await ids(Records(patient("a"), patient("b", ("replaces", "Patient/a")))) == ([], ["a"], 0)


@pytest.mark.parametrize("there", TYPES)
@pytest.mark.parametrize("back", [*TYPES, None])
async def test_a_link_counts_only_where_the_other_record_answers_it(there: str, back: str | None) -> None:
    other = patient("b", (back, "Patient/a")) if back else patient("b")
    found = await ids(Records(patient("a", (there, "Patient/b")), other))
    assert found == ((["b"], ["a", "b"], 0) if (there, back) in PAIRS else ([], ["a"], 1))


@pytest.mark.parametrize("address", [f"{SERVER}/Patient/b", "Patient/b/_history/3", "http://fhir.example/r4/Patient/b"])
async def test_the_servers_own_address_is_the_record(address: str) -> None:
    source = Records(patient("a", ("replaces", address)), patient("b", ("replaced-by", f"{SERVER}/Patient/a")))
    assert await ids(source) == (["b"], ["a", "b"], 0)


@pytest.mark.parametrize("address", ["https://elsewhere.example/Patient/b", "#b", "RelatedPerson/b", "urn:uuid:b", ""])
async def test_what_is_no_patient_of_this_server_is_no_link(address: str) -> None:
    source = Records(patient("a", ("replaces", address)), patient("b", ("replaced-by", "Patient/a")))
    assert await ids(source) == ([], ["a"], 0)
    assert source.read_ids == ["a"]


async def test_merges_are_followed_through_to_the_end() -> None:
    source = Records(
        patient("a", ("replaced-by", "Patient/b")),
        patient("b", ("replaces", "Patient/a"), ("replaced-by", "Patient/c"), ("replaces", "Patient/z")),
        patient("c", ("replaces", "Patient/b")),
        patient("z"),
    )
    assert await ids(source) == (["b", "c"], ["a", "b", "c"], 1)


async def test_a_redirected_id_is_allowed_and_not_searched_for() -> None:
    source = Records(patient("new"), redirects={"old": "new"})
    assert await ids(source, "old") == (["new"], ["new"], 0)


async def test_a_replaced_record_that_is_redirected_back_holds() -> None:
    source = Records(patient("new", ("replaces", "Patient/old")), redirects={"old": "new"})
    assert await ids(source, "new") == (["old"], ["new"], 0)


async def test_a_link_that_is_redirected_to_a_stranger_does_not_hold() -> None:
    source = Records(patient("a", ("replaces", "Patient/b")), patient("stranger"), redirects={"b": "stranger"})
    assert await ids(source) == ([], ["a"], 1)


async def test_answers_that_are_mixed_up_are_no_redirect() -> None:
    source = Records(patient("a"), patient("b"), redirects={"a": "b", "b": "a"})
    with pytest.raises(SourceError, match="something else"):
        await resolve_aliases(source, me("a"))


@pytest.mark.parametrize(
    "record", [{"resourceType": "Group", "id": "a"}, {"resourceType": "Patient"}, {"resourceType": "Patient", "id": 3}]
)
async def test_what_is_no_patient_is_no_record(record: dict[str, Any]) -> None:
    source = Records()
    source.records["a"] = record
    with pytest.raises(SourceError):
        await resolve_aliases(source, me("a"))


async def test_the_patient_itself_must_be_there() -> None:
    with pytest.raises(NotFound):
        await resolve_aliases(Records(), me("a"))


@pytest.mark.parametrize("fault", [NotFound("gone", status=404), SourceError("no", status=403), SourceError("down")])
async def test_a_link_that_cannot_be_read_is_told_without_an_id(fault: SourceError) -> None:
    source = Records(patient("a", ("replaces", "Patient/secret-b")))
    source.faults["secret-b"] = fault
    found = await resolve_aliases(source, me("a"))
    assert not found.references and len(found.warnings) == 1
    assert "secret" not in found.warnings[0]


async def test_a_ring_of_any_length_ends() -> None:
    ring = [
        patient(str(n), ("replaced-by", f"Patient/{(n + 1) % 50}"), ("replaces", f"Patient/{(n - 1) % 50}"))
        for n in range(50)
    ]
    source = Records(*ring)
    found = await resolve_aliases(source, me("0"))
    assert len(found.references) == 19
    assert any("rest was left out" in w for w in found.unread)


DIRT = st.recursive(st.none() | st.text(max_size=4) | st.integers(), lambda x: st.lists(x, max_size=2), max_leaves=3)


@given(st.lists(st.fixed_dictionaries({}, optional={"type": DIRT, "other": DIRT | st.builds(dict, reference=DIRT)})))
async def test_links_of_any_shape_add_nobody(links: list[Any]) -> None:
    source = Records({"resourceType": "Patient", "id": "a", "link": links}, patient("b", ("replaces", "Patient/a")))
    assert (await resolve_aliases(source, me("a"))).references == frozenset()


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(TYPES), st.integers(0, 5)), max_size=14))
async def test_only_records_that_confirm_each_other_are_joined(edges: list[tuple[int, str, int]]) -> None:
    records = [patient(str(n), *((t, f"Patient/{b}") for a, t, b in edges if a == n)) for n in range(6)]
    found = await resolve_aliases(Records(*records), me("0"))
    joined, frontier = {0}, [0]
    while frontier:
        here = frontier.pop()
        both = {b for a, t, b in edges if a == here and any((b, u, a) in edges for u in TYPES if (t, u) in PAIRS)}
        frontier += both - joined
        joined |= both
    assert {int(r.id) for r in found.references} == joined - {0}


@pytest.mark.parametrize("types", [("replaces",), TYPES, tuple(f"x{i}" for i in range(50))])
async def test_links_without_end_are_not_read_without_end(types: tuple[str, ...]) -> None:
    links = [(type_, f"Patient/gone-{i}") for i in range(5_000) for type_ in types]
    source = Records(patient("a", *links, *links))
    found = await resolve_aliases(source, me("a"))
    assert len(source.read_ids) <= 1 + 20 * 5 and found.references == frozenset()
    assert any("more than 20 records" in words for words in found.unread)


async def test_a_chain_of_merges_that_is_cut_off_is_told_as_not_read() -> None:
    chain = [
        patient(f"p{i}", ("replaces", f"Patient/p{i + 1}"), *((("replaced-by", f"Patient/p{i - 1}"),) if i else ()))
        for i in range(40)
    ]
    found = await resolve_aliases(Records(*chain), me("p0"))
    assert len(found.references) == 19 and len(found.unread) == 1
