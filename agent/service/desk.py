"""The open charts of the service: an `Agent` for each caller, patient and day, and the sources behind them."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass
from datetime import date

from agent import auditing, reasoning
from agent.errors import UserError
from agent.graph import Saver
from agent.models.base import ChatModel
from agent.reasoners.base import Reasoner
from agent.service import metrics
from agent.service.callers import Access, Caller
from agent.service.pool import Pool
from agent.service.problems import Problem
from agent.settings import Settings
from agent.sources import open_granted, open_source, places
from agent.wire import Agent, patient_reference
from fhir_tools.audit import Record
from fhir_tools.documents.concepts import concepts
from fhir_tools.source import Source

__all__ = ["Desk"]

_GRANTS = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class _Key:
    """Which open chart: whose (`user` goes on record with every request), of which grant, patient and day."""

    user: str
    grant: str
    patient: str
    as_of: date


class Desk:
    """Opens charts for callers, and keeps them for the next question; an async context manager.

    `saver` keeps threads. A chart is opened anew once it is older than the settings' `service_fresh` seconds.
    """

    def __init__(self, settings: Settings, saver: Saver | None = None, *, fhir: tuple[str, ...] = ()) -> None:
        self.settings, self._saver, self._fhir = settings, saver, fhir
        self._stack = AsyncExitStack()
        self._own: Source | None = None
        self._record: Record | None = None
        self.reasoner: Reasoner
        self.model: ChatModel | None = None
        self._vision: ChatModel | None = None
        self._grants: OrderedDict[str, Access] = OrderedDict()
        self._sources: Pool[str, Source] = Pool(self._source, size=64, seconds=900.0)
        self._agents: Pool[_Key, Agent] = Pool(
            self._agent, size=settings.service_charts, seconds=settings.service_fresh
        )

    async def __aenter__(self) -> Desk:
        async with AsyncExitStack() as stack:
            if not self._launched_alone():
                self._own = await stack.enter_async_context(open_source(self._fhir, self.settings))
            self._record = await stack.enter_async_context(auditing.open_record(self.settings))
            await asyncio.to_thread(concepts, "")  # the names to look for in notes, which the first question waits for
            self.reasoner, model = reasoning.reasoner(self.settings)
            self.model = model
            self._vision = reasoning.vision_model(self.settings, model)
            await stack.enter_async_context(model or nullcontext())
            await stack.enter_async_context((self._vision if self._vision is not model else None) or nullcontext())
            stack.push_async_callback(self._sources.close)
            stack.push_async_callback(self._agents.close)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @property
    def own(self) -> Source | None:
        """What charts are read from where a caller brings no grant of its own; None where all bring theirs."""
        return self._own

    @property
    def record(self) -> Record | None:
        """Where requests and answers are recorded; None where auditing is off."""
        return self._record

    @property
    def places(self) -> tuple[str, ...]:
        """Where charts are read from, for callers without a server of their own."""
        return places(self._fhir, self.settings)

    def today(self) -> date:
        """The day that counts as today."""
        return self.settings.today()

    @asynccontextmanager
    async def source(self, caller: Caller) -> AsyncIterator[Source]:
        """What the caller's charts are read from, not bound to one patient: for finding patients alone."""
        if caller.access is None:
            yield self._shared()
        else:
            self._grant(caller.access)
            async with self._sources.lend(caller.access.key) as source:
                yield source

    @asynccontextmanager
    async def agent(
        self, caller: Caller, patient: str | None = None, as_of: date | None = None
    ) -> AsyncIterator[Agent]:
        """The open agent of the caller's patient. `patient` is an id or `Patient/id`; None is that of the credentials.

        Raises Problem: 422 where no patient is named, 403 for another than that of the credentials.
        """
        async with self._agents.lend(self._key(caller, patient, as_of)) as agent:
            metrics.CHARTS.set(len(self._agents))
            yield agent

    def patient(self, caller: Caller, patient: str | None) -> str:
        """The id of the patient that is meant. Raises Problem as `agent` does."""
        if patient is None:
            if caller.patient is None:
                raise Problem(422, "no-patient", "say which patient is meant: patient is missing")
            return caller.patient
        try:
            id_ = patient_reference(patient).id
        except UserError as error:
            raise Problem(422, "invalid", str(error)) from error
        if not caller.may_ask_of(id_):
            raise Problem(403, "another-patient", "these credentials are for another patient")
        return id_

    def _key(self, caller: Caller, patient: str | None, as_of: date | None) -> _Key:
        grant = caller.access
        if grant:
            self._grant(grant)
        return _Key(
            user=caller.name,
            grant=grant.key if grant else "",
            patient=self.patient(caller, patient),
            as_of=as_of or self.today(),
        )

    def _grant(self, access: Access) -> None:
        """Have a grant at hand for what is opened next. Those that nobody has used for long are let go."""
        self._grants[access.key] = access
        self._grants.move_to_end(access.key)
        if len(self._grants) > _GRANTS:
            self._grants.popitem(last=False)

    async def forget(self, grant: str) -> None:
        """Close what a grant opened: its session ended, or its token was taken back."""
        self._grants.pop(grant, None)
        await self._agents.drop(lambda key: key.grant == grant)
        await self._sources.drop(lambda key: key == grant)

    def _launched_alone(self) -> bool:
        """Whether charts are those of launches only: EHRs may launch, and nothing else to read is named or there."""
        settings = self.settings
        return bool(settings.smart_servers and not (self._fhir or settings.fhir or settings.store.exists()))

    def _shared(self) -> Source:
        if self._own is None:
            raise Problem(503, "no-charts", "the only charts here are those of an EHR: launch chartline from it")
        return self._own

    @asynccontextmanager
    async def _source(self, grant: str) -> AsyncIterator[Source]:
        access = self._grants[grant]
        async with open_granted(access.base, access.auth, self.settings) as source:
            yield source

    @asynccontextmanager
    async def _agent(self, key: _Key) -> AsyncIterator[Agent]:
        lent = self._sources.lend(key.grant) if key.grant else nullcontext(self._shared())
        async with (
            lent as source,
            Agent(
                source,
                key.patient,
                as_of=key.as_of,
                settings=self.settings.model_copy(update={"user": key.user}),
                reasoner=self.reasoner,
                vision=self._vision,
                record=metrics.recorded(self._record),
                fhir=self._fhir,
                threads=self._saver,
            ) as agent,
        ):
            yield agent
