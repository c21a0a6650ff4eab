"""JSON under a schema, enforced while decoding: llguidance says which tokens may come next."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import numpy as np
from llguidance import LLMatcher
from llguidance.hf import from_tokenizer
from numpy.typing import NDArray

from agent.errors import ModelError

__all__ = ["Grammar", "Grammars"]

# One way to write each value: nothing to choose, so nothing to get lost in, and spaces as prompts show them.
_LAYOUT = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
_KEPT = 64


class Grammar:
    """The state of one answer. Greedy decoding asks `allows` first and needs `allowed` only where that says no."""

    def __init__(self, matcher: LLMatcher, vocab: int) -> None:
        self._matcher, self._vocab = matcher, vocab

    @property
    def done(self) -> bool:
        """Is the JSON whole, with nothing that could follow?"""
        return bool(self._matcher.is_stopped())

    @property
    def whole(self) -> bool:
        """May the answer end here?"""
        return bool(self._matcher.is_accepting())

    def allows(self, token: int) -> bool:
        return bool(self._matcher.validate_tokens([token]) == 1)

    def allowed(self) -> NDArray[np.bool_]:
        """Which tokens may come next: one flag for each of the vocabulary."""
        bits = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8)
        return np.unpackbits(bits, count=self._vocab, bitorder="little").astype(np.bool_)

    def take(self, token: int) -> None:
        """Go on by a token that is allowed. Raises ModelError where the grammar has grown past its limits."""
        if not self._matcher.consume_token(token):
            raise ModelError("the answer's grammar has failed: give every string of the schema a smaller maxLength")


class Grammars:
    """Grammars over one tokenizer; schemas that were compiled lately are kept.

    `vocab` is the number of logits (more than the tokenizer has), `stops` are the tokens that end an answer.
    """

    def __init__(self, tokenizer: Any, vocab: int, stops: frozenset[int]) -> None:
        self._tokens = from_tokenizer(tokenizer, n_vocab=vocab, eos_token=sorted(stops))
        self._vocab = vocab
        self._kept: OrderedDict[str, LLMatcher] = OrderedDict()

    def of(self, schema: Mapping[str, Any]) -> Grammar:
        """A new state at the start of the schema. Raises ModelError where the schema cannot be enforced."""
        text = json.dumps(schema)
        if text not in self._kept:
            self._kept[text] = self._compiled(text)
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(text)
        return Grammar(self._kept[text].deep_copy(), self._vocab)

    def _compiled(self, schema: str) -> LLMatcher:
        matcher = LLMatcher(self._tokens, LLMatcher.grammar_from_json_schema(schema, overrides=_LAYOUT), log_level=0)
        if matcher.is_error():
            raise ModelError(f"the schema of the answer cannot be enforced: {matcher.get_error().splitlines()[0]}")
        return matcher
