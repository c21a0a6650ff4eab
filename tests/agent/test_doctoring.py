"""`chartline doctor` as it is met: the report, JSON, exit codes."""

from __future__ import annotations

import functools
import io
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from rich.console import Console

from agent import settings
from agent.cli import doctoring
from agent.errors import SettingsError, UserError
from fhir_tools import demo, http
from fhir_tools.load import load
from fhir_tools.local import LocalStore
from fhir_tools.remote import probe
from fhir_tools.remote.findings import Finding, Need, Report, Speed
from fhir_tools.serve import create_app

BASE = "https://fhir.example"


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The demo charts behind `BASE`, in process, and no setting of this machine."""
    for name in settings.Settings.model_fields:
        monkeypatch.delenv(settings.PREFIX + name.upper(), raising=False)
    store = LocalStore(":memory:")
    load(demo.paths(), store)

    async def no_way(*_: object) -> AsyncIterator[Finding]:
        return
        yield

    monkeypatch.setattr(probe, "reach", no_way)
    transport = httpx.ASGITransport(create_app(store))
    monkeypatch.setattr(http, "Http", functools.partial(http.Http, transport=transport))
    yield
    store.close()


def test_a_server_that_is_well(served: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert doctoring.doctor(BASE, "Patient/demo-robert-keller", as_json=False) == 0
    out = capsys.readouterr().out
    for words in (f"chartline doctor  {BASE}", "The server", "✓ the patient can be read", "Speed", "All good"):
        assert words in out
    assert "demo-robert" not in out


def test_as_json(served: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert doctoring.doctor(BASE, None, as_json=True) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["usable"] is True and report["base"] == BASE and len(report["speeds"]) > 10


def test_a_server_that_cannot_be_used(served: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert doctoring.doctor(f"{BASE}/not/there", None, as_json=False) == 3
    out = capsys.readouterr().out
    assert "✗" in out and "→" in out and "cannot be used" in out


def test_the_server_and_the_credentials_of_the_settings(
    served: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "auth.toml"
    file.write_text(f'kind = "bearer"\nfhir = "{BASE}"\ntoken = "hidden-7"\nscope = "patient/Patient.rs"\n')
    file.chmod(0o600)
    monkeypatch.setenv("CHARTLINE_FHIR", BASE)
    monkeypatch.setenv("CHARTLINE_FHIR_AUTH", str(file))
    assert doctoring.doctor(None, "demo-robert-keller", as_json=False) == 0
    out = capsys.readouterr().out
    assert "patient/Observation.rs" in out and "will make answers incomplete" in out and "hidden-7" not in out


@pytest.mark.parametrize("place", [None, "charts.sqlite"])
def test_it_wants_a_server(served: None, place: str | None) -> None:
    with pytest.raises(UserError, match="base URL by --fhir"):
        doctoring.doctor(place, None, as_json=False)


def test_a_token_of_the_settings_is_not_told(served: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHARTLINE_FHIR_TOKEN", "hidden-7")
    assert "hidden-7" not in repr(settings.read())
    monkeypatch.setenv("CHARTLINE_FHIR_PAGES", "none")
    with pytest.raises(SettingsError) as raised:
        settings.read()
    assert "hidden-7" not in str(raised.value)


@pytest.mark.parametrize("width", [50, 80, 160])
def test_a_report_fits_the_terminal(width: int) -> None:
    findings = (
        Finding(area="server", level="bad", text="words " * 30, remedy="more " * 30),
        Finding(area="questions", level="poor", text="\x1b[31mred"),
    )
    needs = (Need(type="Observation", abilities={"patient": "server", "code": "here"}, part="x"),)
    speeds = (Speed(type="Observation", found=3, runs=1, milliseconds=2.0, size=2_500_000),)
    file = io.StringIO()
    report = Report(base=BASE, findings=findings, needs=needs, speeds=speeds)
    Console(file=file, width=width, highlight=False).print(doctoring.report_view(report))
    text = file.getvalue()
    assert max(map(len, text.splitlines())) <= width and "\x1b" not in text and "cannot be used" in text
