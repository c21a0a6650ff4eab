"""Words on cards: chart text is data there too, and can be no link, image, HTML or mark-up of the EHR's page."""

from __future__ import annotations

import re

from agent.untrusted import clean

__all__ = ["LONGEST", "escaped", "linked", "summary_of"]

LONGEST = 139
"""Characters of a summary: fewer than 140 (CDS Hooks 2.0.1, card attributes)."""
_MOST = 400
_SIGNS = re.compile(r"[\\`*_{}\[\]<>#|~&@$!]")
_START = re.compile(r"^([-+](?=[\s+-]|$)|\d+[.)](?=\s|$))")
_AUTOLINK = re.compile(r"(www)(\.)|(:)(//)|(mailto|xmpp)(:)", re.IGNORECASE)


def escaped(text: str) -> str:
    """Text of a chart or a draft as literal GitHub Flavored Markdown, on one line, cut at 400 characters.

    Backslashes before what is mark-up (CommonMark 6.1 and 2.4), and in what GitHub would make a link of by itself
    (GFM 6.9); invisible and bidirectional characters are gone.
    """
    text = clean(text).strip()
    text = f"{text[:_MOST].rstrip()}…" if len(text) > _MOST else text
    text = _SIGNS.sub(lambda sign: f"\\{sign[0]}", text)
    text = _AUTOLINK.sub(_broken, text)
    return _START.sub(lambda found: f"{found[0][:-1]}\\{found[0][-1]}", text)


def _broken(found: re.Match[str]) -> str:
    first, second = (part for part in found.groups() if part)
    return f"\\{first}{second}" if first == ":" else f"{first}\\{second}"


def linked(label: str, url: str) -> str:
    """A link of our own making; `label` may hold chart text."""
    safe = url.replace("(", "%28").replace(")", "%29").replace(" ", "%20").replace("<", "%3C").replace(">", "%3E")
    return f"[{escaped(label)}]({safe})"


def summary_of(text: str) -> str:
    """A summary: plain text on one line, cut with an ellipsis below 140 characters."""
    text = clean(text).strip()
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1].rstrip()}…"
