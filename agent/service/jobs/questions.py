"""The kind of job `questions`: each of several questions about each of several patients, as rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from agent.errors import ChartlineError
from agent.service.bound import Day
from agent.service.callers import Caller
from agent.service.parts import Parts
from agent.service.problems import Problem, problem_of

__all__ = ["ManyQuestions", "QuestionsIn"]

_MOST = 100_000
"""Questions times patients of one job."""


class QuestionsIn(BaseModel):
    """Which questions about which patients. Without `as_of` the day that each is answered on counts as today."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    patients: Annotated[list[Annotated[str, Field(min_length=1, max_length=80)]], Field(min_length=1)]
    questions: Annotated[list[Annotated[str, Field(min_length=1, max_length=4000)]], Field(min_length=1)]
    as_of: Day | None = None

    @model_validator(mode="after")
    def _bounded(self) -> QuestionsIn:
        if len(self.patients) * len(self.questions) > _MOST:
            raise ValueError(f"at most {_MOST} rows: patients times questions")
        return self


class ManyQuestions:
    """Every question about one patient, then about the next, so that each chart is opened once.

    Its result is `{"rows": [{"patient", "question", "answer", "error"}]}`: a patient who cannot be read costs its own
    rows alone.
    """

    kind = "questions"
    input = QuestionsIn

    async def units(self, input: QuestionsIn, parts: Parts, caller: Caller) -> Sequence[str]:  # noqa: A002
        """`patient/question` by their places in the input. Raises Problem (403) for another's patient."""
        for patient in input.patients:
            parts.desk.patient(caller, patient)
        return [f"{p}/{q}" for p in range(len(input.patients)) for q in range(len(input.questions))]

    async def do(self, unit: str, input: QuestionsIn, parts: Parts, caller: Caller) -> Any:  # noqa: A002
        """One row."""
        patient, question = _at(unit, input)
        row = {"patient": patient, "question": question, "answer": None, "error": None}
        try:
            async with parts.desk.agent(caller, patient, input.as_of) as agent:
                answer = await agent.ask(question)
        except (ChartlineError, Problem) as error:
            why = problem_of(error)
            return row | {"error": {"status": why.status, "type": why.kind, "detail": why.detail}}
        return row | {"answer": answer.model_dump(mode="json")}

    def result(self, input: QuestionsIn, done: Mapping[str, Any]) -> Any:  # noqa: A002
        """The rows, patient by patient."""
        return {"rows": list(done.values())}


def _at(unit: str, input_: QuestionsIn) -> tuple[str, str]:
    patient, question = map(int, unit.split("/"))
    return input_.patients[patient], input_.questions[question]
