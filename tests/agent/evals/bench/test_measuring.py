"""A bench of a scripted model over the demo charts: what is counted, what cuts it short, and what is left then."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections import Counter
from pathlib import Path

import pytest

from agent.errors import ModelError, UserError
from agent.evals.bench import Bench, Plan
from agent.evals.bench.figures import Figures, read_figures, write_figures
from agent.evals.bench.trying import TOKENS
from agent.evals.cases import Case, read_rows
from agent.models.base import Request
from agent.models.scripted import Output, Scripted
from agent.settings import Settings
from fhir_tools import demo
from tests.agent.models import obedient

SHIPPED = Path(__file__).parents[4] / "agent" / "evals" / "demo_questions.jsonl"
PARTS = ("speed", "speed, several at once", "questions", "questions, several at once")


def bench(model: Scripted, *, number: int = 6, seconds: float = 3600.0, at_once: int = 2, **more: object) -> Bench:
    cases = read_rows(SHIPPED, Case)[::4][:number]
    settings = Settings(reasoner="llm", audit=None, model_batch=at_once)
    plan = Plan(cases=cases, charts=demo.paths()[0].parent, seconds=seconds, at_once=at_once)
    return Bench(model, settings, plan, lambda _: None)


async def measured(made: Bench) -> Figures:
    await made.run()
    found = made.figures()
    assert found is not None
    return found


async def test_every_part_is_measured() -> None:
    model = Scripted(obedient.answer, pace=0.0002)
    found = await measured(bench(model))
    assert (found.cut, found.faults, found.of, found.reasoner) == ((), (), 6, "llm")
    new, reused, together = (found.pace(way) for way in ("new", "reused", "together"))
    assert new and reused and together
    assert new.requests == reused.requests == 6 and together.requests == together.at_once == 2
    assert new.cached_tokens < 20 < 200 < reused.cached_tokens < reused.prompt_tokens
    assert [a.asked for a in found.asked] == [3, 3] and [a.at_once for a in found.asked] == [1, 2]
    for asked in found.asked:
        assert asked.calls >= 1 and asked.prompt_tokens > 300 and asked.an_hour > 0 and asked.right is not None
        assert asked.an_hour == pytest.approx(3600 * asked.asked / asked.seconds)


async def test_calls_and_tokens_are_those_of_the_model() -> None:
    model = Scripted(obedient.answer)
    found = await measured(bench(model, at_once=1))
    (asked,) = found.asked
    assert asked.asked == 6 and found.pace("together") is None
    speed = [request for request in model.requests if request.tokens == TOKENS]
    assert len(speed) == 12
    assert asked.calls * 6 == pytest.approx(len(model.requests) - len(speed))


async def test_no_two_prompts_of_the_first_kind_begin_alike() -> None:
    model = Scripted(obedient.answer)
    await measured(bench(model))
    speed = [request for request in model.requests if request.tokens == TOKENS]
    begins = Counter(request.messages[0].parts[0] for request in speed)
    assert len(begins) == 6 and min(begins.values()) == 2
    pairs = [[r.messages for r in speed if r.messages[0].parts[0] == begin] for begin in begins]
    assert all(one[0] == two[0] and one[1].parts[:-1] == two[1].parts[:-1] for one, two, *_ in pairs)
    assert all(one[1].parts[-1] != two[1].parts[-1] for one, two, *_ in pairs)


async def test_time_cuts_parts_and_says_which() -> None:
    found = await measured(bench(Scripted(obedient.answer, pace=5.0), seconds=0.4))
    assert found.cut == PARTS and found.paces == () and found.asked == ()


async def test_what_was_measured_is_left_when_it_is_cancelled() -> None:
    reached = asyncio.Event()

    def slow(request: Request) -> Output:
        if request.tokens != TOKENS:
            reached.set()
        return obedient.answer(request)

    made = bench(Scripted(slow, pace=0.002))
    task = asyncio.create_task(made.run())
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    found = made.figures()
    assert found is not None and found.pace("new") and "questions" in found.cut and "speed" not in found.cut


async def test_a_model_that_fails_is_told_of_in_the_figures() -> None:
    def broken(request: Request) -> Output:
        return ModelError("the server is down; start it")

    found = await measured(bench(Scripted(broken)))
    why = "the server is down; start it"
    assert found.faults == (f"speed: {why}", f"questions: The scripted reasoner failed: {why}")
    assert sum(a.failed for a in found.asked) == 6 and found.paces == ()


async def test_nothing_is_told_of_a_model_that_was_never_there() -> None:
    class Absent(Scripted):
        async def describe(self) -> None:  # type: ignore[override]
            raise ModelError("nobody answers")

    made = bench(Absent([]))
    with pytest.raises(ModelError):
        await made.run()
    assert made.figures() is None


async def test_a_chart_that_is_missing_is_the_users_to_mend(tmp_path: Path) -> None:
    made = bench(Scripted(obedient.answer))
    made.plan = Plan(cases=made.plan.cases, charts=tmp_path, seconds=1.0, at_once=1)
    with pytest.raises(UserError, match="no chart of patient"):
        await made.run()


async def test_figures_come_back_from_their_file(tmp_path: Path) -> None:
    found = await measured(bench(Scripted(obedient.answer), number=2))
    path = tmp_path / "a.json"
    write_figures(path, found)
    assert read_figures(path) == found
    with pytest.raises(UserError, match="cannot write"):
        write_figures(tmp_path / "none" / "a.json", found)
    assert found.memory.resident is None and found.load_seconds is None and found.model.place == "server"
    assert "demo-" not in path.read_text() and "secret" not in path.read_text()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "other"}', "\x00"])
def test_a_file_of_something_else_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(UserError, match="holds no figures"):
        read_figures(path)
    with pytest.raises(UserError, match="cannot read"):
        read_figures(tmp_path / "none.json")


def test_what_the_shipped_questions_expect_stands_in_the_charts() -> None:
    """Support exists, and the counts are those of a program of its own: by id and status in the raw JSON."""
    raw = {
        r["resource"]["id"]: r["resource"]
        for path in demo.paths()
        for r in json.loads(gzip.decompress(path.read_bytes()))["entry"]
    }
    cases = read_rows(SHIPPED, Case)
    assert len(cases) == 24 and all(case.expected and case.as_of == demo.AS_OF for case in cases)
    for reference in (ref for case in cases for ref in case.support):
        kind, _, id_ = reference.partition("/")
        assert raw[id_]["resourceType"] == kind
    expected = {case.question: case.expected.value for case in cases if case.expected}

    def count(stem: str) -> int:
        found = [r for id_, r in raw.items() if id_.startswith(stem) and r["resourceType"] == "Observation"]
        return sum(r["status"] in ("final", "amended", "corrected") for r in found)

    assert expected["How many hemoglobin A1c results are there in 2025?"] == count("santos-a1c-2025")
    assert expected["How many INR results were there in 2020?"] == count("keller-inr-2020")
