"""What the contracts of the service run over: its app on a SQLite file and on PostgreSQL, several at once if wanted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request

from agent import reasoning
from agent.reasoners.base import Reasoner
from agent.service.app import create_app
from agent.service.callers import Caller, caller_of
from agent.service.jobs import work as jobs_work
from agent.service.jobs.types import Work
from agent.service.jobs.work import Jobs
from agent.service.questions import work as questions_work
from agent.service.questions.work import Questions
from agent.settings import Settings
from agent.types import Ask, Draft, Evidence, Turn
from fhir_tools import demo
from tests.agent.service.conftest import settings_in

CHARTS = tuple(str(path) for path in demo.paths() if "maria" in path.name)
WHO = "X-Who"
"""The header that names the caller in these tests."""


class Held:
    """A reasoner that waits before it reasons, until it is let go; it notes how often it was asked."""

    def __init__(self, inner: Reasoner) -> None:
        self._inner, self.name = inner, inner.name
        self.free = asyncio.Event()
        self.asked: list[str] = []

    async def reason(self, ask: Ask, evidence: Evidence, history: tuple[Turn, ...] = (), feedback: str = "") -> Draft:
        self.asked.append(ask.question)
        await self.free.wait()
        return await self._inner.reason(ask, evidence, history, feedback)

    async def reached(self, number: int = 1) -> None:
        """Return once so many questions are being reasoned about, or were."""
        async with asyncio.timeout(20):
            while len(self.asked) < number:  # noqa: ASYNC110  it is the question's own pace
                await asyncio.sleep(0.005)


@dataclass(frozen=True, kw_only=True)
class Service:
    """A running app: a client of it, and its parts."""

    app: FastAPI
    client: httpx.AsyncClient
    held: Held

    @property
    def questions(self) -> Questions:
        return self.app.state.parts.questions

    @property
    def jobs(self) -> Jobs:
        return self.app.state.jobs


Opened = Callable[..., AbstractAsyncContextManager[Service]]


def _caller(request: Request) -> Caller:
    """Whoever the header names; after a slash the one patient that they may ask about."""
    name, _, patient = request.headers.get(WHO, "ada").partition("/")
    return Caller(id=name, name=name, via="token", patient=patient or None)


@asynccontextmanager
async def running(
    settings: Settings, *, hold: bool = False, kinds: tuple[Work, ...] = (), at_work: int | None = None
) -> AsyncIterator[Service]:
    """The app on these settings; with `hold` no question is answered until `held.free` is set.

    `at_work` is how many jobs are worked on at once, from the start; 0, which no setting allows, is none.
    """
    if at_work is not None:
        settings = settings.model_copy(update={"service_jobs": at_work})
    app = create_app(settings, fhir=CHARTS)
    app.dependency_overrides[caller_of] = _caller
    made: list[Held] = []

    def holding(inner: Reasoner) -> Held:
        made.append(Held(inner))
        if not hold:
            made[-1].free.set()
        return made[-1]

    async with AsyncExitStack() as stack:
        # There from the start: what was left is taken up while the app still opens its other parts.
        with pytest.MonkeyPatch.context() as patched:
            found = reasoning.reasoner
            patched.setattr(reasoning, "reasoner", lambda given: (holding(found(given)[0]), None))
            await stack.enter_async_context(app.router.lifespan_context(app))
        app.state.jobs.kinds = {**app.state.jobs.kinds, **{kind.kind: kind for kind in kinds}}
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=30) as client:
            yield Service(app=app, client=client, held=made[0])


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for what was left, and at what another process does, at once: tests wait for it."""
    monkeypatch.setattr(questions_work, "_SWEEP", 0.1)
    monkeypatch.setattr(questions_work, "_POLL", 0.02)
    monkeypatch.setattr(jobs_work, "_LOOK", 0.1)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Settings whose state is in a new database of each kind. Tests that use it are marked `loopback`."""
    if request.param == "sqlite":
        return settings_in(tmp_path)
    return settings_in(tmp_path, database=request.getfixturevalue("postgres_server").database())


@pytest.fixture
def opened(state: Settings) -> Opened:
    """Opens the app over that database; opened twice, it is as two processes that share it."""

    def opened(**options: Any) -> AbstractAsyncContextManager[Service]:
        return running(state, **options)

    return opened


def as_(name: str, **headers: str) -> dict[str, str]:
    """The headers of a request of this caller."""
    return {WHO: name, **{key.replace("_", "-"): value for key, value in headers.items()}}
