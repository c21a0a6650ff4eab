"""Figures as rows: a label, and what each bench has of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from agent.evals.bench.figures import Asked, Figures, Pace, Way
from agent.models.memory import gib

__all__ = ["UNKNOWN", "Row", "rows"]

UNKNOWN = "not known"
"""What a server does not tell, as against what was not measured."""
_NONE = "–"

Value = float | str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """`values` as numbers where they are such, `cells` as they are shown. `group` is the heading it stands under."""

    group: str
    label: str
    values: tuple[Value, ...]
    cells: tuple[str, ...]

    @property
    def ratio(self) -> str:
        """The last by the first, where both are numbers."""
        first, last = self.values[0], self.values[-1]
        both = isinstance(first, float) and isinstance(last, float) and len(self.values) > 1 and first
        return f"{last / first:.2f} ×" if both else ""  # type: ignore[operator]


def rows(several: Sequence[Figures]) -> list[Row]:
    """A row for every figure that at least one of the benches has."""
    return [row for row in _all(several) if any(cell != _NONE for cell in row.cells)]


def _all(several: Sequence[Figures]) -> Iterator[Row]:
    for label, value, shown in _HEAD:
        yield _row("what was measured", label, [value(f) for f in several], shown)
    for label, value, shown in _MEMORY:
        where = [f.model.place for f in several]
        yield _row("loading and memory", label, [value(f) for f in several], shown, where)
    for way, group in _WAYS.items():
        paces = [f.pace(way) for f in several]
        for label, of_pace, shown in _PACE:
            yield _row(group, label, [of_pace(p) if p else None for p in paces], shown)
    for turn, group in enumerate(_TURNS):
        asked = [f.asked[turn] if turn < len(f.asked) else None for f in several]
        for label, of_asked, shown in _ASKED:
            yield _row(group, label, [of_asked(a) if a else None for a in asked], shown)


def _row(
    group: str, label: str, values: Sequence[Value], shown: Callable[[float], str], places: Sequence[str] = ()
) -> Row:
    """`places` say where a missing value is not known rather than not measured: at a server."""
    cells = []
    for n, value in enumerate(values):
        missing = UNKNOWN if places and places[n] == "server" else _NONE
        cells.append(missing if value is None else value if isinstance(value, str) else shown(value))
    return Row(group=group, label=label, values=tuple(values), cells=tuple(cells))


def _number(value: int | None) -> float | None:
    return None if value is None else float(value)


def _plain(value: float) -> str:
    return f"{value:,.0f}"


def _seconds(value: float) -> str:
    return f"{value:.2f} s"


def _rate(value: float) -> str:
    return f"{value:.1f}"


def _gib(value: float) -> str:
    return f"{gib(value)} GiB"


def _share(value: float) -> str:
    return f"{value:.0%}"


def _name(figures: Figures) -> str:
    model = figures.model
    how = model.precision if model.precision and model.precision not in model.revision else ""
    where = "this process" if model.place == "here" else "a server"
    return ", ".join(filter(None, (" ".join(filter(None, (model.name, model.revision, how))), where)))


def _machine(figures: Figures) -> str:
    machine = figures.machine
    gpus = ", ".join(machine.gpus) if machine.gpus else "no GPU in use" if figures.model.place == "here" else ""
    memory = f"{gib(machine.memory)} GiB" if machine.memory else ""
    return ", ".join(filter(None, (f"{machine.cores} × {machine.processor}", memory, gpus)))


_HEAD: tuple[tuple[str, Callable[[Figures], Value], Callable[[float], str]], ...] = (
    ("model", _name, str),
    ("machine", _machine, str),
    ("system", lambda f: f.machine.system, str),
    ("packages", lambda f: ", ".join(f"{name} {v}" for name, v in f.machine.packages.items()), str),
    ("context, tokens", lambda f: _number(f.model.context), _plain),
    ("schemas", lambda f: "enforced while decoding" if f.model.grammar == "decoding" else "checked, and repaired", str),
    ("reasoner", lambda f: f.reasoner, str),
    ("measured", lambda f: f"{f.measured:%Y-%m-%d %H:%M} UTC, chartline {f.chartline}", str),
)
_MEMORY: tuple[tuple[str, Callable[[Figures], Value], Callable[[float], str]], ...] = (
    ("time to load", lambda f: f.load_seconds, _seconds),
    ("memory reckoned with", lambda f: _number(f.memory.reckoned), _gib),
    ("memory held at most", lambda f: _number(f.memory.resident), _gib),
    ("GPU memory held at most", lambda f: _number(f.memory.gpu), _gib),
)
_WAYS: dict[Way, str] = {
    "new": "a prompt that is new",
    "reused": "its beginning reused",
    "together": "the same, side by side",
}
_PACE: tuple[tuple[str, Callable[[Pace], Value], Callable[[float], str]], ...] = (
    ("at once", lambda p: str(p.at_once) if p.at_once > 1 else None, str),
    ("prompt, tokens", lambda p: p.prompt_tokens, _plain),
    ("of them reused", lambda p: p.cached_tokens, _plain),
    ("first token after", lambda p: p.first_token, _seconds),
    ("tokens/s, reading included", lambda p: p.per_second, _rate),
    ("tokens/s of an answer, once begun", lambda p: p.writing, _rate),
)
_TURNS = ("questions, one by one", "questions, side by side")
_ASKED: tuple[tuple[str, Callable[[Asked], Value], Callable[[float], str]], ...] = (
    ("at once", lambda a: str(a.at_once) if a.at_once > 1 else None, str),
    ("questions asked", lambda a: str(a.asked), str),
    ("of them failed", lambda a: str(a.failed) if a.failed else None, str),
    ("right", lambda a: a.right, _share),
    ("seconds of a question, median", lambda a: a.median_seconds, _seconds),
    ("questions an hour", lambda a: a.an_hour, _plain),
    ("calls a question", lambda a: a.calls, lambda v: f"{v:.2f}"),
    ("prompt tokens a question", lambda a: a.prompt_tokens, _plain),
    ("of them reused", lambda a: a.cached_tokens, _plain),
    ("written tokens a question", lambda a: a.completion_tokens, _plain),
)
