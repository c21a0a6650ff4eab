"""What a new site needs to know about its FHIR server, in a minute. Nothing is printed, and nothing is written."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from fhir_tools.auth import FhirAuth
from fhir_tools.auth.discovery import WELL_KNOWN, from_well_known
from fhir_tools.errors import ChartlineError, NotFound, SourceError
from fhir_tools.http import Http
from fhir_tools.profiles import Profile, choose
from fhir_tools.remote import needs as needing
from fhir_tools.remote.answers import ask
from fhir_tools.remote.findings import Finding, Level, Need, Report, Speed
from fhir_tools.remote.reach import reach
from fhir_tools.remote.statement import Statement, read_statement
from fhir_tools.remote.trials import Trials

__all__ = ["Connect", "probe"]

Connect = Callable[[FhirAuth | None], Http]
"""Makes a client for the server, with credentials or without."""


async def probe(
    connect: Connect,
    *,
    auth: FhirAuth | None = None,
    patient: str | None = None,
    profile: Profile | None = None,
    ca: str | None = None,
    seconds: float = 45.0,
    runs: int = 3,
    direct: bool = True,
    tell: Callable[[str], None] = lambda stage: None,
) -> Report:
    """Look at the server that `connect` leads to. `patient` is an id; without one a patient is looked for.

    After `seconds` no further search is begun. Each search is timed `runs` times (0: none is). `direct` is False
    for a server in this process, which has no port.
    `tell` hears the name of each stage as it begins. Raises UserError for settings that are wrong; what is wrong
    with the server is in the report.
    """
    async with connect(auth) as http, connect(None) as open_http:
        looked = _Probe(
            http=http,
            open=open_http,
            auth=auth,
            patient=patient,
            named=profile,
            until=time.monotonic() + seconds,
            runs=runs,
            tell=tell,
        )
        return await looked.run(ca, direct)


@dataclass(kw_only=True)
class _Probe:
    """One look at a server. `open` is the client without credentials; `until` is of the monotonic clock."""

    http: Http
    open: Http
    auth: FhirAuth | None
    patient: str | None
    named: Profile | None
    until: float
    runs: int
    tell: Callable[[str], None]
    findings: list[Finding] = field(default_factory=list)
    needs: tuple[Need, ...] = ()
    speeds: list[Speed] = field(default_factory=list)

    async def run(self, ca: str | None, direct: bool) -> Report:
        start = time.monotonic()
        if direct:
            self.tell("the way there")
            self.findings += [finding async for finding in reach(self.http.base, ca)]
        if not self._failed():
            await self._look()
        return Report(
            base=self.http.base,
            findings=tuple(self.findings),
            needs=self.needs,
            speeds=tuple(self.speeds),
            seconds=round(time.monotonic() - start, 1),
        )

    async def _look(self) -> None:
        self.tell("what the server says of itself")
        statement = await self._statement()
        if statement is None:
            return
        profile = self.named or choose(statement, self.http.base)
        self.findings += self._about(statement, profile)
        self.tell("credentials")
        trials = await self._authenticated(statement, profile)
        granted = self.auth.granted if self.auth else None
        self.needs = needing.needs(statement, profile, granted)
        self.findings += [*needing.lacking(self.needs, granted), *needing.offers(statement, profile, granted)]
        if not self._failed():
            self.findings += needing.questions(self.needs)
        if trials and not self._failed():
            self.tell("whether it does what it says")
            self.findings += [finding async for finding in trials.run(self.needs, self.until)]
            self.tell("how long searches take")
            timed = trials.speeds(self.needs if self.runs else (), self.runs, self.until)
            self.speeds = [speed async for speed in timed]
            if time.monotonic() > self.until:
                self._add(
                    "speed", "note", "the time was over before every search was timed: this server is slow from here"
                )

    def _failed(self) -> bool:
        return any(finding.level == "bad" for finding in self.findings)

    def _add(self, area: Any, level: Level, text: str, remedy: str = "") -> None:
        self.findings.append(Finding(area=area, level=level, text=text, remedy=remedy))

    # The statement.

    async def _statement(self) -> Statement | None:
        """None where the server cannot be used; an undeclared Statement where it has none."""
        start = time.perf_counter()
        try:
            # Without credentials first, which servers have to allow: so a bad key is not taken for a dead server.
            found = await self._metadata(self.open) or (await self._metadata(self.http) if self.auth else None)
            if found:
                spent = (time.perf_counter() - start) * 1000
                self._add("server", "good", f"its CapabilityStatement is read, {spent:.0f} ms")
                return found
        except SourceError as error:
            again = error.status is None or error.status == 429 or error.status >= 500
            remedy = "try again later, or ask who runs the server" if again else _BASE
            self._add("server", "bad", str(error), remedy)
            return None
        self._add(
            "server",
            "note",
            "the server shows no CapabilityStatement at [base]/metadata",
            _BASE,
        )
        return Statement(base=self.http.base)

    async def _metadata(self, http: Http) -> Statement | None:
        """None where the server refuses it. Raises SourceError where it fails, or is of another version of FHIR."""
        try:
            answer = await ask(
                http, "GET", "metadata", headers={"accept": "application/fhir+json"}, what="CapabilityStatement"
            )
        except SourceError as error:
            if isinstance(error, NotFound) or error.status in (400, 401, 403, 405, 406):
                return None
            raise
        read = read_statement(answer.resource)
        return replace(read, base=read.base or http.base)

    def _about(self, statement: Statement, profile: Profile) -> list[Finding]:
        software = " ".join(x for x in (statement.software, statement.software_version) if x) or "software not named"
        version = f"FHIR {statement.fhir_version}" if statement.fhir_version else "FHIR version not told"
        found = [Finding(area="server", level="good", text=f"{version}, {software}")]
        why = "set by CHARTLINE_FHIR_PROFILE" if self.named else _why(statement, profile, self.http.base)
        level: Level = "note" if profile.name == "generic" and not self.named else "good"
        found.append(Finding(area="server", level=level, text=f"profile {profile.name} ({profile.title}), {why}"))
        found += [Finding(area="server", level="note", text=f"{rule.name}: {rule.text}") for rule in profile.rules]
        if statement.formats and not any("json" in x for x in statement.formats):
            found.append(Finding(area="server", level="note", text="the server does not name JSON among its formats"))
        return found

    # Credentials.

    async def _authenticated(self, statement: Statement, profile: Profile) -> Trials | None:
        """Trials with a patient, where one is there; what is asked for and what is granted is told."""
        await self._asked_for(statement)
        patient = self.patient or (self.auth.patient if self.auth else None)
        trials = Trials(self.http, statement, profile, patient or "")
        try:
            status = (await trials.get(f"Patient/{patient}" if patient else "Patient?_count=1")).status
            patient = patient or await self._someone(trials)
        except ChartlineError as error:
            asked = getattr(self.auth, "asking", None)
            if asked:
                remedy = f"it was {asked} that was asked for a token: check that this machine may reach it"
            else:
                remedy = _RENEW if self.auth else "try again later, or ask who runs the server"
            self._add("auth" if self.auth else "server", "bad", str(error), remedy)
            return None
        self._judge(status)
        if not statement.declared and status not in (200, 401, 403):
            self._add("server", "bad", f"neither metadata nor Patient is there ({status})", _BASE)
        if self._failed():
            return None
        if patient is None:
            self._add("claims", "note", "no patient was found to try searches with", "name one by --patient")
            return None
        await self._unasked(patient, profile)
        return Trials(self.http, statement, profile, patient)

    def _judge(self, status: int) -> None:
        if status == 401 and self.auth is None:
            self._add("auth", "bad", "the server wants credentials, and none are set", _CREDENTIALS)
        elif status == 401:
            self._add(
                "auth",
                "bad",
                f"the server refuses the {self.auth.kind} credentials (401)" if self.auth else "",
                _RENEW,
            )
        elif status == 403:
            who = "the credentials may" if self.auth else "without credentials one may"
            remedy = "have the scope for Patient granted" if self.auth else _CREDENTIALS
            self._add("auth", "bad", f"{who} not read the patient (403)", remedy)
        elif self.auth:
            granted = self.auth.granted
            scopes = f"granted {granted}" if granted else "the server does not say which scopes are granted"
            self._add("auth", "good", f"{self.auth.kind} credentials are taken; {scopes}")
        else:
            self._add("auth", "good", "no credentials are set, and none are asked for")

    async def _asked_for(self, statement: Statement) -> None:
        """What the server says of its authorization, by discovery and by its statement."""
        try:
            found = await Trials(self.open, statement, Profile(name="", title=""), "").get(WELL_KNOWN)
            smart = from_well_known(found.document, self.http.base) if found.status == 200 else None
        except ChartlineError:
            smart = None
        if smart:
            told = "; ".join(
                f"{name} {', '.join(words)}"
                for name, words in (("clients prove themselves by", smart.methods), ("signed with", smart.algorithms))
                if words
            )
            self._add(
                "auth",
                "good",
                f"SMART on FHIR is offered (.well-known/smart-configuration){'; ' + told if told else ''}",
            )
        elif statement.oauth or statement.security:
            self._add(
                "auth", "good", f"the CapabilityStatement names {', '.join(sorted(statement.security)) or 'OAuth'}"
            )
        else:
            self._add("auth", "note", "the server says nothing of authorization")

    async def _someone(self, trials: Trials) -> str | None:
        """The id of a patient with results, or of any patient. Raises SourceError where the credentials fail."""
        for url in ("Observation?_count=1", "Patient?_count=1"):
            for resource in (await trials.get(url)).matches:
                subject = resource.get("subject")
                reference = str(subject.get("reference", "")) if isinstance(subject, dict) else ""
                if resource.get("resourceType") == "Patient" and resource.get("id"):
                    return str(resource["id"])
                if "Patient/" in reference:
                    return reference.rpartition("Patient/")[2].partition("/")[0]
        return None

    async def _unasked(self, patient: str, profile: Profile) -> None:
        """Whether the chart can be read by everybody."""
        if self.auth is None:
            return
        try:
            answer = await self.open.send("GET", f"Patient/{patient}", headers={"accept": profile.accept})
        except ChartlineError:
            return
        if answer.status == 200:
            self._add(
                "auth", "note", "the patient can be read without credentials as well", "close the server to strangers"
            )


_BASE = "check that the base URL is the whole FHIR base (such as …/fhir or …/api/FHIR/R4)"
_CREDENTIALS = "set CHARTLINE_FHIR_TOKEN, or CHARTLINE_FHIR_AUTH to a credentials file"
_RENEW = "renew the token, or check the client's registration"


def _why(statement: Statement, profile: Profile, base: str) -> str:
    if profile.name == "generic":
        return "since nothing is known of this software; CHARTLINE_FHIR_PROFILE can name another"
    for what, text in (("software", statement.software), ("publisher", statement.publisher)):
        if text and choose(Statement(software=text)).name == profile.name:
            return f"recognised by its {what}"
    return "recognised by its base URL"
