"""Which addresses are this machine's own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_tools.loopback import is_loopback


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True), ("127.9.9.9:80", True), ("::1", True), ("[::1]", True), ("[::1]:8000", True),
        ("LOCALHOST", True), ("localhost:8000", True), ("::ffff:127.0.0.1", False), ("0.0.0.0", False), ("", False),
        ("localhost.evil.test", False), ("a.localhost", False), ("10.0.0.1", False), ("127.0.0.1.evil.test", False),
    ],
)  # fmt: skip
def test_which_addresses_are_of_this_machine(host: str, local: bool) -> None:
    assert is_loopback(host) is local


@given(st.text(max_size=60))
def test_no_host_is_this_machine_by_chance(host: str) -> None:
    bare = host.strip().lower()
    assert not is_loopback(host) or "localhost" in bare or "127." in bare or ":1" in bare or "::" in bare
