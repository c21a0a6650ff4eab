"""`chartline model needs`: what memory each variant takes, worked out from its published shape, and what fits here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from itertools import groupby, product

from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from agent import settings
from agent.cli.output import console, emit, plain_table, safe_json, tell_note
from agent.models.medgemma import VARIANTS
from agent.models.medgemma.machine import device_map, free
from agent.models.memory import PREFIXES, Memory, Plan, Precision, Shape, estimate, fits, gib
from agent.settings import Settings

__all__ = ["CONTEXTS", "Need", "best", "needed", "needs"]

CONTEXTS = (8192, 32_768)
_PRECISIONS: tuple[Precision, ...] = ("bf16", "8bit", "4bit")
_PACKAGES = ("torch", "psutil")


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """One way to run variants of one shape, named by `names`. `fits` is None where it is not known what is free."""

    names: tuple[str, ...]
    plan: Plan
    memory: Memory
    fits: bool | None


def needs(contexts: Sequence[int], at_once: int, *, as_json: bool) -> None:
    """Print the table, and the settings of the best that fits."""
    given = settings.read()
    room = _free(given)
    found = list(needed(contexts, at_once or given.model_batch, room[0] if room else None))
    if as_json:
        print(safe_json({"free": room and room[0], "needs": [_json(need) for need in found]}))
        return
    out = console()
    for names, of in groupby(found, key=lambda need: need.names):
        emit(out, Group(Text(", ".join(names), style="bold"), Padding(_table(of), (0, 0, 1, 2))))
    for line in _told(found, room, at_once or given.model_batch):
        tell_note(line)


def needed(contexts: Sequence[int], at_once: int, room: int | None) -> Iterator[Need]:
    """Every variant that can be asked, in each precision and context, the ablest first; those of one shape are one."""
    for shape, names in _shapes().items():
        for precision, context in product(_PRECISIONS, contexts):
            plan = Plan(precision=precision, context=context, batch=at_once, prefixes=PREFIXES)
            memory = estimate(shape, plan)
            yield Need(names=names, plan=plan, memory=memory, fits=None if room is None else fits(memory, room))


def _shapes() -> dict[Shape, tuple[str, ...]]:
    named: dict[Shape, tuple[str, ...]] = {}
    for name, variant in VARIANTS.items():
        if variant.asks:
            named[variant.shape] = (*named.get(variant.shape, ()), name)
    return named


def best(found: Sequence[Need]) -> Need | None:
    """The first that fits: a larger model in fewer bits before a smaller one."""
    return next((need for need in found if need.fits), None)


def _free(given: Settings) -> tuple[int, str] | None:
    """Bytes that are free where the settings would put a model, and that place; None without the packages to tell.

    Raises UserError for a device that is not here.
    """
    if any(find_spec(name) is None for name in _PACKAGES):
        return None
    return free(device_map(given.model_device)[1])


_HEADERS = ("", "context", "weights", "KV cache", "prefixes", "work", "in all", "here")
_HERE = {None: "?", True: "fits", False: "–"}


def _table(of: Iterable[Need]) -> Table:
    return plain_table(_HEADERS, map(_cells, of), frozenset(range(1, 7)))


def _cells(need: Need) -> tuple[str, ...]:
    memory = need.memory
    parts = (memory.weights, memory.cache, memory.prefixes, memory.work, memory.total)
    return (need.plan.precision, f"{need.plan.context:,}", *map(gib, parts), _HERE[need.fits])


def _told(found: Sequence[Need], room: tuple[int, str] | None, at_once: int) -> Iterator[str]:
    yield (
        f"GiB, worked out from the published shapes and not measured: {at_once} at once, each with a full context "
        "(a question takes some 1,300 tokens; --at-once 1 needs least)."
    )
    if room is None:
        yield "What is free here is not known without pip install 'chartline[medgemma]'."
        return
    yield f"{room[1]} has {gib(room[0])} GiB free."
    fitting = best(found)
    if fitting is None:
        yield "None of these fits: fewer at once, a shorter context, or a model server (CHARTLINE_MODEL_URL)."
        return
    plan = fitting.plan
    yield (
        f"The first that fits: CHARTLINE_MODEL={fitting.names[0]} CHARTLINE_MODEL_PRECISION={plan.precision} "
        f"CHARTLINE_MODEL_CONTEXT={plan.context} CHARTLINE_MODEL_BATCH={plan.batch}"
    )


def _json(need: Need) -> dict[str, object]:
    memory = {**asdict(need.memory), "total": need.memory.total}
    return {"models": need.names, **asdict(need.plan), "bytes": memory, "fits": need.fits}
