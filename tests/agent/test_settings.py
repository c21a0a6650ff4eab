"""Settings come from the environment, and an error names its variable."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from agent import settings
from agent.errors import SettingsError, exit_code


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in settings.Settings.model_fields:
        monkeypatch.delenv(settings.PREFIX + name.upper(), raising=False)


def test_without_variables_traces_are_off_and_private() -> None:
    given = settings.read()
    assert (given.reasoner, given.trace, given.trace_patient_data, given.as_of) == ("rules", None, False, None)
    assert given.store.name == "chartline.sqlite"


def test_variables_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHARTLINE_STORE", "~/x.sqlite")
    monkeypatch.setenv("CHARTLINE_AS_OF", "2024-05-31")
    monkeypatch.setenv("CHARTLINE_STEPS", "7")
    monkeypatch.setenv("CHARTLINE_TRACE", "")
    given = settings.read()
    assert (given.store, given.as_of, given.steps, given.trace) == (
        Path.home() / "x.sqlite",
        date(2024, 5, 31),
        7,
        None,
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [("STEPS", "0"), ("STEPS", "many"), ("AS_OF", "yesterday"), ("REASONER", "magic"), ("TRACE_PATIENT_DATA", "2")],
)
def test_an_error_names_the_variable_and_its_value(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"CHARTLINE_{name}", value)
    with pytest.raises(SettingsError, match=f"CHARTLINE_{name} is '{value}'") as caught:
        settings.read()
    assert exit_code(caught.value) == 1


def test_a_misspelt_variable_is_told_and_a_foreign_one_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHARTLINE_SERVICE_HOST", "10.0.0.1")
    settings.read()
    monkeypatch.setenv("CHARTLINE_TRACE_PATIENT_DATE", "1")
    with pytest.raises(SettingsError, match="did you mean CHARTLINE_TRACE_PATIENT_DATA"):
        settings.read()


def test_settings_do_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        settings.read().steps = 9  # type: ignore[misc]
