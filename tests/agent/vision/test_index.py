"""The index of vectors: updated in place, brought together after a crash, and of one model alone."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from agent.errors import OperatorError, UserError
from agent.vision.medsiglip.model import EncoderCard

np = pytest.importorskip("numpy")
pytest.importorskip("usearch.index")
from agent.vision import index as module  # noqa: E402  needs the extra
from agent.vision.index import Index, Row  # noqa: E402
from agent.vision.keeping import similar  # noqa: E402
from fhir_tools.types import Reference  # noqa: E402

WIDTH = 16
CARD = EncoderCard(name="tiny", revision="abc", width=WIDTH, size=28, scale=10.0, bias=-3.0)
A, B = "Patient/a", "Patient/b"


def vectors(number: int, seed: int = 1) -> list[np.ndarray]:
    made = np.random.default_rng(seed).normal(size=(number, WIDTH)).astype(np.float32)
    return list(made / np.linalg.norm(made, axis=1, keepdims=True))


def rows(*of: np.ndarray) -> list[Row]:
    return [Row(place=str(n), caption="DX", taken="2024", vector=v) for n, v in enumerate(of, 1)]


def fill(index: Index, patient: str = A, number: int = 6, seed: int = 1) -> list[np.ndarray]:
    made = vectors(number, seed)
    for n, vector in enumerate(made):
        index.put(patient, f"ImagingStudy/{n}", "1", rows(vector))
    return made


def test_the_nearest_come_first_and_survive_closing(tmp_path: Path) -> None:
    with Index(tmp_path / "i", CARD) as index:
        made = fill(index)
        first = index.nearest(made[2][None], 3)
    assert first[0].image == "ImagingStudy/2" and first[0].score == pytest.approx(1, abs=1e-3)
    assert [h.score for h in first] == sorted((h.score for h in first), reverse=True)
    with Index(tmp_path / "i", CARD) as index:
        assert index.nearest(made[2][None], 3) == first and len(index) == 6


def test_changed_and_deleted_images_leave_nothing_behind(tmp_path: Path) -> None:
    new = vectors(1, seed=9)[0]
    with Index(tmp_path, CARD) as index:
        made = fill(index)
        index.put(A, "ImagingStudy/2", "2", rows(new, made[5]))
        index.drop(A, ["ImagingStudy/0", "ImagingStudy/none"])
        assert index.stamps(A) == {
            "ImagingStudy/1": "1",
            "ImagingStudy/2": "2",
            **{f"ImagingStudy/{n}": "1" for n in (3, 4, 5)},
        }
        assert len(index) == 6 and len(index.of(A, "ImagingStudy/2")) == 2
        found = index.nearest(new[None], 6)
    assert found[0].image == "ImagingStudy/2" and "ImagingStudy/0" not in {h.image for h in found}


@pytest.mark.parametrize("fault", ["missing", "broken", "old"])
def test_a_graph_that_was_lost_or_left_behind_is_mended_from_the_vectors(
    tmp_path: Path, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_EXACT", 0)  # so that the graph answers
    with Index(tmp_path, CARD) as index:
        made = fill(index)
    old = (tmp_path / "graph.usearch").read_bytes()
    with Index(tmp_path, CARD) as index:
        index.drop(A, ["ImagingStudy/0"])
        index.put(A, "ImagingStudy/9", "1", rows(made[0]))
    graph = tmp_path / "graph.usearch"
    graph.unlink() if fault == "missing" else graph.write_bytes(b"no graph" if fault == "broken" else old)
    with Index(tmp_path, CARD) as index:
        assert index.nearest(made[0][None], 1)[0].image == "ImagingStudy/9"
        assert {h.image for h in index.nearest(made[0][None], 20)} == {f"ImagingStudy/{n}" for n in (1, 2, 3, 4, 5, 9)}


def test_the_graph_finds_what_comparing_one_by_one_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Index(tmp_path, CARD) as index:
        made = fill(index, number=300)
        exact = [h.image for h in index.nearest(made[7][None], 5)]
        monkeypatch.setattr(module, "_EXACT", 0)
        assert [h.image for h in index.nearest(made[7][None], 5)] == exact


def test_many_changes_do_not_fill_the_graph_with_gaps(tmp_path: Path) -> None:
    for seed in range(6):
        with Index(tmp_path, CARD) as index:
            fill(index, seed=seed)
    with Index(tmp_path, CARD) as index:
        assert len(index) == 6 and len(index._graph) == 6
        assert module._gaps(index._graph) <= 0.5


def test_another_revision_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with Index(tmp_path, CARD) as index:
        fill(index)
    other = EncoderCard(name="tiny", revision="def", width=WIDTH, size=28, scale=10.0, bias=-3.0)
    with pytest.raises(UserError, match=r"made by tiny abc, and this is tiny def.*CHARTLINE_IMAGE_INDEX"):
        Index(tmp_path, other)
    with Index(tmp_path, CARD) as index:
        assert len(index) == 6


def test_only_the_patients_named_are_searched(tmp_path: Path) -> None:
    with Index(tmp_path, CARD) as index:
        made = fill(index)
        fill(index, patient=B)
        assert {h.patient for h in index.nearest(made[0][None], 99, patients=[A])} == {A}
        a, b = (Reference(type="Patient", id=id_) for id_ in "ab")
        mine = similar(index, a, "ImagingStudy/0", 99)
        assert {h.patient for h in mine} == {A} and "ImagingStudy/0" not in {h.image for h in mine}
        both = similar(
            index, Reference(type="Patient", id="a"), "ImagingStudy/0", 99, cohort=[Reference(type="Patient", id="b")]
        )
        assert (both[0].patient, both[0].image) == (B, "ImagingStudy/0") and len(both) == 11
        assert similar(index, a, "ImagingStudy/0", 3, cohort=None) == both[:3]
        with pytest.raises(UserError, match="is not in the image index"):
            similar(index, b, "ImagingStudy/77", 1)


def test_the_files_are_their_owners_alone(tmp_path: Path) -> None:
    with Index(tmp_path / "new", CARD) as index:
        fill(index)
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "new").iterdir()}
    assert modes == {"vectors.sqlite": 0o600, "graph.usearch": 0o600}


def test_a_folder_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OperatorError, match="cannot be opened"):
        Index(tmp_path / "file", CARD)


def test_a_vector_of_another_length_is_a_mistake(tmp_path: Path) -> None:
    with Index(tmp_path, CARD) as index, pytest.raises(ValueError, match="shape"):
        index.put(A, "x", "1", [Row(place="1", caption="", taken="", vector=np.ones(3, dtype=np.float32))])


def test_what_another_process_has_removed_is_no_hit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Index(tmp_path, CARD) as index, Index(tmp_path, CARD) as other:
        made = fill(index)
        hits = index.nearest(made[2][None], 6)
        other.drop(A, ["ImagingStudy/2"])
        monkeypatch.setattr(module, "_EXACT", 0)  # the graph of this process still has it
        assert {h.image for h in index.nearest(made[2][None], 6)} == {h.image for h in hits[1:]}


def test_a_store_that_breaks_is_told_with_what_to_do(tmp_path: Path) -> None:
    with Index(tmp_path, CARD) as index:
        fill(index)
        index._store.execute("DROP TABLE pictures")
        with pytest.raises(OperatorError, match="remove the folder"):
            index.stamps(A)
