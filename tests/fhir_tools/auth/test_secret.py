"""The hunt: no key, token or password in any repr, log, error, traceback or pickle of a run that fails everywhere."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey
from starlette.responses import JSONResponse

from fhir_tools.auth import Backend, Basic, Bearer, load, make
from fhir_tools.auth.keys import SigningKey
from fhir_tools.auth.secret import Secret
from fhir_tools.errors import ChartlineError, UserError
from fhir_tools.http import Http

BASE = "https://fhir.example/r4"
MARK = "s3cr3t"
KEY = ECKey.generate_key("P-384")
PRIVATE = str(KEY.as_dict(private=True)["d"])


def rows(tmp_path: Path) -> Iterator[dict[str, Any]]:
    key = tmp_path / "key.json"
    key.write_text(json.dumps(KEY.as_dict(private=True)))
    key.chmod(0o600)
    client = {"client_id": "app", "fhir": BASE}
    yield {"kind": "bearer", "token": f"{MARK}-bearer"}
    yield {"kind": "basic", "username": "u", "password": f"{MARK}-password"}
    yield {"kind": "backend", "key": "key.json", **client}
    launch = {"kind": "launch", "access_token": f"{MARK}-access", "refresh_token": f"{MARK}-refresh", **client}
    yield launch
    yield launch | {"client_secret": f"{MARK}-client"}
    yield launch | {"key": "key.json", "expires_at": "2020-01-01T00:00:00Z"}


def shown(error: BaseException) -> str:
    """An error as the most talkative handler prints it: causes, contexts, notes, locals of every frame of ours."""
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    links: list[str] = [repr(error), str(error), repr(error.args), repr(vars(error))]
    while told is not None:
        links.append(str(told))
        links += [str(f.locals) for f in told.stack if "test_no_secret" not in f.name]
        told = told.__cause__ or told.__context__  # type: ignore[assignment]
    return "\n".join(links)


FAULTS: list[Any] = [
    lambda: JSONResponse({"error": "invalid_grant", "error_description": f"{MARK}-echo"}, 400),
    lambda: JSONResponse({"error": f"{MARK}-echo"}, 400),
    lambda: JSONResponse({"access_token": f"{MARK}-new", "token_type": "mac"}),
    lambda: JSONResponse({"access_token": f"{MARK}\nnew"}),
    lambda: JSONResponse({"access_token": f"{MARK}-new", "refresh_token": f"{MARK}\n", "token_type": "bearer"}),
    lambda: JSONResponse([f"{MARK}-list"]),
]


@pytest.mark.parametrize("fault", range(len(FAULTS)))
async def test_no_secret_shows_in_a_run_that_fails(
    tmp_path: Path, server: Any, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], fault: int
) -> None:
    caplog.set_level(logging.DEBUG)
    seen: list[str] = []
    for number, row in enumerate(rows(tmp_path)):
        file = tmp_path / f"{number}.json"
        file.write_text(json.dumps(row))
        file.chmod(0o600)
        credentials = load(file)
        auth = make(credentials, BASE)
        server.answers = [FAULTS[fault]() for _ in range(4)]
        async with Http(BASE, auth=auth, transport=server.transport()) as http:
            try:
                seen.append(str((await http.send("GET", f"{BASE}/Observation")).status))
            except ChartlineError as error:
                seen.append(shown(error))
            held = [credentials, auth, http, *vars(auth).values(), getattr(auth, "client", None)]
            seen += [f"{x!r} {x!s}" for x in held] + [repr(vars(auth)), repr(credentials.model_dump())]
            for x in (credentials, auth):
                with pytest.raises(TypeError, match="not written to pickles"):
                    pickle.dumps(x)
    whole = "\n".join((*seen, caplog.text, *capfd.readouterr()))
    found = [whole[max(0, whole.find(part) - 200) :][:300] for part in (MARK, PRIVATE, "eyJ") if part in whole]
    assert found == []
    assert len(seen) > 40 and "401" in seen


def test_the_hunt_would_find_one() -> None:
    """The same way of looking, at a secret in a message and in a local variable: so the test above can fail."""
    with pytest.raises(ZeroDivisionError) as raised:
        careless(f"{MARK}-local")
    assert MARK in shown(ValueError(f"header {MARK}")) and MARK in shown(raised.value)


def careless(token: str) -> float:
    return len(token) / 0


def test_a_wrong_secret_is_not_told() -> None:
    for make_one in (
        lambda: Secret(f"{MARK}\n\x00"),
        lambda: Bearer(BASE, f"{MARK} x"),
        lambda: Basic(BASE, f"{MARK}:", "x"),
    ):
        with pytest.raises(UserError) as raised:
            make_one()
        assert MARK not in str(raised.value)


def test_secrets_and_keys_are_not_copied_out() -> None:
    for kept in (Secret(MARK), SigningKey(KEY), Backend(BASE, "app", SigningKey(KEY))):
        assert MARK not in repr(kept) and PRIVATE not in repr(kept) + str(kept)
        for copied in (pickle.dumps, copy.deepcopy):
            with pytest.raises(TypeError):
                copied(kept)
    assert Secret("a") == Secret("a ") and Secret("a") != Secret("b") and Secret("a") != "a"
    assert len({Secret("a"), Secret("a")}) == 1
