"""Every claim against its evidence, without a model: what fails is removed and reported, never shown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from agent.types import Ask, Claim, Draft, Evidence, Removed, Verified
from agent.verify.attribute import Judge
from agent.verify.chart import Chart
from agent.verify.facts import Fault
from agent.verify.partial import partly
from agent.verify.quotes import quotation
from agent.verify.verdict import Verdict

__all__ = ["verify"]


def verify(ask: Ask, draft: Draft, evidence: Evidence) -> Verified:
    """The draft's claims that the evidence holds, with the marks that really hold them, and what was taken out.

    Marks that are named are a hint: those that bear the claim are kept, others are replaced by the facts and
    computations of the cards that hold its values, dates, names and status. `feedback` numbers the claims
    that failed, from 1, and says nothing that the claims did not say. Pure; raises nothing for odd claims.
    """
    verdicts = [v for part in _parts(ask, draft, evidence) for v in _verdicts(*part)]
    kept = [v for v in verdicts if v.fault is None]
    if len(kept) == 1 and kept[0].value:  # of several claims none is the one value that was asked for
        kept = [replace(kept[0], claim=replace(kept[0].claim, value=kept[0].value))]
    return Verified(
        claims=tuple(v.claim for v in kept),
        supports=tuple(v.support for v in kept),
        removed=tuple(Removed(kind=v.fault.kind, reason=v.fault.reason) for v in verdicts if v.fault),
        feedback="\n".join(
            f"Claim {n}: {v.fault.kind}: {v.fault.reason}." for n, v in enumerate(verdicts, 1) if v.fault
        ),
    )


_Part = tuple[Ask, tuple[Claim, ...], Evidence]


def _parts(ask: Ask, draft: Draft, evidence: Evidence) -> Iterator[_Part]:
    """The claims by the part of the question that they answer, each held against the evidence of that part."""
    asked, found = (ask, *ask.parts), (evidence, *evidence.parts)
    for part, claims in groupby(draft.claims, key=lambda claim: claim.part):
        yield asked[part], tuple(claims), found[part]


def _verdicts(ask: Ask, claims: Sequence[Claim], evidence: Evidence) -> list[Verdict]:
    judge = Judge(ask, Chart(ask, evidence))
    verdicts = [_quoted(claim, judge) or judge.judge(claim) for claim in claims]
    return verdicts if evidence.complete else [partly(verdict, judge.chart) for verdict in verdicts]


def _quoted(claim: Claim, judge: Judge) -> Verdict | None:
    """The verdict on a claim that is a document's quote with its kind and day; None for any other claim."""
    text = " ".join(claim.text.split())
    cited = quotation(text, judge.ask, judge.chart)
    if cited is None:
        return None
    if isinstance(cited, Fault):
        return Verdict(claim=claim, fault=cited)
    return Verdict(claim=replace(claim, text=text, marks=(cited,)), support="document")
