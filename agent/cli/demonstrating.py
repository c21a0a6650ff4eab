"""`chartline demo`: the charts that ship with the package, questions of different kinds, and a summary."""

from __future__ import annotations

import asyncio
import shlex
import shutil
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from rich.console import Console
from rich.padding import Padding
from rich.rule import Rule
from rich.text import Text

from agent import settings
from agent.cli.asking import asked
from agent.cli.output import answer_view, clean, console, emit, plain_table, tell_note
from agent.settings import Settings
from fhir_tools import demo as charts
from fhir_tools.load import load
from fhir_tools.local import LocalStore

__all__ = ["QUESTIONS", "demo", "next_steps", "page"]

QUESTIONS = {
    "demo-maria-santos": (
        "last A1c?",
        "and the one before?",
        "Is she still taking metformin?",
        "Any history of pulmonary embolism?",
        "Has she ever had gout?",
        "Should she be referred for dialysis?",
    ),
    "demo-robert-keller": ("When did we start Eliquis?", "nadir hemoglobin", "INR results per year"),
    "demo-leila-haddad": ("What was her weight when pregnancy was diagnosed?", "allergies"),
}
"""Patient → questions, asked in one thread each: found, a follow-up, refuted, not there, and one for a model."""

_SUMMARY_OF = "demo-robert-keller"


def demo() -> None:
    """Run the demo. Everything it makes is gone when it ends."""
    asyncio.run(_demo())


def page(*, browse: bool) -> int:
    """Serve the clinician's page on the demo charts until Ctrl-C; all that it kept is gone then. Raises MissingExtra.

    The settings of the environment hold, but for those that say whose charts, and where things are kept.
    """
    from agent.cli import hosting

    with tempfile.TemporaryDirectory(prefix="chartline-demo-") as name:
        folder = Path(name)
        with closing(LocalStore(folder / "demo.sqlite")) as store:
            load(charts.paths(), store)
        kept = {
            "store": folder / "demo.sqlite",
            "threads": folder / "threads.sqlite",
            "service_state": folder / "service.sqlite",
            "audit": str(folder / "audit.jsonl"),
        }
        plain = {"fhir": (), "database": None, "service_url": None, "service_log": False, "as_of": charts.AS_OF}
        settings_ = settings.read().model_copy(update={**kept, **plain})
        tell_note("Three invented patients are in a temporary store; nothing leaves this machine.")
        return hosting.run(settings_, (), hosting.Serving(port=0, browse=browse))


async def _demo() -> None:
    out = console()
    given = settings.read().model_copy(update={"threads": Path(":memory:")})
    with tempfile.TemporaryDirectory(prefix="chartline-demo-") as folder:
        async with LocalStore(Path(folder) / "demo.sqlite") as store:
            load(charts.paths(), store)
            _introduce(out, store)
            for patient, questions in QUESTIONS.items():
                await _ask_about(out, store, patient, questions, given)
            await _summarise(out, store, given)
    out.print(Rule("Next", style="dim", align="left"))
    for what, command in next_steps():
        out.print(Text(f"{what}:"))
        out.print(Text(f"  {command}\n", style="bold cyan"), soft_wrap=True)  # whole, so that it can be copied


def _introduce(out: Console, store: LocalStore) -> None:
    out.print(Text("Three invented patients are in a temporary store; nothing leaves this machine.", style="bold"))
    rows = ((row.id, clean(row.name), row.birth_date or "", f"{row.resources:,}") for row in store.patients())
    emit(out, Padding(plain_table(("id", "name", "born", "resources"), rows, frozenset({3})), (1, 0, 1, 2)))


async def _ask_about(
    out: Console, store: LocalStore, patient: str, questions: tuple[str, ...], given: Settings
) -> None:
    from agent.wire import Agent

    out.print(Rule(patient, style="dim", align="left"))
    async with Agent(store, patient, as_of=charts.AS_OF, settings=given) as agent:
        for question in questions:
            out.print(Text(f"\n› {question}", style="bold"))
            emit(out, answer_view(await asked(agent, question, thread="demo"), out.width))
    out.print()


async def _summarise(out: Console, store: LocalStore, given: Settings) -> None:
    from agent import summaries
    from agent.wire import Agent

    out.print(Rule(f"summary of {_SUMMARY_OF}", style="dim", align="left"))
    async with Agent(store, _SUMMARY_OF, as_of=charts.AS_OF, settings=given) as agent:
        made = await summaries.summarise(await agent.chart(), "snapshot")
    out.print(Text(clean(summaries.render(made, "text"))), soft_wrap=True)
    out.print()


def next_steps() -> tuple[tuple[str, str], ...]:
    """Three things to try, with commands that work as they stand from where the demo was started."""
    program, folder, day = _program(), charts.paths()[0].parent, charts.AS_OF.isoformat()
    chart = shlex.quote(str(next(path for path in charts.paths() if path.name.startswith(_SUMMARY_OF))))
    loaded = f"{program} load --store demo.sqlite {shlex.quote(str(folder))}"
    return (
        ("Ask your own questions", f"{program} chat --as-of {day} --fhir {chart}"),
        ("A page with plots", f"{program} summary --as-of {day} --fhir {chart} --format html --out summary.html"),
        ("A store of your own (any FHIR R4 files)", f"{loaded} && {program} patients --fhir demo.sqlite"),
    )


def _program() -> str:
    """How the reader can call this program: by its name where that is on the path, else as it was called."""
    called = Path(sys.argv[0])
    found = shutil.which("chartline")
    if found and (called.name != "chartline" or Path(found).resolve() == called.resolve()):
        return "chartline"
    return shlex.quote(str(called)) if called.name == "chartline" else f"{shlex.quote(sys.executable)} -m agent.cli"
