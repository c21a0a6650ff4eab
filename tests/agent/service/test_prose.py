"""An answer as plain text: the sources, and what a reader must know, are never left out."""

from __future__ import annotations

from agent.service.examples import ANSWER
from agent.service.prose import prose
from agent.types import Answer, Citation, Reading, Removed, SearchedOut


def test_the_text_its_sources_and_who_reasoned() -> None:
    assert prose(Answer.model_validate(ANSWER)) == (
        "Latest: Hemoglobin A1c was 7.2 % (H) on 2026-04-06 [1].\n\n"
        "[1] 2026-04-06 Hemoglobin A1c 7.2 % (Observation/santos-a1c-2026-04-06)\n\n"
        "(answered; rules; as of 2026-06-15)"
    )


def test_what_could_not_be_done_is_told() -> None:
    told = prose(
        Answer.model_validate(ANSWER).model_copy(
            update={
                "status": "not_found",
                "citations": [
                    Citation(
                        mark="c1",
                        reference="",
                        path="count",
                        excerpt="count 2",
                        inputs=["Observation/a", "Observation/b"],
                    ),
                    Citation(mark="s1", reference="", path="Condition?x", excerpt="Condition?x: 12 found"),
                ],
                "readings": [Reading(text="no effusion", image="1", model="medgemma-4b-it")],
                "searched": [
                    SearchedOut(query="Condition?x", found=12, complete=True),
                    SearchedOut(query="Observation?y", found=0, complete=False, error="time-out"),
                ],
                "removed": [Removed(kind="value", reason="a number is not in the cited record")],
                "warnings": ["a merged record"],
            }
        )
    )
    assert told.split("\n\n")[1:] == [
        "Read from image [1] by medgemma-4b-it, not checked: no effusion",
        "[c1] count 2 (of 2 records)\n[s1] Condition?x: 12 found",
        "Warning: a merged record\nNot all could be searched: Observation?y: time-out\n"
        "A statement was removed: a number is not in the cited record",
        "(not found; rules; as of 2026-06-15)",
    ]
