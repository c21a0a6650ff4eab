"""A tiny random Gemma 3 (the real classes, processor, template and image tokens), built in under a second.

The weights are random but the same each time. `build` makes the multimodal model, `build_text` the text-only one.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from agent.models.base import Message, Picture, Request
from agent.models.medgemma import MedGemma

# Without the extra, whoever imports this module is skipped.
torch, hf, pil = (pytest.importorskip(package) for package in ("torch", "transformers", "PIL.Image"))
for package in ("accelerate", "llguidance", "psutil"):
    pytest.importorskip(package)

__all__ = [
    "CONTEXT",
    "SCHEMA",
    "TEMPLATE",
    "WINDOW",
    "build",
    "build_text",
    "edit",
    "opened",
    "picture",
    "request",
    "tokenizer",
]

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "status": {"enum": ["answered", "not_found"]},
        "claims": {
            "type": "array",
            "maxItems": 2,
            "items": {
                "type": "object",
                "properties": {
                    "text": {"type": "string", "maxLength": 30},
                    "marks": {"type": "array", "items": {"enum": ["1", "2", "c1"]}, "minItems": 1, "maxItems": 2},
                },
                "required": ["text", "marks"],
                "additionalProperties": False,
            },
        },
    },
    "required": ["status", "claims"],
    "additionalProperties": False,
}
"""The shape of an answer, as the llm reasoner has it."""

WINDOW, CONTEXT, IMAGE_TOKENS, VOCAB = 64, 4096, 4, 384

TEMPLATE = """{{ bos_token }}
{%- if messages[0]['role'] == 'system' -%}
    {%- if messages[0]['content'] is string -%}
        {%- set first_user_prefix = messages[0]['content'] + '\n\n' -%}
    {%- else -%}
        {%- set first_user_prefix = messages[0]['content'][0]['text'] + '\n\n' -%}
    {%- endif -%}
    {%- set loop_messages = messages[1:] -%}
{%- else -%}
    {%- set first_user_prefix = "" -%}
    {%- set loop_messages = messages -%}
{%- endif -%}
{%- for message in loop_messages -%}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}
        {{ raise_exception("Conversation roles must alternate user/assistant/user/assistant/...") }}
    {%- endif -%}
    {%- if (message['role'] == 'assistant') -%}
        {%- set role = "model" -%}
    {%- else -%}
        {%- set role = message['role'] -%}
    {%- endif -%}
    {{ '<start_of_turn>' + role + '\n' + (first_user_prefix if loop.first else "") }}
    {%- if message['content'] is string -%}
        {{ message['content'] | trim }}
    {%- elif message['content'] is iterable -%}
        {%- for item in message['content'] -%}
            {%- if item['type'] == 'image' -%}
                {{ '<start_of_image>' }}
            {%- elif item['type'] == 'text' -%}
                {{ item['text'] | trim }}
            {%- endif -%}
        {%- endfor -%}
    {%- else -%}
        {{ raise_exception("Invalid content type") }}
    {%- endif -%}
    {{ '<end_of_turn>\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{'<start_of_turn>model\n'}}
{%- endif -%}"""
"""What Gemma 3's template does: the system turn before the first user turn, roles that must alternate, text trimmed."""


def tokenizer(template: bool = True) -> Any:
    """Every byte and ASCII sign, newlines merged as Gemma's are, the turn, image and thinking tokens."""
    words = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁"]
    words += [chr(code) for code in range(33, 127)] + ["\n" * n for n in range(1, 5)]
    made = hf.GemmaTokenizer(
        {word: n for n, word in enumerate(words)},
        [("\n", "\n"), ("\n\n", "\n\n"), ("\n\n", "\n")],
        model_specific_special_tokens={
            "boi_token": "<start_of_image>",
            "eoi_token": "<end_of_image>",
            "image_token": "<image_soft_token>",
        },
    )
    made.add_special_tokens({"additional_special_tokens": ["<start_of_turn>", "<end_of_turn>"]})
    made.add_tokens(["<unused94>", "<unused95>"])
    made.chat_template = TEMPLATE if template else None
    return made


def _text() -> Any:
    return hf.Gemma3TextConfig(
        vocab_size=VOCAB, hidden_size=64, intermediate_size=128, num_hidden_layers=6, num_attention_heads=4,
        num_key_value_heads=2, head_dim=32, sliding_window=WINDOW, max_position_embeddings=CONTEXT,
        query_pre_attn_scalar=32, pad_token_id=0, eos_token_id=1, bos_token_id=2, initializer_range=0.2,
    )  # fmt: skip


def _temper(model: Any) -> None:
    """Embeddings that are small beside the layers, so that the model does not say its last token again for ever, and
    none for lone bytes and stops, so that what it writes is text and goes on."""
    table = model.get_input_embeddings().weight.data
    table *= 0.05
    table[:261] = 0
    table[-24:] = 0


def build_text(folder: Path, template: bool = True) -> Path:
    """A text-only model and its tokenizer, in a folder; without a template it is as a base model is."""
    torch.manual_seed(7)
    model = hf.Gemma3ForCausalLM(_text()).eval()
    _temper(model)
    model.save_pretrained(folder)
    tokenizer(template).save_pretrained(folder)
    return folder


def build(folder: Path) -> Path:
    """A multimodal model and its processor, in a folder."""
    torch.manual_seed(7)
    words = tokenizer()
    ids = {name: words.convert_tokens_to_ids(f"<{name}>") for name in ("start_of_image", "end_of_image")}
    vision = hf.SiglipVisionConfig(
        hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4, image_size=56,
        patch_size=14, vision_use_head=False,
    )  # fmt: skip
    config = hf.Gemma3Config(
        text_config=_text(), vision_config=vision, mm_tokens_per_image=IMAGE_TOKENS,
        boi_token_index=ids["start_of_image"], eoi_token_index=ids["end_of_image"],
        image_token_index=words.convert_tokens_to_ids("<image_soft_token>"),
    )  # fmt: skip
    model = hf.Gemma3ForConditionalGeneration(config).eval()
    # Gemma 3 starts this one at zero, and images would say nothing.
    torch.nn.init.normal_(model.model.multi_modal_projector.mm_input_projection_weight, std=0.2)
    _temper(model)
    model.generation_config.eos_token_id = [1, words.convert_tokens_to_ids("<end_of_turn>")]
    model.save_pretrained(folder)
    images = hf.Gemma3ImageProcessorPil(size={"height": 56, "width": 56}, image_seq_length=IMAGE_TOKENS)
    hf.Gemma3Processor(images, words, chat_template=TEMPLATE, image_seq_length=IMAGE_TOKENS).save_pretrained(folder)
    return folder


def picture(shade: int, size: tuple[int, int] = (60, 40), mode: str = "RGB") -> bytes:
    """A PNG of one shade with a brighter corner."""
    image = pil.new("L", size, shade)
    image.paste(255 - shade, (0, 0, size[0] // 2, size[1] // 3))
    out = io.BytesIO()
    image.convert(mode).save(out, "PNG")
    return out.getvalue()


def opened(folder: Path, **options: Any) -> MedGemma:
    """The chat model over a tiny folder, exact (fp32) unless told otherwise."""
    return MedGemma(str(folder), **{"precision": "fp32", "device": "cpu", "prefixes": 2**24, **options})


def request(*parts: str, system: str = "", shades: tuple[int, ...] = (), **options: Any) -> Request:
    """A request with one user message of these parts, and pictures of these shades."""
    pictures = tuple(Picture(data=picture(shade), media_type="image/png") for shade in shades)
    first = (Message(role="system", parts=(system,)),) if system else ()
    return Request(messages=(*first, Message(role="user", parts=parts, pictures=pictures)), **{"tokens": 12, **options})


def edit(folder: Path, **values: object) -> None:
    """Write values into the folder's config.json."""
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))
