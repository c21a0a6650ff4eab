"""What falls when not everything was read: every "no", also one that a record bears."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from agent.types import Claim, Draft
from agent.verify import verify
from fhir_tools.types import Search
from tests.agent.asking import allergy, ask, made_up, order, result

OLD = order("Metformin 500 MG Oral Tablet", "2019-01-01", status="stopped", code="860975")
CUT = Search(query="MedicationStatement?", found=0, complete=False, error="503")


@pytest.mark.parametrize(
    ("resource", "question"),
    [(OLD, "is she on metformin?"), (allergy("No known allergies"), "any allergies?")],
)
def test_a_no_falls(tmp_path: Path, resource: dict, question: str) -> None:  # type: ignore[type-arg]
    done = ask(made_up(tmp_path, resource), question)
    assert len(verify(done.ask, done.draft, done.evidence).claims) == 1
    part = replace(done.evidence, searched=(*done.evidence.searched, CUT))
    checked = verify(done.ask, done.draft, part)
    assert checked.claims == ()
    assert [r.kind for r in checked.removed] == ["qualifier"]


def test_a_yes_and_a_value_stay(tmp_path: Path) -> None:
    done = ask(made_up(tmp_path, result("Sodium", "2024-01-01", 139, unit="mmol/L", code="2951-2")), "last sodium?")
    part = replace(done.evidence, searched=(*done.evidence.searched, CUT))
    assert verify(done.ask, done.draft, part).claims == verify(done.ask, done.draft, done.evidence).claims != ()


def test_what_is_at_fault_anyway_keeps_its_fault(tmp_path: Path) -> None:
    done = ask(made_up(tmp_path, OLD), "is she on metformin?")
    part = replace(done.evidence, searched=(CUT,))
    draft = Draft(claims=(Claim(text="No aspirin was ever given."),))
    before, after = (verify(done.ask, draft, e).removed for e in (done.evidence, part))
    assert before == after != ()
