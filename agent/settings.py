"""The settings, and the only reader of the environment: variables that begin with CHARTLINE_."""

from __future__ import annotations

import difflib
import os
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

import platformdirs
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from agent.errors import SettingsError

__all__ = ["PREFIX", "Settings", "read"]

PREFIX = "CHARTLINE_"
_DATA = platformdirs.user_data_path("chartline")


class Settings(BaseSettings):
    """Each field is read from `CHARTLINE_` and its name in capitals; `read` tells errors by that name."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, extra="forbid", frozen=True)

    store: Path = Field(default=_DATA / "chartline.sqlite", description="The store that questions are asked of.")
    fhir: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="FHIR servers asked instead of the store: base URLs, separated by blanks."
    )
    fhir_auth: Path | None = Field(
        default=None, description="The credentials file for the FHIR servers, readable by its owner alone."
    )
    fhir_token: SecretStr | None = Field(default=None, description="A bearer token for the one FHIR server.")
    fhir_profile: str | None = Field(
        default=None, description="The kind of server, such as epic; empty finds it out from its CapabilityStatement."
    )
    fhir_ca: Path | None = Field(
        default=None, description="A file of certificate authorities to trust, in place of the public ones."
    )
    fhir_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="Further origins that attachments may be read from, without credentials."
    )
    fhir_systems: Annotated[tuple[str, ...], NoDecode] = Field(
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
    cohort: Path = Field(default=_DATA / "cohort", description="The folder of the cohort that questions are asked of.")
    threads: Path = Field(default=_DATA / "threads.sqlite", description="Where conversations are kept.")
    database: SecretStr | None = Field(
        default=None,
        description="PostgreSQL for conversations and the service's state, instead of files: postgresql://…",
    )
    service_state: Path = Field(
        default=_DATA / "service.sqlite", description="Where the service keeps its state, without CHARTLINE_DATABASE."
    )
    service_url: str | None = Field(
        default=None, description="The service's address as browsers and EHRs see it: https://host/path."
    )
    service_charts: int = Field(default=64, ge=1, description="How many charts the service keeps open.")
    service_fresh: float = Field(
        default=60.0, gt=0, description="Seconds after which the service opens a chart anew, to see what is new in it."
    )
    service_questions: int = Field(
        default=64, ge=1, description="How many questions on record a process of the service works on at once."
    )
    service_jobs: int = Field(default=1, ge=1, description="How many jobs a process of the service works on at once.")
    service_keep_days: float | None = Field(
        default=None, gt=0, description="Days after which threads and jobs that nobody used are deleted; empty: never."
    )
    as_of: date | None = Field(default=None, description="The day that counts as today; empty is today.")
    reasoner: Literal["rules", "llm", "auto"] = Field(
        default="rules",
        description="What reasons over the cards: rules, a model, or auto: the model where rules refuse.",
    )
    model: str | None = Field(
        default=None, description="The model: a MedGemma variant, a folder or a Hub id; at a server, its name there."
    )
    model_revision: str | None = Field(default=None, description="The commit of the weights at the Hub.")
    model_adapter: Path | None = Field(
        default=None, description="The folder of an adapter that was trained on the model (chartline adapt train)."
    )
    model_url: str | None = Field(default=None, description="A model server that speaks OpenAI's protocol.")
    model_key: SecretStr | None = Field(default=None, description="The key for the model server.")
    model_ca: Path | None = Field(
        default=None, description="A file of certificate authorities to trust for the model server."
    )
    model_precision: Literal["bf16", "8bit", "4bit"] = Field(default="bf16", description="How weights are held.")
    model_device: str = Field(default="auto", description="Where weights go: auto, cpu, cuda, cuda:1, …")
    model_context: int = Field(default=8192, ge=1024, description="Tokens of prompt and answer together.")
    model_batch: int = Field(default=4, ge=1, le=64, description="Answers written side by side.")
    model_thinking: int = Field(default=0, ge=0, description="Tokens of silent thinking, of a model that thinks.")
    model_seconds: float = Field(default=120.0, gt=0, description="The most seconds that one call of the model takes.")
    model_told: bool = Field(default=True, description="Whether a model is told what rules are sure of.")
    model_token: SecretStr | None = Field(default=None, description="The Hub's token, for weights that are gated.")
    model_offline: bool = Field(default=False, description="Whether weights come from this machine alone.")
    vision: str | None = Field(
        default=None,
        description="The model that looks at images: as CHARTLINE_MODEL, or off; empty is the model that reasons.",
    )
    vision_url: str | None = Field(default=None, description="The server of the model that looks at images.")
    vision_key: SecretStr | None = Field(default=None, description="The key for that server.")
    vision_revision: str | None = Field(default=None, description="The commit of its weights at the Hub.")
    vision_precision: Literal["bf16", "8bit", "4bit"] = Field(default="bf16", description="How its weights are held.")
    vision_slices: int = Field(default=16, ge=1, le=200, description="The most pictures of one study that it is shown.")
    image_encoder: str = Field(
        default="medsiglip-448", description="What embeds images: medsiglip-448, a folder or a Hub id."
    )
    image_encoder_revision: str | None = Field(default=None, description="The commit of its weights at the Hub.")
    image_index: Path = Field(default=_DATA / "images", description="The folder that embedded images are kept in.")
    image_labels: Path | None = Field(default=None, description="The file that calibrates labels of images.")
    steps: int = Field(default=4, ge=1, le=20, description="How often one question may be reasoned about.")
    tokens: int = Field(
        default=2500, ge=300, le=100_000, description="About how many tokens the cards in a prompt may take."
    )
    audit: str | None = Field(
        default=str(_DATA / "audit.jsonl"),
        description="Where requests and answers are recorded: a file, a FHIR server that takes AuditEvents, or off.",
    )
    audit_format: Literal["lines", "fhir"] = Field(
        default="lines", description="How a file records them: JSON lines, or FHIR AuditEvent and Provenance."
    )
    audit_strict: bool = Field(default=True, description="Whether what cannot be recorded is not read or answered.")
    user: str = Field(default="", description="Who asks, for the record; empty is the user of the operating system.")
    purpose: str = Field(default="TREAT", description="What for, for the record: a PurposeOfUse code, or a word.")
    trace: Path | None = Field(default=None, description="A folder for traces; empty writes none.")
    trace_patient_data: bool = Field(default=False, description="Whether traces may hold patient data.")

    @field_validator("fhir", "fhir_origins", "fhir_systems", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(value.split()) if isinstance(value, str) else value

    @property
    def vision_named(self) -> bool:
        """Whether a model that looks at images is named for itself."""
        return bool(self.vision_url or (self.vision and self.vision != "off"))

    @field_validator("audit")
    @classmethod
    def _off(cls, value: str | None) -> str | None:
        if not value or value.lower() in ("off", "none", "no", "false"):
            return None
        return value if "://" in value else str(Path(value).expanduser())

    @field_validator("vision")
    @classmethod
    def _blind(cls, value: str | None) -> str | None:
        return "off" if (value or "").lower() in ("off", "none", "no", "false") else value

    @field_validator(
        "store",
        "threads",
        "service_state",
        "trace",
        "fhir_ca",
        "fhir_auth",
        "model_ca",
        "model_adapter",
        "image_index",
        "image_labels",
    )
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
    secret = name.endswith(("token", "key", "database"))
    value = "(not shown)" if secret else repr(os.environ.get(PREFIX + name.upper()))
    return f"{PREFIX}{name.upper()} is {value}: {message}. {Settings.model_fields[name].description}"


def _refuse_near_misses() -> None:
    """A misspelt variable would be passed over silently; one that is like none of ours belongs to somebody else."""
    known = [PREFIX + name.upper() for name in Settings.model_fields]
    for name in os.environ:
        if name.startswith(PREFIX) and name not in known:
            like = difflib.get_close_matches(name, known, n=1, cutoff=0.85)
            if like:
                raise SettingsError(f"{name} is no setting; did you mean {like[0]}?")
