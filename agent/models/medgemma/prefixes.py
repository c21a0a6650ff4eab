"""The KV cache of what prompts begin with, kept for the next question and bounded in bytes."""

from __future__ import annotations

from collections import OrderedDict

from transformers import DynamicCache

from agent.models.medgemma.caches import compacted, shared, size
from agent.models.medgemma.template import Prompt

__all__ = ["Prefixes"]

_Key = tuple[tuple[int, ...], tuple[bytes, ...]]


class Prefixes:
    """Prefilled beginnings, the least lately used of which goes first. `room` is in bytes; 0 keeps none.

    A sliding layer has forgotten what lies before its window, so a cache serves the whole beginning it was made for
    and no shorter one: it is kept at the end of every part.
    """

    def __init__(self, room: int) -> None:
        self._room, self._held = room, 0
        self._kept: OrderedDict[_Key, tuple[DynamicCache, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def held(self) -> int:
        """Bytes in use."""
        return self._held

    def longest(self, prompt: Prompt) -> tuple[int, DynamicCache | None]:
        """The most tokens of the prompt whose cache is kept, and a cache to go on with. The last token is never among
        them: the model has to be run for something."""
        fitting = [key for key in self._kept if len(key[0]) < len(prompt.ids) and prompt.key(len(key[0])) == key]
        if not fitting:
            return 0, None
        best = max(fitting, key=lambda key: len(key[0]))
        self._kept.move_to_end(best)
        return len(best[0]), shared(self._kept[best][0])

    def keep(self, prompt: Prompt, end: int, cache: DynamicCache) -> None:
        """Keep the cache of the prompt's first `end` tokens, if there is room for it at all."""
        key = prompt.key(end)
        if self._room == 0 or key in self._kept:
            return
        kept = compacted(cache)
        weight = size(kept)
        if weight > self._room:
            return
        self._kept[key] = (kept, weight)
        self._held += weight
        while self._held > self._room:
            self._held -= self._kept.popitem(last=False)[1][1]

    def clear(self) -> None:
        self._kept.clear()
        self._held = 0
