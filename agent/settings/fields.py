"""Kinds of fields that the settings share, and what their groups have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import platformdirs
from pydantic import AfterValidator, BeforeValidator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

__all__ = ["DATA", "PREFIX", "FilePath", "Group", "Words"]

PREFIX = "CHARTLINE_"
DATA = platformdirs.user_data_path("chartline")
"""The folder that files are kept in where no setting names another."""


def _split(value: object) -> object:
    return tuple(value.split()) if isinstance(value, str) else value


Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
"""Several values, separated by blanks."""
FilePath = Annotated[Path, AfterValidator(Path.expanduser)]
"""A file or folder; `~` is its user's home."""


class Group(BaseSettings):
    """Some of the settings: each field is read from `CHARTLINE_` and its name in capitals."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, extra="forbid", frozen=True)
