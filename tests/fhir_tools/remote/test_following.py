"""Following references by reading, where the server cannot include."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from fhir_tools.errors import NotFound, SourceError
from fhir_tools.remote.following import Following
from fhir_tools.remote.unite import Union, key_of
from fhir_tools.types import Reference


def linking(name: str, **links: str) -> dict[str, Any]:
    type_, _, id_ = name.partition("/")
    return {"resourceType": type_, "id": id_, **{element: {"reference": to} for element, to in links.items()}}


STORE = {
    key_of(r): r
    for r in (
        linking("Encounter/1", partOf="Encounter/2", subject="Patient/one"),
        linking("Encounter/2", partOf="Encounter/3"),
        linking("Encounter/3", partOf="Encounter/1"),
        linking("Patient/one"),
        *(linking(f"Organization/{n}", partOf=f"Organization/{n + 1}") for n in range(30)),
    )
}


async def follow(found: Sequence[Any], *values: str) -> tuple[list[str | None], list[str], list[str]]:
    """What was included, the problems, and what was read."""
    asked: list[str] = []

    async def read(references: Sequence[Reference]) -> list[Any]:
        asked.extend(map(str, references))
        gone = NotFound("gone", status=404)
        return [SourceError("503") if r.id == "broken" else STORE.get(str(r), gone) for r in references]

    included = Union()
    problems = await Following(read, "https://chart.test/fhir").add(found, values, included)
    return [key_of(r) for r in included], problems, asked


@pytest.mark.parametrize(
    ("value", "keys"),
    [
        ("Encounter:part-of", ["Encounter/2"]), ("Encounter:subject", ["Patient/one"]),
        ("Encounter:subject:Patient", ["Patient/one"]), ("Encounter:subject:Group", []),
        ("Encounter:*", ["Encounter/2", "Patient/one"]), ("Encounter:part-of:iterate", ["Encounter/2", "Encounter/3"]),
        ("Observation:subject", []),
    ],
)  # fmt: skip
async def test_links_are_followed(value: str, keys: list[str]) -> None:
    found, problems, asked = await follow([STORE["Encounter/1"]], value)
    assert sorted(map(str, found)) == keys and not problems and len(asked) == len(set(asked))


@pytest.mark.parametrize(
    "to",
    ["#inside", "urn:uuid:1", "https://other.test/Patient/one", "Patient", "patient/one", "Patient/one/x", "Nothing/1"],
)
async def test_what_is_no_link_on_this_server_is_passed_over(to: str) -> None:
    assert await follow([linking("Encounter/9", subject=to)], "Encounter:subject") == ([], [], [])


async def test_a_link_in_full_is_one_of_this_server() -> None:
    full = linking("Encounter/9", subject="https://chart.test/fhir/Patient/one")
    assert (await follow([full], "Encounter:subject:Patient"))[0] == ["Patient/one"]


async def test_a_version_is_read_as_it_is_now() -> None:
    assert (await follow([linking("Encounter/9", subject="Patient/one/_history/3")], "Encounter:subject"))[0] == [
        "Patient/one"
    ]


async def test_what_is_gone_is_left_out_and_what_fails_is_told() -> None:
    links = [linking("Encounter/8", subject="Patient/none"), linking("Encounter/9", subject="Patient/broken")]
    found, problems, _ = await follow(links, "Encounter:subject")
    assert not found and problems == ["what is to be included could not be read: 503"]


async def test_a_long_chain_is_told() -> None:
    found, problems, _ = await follow([STORE["Organization/0"]], "Organization:partof:iterate")
    assert len(found) == 10 and "no further than 10" in problems[0]


async def test_what_the_server_included_is_followed_on() -> None:
    async def read(references: Sequence[Reference]) -> list[Any]:
        return [STORE[str(r)] for r in references]

    included = Union()
    included.add([STORE["Encounter/2"]])
    problems = await Following(read, "https://chart.test/fhir").add(
        [linking("Observation/1")], ["Encounter:part-of:iterate", "Encounter:subject"], included
    )
    assert [key_of(r) for r in included] == ["Encounter/2", "Encounter/3", "Encounter/1"] and not problems


async def test_nothing_to_follow_reads_nothing() -> None:
    assert await follow([STORE["Encounter/1"]]) == ([], [], [])
