"""Uniting what came back."""

from __future__ import annotations

from typing import Any

import pytest

from fhir_tools.remote.unite import Union
from tests.fhir_tools.remote.fake import observation


def at(version: str | None = None, updated: str | None = None, **more: Any) -> dict[str, Any]:
    meta = {"versionId": version, "lastUpdated": updated}
    return {"resourceType": "Patient", "id": "one", "meta": {k: v for k, v in meta.items() if v}, **more}


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        (at("1"), at("2"), 1), (at("10"), at("9"), 0), (at("a"), at("b"), 0), (at(), at(), 0),
        (at("9", "2020-01-02T00:00:00Z"), at("1", "2020-01-03T00:00:00Z"), 1),
        (at("1", "2020-01-02T00:00:00Z"), at("2", "2020-01-02T00:00:00+02:00"), 0),
        (at("1", "soon"), at("2", "2020-01-02T00:00:00Z"), 1), ({**at(), "meta": "x"}, at("2"), 0),
    ],
)  # fmt: skip
def test_the_newest_version_wins_in_the_place_of_the_first(first: Any, second: Any, kept: int) -> None:
    found = Union()
    found.add([first, observation(1), second])
    assert next(iter(found)) is (first, second)[kept] and len(found) == 2
    assert "Patient/one" in found and "Patient/two" not in found


def test_what_has_no_id_is_kept_each() -> None:
    found = Union()
    found.add([{"resourceType": "Patient"}, {"resourceType": "Patient"}, {"resourceType": "Patient", "id": 5}])
    assert len(found) == 3
