"""Where charts come from, and which credentials go there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from agent.auditing import open_record
from agent.errors import UserError
from agent.settings import Settings
from agent.sources import check_place, credentials_for, open_source, same_place

A, B = "https://a.example/fhir", "https://b.example/fhir"
TOKEN = "t0p-s3cret"


def settings(**more: Any) -> Settings:
    return Settings(fhir_token=SecretStr(TOKEN), **more)


def test_a_token_goes_to_the_server_of_the_settings_however_it_is_written() -> None:
    for written in (A, f"{A}/", "https://A.example:443/fhir"):
        assert credentials_for(written, settings(fhir=(A,)))
    assert credentials_for(A, settings())


@pytest.mark.parametrize(
    "other", [B, "https://a.example:8443/fhir", "https://a.example.evil/fhir", "https://a.example"]
)
def test_a_token_goes_to_no_other_server(other: str) -> None:
    with pytest.raises(UserError, match="CHARTLINE_FHIR_TOKEN is for the server of CHARTLINE_FHIR") as raised:
        credentials_for(other, settings(fhir=(A,)))
    assert TOKEN not in str(raised.value)


def file(folder: Path, text: str) -> Path:
    path = folder / "credentials.toml"
    path.write_text(text)
    path.chmod(0o600)
    return path


def test_a_file_that_names_no_server_goes_to_no_other(tmp_path: Path) -> None:
    path = file(tmp_path, f'kind = "bearer"\ntoken = "{TOKEN}"\n')
    assert credentials_for(A, Settings(fhir=(A,), fhir_auth=path))
    with pytest.raises(UserError, match="does not say which server"):
        credentials_for(B, Settings(fhir=(A,), fhir_auth=path))
    named = file(tmp_path, f'kind = "bearer"\nfhir = "{B}"\ntoken = "{TOKEN}"\n')
    assert credentials_for(B, Settings(fhir=(A,), fhir_auth=named))


@pytest.mark.parametrize("fhir", [(), (A,), (A, B)])
async def test_a_token_for_charts_is_not_sent_to_the_record(fhir: tuple[str, ...], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="CHARTLINE_AUDIT names another"):
        async with open_record(settings(fhir=fhir, audit="https://audit.example/fhir")):
            pass
    path = file(tmp_path, f'kind = "bearer"\ntoken = "{TOKEN}"\n')
    with pytest.raises(UserError, match="does not say which server"):
        async with open_record(Settings(fhir=fhir, fhir_auth=path, audit="https://audit.example/fhir")):
            pass


async def test_a_record_on_the_server_of_the_charts_uses_its_token() -> None:
    async with open_record(settings(fhir=(A,), audit=f"{A}/")) as record:
        assert record


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (A, f"{A}/", True),
        (A, "HTTPS://A.EXAMPLE:443/fhir", True),
        (A, "http://a.example/fhir", True),
        (A, f"{A}2", False),
        (A, "https://a.example/fhir/tenant", False),
        (A, "https://a.example:8443/fhir", False),
        (A, "a.example/fhir", False),
        ("/x/y", "/x/../x/y", True),
        ("/x/y", "/x/z", False),
    ],
)
def test_a_place_is_known_however_it_is_written(one: str, other: str, same: bool) -> None:
    assert same_place(one, other) == same_place(other, one) == same


async def test_a_place_that_is_named_twice_is_refused() -> None:
    with pytest.raises(UserError, match="named twice"):
        async with open_source((A, B, f"{A}/"), Settings()):
            pass


@pytest.mark.parametrize(
    "place",
    ["https://a.example:99999/fhir", "https://a.example:x/", "https://[::1", "ftp://a.example", "htps://a/fhir"],
)
async def test_what_is_no_address_is_refused_without_repeating_it(place: str) -> None:
    with pytest.raises(UserError, match="https://host") as raised:
        async with open_source(place, Settings()):
            pass
    assert place not in str(raised.value)
    with pytest.raises(UserError):
        check_place(place)
