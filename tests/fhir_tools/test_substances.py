"""What drugs and allergies are made of."""

from __future__ import annotations

import pytest

from fhir_tools.lexicon.entry import RXNORM
from fhir_tools.substances import Substance, classes_of, is_within, known, substance
from fhir_tools.types import Coding, Concept


def of(label: str, *codes: str) -> Substance:
    return substance(Concept(label=label, codings=tuple(Coding(system=RXNORM, code=c) for c in codes)))


@pytest.mark.parametrize(
    ("label", "ingredients", "classes"),
    [
        ("Metformin 500 MG Oral Tablet", {"metformin"}, set()),
        ("Augmentin 875", {"amoxicillin", "clavulanate"}, set()),
        ("Penicillins", set(), {"penicillin"}),  # not a misspelt penicillin G
        ("Penicillin", set(), {"penicillin"}),
        ("Sulfa drugs", set(), {"sulfonamide antibiotic"}),
        ("NSAIDs", set(), {"nsaid"}),
        ("Insulin", {"insulin"}, set()),
        ("Peanut", set(), set()),
        ("the white pill", set(), set()),
    ],
)
def test_labels(label: str, ingredients: set[str], classes: set[str]) -> None:
    found = of(label)
    assert (found.ingredients, found.classes) == (ingredients, classes)
    assert found.understood is bool(ingredients or classes)


def test_a_code_is_enough_and_a_label_adds_to_it() -> None:
    assert of("tablet", "6809").ingredients == {"metformin"}
    assert of("Amoxicillin / Clavulanate", "723").ingredients == {"amoxicillin", "clavulanate"}
    assert of("tablet", "0").ingredients == set()


def test_members_of_classes() -> None:
    assert is_within("warfarin", ("anticoagulant",)) and is_within("warfarin", ("warfarin",))
    assert not is_within("warfarin", ("doac", "nsaid")) and not is_within("nothing", ("doac",))
    assert classes_of("warfarin") == {"vitamin k antagonist"} and classes_of("nothing") == set()
    assert known("anticoagulant") and known("warfarin") and not known("wibble")
