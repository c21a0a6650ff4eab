"""How uvicorn speaks HTTP here: a connection has so long to send the head of a request, or it is closed.

uvicorn waits for ever, so that who opens many connections and sends little keeps them all.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["SECONDS", "Heads"]

SECONDS = 20.0
"""For a head; bodies have `service_seconds`, and what waits between two requests the time that uvicorn has for it."""


class Heads(H11Protocol):  # type: ignore[misc]  # has no types
    """HTTP/1.1 with that limit."""

    _due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._look()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._stop()

    def _look(self) -> None:
        """Wait for a head, where none is being answered."""
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop()
        elif self._due is None:
            self._due = self.loop.call_later(SECONDS, self.transport.close)

    def _stop(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None
