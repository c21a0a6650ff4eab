"""Writes docs/settings.md from the settings, so that the page and the program are one."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from agent.settings import PREFIX, Settings
from agent.settings.fields import DATA, Group
from agent.settings.models import ModelSettings
from agent.settings.service import ServiceSettings

__all__ = ["PAGE", "page"]

PAGE = Path(__file__).resolve().parents[1] / "docs" / "settings.md"
_HEAD = """# Settings

Environment variables. An empty one counts as unset, a misspelt one is an error that says which was meant. Lists are
separated by blanks. `DATA` is the folder of your platform for data of programs: `~/.local/share/chartline` on Linux.
"""


def page() -> str:
    """The text of docs/settings.md."""
    groups: tuple[tuple[str, type[Group]], ...] = (("Models", ModelSettings), ("The service", ServiceSettings))
    grouped = {name for _, group in groups for name in group.model_fields}
    own = {name: field for name, field in Settings.model_fields.items() if name not in grouped}
    told = [_table("Charts, records and the day", own), *(_table(title, group.model_fields) for title, group in groups)]
    return "\n".join((_HEAD, *told))


def _table(title: str, fields: dict[str, FieldInfo]) -> str:
    rows = (f"| `{PREFIX}{name.upper()}` | {_default(field)} | {field.description} |" for name, field in fields.items())
    return "\n".join((f"## {title}\n", "| variable | default | what |", "|---|---|---|", *rows, ""))


def _default(field: FieldInfo) -> str:
    value = field.default
    if value is None or value == () or value == "":
        return "secret" if SecretStr in (field.annotation, *get_args(field.annotation)) else ""
    text = str(value).replace(str(DATA), "DATA")
    return f"`{text.lower() if isinstance(value, bool) else text}`"


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), "utf-8")


if __name__ == "__main__":
    main()
