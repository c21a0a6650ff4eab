"""The graph's wiring: loops, the budget, failures, threads, what a checkpoint may hold. Stages are stand-ins."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import subprocess
import sys
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from agent.errors import NeedError, OperatorError, SourceError, UserError
from agent.graph import TURNS, Given, Progress, Stages, build, stream, threaded, walk
from agent.settings import Settings
from agent.threads import open_threads
from agent.trace import Trace
from agent.types import Answer, Ask, Claim, Draft, Evidence, Need, Removed, SearchedOut, Turn, Usage, Verified
from fhir_tools.types import Card, Reference, Search

AS_OF = date(2020, 1, 1)
CARD = Card(title="SECRET-CARD", kind="measurement", lines=(), marks=())
GOOD = Claim(text="Told.", marks=("1",))
BAD = Claim(text="Wrong.")


@dataclass(kw_only=True)
class House:
    """Stand-ins that note what they were called with. `drafts` are what the reasoner returns, in order."""

    drafts: list[Draft | Exception] = field(default_factory=lambda: [Draft(claims=(GOOD,))])
    calls: list[str] = field(default_factory=list)
    histories: list[tuple[Turn, ...]] = field(default_factory=list)
    feedbacks: list[str] = field(default_factory=list)
    traces: list[Trace] = field(default_factory=list)
    opening: Exception | None = None
    retrieving: Exception | None = None
    supplying: Exception | None = None
    name: str = "stand-in"

    async def open(self, patient: Reference, as_of: date) -> object:
        self.calls.append("open")
        if self.opening:
            raise self.opening
        return object()

    def understand(self, question: str, chart: object, history: tuple[Turn, ...]) -> Ask:
        self.histories.append(history)
        return Ask(question=question, op="latest")

    async def retrieve(self, chart: object, ask: Ask) -> Evidence:
        self.calls.append("retrieve")
        if self.retrieving:
            raise self.retrieving
        return Evidence(cards=(CARD,), searched=(Search(query="Observation", found=1),))

    async def supply(self, chart: object, ask: Ask, evidence: Evidence, needs: tuple[Need, ...]) -> Evidence:
        self.calls.append(f"supply {needs[0].tool}")
        if self.supplying:
            raise self.supplying
        return replace(evidence, cards=(*evidence.cards, CARD))

    async def reason(self, ask: Ask, evidence: Evidence, history: tuple[Turn, ...] = (), feedback: str = "") -> Draft:
        self.calls.append("reason")
        self.feedbacks.append(feedback)
        draft = self.drafts.pop(0) if len(self.drafts) > 1 else self.drafts[0]
        if isinstance(draft, Exception):
            raise draft
        return draft

    def verify(self, ask: Ask, draft: Draft, evidence: Evidence) -> Verified:
        self.calls.append("verify")
        kept = tuple(claim for claim in draft.claims if claim.marks)
        removed = tuple(Removed(kind="unsupported", reason="no mark") for claim in draft.claims if not claim.marks)
        return Verified(claims=kept, removed=removed, feedback="cite it" if removed else "")

    def render(self, ask: Ask, draft: Draft, verified: Verified, evidence: Evidence, **more: Any) -> Answer:
        self.calls.append("render")
        return Answer(
            question=ask.question,
            patient=str(more.pop("patient")),
            as_of=more.pop("as_of").isoformat(),
            status=draft.status,
            text=" ".join(claim.text for claim in verified.claims) or draft.note,
            searched=[
                SearchedOut(query=s.query, found=s.found, complete=s.complete, error=s.error) for s in evidence.searched
            ],
            removed=list(verified.removed),
            **more,
        )

    async def finish(self, trace: Trace, answer: Answer) -> Answer:
        self.traces.append(trace)
        return answer

    def stages(self, **changes: Any) -> Stages:
        given: dict[str, Any] = {
            "resolve": lambda patient, day: (Reference(type="Patient", id=patient), AS_OF),
            "open": self.open,
            "understand": self.understand,
            "subject_of": lambda ask: {"op": ask.op},
            "retrieve": self.retrieve,
            "reasoner": self,
            "verify": self.verify,
            "render": self.render,
            "finish": self.finish,
            "supply": self.supply,
        }
        return Stages(**(given | changes))


async def run(house: House, question: str = "q?", patient: str = "p", **changes: Any) -> Answer:
    return (await events(house, question, patient, **changes))[1]


async def events(
    house: House, question: str = "q?", patient: str = "p", **changes: Any
) -> tuple[list[Progress], Answer]:
    seen = [e async for e in stream(build(house.stages(**changes)), Given(question=question, patient=patient))]
    answer = seen.pop()
    assert isinstance(answer, Answer)
    return [e for e in seen if not isinstance(e, Answer)], answer


async def test_a_question_goes_through_every_stage_once() -> None:
    house = House()
    answer = await run(house, "  last\n A1c? ")
    assert house.calls == ["open", "retrieve", "reason", "verify", "render"]
    assert (answer.question, answer.text, answer.status, answer.thread) == ("last A1c?", "Told.", "answered", None)
    assert answer.trace == house.traces[0].id
    assert [row["stage"] for row in house.traces[0].stages] == ["open", "retrieve", "reason", "verify", "render"]


async def test_progress_tells_stages_and_no_chart_text() -> None:
    progress, _ = await events(House())
    assert [event["stage"] for event in progress] == ["open", "retrieve", "reason", "verify", "render"]
    assert "SECRET" not in str(progress)
    assert progress[3]["text"] == "checking 1 claim"


NEEDS = Draft(needs=(Need(tool="find", arguments={}),))


@pytest.mark.parametrize(
    "house",
    [
        {},
        {"drafts": [NEEDS, Draft(claims=(GOOD,))]},
        {"drafts": [NEEDS]},
        {"drafts": [Draft(claims=(BAD,)), Draft(claims=(GOOD, BAD))]},
        {"drafts": [OperatorError("the model is away")]},
        {"opening": SourceError("away")},
        {"retrieving": SourceError("away")},
        {"drafts": [NEEDS, Draft(claims=(GOOD,))], "supplying": NeedError("no tool")},
    ],
    ids=lambda house: "-".join(house),
)
async def test_a_walk_tells_what_the_graph_tells(house: dict[str, Any]) -> None:
    def fresh() -> House:
        return House(**{name: list(given) if isinstance(given, list) else given for name, given in house.items()})

    by_graph, by_walk, given = fresh(), fresh(), Given(question="q?", patient="p")
    told = [event async for event in stream(build(by_graph.stages()), given)]
    walked = [event async for event in walk(by_walk.stages(), given)]
    plain = {"trace": "", "usage": Usage()}
    *progress, answer = told
    *walked_progress, walked_answer = walked
    assert isinstance(answer, Answer) and isinstance(walked_answer, Answer)
    assert (walked_progress, by_walk.calls) == (progress, by_graph.calls)
    assert walked_answer.model_copy(update=plain) == answer.model_copy(update=plain)


async def test_a_walk_raises_what_the_graph_raises() -> None:
    with pytest.raises(UserError, match="empty"):
        async for _ in walk(House().stages(), Given(question=" ", patient="p")):
            pass


async def test_progress_comes_while_a_walk_works_and_who_goes_stops_it() -> None:
    ended = asyncio.Event()

    class Slow(House):
        async def reason(self, *_: Any) -> Draft:
            try:
                await asyncio.sleep(60)
            finally:
                ended.set()
            return Draft()

    events = walk(Slow().stages(), Given(question="q?", patient="p"))
    async for event in events:
        if not isinstance(event, Answer) and event["stage"] == "reason":
            break
    await events.aclose()  # type: ignore[attr-defined]
    assert ended.is_set()


async def test_needs_go_back_to_retrieve() -> None:
    house = House(drafts=[Draft(needs=(Need(tool="find", arguments={}),)), Draft(claims=(GOOD,))])
    answer = await run(house)
    assert house.calls == ["open", "retrieve", "reason", "supply find", "reason", "verify", "render"]
    assert answer.text == "Told."


async def test_a_bad_need_is_told_back_to_the_reasoner() -> None:
    needs = Draft(needs=(Need(tool="find", arguments={}),))
    house = House(drafts=[needs, Draft(claims=(GOOD,))], supplying=NeedError("no tool 'find'"))
    assert (await run(house)).text == "Told."
    assert house.feedbacks == ["", "no tool 'find'"]


async def test_needs_without_tools_are_told_back() -> None:
    house = House(drafts=[Draft(needs=(Need(tool="find", arguments={}),)), Draft(claims=(GOOD,))])
    await run(house, supply=None)
    assert house.feedbacks == ["", "there are no tools; answer from the cards"]


@pytest.mark.parametrize("steps", [1, 3, 20])
async def test_the_step_budget_ends_a_loop_and_says_so(steps: int) -> None:
    house = House(drafts=[Draft(needs=(Need(tool="find", arguments={}),))])
    answer = await run(house, steps=steps)
    assert house.calls.count("reason") == steps
    assert answer.status == "incomplete"
    assert f"step budget of {steps}" in answer.text


async def test_what_fails_goes_back_once_with_feedback_and_is_then_dropped() -> None:
    house = House(drafts=[Draft(claims=(BAD,)), Draft(claims=(GOOD, BAD))])
    answer = await run(house)
    assert house.feedbacks == ["", "cite it"]
    assert house.calls.count("verify") == 2
    assert (answer.text, [removed.kind for removed in answer.removed]) == ("Told.", ["unsupported"])


async def test_a_worse_second_draft_does_not_cost_what_held() -> None:
    house = House(drafts=[Draft(claims=(GOOD, BAD)), Draft(status="refused", note="Sorry.")])
    answer = await run(house)
    assert (answer.status, answer.text) == ("answered", "Told.")


async def test_verify_does_not_go_back_when_the_budget_is_used_up() -> None:
    house = House(drafts=[Draft(claims=(GOOD, BAD))])
    assert (await run(house, steps=1)).text == "Told."
    assert house.calls.count("reason") == 1


async def test_a_chart_that_cannot_be_opened_is_failed_never_empty() -> None:
    house = House(opening=SourceError("the server said 503"))
    answer = await run(house)
    assert house.calls == ["open", "render"]
    assert answer.status == "failed"
    assert "503" in answer.text
    assert house.traces[0].stages[0]["error"] == "SourceError"


async def test_a_chart_that_cannot_be_read_is_incomplete_and_shows_the_search() -> None:
    answer = await run(House(retrieving=SourceError("timed out after 30 s")))
    assert answer.status == "incomplete"
    assert [(row.complete, row.error) for row in answer.searched] == [(False, "timed out after 30 s")]


async def test_a_failed_need_keeps_what_was_read() -> None:
    needs = Draft(needs=(Need(tool="find", arguments={}),))
    answer = await run(House(drafts=[needs], supplying=SourceError("429")))
    assert answer.status == "incomplete"
    assert [row.complete for row in answer.searched] == [True, False]


async def test_a_model_server_that_fails_is_failed() -> None:
    answer = await run(House(drafts=[OperatorError("no model at localhost")]))
    assert answer.status == "failed"
    assert "no model at localhost" in answer.text


async def test_the_users_errors_and_bugs_are_raised() -> None:
    with pytest.raises(UserError, match="unknown"):
        await run(House(opening=UserError("unknown patient")))
    with pytest.raises(UserError, match="empty"):
        await run(House(), question=" \n")
    with pytest.raises(ZeroDivisionError):
        await run(House(drafts=[ZeroDivisionError()]))


async def test_usage_adds_up_over_calls() -> None:
    usage = Usage(llm_calls=1, prompt_tokens=100, completion_tokens=7)
    house = House(drafts=[Draft(claims=(BAD,), usage=usage), Draft(claims=(GOOD,), usage=usage)])
    answer = await run(house)
    assert (answer.usage.llm_calls, answer.usage.prompt_tokens, answer.usage.completion_tokens) == (2, 200, 14)
    assert answer.usage.seconds > 0


# Threads.


async def ask(path: Path, house: House, question: str, thread: str = "t", patient: str = "p", run: str = "") -> Answer:
    async with open_threads(Settings(threads=path)) as saver:
        graph = threaded(house.stages(), saver)
        seen = [e async for e in stream(graph, Given(question=question, patient=patient, run=run), thread)]
    assert isinstance(seen[-1], Answer)
    return seen[-1]


async def test_a_thread_outlives_the_process_and_hands_its_turns_on(tmp_path: Path) -> None:
    path, house = tmp_path / "threads" / "t.sqlite", House()
    await ask(path, house, "first?")
    answer = await ask(path, house, "and then?")
    assert house.histories[0] == ()
    assert house.histories[1] == (Turn(question="first?", text="Told.", subject={"op": "latest"}, as_of=AS_OF),)
    assert (answer.question, answer.thread) == ("and then?", "t")
    assert path.stat().st_mode & 0o077 == 0


async def test_earlier_questions_are_understood_in_order_and_not_answered() -> None:
    house, earlier = House(), [f"q{n}" for n in range(TURNS + 2)]
    given = Given(question="and then?", patient="p", earlier=earlier)
    seen = [event async for event in stream(build(house.stages()), given)]
    assert isinstance(seen[-1], Answer) and seen[-1].question == "and then?"
    assert [turn.question for turn in house.histories[-1]] == earlier[-TURNS:]
    assert [len(history) for history in house.histories] == list(range(TURNS + 1))
    assert house.calls.count("reason") == 1 and {turn.text for turn in house.histories[-1]} == {""}


async def test_a_run_whose_answer_is_kept_ends_with_it(tmp_path: Path) -> None:
    house = House()
    first = await ask(tmp_path / "t", house, "first?", run="r1")
    calls = len(house.calls)
    assert await ask(tmp_path / "t", house, "first?", run="r1") == first
    assert (len(house.calls), len(house.traces)) == (calls, 1)
    await ask(tmp_path / "t", house, "next?")  # the name of an earlier run is not taken for that of this one
    await ask(tmp_path / "t", house, "next?")
    await ask(tmp_path / "t", house, "last?", run="r2")
    assert [turn.question for turn in house.histories[-1]] == ["first?", "next?", "next?"]


class Slow(House):
    """A house that reasons until it is cut off."""

    async def reason(self, *_: Any) -> Draft:
        self.calls.append("reason")
        await asyncio.sleep(60)
        raise AssertionError


async def test_a_run_that_was_cut_off_leaves_no_turn(tmp_path: Path) -> None:
    house, slow = House(), Slow()
    await ask(tmp_path / "t", house, "first?", run="r1")
    with contextlib.suppress(ZeroDivisionError):
        await ask(tmp_path / "t", House(drafts=[ZeroDivisionError()]), "second?", run="r2")
    cut = asyncio.create_task(ask(tmp_path / "t", slow, "second?", run="r2"))
    while "reason" not in slow.calls:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    cut.cancel()
    await asyncio.wait([cut])
    await ask(tmp_path / "t", house, "second?", run="r2")
    await ask(tmp_path / "t", house, "third?", run="r3")
    assert [turn.question for turn in house.histories[-1]] == ["first?", "second?"]


async def test_threads_do_not_mix_and_old_turns_go(tmp_path: Path) -> None:
    house = House()
    for number in range(TURNS + 2):
        await ask(tmp_path / "t", house, f"q{number}?")
    await ask(tmp_path / "t", house, "other?", thread="u")
    assert [turn.question for turn in house.histories[-2]] == [f"q{n}?" for n in range(1, TURNS + 1)]
    assert house.histories[-1] == ()


async def test_a_thread_never_crosses_to_another_patient(tmp_path: Path) -> None:
    house = House()
    await ask(tmp_path / "t", house, "first?", patient="p")
    with pytest.raises(UserError, match="another patient"):
        await ask(tmp_path / "t", house, "and then?", patient="other")
    await ask(tmp_path / "t", house, "and then?", patient="p")
    assert [len(history) for history in house.histories] == [0, 1]


@pytest.mark.parametrize("reasons", [Draft(claims=(GOOD,)), ZeroDivisionError()])
async def test_a_checkpoint_holds_no_chart_and_no_evidence(tmp_path: Path, reasons: Draft | Exception) -> None:
    with contextlib.suppress(ZeroDivisionError):
        await ask(tmp_path / "t", House(drafts=[reasons]), "first?")
    with sqlite3.connect(tmp_path / "t") as db:
        rows = [row for table in ("checkpoints", "writes") for row in db.execute(f"SELECT * FROM {table}")]
    db.close()
    assert rows
    assert b"first?" in b"".join(cell for row in rows for cell in row if isinstance(cell, bytes))
    assert "SECRET-CARD" not in str(rows)
    assert "Work" not in str(rows)


async def test_a_planted_object_in_a_checkpoint_is_not_rebuilt(tmp_path: Path) -> None:
    async with open_threads(Settings(threads=tmp_path / "t")) as saver:
        planted = saver.serde.dumps_typed(House())
        assert not isinstance(saver.serde.loads_typed(planted), House)


async def test_a_folder_that_cannot_be_written_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OperatorError, match="CHARTLINE_THREADS"):
        await ask(tmp_path / "file" / "t", House(), "q?")


PROBE = """
import asyncio, socket, sys
reached = []
for name in ("connect", "connect_ex", "sendto"):
    setattr(socket.socket, name, lambda self, *rest: reached.append(rest) or (_ for _ in ()).throw(OSError("blocked")))
socket.getaddrinfo = lambda *rest, **more: reached.append(rest) or (_ for _ in ()).throw(OSError("blocked"))
sys.path.insert(0, {folder!r})
import test_graph
from langsmith.utils import tracing_is_enabled
inside = []
house = test_graph.House()
understand = house.understand
house.understand = lambda *given: inside.append(tracing_is_enabled()) or understand(*given)
asyncio.run(test_graph.run(house))
print(tracing_is_enabled(), inside, reached)
"""


def test_nothing_goes_to_langsmith_even_when_the_environment_asks() -> None:
    asks = {"LANGSMITH_TRACING": "true", "LANGCHAIN_TRACING_V2": "true", "LANGSMITH_API_KEY": "k"}
    asks["LANGSMITH_ENDPOINT"] = "http://127.0.0.1:9"
    code = PROBE.format(folder=str(Path(__file__).parent))
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | asks, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "True [False] []", done.stderr


def test_schemas_are_plain_for_langgraphs_own_tools() -> None:
    graph = build(House().stages())
    given = {"question", "patient", "as_of", "run", "earlier"}
    assert set(graph.get_input_jsonschema()["properties"]) == given
    assert set(graph.get_output_jsonschema()["properties"]) == {"answer"}
