"""A question without what only says who asks, why, or something again: each way in which phrases may be set aside."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from agent.chart import Chart
from agent.types import Ask
from agent.understand.asides import Aside, asides, is_no_source, is_plain, is_timeless, names_source
from agent.understand.askers import askers
from agent.understand.clauses import names_care
from agent.understand.restated import headings, restated

__all__ = ["Said", "partings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A question of a chart as it was understood as a whole; `known` is whether nothing of it is left.

    `alone` understands other words of the same chart.
    """

    whole: Ask
    known: bool
    chart: Chart
    alone: Callable[[str], Ask]

    def beside(self, text: str) -> Iterator[Aside]:
        """What may be set aside; of a question that was not understood as it stands, also what says something again."""
        yield from asides(text)
        yield from askers(text, lambda words: not self.known and not self.alone(words).targets)
        if not self.known:
            yield from restated(text, self.chart, self.whole.unknown, self.alone)
        elif len(self.whole.targets) > 1:
            yield from headings(text, self.chart, self.alone)


def partings(
    text: str, clauses: Sequence[tuple[str, tuple[str, ...]]], said: Said
) -> Iterator[tuple[str, tuple[Aside, ...]]]:
    """The text without phrases that may be set aside: all that were found, then each; then so the clauses that ask."""
    yield from _cuts(text, tuple(said.beside(text)), ())
    for clause, others in clauses:
        beside = tuple(Aside(words=o, fits=_alone_beside(o), told=not is_plain(o)) for o in others)
        yield from _cuts(clause, tuple(said.beside(clause)), beside)


def _cuts(text: str, found: tuple[Aside, ...], beside: tuple[Aside, ...]) -> Iterator[tuple[str, tuple[Aside, ...]]]:
    phrases = tuple({a.words.strip(): a for a in reversed(found)}.values())
    outer = tuple(a for a in phrases if not any(_is_in(a, b) for b in phrases))
    sizes = range(len(phrases), 0, -1) if len(phrases) <= _MOST else (1,)
    parts = (c for n in sizes for c in itertools.combinations(phrases, n))
    apart = (c for c in parts if not any(_is_in(a, b) for a in c for b in c))
    for cut in dict.fromkeys((outer, *apart, ())):
        if kept := (*beside, *cut):
            yield _cut(text, cut), kept


_MOST = 5
"""Of so many phrases every choice is tried; of more, the longest together and each alone."""


def _is_in(one: Aside, other: Aside) -> bool:
    return one is not other and one.words.strip() in other.words


def _alone_beside(other: str) -> Callable[[Ask], bool]:
    """Whether a clause beside this one names what it asks about, or asks for a whole list: nothing narrower is lost.

    Of a kind of record that the other may be the source of, it has to name what the chart holds.
    """
    source, care = names_source(other), names_care(other)

    def fits(ask: Ask) -> bool:
        if care and not (is_timeless(ask) or ask.op in ("age_at", "reason", "attribute")):
            return False
        named = bool(ask.targets or ask.attribute or ask.op in ("list", "taking") or ask.kinds[:1] == ("encounter",))
        return named and (not source or is_no_source(ask) or any(t.keys for t in ask.targets))

    return fits


def _cut(text: str, out: Sequence[Aside]) -> str:
    for aside in out:
        text = text.replace(aside.words, aside.instead, 1)
    return text
