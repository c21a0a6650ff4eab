"""What a kind of job is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import BaseModel

from agent.service.callers import Caller

if TYPE_CHECKING:
    from agent.service.parts import Parts

__all__ = ["Work"]


class Work(Protocol):
    """A kind of job: how it falls into units, how one is done, and what comes of all of them.

    Errors that are raised end the job as failed, with their problem; one that is of a unit alone belongs in its JSON.
    """

    @property
    def kind(self) -> str:
        """Its name, as `POST /v1/jobs` gives it."""
        ...

    @property
    def input(self) -> type[BaseModel]:
        """What it needs; given by the caller, and handed to all below."""
        ...

    async def units(self, input: Any, parts: Parts, caller: Caller) -> Sequence[str]:  # noqa: A002
        """Names of the units, each once, in the order of work. Asked for once: the list is kept with the job."""
        ...

    async def do(self, unit: str, input: Any, parts: Parts, caller: Caller) -> Any:  # noqa: A002
        """One unit, as JSON. Done again where the process died before it was kept, so it must bear to be."""
        ...

    def result(self, input: Any, done: Mapping[str, Any]) -> Any:  # noqa: A002
        """The whole as JSON, of the units' JSON in the order of work."""
        ...
