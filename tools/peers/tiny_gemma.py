"""A tiny random Gemma 3 (the real classes, processor, template and image tokens), built in under a second.

The weights are random but the same each time. `build` makes the multimodal model, `build_text` the text-only one.
`python -m tools.peers.tiny_gemma FOLDER` writes the multimodal one with a long context, as vLLM reads it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

__all__ = ["CONTEXT", "TEMPLATE", "VOCAB", "WINDOW", "build", "build_text", "for_vllm", "main", "tokenizer"]

WINDOW, CONTEXT, IMAGE_TOKENS, VOCAB = 64, 4096, 4, 384
LONG = 32768
"""The context for servers: a character is a token here, and a prompt has some five thousand."""

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
    import transformers as hf

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


def _text(context: int) -> Any:
    import transformers as hf

    return hf.Gemma3TextConfig(
        vocab_size=VOCAB, hidden_size=64, intermediate_size=128, num_hidden_layers=6, num_attention_heads=4,
        num_key_value_heads=2, head_dim=32, sliding_window=WINDOW, max_position_embeddings=context,
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
    import torch
    import transformers as hf

    torch.manual_seed(7)
    model = hf.Gemma3ForCausalLM(_text(CONTEXT)).eval()
    _temper(model)
    model.save_pretrained(folder)
    tokenizer(template).save_pretrained(folder)
    return folder


def build(folder: Path, context: int = CONTEXT) -> Path:
    """A multimodal model and its processor, in a folder."""
    import torch
    import transformers as hf

    torch.manual_seed(7)
    words = tokenizer()
    ids = {name: words.convert_tokens_to_ids(f"<{name}>") for name in ("start_of_image", "end_of_image")}
    vision = hf.SiglipVisionConfig(
        hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4, image_size=56,
        patch_size=14, vision_use_head=False,
    )  # fmt: skip
    config = hf.Gemma3Config(
        text_config=_text(context), vision_config=vision, mm_tokens_per_image=IMAGE_TOKENS,
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


def for_vllm(folder: Path, context: int = LONG) -> Path:
    """The multimodal model, its vision tower under the names that vLLM 0.32 looks for."""
    from safetensors.torch import load_file, save_file

    weights = build(folder, context) / "model.safetensors"
    renamed = {
        name.replace("vision_tower.", "vision_tower.vision_model.", 1): t for name, t in load_file(weights).items()
    }
    save_file(renamed, weights, metadata={"format": "pt"})
    return folder


def main(arguments: list[str]) -> int:
    """The command line: the folder to write to."""
    if len(arguments) != 1:
        print("usage: python -m tools.peers.tiny_gemma FOLDER", file=sys.stderr)
        return 2
    print(for_vllm(Path(arguments[0])))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
