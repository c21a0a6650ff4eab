"""What other rooms of the service keep, as the rooms that hand it on ask for it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from agent.service.callers import Caller
from agent.service.parts import Parts
from agent.service.problems import Problem
from agent.types import Answer

__all__ = ["stored_answer", "stored_result"]


async def stored_answer(parts: Parts, caller: Caller, question_id: str) -> tuple[Answer, datetime]:
    """The answer to a question of this caller, and when it was given. Raises Problem (404) where there is none."""
    raise Problem(404, "unknown-question", "no answer to a question of that id is kept for you")


async def stored_result(parts: Parts, caller: Caller, job_id: str) -> Any:
    """The result of a finished job of this caller, as JSON. Raises Problem (404) where there is none."""
    raise Problem(404, "unknown-job", "no result of a job of that id is kept for you")
