"""ViewDefinitions by the rules of SQL on FHIR v2: what each element does to the rows, and what is refused."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from fhir_tools.cohort.views import View, shipped, view_of
from fhir_tools.errors import UserError

PATIENT = {
    "resourceType": "Patient", "id": "p1", "active": True, "multipleBirthInteger": 2,
    "name": [{"family": "F1", "given": ["A", "B"]}, {"family": "F2"}],
    "contact": [{"telecom": [{"value": "t1"}, {"value": "t2"}]}, {"name": {"family": "C"}}],
}  # fmt: skip


def view(*select: Any, **more: Any) -> View:
    return view_of(orjson.dumps({"resource": "Patient", "name": "v", "select": list(select), **more}))


def col(name: str, path: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "path": path, **more}


ID = {"column": [col("id", "getResourceKey()")]}


def test_a_row_for_each_resource_and_nulls_for_what_is_not_there() -> None:
    assert view({"column": [col("id", "id"), col("gender", "gender")]}).rows(PATIENT) == [("p1", None)]


def test_resources_of_other_types_give_no_rows() -> None:
    assert view(ID).rows({"resourceType": "Observation", "id": "o"}) == []


def test_for_each_makes_a_row_for_each_and_none_where_there_is_nothing() -> None:
    names = {"forEach": "name", "column": [col("family", "family")]}
    assert view(ID, names).rows(PATIENT) == [("p1", "F1"), ("p1", "F2")]
    assert view(ID, names).rows({"resourceType": "Patient", "id": "x"}) == []


def test_for_each_or_null_keeps_the_resource() -> None:
    names = {"forEachOrNull": "name", "column": [col("family", "family")]}
    assert view(ID, names).rows({"resourceType": "Patient", "id": "x"}) == [("x", None)]
    assert view(ID, names).rows(PATIENT) == [("p1", "F1"), ("p1", "F2")]


def test_selects_inside_are_evaluated_from_their_parent() -> None:
    inside = {"forEach": "contact", "select": [{"forEach": "telecom", "column": [col("value", "value")]}]}
    assert view(ID, inside).rows(PATIENT) == [("p1", "t1"), ("p1", "t2")]


def test_selects_side_by_side_are_a_cross_product() -> None:
    a = {"forEach": "name", "column": [col("family", "family")]}
    b = {"forEach": "contact.telecom", "column": [col("value", "value")]}
    assert view(a, b).rows(PATIENT) == [("F1", "t1"), ("F1", "t2"), ("F2", "t1"), ("F2", "t2")]


def test_union_all_puts_branches_below_each_other() -> None:
    union = {
        "unionAll": [
            {"forEach": "name", "column": [col("said", "family")]},
            {"forEach": "contact.telecom", "column": [col("said", "value")]},
        ]
    }
    assert view(ID, union).rows(PATIENT) == [("p1", x) for x in ("F1", "F2", "t1", "t2")]


def test_union_all_needs_the_same_columns() -> None:
    with pytest.raises(UserError, match="unionAll"):
        view({"unionAll": [{"column": [col("a", "id")]}, {"column": [col("b", "id")]}]})


def test_where_keeps_what_is_true_alone() -> None:
    where = [{"path": "active = true"}, {"path": "name.family.exists()"}]
    assert view(ID, where=where).rows(PATIENT) == [("p1",)]
    assert view(ID, where=where).rows({**PATIENT, "active": False}) == []
    assert view(ID, where=[{"path": "active"}]).rows({"resourceType": "Patient", "id": "x"}) == []
    with pytest.raises(UserError, match="boolean"):
        view(ID, where=[{"path": "id"}]).rows(PATIENT)


def test_constants() -> None:
    made = view(
        {"column": [col("given", "name.where(family = %f).given.first()")]},
        constant=[{"name": "f", "valueString": "F1"}],
    )
    assert made.rows(PATIENT) == [("A",)]


def test_repeat_goes_down_as_far_as_there_is_something() -> None:
    item = {"linkId": "1", "item": [{"linkId": "1.1", "item": [{"linkId": "1.1.1"}]}, {"linkId": "1.2"}]}
    made = view_of(
        orjson.dumps(
            {
                "resource": "QuestionnaireResponse",
                "name": "q",
                "select": [{"repeat": ["item"], "column": [col("link", "linkId")]}],
            }
        )
    )
    assert made.rows({"resourceType": "QuestionnaireResponse", "item": [item]}) == [
        ("1",),
        ("1.1",),
        ("1.1.1",),
        ("1.2",),
    ]


def test_several_values_need_a_collection() -> None:
    with pytest.raises(UserError, match="several values"):
        view({"column": [col("given", "name.given")]}).rows(PATIENT)
    assert view({"column": [col("given", "name.given", collection=True)]}).rows(PATIENT) == [(["A", "B"],)]


def test_types_are_kept_and_held() -> None:
    assert view({"column": [col("n", "multipleBirth.ofType(integer)", type="integer")]}).rows(PATIENT) == [(2,)]
    assert view({"column": [col("a", "active", type="boolean")]}).rows(PATIENT) == [(True,)]
    with pytest.raises(UserError, match="whole number"):
        view({"column": [col("a", "id", type="integer")]}).rows(PATIENT)
    with pytest.raises(UserError, match="element"):
        view({"column": [col("a", "name.first()")]}).rows(PATIENT)


@pytest.mark.parametrize(
    ("select", "said"),
    [
        ({"column": [col("id", "id")], "groupBy": "x"}, "groupBy"),
        ({"column": [col("id", "id", extra=1)]}, "extra"),
        ({"column": [col("1d", "id")]}, "column name"),
        ({"column": [col("id", "id"), col("id", "gender")]}, "two columns"),
        ({"column": [col("id", "id", type="HumanName")]}, "HumanName"),
        ({"column": [col("n", "%rowIndex")]}, "rowIndex"),
        ({"forEach": "name", "forEachOrNull": "name", "column": [col("f", "family")]}, "not both"),
        ({"forEach": "name"}, "without columns"),
        ({"column": [{"name": "x"}]}, "path is missing"),
    ],
)
def test_what_is_wrong_or_not_supported_is_refused_by_name(select: Any, said: str) -> None:
    with pytest.raises(UserError, match=said):
        view(select)


@pytest.mark.parametrize("source", [b"{", b"[]", b'{"resource": "Patient"}', b'{"select": [{}]}'])
def test_what_is_no_view_is_refused(source: bytes) -> None:
    with pytest.raises(UserError):
        view_of(source)


def test_the_shipped_views_name_their_patient_and_their_own_id() -> None:
    for one in shipped():
        names = [c.name for c in one.columns]
        assert names[0] == "id"
        assert one.name in ("patient", "medication") or "patient_id" in names
