"""What the app's rooms share: one of each, made when the service starts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncEngine

from agent.service.access.entrance import Entrance
from agent.service.callers import Caller, Gates, caller_of
from agent.service.desk import Desk
from agent.service.images import Studies
from agent.service.questions.work import Questions
from agent.service.readiness import Readiness
from agent.service.turns import Turns
from agent.settings import Settings

__all__ = ["Parts", "TheCaller", "TheParts", "parts_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The shared parts. `database` keeps what outlives a request; `desk` has the open charts; `entrance` signs in.

    `questions` are those on record, with their threads; `studies` the images. `turns` says how much runs at once;
    `ready` finds out what answers; `counts` is the folder of the metrics that several processes share.
    """

    settings: Settings
    gates: Gates
    desk: Desk
    database: AsyncEngine
    questions: Questions
    entrance: Entrance
    studies: Studies
    turns: Turns
    ready: Readiness
    counts: Path | None = None


async def parts_of(request: Request) -> Parts:
    """The parts of the app that a request came to."""
    parts: Parts = request.app.state.parts
    return parts


TheParts = Annotated[Parts, Depends(parts_of)]
TheCaller = Annotated[Caller, Depends(caller_of)]
