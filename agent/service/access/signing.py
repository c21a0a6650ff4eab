"""Who am I, sign in with a key, sign out; and where tokens for this service come from."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from agent.service.access.addresses import address_of
from agent.service.access.challenges import METADATA, invalid_token
from agent.service.access.cookies import SESSION, set_cookie, token_of
from agent.service.access.gates import caller_of_key
from agent.service.access.guarding import csrf_of
from agent.service.access.sessions import Session
from agent.service.access.tokens import SCOPES
from agent.service.callers import Caller
from agent.service.parts import Parts, TheCaller, TheParts
from agent.service.permission import WritingOut, writing
from agent.service.problems import Problem, responses

__all__ = ["LaunchOut", "MeOut", "SignIn", "router"]

router = APIRouter(tags=["sign-in"])


class LaunchOut(BaseModel):
    """What an EHR said with its launch (SMART 2.2). `fhir_context` as it came; `banner`: the EHR shows none itself."""

    server: str
    encounter: str | None = None
    intent: str | None = None
    banner: bool = True
    fhir_context: list[dict[str, Any]] = []


class MeOut(BaseModel):
    """Who asks. `csrf` goes into X-CSRF-Token of all that changes something; `patient` is the only one, where named."""

    name: str = Field(examples=["Dr Susan Clark (Practitioner/42)"])
    via: str = Field(examples=["launch"])
    patient: str | None = Field(examples=["demo-maria-santos"])
    csrf: str | None
    today: str = Field(examples=["2026-06-15"])
    reasoner: str = Field(examples=["rules"])
    features: dict[str, bool] = Field(examples=[{"write_back": False}])
    version: str
    writing: WritingOut | None = Field(default=None, description="What may be written to the chart, and where.")
    launch: LaunchOut | None = None


class SignIn(BaseModel):
    """An API key."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    key: Annotated[str, Field(min_length=1, max_length=200, repr=False)]


@router.get("/v1/me", summary="Who am I?")
async def me(request: Request, caller: TheCaller, parts: TheParts) -> MeOut:
    """The caller of this request, and what a page needs to know at its start."""
    # The token goes with the cookie, also with one whose session has ended: the guard asks for it all the same.
    return _me(request, parts, caller, token_of(request.headers), getattr(request.state, "session", None))


@router.post("/v1/sign-in", summary="Sign in with an API key", responses={401: {"description": "No such key."}})
async def sign_in(asked: SignIn, request: Request, response: Response, parts: TheParts) -> MeOut:
    """Makes a session for this browser, in a cookie that no script reads. One that was there before is ended."""
    key = parts.entrance.keys.find(asked.key.strip())
    if key is None:
        raise invalid_token(request, parts.settings, "there is no such API key")
    await parts.entrance.leave(request.headers)
    caller = caller_of_key(key)
    token = await parts.entrance.sessions.start(
        via="key", caller=caller.id, name=caller.name, credential=key.id, patient=key.patient
    )
    _set(response, request, parts, token, parts.settings.service_session)
    return _me(request, parts, caller, token, None)


@router.post("/v1/sign-out", status_code=204, summary="Sign out")
async def sign_out(request: Request, parts: TheParts) -> Response:
    """Ends the session of this browser; where an EHR launched it, its token is taken back there."""
    await parts.entrance.leave(request.headers)
    answer = Response(status_code=204, headers={"Clear-Site-Data": '"cache"'})
    _set(answer, request, parts, "", 0)
    return answer


@router.get(METADATA, summary="Where tokens for this service come from (RFC 9728)", responses=responses(404))
@router.get(METADATA + "/mcp", include_in_schema=False)
async def protected_resource(request: Request, parts: TheParts) -> dict[str, Any]:
    """The authorization server and scopes, for clients that find out by themselves, such as those of MCP."""
    if parts.settings.oauth_issuer is None:
        raise Problem(404, "no-tokens", "this service takes no tokens of an authorization server")
    below = "/mcp" if request.url.path.endswith("/mcp") else ""
    return {
        "resource": address_of(request, parts.settings) + below,
        "resource_name": "chartline",
        "authorization_servers": [parts.settings.oauth_issuer],
        "scopes_supported": list(SCOPES),
        "bearer_methods_supported": ["header"],
    }


def _me(request: Request, parts: Parts, caller: Caller, token: str | None, session: Session | None) -> MeOut:
    may_write = writing(request, caller, parts)
    return MeOut(
        name=caller.name,
        via=caller.via,
        patient=caller.patient,
        csrf=csrf_of(token) if token else None,
        today=parts.desk.today().isoformat(),
        reasoner=parts.desk.reasoner.name,
        features={"write_back": may_write is not None},
        version=version("chartline"),
        writing=may_write,
        launch=_launch(parts, session) if session and session.via == "launch" else None,
    )


def _launch(parts: Parts, session: Session) -> LaunchOut:
    context = session.grant.get("context", {})
    told = context.get("fhirContext")
    encounter, intent = context.get("encounter"), context.get("intent")
    return LaunchOut(
        server=parts.entrance.servers[session.credential].title,
        encounter=encounter if isinstance(encounter, str) else None,
        intent=intent if isinstance(intent, str) else None,
        banner=context.get("need_patient_banner") is not False,
        fhir_context=[row for row in told if isinstance(row, dict)] if isinstance(told, list) else [],
    )


def _set(answer: Response, request: Request, parts: Parts, token: str, seconds: float) -> None:
    answer.headers.append(
        "Set-Cookie", set_cookie(parts.settings, SESSION, token, seconds=seconds, scheme=request.url.scheme)
    )
