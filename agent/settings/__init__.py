"""The settings, and the only reader of the environment: variables that begin with CHARTLINE_."""

from __future__ import annotations

import difflib
import os
import re
from datetime import date
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError, field_validator

from agent.errors import SettingsError
from agent.settings.fields import DATA, PREFIX, FilePath, Words
from agent.settings.models import ModelSettings
from agent.settings.service import ServiceSettings

__all__ = ["PREFIX", "Settings", "export", "read"]

_KUBERNETES = re.compile(PREFIX + r"(?:SERVICE_HOST|(?:SERVICE_)?PORT)(?:_\w+)?")
"""What Kubernetes tells each container of a Service that is named chartline."""


class Settings(ModelSettings, ServiceSettings):
    """All of them: where charts come from, what is recorded, and the groups of models and of the service.

    `read` tells errors by the variable's name.
    """

    store: FilePath = Field(default=DATA / "chartline.sqlite", description="The store that questions are asked of.")
    fhir: Words = Field(
        default=(), description="FHIR servers asked instead of the store: base URLs, separated by blanks."
    )
    fhir_auth: FilePath | None = Field(
        default=None, description="The credentials file for the FHIR servers, readable by its owner alone."
    )
    fhir_token: SecretStr | None = Field(default=None, description="A bearer token for the one FHIR server.")
    fhir_profile: str | None = Field(
        default=None, description="The kind of server, such as epic; empty finds it out from its CapabilityStatement."
    )
    fhir_ca: FilePath | None = Field(
        default=None, description="A file of certificate authorities to trust, in place of the public ones."
    )
    fhir_origins: Words = Field(
        default=(), description="Further origins that attachments may be read from, without credentials."
    )
    fhir_systems: Words = Field(
        default=(), description="Identifier systems by which a patient is found on a second server; empty is any."
    )
    fhir_seconds: float = Field(
        default=60.0, gt=0, le=3600, description="The most seconds that one request may take with all its retries."
    )
    fhir_pages: int = Field(default=200, ge=1, description="The most pages that one search may read.")
    image_burned: Literal["mask", "withhold", "allow"] = Field(
        default="mask",
        description="What is done about pixels that may hold text about the patient: mask, withhold, or allow.",
    )
    image_pixels: int = Field(
        default=100_000_000, ge=1, description="The most pixels that a picture or slice may have."
    )
    image_seconds: float = Field(default=60.0, gt=0, description="The most seconds that decoding one file may take.")
    trials_url: str = Field(
        default="https://clinicaltrials.gov/api/v2", description="Where protocols are read by their number (API v2)."
    )
    cohort: FilePath = Field(
        default=DATA / "cohort", description="The folder of the cohort that questions are asked of."
    )
    threads: FilePath = Field(default=DATA / "threads.sqlite", description="Where conversations are kept.")
    as_of: date | None = Field(default=None, description="The day that counts as today; empty is today.")
    audit: str | None = Field(
        default=str(DATA / "audit.jsonl"),
        description="Where requests and answers are recorded: a file, a FHIR server that takes AuditEvents, or off.",
    )
    audit_format: Literal["lines", "fhir"] = Field(
        default="lines", description="How a file records them: JSON lines, or FHIR AuditEvent and Provenance."
    )
    audit_strict: bool = Field(default=True, description="Whether what cannot be recorded is not read or answered.")
    user: str = Field(default="", description="Who asks, for the record; empty is the user of the operating system.")
    purpose: str = Field(default="TREAT", description="What for, for the record: a PurposeOfUse code, or a word.")
    trace: FilePath | None = Field(default=None, description="A folder for traces; empty writes none.")
    trace_patient_data: bool = Field(default=False, description="Whether traces may hold patient data.")

    def today(self) -> date:
        """The day that counts as today: the setting's, else that of the reader's own calendar."""
        return self.as_of or date.today()  # noqa: DTZ011  the reader's own calendar day is meant

    @field_validator("audit")
    @classmethod
    def _off(cls, value: str | None) -> str | None:
        if not value or value.lower() in ("off", "none", "no", "false"):
            return None
        return value if "://" in value else str(Path(value).expanduser())


def read() -> Settings:
    """The settings as the environment has them now. Raises SettingsError that names the variable."""
    _refuse_near_misses()
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsError("; ".join(_told(fault["loc"], fault["msg"]) for fault in error.errors())) from error


def export(name: str, value: str) -> None:
    """Set a variable of this process, for a library that takes its configuration from there alone."""
    os.environ[name] = value


def _told(location: tuple[int | str, ...], message: str) -> str:
    name = str(location[0])
    secret = name.endswith(("token", "key", "database"))
    value = "(not shown)" if secret else repr(os.environ.get(PREFIX + name.upper()))
    return f"{PREFIX}{name.upper()} is {value}: {message}. {Settings.model_fields[name].description}"


def _refuse_near_misses() -> None:
    """A misspelt variable would be passed over silently; one that is like none of ours belongs to somebody else."""
    known = [PREFIX + name.upper() for name in Settings.model_fields]
    for name in os.environ:
        if name.startswith(PREFIX) and name not in known and not _KUBERNETES.fullmatch(name):
            like = difflib.get_close_matches(name, known, n=1, cutoff=0.85)
            if like:
                raise SettingsError(f"{name} is no setting; did you mean {like[0]}?")
