"""What other rooms of the service keep, as the rooms that hand it on ask for it."""

from __future__ import annotations

from datetime import UTC, datetime

from agent.service.callers import Caller
from agent.service.parts import Parts
from agent.service.problems import Problem
from agent.types import Answer

__all__ = ["stored_answer"]


async def stored_answer(parts: Parts, caller: Caller, question_id: str) -> tuple[Answer, datetime]:
    """The answer to a question of this caller, and when it was given (UTC).

    Raises Problem: 404 where there is no such question, 409 where it has no answer.
    """
    run = await parts.questions.one(caller, question_id)
    if run.state != "answered" or run.answer is None or run.ended is None:
        raise Problem(409, "not-answered", "the question has no answer to write down")
    return Answer.model_validate_json(run.answer), datetime.fromtimestamp(run.ended, UTC)
