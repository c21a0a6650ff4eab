"""Which of the forms that something can have a request wants (RFC 9110 12.5.1)."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import Request

from agent.service.problems import Problem

__all__ = ["chosen", "named"]


def chosen(request: Request, offers: Sequence[str]) -> str:
    """The offer that Accept prefers; the first where it is silent or takes anything. Raises Problem (406)."""
    ranges = [_range(part) for part in _parts(request)]
    best = max(offers, key=lambda offer: _quality(offer, ranges))  # the first of the best
    if ranges and _quality(best, ranges) <= 0:
        raise Problem(406, "not-acceptable", f"there is {', '.join(offers)}; none of it is what Accept names")
    return best


def named(request: Request, media: str) -> bool:
    """Whether Accept names this very media type, and takes it (`q=0` does not)."""
    return any(kind == media and weight > 0 for kind, weight in map(_range, _parts(request)))


def _parts(request: Request) -> list[str]:
    return [part for part in request.headers.get("accept", "*/*").split(",") if part.strip()]


def _range(text: str) -> tuple[str, float]:
    kind, *parameters = (part.strip().lower() for part in text.split(";"))
    weight = next((p[2:] for p in parameters if p.startswith("q=")), "1")
    try:
        return kind, min(max(float(weight), 0.0), 1.0)
    except ValueError:
        return kind, 0.0


def _quality(offer: str, ranges: Sequence[tuple[str, float]]) -> float:
    """The weight of the most specific range that the offer is in."""
    main = offer.partition("/")[0]
    for wanted in (offer, f"{main}/*", "*/*"):
        weights = [weight for kind, weight in ranges if kind == wanted]
        if weights:
            return max(weights)
    return 0.0
