"""What the lines of the record may hold of a request that was made up, mistaken or malicious: no word of it."""

from __future__ import annotations

import pytest

from fhir_tools.audit.entry import known_names, place, safe_reference


@pytest.mark.parametrize(
    "name",
    [
        "code", "code:not", "code:text", "patient", "subject:Patient", "subject:Patient.name:exact", "subject.name",
        "_has:Observation:patient:code", "_has:Observation:patient:_has:Provenance:target:agent", "_sort", "_page",
        "_include:iterate", "_lastUpdated", "_id:not", "value-quantity", "identifier:of-type",
    ],
)  # fmt: skip
def test_names_of_the_standard_are_kept(name: str) -> None:
    assert known_names("Observation", [name]) == (name,)


@pytest.mark.parametrize(
    "name",
    [
        "Smith", "code:Smith", "subject.Smith", "subject:Smith.name", "_Smith", "_has:Smith:patient:code",
        "_has:Observation:Smith:code", "code:not:Smith", "name=Smith", "", ":Smith", "code.\nSmith", "c\u043ede",
    ],
)  # fmt: skip
def test_any_other_word_is_not(name: str) -> None:
    assert known_names("Observation", [name, name]) == ("?",)


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("Patient/1/$everything?_Smith=1&Smith=2&_since=2020", ("Patient/1/$everything", ("?", "_since"))),
        ("https://files.example/Smith/letter.pdf?name=Smith", ("files.example", ())),
        ("https://user:pw@files.example/x", ("files.example", ())),
        ("data:text/plain,Smith", ("?", ())),
        ("file:///home/Smith", ("?", ())),
        ("//evil.example/Smith", ("?", ())),
        ("https://[::1", ("?", ())),
        ("Binary/1?Smith", ("Binary/1", ("?",))),
        ("Patient/1/$Smith-John", ("?", ())),
    ],
)
def test_places_are_told_without_their_words(url: str, what: tuple[str, tuple[str, ...]]) -> None:
    assert place(url) == what


@pytest.mark.parametrize(
    "text", ["Smith", "Patient/1\nSmith", "Patient/1?x=Smith", "Patient/../Smith", "Patient/Smith J"]
)
def test_what_is_no_reference_is_not_repeated(text: str) -> None:
    assert safe_reference(text) == "?"
