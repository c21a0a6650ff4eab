"""What is tested here of what came back."""

from __future__ import annotations

import pytest

from fhir_tools.remote.sifting import sift
from fhir_tools.search.query import Param, check, parse
from tests.fhir_tools.remote.fake import observation

FOUND = [observation(1), observation(2, status="amended"), observation(3, "two")]


def params(text: str) -> tuple[Param, ...]:
    return check(parse(f"Observation?{text}"))[0]


@pytest.mark.parametrize(
    ("residue", "retest", "kept", "doubted"),
    [
        ("", "", "o1 o2 o3", ""),
        ("status=final", "", "o1 o3", ""),
        ("", "status=final", "o1 o3", "status"),
        ("status=final", "date=ge2020-01-03&status=final", "o3", "date"),
        ("status=final,amended", "date=ge2020&code=x", "", "code"),
    ],
)
def test_what_does_not_meet_all_is_left_out(residue: str, retest: str, kept: str, doubted: str) -> None:
    found = sift(FOUND, params(residue), retest=params(retest))
    assert " ".join(r["id"] for r in found.kept) == kept
    assert " ".join(sorted(found.doubted)) == doubted and not found.problems


def test_what_is_somebody_elses_is_told_without_saying_whose() -> None:
    patient, status = params("patient=one&status=final")
    found = sift(FOUND, (patient, status), patient=patient)
    assert [r["id"] for r in found.kept] == ["o1"] and "1 resources" in found.problems[0]
    assert "two" not in found.problems[0] and "one" not in found.problems[0]
