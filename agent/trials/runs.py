"""A run on file: what was found of each patient, so that the next run looks only at those who may have changed."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from agent.errors import UserError
from agent.trials.types import Screened

__all__ = ["Run", "read_run", "stands", "write_run"]


class Run(BaseModel):
    """One run. `checks` is the digest of its checks (`sheet.digest`), `reader` who read what they left open."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    trial: str
    checks: str
    reader: str = "rules"
    as_of: date
    screened: tuple[Screened, ...]


def read_run(path: Path) -> Run | None:
    """The run of a file; None where there is no such file yet. Raises UserError for a file that is none."""
    try:
        return Run.model_validate_json(path.read_bytes()) if path.exists() else None
    except OSError as error:
        raise UserError(f"cannot read {str(path)!r}: {error.strerror}") from error
    except ValidationError as error:
        raise UserError(f"{str(path)!r} is not the state of an earlier run; delete it, or name another file") from error


def write_run(path: Path, run: Run) -> None:
    """Write the run, readable by its owner alone: it holds patient data. Whole or not at all. Raises UserError."""
    new = path.with_name(f".{path.name}.new")
    try:
        new.unlink(missing_ok=True)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(run.model_dump_json().encode())
        new.replace(path)
    except OSError as error:
        raise UserError(f"cannot write {str(path)!r}: {error.strerror}") from error


def stands(before: Screened, digest: str, as_of: date) -> bool:
    """Whether what was found before holds still: the same records, and no day in between on which time alone counts."""
    then = date.fromisoformat(before.as_of)
    if not digest or before.digest != digest or as_of < then or any(w.startswith("not all") for w in before.warnings):
        return False
    if as_of == then:
        return True
    turns = [date.fromisoformat(v.until) for v in before.verdicts if v.until]
    return not before.later and all(as_of < turn for turn in turns)
