"""The client of model servers: habits and faults of real ones, what leaves, what is told, and what is logged."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from typing import Any

import httpx
import openai
import pytest

from agent.errors import ModelError, UserError
from agent.models.base import Message, Picture, Request
from agent.models.openai_compatible import OpenAICompatible, faults
from tests.agent.models.fake_server import FakeServer, served

pytestmark = pytest.mark.loopback

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"text": {"type": "string", "maxLength": 12}},
    "required": ["text"],
    "additionalProperties": False,
}
NAMES = ("OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_BASE_URL", "OPENAI_ADMIN_KEY")


def _ask(text: str = "last A1c?", **rest: Any) -> Request:
    return Request(messages=(Message(role="user", parts=(text,)),), **{"tokens": 40, "seconds": 20.0, **rest})


@pytest.mark.parametrize(
    ("habits", "grammar", "form"),
    [
        ({}, "decoding", "json_schema"),
        ({"kind": "llama-cpp-python", "grammar": "shaped"}, "decoding", "json_object"),
        ({"kind": "llama-cpp-python", "grammar": "shaped", "strict": True}, "decoding", "json_object"),
        ({"kind": "plain", "grammar": "object"}, "repair", "json_object"),
        ({"kind": "plain", "grammar": "none"}, "repair", None),
        ({"kind": "plain", "grammar": "none", "strict": True}, "repair", None),
        ({"lengths": False}, "repair", "json_schema"),
    ],
)
async def test_what_a_server_really_enforces_is_found_out_once(
    habits: dict[str, Any], grammar: str, form: str | None
) -> None:
    app = FakeServer(**habits)
    async with served(app) as url, OpenAICompatible(url) as model:
        cards = await asyncio.gather(*(model.describe() for _ in range(4)))
        tried = len(app.requests)
        done = await model.complete(_ask(schema=SCHEMA))
    assert {card.grammar for card in cards} == {grammar} and tried <= 4
    assert len(app.requests) == tried + 1 and done.used.calls == 1 and json.loads(done.text)["text"]
    assert app.requests[-1].get("response_format", {}).get("type") == form
    told = "JSON schema says" in app.requests[-1]["messages"][-1]["content"]
    assert told == (grammar == "repair" and form != "json_schema")


async def test_an_operator_can_say_the_form() -> None:
    app = FakeServer()
    async with served(app) as url, OpenAICompatible(url, form="schema") as model:
        assert (await model.describe()).grammar == "decoding" and app.requests == []


@pytest.mark.parametrize(
    ("kind", "context", "name"),
    [("vllm", 8192, "m"), ("llama.cpp", 8192, "m"), ("ollama", 8192, "m"), ("plain", 0, "m")],
)
async def test_the_context_is_the_one_that_is_there(kind: Any, context: int, name: str) -> None:
    async with served(FakeServer(kind=kind, models=(name,))) as url, OpenAICompatible(url) as model:
        card = await model.describe()
    assert (card.context, card.name) == (context, name)


@pytest.mark.parametrize(
    ("id_", "name"),
    [
        ("google/medgemma-27b-it", "google/medgemma-27b-it"),
        ("/srv/models/medgemma-4b-it.gguf", "medgemma-4b-it"),
        ("C:\\models\\gemma.gguf", "gemma"),
        ("./weights/medgemma/", "medgemma"),
        ("gemma\x1b[31m3", "gemma[31m3"),
    ],
)
async def test_a_name_holds_no_path(id_: str, name: str) -> None:
    async with served(FakeServer(models=(id_,))) as url, OpenAICompatible(url) as model:
        assert (await model.describe()).name == name
        await model.complete(_ask())


async def test_who_really_answers_is_told() -> None:
    app = FakeServer(models=("big", "small"), answering="small")
    async with served(app) as url, OpenAICompatible(url, model="big") as model:
        assert (await model.describe()).name == "small"


@pytest.mark.parametrize(
    ("models", "wanted", "words"),
    [
        (("one", "two"), None, "set CHARTLINE_MODEL to one of them: one, two"),
        (("one", "two"), "three", "does not serve 'three'"),
        ((), None, "serves no model"),
    ],
)
async def test_no_other_model_takes_its_place(models: tuple[str, ...], wanted: str | None, words: str) -> None:
    async with served(FakeServer(models=models)) as url, OpenAICompatible(url, model=wanted) as model:
        with pytest.raises(ModelError, match=words):
            await model.complete(_ask())


async def test_a_wrong_answer_is_repaired_once_and_counted() -> None:
    said = iter(['{"text": "far too long for the schema"}', 'Sorry. {"text": "short"} That is it.'])
    trials = iter(["BLUE"] * 3)
    app = FakeServer(kind="plain", grammar="none", brain=lambda _: next(trials, None) or next(said))
    pieces: list[str] = []
    async with served(app) as url, OpenAICompatible(url) as model:
        done = await model.complete(_ask(schema=SCHEMA), pieces.append)
    assert (done.text, done.used.calls, pieces) == ('{"text": "short"}', 2, ['{"text": "short"}'])
    turns = app.requests[-1]["messages"]
    assert [turn["role"] for turn in turns] == ["user", "assistant", "user"]
    assert "$.text is longer than 12 characters" in turns[-1]["content"] and "far too" not in turns[-1]["content"]


async def test_two_repairs_and_no_more() -> None:
    app = FakeServer(kind="plain", grammar="none", brain=lambda _: "hidden words")
    async with served(app) as url, OpenAICompatible(url, form="none") as model:
        with pytest.raises(ModelError, match="nor did 2 repairs") as raised:
            await model.complete(_ask(schema=SCHEMA))
    assert len(app.requests) == 3 and "hidden" not in str(raised.value)


async def test_a_server_that_stops_enforcing_is_checked_from_then_on() -> None:
    app = FakeServer()
    async with served(app) as url, OpenAICompatible(url) as model:
        await model.describe()
        app.grammar, app.brain = "none", lambda texts: '{"text": "ok"}' if "Not accepted" in texts[-1] else "no"
        assert (await model.complete(_ask(schema=SCHEMA))).text == '{"text": "ok"}'
        assert (await model.describe()).grammar == "repair"


@pytest.mark.parametrize("status", [429, 502, 503])
async def test_a_busy_server_is_asked_again(status: int) -> None:
    app = FakeServer(faults=[(status, {"Retry-After": "0"}), (status, {}), "drop"])
    async with served(app) as url, OpenAICompatible(url, form="schema") as model:
        assert (await model.complete(_ask())).text
    assert len(app.requests) == 4


async def test_it_rests_as_long_as_it_is_told() -> None:
    app = FakeServer(faults=[(429, {"Retry-After": "1"})])
    begun = time.perf_counter()
    async with served(app) as url, OpenAICompatible(url, form="schema") as model:
        await model.complete(_ask())
    assert time.perf_counter() - begun >= 1


async def test_no_rest_goes_beyond_the_time_of_the_call() -> None:
    app = FakeServer(faults=[(503, {"Retry-After": "600"})])
    begun = time.perf_counter()
    async with served(app) as url, OpenAICompatible(url, form="schema") as model:
        with pytest.raises(ModelError, match="too busy or not ready"):
            await model.complete(_ask(seconds=5.0))
    assert time.perf_counter() - begun < 4


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ((401, {}), "CHARTLINE_MODEL_KEY"),
        ((404, {}), "CHARTLINE_MODEL_URL"),
        ((307, {"Location": "http://other.example/"}), "not followed"),
        ((400, {}), "refused the request"),
        ((500, {}), "its log says why"),
        ("cut", "broke off its answer"),
    ],
)
async def test_other_faults_are_told_at_once_without_what_was_sent(fault: Any, words: str) -> None:
    app = FakeServer(faults=[fault])
    async with served(app) as url, OpenAICompatible(url, form="schema", key="hidden-key") as model:
        with pytest.raises(ModelError, match=words) as raised:
            await model.complete(_ask("hidden question"))
    assert len(app.requests) == 1
    chain = [raised.value, raised.value.__cause__, raised.value.__context__]
    assert "hidden" not in " ".join(map(repr, chain))


async def test_nobody_there() -> None:
    async with OpenAICompatible("http://127.0.0.1:9") as model:
        with pytest.raises(ModelError, match=r"127\.0\.0\.1:9 cannot be reached"):
            await model.describe()


async def test_a_cancelled_call_stops_the_server() -> None:
    app = FakeServer(pace=0.01)
    async with served(app) as url, OpenAICompatible(url, form="schema") as model:
        task = asyncio.create_task(model.complete(_ask(tokens=1000)))
        await asyncio.sleep(0.3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0.3)
    assert (len(app.requests), app.stopped) == (1, 1)


async def test_a_call_out_of_time_stops_the_server() -> None:
    app = FakeServer(pace=0.01)
    async with served(app) as url, OpenAICompatible(url, form="schema") as model:
        with pytest.raises(ModelError, match=r"within 0\.3 s"):
            await model.complete(_ask(tokens=1000, seconds=0.3))
        await asyncio.sleep(0.3)
    assert app.stopped == 1


async def test_requests_in_flight_are_bounded() -> None:
    app = FakeServer(pace=0.002)
    async with served(app) as url, OpenAICompatible(url, form="schema", at_once=3) as model:
        await asyncio.gather(*(model.complete(_ask(f"{n}?", tokens=10)) for n in range(9)))
    assert app.most == 3


@pytest.mark.parametrize("kind", ["vllm", "llama.cpp"])
async def test_the_reused_beginning_is_counted(kind: Any) -> None:
    app = FakeServer(kind=kind)
    async with served(app) as url, OpenAICompatible(url, form="schema") as model:
        first = await model.complete(_ask("the same beginning " * 20 + "one?"))
        second = await model.complete(_ask("the same beginning " * 20 + "two?"))
    assert first.used.cached == 0 and second.used.prompt - 4 <= second.used.cached < second.used.prompt


async def test_a_server_that_counts_nothing() -> None:
    app = FakeServer(kind="llama-cpp-python", grammar="shaped")
    async with served(app) as url, OpenAICompatible(url) as model:
        used = (await model.complete(_ask("a question of forty characters, or less.", tokens=7))).used
    assert (used.prompt, used.completion) == (10, 7)


async def test_an_empty_answer_is_an_answer() -> None:
    async with served(FakeServer(grammar="none", brain=lambda _: "")) as url, OpenAICompatible(url) as model:
        done = await model.complete(_ask())
    assert (done.text, done.finish, done.used.completion) == ("", "stop", 0)


async def test_pictures_go_before_the_words() -> None:
    app = FakeServer(images="taken")
    picture = Picture(data=b"\x89PNG", media_type="image/png", mark="3")
    async with served(app) as url, OpenAICompatible(url) as model:
        await model.complete(Request(messages=(Message(role="user", parts=("What?",), pictures=(picture,)),)))
    content = app.requests[-1]["messages"][0]["content"]
    assert [part["type"] for part in content] == ["image_url", "text"]
    assert content[0]["image_url"]["url"] == "data:image/png;base64,iVBORw=="


@pytest.mark.parametrize(
    "habits", [{"images": "ignored"}, {"images": "refused"}, {"kind": "llama.cpp", "images": "ignored"}]
)
async def test_no_image_goes_to_a_server_that_would_not_see_it(habits: dict[str, Any]) -> None:
    app = FakeServer(**habits)
    picture = Picture(data=b"hidden", media_type="image/png")
    async with served(app) as url, OpenAICompatible(url) as model:
        for _ in range(2):
            with pytest.raises(ModelError, match="takes no images"):
                await model.complete(Request(messages=(Message(role="user", parts=("What?",), pictures=(picture,)),)))
    assert "aGlkZGVu" not in str(app.requests)


@pytest.mark.parametrize(
    "said",
    [
        "<unused94>thought\nsecret musing<unused95>{}",
        "<unused94>thought\nsecret musing <unused95>\n{}",
        "<think>\nsecret musing\n</think>\n\n{}",
    ],
)
async def test_thinking_is_kept_out_of_the_answer(said: str) -> None:
    pieces: list[str] = []
    async with served(FakeServer(grammar="none", brain=lambda _: said)) as url, OpenAICompatible(url) as model:
        done = await model.complete(_ask(thinking=100), pieces.append)
    assert (done.text, done.thought, "".join(pieces)) == ("{}", "secret musing", "{}")
    assert done.used.thinking > 0 and "secret" not in repr(done)


async def test_thinking_of_a_server_that_tells_it_apart() -> None:
    app = FakeServer(grammar="none", brain=lambda _: "yes", reasoning="secret musing")
    async with served(app) as url, OpenAICompatible(url) as model:
        done = await model.complete(_ask(thinking=100))
    assert (done.text, done.thought) == ("yes", "secret musing")


async def test_thinking_under_a_schema_is_free_first_and_enforced_after() -> None:
    app = FakeServer(brain=lambda _: "<unused94>thought\nhm<unused95>The answer is 7.")
    pieces: list[str] = []
    async with served(app) as url, OpenAICompatible(url) as model:
        done = await model.complete(_ask(schema=SCHEMA, thinking=64), pieces.append)
    first, second = app.requests[-2:]
    assert "response_format" not in first and second["response_format"]["type"] == "json_schema"
    assert first["messages"][0]["content"].startswith("SYSTEM INSTRUCTION: think silently if needed.")
    assert done.thought == "hm" and json.loads("".join(pieces)) == json.loads(done.text) and done.used.calls == 2


async def test_ollama_cuts_without_a_word_and_is_not_believed() -> None:
    app = FakeServer(kind="ollama", context=100)
    async with served(app) as url, OpenAICompatible(url) as model:
        with pytest.raises(ModelError, match="OLLAMA_CONTEXT_LENGTH"):
            await model.complete(_ask("word " * 200))


async def test_turns_of_one_role_are_one_turn() -> None:
    app = FakeServer()
    turns = tuple(Message(role="user", parts=(text,)) for text in ("One.", "Two."))
    async with served(app) as url, OpenAICompatible(url, form="schema") as model:
        await model.complete(Request(messages=turns))
    assert app.requests[-1]["messages"] == [{"role": "user", "content": "One.\n\nTwo."}]


async def test_only_the_settings_say_what_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.setenv(name, "http://stray.example/v1" if name.endswith("URL") else "stray")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Stray: stray\nAuthorization: Bearer stray")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    app = FakeServer(key="hidden-key")
    async with served(app) as url, OpenAICompatible(url, form="schema", key="hidden-key") as model:
        await model.complete(_ask())
        assert "hidden" not in repr(model) + repr(vars(model))
    assert "stray" not in repr(app.headers) and app.headers[0]["authorization"] == "Bearer hidden-key"
    transport = {"host", "accept", "accept-encoding", "connection", "content-type", "content-length", "user-agent"}
    assert set(app.headers[0]) <= {*transport, "authorization"}


async def test_nothing_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    app = FakeServer(faults=[(503, {"Retry-After": "0"})])
    with caplog.at_level(logging.DEBUG):
        for name in ("openai", "httpx", "httpx2", "httpcore2"):
            caplog.set_level(logging.DEBUG, logger=name)
        async with served(app) as url, OpenAICompatible(url, key="hidden-key") as model:
            await model.complete(_ask("hidden question"))
            await model.probe()
    lines = [
        r for r in caplog.records if r.name.split(".")[0] in ("openai", "httpx", "httpx2", "httpcore", "httpcore2")
    ]
    assert lines == [] and "hidden" not in caplog.text


@pytest.mark.parametrize(
    "url", ["", "localhost:8000", "ftp://x/v1", "http://", "http://u:p@x/v1", "http://x/v1?key=1", "http://x:99999/v1"]
)
def test_addresses_of_no_use(url: str) -> None:
    with pytest.raises(UserError, match="base URL"):
        OpenAICompatible(url)


@pytest.mark.parametrize("images", ["read", "taken", "ignored", "refused"])
async def test_a_probe_tells_what_becomes_of_images(images: Any) -> None:
    async with served(FakeServer(images=images)) as url, OpenAICompatible(url) as model:
        trial = await model.probe()
    assert trial.images == images and trial.card.images == (images in ("read", "taken"))


async def test_a_probe_finds_the_context_that_is_not_told() -> None:
    async with served(FakeServer(kind="plain", context=6000)) as url, OpenAICompatible(url) as model:
        trial = await model.probe()
    assert (trial.card.context, trial.told) == (6000, False)


async def test_a_probe_sees_reuse_and_speed() -> None:
    async with served(FakeServer(pace=0.001)) as url, OpenAICompatible(url) as model:
        pace = (await model.probe()).pace
    assert 0 < pace.rate < 1000 and 500 < pace.cached < pace.prompt < 900


async def test_raw_line_breaks_in_strings_are_escaped() -> None:
    """llama-cpp-python's grammar lets them through; pieces told while they stream in are escaped too."""
    app = FakeServer(kind="llama-cpp-python", grammar="shaped", raw=True)
    pieces: list[str] = []
    schema = {"type": "object", "properties": {"text": {"type": "string", "maxLength": 40}}, "required": ["text"]}
    async with served(app) as url, OpenAICompatible(url) as model:
        done = await model.complete(_ask("any?", schema=schema, tokens=80), pieces.append)
    assert "".join(pieces) == done.text and done.used.calls == 1
    assert "\n" in json.loads(done.text)["text"]


async def test_a_probe_sees_how_far_a_model_reads() -> None:
    found = []
    for habits in ({}, {"window": 1200}, {"window": 20}, {"context": 780}):
        async with served(FakeServer(**habits)) as url, OpenAICompatible(url) as model:
            reach = (await model.probe()).reach
            found.append(reach and reach.found)
    assert found == ["far", "near", "none", None]


async def test_lengths_beside_a_pattern_are_not_sent_and_yet_kept() -> None:
    """vLLM's xgrammar refuses the two together."""
    day = {"type": "string", "pattern": "^[0-9-]+$", "maxLength": 4}
    named = {"type": "object", "properties": {"pattern": {"type": "string", "maxLength": 9}, "day": day}}
    app = FakeServer(brain=None)
    async with served(app) as url, OpenAICompatible(url, form="schema") as model:
        with pytest.raises(ModelError, match="did not fit"):
            await model.complete(_ask(schema={**named, "required": ["day"]}))
    sent = app.requests[0]["response_format"]["json_schema"]["schema"]["properties"]
    assert sent["pattern"] == {"type": "string", "maxLength": 9}
    assert sent["day"] == {"type": "string", "pattern": "^[0-9-]+$"}


def test_a_fault_within_a_stream_is_told_by_its_code() -> None:
    def fault(**body: Any) -> faults.Fault:
        return faults.of(openai.APIError("no", httpx.Request("POST", "http://x"), body=body), "it")

    assert isinstance(fault(code=400).error, faults.Refused)
    assert "refused the key" in str(fault(code="401").error)
    assert "broke off" in str(fault(code="odd").error) and "broke off" in str(fault().error)
