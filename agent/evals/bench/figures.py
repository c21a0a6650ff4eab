"""The figures of one bench as a record and as JSON. What could not be known, or was not reached, is null."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from agent.errors import UserError

__all__ = ["Asked", "Figures", "Held", "Machine", "Model", "Pace", "Way", "read_figures", "write_figures"]

Way = Literal["new", "reused", "together"]
"""Prompts that the model has not seen; whose beginning was just read; the latter, several at once."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Machine(_Record):
    """Where it was measured. Of a model server this is the machine that asked. `memory` is in bytes."""

    system: str
    processor: str
    cores: int
    memory: int | None
    gpus: tuple[str, ...] = ()
    packages: dict[str, str]


class Model(_Record):
    """What answered. `place` is `here` for weights in this process; what a server does not tell is null."""

    name: str
    place: Literal["here", "server"]
    revision: str = ""
    precision: str | None = None
    context: int | None = None
    grammar: str


class Held(_Record):
    """Bytes. `reckoned` is what was worked out before loading, `resident` and `gpu` the most that was held."""

    reckoned: int | None = None
    resident: int | None = None
    gpu: int | None = None


class Pace(_Record):
    """Medians over `requests`. `first_token` in seconds from the question; `per_second` are written tokens by the
    time that all requests took, reading included; `writing` are tokens a second once the first had come."""

    way: Way
    at_once: int
    requests: int
    prompt_tokens: float
    cached_tokens: float
    first_token: float
    per_second: float
    writing: float | None


class Asked(_Record):
    """Questions through the whole program, `at_once` side by side, less those that the end of the time cut off.
    Tokens and calls are means of a question that did not fail. `right` is a share of those with an answer written
    down; it is null where there are none."""

    at_once: int
    asked: int
    failed: int
    answered: int
    right: float | None
    seconds: float
    median_seconds: float
    an_hour: float
    calls: float
    prompt_tokens: float
    cached_tokens: float
    completion_tokens: float


class Figures(_Record):
    """All of one bench. `of` are the questions that there were; `cut` the parts that time or Ctrl-C ended early;
    `faults` what the model failed at, in its own words (no patient data)."""

    format: Literal["chartline-bench-1"] = "chartline-bench-1"
    measured: datetime
    chartline: str
    machine: Machine
    model: Model
    reasoner: str
    load_seconds: float | None = None
    memory: Held = Held()
    paces: tuple[Pace, ...] = ()
    asked: tuple[Asked, ...] = ()
    of: int
    cut: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()

    def pace(self, way: Way) -> Pace | None:
        """The row of that way, if it was measured."""
        return next((pace for pace in self.paces if pace.way == way), None)


def read_figures(path: Path) -> Figures:
    """The figures of a file that a bench wrote. Raises UserError for anything else."""
    try:
        return Figures.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UserError(f"cannot read {str(path)!r}: {error.strerror}") from error
    except ValidationError as error:
        raise UserError(f"{str(path)!r} holds no figures of `chartline model bench --out`") from error


def write_figures(path: Path, figures: Figures) -> None:
    """Raises UserError where the file cannot be written."""
    try:
        path.write_text(figures.model_dump_json(indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot write {str(path)!r}: {error.strerror}") from error
