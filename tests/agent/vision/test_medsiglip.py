"""MedSigLIP's class with tiny random weights: embeddings, labels, a chart's index, and how it says it cannot load."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from agent.cli import embedding
from agent.errors import MissingExtra, ModelError, UserError
from agent.models.medgemma import machine
from agent.vision.medsiglip import MedSigLIP
from tests.agent.asking import store_of
from tests.agent.models.tiny import edit, picture
from tests.agent.vision import tiny_siglip
from tests.agent.vision.charts import photo, study

np = pytest.importorskip("numpy")
pytest.importorskip("usearch.index")
pytest.importorskip("pydicom")
from agent.vision.calibration import fit, read_calibration, write_calibration  # noqa: E402  need the extra
from agent.vision.index import Index  # noqa: E402
from agent.vision.keeping import Updated, similar, update  # noqa: E402
from agent.vision.labels import labelled, logits  # noqa: E402
from fhir_tools.imaging import find, open_access  # noqa: E402
from fhir_tools.local import LocalStore  # noqa: E402
from fhir_tools.scope import Scoped  # noqa: E402
from fhir_tools.types import Reference  # noqa: E402

PATIENT = Reference(type="Patient", id="p")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_siglip.build(tmp_path_factory.mktemp("siglip") / "tiny-siglip")


def test_vectors_are_unit_and_do_not_depend_on_the_batch(folder: Path) -> None:
    async def run() -> None:
        pictures = [picture(shade) for shade in (10, 60, 120, 200, 250)]
        async with tiny_siglip.opened(folder, batch=2) as small, tiny_siglip.opened(folder, batch=8) as large:
            card = await small.describe()
            assert (card.name, card.width, card.size, card.bias) == ("tiny-siglip", 32, 28, -3.0)
            assert card.revision.startswith("sha256:") and card.scale == pytest.approx(np.exp(2.3), rel=1e-4)
            one, other = await small.images(pictures), await large.images(pictures)
            assert one.shape == (5, 32) and np.allclose(one, other, atol=1e-5)
            assert np.allclose(np.linalg.norm(one, axis=1), 1, atol=1e-5)
            assert not np.allclose(one[0], one[4], atol=0.1)
            texts = await small.texts(["pleural effusion", "normal lungs", "word " * 500])
            assert texts.shape == (3, 32) and not np.allclose(texts[0], texts[1], atol=0.01)
            assert (await small.images([])).shape == (0, 32)
            with pytest.raises(UserError, match="could not be decoded"):
                await small.images([b"no picture"])
        with pytest.raises(ModelError, match="was closed"):
            await small.images(pictures)

    asyncio.run(run())


def test_labels_use_the_models_own_sigmoid_and_the_calibration(folder: Path, tmp_path: Path) -> None:
    async def run() -> None:
        async with tiny_siglip.opened(folder) as encoder:
            vectors = await encoder.images([picture(20), picture(220)])
            values = await logits(encoder, vectors, ["effusion", "  clear   lungs "])
            card, texts = await encoder.describe(), await encoder.texts(["effusion"])
            cosines = (texts @ vectors.T)[0]
            assert values["effusion"] == pytest.approx([card.scale * c + card.bias for c in cosines], abs=1e-4)
            rows = await labelled(encoder, vectors, ["effusion", "clear lungs"])
            assert all(r.probability is None and 0 < r.fit < 1 for r in rows)
            curve = fit([-3, -2, -4, -2, -3, 1, 2, 0, 1, 2], [False] * 5 + [True] * 5)
            write_calibration(tmp_path / "c.json", card, {"effusion": curve})
            kept = read_calibration(tmp_path / "c.json", card)
            told = {r.label: r for r in await labelled(encoder, vectors, ["effusion", "clear lungs"], kept)}
            assert told["effusion"].probability == pytest.approx(curve.probability(max(values["effusion"])), abs=1e-3)
            assert told["clear lungs"].probability is None
            with pytest.raises(UserError, match="labels"):
                await labelled(encoder, vectors, [" "])

    asyncio.run(run())


async def brought(store: LocalStore, encoder: MedSigLIP, index: Index) -> Updated:
    scoped = Scoped(store, PATIENT)
    found = await find(scoped)
    async with open_access(scoped) as access:
        return await update(index, encoder, found, access, PATIENT, slices=3)


def test_a_charts_images_are_added_changed_and_dropped(folder: Path, tmp_path: Path) -> None:
    async def run() -> None:
        films = [
            study("s1", "2024-03-02", 60, 200),
            study("s0", "2023-03-02", 62),
            photo("ph", "2024-04-01", "Heel", 200),
        ]
        store = store_of(tmp_path, *films)
        async with tiny_siglip.opened(folder) as encoder:
            with Index(tmp_path / "index", await encoder.describe()) as index:
                assert await brought(store, encoder, index) == Updated(added=3)
                assert len(index) == 4
                assert await brought(store, encoder, index) == Updated(kept=3)
                hits = similar(index, PATIENT, "ImagingStudy/s1", 5)
                assert {h.image for h in hits} == {"ImagingStudy/s0", "Media/ph"}
            changed = [study("s1", "2024-03-02", 60, 200), study("s0", "2023-03-02", 230, 240)]
            later = store_of(tmp_path, *changed)
            broken = study("bad", "2024-01-01", 60)
            broken["series"][0]["instance"][0]["extension"][0]["valueAttachment"]["data"] = "bm8="
            worse = store_of(tmp_path, *changed, broken)
            with Index(tmp_path / "index", await encoder.describe()) as index:
                done = await brought(later, encoder, index)
                assert (done.removed, done.added) == (1, 0) and done.changed + done.kept == 2
                assert "Media/ph" not in index.stamps(str(PATIENT))
                done = await brought(worse, encoder, index)
                assert len(done.unread) == 1 and "ImagingStudy/bad" in done.unread[0]
            part = study("s0", "2023-03-02", 230, 240)
            part["series"][0]["instance"][1]["extension"][0]["valueAttachment"]["data"] = "bm8="
            with Index(tmp_path / "other", await encoder.describe()) as index:
                for _ in range(2):
                    done = await brought(store_of(tmp_path, part), encoder, index)
                    assert len(done.unread) == 1 and done.unread[0].startswith("ImagingStudy/s0, file 2 of 2: ")
                    assert done.kept == 0 and len(index) == 1

    asyncio.run(run())


def test_the_weights_decide_the_revision(folder: Path, tmp_path: Path) -> None:
    async def revision(place: Path) -> str:
        async with tiny_siglip.opened(place) as encoder:
            return (await encoder.describe()).revision

    other = tiny_siglip.build(tmp_path / "other", seed=4)
    assert asyncio.run(revision(other)) != asyncio.run(revision(folder))


def test_what_cannot_load_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def load(place: str, **options: object) -> None:
        async with MedSigLIP(place, **options) as encoder:  # type: ignore[arg-type]
            await encoder.describe()

    with pytest.raises(UserError, match=r"names no model.*medsiglip-448"):
        MedSigLIP("medsiglip-484")
    with pytest.raises(UserError, match=r"no config\.json"):
        asyncio.run(load(str(tmp_path)))
    place = tiny_siglip.build(tmp_path / "tiny")
    with pytest.raises(UserError, match="the device 'cuda:7' is not on this machine"):
        asyncio.run(load(str(place), device="cuda:7"))
    (place / "model.safetensors").write_bytes(b"broken")
    with pytest.raises(UserError, match="cannot be loaded"):
        asyncio.run(load(str(place), device="cpu"))
    edit(place, model_type="clip")
    with pytest.raises(UserError, match="this takes SigLIP"):
        asyncio.run(load(str(place), device="cpu"))
    monkeypatch.setattr(machine, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"chartline\[medsiglip\]"):
        asyncio.run(load(str(place)))


def test_without_its_weights_the_hub_is_the_remedy_and_offline_asks_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))

    async def load() -> None:
        async with MedSigLIP(offline=True) as encoder:
            await encoder.describe()

    with pytest.raises(UserError, match="google/medsiglip-448 is not in this machine's Hub cache and offline is set"):
        asyncio.run(load())


def test_an_image_that_the_chart_does_not_have_gets_no_labels(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chart = tmp_path / "chart.ndjson"
    patient = {"resourceType": "Patient", "id": "p"}
    chart.write_text("".join(f"{json.dumps(r)}\n" for r in (patient, study("s1", "2024-03-02", 60))))
    monkeypatch.setenv("CHARTLINE_IMAGE_ENCODER", str(folder))
    monkeypatch.setenv("CHARTLINE_IMAGE_INDEX", str(tmp_path / "index"))
    assert embedding.label_image("ImagingStudy/s1", "p", ["effusion"], [str(chart)], as_json=True) == 0
    with pytest.raises(UserError, match="ImagingStudy/other is not in the image index"):
        embedding.label_image("ImagingStudy/other", "p", ["effusion"], [str(chart)], as_json=True)
