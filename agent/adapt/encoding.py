"""Rows → tokens as the backend would read and write them, and the loss of a model on the replies."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from agent.adapt.rows import Row
from agent.models.medgemma.template import Template

__all__ = ["Example", "encoded", "reply_loss"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A prompt with its reply as tokens; the last `reply` of them are what is learnt."""

    ids: tuple[int, ...]
    reply: int

    def columns(self) -> dict[str, list[int]]:
        """As a trainer takes what is tokens already: where there is nothing to learn, the label is -100."""
        prompt = len(self.ids) - self.reply
        return {"input_ids": list(self.ids), "labels": [-100] * prompt + list(self.ids[prompt:])}


def encoded(rows: Iterable[Row], template: Template, context: int) -> tuple[list[Example], int]:
    """The rows that are no longer than `context` tokens, and how many are. None is cut: half a reply teaches wrong."""
    examples, over = [], 0
    for row in rows:
        reply = template.reply(row.reply)
        ids = (*template.prompt(row.prompt()).ids, *reply)
        if len(ids) <= context:
            examples.append(Example(ids=ids, reply=len(reply)))
        else:
            over += 1
    return examples, over


def reply_loss(model: Any, examples: Sequence[Example]) -> float:
    """Nats for each token of the replies, all tokens of all replies counting alike."""
    device = model.get_input_embeddings().weight.device
    total, tokens = 0.0, 0
    model.eval()
    for example in examples:
        ids = torch.tensor([example.ids], device=device)
        with torch.inference_mode():
            logits = model(input_ids=ids, logits_to_keep=example.reply + 1, use_cache=False).logits[0, :-1]
        loss = torch.nn.functional.cross_entropy(logits.float(), ids[0, -example.reply :], reduction="sum")
        total, tokens = total + float(loss), tokens + example.reply
    return total / tokens
