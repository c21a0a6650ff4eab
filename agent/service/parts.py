"""What the app's rooms share: one of each, made when the service starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncEngine

from agent.service.callers import Caller, Gates, caller_of
from agent.service.desk import Desk
from agent.service.images import Studies
from agent.settings import Settings

__all__ = ["Parts", "TheCaller", "TheParts", "parts_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The shared parts. `database` keeps what outlives a request; `desk` has the open charts, `studies` the images."""

    settings: Settings
    gates: Gates
    desk: Desk
    database: AsyncEngine
    studies: Studies


def parts_of(request: Request) -> Parts:
    """The parts of the app that a request came to."""
    parts: Parts = request.app.state.parts
    return parts


TheParts = Annotated[Parts, Depends(parts_of)]
TheCaller = Annotated[Caller, Depends(caller_of)]
