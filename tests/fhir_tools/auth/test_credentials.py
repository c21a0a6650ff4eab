"""The credentials file: kinds, several servers, what is wrong with it, and renewed tokens written back."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc.jwk import ECKey
from pydantic import SecretStr

from fhir_tools.auth import Backend, Basic, Bearer, Launched, load, make, open_auth
from fhir_tools.auth.credentials import LaunchCredentials
from fhir_tools.errors import UserError

BASE = "https://fhir.example/r4"


def write(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return write(tmp_path / "key.pem", ECKey.generate_key("P-384").as_pem(private=True).decode())


def test_every_kind_makes_its_authentication(tmp_path: Path, key_file: Path) -> None:
    rows: dict[str, tuple[dict[str, Any], type]] = {
        "bearer": ({"token": "t"}, Bearer),
        "basic": ({"username": "u", "password": "p"}, Basic),
        "backend": ({"client_id": "c", "key": "key.pem", "scopes": "system/Patient.rs"}, Backend),
        "launch": ({"client_id": "c", "access_token": "a", "refresh_token": "r"}, Launched),
    }
    for kind, (fields, made) in rows.items():
        file = write(tmp_path / f"{kind}.json", json.dumps({"kind": kind, **fields}))
        assert type(make(load(file), BASE)) is made


def test_toml_and_a_key_beside_it(tmp_path: Path, key_file: Path) -> None:
    text = 'kind = "backend"\nclient_id = "c"\nkey = "key.pem"\nkey_id = "k"\n'
    text += 'scopes = ["system/Patient.rs", "system/Goal.rs"]\n'
    auth = make(load(write(tmp_path / "auth.toml", text)), BASE)
    assert isinstance(auth, Backend) and auth.scopes == "system/Patient.rs system/Goal.rs"
    assert auth.client.key is not None and auth.client.key.kid == "k"


async def test_bearer_and_basic_are_sent(tmp_path: Path) -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("authorization", ""))
        return httpx.Response(200)

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        for auth in (Bearer(BASE, " t\n"), Basic(BASE, "Aladdin", "open sesame")):
            await client.get(f"{BASE}/metadata", auth=auth)
            await client.get("https://fhir.example:444/r4/metadata", auth=auth)
    assert seen == ["Bearer t", "", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", ""]


def test_scopes_of_a_static_token_can_be_told(tmp_path: Path) -> None:
    text = 'kind = "bearer"\ntoken = "t"\nscope = "patient/Patient.read"\n'
    granted = make(load(write(tmp_path / "a.toml", text)), BASE).granted
    assert granted is not None and granted.missing("Goal", "s") == "patient/Goal.read"


def test_with_several_servers_each_gets_its_own(tmp_path: Path) -> None:
    text = "".join(f'[[server]]\nfhir = "https://{x}.example/r4/"\nkind = "bearer"\ntoken = "{x}"\n' for x in "ab")
    file = write(tmp_path / "a.toml", text)
    for name in "ab":
        auth = open_auth(f"https://{name}.example/r4", file=file, alone=False)
        assert isinstance(auth, Bearer) and auth._token.reveal() == name
    with pytest.raises(UserError, match=r"no \[\[server\]\] with fhir = 'https://c.example'"):
        open_auth("https://c.example", file=file)
    with pytest.raises(UserError, match="more than one"):
        load(write(tmp_path / "b.toml", text + text), "https://a.example/r4")


def test_credentials_for_one_server_are_not_given_to_another(tmp_path: Path) -> None:
    named = write(tmp_path / "a.toml", f'kind = "bearer"\ntoken = "t"\nfhir = "{BASE}"\n')
    with pytest.raises(UserError, match="not for this server"):
        open_auth("https://other.example", file=named)
    unnamed = write(tmp_path / "b.toml", 'kind = "bearer"\ntoken = "t"\n')
    assert open_auth(BASE, file=unnamed) is not None
    with pytest.raises(UserError, match="does not say which server"):
        open_auth(BASE, file=unnamed, alone=False)
    with pytest.raises(UserError, match="for one FHIR server"):
        open_auth(BASE, token=SecretStr("t"), alone=False)
    with pytest.raises(UserError, match="both"):
        open_auth(BASE, token=SecretStr("t"), file=named)
    assert open_auth(BASE) is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "kind: it is one of"),
        ('kind = "magic"', "kind: it is one of"),
        ('kind = "bearer"', "token: Field required"),
        ('kind = "bearer"\ntokn = "hidden-7"\ntoken = "x"', "tokn: Extra inputs"),
        ('kind = "backend"\nclient_id = "c"', "key: Field required"),
        ('kind = "backend"\nclient_id = "c"\nkey = "k"\nalgorithm = "HS256"', "algorithm: Input should be"),
        ('kind = "bearer"\ntoken = 7', "token: Input should be a valid string"),
        ('kind = "bearer"\ntoken = "hidden-7', "not TOML as it should be"),
        ("hidden-7", "not TOML as it should be"),
    ],
)
def test_what_is_wrong_is_told_without_values(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(UserError, match=told) as raised:
        load(write(tmp_path / "a.toml", text))
    assert "hidden-7" not in str(raised.value) and raised.value.__cause__ is None and raised.value.__context__ is None


@pytest.mark.parametrize("text", ["[]", '{"kind": "bearer", "token": "hidden-7"', "hidden-7", "\udcff"])
def test_json_that_is_none(tmp_path: Path, text: str) -> None:
    file = tmp_path / "a.json"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    file.chmod(0o600)
    with pytest.raises(UserError, match="not JSON as it should be") as raised:
        load(file)
    assert "hidden-7" not in str(raised.value)


@pytest.mark.parametrize("mode", [0o604, 0o644, 0o602])
def test_files_that_others_can_read_are_refused(tmp_path: Path, key_file: Path, mode: int) -> None:
    text = 'kind = "backend"\nclient_id = "c"\nkey = "key.pem"\n'
    with pytest.raises(UserError, match="can be read by others: run chmod 600"):
        load(write(tmp_path / "a.toml", text, mode))
    key_file.chmod(mode)
    with pytest.raises(UserError, match=r"key file .* can be read by others"):
        make(load(write(tmp_path / "b.toml", text, 0o640)), BASE)


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no credentials file at"):
        load(tmp_path / "none.toml")
    folder = tmp_path / "folder"
    folder.mkdir(mode=0o700)
    with pytest.raises(UserError, match="is a folder"):
        load(folder)
    with pytest.raises(UserError, match="no key file at"):
        make(load(write(tmp_path / "a.toml", 'kind="backend"\nclient_id="c"\nkey="none.pem"')), BASE)


@pytest.mark.parametrize("token", ["", "  ", "two words", "line\nbreak", "tökən"])
def test_tokens_that_no_header_can_carry(token: str) -> None:
    with pytest.raises(UserError, match="bearer token"):
        Bearer(BASE, token)


def test_a_user_name_has_no_colon() -> None:
    with pytest.raises(UserError, match="colon"):
        Basic(BASE, "a:b", "c")


# Renewed tokens.


@pytest.mark.parametrize("several", [False, True])
async def test_renewed_tokens_are_written_back(tmp_path: Path, server: Any, several: bool) -> None:
    server.scope = "patient/*.rs"
    row = {"kind": "launch", "client_id": "app", "access_token": "old", "refresh_token": "refresh-0"}
    row |= {"expires_at": "2020-01-01T00:00:00Z", "fhir": BASE}
    other = {"kind": "bearer", "fhir": "https://other.example", "token": "stays"}
    document = {"server": [other, row]} if several else row
    file = write(tmp_path / "launch.json", json.dumps(document))
    async with httpx.AsyncClient(transport=server.transport()) as client:
        for turn in (1, 2):
            auth = make(load(file, BASE), BASE)
            server.tokens.clear()
            assert (await client.get(f"{BASE}/Observation", auth=auth)).status_code == 200
            kept = load(file, BASE)
            assert isinstance(kept, LaunchCredentials) and kept.refresh_token and kept.expires_at
            assert kept.refresh_token.get_secret_value() == f"refresh-{turn}"
            assert kept.scope == "patient/*.rs" and file.stat().st_mode & 0o777 == 0o600
    assert not several or json.loads(file.read_text())["server"][0] == other
    assert os.listdir(tmp_path) == ["launch.json"]


async def test_a_file_that_cannot_be_written_is_told_in_the_log(
    tmp_path: Path, server: Any, caplog: pytest.LogCaptureFixture
) -> None:
    row = {"kind": "launch", "client_id": "app", "access_token": "old", "refresh_token": "refresh-0"}
    file = write(tmp_path / "launch.json", json.dumps(row))
    auth = make(load(file), BASE)
    file.unlink()
    async with httpx.AsyncClient(transport=server.transport()) as client:
        assert (await client.get(f"{BASE}/Observation", auth=auth)).status_code == 200
    assert "could not be written" in caplog.text and "refresh-1" not in caplog.text


def test_the_tokens_of_a_launch_are_json(tmp_path: Path) -> None:
    text = 'kind = "launch"\nclient_id = "c"\naccess_token = "a"\nrefresh_token = "r"\n'
    with pytest.raises(UserError, match="is JSON"):
        make(load(write(tmp_path / "a.toml", text)), BASE)


def test_a_mark_of_the_order_of_bytes_is_no_fault(tmp_path: Path) -> None:
    for name, text in (("a.toml", 'kind = "bearer"\ntoken = "t"\n'), ("a.json", '{"kind": "bearer", "token": "t"}')):
        assert isinstance(make(load(write(tmp_path / name, f"\ufeff{text}")), BASE), Bearer)


@pytest.mark.parametrize("kind", ['kind = "s3cret-t0ken"', "kind = 5", ""])
def test_what_was_pasted_as_a_kind_is_not_repeated(tmp_path: Path, kind: str) -> None:
    with pytest.raises(UserError, match="one of bearer, basic, backend and launch") as raised:
        load(write(tmp_path / "a.toml", f'{kind}\ntoken = "s3cret-t0ken"\n'))
    assert "s3cret" not in str(raised.value)


def test_a_password_in_an_address_is_not_repeated(tmp_path: Path) -> None:
    text = 'fhir = "https://user:s3cret@other.example/r4"\nkind = "bearer"\ntoken = "t"\n'
    with pytest.raises(UserError, match=r"for 'other\.example'") as raised:
        make(load(write(tmp_path / "a.toml", text)), BASE)
    assert "s3cret" not in str(raised.value)


def test_a_folder_is_told_as_one(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is a folder"):
        load(tmp_path)
