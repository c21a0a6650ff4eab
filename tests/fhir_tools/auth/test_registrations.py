"""The file of SMART servers: what it says, and what is refused without telling its secrets."""

from __future__ import annotations

from pathlib import Path

import pytest
from joserfc.jwk import ECKey

from fhir_tools.auth.registrations import registrations
from fhir_tools.errors import UserError


def written(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "smart.toml"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_two_servers(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(ECKey.generate_key("P-384").as_pem(private=True))
    (tmp_path / "key.pem").chmod(0o600)
    found = registrations(written(tmp_path, """
[[server]]
iss = "https://one.example/fhir/"
client_id = "app"
key = "key.pem"
key_id = "k1"
scopes = "launch openid patient/Observation.rs"

[[server]]
iss = "https://two.example/fhir"
name = "Two"
client_id = "app"
client_secret = "s3cret"
standalone_scopes = "openid user/*.rs"
"""))  # fmt: skip
    one, two = found
    assert (one.iss, one.title) == ("https://one.example/fhir", "one.example")
    assert one.client().method == "private_key_jwt"
    assert one.asked(ehr=True) == "launch openid patient/Observation.rs"
    assert one.asked(ehr=False) == "launch/patient openid patient/Observation.rs"
    assert two.client().method == "client_secret_basic"
    assert two.asked(ehr=True) == "launch openid fhirUser patient/*.rs"
    assert two.asked(ehr=False) == "openid user/*.rs"
    assert "s3cret" not in repr(found)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "[[server]] table"),
        ("x = 1\n[[server]]\niss='https://a'\nclient_id='a'", "nothing else"),
        ("[[server]]\nclient_id='a'", "iss"),
        ("[[server]]\niss='https://a'\nclient_id=''", "client_id"),
        ("[[server]]\niss='ftp://a'\nclient_id='a'", "https://host/path"),
        ("[[server]]\niss='https://u:p@a'\nclient_id='a'", "https://host/path"),
        ("[[server]]\niss='http://a.example'\nclient_id='a'", "cleartext"),
        ("[[server]]\niss='https://a'\nclient_id='a'\nclient_secret='s3cret'\nkey='k.pem'", "one of them"),
        ("[[server]]\niss='https://a'\nclient_id='a'\nkey='k.pem'", "there is no key file"),
        ("[[server]]\niss='https://a'\nclient_id='a'\nsecret='s3cret'", "secret"),
        ("[[server]]\niss='https://a'\nclient_id='a'\n[[server]]\niss='https://a/'\nclient_id='b'", "twice"),
        ("[[server]]\niss=[", "not TOML"),
        ("server = 1", "[[server]] table"),
        ("server = [1]", "is wrong at its server 1"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UserError) as told:
        registrations(written(tmp_path, text))
    assert words in str(told.value)
    assert "s3cret" not in str(told.value)


def test_a_file_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="chmod 600"):
        registrations(written(tmp_path, "[[server]]\niss='https://a'\nclient_id='a'", 0o644))
