"""Errors of chat completions in the form that OpenAI's clients read."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from agent.service.chat.shapes import ChatErrorBody, ChatErrorOut
from agent.service.problems import Problem, problem_of

__all__ = ["ChatRoute", "error_of", "responses"]

_TYPES: Mapping[int, str] = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


class ChatRoute(APIRoute):
    """A route whose every error, of its dependencies too, is told in OpenAI's form."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def told(request: Request) -> Response:
            try:
                return await handler(request)
            except RequestValidationError as error:
                return _response(_invalid(error))
            except HTTPException as error:
                return _response(Problem(error.status_code, "", str(error.detail), headers=error.headers))
            except Exception as error:  # noqa: BLE001  told by its type alone where it is not chartline's own
                return _response(problem_of(error))

        return told


def error_of(problem: Problem) -> ChatErrorOut:
    """The problem in OpenAI's form: `code` is the last part of the problem's type."""
    kind = "server_error" if problem.status >= 500 else _TYPES.get(problem.status, "invalid_request_error")
    body = ChatErrorBody(message=problem.detail, type=kind, param=problem.more.get("param"), code=problem.kind or None)
    return ChatErrorOut(error=body)


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The errors of a route for its description in OpenAPI."""
    return {status: {"model": ChatErrorOut, "description": HTTPStatus(status).phrase} for status in statuses}


def _response(problem: Problem) -> JSONResponse:
    status = 400 if problem.status == 422 else problem.status  # as OpenAI has it
    return JSONResponse(error_of(problem).model_dump(), status, headers=problem.headers)


def _invalid(error: RequestValidationError) -> Problem:
    """The first fault: where and why, never the value, which can be a question or a name."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if part != "body")
    return Problem(400, "invalid", f"{where or 'the body'}: {first['msg']}", more={"param": where or None})
