"""The FastAPI app: its parts are opened when it starts, its rooms are routers."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version

from fastapi import APIRouter, FastAPI, Request, Response

from agent.service import asking, operations, problems
from agent.service.callers import Gates, Local
from agent.service.database import open_database
from agent.service.desk import Desk
from agent.service.holders import Holder, holders_in
from agent.service.jobs.questions import ManyQuestions
from agent.service.jobs.router import router as jobs_router
from agent.service.jobs.types import Work
from agent.service.jobs.work import Jobs
from agent.service.parts import Parts
from agent.service.questions.router import router as questions_router
from agent.service.questions.work import Questions
from agent.service.threads.router import router as threads_router
from agent.settings import Settings
from agent.threads import open_threads

__all__ = ["KINDS", "ROUTERS", "create_app"]

ROUTERS: tuple[APIRouter, ...] = (operations.router, asking.router, questions_router, threads_router, jobs_router)
KINDS: tuple[Work, ...] = (ManyQuestions(),)


def create_app(settings: Settings, *, fhir: tuple[str, ...] = ()) -> FastAPI:
    """The service. `fhir` are places to read charts from, instead of those of the settings."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            database = await stack.enter_async_context(open_database(settings))
            saver = await stack.enter_async_context(open_threads(settings))
            desk = await stack.enter_async_context(Desk(settings, saver, fhir=fhir))
            holder = await stack.enter_async_context(Holder(database, holders_in(settings)))
            questions = await stack.enter_async_context(
                Questions(database, holder, desk, saver, most=settings.service_questions)
            )
            parts = app.state.parts = Parts(
                settings=settings, gates=Gates([Local()]), desk=desk, database=database, questions=questions
            )
            app.state.jobs = await stack.enter_async_context(Jobs(holder, KINDS, parts, most=settings.service_jobs))
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
    app.middleware("http")(_identified)
    for router in ROUTERS:
        app.include_router(router)
    return app


async def _identified(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    """Give each request an id, which its answer, its errors and the log share."""
    request.state.id = secrets.token_hex(8)
    response = await call_next(request)
    response.headers["X-Request-ID"] = request.state.id
    return response
