"""A small OpenAI-compatible server in process, with the habits of real ones, and the faults."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import uvicorn

from tests.agent.models import obedient

__all__ = ["FakeServer", "served"]

_DRAWER = re.compile(r"Which key does drawer (\d+) hold")
_TOLD = re.compile(r"as this JSON schema says: (.*)$", re.DOTALL)


@dataclass
class FakeServer:
    """An ASGI app. `grammar` is the `response_format` that it enforces; others it takes and ignores, or, with
    `strict`, refuses. `brain` is what it says where nothing is enforced: a function of the turns' texts, or None
    for a model that does what it is told. `kind` is whose habits it has; `faults` are answered first, each once:
    (status, headers), `drop` for a connection that ends at once, `cut` for one that ends after a piece. `window` is
    how many characters back it finds a line, `pairs` whether it sees more than one image, `raw` whether its grammar
    lets line breaks into strings.
    """

    kind: Literal["vllm", "llama.cpp", "ollama", "llama-cpp-python", "plain"] = "vllm"
    models: tuple[str, ...] = ("google/medgemma-27b-it",)
    grammar: Literal["schema", "shaped", "object", "none"] = "schema"
    lengths: bool = True
    strict: bool = False
    brain: Callable[[list[str]], str] | None = None
    images: Literal["read", "taken", "ignored", "refused"] = "read"
    pairs: bool = True
    window: int = 10**6
    raw: bool = False
    context: int = 8192
    pace: float = 0.0
    key: str = ""
    answering: str = ""
    reasoning: str = ""
    faults: list[Any] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    stopped: int = 0
    most: int = 0
    _now: int = 0
    _seen: list[str] = field(default_factory=list)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        body = await _body(receive)
        if self.key and headers.get("authorization") != f"Bearer {self.key}":
            await _json(send, 401, {"error": {"message": f"bad key {headers.get('authorization')}"}})
        elif scope["path"] == "/v1/chat/completions":
            self.headers.append(headers)
            self.requests.append(json.loads(body))
            self._now += 1
            self.most = max(self.most, self._now)
            try:
                await self._complete(json.loads(body), receive, send)
            finally:
                self._now -= 1
        else:
            found = self._about(scope["path"], json.loads(body) if body else {})
            await _json(send, 200 if found is not None else 404, found if found is not None else {"error": "none"})

    def _about(self, path: str, body: dict[str, Any]) -> Any:
        if path == "/v1/models":
            return {"object": "list", "data": [self._row(id_) for id_ in self.models]}
        if self.kind == "llama.cpp" and path == "/props":
            vision = self.images in ("read", "taken")
            return {"default_generation_settings": {"n_ctx": self.context}, "modalities": {"vision": vision}}
        if self.kind == "ollama" and path == "/api/show":
            return {"model_info": {"gemma3.context_length": 131072}, "capabilities": ["completion"], "parameters": ""}
        if self.kind == "ollama" and path == "/api/ps":
            loaded = [{"name": self.models[0], "context_length": self.context}] if self.requests else []
            return {"models": loaded}
        if self.kind == "llama-cpp-python" and path == "/extras/tokenize/count":
            return {"count": len(_tokens(body["input"]))}
        return None

    def _row(self, id_: str) -> dict[str, Any]:
        owner = {"llama.cpp": "llamacpp", "ollama": "library", "llama-cpp-python": "me"}.get(self.kind, self.kind)
        row = {"id": id_, "object": "model", "owned_by": owner}
        return {**row, "max_model_len": self.context} if self.kind == "vllm" else row

    async def _complete(self, body: dict[str, Any], receive: Any, send: Any) -> None:
        fault = self.faults.pop(0) if self.faults else None
        if isinstance(fault, tuple):
            await _json(send, fault[0], {"error": {"message": f"no: {body['messages']}"}}, fault[1])
            return
        texts, pictures = _turns(body["messages"])
        prompt = "".join(texts)
        tokens = len(_tokens(prompt)) + (256 * len(pictures) if self.images in ("read", "taken") else 0)
        wrong = self._refusal(body, tokens, pictures)
        if fault == "drop":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]})
            raise ConnectionError("dropped")  # uvicorn closes the connection
        if wrong and self.kind == "llama-cpp-python" and body.get("stream"):
            await send(
                {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]}
            )
            await send({"type": "http.response.body", "body": b""})  # it fails only after the head is sent
        elif wrong:
            await _json(send, 400, {"error": {"message": wrong, "code": 400}})
        else:
            await self._stream(body, self._said(body, texts, pictures), tokens, receive, send, cut=fault == "cut")

    def _refusal(self, body: dict[str, Any], tokens: int, pictures: list[bytes]) -> str:
        kind = body.get("response_format", {}).get("type")
        if tokens + body["max_tokens"] > self.context and self.kind != "ollama":
            return f"This model's maximum context length is {self.context} tokens. However, you requested {tokens}."
        if pictures and self.images == "refused":
            return "image input is not supported: " + "".join(map(str, pictures))
        if self.strict and kind and kind != {"schema": "json_schema"}.get(self.grammar, "json_object"):
            return f"response_format {kind} is not supported"
        if self.strict and self.grammar == "none" and "stream_options" in body:
            return "Unrecognized request argument: stream_options"
        return ""

    def _said(self, body: dict[str, Any], texts: list[str], pictures: list[bytes]) -> str:
        form = body.get("response_format", {})
        schema = form.get("json_schema", {}).get("schema") if self.grammar == "schema" else None
        if self.grammar == "shaped" and form.get("type") == "json_object":
            schema = form.get("schema")
        seed = sum("".join(texts).encode())
        if schema is not None:
            made = obedient.value(schema, seed)
            if not self.lengths and "code" in made:
                made["code"] = "0123456789" * 3
            told = json.dumps(made, ensure_ascii=False)
            return told.replace("6,9", "6\n9") if self.raw else told
        if pictures:
            seen = pictures if self.pairs else pictures[:1]
            return ", ".join(map(_colour, seen)) if self.images == "read" else "red"
        if found := _DRAWER.search(texts[-1]):
            key = re.search(rf"Drawer {found[1]} holds key (\d+)", texts[-1][-self.window :])
            return f"It is {key[1]}." if key else "It is 0."
        if self.brain is not None:
            return self.brain(texts)
        told = next((found for text in reversed(texts) if (found := _TOLD.search(text))), None)
        if told:
            made = json.dumps(obedient.value(json.loads(told[1]), seed), ensure_ascii=False)
            return made if self.grammar == "object" and form else f"Here it is:\n```json\n{made}\n```"
        return f"{seed} " + "words and ünïcödé 😀 of an answer, " * 200

    async def _stream(
        self, body: dict[str, Any], text: str, tokens: int, receive: Any, send: Any, *, cut: bool
    ) -> None:
        pieces = _tokens(text)
        said = pieces[: body["max_tokens"]]
        name = self.answering or body["model"]
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        gone = asyncio.create_task(_gone(receive))
        deltas = [*({"reasoning_content": part} for part in _tokens(self.reasoning)), *({"content": p} for p in said)]
        try:
            for delta in ({"role": "assistant", "content": ""}, *deltas):
                if gone.done():
                    self.stopped += 1
                    return
                await _event(send, {"model": name, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
                if cut and delta.get("content"):
                    raise ConnectionError("cut")
                await asyncio.sleep(self.pace)
            finish = "length" if len(said) < len(pieces) else "stop"
            last = {"model": name, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]}
            await _event(send, {**last, **self._timings(body, tokens, len(said))})
            if body.get("stream_options", {}).get("include_usage") and self.kind in ("vllm", "ollama", "plain"):
                await _event(send, {"model": name, "choices": [], "usage": self._usage(body, tokens, len(said))})
            await send({"type": "http.response.body", "body": b"data: [DONE]\n\n"})
        finally:
            gone.cancel()

    def _usage(self, body: dict[str, Any], tokens: int, said: int) -> dict[str, Any]:
        usage = {"prompt_tokens": tokens, "completion_tokens": said, "total_tokens": tokens + said}
        return {**usage, "prompt_tokens_details": {"cached_tokens": self._reused(body)}}

    def _timings(self, body: dict[str, Any], tokens: int, said: int) -> dict[str, Any]:
        if self.kind != "llama.cpp":
            return {}
        reused = self._reused(body)
        return {"timings": {"cache_n": reused, "prompt_n": tokens - reused, "predicted_n": said}}

    def _reused(self, body: dict[str, Any]) -> int:
        prompt = "".join(_turns(body["messages"])[0])
        alike = max((_alike(prompt, earlier) for earlier in self._seen), default=0)
        self._seen.append(prompt)
        return len(_tokens(prompt[:alike]))


def _tokens(text: str) -> list[str]:
    return [text[n : n + 4] for n in range(0, len(text), 4)]


def _alike(one: str, other: str) -> int:
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _turns(messages: list[dict[str, Any]]) -> tuple[list[str], list[bytes]]:
    texts, pictures = [], []
    for message in messages:
        content = message["content"]
        parts = content if isinstance(content, list) else [{"type": "text", "text": content}]
        texts.append("".join(part.get("text", "") for part in parts))
        urls = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
        pictures += [base64.b64decode(url.partition("base64,")[2]) for url in urls]
    return texts, pictures


def _colour(png: bytes) -> str:
    """Of the first pixel: enough to see that the picture came through whole."""
    start = png.index(b"IDAT") + 4
    rows = zlib.decompress(png[start : png.index(b"IEND") - 8])
    return "red" if rows[1] > rows[3] else "blue"


async def _body(receive: Any) -> bytes:
    found, more = b"", True
    while more:
        message = await receive()
        found += message.get("body", b"")
        more = message.get("more_body", False)
    return found


async def _gone(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _event(send: Any, data: dict[str, Any]) -> None:
    told = f"data: {json.dumps({'id': 'x', 'object': 'chat.completion.chunk', 'created': 0, **data})}\n\n"
    await send({"type": "http.response.body", "body": told.encode(), "more_body": True})


async def _json(send: Any, status: int, data: Any, headers: dict[str, str] | None = None) -> None:
    extra = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    start = {"type": "http.response.start", "status": status}
    await send({**start, "headers": [(b"content-type", b"application/json"), *extra]})
    await send({"type": "http.response.body", "body": json.dumps(data).encode()})


@asynccontextmanager
async def served(app: Any) -> AsyncIterator[str]:
    """The app on a free port of the loopback, in this loop; its base URL."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, lifespan="off", ws="none", loop="none")
    config.timeout_graceful_shutdown = 1
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.should_exit = True
        await running
