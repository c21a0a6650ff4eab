"""Where weights come from, in which precision, and what is said where they cannot be had."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from agent.errors import ChartlineError, MissingExtra, ModelError, UserError
from agent.models.medgemma import VARIANTS, MedGemma
from agent.models.medgemma.variants import weights
from tests.agent.models import fake_hub, tiny


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.build(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


@pytest.fixture
def hub(
    request: pytest.FixtureRequest, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[fake_hub.Hub]:
    """A Hub on this machine, in place of the public one, with an empty cache and nobody logged in."""
    import huggingface_hub.constants as constants

    with fake_hub.running(folder, broken=getattr(request, "param", False)) as hub:
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.url + "/{repo_id}/resolve/{revision}/{filename}"
        )
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
        monkeypatch.delenv("HF_TOKEN", raising=False)
        yield hub


async def fails(model: MedGemma, error: type[ChartlineError], words: str) -> None:
    async with model:
        with pytest.raises(error, match=words):
            await model.load()


def test_every_variant_has_its_name_and_its_place() -> None:
    assert list(VARIANTS) == [
        "medgemma-27b-it", "medgemma-27b-text-it", "medgemma-4b-it", "medgemma-1.5-4b-it", "medgemma-4b-pt",
    ]  # fmt: skip
    for name, variant in VARIANTS.items():
        found = weights(name)
        assert (found.name, found.place, found.local, found.variant) == (name, f"google/{name}", False, variant)
        assert weights(variant.repo).variant is variant
        assert weights(name, "abc").revision == "abc"
    assert [name for name, v in VARIANTS.items() if v.thinks] == ["medgemma-27b-it", "medgemma-27b-text-it"]
    assert [name for name, v in VARIANTS.items() if v.shape.image_tokens == 0] == ["medgemma-27b-text-it"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("medgema-27b", "'medgema-27b' names no model: give medgemma-27b-it"),
        ("llama", "give medgemma-27b-it, medgemma-27b-text-it, .* a folder, or an owner/name"),
        ("./nowhere", "there is no such folder"),
        ("/nowhere/at/all", "there is no such folder"),
        ("", "names no model"),
    ],
)
def test_a_name_that_is_no_model(name: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        MedGemma(name)


def test_the_package_is_light_to_import() -> None:
    script = "import sys, agent.models.medgemma; print([m for m in ('torch', 'transformers') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("missing", "precision"),
    [("torch", "bf16"), ("transformers", "bf16"), ("llguidance", "bf16"), ("bitsandbytes", "4bit")],
)
async def test_a_package_that_is_not_installed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, missing: str, precision: Any
) -> None:
    import agent.models.medgemma.machine as machine

    monkeypatch.setattr(machine, "find_spec", lambda name: None if name == missing else importlib.util.find_spec(name))
    extra = "quantized" if missing == "bitsandbytes" else "medgemma"
    await fails(tiny.opened(folder, precision=precision), MissingExtra, rf"pip install 'chartline\[{extra}\]'")


async def test_a_torchvision_that_does_not_fit(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "torchvision"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "torchvision", raising=False)
    await fails(tiny.opened(folder), UserError, r"does not fit torch \(RuntimeError\).*pip uninstall torchvision")


def _without(pattern: str) -> Callable[[Path], None]:
    def remove(folder: Path) -> None:
        for path in folder.glob(pattern):
            path.unlink()

    return remove


def _adapter(folder: Path) -> None:
    (folder / "adapter_config.json").write_text("{}")


def _cut(folder: Path) -> None:
    path = next(folder.glob("*.safetensors"))
    path.write_bytes(path.read_bytes()[:5000])


def _garbled(folder: Path) -> None:
    (folder / "config.json").write_text("{ not json")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_without("config.json"), "holds no model: there is no config.json"),
        (_without("*.safetensors"), "holds no weights: there are no .safetensors"),
        (_adapter, "holds an adapter, not a model: name it by CHARTLINE_MODEL_ADAPTER"),
        (_cut, r"weights in 'copy' cannot be loaded \(SafetensorError\): fetch or copy them again"),
        (_garbled, "config.json of .* cannot be read"),
        (lambda f: tiny.edit(f, model_type="llama"), "is a 'llama' model; this program runs Gemma 3"),
        (_without("tokenizer*"), "the tokenizer or image processor in 'copy' cannot be read"),
        (_without("*processor*"), "the tokenizer or image processor in 'copy' cannot be read"),
        (lambda f: tiny.edit(f, quantization_config={"quant_method": "gptq", "bits": 4}), "quantized by 'gptq'"),
    ],
    ids=["no config", "no weights", "adapter", "cut", "garbled", "llama", "no tokenizer", "no processor", "gptq"],
)
async def test_a_folder_that_is_no_model(copy: Path, spoil: Callable[[Path], None], words: str) -> None:
    spoil(copy)
    await fails(tiny.opened(copy), UserError, words)


async def test_too_little_memory_is_said_before_anything_is_loaded(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import agent.models.medgemma.loading as loading

    monkeypatch.setattr(loading, "free", lambda gpus: (2**20, "this machine"))
    monkeypatch.setattr(loading, "_model", lambda *a: pytest.fail("loaded"))
    await fails(tiny.opened(folder), ModelError, r"not enough memory: fp32 weights.*this machine has 0.001 GiB free")


async def test_memory_that_ends_while_loading(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch
    from transformers import AutoModelForImageTextToText

    def load(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(AutoModelForImageTextToText, "from_pretrained", load)
    await fails(tiny.opened(folder), ModelError, "out of memory while loading: choose 8bit or 4bit")


@pytest.mark.parametrize("device", ["cuda", "cuda:0", "mps", "tpu", "cuda:x"])
async def test_a_device_that_is_not_there(folder: Path, monkeypatch: pytest.MonkeyPatch, device: str) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    await fails(
        tiny.opened(folder, device=device), UserError, f"{device!r} is not on this machine; there are auto, cpu"
    )


def test_one_gpu_several_and_none(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from agent.models.medgemma.machine import device_map, free

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda gpu: (10 + gpu, 100))
    assert device_map("auto") == ("auto", [0, 1])
    assert device_map("cuda:1") == ({"": 1}, [1])
    assert device_map("cpu") == ({"": "cpu"}, [])
    assert free([0, 1]) == (21, "the 2 GPUs together") and free([1]) == (11, "GPU 1")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert device_map("auto") == ({"": 0}, [0])
    with pytest.raises(UserError, match="there are auto, cpu, cuda:0"):
        device_map("cuda:1")


def test_a_container_bounds_what_is_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import agent.models.medgemma.machine as machine

    monkeypatch.setattr(machine, "_CGROUP", tmp_path)
    open_ = machine.free([])[0]
    (tmp_path / "memory.max").write_text("5000\n")
    (tmp_path / "memory.current").write_text("2000\n")
    assert machine.free([]) == (3000, "this machine")
    (tmp_path / "memory.max").write_text("max\n")
    assert machine.free([])[0] > 3000 and open_ > 3000


@pytest.mark.parametrize("precision", ["bf16", "8bit", "4bit"])
async def test_every_precision_answers_under_its_schema(folder: Path, precision: Any) -> None:
    pytest.importorskip("bitsandbytes")
    async with tiny.opened(folder, precision=precision) as model:
        card = await model.describe()
        completion = await model.complete(tiny.request("?", schema=tiny.SCHEMA, shades=(9,), tokens=300))
    jsonschema.validate(json.loads(completion.text), tiny.SCHEMA)
    assert card.revision == ("" if precision == "bf16" else precision)


@pytest.mark.parametrize(("precision", "kind"), [("8bit", "Linear8bitLt"), ("4bit", "Linear4bit")])
def test_quantization_leaves_vision_and_head_whole(folder: Path, precision: Any, kind: str) -> None:
    pytest.importorskip("bitsandbytes")
    import torch

    from agent.models.medgemma.loading import open_model
    from agent.models.memory import Plan

    model = open_model(weights(str(folder)), Plan(precision=precision), device="cpu").model
    kinds = {name: type(module).__name__ for name, module in model.named_modules() if "Linear" in type(module).__name__}
    assert {k for name, k in kinds.items() if "language_model" in name} == {kind}
    assert {k for name, k in kinds.items() if "vision_tower" in name or name == "lm_head"} == {"Linear"}
    assert model.model.multi_modal_projector.mm_input_projection_weight.dtype == torch.bfloat16


async def test_weights_that_were_saved_quantized_are_loaded_as_they_are(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("bitsandbytes")
    import agent.models.medgemma.machine as machine
    from agent.models.medgemma.loading import open_model
    from agent.models.memory import Plan

    opened = open_model(weights(str(folder)), Plan(precision="4bit"), device="cpu")
    opened.model.save_pretrained(tmp_path / "saved")
    opened.processor.save_pretrained(tmp_path / "saved")
    async with tiny.opened(tmp_path / "saved", precision="bf16") as model:
        assert (await model.describe()).revision == "4bit"
        assert (await model.complete(tiny.request("?"))).text
    spec = importlib.util.find_spec
    monkeypatch.setattr(machine, "find_spec", lambda name: None if name == "bitsandbytes" else spec(name))
    await fails(tiny.opened(tmp_path / "saved"), MissingExtra, r"chartline\[quantized\]")


def test_the_estimate_is_the_size_of_what_is_loaded(folder: Path, tmp_path: Path) -> None:
    from agent.models.medgemma.loading import open_model
    from agent.models.memory import Plan

    for place in (folder, tiny.build_text(tmp_path / "text")):
        opened = open_model(weights(str(place)), Plan(precision="fp32"), device="cpu")
        assert opened.shape.parameters == sum(p.numel() for p in opened.model.parameters())
        assert opened.need.weights == sum(p.nbytes for p in opened.model.parameters())


@pytest.mark.loopback
async def test_weights_from_the_hub_then_without_it(hub: fake_hub.Hub) -> None:
    async with MedGemma(fake_hub.REPO, precision="fp32", device="cpu", prefixes=0) as model:
        card = await model.describe()
        answer = await model.complete(tiny.request("hello"))
    assert (card.name, card.revision) == (fake_hub.REPO, fake_hub.COMMIT)
    hub.asked.clear()
    async with MedGemma(fake_hub.REPO, precision="fp32", device="cpu", prefixes=0, offline=True) as model:
        assert (await model.describe()).revision == fake_hub.COMMIT
        assert (await model.complete(tiny.request("hello"))).text == answer.text
    assert hub.asked == []


@pytest.mark.loopback
async def test_a_gated_model_needs_the_users_token(hub: fake_hub.Hub) -> None:
    words = f"{fake_hub.GATED} is gated: accept its terms at https://huggingface.co/{fake_hub.GATED}, and give a token"
    for token in (None, "hf_bad"):
        await fails(MedGemma(fake_hub.GATED, device="cpu", token=token), UserError, words)
    async with MedGemma(fake_hub.GATED, device="cpu", token=fake_hub.TOKEN, prefixes=0) as model:
        assert (await model.describe()).revision == fake_hub.COMMIT


@pytest.mark.loopback
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"name": "site/unknown"}, "there is no site/unknown on the Hub, or it is not open to this token"),
        ({"name": fake_hub.REPO, "revision": "nope"}, "has no revision 'nope' on the Hub"),
        (
            {"name": fake_hub.REPO, "offline": True},
            "is not in this machine's Hub cache and offline is set: fetch it once",
        ),
    ],
)
async def test_a_place_that_the_hub_does_not_have(hub: fake_hub.Hub, options: dict[str, Any], words: str) -> None:
    await fails(MedGemma(**options, device="cpu"), UserError, words)


@pytest.mark.loopback
@pytest.mark.parametrize("hub", [True], indirect=True)
async def test_a_hub_that_is_down(hub: fake_hub.Hub) -> None:
    await fails(MedGemma(fake_hub.REPO, device="cpu"), UserError, "the Hub cannot be reached: fetch it once")


async def test_a_load_that_failed_is_tried_again(folder: Path, tmp_path: Path) -> None:
    place = Path(shutil.copytree(folder, tmp_path / "late"))
    (place / "config.json").rename(place / "config.away")
    async with tiny.opened(place) as model:
        with pytest.raises(UserError):
            await model.load()
        (place / "config.away").rename(place / "config.json")
        assert (await model.complete(tiny.request("hello"))).text
