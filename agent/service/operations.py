"""For those who run the service: is it alive, and can it answer."""

from __future__ import annotations

from fastapi import APIRouter

from agent.service.parts import TheParts
from agent.service.problems import Problem

__all__ = ["router"]

router = APIRouter(tags=["operations"])


@router.get("/healthz", summary="Is the process alive?")
async def healthz() -> dict[str, str]:
    """Always `ok`: whoever reads it has reached the process."""
    return {"status": "ok"}


@router.get("/readyz", summary="Can questions be answered?")
async def readyz(parts: TheParts) -> dict[str, str]:
    """`ready` where the database answers."""
    try:
        async with parts.database.connect() as connection:
            await connection.exec_driver_sql("SELECT 1")
    except Exception as error:
        raise Problem(503, "not-ready", f"the database does not answer ({type(error).__name__})") from error
    return {"status": "ready"}
