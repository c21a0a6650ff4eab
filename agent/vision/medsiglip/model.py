"""MedSigLIP: loaded when it is first asked, embedding in batches beside the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeVar

from agent.errors import ModelError, UserError
from agent.models.medgemma.machine import require_packages
from agent.models.medgemma.variants import weights
from agent.vision.medsiglip.variants import DEFAULT, ENCODERS

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    import numpy as np
    from numpy.typing import NDArray

    from agent.vision.medsiglip.encoder import Encoder

__all__ = ["EXTRA", "EncoderCard", "MedSigLIP"]

EXTRA = "medsiglip"
_NEEDED = ("torch", "transformers", "accelerate", "PIL", "psutil", "sentencepiece", "numpy")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderCard:
    """What embeds: `name`, `revision` of the weights (a commit, or a digest of local files), `width` of its vectors.

    `size` is the side of its images in pixels; `scale` and `bias` are those of its sigmoid.
    """

    name: str
    revision: str
    width: int
    size: int
    scale: float
    bias: float


class MedSigLIP:
    """An encoder of images and texts whose weights are on this machine: MedSigLIP or any other SigLIP.

    `name` is `medsiglip-448`, a folder, or an id of the Hub; `revision` pins a commit of it. `batch` bounds what goes
    through at once, `token` is for the Hub, `offline` asks only its cache. Nothing is loaded before the first use.
    Raises UserError for a name that is no model, MissingExtra (when loading) without the packages.
    """

    def __init__(
        self,
        name: str = DEFAULT,
        *,
        revision: str | None = None,
        precision: Literal["fp32", "bf16"] = "bf16",
        device: str = "auto",
        batch: int = 8,
        token: str | None = None,
        offline: bool = False,
    ) -> None:
        if batch < 1:
            raise UserError(f"a batch of {batch!r} pictures is none; give 1 or more")
        self.weights = weights(name, revision, ENCODERS)
        self._precision, self._device, self._batch = precision, device, batch
        self._token, self._offline = token, offline
        self._lock = asyncio.Lock()
        self._encoder: Encoder | None = None
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        async with self._lock:
            self._closed, self._encoder = True, None

    async def describe(self) -> EncoderCard:
        """What embeds; loads it. Raises MissingExtra, UserError and ModelError with the remedy."""
        async with self._ready() as encoder:
            return EncoderCard(
                name=self.weights.name,
                revision=encoder.revision,
                width=encoder.width,
                size=encoder.size,
                scale=encoder.scale,
                bias=encoder.bias,
            )

    async def images(self, encoded: Sequence[bytes]) -> NDArray[np.float32]:
        """Unit vectors of encoded images (PNG, JPEG), shape (n, width), float32."""
        return await self._batched(encoded, lambda encoder: encoder.images)

    async def texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors of texts, shape (n, width), float32; of a text the first 64 tokens count."""
        return await self._batched(texts, lambda encoder: encoder.texts)

    async def _batched(
        self, what: Sequence[_T], way: Callable[[Encoder], Callable[[Sequence[_T]], NDArray[np.float32]]]
    ) -> NDArray[np.float32]:
        """Batch by batch in another thread, so that a cancelled call ends after the batch that it is at."""
        async with self._ready() as encoder:
            import numpy as np

            parts: list[NDArray[np.float32]] = [np.empty((0, encoder.width), dtype=np.float32)]
            for start in range(0, len(what), self._batch):
                parts += [await asyncio.to_thread(way(encoder), what[start : start + self._batch])]
            return np.concatenate(parts)

    @asynccontextmanager
    async def _ready(self) -> AsyncIterator[Encoder]:
        """The encoder, for one caller at a time."""
        async with self._lock:
            if self._closed:
                raise ModelError(f"{self.weights.name} was closed and embeds no more")
            if self._encoder is None:
                self._encoder = await asyncio.to_thread(self._load)
            yield self._encoder

    def _load(self) -> Encoder:
        require_packages(_NEEDED, "Embedding images", EXTRA)
        from agent.vision.medsiglip.encoder import load_encoder

        return load_encoder(
            self.weights, precision=self._precision, device=self._device, token=self._token, offline=self._offline
        )
