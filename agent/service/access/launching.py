"""SMART App Launch 2.2: from the EHR (`/launch`) or by a user alone (`/launch/standalone`), to a session."""

from __future__ import annotations

import html
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.responses import Response

from agent.errors import ChartlineError, OperatorError, UserError
from agent.service.accepting import named
from agent.service.access.addresses import address_of
from agent.service.access.attempts import LIFETIME, cookie_name
from agent.service.access.cookies import SESSION, cookie_of, set_cookie
from agent.service.access.grants import kept
from agent.service.access.tokens import identity, patient_of
from agent.service.parts import Parts, TheParts
from agent.service.problems import Problem, problem_of, response
from fhir_tools.auth.launching import Attempt, Granted, LaunchFailed
from fhir_tools.auth.registrations import Registration

__all__ = ["router"]

router = APIRouter(tags=["sign-in"])
_CALLBACK = "/launch/callback"
_KEPT = ("encounter", "fhirContext", "intent", "need_patient_banner", "tenant")
"""What of the launch context is kept. `smart_style_url` is not: nothing is shown or fetched that it names."""
_REFUSALS = {
    "access_denied": "it was declined there",
    "invalid_scope": "chartline asked for scopes that it is not registered for there; have either changed",
    "unauthorized_client": "chartline is not registered for this kind of launch there",
    "temporarily_unavailable": "the server is busy; try again later",
    "server_error": "the server failed; try again later",
    "login_required": "nobody is signed in there",
}

Iss = Annotated[
    str, Query(max_length=400, description="The FHIR server's base URL.", examples=["https://ehr.example/fhir"])
]
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    403: {"description": "The launch is not taken: another server, another browser, or declined."},
    422: {"description": "A parameter is missing."},
    502: {"description": "The FHIR server's sign-in cannot be used."},
}


@router.get(
    "/launch", status_code=303, response_class=RedirectResponse, responses=_PROBLEMS, summary="Launch from an EHR"
)
async def launch(
    request: Request, parts: TheParts, iss: Iss, launch: Annotated[str, Query(max_length=4000)]
) -> Response:
    """The EHR opens this address; the browser goes on to its sign-in, and comes back to `/launch/callback`."""
    return await _told(request, _begin(request, parts, iss, launch))


@router.get(
    "/launch/standalone",
    status_code=303,
    response_class=RedirectResponse,
    responses=_PROBLEMS,
    summary="Sign in at a FHIR server",
)
async def standalone(request: Request, parts: TheParts, iss: Iss) -> Response:
    """The same without an EHR: the server lets the user choose a patient, or shows what the user may see."""
    return await _told(request, _begin(request, parts, iss, None))


@router.get(
    _CALLBACK, status_code=303, response_class=RedirectResponse, responses=_PROBLEMS, summary="The answer of a sign-in"
)
async def callback(
    request: Request,
    parts: TheParts,
    state: Annotated[str, Query(max_length=200)],
    code: Annotated[str | None, Query(max_length=4000)] = None,
    error: Annotated[str | None, Query(max_length=200)] = None,
    iss: Annotated[str | None, Query(max_length=400)] = None,
) -> Response:
    """Where the server's sign-in sends the browser back to. It makes the session, and goes on to the page."""
    return await _told(request, _end(request, parts, state, code, error, iss))


async def _begin(request: Request, parts: Parts, iss: str, launch: str | None) -> Response:
    server = _server(parts, iss, ehr=launch is not None)
    attempt = Attempt(redirect=address_of(request, parts.settings) + _CALLBACK)
    # Asked for before anything is kept: a server that cannot be used leaves nothing behind.
    there = await parts.entrance.launchers[server.iss].address(
        attempt, server.asked(ehr=launch is not None), launch, iss
    )
    browser = await parts.entrance.attempts.keep(server.iss, attempt)
    answer = RedirectResponse(there, 303)
    _add_cookie(answer, request, parts, cookie_name(attempt.state), browser, LIFETIME)
    return answer


async def _end(
    request: Request, parts: Parts, state: str, code: str | None, error: str | None, issuer: str | None
) -> Response:
    name = cookie_name(state)
    taken = await parts.entrance.attempts.take(state, cookie_of(request.headers, name))
    if taken is None:
        raise LaunchFailed("this launch was begun in another browser, is over, or was used before; launch again")
    iss, attempt = taken
    launcher = parts.entrance.launchers[_server(parts, iss).iss]
    if error is not None or code is None:
        await launcher.require(issuer)
        raise LaunchFailed(
            f"the server let nobody in: {_REFUSALS.get(error or '', 'launch again, or ask who runs it')}"
        )
    granted = await launcher.finish(attempt, code, issuer)
    token = await _start(parts, parts.entrance.servers[iss], granted)
    await parts.entrance.leave(request.headers)
    answer = RedirectResponse(address_of(request, parts.settings) + "/", 303)
    _add_cookie(answer, request, parts, SESSION, token, parts.settings.service_session)
    _add_cookie(answer, request, parts, name, "", 0)
    return answer


def _server(parts: Parts, iss: str, *, ehr: bool = True) -> Registration:
    """A server that may launch. Another is never asked anything: whoever made the link chose it."""
    found = parts.entrance.servers.get(iss.rstrip("/"))
    if found is None or not (ehr or found.standalone):
        raise LaunchFailed("chartline is not registered at this FHIR server; its operator adds it to the SMART servers")
    return found


async def _start(parts: Parts, server: Registration, granted: Granted) -> str:
    """The session of what was granted; its token."""
    patient = patient_of(granted.context.get("patient"))
    scopes = granted.token.granted("patient")
    if patient is None and scopes and not any(scope.context == "user" for scope in scopes.scopes):
        raise LaunchFailed("the server named no patient; choose one there, and launch again")
    claims = granted.identity
    context = {name: granted.context[name] for name in _KEPT if name in granted.context}
    return await parts.entrance.sessions.start(
        via="launch",
        caller=f"launch:{identity(claims, server.iss)}" if claims else None,
        name=_name(granted, server),
        credential=server.iss,
        patient=patient,
        grant=kept(replace(granted.token, patient=patient), context),
    )


def _name(granted: Granted, server: Registration) -> str:
    """Who goes on record: the name where the server tells one, and what it knows the user by."""
    claims = granted.identity or {}
    known = str(claims.get("fhirUser") or claims.get("profile") or claims.get("sub") or "a user").removeprefix(
        server.iss
    )
    name = claims.get("name")
    said = (
        f"{' '.join(name.split())} ({known.lstrip('/')})"
        if isinstance(name, str) and name.strip()
        else known.lstrip("/")
    )
    return f"{said} at {server.title}"[:300]


def _add_cookie(answer: Response, request: Request, parts: Parts, name: str, value: str, seconds: float) -> None:
    header = set_cookie(parts.settings, name, value, seconds=seconds, scheme=request.url.scheme)
    answer.headers.append("Set-Cookie", header)


async def _told(request: Request, work: Any) -> Response:
    """A launch's answer. What fails is told to the person whose browser it is, and as a problem to programs."""
    try:
        done: Response = await work
        return done
    except (ChartlineError, Problem) as error:
        problem = _problem(error)
        if not named(request, "text/html"):
            return response(problem, request)
        home = "./" if request.url.path.endswith("/launch") else "../"
        return HTMLResponse(_PAGE.format(html.escape(problem.detail), home), problem.status)


def _problem(error: ChartlineError | Problem) -> Problem:
    if isinstance(error, LaunchFailed):
        return Problem(403, "launch", str(error))
    if isinstance(error, OperatorError):
        return Problem(502, "launch", str(error))
    if isinstance(error, UserError):
        return Problem(502, "launch", f"{error}; ask who runs the server")
    return problem_of(error)


_PAGE = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Not signed in: chartline</title></head>'
    '<body><main><h1>Not signed in</h1><p>{}</p><p><a href="{}">To chartline</a></p></main></body></html>'
)
