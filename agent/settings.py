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

__all__ = ["PREFIX", "Settings", "export", "read"]

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
    service_local: bool | None = Field(
        default=None,
        description="Whether who reaches the service on this machine may ask without signing in; empty is yes where no "
        "other way in is set.",
    )
    service_keys: Path = Field(
        default=_DATA / "service-keys.json", description="The service's API keys (chartline service key add)."
    )
    service_secret: Path = Field(
        default=_DATA / "service.secret",
        description="The key that seals what the service keeps of sign-ins; made at its first start.",
    )
    service_idle: float = Field(default=1800.0, gt=0, description="Seconds after which an unused sign-in ends.")
    service_session: float = Field(default=43_200.0, gt=0, description="Seconds after which every sign-in ends.")
    service_frame_ancestors: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="Origins whose pages may show the service in a frame, such as that of an EHR."
    )
    service_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="Origins whose pages may call the service with a token (CORS); empty is none."
    )
    oauth_issuer: str | None = Field(default=None, description="Whose access tokens the service takes: its issuer URL.")
    oauth_audience: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="What those tokens are for; empty is CHARTLINE_SERVICE_URL, and /mcp below it."
    )
    oauth_jwks: str | None = Field(
        default=None, description="Where the issuer's keys are; empty asks the issuer's own metadata."
    )
    oauth_algorithms: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="The algorithms that may sign them; empty is RS, PS and ES with 256, 384 and 512 bits."
    )
    oauth_leeway: float = Field(default=30.0, ge=0, le=300, description="Seconds that clocks may be apart.")
    oauth_forward: bool = Field(
        default=False,
        description="Whether the FHIR server is asked with the caller's own token, instead of with the settings'.",
    )
    smart_servers: Path | None = Field(
        default=None, description="The file of EHRs that may launch chartline, readable by its owner alone."
    )
    service_body: int = Field(
        default=8_000_000, ge=1_000, description="The most bytes that a request to the service may have."
    )
    service_seconds: float = Field(
        default=120.0, gt=0, description="The most seconds that the service works on a request or a question."
    )
    service_each: int = Field(
        default=16,
        ge=1,
        description="How many costly requests of one caller a process of the service works on at once.",
    )
    service_total: int = Field(
        default=32, ge=1, description="How many costly requests a process of the service works on at once."
    )
    service_wait: float = Field(
        default=2.0, ge=0, description="Seconds that a request may wait for its turn before it is refused."
    )
    service_grace: float = Field(
        default=20.0, gt=0, description="Seconds that running questions have to end in when the service is stopped."
    )
    service_log: bool = Field(
        default=True, description="Whether the service logs each request: its route, status and time, no patient data."
    )
    service_metrics_token: SecretStr | None = Field(
        default=None, description="The bearer token that reads /metrics from other machines; this one needs none."
    )
    mcp_sessions: bool = Field(
        default=True,
        description="Whether MCP clients that know sessions get them; not possible where several processes serve.",
    )
    service_write_back: bool = Field(
        default=False, description="Whether a person may have an answer or a summary written to the chart it is of."
    )
    service_write_as: Literal["document", "communication"] = Field(
        default="document", description="What is written: a DocumentReference, or a Communication that was not sent."
    )
    service_write_programs: bool = Field(
        default=False, description="Whether programs (API keys, tokens) may have it written as well as persons."
    )
    service_write_store: bool = Field(
        default=False, description="Whether it may be written to the embedded store, where that holds the charts."
    )
    service_summary_seconds: float = Field(
        default=3600.0, gt=0, description="How long a summary can be written to the chart after it was made."
    )
    service_min_cell: int = Field(
        default=0, ge=0, description="Counts of patients from 1 to below this are masked for every caller."
    )
    cds_cards: Path | None = Field(
        default=None, description="The file of the cards that an EHR is sent (CDS Hooks); empty is the shipped one."
    )
    cds_clients: Path | None = Field(
        default=None, description="The file of the EHRs that may call CDS Hooks, with their keys and FHIR servers."
    )
    cds_open: bool = Field(
        default=False, description="Whether programs on this machine may call CDS Hooks without a token."
    )
    cds_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="Origins of web pages that may call CDS Hooks, such as a sandbox: https://host."
    )
    cds_seconds: float = Field(
        default=3.0, gt=0, le=60, description="The most seconds that reading what a prefetch lacks may take."
    )
    cds_kept_hours: float = Field(
        default=24.0, gt=0, le=720, description="Hours after which an answer that was computed ahead is not shown."
    )
    cds_ahead_minutes: float = Field(
        default=0.0, ge=0, description="Minutes between rounds of computing answers ahead in the service; 0 is never."
    )
    cds_launch: bool = Field(
        default=False, description="Whether cards link to chartline as a SMART app instead of a page."
    )
    service_texts: Path | None = Field(
        default=None, description="A folder with the page's texts in other languages: de.json, pt-BR.json, …"
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

    @field_validator(
        "fhir",
        "fhir_origins",
        "fhir_systems",
        "service_frame_ancestors",
        "service_origins",
        "oauth_audience",
        "oauth_algorithms",
        "cds_origins",
        mode="before",
    )
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
        "service_keys",
        "service_secret",
        "smart_servers",
        "cds_cards",
        "cds_clients",
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
        if name.startswith(PREFIX) and name not in known:
            like = difflib.get_close_matches(name, known, n=1, cutoff=0.85)
            if like:
                raise SettingsError(f"{name} is no setting; did you mean {like[0]}?")
