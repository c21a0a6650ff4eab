"""What other rooms of the service keep, as the rooms that hand it on ask for it."""

from __future__ import annotations

from datetime import datetime

from agent.service.callers import Caller
from agent.service.parts import Parts
from agent.service.problems import Problem
from agent.types import Answer

__all__ = ["stored_answer"]


async def stored_answer(parts: Parts, caller: Caller, question_id: str) -> tuple[Answer, datetime]:
    """The answer to a question of this caller, and when it was given. Raises Problem (404) where there is none."""
    raise Problem(404, "unknown-question", "no answer to a question of that id is kept for you")
