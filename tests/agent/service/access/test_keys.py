"""API keys: the file, the ways to send one, and that a removed one is refused at once."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import UserError
from agent.service.access.cookies import SESSION
from agent.service.access.keys import KeyFile, is_key
from tests.agent.service.conftest import MARIA, Opened, settings_in


@pytest.fixture
def file(tmp_path: Path) -> KeyFile:
    """The keys of the service that `opened` opens."""
    return KeyFile(settings_in(tmp_path).service_keys)


def test_a_key_is_known_by_its_text_alone(file: KeyFile, tmp_path: Path) -> None:
    key, text = file.add("bot", "p1")
    assert file.find(text) == key
    assert is_key(text)
    for other in (text[:-1], text + "x", text[:-1] + ("a" if text[-1] != "a" else "b"), key.id, key.digest, ""):
        assert file.find(other) is None
    assert text not in (tmp_path / "keys.json").read_text()
    assert text.split("_", 2)[2] not in repr(key)
    assert (tmp_path / "keys.json").stat().st_mode & 0o777 == 0o600


def test_another_process_removes_it(file: KeyFile, tmp_path: Path) -> None:
    _, text = file.add("bot")
    assert file.find(text)
    assert KeyFile(tmp_path / "keys.json").remove("bot").name == "bot"
    assert file.find(text) is None


def test_names_are_told_apart(file: KeyFile) -> None:
    file.add("bot")
    with pytest.raises(UserError, match="there is a key 'bot'"):
        file.add(" bot ")
    with pytest.raises(UserError, match="there is no key 'x'"):
        file.remove("x")
    for name, patient in (("", None), ("a\nb", None), ("a" * 81, None), ("a", "p/1"), ("a", "")):
        with pytest.raises(UserError, match="at most 80 characters"):
            file.add(name, patient)


def test_keys_that_are_made_at_once_are_all_there(file: KeyFile, tmp_path: Path) -> None:
    made = [threading.Thread(target=KeyFile(tmp_path / "keys.json").add, args=(f"bot {n}",)) for n in range(12)]
    for thread in made:
        thread.start()
    for thread in made:
        thread.join()
    assert {key.name for key in file.all()} == {f"bot {n}" for n in range(12)}


def test_a_file_that_others_can_read_is_not_used(file: KeyFile, tmp_path: Path) -> None:
    _, text = file.add("bot")
    (tmp_path / "keys.json").chmod(0o644)
    with pytest.raises(UserError, match="chmod 600"):
        KeyFile(tmp_path / "keys.json").find(text)


@given(content=st.binary(max_size=200) | st.recursive(
    st.none() | st.integers() | st.text(max_size=9), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["keys", "id", "name", "digest", "patient", "created"]), inner, max_size=4), max_leaves=9,
).map(lambda value: json.dumps(value).encode()))  # fmt: skip
def test_whatever_is_in_the_file_is_told_or_read(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("keys") / "keys.json"
    path.touch(mode=0o600)
    path.write_bytes(content)
    try:
        found = KeyFile(path).all()
    except UserError as error:
        told = str(error)
    else:
        assert all(key.digest for key in found)
        return
    assert "is wrong" in told


@given(text=st.text(max_size=80) | st.from_regex(r"clk_[0-9a-f]{12}_[A-Za-z0-9_-]{43}", fullmatch=True))
def test_no_text_is_a_key_by_chance(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = KeyFile(tmp_path_factory.getbasetemp() / "shared-keys.json")
    if not file.all():
        file.add("bot")
    assert file.find(text) is None


# In the service.


async def test_a_key_asks(opened: Opened, file: KeyFile) -> None:
    _, text = file.add("bot", MARIA)
    async with opened() as client:
        assert (await client.get("/v1/me")).status_code == 401  # a way in is set, so nobody is let in without
        client.headers["Authorization"] = f"bearer {text}"
        me = (await client.get("/v1/me")).json()
        assert (me["via"], me["name"], me["patient"], me["csrf"], me["today"]) == (
            "key",
            "bot",
            MARIA,
            None,
            "2026-06-15",
        )
        assert (await client.post("/v1/ask", json={"question": "last A1c?"})).json()["status"] == "answered"
        other = await client.post("/v1/ask", json={"question": "last A1c?", "patient": "demo-robert-keller"})
        assert other.status_code == 403
        file.remove("bot")
        assert (await client.get("/v1/me")).status_code == 401  # and until a restart, nobody is let in without


async def test_a_removed_key_is_refused_beside_others(opened: Opened, file: KeyFile) -> None:
    _, text = file.add("bot")
    file.add("other")
    async with opened() as client:
        client.headers["Authorization"] = f"Bearer {text}"
        assert (await client.get("/v1/me")).status_code == 200
        file.remove("bot")
        refused = await client.get("/v1/me")
    assert refused.status_code == 401
    assert refused.json()["sign_in"] == {"key": True, "smart": []}
    assert refused.headers["www-authenticate"] == (
        'Bearer realm="chartline", error="invalid_token", error_description="there is no such API key"'
    )


async def test_signing_in_with_a_key(opened: Opened, file: KeyFile) -> None:
    _, text = file.add("page")
    file.add("other")
    async with opened() as client:
        wrong = await client.post("/v1/sign-in", json={"key": text[:-2] + "__"})
        assert (wrong.status_code, "set-cookie" in wrong.headers) == (401, False)
        first = await client.post("/v1/sign-in", json={"key": f" {text}\n"})
        cookie = client.cookies[SESSION]
        assert first.json() == (await client.get("/v1/me")).json()
        header = {"X-CSRF-Token": first.json()["csrf"]}
        asked = {"question": "last A1c?", "patient": MARIA}
        assert (await client.post("/v1/ask", json=asked)).status_code == 403
        assert (await client.post("/v1/ask", json=asked, headers=header)).json()["status"] == "answered"
        # A second sign-in makes another session and ends the first.
        await client.post("/v1/sign-in", json={"key": text})
        assert client.cookies[SESSION] != cookie
        assert (await client.get("/v1/me", headers={"Cookie": f"{SESSION}={cookie}"})).status_code == 401
        file.remove("page")
        assert (await client.get("/v1/me")).status_code == 401


async def test_signing_out_without_a_session_is_no_fault(opened: Opened) -> None:
    async with opened() as client:
        assert (await client.post("/v1/sign-out")).status_code == 204


async def test_keys_are_not_repeated(opened: Opened) -> None:
    async with opened() as client:
        response = await client.post("/v1/sign-in", json={"key": ["clk_secret"]})
    assert response.status_code == 422
    assert "clk_secret" not in response.text
