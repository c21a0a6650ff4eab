"""The thread that generates: it takes questions as they come and writes up to so many answers at once."""

from __future__ import annotations

import gc
import queue
import threading

import torch

from agent.errors import ChartlineError, ModelError
from agent.models.medgemma.engine import Engine
from agent.models.medgemma.rows import Job

__all__ = ["Worker"]

_CLOSED = "the model was closed before it had answered"
_MEMORY = "out of memory while answering: ask fewer at once, allow a shorter context, or load 4bit weights"


class Worker:
    """Runs an engine in a thread of its own. `batch` is the most answers that are written side by side."""

    def __init__(self, engine: Engine, batch: int) -> None:
        self._engine: Engine | None = engine
        self._batch, self._stopping = batch, threading.Event()
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="chartline-model", daemon=True)
        self._thread.start()

    def put(self, job: Job) -> None:
        if self._stopping.is_set():
            job.fail(ModelError(_CLOSED))
        self._jobs.put(job)

    def stop(self) -> None:
        """End the thread, after the token it is at, and let go of the model. What still waits fails."""
        self._stopping.set()
        self._jobs.put(None)
        self._thread.join()
        _free()

    def _work(self) -> None:
        engine, self._engine = self._engine, None
        assert engine is not None  # noqa: S101  a thread runs once
        while self._admit(engine):
            self._step(engine)
        for job in (*engine.drop(), *self._waiting()):
            job.fail(ModelError(_CLOSED))
        engine.prefixes.clear()

    def _admit(self, engine: Engine) -> bool:
        """Let questions in while there is room; wait for one where there is nothing to do. False: it is the end."""
        while len(engine.rows) < self._batch and not self._stopping.is_set():
            try:
                job = self._jobs.get(block=not engine.rows)
            except queue.Empty:
                return True
            if job is None:
                return False
            if not job.over:
                self._join(engine, job)
        return not self._stopping.is_set()

    def _join(self, engine: Engine, job: Job) -> None:
        try:
            try:
                engine.join(job)
            except (torch.OutOfMemoryError, MemoryError):
                engine.prefixes.clear()
                _free()
                engine.join(job)
        except Exception as error:  # noqa: BLE001  whoever waits is told, and the thread goes on
            job.fail(_told(error))

    def _step(self, engine: Engine) -> None:
        try:
            engine.step()
        except Exception as error:  # noqa: BLE001  whoever waits is told, and the thread goes on
            for job in engine.drop():
                job.fail(_told(error))
            engine.prefixes.clear()
            _free()

    def _waiting(self) -> list[Job]:
        jobs = []
        while not self._jobs.empty():
            job = self._jobs.get()
            jobs += [job] if job else []
        return jobs


def _told(error: Exception) -> Exception:
    """The error for the operator; the words of others may hold what the model was asked, and are kept out."""
    if isinstance(error, ChartlineError):
        return error
    if isinstance(error, torch.OutOfMemoryError | MemoryError) or "allocate memory" in str(error):
        told = ModelError(_MEMORY)
    else:
        told = ModelError(f"the model broke while answering ({type(error).__name__})")
    told.__cause__ = error
    return told


def _free() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
