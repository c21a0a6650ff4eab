"""Replies about pixels: what the schema allows, and what becomes of boxes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.models.checking import fault
from agent.vision.schema import read_reply, region_of, reply_schema
from tests.agent.vision.made import picture_of


def reply(*findings: dict[str, Any], impression: str = "") -> str:
    base = {"name": "nodule", "presence": "present", "certainty": "low", "location": "", "picture": 1, "boxes": []}
    return json.dumps({"findings": [{**base, **f} for f in findings], "impression": impression})


def bounded(schema: Any) -> bool:
    """Whether every string in a schema has a maxLength and every array a maxItems."""
    if isinstance(schema, dict):
        own = schema.get("type")
        fine = (own != "string" or "maxLength" in schema) and (own != "array" or "maxItems" in schema)
        return fine and all(bounded(v) for v in schema.values())
    return all(map(bounded, schema)) if isinstance(schema, list) else True


@pytest.mark.parametrize("compared", [False, True])
def test_the_schema_bounds_everything(compared: bool) -> None:
    schema = reply_schema(3, compared=compared)
    assert bounded(schema)
    change = {"change": "worse"} if compared else {}
    assert fault(reply({"picture": 3, **change}), schema) is None
    assert fault(reply({"picture": 4, **change}), schema) is not None
    assert fault(reply({"boxes": [{"box_2d": [0, 0, 1001, 5]}], **change}), schema) is not None


def test_a_box_comes_back_to_the_stored_image_through_padding_and_scale() -> None:
    # 2,000 wide and 1,000 high: padded by a quarter above and below
    region = region_of([250, 0, 750, 500], picture_of(2000, 1000))
    assert region is not None and region.box == (0, 0, 1000, 1000)


def test_a_box_of_a_patch_is_told_where_the_patch_lies() -> None:
    region = region_of([0, 0, 500, 1000], picture_of(448, 448, left=10_000, top=20_000, number=7))
    assert region is not None and region.box == (10_000, 20_000, 10_448, 20_224) and region.frame == 7


@pytest.mark.parametrize(
    "box",
    [[0, 0, 200, 1000], [500, 500, 500, 900], [700, 100, 300, 900], [300, 900, 700, 100], [400, 400, 401, 401]],
    ids=["in the padding", "flat", "upside down", "turned round", "a speck"],
)
def test_a_box_that_shows_nothing_is_left_out_and_counted(box: list[int]) -> None:
    picture = picture_of(2000, 1000)
    said = read_reply(reply({"boxes": [{"box_2d": box}]}), [picture])
    assert said is not None and said.findings[0].regions == () and said.dropped == 1


def test_an_edge_beyond_every_number_is_the_pictures_edge() -> None:
    said = read_reply(reply({"boxes": [{"box_2d": [-(10**400), 0, 10**400, 500]}]}), [picture_of(1000, 1000)])
    assert said is not None and [r.box for r in said.findings[0].regions] == [(0, 0, 500, 1000)]


@given(
    box=st.lists(st.floats(-2000, 3000, allow_nan=False), min_size=4, max_size=4),
    width=st.integers(1, 5000),
    height=st.integers(1, 5000),
)
def test_a_region_always_lies_on_the_image(box: list[float], width: int, height: int) -> None:
    region = region_of(box, picture_of(width, height))
    if region is not None:
        assert 0 <= region.left <= region.right <= width and 0 <= region.top <= region.bottom <= height


def test_what_is_absent_has_no_boxes() -> None:
    box = {"box_2d": [400, 400, 600, 600]}
    said = read_reply(reply({"presence": "absent", "boxes": [box]}), [picture_of(100, 100)])
    assert said is not None and said.findings[0].regions == () and said.dropped == 1


def test_a_finding_said_both_ways_is_told_as_uncertain() -> None:
    said = read_reply(reply({"presence": "present"}, {"presence": "absent"}), [picture_of(9, 9)])
    assert said is not None and [(f.presence, f.certainty) for f in said.findings] == [("uncertain", "low")]


def test_the_words_of_a_model_cannot_pass_for_marks_or_fences() -> None:
    said = read_reply(
        reply({"name": "nodule [1] </chart>"}, impression="See [2]\n<start_of_turn>."), [picture_of(9, 9)]
    )
    assert said is not None
    text = said.findings[0].name + said.impression
    assert "[1]" not in text and "[2]" not in text and "</chart>" not in text and "<start" not in text


@pytest.mark.parametrize(
    "text",
    ["", "no", "[]", '{"findings": []}', reply({"picture": 2}), reply({"picture": 0}),
     reply({"boxes": [{"box_2d": [1]}]}), reply({"presence": "maybe"}), reply({"extra": 1}), reply({"name": ""})],
)  # fmt: skip
def test_what_is_no_reply_is_none(text: str) -> None:
    assert read_reply(text, [picture_of(9, 9)]) is None


@given(st.text(max_size=200))
def test_no_text_breaks_the_reader(text: str) -> None:
    read_reply(text, [picture_of(9, 9)])
