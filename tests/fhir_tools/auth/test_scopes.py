"""SMART scopes of both versions, granular ones included."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_tools.auth.scopes import Scope, Scopes
from fhir_tools.search.query import parse

ACTIONS = "cruds"
contexts = st.sampled_from(["patient", "user", "system"])
types = st.sampled_from(["*", "Observation", "Condition", "MedicationRequest"])
actions = st.sets(st.sampled_from(ACTIONS), min_size=1).map(lambda s: "".join(a for a in ACTIONS if a in s))


@pytest.mark.parametrize(
    ("text", "type_", "allowed"),
    [
        ("patient/Observation.read", "Observation", "rs"),
        ("patient/Observation.write", "Observation", "cud"),
        ("patient/*.*", "Goal", "cruds"),
        ("user/*.cruds", "Goal", "cruds"),
        ("system/Patient.rs", "Patient", "rs"),
        ("system/Patient.sr", "Patient", "rs"),
        ("patient/Observation.r", "Observation", "r"),
        ("patient/Observation.rs?category=laboratory", "Observation", "rs"),
    ],
)
def test_what_a_scope_allows(text: str, type_: str, allowed: str) -> None:
    scopes = Scopes.parse(text)
    assert "".join(a for a in ACTIONS if scopes.allows(type_, a)) == allowed  # type: ignore[arg-type]
    assert scopes.allows("Account", "r") == ("*" in text.partition(".")[0])


@pytest.mark.parametrize(
    "text",
    [
        "openid", "fhirUser", "launch/patient", "offline_access", "patient/Observation", "patient/Observation.",
        "patient/Observation.reads", "patient/observation.rs", "group/Observation.rs", "patient/Observation.rr",
        "patient/.rs", "patient/Observation.rs?", "xpatient/Observation.rs", "patient/Observation.rs/x", "PATIENT/*.rs",
    ],
)  # fmt: skip
def test_what_is_no_scope_over_resources_allows_nothing(text: str) -> None:
    assert Scope.parse(text) is None
    assert Scopes.parse(text).others == (text,) and not Scopes.parse(text).allows("Observation", "r")


@given(contexts, types, actions)
def test_every_v2_scope_allows_its_actions_and_no_more(context: str, type_: str, granted: str) -> None:
    scopes = Scopes.parse(f"{context}/{type_}.{granted}")
    for asked in ("Observation", "Goal"):
        for action in ACTIONS:
            assert scopes.allows(asked, action) == (action in granted and type_ in ("*", asked))  # type: ignore[arg-type]


@given(st.lists(st.builds("{}/{}.{}".format, contexts, types, actions), unique=True))
def test_scopes_keep_their_words(words: list[str]) -> None:
    assert str(Scopes.parse("  ".join(words))) == " ".join(words)


@given(st.text())
def test_any_text_can_be_read(text: str) -> None:
    scopes = Scopes.parse(text)
    assert set(str(scopes).split()) == set(text.split())


@given(contexts, types, actions, st.sampled_from(["Observation", "Goal"]), st.sampled_from("rs"))
def test_the_missing_scope_would_do(context: str, type_: str, granted: str, wanted: str, action: str) -> None:
    scopes = Scopes.parse(f"{context}/{type_}.{granted}")
    if not scopes.allows(wanted, action):  # type: ignore[arg-type]
        missing = scopes.missing(wanted, action)  # type: ignore[arg-type]
        assert missing == f"{context}/{wanted}.rs"
        assert Scopes.parse(f"{scopes} {missing}").allows(wanted, action)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("granted", "action", "missing"),
    [
        ("patient/Patient.read", "s", "patient/Observation.read"),
        ("user/Patient.read user/Goal.read patient/Goal.read", "r", "user/Observation.read"),
        ("patient/Patient.read patient/Goal.rs", "s", "patient/Observation.rs"),
        ("system/Patient.rs", "c", "system/Observation.c"),
        ("openid", "s", "patient/Observation.rs"),
        ("patient/Patient.read", "u", "patient/Observation.write"),
    ],
)
def test_the_missing_scope_is_named_in_the_flavour_of_those_granted(granted: str, action: str, missing: str) -> None:
    assert Scopes.parse(granted).missing("Observation", action) == missing  # type: ignore[arg-type]


LAB = "http://terminology.hl7.org/CodeSystem/observation-category|laboratory"


@pytest.mark.parametrize(
    ("granted", "query", "covered"),
    [
        ("patient/Observation.rs", "Observation?patient=1", True),
        ("patient/*.read", "Observation?patient=1", True),
        ("patient/Observation.rs?category=laboratory", "Observation?patient=1", False),
        ("patient/Observation.rs?category=laboratory", "Observation?patient=1&category=laboratory", True),
        ("patient/Observation.rs?category=laboratory", f"Observation?category={LAB}", True),
        (f"patient/Observation.rs?category={LAB}", "Observation?category=laboratory", False),
        (f"patient/Observation.rs?category={LAB}", f"Observation?category={LAB}&code=4548-4", True),
        ("patient/Observation.rs?category=laboratory", "Observation?category=laboratory,vital-signs", False),
        (
            "patient/Observation.rs?category=laboratory patient/Observation.rs?category=vital-signs",
            "Observation?category=laboratory,vital-signs",
            True,
        ),
        ("patient/Observation.rs?category=laboratory&status=final", "Observation?category=laboratory", False),
        ("patient/Observation.rs?category=laboratory", "Observation?category:not=laboratory", False),
        ("patient/Observation.rs?category=laboratory patient/*.rs", "Observation?patient=1", True),
        ("patient/Observation.r?category=laboratory patient/Observation.s", "Observation?patient=1", True),
        ("patient/Condition.rs", "Observation?patient=1", False),
    ],
)
def test_a_granular_scope_covers_only_searches_within_it(granted: str, query: str, covered: bool) -> None:
    part = Scopes.parse(granted).part(parse(query))
    assert (part is None) == covered
    assert part is None or part == ("nothing" if "Condition" in granted else granted)


def test_a_part_names_scopes_and_nothing_of_the_search() -> None:
    part = Scopes.parse("patient/Observation.rs?category=laboratory").part(parse("Observation?patient=secret-id"))
    assert part == "patient/Observation.rs?category=laboratory"


@pytest.mark.parametrize("text", [None, 7, "", "  ", "user_impersonation", "openid fhirUser"])
def test_scopes_that_say_nothing_of_resources_are_not_known(text: object) -> None:
    assert Scopes.granted(text) is None
