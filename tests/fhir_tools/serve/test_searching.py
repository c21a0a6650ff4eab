"""Searches over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from fhir_tools.local import LocalStore
from fhir_tools.serve.links import MAX_COUNT

Told = Callable[[httpx.Response, int], str]
LENIENT = {"Prefer": "handling=lenient"}


def links(bundle: dict[str, Any]) -> dict[str, str]:
    return {link["relation"]: link["url"] for link in bundle["link"]}


def found(bundle: dict[str, Any], mode: str = "match") -> list[str]:
    return [e["resource"]["id"] for e in bundle.get("entry", ()) if e["search"]["mode"] == mode]


async def walked(client: httpx.AsyncClient, url: str) -> list[str]:
    ids: list[str] = []
    while url:
        page = (await client.get(url)).json()
        ids += found(page)
        url = links(page).get("next", "")
    return ids


async def test_a_page_is_a_valid_searchset(reader: httpx.AsyncClient) -> None:
    from fhir.resources.R4B.bundle import Bundle

    page = (await reader.get("Observation?patient=ann&_sort=-date&_count=3&_include=Observation:subject")).json()
    Bundle.model_validate(page)
    assert page["total"] == 8
    assert found(page) == ["o7", "o6", "o5"] and found(page, "include") == ["ann"]
    assert page["entry"][0]["fullUrl"] == "http://fhir.test/Observation/o7"
    assert urlsplit(links(page)["next"]).netloc == "fhir.test"


async def test_pages_hold_each_resource_once_while_data_is_added(store: LocalStore, reader: httpx.AsyncClient) -> None:
    first = (await reader.get("Observation?patient=ann&_count=3")).json()
    new = {"resourceType": "Observation", "id": "a-new", "status": "final", "subject": {"reference": "Patient/ann"}}
    store.put(new)
    rest = await walked(reader, links(first)["next"])
    assert sorted(found(first) + rest) == [f"o{n}" for n in range(8)]


async def test_post_finds_what_get_finds(reader: httpx.AsyncClient, told: Told) -> None:
    got = found((await reader.get("Observation?patient=ann&code=4548-4")).json())
    posted = await reader.post("Observation/_search?patient=ann", data={"code": "4548-4"})
    assert found(posted.json()) == got == ["o1", "o3", "o5", "o7"]
    told(await reader.post("Observation/_search", json={"code": "x"}), 415)
    told(await reader.post("Observation/_search", content=b"code=%ff", headers=FORM), 400)
    assert found((await reader.post("_search", data={"_type": "Patient", "gender": "male"})).json()) == ["bob"]


FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"}


async def test_long_searches_have_short_links(reader: httpx.AsyncClient, told: Told) -> None:
    codes = ",".join(["4548-4", *(f"code-{n}" for n in range(9000))])
    page = (await reader.post("Observation/_search", data={"patient": "ann", "code": codes, "_count": "3"})).json()
    assert len(links(page)["next"]) < 500
    assert found(page) + await walked(reader, links(page)["next"]) == ["o1", "o3", "o5", "o7"]
    assert (await reader.get(links(page)["self"])).json()["total"] == 4
    told(await reader.get("Observation?_search-id=gone"), 410)


async def test_unknown_parameters(reader: httpx.AsyncClient, told: Told) -> None:
    url = "Observation?patient=ann&colour=red&_count=1"
    assert "colour" in told(await reader.get(url), 400)
    assert "colour" in told(await reader.get(url, headers={"Prefer": "handling=strict"}), 400)
    page = (await reader.get(url, headers=LENIENT)).json()
    assert page["total"] == 8
    assert "colour" not in parse_qs(urlsplit(links(page)["self"]).query)
    assert "colour" in page["entry"][-1]["resource"]["issue"][0]["diagnostics"]
    assert page["entry"][-1]["search"]["mode"] == "outcome"


@pytest.mark.parametrize(
    "query",
    ["code:nope=x", "date=soon", "_sort=colour", "_include=Observation:colour", "_count=x", "_count=-1", "_page=x"],
)
async def test_what_is_wrong_is_refused_also_when_lenient(reader: httpx.AsyncClient, told: Told, query: str) -> None:
    told(await reader.get(f"Observation?{query}", headers=LENIENT), 400)


async def test_counts(reader: httpx.AsyncClient) -> None:
    huge = (await reader.get("Observation?_count=" + "9" * 30)).json()
    assert f"_count={MAX_COUNT}" in links(huge)["self"] and huge["total"] == 9
    for query in ("_count=0", "_summary=count"):
        page = (await reader.get(f"Observation?patient=ann&{query}")).json()
        assert page["total"] == 8 and "entry" not in page
    assert "total" not in (await reader.get("Observation?_total=none&_count=1")).json()


async def test_the_whole_system(reader: httpx.AsyncClient, told: Told) -> None:
    assert found((await reader.get("http://fhir.test?_type=Patient,Group&_id=ann,both")).json()) == ["ann", "both"]
    ids = await walked(reader, "http://fhir.test/?_type=Patient,Observation,Device&_count=4")
    assert len(ids) == len(set(ids)) == 12
    assert len(await walked(reader, "http://fhir.test/?_count=5")) == 23
    told(await reader.get("http://fhir.test/?_type=Nope"), 400)
    told(await reader.get("http://fhir.test/?_type=Patient,Observation&birthdate=1960"), 400)


async def test_a_patients_compartment(reader: httpx.AsyncClient, told: Told) -> None:
    page = (await reader.get("Patient/bob/Observation")).json()
    assert found(page) == ["other"]
    assert links(page)["self"].startswith("http://fhir.test/Patient/bob/Observation?")
    assert found((await reader.get("Patient/bob/Observation?patient=ann")).json()) == []
    told(await reader.get("Patient/ann/Organization"), 404)


async def test_includes_that_go_on_and_back(reader: httpx.AsyncClient) -> None:
    page = (
        await reader.get("Patient?_id=ann&_revinclude=Encounter:patient&_include:iterate=Encounter:location")
    ).json()
    assert found(page) == ["ann"] and {"visit", "ward"} <= set(found(page, "include"))


async def test_a_blank_is_percent_20_in_links(reader: httpx.AsyncClient) -> None:
    page = (await reader.get("Patient", params={"name": "Ann B,Ångström"})).json()
    assert "name=Ann%20B,%C3%85ngstr%C3%B6m" in links(page)["self"]
    assert found((await reader.get(links(page)["self"])).json()) == ["ann"]
