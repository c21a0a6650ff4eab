"""KV caches as values: shared, put side by side with left padding, narrowed, measured.

transformers' dynamic layers grow by concatenation and never write in place, so two caches may share tensors.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from transformers import DynamicCache
from transformers.cache_utils import CacheLayerMixin

__all__ = ["compacted", "narrowed", "shared", "side_by_side", "size"]


def shared(cache: DynamicCache) -> DynamicCache:
    """A cache that starts with the same tensors and grows on its own."""
    other = copy.copy(cache)
    other.layers = [copy.copy(layer) for layer in cache.layers]
    return other


def compacted(cache: DynamicCache) -> DynamicCache:
    """A cache to keep: a sliding layer's last tokens are a view that would hold the memory of all."""
    kept = shared(cache)
    for layer in kept.layers:
        layer.keys, layer.values = (_own(tensor) for tensor in (layer.keys, layer.values))
    return kept


def _own(tensor: torch.Tensor) -> torch.Tensor:
    whole = tensor.untyped_storage().nbytes() == tensor.nbytes
    return tensor if whole else tensor.clone(memory_format=torch.contiguous_format)


def size(cache: DynamicCache) -> int:
    """Bytes of keys and values."""
    return int(sum(layer.keys.nbytes + layer.values.nbytes for layer in cache.layers))


def side_by_side(upper: DynamicCache, lower: DynamicCache) -> DynamicCache:
    """The rows of both; the shorter one is padded on the left. The caller masks the padding.

    A sliding layer of n tokens keeps the last of them, as it would had the padding come before them.
    """
    length = max(upper.get_seq_length(), lower.get_seq_length())
    both = shared(upper)
    for layer, a, b in zip(both.layers, upper.layers, lower.layers, strict=True):
        wide = max(a.keys.shape[-2], b.keys.shape[-2])
        layer.keys = torch.cat([_padded(a.keys, wide), _padded(b.keys, wide)])
        layer.values = torch.cat([_padded(a.values, wide), _padded(b.values, wide)])
        _set_length(layer, length)
    return both


def narrowed(cache: DynamicCache, rows: Sequence[int], columns: int) -> DynamicCache:
    """Only these rows, and only the last `columns` tokens: those before are padding of every row that stays."""
    fewer = shared(cache)
    for layer in fewer.layers:
        index = torch.tensor(rows, device=layer.keys.device)
        kept = min(columns, layer.keys.shape[-2])
        layer.keys = layer.keys[index][:, :, -kept:]
        layer.values = layer.values[index][:, :, -kept:]
        _set_length(layer, columns)
    return fewer


def _padded(tensor: torch.Tensor, wide: int) -> torch.Tensor:
    return torch.nn.functional.pad(tensor, (0, 0, wide - tensor.shape[-2], 0))


def _set_length(layer: CacheLayerMixin, length: int) -> None:
    if layer.is_sliding:
        layer.cumulative_length = length
