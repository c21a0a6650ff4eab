"""docs/settings.md is what the settings say."""

from __future__ import annotations

from agent.settings import Settings
from tools.make_settings_page import PAGE, page


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text("utf-8") == page(), "run: python -m tools.make_settings_page"


def test_it_has_every_setting_once() -> None:
    assert all(page().count(f"| `CHARTLINE_{name.upper()}` |") == 1 for name in Settings.model_fields)
