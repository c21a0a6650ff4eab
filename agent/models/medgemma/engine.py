"""The loop: prompts through the model, and several answers written side by side, a token at a time.

A prompt goes through alone, from the longest beginning whose KV cache is kept; then its cache is put beside those of
the answers being written, padded on the left, so that questions can join and leave between any two tokens. That keeps
every row exact: positions and windows are those of the row alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from transformers import DynamicCache

from agent.errors import ModelError
from agent.models.medgemma.caches import narrowed, side_by_side
from agent.models.medgemma.grammar import Grammars
from agent.models.medgemma.prefixes import Prefixes
from agent.models.medgemma.rows import Job, Row, Words
from agent.models.medgemma.template import Prompt, Template
from agent.models.memory import CHUNK

__all__ = ["Engine", "Logits"]

# Two ends of parts nearer than this are one: each costs a run of the model and a cache to keep.
_STEP = 16


class Logits:
    """The scores of one row: (vocabulary,), wherever the model left them."""

    def __init__(self, scores: torch.Tensor, best: int) -> None:
        self._scores, self.best = scores, best

    def best_of(self, allowed: Any, without: frozenset[int]) -> int:
        scores = self._scores.clone()
        if allowed is not None:
            scores[torch.from_numpy(~allowed).to(scores.device)] = -torch.inf
        scores[torch.tensor(sorted(without), device=scores.device)] = -torch.inf
        return int(scores.argmax())


class Engine:
    """A loaded model and the answers it is writing. One thread uses it."""

    def __init__(
        self, model: Any, template: Template, grammars: Grammars, words: Words, *, context: int, prefixes: Prefixes
    ) -> None:
        self._model, self._template, self._grammars, self._words = model, template, grammars, words
        self._context, self.prefixes = context, prefixes
        self._config = model.config.get_text_config()
        self._device = model.get_input_embeddings().weight.device
        self.rows: list[Row] = []
        self._cache: DynamicCache | None = None
        self._next: list[int] = []

    def join(self, job: Job) -> None:
        """Run a prompt and put its answer beside the others; its first token is chosen. Raises ModelError."""
        thinking = job.request.thinking > 0 and self._words.think is not None
        prompt = self._template.prompt(job.request.messages, thinking)
        if len(prompt.ids) >= self._context:
            raise ModelError(
                f"the prompt has {len(prompt.ids)} tokens and the context {self._context}: "
                "allow a longer context, or fewer tokens of cards"
            )
        grammar = self._grammars.of(job.request.schema) if job.request.schema is not None else None
        cached, cache, scores = self._prefill(prompt, job)
        row = Row(job, self._words, grammar, len(prompt.ids), cached, self._context)
        # Before anything is told: where memory ends here, the question is asked once more.
        together = cache if self._cache is None else side_by_side(self._cache, cache)
        token = row.take(Logits(scores, int(scores.argmax())))
        if row.finish:
            row.job.answer(row.completion())
            return
        self._cache = together
        self.rows.append(row)
        self._next.append(token)

    def _prefill(self, prompt: Prompt, job: Job) -> tuple[int, DynamicCache, torch.Tensor]:
        """The prompt's cache and the scores after it, with how many of its tokens were reused."""
        cached, found = self.prefixes.longest(prompt)
        cache = DynamicCache(config=self._config) if found is None else found
        ids = torch.tensor([prompt.ids], device=self._device)
        start, scores = cached, None
        for end, keeps in _cuts(prompt, cached):
            if job.over:
                raise job.late()
            scores = self._run(ids[:, start:end], cache, **self._seen(prompt, start, end))
            if keeps:
                self.prefixes.keep(prompt, end, cache)
            start = end
        assert scores is not None  # noqa: S101  the last token is never cached
        return cached, cache, scores[0]

    def _seen(self, prompt: Prompt, start: int, end: int) -> dict[str, Any]:
        """The images that lie in these tokens. The mask needs to know every token before them too."""
        first, after = prompt.images(start, end)
        if after == first:
            return {}
        kinds = torch.tensor([prompt.kinds[:end]], device=self._device)
        return {"pixel_values": prompt.pixels[first:after].to(self._device), "token_type_ids": kinds}

    def _run(self, ids: torch.Tensor, cache: DynamicCache, **more: Any) -> torch.Tensor:
        """Scores (rows, vocabulary) after the last of these tokens; the cache grows by them."""
        with torch.inference_mode():
            out = self._model(input_ids=ids, cache=cache, use_cache=True, logits_to_keep=1, **more)
        scores: torch.Tensor = out.logits[:, -1]
        return scores

    def step(self) -> None:
        """One more token for every row; those that are done, or that nobody waits for, leave first."""
        self._leave([row for row in self.rows if row.job.over])
        if not self.rows or self._cache is None:
            return
        ids = torch.tensor(self._next, device=self._device).unsqueeze(1)
        scores = self._run(ids, self._cache, **self._padding())
        best = scores.argmax(-1).tolist()
        self._next = [_taken(row, Logits(one, token)) for row, one, token in zip(self.rows, scores, best, strict=True)]
        done = [row for row in self.rows if row.finish]
        self._leave(done)
        for row in done:
            row.job.answer(row.completion())

    def _padding(self) -> dict[str, Any]:
        """Where rows of different lengths stand side by side: what is padding, and each row's own position."""
        lengths = [row.length for row in self.rows]
        if len(set(lengths)) == 1:
            return {}
        longest = max(lengths)
        columns = torch.arange(longest, device=self._device)
        own = torch.tensor(lengths, device=self._device).unsqueeze(1)
        return {"attention_mask": (columns >= longest - own).long(), "position_ids": own - 1}

    def _leave(self, rows: list[Row]) -> None:
        if not rows:
            return
        stay = [n for n, row in enumerate(self.rows) if row not in rows]
        # The newest token of each row is not in the cache yet.
        longest = max((self.rows[n].length - 1 for n in stay), default=0)
        self.rows, self._next = [self.rows[n] for n in stay], [self._next[n] for n in stay]
        self._cache = narrowed(self._cache, stay, longest) if stay and self._cache is not None else None

    def drop(self) -> list[Job]:
        """Forget every row; their jobs are given back."""
        jobs = [row.job for row in self.rows]
        self.rows, self._next, self._cache = [], [], None
        return jobs


def _cuts(prompt: Prompt, start: int) -> Iterator[tuple[int, bool]]:
    """Up to where the prompt is run each time, and whether the cache is kept there."""
    total = len(prompt.ids)
    for end in (*(end for end in prompt.ends if end < total), total):
        keeps = end < total
        if keeps and end - start < _STEP:
            continue
        while end - start > CHUNK:
            cut = start + CHUNK
            while prompt.inside(cut):
                cut += 1
            if cut >= end:
                break
            yield cut, False
            start = cut
        yield end, keeps
        start = end


def _taken(row: Row, scores: Logits) -> int:
    """The row's next token. A grammar that fails costs its own row only."""
    try:
        return row.take(scores)
    except ModelError as error:
        row.finish = "length"
        row.job.fail(error)
        return scores.best
