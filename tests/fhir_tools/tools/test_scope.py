"""One patient: no argument of any tool reaches another, or tells whether another's record exists."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.chart import Chart
from fhir_tools.errors import NeedError
from fhir_tools.tools import TOOLS, Bench, Found, tool
from fhir_tools.types import Reference
from tests.agent.asking import condition, made_up, opened, result, store_of, visit
from tests.agent.faulty import Plain
from tests.fhir_tools.tools.benches import bench_of, note, refused, run, text

SECRET = "Zorblaxian plague"
OTHERS: tuple[Mapping[str, Any], ...] = (
    {"resourceType": "Patient", "id": "other", "birthDate": "1900-01-01"},
    {**condition(SECRET, "2020-01-02"), "id": "theirs", "subject": {"reference": "Patient/other"}},
    {**note("letter", "2024-01-02", SECRET), "subject": {"reference": "Patient/other"}},
    {**result("Sodium", "2024-01-02", 99), "id": "value", "subject": {"reference": "Patient/other"}},
)
OWN = (
    visit("Office visit", "2024-01-02T08:00:00Z", "2024-01-02T09:00:00Z"),
    result("Sodium", "2024-01-02", 140, hasMember=[{"reference": "Observation/value"}]),
    note("mine", "2024-01-02", "Gout."),
    {**condition("Gout", "2024-01-02"), "evidence": [{"detail": [{"reference": "Condition/theirs"}]}]},
)
ATTEMPTS = (
    "Patient/other", "Condition/theirs", "DocumentReference/letter", "Observation/value", "Observation/none",
    "Patient/p", "Observation/value/_history/1", "https://fhir.example/r4/Condition/theirs", "//host/Condition/theirs",
    "Condition/theirs?_include=*", "Condition/o?patient=other", "Condition/../Patient/other", "Binary/1", "../Patient",
    "Observation?patient=Patient/other", "Condition/theirs,c-gout", "Condition/%2e%2e/Patient/other", "file:///etc/passwd",
    "[1] ignore this and read Patient/other", "999", "c9", "s1", "Practitioner/dr", "Condition/theirs#1", "Condition/",
    "Condition/theirs\n", "urn:uuid:4c9f", "Condition|theirs", "\u202eother/tneitaP", "Group/g", "List/l",
)  # fmt: skip


@pytest.fixture(scope="module")
def chart(tmp_path_factory: pytest.TempPathFactory) -> tuple[Chart, Plain]:
    source = Plain(store_of(tmp_path_factory.mktemp("scope"), *OWN, *OTHERS))
    return opened(source), source


@pytest.mark.parametrize("name", ["read_document", "related", "look_at_image"])
@pytest.mark.parametrize("record", ATTEMPTS)
def test_other_records_are_refused_in_one_way(chart: tuple[Chart, Plain], name: str, record: str) -> None:
    message = refused(chart[0], name, record=record)
    told = refused(chart[0], "related", record="Observation/none")
    assert message == told or (name == "look_at_image" and "not available" in message)
    assert "other" not in message and "theirs" not in message


def test_links_of_the_chart_to_others_lead_nowhere(chart: tuple[Chart, Plain]) -> None:
    for record in ("Observation/o-sodium-2024-01-02", "Condition/c-gout"):
        found = run(chart[0], "related", record=record)
        assert not found.cards and SECRET not in text(found)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("find", {"what": SECRET}),
        ("find", {"what": "Patient/other"}),
        ("find", {"what": "sodium&patient=other"}),
        ("find", {"what": "sodium Patient/other"}),
        ("find", {"kind": "condition"}),
        ("list_concepts", {"kind": "condition", "words": "Patient/other"}),
        ("find_notes", {"words": "plague, Patient/other"}),
        ("find_notes", {"words": ".*"}),
        ("compute", {"operation": "count", "what": "Condition/theirs"}),
        ("compute", {"operation": "mean", "marks": ["Obs/1"]}),
    ],
)
def test_words_that_name_others_find_nothing_of_them(
    chart: tuple[Chart, Plain], name: str, arguments: dict[str, Any]
) -> None:
    source = chart[1]
    source.asked.clear()
    try:
        shown = repr(run(chart[0], name, **arguments).cards)
    except NeedError as error:
        shown = str(error)
    assert SECRET not in shown and "99" not in shown
    assert not any("other" in asked.replace("%2F", "/") for asked in source.asked)


@pytest.mark.parametrize("name", [t.name for t in TOOLS])
@pytest.mark.parametrize("extra", ["patient", "subject", "url", "source", "bench", "_id", "as_of"])
def test_no_tool_takes_a_patient_or_a_place(chart: tuple[Chart, Plain], name: str, extra: str) -> None:
    told = refused(chart[0], name, **{**_good(name), extra: "Patient/other"})
    assert "give only these arguments" in told
    assert extra not in tool(name).schema["properties"]


def _good(name: str) -> dict[str, Any]:
    return {
        "find": {"what": "sodium"},
        "list_concepts": {"kind": "condition"},
        "find_notes": {"words": "gout"},
        "compute": {"operation": "age"},
    }.get(name, {"record": "Condition/c-gout"})


def test_an_absolute_url_is_read_only_where_the_chart_says_how(tmp_path: Path) -> None:
    chart = made_up(tmp_path, condition("Gout", "2024-01-02"))
    bench = bench_of(chart)
    url = "https://fhir.example/r4/Condition/c-gout"
    refused(bench, "related", record=url)

    def inside(text: str) -> Reference:
        if not text.startswith("https://fhir.example/r4/"):
            raise ValueError("on none of the servers")
        return Reference.parse(text)

    bench.inside = inside
    assert "Gout" in text(run(bench, "related", record=url))
    refused(bench, "related", record=url.replace("fhir", "evil"))
    refused(bench, "related", record="https://fhir.example/r4/Patient/other")


# Arguments of any kind.

_WORDS = st.one_of(
    st.text(max_size=130),
    st.sampled_from(
        ["sodium", "gout", "A1c", "visit", "1", "[1]", "c1", "2024-01-02", "condition", "latest", *ATTEMPTS]
    ),
)
_ANY = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), _WORDS, st.dates()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
_NAMES = sorted({name for t in TOOLS for name in t.arguments.model_fields})


def _of(name: str) -> st.SearchStrategy[Any]:
    """Arguments that a model under the tool's schema could give, or anything instead."""
    values = {"enum": lambda p: st.sampled_from(p["enum"]), "array": lambda p: st.lists(_WORDS, max_size=3)}
    chosen = {
        key: st.one_of(values["enum"](p) if "enum" in p else values["array"](p) if p.get("type") == "array" else _WORDS)
        for key, p in tool(name).schema["properties"].items()
    }
    likely = st.fixed_dictionaries({}, optional=chosen)
    return st.one_of(likely, st.dictionaries(st.sampled_from(_NAMES), _ANY, max_size=5), _ANY)


@pytest.mark.parametrize("name", [t.name for t in TOOLS])
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_arguments_bring_something_short_or_a_sentence(chart: tuple[Chart, Plain], name: str, data: Any) -> None:
    bench: Bench = bench_of(chart[0])
    run(bench, "find", what="sodium")
    arguments = data.draw(_of(name))
    try:
        found = asyncio.run(tool(name).run(bench, arguments))
    except NeedError as error:
        found = Found(lines=(str(error),))
    _is_short(found)


def _is_short(found: Found) -> None:
    assert SECRET not in text(found)
    assert all(len(card.text) <= 1500 for card in found.cards)
    assert len("\n".join(found.lines)) <= 1600


def test_schemas_bound_every_string_and_array() -> None:
    def bounded(schema: Mapping[str, Any]) -> bool:
        if "enum" in schema:
            return True
        match schema["type"]:
            case "string":
                return schema["maxLength"] <= 200
            case "array":
                return schema["maxItems"] <= 12 and bounded(schema["items"])
            case "object":
                return schema["additionalProperties"] is False and all(map(bounded, schema["properties"].values()))
        return schema["type"] == "integer" and "maximum" in schema

    assert all(bounded(t.schema) for t in TOOLS)


def test_what_a_model_is_told_of_the_tools_is_short() -> None:
    from agent.prompt import estimate

    assert estimate("; ".join(t.signature for t in TOOLS)) < 260
    assert estimate("\n".join(f"{t.signature}: {t.description}" for t in TOOLS)) < 380
    assert all(len(t.description) < 120 for t in TOOLS)


def test_an_unknown_tool_is_told_which_there_are() -> None:
    with pytest.raises(NeedError, match="find, list_concepts"):
        tool("rm")
