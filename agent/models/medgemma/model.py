"""MedGemma in this program: a chat model over transformers, loaded when it is first asked."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from agent.errors import ModelError, UserError
from agent.models.base import Completion, ModelCard, OnText, Request
from agent.models.medgemma.adapters import adapter as read_adapter
from agent.models.medgemma.machine import Held, held, require
from agent.models.medgemma.rows import Job
from agent.models.medgemma.variants import DEFAULT, weights
from agent.models.memory import PREFIXES, Memory, Plan, Precision

if TYPE_CHECKING:
    from agent.models.medgemma.worker import Worker

__all__ = ["MedGemma"]


class MedGemma:
    """A chat model whose weights are on this machine, of MedGemma or any other of the Gemma 3 family.

    `name` is a variant (`medgemma-27b-it`), a folder, or an id of the Hub; `revision` pins a commit of it. `context`
    bounds prompt and answer in tokens, `batch` the answers written side by side, `prefixes` the bytes of KV cache kept
    of what prompts begin with. `token` is for the Hub; `offline` asks only its cache. `thinks` overrules what is known
    of the model: only the 27B was trained to think, and a request's `thinking` means nothing to the others.
    `adapter` is the folder of LoRA layers that were trained on these weights (`chartline adapt train`).

    Nothing is loaded before the first question, `describe` or `load`. The seconds of a request begin after that.
    Raises UserError for a name that is no model, a folder that is no adapter, and for a base model without one, which
    cannot be asked; with `base` it can, to be compared with what it becomes.
    """

    def __init__(
        self,
        name: str = DEFAULT,
        *,
        revision: str | None = None,
        precision: Precision = "bf16",
        device: str = "auto",
        context: int = 8192,
        batch: int = 4,
        prefixes: int = PREFIXES,
        token: str | None = None,
        offline: bool = False,
        thinks: bool | None = None,
        adapter: str | Path | None = None,
        base: bool = False,
    ) -> None:
        self.weights = weights(name, revision)
        self._adapter = read_adapter(Path(adapter)) if adapter else None
        if self.weights.variant and not self.weights.variant.asks and not (adapter or base):
            raise UserError(f"{self.weights.name} is a base model, there to be adapted; to ask, use medgemma-4b-it")
        self._plan = Plan(precision=precision, context=context, batch=batch, prefixes=prefixes)
        self._options: dict[str, Any] = {"device": device, "token": token, "offline": offline, "thinks": thinks}
        self._loading: asyncio.Task[Worker] | None = None
        self._card: ModelCard | None = None
        self.need: Memory | None = None
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True
        loading, self._loading = self._loading, None
        if loading is None:
            return
        try:
            worker = await asyncio.shield(loading)
        except Exception:  # noqa: BLE001  whoever asked was told
            return
        await asyncio.to_thread(worker.stop)

    async def load(self) -> None:
        """Load the weights, if they are not yet. Raises MissingExtra, UserError and ModelError with the remedy."""
        await self._worker()

    async def describe(self) -> ModelCard:
        await self._worker()
        assert self._card is not None  # noqa: S101  set by loading
        return self._card

    def held(self) -> Held:
        """The most memory that was held so far; of the whole process, so of other models in it too."""
        return held()

    async def complete(self, request: Request, on_text: OnText | None = None) -> Completion:
        """One completion; see `ChatModel.complete`. Calls that overlap are written side by side, up to `batch`."""
        worker = await self._worker()
        job = Job(request=request, deadline=time.monotonic() + request.seconds)
        if on_text:
            job.on_text = _relayed(job, on_text, asyncio.get_running_loop())
        worker.put(job)
        try:
            async with asyncio.timeout(request.seconds) as limit:
                completion = await asyncio.wrap_future(job.future)
        except TimeoutError:
            if limit.expired():
                raise job.late() from None
            raise
        if job.fault:
            raise job.fault
        return completion

    async def _worker(self) -> Worker:
        if self._closed:
            raise ModelError(f"{self.weights.name} was closed and answers no more")
        if self._loading is None or (self._loading.done() and self._loading.exception()):
            self._loading = asyncio.create_task(asyncio.to_thread(self._load))
        return await asyncio.shield(self._loading)

    def _load(self) -> Worker:
        require(self._plan.precision, adapted=self._adapter is not None)
        from agent.models.medgemma.loading import load
        from agent.models.medgemma.worker import Worker

        loaded = load(self.weights, self._plan, adapter=self._adapter, **self._options)
        self._card, self.need = loaded.card, loaded.need
        return Worker(loaded.engine, self._plan.batch)


def _relayed(job: Job, on_text: OnText, loop: asyncio.AbstractEventLoop) -> OnText:
    """Pieces told in the loop's own thread, before the completion; what goes wrong there ends the call."""

    def tell(piece: str) -> None:
        # A result may be there already: the thread that writes is ahead of this one.
        if job.fault or job.future.cancelled():
            return
        try:
            on_text(piece)
        except Exception as error:  # noqa: BLE001  it is raised where the completion is awaited
            job.fault = error
            job.fail(error)

    def relay(piece: str) -> None:
        try:
            loop.call_soon_threadsafe(tell, piece)
        except RuntimeError:  # the loop is closed: nobody listens
            job.future.cancel()

    return relay
