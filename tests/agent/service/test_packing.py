"""What is packed, and what never is."""

from __future__ import annotations

import httpx
import pytest

from tests.agent.service.conftest import MARIA

GZIP = {"Accept-Encoding": "gzip"}


@pytest.mark.parametrize("what", ["timeline", "catalogue"])
async def test_what_is_large_is_packed(client: httpx.AsyncClient, what: str) -> None:
    path = f"/v1/patients/{MARIA}/{what}"
    packed = await client.get(path, headers=GZIP)
    plain = await client.get(path, headers={"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.json() == plain.json()
    assert int(packed.headers["content-length"]) < len(plain.content) / 3
    assert "accept-encoding" in packed.headers["vary"].lower()
    assert "no-store" in packed.headers["cache-control"]
    assert "content-security-policy" in packed.headers


async def test_secrets_and_chart_text_beside_what_a_client_sends_are_never_packed(client: httpx.AsyncClient) -> None:
    note = (await client.get(f"/v1/patients/{MARIA}/timeline")).json()["reference"][0]
    asked = {"question": "all encounters?", "patient": MARIA}
    answers = [
        await client.get("/v1/me", headers=GZIP),
        await client.get(f"/v1/evidence/{note}", params={"patient": MARIA}, headers=GZIP),
        await client.post("/v1/ask", json=asked, headers=GZIP),
        await client.post("/v1/ask", json=asked, headers=GZIP | {"Accept": "text/event-stream"}),
        await client.post("/v1/summaries", json={"patient": MARIA}, headers=GZIP),
        await client.get("/v1/patients/nobody/timeline", headers=GZIP),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 200, 200, 404]
    assert not any("content-encoding" in answer.headers for answer in answers)
