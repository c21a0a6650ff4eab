"""A browser's own EventSource comes back whenever a stream ends: it is told all once, and that there is no more."""

from __future__ import annotations

import pytest
from playwright.async_api import Page

from tests.agent.service.conftest import MARIA

pytestmark = [pytest.mark.slow, pytest.mark.loopback]

ASKED = """async (patient) => {
  const headers = { "Content-Type": "application/json", "Idempotency-Key": "k" };
  const body = JSON.stringify({ question: "active conditions?", patient });
  const response = await fetch("/v1/ask", { method: "POST", headers, body });
  return [response.headers.get("Content-Location"), (await response.json()).claims.length];
}"""
FOLLOWED = """(path) => new Promise((resolve) => {
  const told = [], source = new EventSource(path);
  for (const name of ["claim", "answer"]) {
    source.addEventListener(name, (event) => told.push(`${name} ${event.lastEventId}`));
  }
  source.onerror = () => { if (source.readyState === EventSource.CLOSED) resolve(told); };
})"""


async def test_it_ends_by_itself(page: Page) -> None:
    path, claims = await page.evaluate(ASKED, MARIA)
    assert claims > 1
    told = await page.evaluate(FOLLOWED, path)
    assert told == [*(f"claim {n + 1}" for n in range(claims)), f"answer {claims + 1}"]
