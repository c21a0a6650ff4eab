"""Which frames are read, in which order."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_tools.imaging.choosing import Item, Picker, evenly, from_archive, picker
from fhir_tools.imaging.types import Choice, Image
from fhir_tools.types import Reference

STUDY = Image(reference=Reference(type="ImagingStudy", id="s"), path="ImagingStudy", uid="1.2")


def picked(choose: Choice, counts: list[int], *, known: bool = True) -> list[tuple[int, int]]:
    """(file, frame) of what is read of files with so many frames."""
    items = [Item(places=(), frames=count if known else None) for count in counts]
    wanted, first, found = picker(choose, items), 1, []
    for at, count in enumerate(counts):
        needed = wanted.may_need(at, first, count if known else None)
        picks = wanted.picks(at, first, count) if needed else ()
        assert not (picks and not needed)
        found += [(at, index) for index in picks]
        first += count
    return found


@given(st.integers(1, 500), st.integers(1, 100))
def test_even_choices_are_spread(total: int, most: int) -> None:
    found = evenly(total, most)
    assert len(found) == min(total, most) == len(set(found)) and list(found) == sorted(found)
    assert all(0 <= x < total for x in found)
    gaps = {b - a for a, b in pairwise(found)}
    assert not gaps or max(gaps) - min(gaps) <= 1


def test_one_of_many_is_the_middle_one() -> None:
    assert evenly(300, 1) == (150,) and evenly(4, 2) == (1, 3)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=9), st.integers(1, 20))
def test_most_is_over_all_frames_where_they_are_known(counts: list[int], most: int) -> None:
    found = picked(Choice(most=most), counts)
    flat = [(at, index) for at, count in enumerate(counts) for index in range(count)]
    assert found == [flat[x] for x in evenly(len(flat), most)]


@pytest.mark.parametrize("known", [True, False])
def test_frames_by_number_go_over_all_files(known: bool) -> None:
    assert picked(Choice(frames=(1, 3, 6)), [2, 1, 3], known=known) == [(0, 0), (1, 0), (2, 2)]


def test_where_frames_are_not_known_files_are_chosen_evenly() -> None:
    assert picked(Choice(most=2), [1, 1, 1, 1], known=False) == [(1, 0), (3, 0)]
    assert picked(Choice(most=3), [9], known=False) == [(0, 1), (0, 4), (0, 7)]
    assert picked(Choice(), [2, 1], known=False) == [(0, 0), (0, 1), (1, 0)]


def row(instance: str, number: int, z: float | None = None, series: str = "1.2.1") -> dict[str, object]:
    told = {"00080018": instance, "0020000E": series, "00080016": "1.2.840.10008.5.1.4.1.1.2"}
    tags: dict[str, object] = {tag: {"vr": "UI", "Value": [value]} for tag, value in told.items()}
    tags["00200013"] = {"vr": "IS", "Value": [number]}
    if z is not None:
        tags["00200032"] = {"vr": "DS", "Value": [0, 0, z]}
        tags["00200037"] = {"vr": "DS", "Value": [1, 0, 0, 0, 1, 0]}
    return tags


def series(uid: str, number: int, modality: str = "CT") -> dict[str, object]:
    told = {"0020000E": uid, "00080060": modality}
    tags: dict[str, object] = {tag: {"Value": [value]} for tag, value in told.items()}
    return {**tags, "00200011": {"Value": [number]}}


def test_slices_are_in_order_of_where_they_lie() -> None:
    rows = [row("a", 1, 30.0), row("b", 2, 10.0), row("c", 3, 20.0)]
    assert [i.instance for i in from_archive(STUDY, [series("1.2.1", 1)], rows)] == ["b", "c", "a"]


def test_without_places_by_number_and_series_by_number_without_reports() -> None:
    rows = [row("b", 2), row("a", 1), row("r", 1, series="1.2.3"), row("z", 1, series="1.2.2")]
    listed = [series("1.2.1", 5), series("1.2.2", 2), series("1.2.3", 1, "SR")]
    found = from_archive(STUDY, listed, rows)
    assert [i.instance for i in found] == ["z", "a", "b"] and {i.frames for i in found} == {1}


def test_rows_that_are_no_dicom_json_are_passed_over() -> None:
    assert from_archive(STUDY, [series("1.2.1", 1), {"0020000E": "x"}], [{}, {"00080018": {"Value": "x"}}]) == []


def test_a_count_that_cannot_be_is_not_believed() -> None:
    """An archive's NumberOfFrames is gone through frame by frame, and one below 1 would leave the file out."""
    image = Image(reference=Reference(type="ImagingStudy", id="s"), path="ImagingStudy", uid="1.2")
    for count in (0, -3, 2**31, 1e300, "4x", None, [2]):
        told = row("1.2.1.1", 1) | {"00080016": {"Value": ["1.2.3"]}, "00280008": {"Value": [count]}}
        assert from_archive(image, [series("1.2.1", 1)], [told])[0].frames is None


def test_what_may_be_needed_is_known_without_counting_it_out() -> None:
    assert Picker(numbers=frozenset({5})).may_need(0, 1, 10**12)
    assert not Picker(numbers=frozenset({5})).may_need(0, 6, 10**12)
    assert Picker().may_need(0, 1, 10**12) and not Picker(files=frozenset({1})).may_need(0, 1, 10**12)
