"""docs/servers.md is what the profiles say."""

from __future__ import annotations

from tools.make_servers_page import PAGE, page


def test_the_page_is_written_from_the_profiles_of_today() -> None:
    assert PAGE.read_text("utf-8") == page(), "write it anew: python -m tools.make_servers_page"
