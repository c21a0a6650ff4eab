"""The settings, and the only reader of the environment: variables that begin with CHARTLINE_."""

from __future__ import annotations

import difflib
import os
from datetime import date
from pathlib import Path
from typing import Literal

import platformdirs
from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from agent.errors import SettingsError

__all__ = ["PREFIX", "Settings", "read"]

PREFIX = "CHARTLINE_"
_DATA = platformdirs.user_data_path("chartline")


class Settings(BaseSettings):
    """Each field is read from `CHARTLINE_` and its name in capitals; `read` tells errors by that name."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, extra="forbid", frozen=True)

    store: Path = Field(default=_DATA / "chartline.sqlite", description="The store that questions are asked of.")
    threads: Path = Field(default=_DATA / "threads.sqlite", description="Where conversations are kept.")
    as_of: date | None = Field(default=None, description="The day that counts as today; empty is today.")
    reasoner: Literal["rules"] = Field(default="rules", description="What reasons over the cards.")
    steps: int = Field(default=4, ge=1, le=20, description="How often one question may be reasoned about.")
    tokens: int = Field(
        default=2500, ge=300, le=100_000, description="About how many tokens the cards in a prompt may take."
    )
    trace: Path | None = Field(default=None, description="A folder for traces; empty writes none.")
    trace_patient_data: bool = Field(default=False, description="Whether traces may hold patient data.")

    @field_validator("store", "threads", "trace")
    @classmethod
    def _expand(cls, path: Path | None) -> Path | None:
        return path.expanduser() if path else path


def read() -> Settings:
    """The settings as the environment has them now. Raises SettingsError that names the variable."""
    _refuse_near_misses()
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsError("; ".join(_told(fault["loc"], fault["msg"]) for fault in error.errors())) from error


def _told(location: tuple[int | str, ...], message: str) -> str:
    name = str(location[0])
    value = os.environ.get(PREFIX + name.upper())
    return f"{PREFIX}{name.upper()} is {value!r}: {message}. {Settings.model_fields[name].description}"


def _refuse_near_misses() -> None:
    """A misspelt variable would be passed over silently; one that is like none of ours belongs to somebody else."""
    known = [PREFIX + name.upper() for name in Settings.model_fields]
    for name in os.environ:
        if name.startswith(PREFIX) and name not in known:
            like = difflib.get_close_matches(name, known, n=1, cutoff=0.85)
            if like:
                raise SettingsError(f"{name} is no setting; did you mean {like[0]}?")
