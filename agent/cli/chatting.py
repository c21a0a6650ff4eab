"""`chartline chat`: one question after another about one patient, at a prompt or from a pipe."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from rich.text import Text

from agent import settings
from agent.cli.asking import asked, session
from agent.cli.output import answer_view, clean, console, emit, tell_error, tell_note
from agent.cli.showing import resource_view
from agent.errors import EXIT_OK, ChartlineError, UserError, exit_code, one_line
from agent.types import Answer

if TYPE_CHECKING:
    from agent.wire import Agent

__all__ = ["chat"]

_HELP = """\
Ask a question, or a follow-up such as "and the one before?".
  :show 1     the resource behind mark 1 of the last answer
  :history    the questions so far
  :help       this
  :quit       leave (also Ctrl-D)"""


def chat(patient: str | None, as_of: date | None, fhir: Sequence[str], thread: str | None, *, verbose: bool) -> int:
    """Read questions until the end of input; from a pipe, the exit code is that of the last one that failed."""
    return asyncio.run(_chat(patient, as_of, fhir, thread, verbose))


async def _chat(patient: str | None, as_of: date | None, fhir: Sequence[str], thread: str | None, verbose: bool) -> int:
    given = settings.read()
    if thread is None:
        # A session without a name is nobody's to come back to: it is kept in memory only.
        given = given.model_copy(update={"threads": Path(":memory:")})
    async with session(patient, as_of, fhir, given) as agent:
        return await _Session(agent, thread or uuid4().hex, verbose).run()


class _Session:
    def __init__(self, agent: Agent, thread: str, verbose: bool) -> None:
        self._agent, self._thread, self._verbose = agent, thread, verbose
        self._last: Answer | None = None
        self._asked: list[str] = []
        self._out = console()

    async def run(self) -> int:
        person = sys.stdin.isatty()
        if person:
            tell_note(
                f"{self._agent.patient}, as of {self._agent.as_of}. :help tells what can be typed; Ctrl-D leaves."
            )
        code = EXIT_OK
        for line in _lines(person):
            if not person:
                self._out.print(Text(f"› {clean(line)}", style="bold"))
            if line in (":quit", ":q", ":exit"):
                break
            try:
                await self._one(line)
            except ChartlineError as error:
                tell_error(one_line(error))
                code = exit_code(error)
        return EXIT_OK if person else code

    async def _one(self, line: str) -> None:
        if line.startswith(":"):
            await self._command(line)
            return
        self._asked.append(line)
        self._last = await asked(self._agent, line, self._thread, verbose=self._verbose)
        emit(self._out, answer_view(self._last, self._out.width, verbose=self._verbose))
        self._out.print()

    async def _command(self, line: str) -> None:
        name, _, argument = line[1:].partition(" ")
        match name:
            case "help" | "h" | "?":
                self._out.print(_HELP)
            case "history":
                for number, question in enumerate(self._asked, 1):
                    self._out.print(f"{number:>3}  {clean(question)}")
            case "show":
                await self._show(argument.strip(" []"))
            case "patient":
                raise UserError("a chat is about one patient; for another start: chartline chat --patient ID")
            case _:
                raise UserError(f"there is no :{name}; :help tells what there is")

    async def _show(self, mark: str) -> None:
        cited = {c.mark: c for c in self._last.citations} if self._last else {}
        if mark not in cited:
            raise UserError(f"the last answer has no mark {mark!r}; it has {', '.join(cited) or 'none'}")
        if not (cited[mark].reference or cited[mark].inputs):
            raise UserError(f"mark {mark!r} is a search, with no resource behind it: {cited[mark].excerpt}")
        chart = await self._agent.chart()
        for reference in cited[mark].inputs or [cited[mark].reference]:
            emit(self._out, await resource_view(chart.source, str(chart.inside(reference))))


def _lines(person: bool) -> Iterator[str]:
    """The lines typed or piped in, without empty ones. Typed lines can be edited and recalled, and are not saved."""
    if person:
        with contextlib.suppress(ImportError):
            import readline  # noqa: F401  importing it is what makes input() edit lines
    while True:
        try:
            line = input("› " if person else "").strip()
        except (EOFError, KeyboardInterrupt):
            if person:
                print()
            return
        if line:
            yield line
