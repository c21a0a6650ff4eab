"""Which patient is meant: never one of several whom a fault hid, and never a stranger."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from agent.patients import choose, listed
from fhir_tools.errors import NotFound, OperatorError, UserError
from fhir_tools.types import Fetched, Query, Reference, SearchResult


def person(id_: str, name: str = "", **more: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": id_, "name": [{"text": name}] if name else None, **more}


class Server:
    """Patients by id; the answers to `name` and `identifier` as they are told."""

    def __init__(self, *people: dict[str, Any], **answers: tuple[list[dict[str, Any]], str]) -> None:
        self.people, self.answers = {p["id"]: p for p in people}, answers

    async def read(self, reference: Reference, version: str | None = None) -> Mapping[str, Any]:
        if reference.id not in self.people:
            raise NotFound("not there", status=404)
        return self.people[reference.id]

    async def search(self, query: Query) -> SearchResult:
        found, error = self.answers.get(query.params[0][0], ([], ""))
        return SearchResult(query=query, matches=tuple(found), complete=not error, error=error or None)

    async def fetch(self, url: str) -> Fetched:
        raise NotImplementedError

    async def capabilities(self) -> Mapping[str, Any]:
        return {}


ANN, ANNE = person("1", "Ann Lee"), person("2", "Anne Lee")


async def test_an_id_is_taken_as_it_is() -> None:
    for id_ in ("1", "a_b-c.d", "A" * 100):
        assert await choose(Server(person(id_)), f" Patient/{id_} ") == Reference(type="Patient", id=id_)


@pytest.mark.parametrize("wanted", ["..", ".", "../1", "1/2", "Patient/..", "1?x=y", "１"])
async def test_no_path_is_read_as_an_id(wanted: str) -> None:
    with pytest.raises(UserError, match="no patient"):
        await choose(Server(ANN), wanted)


async def test_a_whole_name_finds_the_only_one_of_that_name() -> None:
    assert (await choose(Server(name=([ANN, ANNE], "")), "lee, ann")).id == "1"


@pytest.mark.parametrize("parameter", ["name", "identifier"])
async def test_of_a_search_that_was_cut_short_nobody_is_chosen(parameter: str) -> None:
    server = Server(**{parameter: ([ANN], "page 2 could not be read")})
    with pytest.raises(OperatorError, match=r"not all searched: page 2 .*give the id"):
        await choose(server, "Ann Lee")


async def test_a_number_that_could_not_be_searched_is_not_told_as_unknown() -> None:
    with pytest.raises(OperatorError, match="the server is down"):
        await choose(Server(identifier=([], "the server is down")), "4711")


async def test_a_name_is_found_where_numbers_cannot_be_searched() -> None:
    assert (await choose(Server(name=([ANN], ""), identifier=([], "not offered")), "ann lee")).id == "1"


async def test_a_name_is_the_same_however_its_accents_are_typed() -> None:
    for written, asked in (("Jos\u00e9 Ruiz", "Jose\u0301 Ruiz"), ("Jose\u0301 Ruiz", "jos\u00e9 ruiz")):
        assert (await choose(Server(name=([person("9", written)], "")), asked)).id == "9"


async def test_a_list_that_was_cut_short_says_so() -> None:
    people, whole = await listed(Server(_count=([ANN], "down")))
    assert [p.id for p in people] == ["1"] and not whole
    people, whole = await listed(Server(name=([ANN], "down")), "ann")
    assert [p.id for p in people] == ["1"] and not whole
    with pytest.raises(OperatorError, match=r"could not be searched: down"):
        await listed(Server(_count=([], "down")))


async def test_odd_resources_are_listed_by_what_they_have() -> None:
    odd = [person("1", name=[None]), person("2", birthDate=5), {"resourceType": "Patient", "id": "3", "name": {"a": 1}}]
    people, _ = await listed(Server(_count=(odd, "")))
    assert [(p.id, p.name, p.birth_date) for p in people] == [("1", "", None), ("2", "", None), ("3", "", None)]
