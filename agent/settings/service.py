"""The settings of the service: who may ask, how much runs at once, what it keeps, CDS Hooks and MCP."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, SecretStr, field_validator

from agent.settings.fields import DATA, FilePath, Group, Words

__all__ = ["ServiceSettings"]


class ServiceSettings(Group):
    """What `chartline serve` and `chartline service` go by."""

    database: SecretStr | None = Field(
        default=None,
        description="PostgreSQL for conversations and the service's state, instead of files: postgresql://…",
    )
    service_state: FilePath = Field(
        default=DATA / "service.sqlite", description="Where the service keeps its state, without CHARTLINEDATABASE."
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
    service_keys: FilePath = Field(
        default=DATA / "service-keys.json", description="The service's API keys (chartline service key add)."
    )
    service_secret: FilePath = Field(
        default=DATA / "service.secret",
        description="The key that seals what the service keeps of sign-ins; made at its first start.",
    )
    service_idle: float = Field(default=1800.0, gt=0, description="Seconds after which an unused sign-in ends.")
    service_session: float = Field(default=43_200.0, gt=0, description="Seconds after which every sign-in ends.")
    service_frame_ancestors: Words = Field(
        default=(), description="Origins whose pages may show the service in a frame, such as that of an EHR."
    )
    service_origins: Words = Field(
        default=(), description="Origins whose pages may call the service with a token (CORS); empty is none."
    )
    oauth_issuer: str | None = Field(default=None, description="Whose access tokens the service takes: its issuer URL.")
    oauth_audience: Words = Field(
        default=(), description="What those tokens are for; empty is CHARTLINE_SERVICE_URL, and /mcp below it."
    )
    oauth_jwks: str | None = Field(
        default=None, description="Where the issuer's keys are; empty asks the issuer's own metadata."
    )
    oauth_algorithms: Words = Field(
        default=(), description="The algorithms that may sign them; empty is RS, PS and ES with 256, 384 and 512 bits."
    )
    oauth_leeway: float = Field(default=30.0, ge=0, le=300, description="Seconds that clocks may be apart.")
    oauth_forward: bool = Field(
        default=False,
        description="Whether the FHIR server is asked with the caller's own token, instead of with the settings'.",
    )
    smart_servers: FilePath | None = Field(
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
        description="Whether MCP clients that know sessions get them; they do not where several processes serve.",
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
    cds_cards: FilePath | None = Field(
        default=None, description="The file of the cards that an EHR is sent (CDS Hooks); empty is the shipped one."
    )
    cds_clients: FilePath | None = Field(
        default=None, description="The file of the EHRs that may call CDS Hooks, with their keys and FHIR servers."
    )
    cds_open: bool = Field(
        default=False, description="Whether programs on this machine may call CDS Hooks without a token."
    )
    cds_origins: Words = Field(
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
    service_texts: FilePath | None = Field(
        default=None, description="A folder with the page's texts in other languages: de.json, pt-BR.json, …"
    )

    @field_validator("cds_origins")
    @classmethod
    def _origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            if not re.fullmatch(r"https?://[A-Za-z0-9.\-\[\]:]+", origin):
                raise ValueError(f"{origin!r} is no origin; write https://host or https://host:port, without a path")
        return value
