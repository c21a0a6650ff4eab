"""Writes docs/servers.md from the server profiles, so that the page and the rules are one."""

from __future__ import annotations

from pathlib import Path

from fhir_tools.profiles import Profile, names, profile

__all__ = ["page"]

PAGE = Path(__file__).resolve().parents[1] / "docs" / "servers.md"

HEAD = """# FHIR servers: what chartline does for each

chartline reads any FHIR R4 (4.0.x) or R4B (4.3.0) server; one that speaks STU3 or R5 is refused with the remedy.
The server's CapabilityStatement is read once. It decides what is sent: a search parameter that the server does not
declare is left out, and tested by chartline on what comes back; so every server gives the same matches, only by more bytes.

| the server | what chartline does |
|---|---|
| does not declare a parameter | leaves it out and tests it here |
| says nothing of modifiers (`:missing`, `:text`, …) and of prefixes other than eq, gt, ge, lt, le | tests them here, unless its profile knows better |
| has `patient` or only `subject` (`beneficiary`, …) | names the patient in the form it has; a search is never sent without its patient |
| has neither, or does not search the type at all | the search is not run, and the answer is `incomplete` |
| has no `combo-code` | `code` and `component-code` in two searches; without `component-code` the known panels, else all results of the patient |
| gives no exact total, or something is tested here | counts what is left instead of asking for `_summary=count` |
| does not sort by a key, gives short pages or smaller ones | reads to the end, sorts and cuts here |
| does not include a reference | reads it |
| has no CapabilityStatement, or one without parameters | sends `patient`, `_id`, `code`, `category`, `date` and `_count` alone, and tests everything here |

What servers do not say of themselves stands in a profile (`fhir_tools/profiles/*.toml`): each rule with the page that says so,
and a test. A profile is chosen by the name of the software, else the publisher, else the base URL, or by a setting; `generic`
has no rules. Rules without a setting are there for people who connect a site: `chartline doctor` shows them.
"""


def page() -> str:
    """The text of docs/servers.md."""
    return HEAD + "".join(_section(profile(name)) for name in names() if profile(name).rules)


def _section(of: Profile) -> str:
    rows = (f"| {r.name} | {r.text.replace('|', chr(92) + '|')} ({_source(r.source)}) |\n" for r in of.rules)
    return f"\n## {of.title} (`{of.name}`)\n\n| rule | says |\n|---|---|\n{''.join(rows)}"


def _source(text: str) -> str:
    return f"[source]({text})" if text.startswith("https://") else "own"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
