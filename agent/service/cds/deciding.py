"""One call of a hook, from what the EHR sent to the cards it gets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from agent.service.cds.completing import completed, granted
from agent.service.cds.composing import Page, compose, distinct, unread
from agent.service.cds.configuring import AllergyCard, Cards, QuestionCard
from agent.service.cds.drafts import Drafts, drafted
from agent.service.cds.facts import SOFT, Facts, Unread, facts_in
from agent.service.cds.feedback import shown
from agent.service.cds.findings import Finding
from agent.service.cds.gate import Admitted
from agent.service.cds.kept import kept
from agent.service.cds.prefetch import satisfied, strange
from agent.service.cds.requests import Context, HookIn
from agent.service.cds.responses import CardOut, CardsOut
from agent.service.cds.rules import find, needs
from agent.service.cds.rules.allergy import unclear
from agent.service.cds.rules.question import finding as answered
from agent.service.cds.seeing import sees
from agent.service.desk import Desk
from agent.service.problems import Problem
from agent.sources import is_url, places, same_place
from fhir_tools.types import Reference

__all__ = ["Call", "decide", "grant_of"]


_UNNAMED = "an active order names its drug by a reference that was not sent"


def grant_of(desk: Desk, fhir: tuple[str, ...]) -> str:
    """Which charts answers were computed from: the places that this service reads by itself."""
    return " ".join(map(_place, places(fhir, desk.settings)))


def _place(place: str) -> str:
    return place.rstrip("/") if is_url(place) else Path(place).expanduser().resolve().as_uri()


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call with all that it takes to answer it. `base` is the service's address for links."""

    service: str
    asked: HookIn
    context: Context
    admitted: Admitted
    cards: Cards
    desk: Desk
    database: AsyncEngine
    base: str
    grant: str


async def decide(call: Call) -> CardsOut:
    """The cards. Raises Problem 412 where there is nothing to say for want of data, or data are missing and the site
    wants it so; 422 where a draft is of another patient; and those of `granted`."""
    if any(strange(resource, call.context) for resource in call.context.drafts()):
        raise Problem(422, "another-patient", "a draft order is for another patient than context.patientId")
    drafts = drafted(call.context)
    caller = granted(call.asked, call.context, call.admitted.client, call.admitted.caller)
    call = replace(call, admitted=replace(call.admitted, caller=caller))
    concerned = tuple(c for c in call.cards.of(call.asked.hook) if _may_see(c, call))
    facts, user = await _facts(call, _wanted(concerned, drafts), drafts)
    seen = tuple(c for c in concerned if sees(c.who, call.context, call.admitted, user))
    findings, missed = _found(seen, facts)
    why = {lack.key: lack.why for lack in missed.values()}
    known = await _kept(call, seen)
    if missed and (call.cards.unread == "refuse" or not (known or _checked(seen, drafts, missed))):
        raise _refusal({**facts.unread, **why})
    findings += known
    out = [(f.card.name, compose(f, call.cards, _page(call))) for f in distinct(findings)]
    unknown = _unknown(seen, facts)
    if (missed or unknown) and call.cards.unread != "silent":
        out.append(("not-checked", unread(why, missed, unknown, call.cards)))
    return await _sent(call, out)


def _may_see(card: Any, call: Call) -> bool:
    """Before the user's own resource is read: by all that the request says itself."""
    return sees(card.who.model_copy(update={"roles": (), "organizations": ()}), call.context, call.admitted, ())


def _wanted(cards: Iterable[Any], drafts: Drafts) -> frozenset[str]:
    keys = {key for card in cards for key in needs(card, drafts)}
    keys |= {"user"} if any(card.who.asks_of_user for card in cards) else set()
    return frozenset(keys | {"patient"}) if keys else frozenset()


async def _facts(call: Call, keys: frozenset[str], drafts: Drafts) -> tuple[Facts, tuple[Mapping[str, Any], ...]]:
    """The facts of the prefetch, completed from the client's server; and the user's own resource, where it was read."""
    sent = satisfied(call.asked.prefetch, keys, call.context)
    resources, why = dict(sent.resources), dict(sent.refused)
    lacking = keys - resources.keys()
    if lacking and call.admitted.caller.access:
        more, failed = await completed(lacking, call.context, call.admitted.caller, call.desk)
        resources |= more
        why = {key: failed.get(key, why.get(key, "")) for key in {*why, *failed} if key not in more}
    unread = {key: why.get(key) or "it was not sent" for key in keys - resources.keys()}
    facts = Facts(
        patient=Reference(type="Patient", id=call.context.patientId),
        as_of=call.desk.today(),
        read={key: facts_in(found) for key, found in resources.items() if key != "user"},
        unread=unread,
        drafts=drafts,
    )
    return facts, resources.get("user", ())


def _found(cards: Iterable[Any], facts: Facts) -> tuple[list[Finding], dict[str, Unread]]:
    """What the rules find, and for each card that could not be wholly checked what it lacks."""
    findings: list[Finding] = []
    missed: dict[str, Unread] = {}
    for card in cards:
        try:
            findings += find(card, facts)
            if facts.nameless and "medications" in needs(card, facts.drafts):
                missed[card.name] = Unread("medications", _UNNAMED)
        except Unread as error:
            missed[card.name] = error
    return findings, missed


def _checked(seen: tuple[Any, ...], drafts: Drafts, missed: Mapping[str, Unread]) -> bool:
    """Whether any rule had what it needs."""
    return any(needs(card, drafts) and card.name not in missed for card in seen)


def _unknown(seen: tuple[Any, ...], facts: Facts) -> tuple[str, ...]:
    """What nothing is known of, in the words of the orders and the chart: drugs, and allergies to drugs."""
    held = any(isinstance(card, AllergyCard) for card in seen) and facts.drafts.drugs and "allergies" in facts.read
    return (*(facts.strange if seen else ()), *(unclear(facts) if held else ()))


def _refusal(why: Mapping[str, str]) -> Problem:
    """412: what is needed could not be had (CDS Hooks 2.0.1, HTTP Status Codes)."""
    lacking = sorted(key for key in why if key not in SOFT)
    told = "; ".join(f"{key}: {why[key]}" for key in lacking)
    return Problem(412, "data", f"what is needed could not be had: {told}", more={"prefetch": lacking})


async def _kept(call: Call, seen: Iterable[Any]) -> list[Finding]:
    """The answers that were computed ahead, where the client's patient is one of the charts they are of."""
    cards = [card for card in seen if isinstance(card, QuestionCard)]
    if not cards or not _same_charts(call):
        return []
    now = datetime.now(UTC)
    since = now - timedelta(hours=call.desk.settings.cds_kept_hours)
    questions = [card.question for card in cards]
    found = await kept(call.database, call.grant, call.context.patientId, questions, call.desk.today(), since)
    shown = (answered(card, found[card.question], now) for card in cards if card.question in found)
    return [finding for finding in shown if finding]


def _same_charts(call: Call) -> bool:
    """Whether an id means the same patient to the client and to this service. A program on this machine that names no
    server is taken to mean the service's own charts; a server that a client may not name is not believed of it."""
    server, client = call.asked.fhirServer, call.admitted.client
    if client.same_charts:
        return True
    if server is None:
        return call.admitted.caller.id == "cds:local"
    named = any(same_place(server, own) for own in client.servers)
    return named and any(is_url(place) and same_place(place, server) for place in call.grant.split(" "))


def _page(call: Call) -> Page:
    return Page(base=call.base, patient=call.context.patientId, launch=call.desk.settings.cds_launch)


async def _sent(call: Call, out: list[tuple[str, CardOut]]) -> CardsOut:
    names = {card.uuid: name for name, card in out}
    await shown(call.database, call.service, call.admitted.client.issuer, names, datetime.now(UTC))
    return CardsOut(cards=tuple(card for _, card in out))
