"""What the page asks for and this tree does not have yet, small and in memory: each serves only where the app lacks it."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse, Response

from agent.service.assets import PAGE
from agent.service.events import sse
from agent.service.parts import TheCaller, TheParts
from agent.summaries import render, summarise
from agent.types import Answer

__all__ = ["complete"]

router = APIRouter()
_EVIDENCE = """export async function showEvidence(container, { citation }) {
  const line = document.createElement("p");
  line.textContent = `${citation.reference || citation.inputs.join(", ")}: ${citation.excerpt}`;
  container.replaceChildren(line);
}
"""
_TIMELINE = """export async function showTimeline(container, { patient }) {
  container.textContent = patient;
}
"""
_FILES = {
    "evidence.js": (_EVIDENCE, "text/javascript"),
    "timeline.js": (_TIMELINE, "text/javascript"),
    "evidence.css": ("", "text/css"),
}


def complete(app: FastAPI) -> Any:
    """The app with what it lacks."""
    paths = app.openapi()["paths"]
    beside = FastAPI()
    beside.include_router(router)
    beside.state = app.state
    wanted = {"/v1/me", "/v1/summaries", "/v1/threads"}
    lacking = tuple(path for path in wanted if path not in paths)
    lacking = (*lacking, "/v1/ask") if "/v1/threads" in lacking else lacking
    files = tuple(name for name in _FILES if not (PAGE / name).exists())

    async def completed(scope: Any, receive: Any, send: Any) -> None:
        path = scope.get("path", "")
        lacks = path.startswith(lacking) or path.endswith(files)
        await (beside if scope["type"] == "http" and lacks else app)(scope, receive, send)

    return completed


@router.get("/assets/{build}/{name}")
async def file(build: str, name: str) -> Response:
    text, media = _FILES[name]
    return Response(text, media_type=media)


@router.get("/v1/me")
async def me(caller: TheCaller, parts: TheParts) -> dict[str, Any]:
    return {
        "name": caller.name,
        "via": caller.via,
        "patient": caller.patient,
        "csrf": None,
        "today": parts.desk.today().isoformat(),
        "reasoner": parts.desk.reasoner.name,
        "features": {"write_back": False},
        "version": "0",
    }


def _threads(request: Request) -> dict[str, Any]:
    if not hasattr(request.app.state, "threads"):
        request.app.state.threads = {}
    threads: dict[str, Any] = request.app.state.threads
    return threads


def _now() -> str:
    return datetime.now(UTC).isoformat()


@router.post("/v1/threads", status_code=201)
async def begin(request: Request) -> dict[str, Any]:
    body = await request.json()
    times = {"created": _now(), "updated": _now()}
    thread = {"id": secrets.token_hex(8), **body, "title": "", **times, "turns": []}
    _threads(request)[thread["id"]] = thread
    return thread


@router.get("/v1/threads")
async def some(request: Request, patient: str) -> dict[str, Any]:
    found = [t for t in _threads(request).values() if t["patient"] == patient]
    return {"threads": sorted(found, key=lambda t: t["updated"], reverse=True), "complete": True}


@router.get("/v1/threads/{id}")
async def one(id: str, request: Request) -> Any:
    found = _threads(request).get(id)
    return found or JSONResponse({"status": 404, "type": "x:not-there", "detail": "no such conversation"}, 404)


@router.delete("/v1/threads/{id}", status_code=204)
async def delete(id: str, request: Request) -> None:
    _threads(request).pop(id, None)


@router.post("/v1/ask")
async def ask(request: Request, caller: TheCaller, parts: TheParts) -> Response:
    body = await request.json()
    thread, key = _threads(request)[body["thread"]], request.headers["Idempotency-Key"]

    async def told() -> Any:
        done = next((t for t in thread["turns"] if t["id"] == key), None)
        if done:
            yield "answer", done["answer"]
            return
        async with parts.desk.agent(caller, body["patient"]) as agent:
            async for event in agent.stream(body["question"], thread["id"]):
                if not isinstance(event, Answer):
                    yield "progress", event
                    continue
                answer = event.model_dump(mode="json")
                turn = {"id": key, "question": body["question"], "state": "answered", "asked": _now(), "answer": answer}
                thread["turns"].append(turn)
                thread.update(title=thread["title"] or body["question"], updated=_now())
                for claim in event.claims:
                    yield "claim", claim
                yield "answer", answer

    return sse(told())


@router.post("/v1/summaries")
async def summary(request: Request, caller: TheCaller, parts: TheParts) -> Response:
    body = await request.json()
    async with parts.desk.agent(caller, body["patient"]) as agent:
        made = await summarise(await agent.chart(), body["kind"])
    return Response(render(made, "json"), media_type="application/json")
