"""The FastAPI app: its parts are opened when it starts, its rooms are routers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version
from pathlib import Path

from fastapi import APIRouter, FastAPI

from agent.service import (
    asking,
    assets,
    evidence,
    openapi,
    operations,
    patients,
    problems,
    recording,
    summarising,
    timeline,
)
from agent.service.access import launching, signing
from agent.service.access.browsers import guard, headed
from agent.service.access.entrance import open_entrance
from agent.service.bounds import Bounded
from agent.service.cds import routes as cds
from agent.service.cds.cors import CdsCors
from agent.service.cds.room import open_room
from agent.service.chat import completions
from agent.service.database import open_database
from agent.service.desk import Desk
from agent.service.holders import Holder, holders_in
from agent.service.identified import Identified
from agent.service.images import Studies
from agent.service.jobs.questions import ManyQuestions
from agent.service.jobs.router import router as jobs_router
from agent.service.jobs.types import Work
from agent.service.jobs.work import Jobs
from agent.service.mcp_server.http import open_mcp
from agent.service.mcp_server.http import router as mcp_router
from agent.service.methods import Methods
from agent.service.packing import Packed
from agent.service.parts import Parts
from agent.service.questions.router import router as questions_router
from agent.service.questions.work import Questions
from agent.service.readiness import Readiness
from agent.service.threads.router import router as threads_router
from agent.service.trials import cohorts
from agent.service.trials import routes as trials
from agent.service.trials.work import TrialScreening
from agent.service.turns import Queued, Turns
from agent.settings import Settings
from agent.threads import open_threads
from fhir_tools.lexicon.english import is_english

__all__ = ["KINDS", "ROUTERS", "create_app"]

ROUTERS: tuple[APIRouter, ...] = (
    asking.router,  # they are tried in this order
    operations.router,
    signing.router,
    launching.router,
    questions_router,
    threads_router,
    jobs_router,
    summarising.router,
    recording.router,
    completions.router,
    mcp_router,
    cds.router,
    evidence.router,
    timeline.router,
    patients.router,
    assets.router,
    trials.router,
    cohorts.router,
)
KINDS: tuple[Work, ...] = (ManyQuestions(), TrialScreening())


def create_app(settings: Settings, *, fhir: tuple[str, ...] = (), counts: Path | None = None) -> FastAPI:
    """The service. `fhir` are places to read charts from, instead of those of the settings.

    `counts` is the folder of the metrics, where several processes share them.
    """
    turns = Turns(each=settings.service_each, total=settings.service_total, wait=settings.service_wait)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            await asyncio.to_thread(is_english, "")  # its dictionary takes half a second: not in somebody's question
            database = await stack.enter_async_context(open_database(settings))
            saver = await stack.enter_async_context(open_threads(settings))
            desk = await stack.enter_async_context(Desk(settings, saver, fhir=fhir))
            studies = await stack.enter_async_context(Studies(desk))
            holder = await stack.enter_async_context(Holder(database, holders_in(settings)))
            questions = await stack.enter_async_context(
                Questions(database, holder, desk, saver, most=settings.service_questions)
            )
            entrance = await stack.enter_async_context(open_entrance(settings, database, desk.forget, fhir))
            parts = app.state.parts = Parts(
                settings=settings,
                gates=entrance.gates,
                desk=desk,
                database=database,
                questions=questions,
                entrance=entrance,
                studies=studies,
                turns=turns,
                ready=Readiness(holder, saver, desk),
                counts=counts,
            )
            app.state.jobs = await stack.enter_async_context(Jobs(holder, KINDS, parts, most=settings.service_jobs))
            app.state.mcp = await stack.enter_async_context(open_mcp(parts))
            app.state.cds = await stack.enter_async_context(open_room(settings, desk, database, holder, fhir))
            yield

    app = FastAPI(
        title="chartline",
        version=version("chartline"),
        summary="Ask a patient's FHIR chart a question; every statement of the answer is backed by a checked resource.",
        lifespan=lifespan,
        docs_url=None,  # it would fetch its scripts from elsewhere
        redoc_url=None,
    )
    problems.install(app)
    openapi.describe(app, settings)
    app.add_middleware(Methods, routers=ROUTERS)
    app.add_middleware(Packed)
    # The last one stands outermost: a request is named before it can be refused, and refused before it takes a turn.
    app.add_middleware(Queued, turns=turns)
    app.add_middleware(Bounded, size=settings.service_body, seconds=settings.service_seconds)
    guard(app, settings)
    if settings.cds_origins:
        app.add_middleware(CdsCors, origins=settings.cds_origins)
    headed(app, settings)
    app.add_middleware(Identified)
    for router in ROUTERS:
        app.include_router(router)
    return app
