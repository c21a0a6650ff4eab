"""What a server says of itself: its models, the software, the context that a request may fill, images."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from agent.errors import ModelError
from agent.models.openai_compatible.calling import Line
from agent.models.openai_compatible.wording import shown

__all__ = ["Served", "look"]

_LENGTHS = ("max_model_len", "context_length", "loaded_context_length", "max_context_length", "context_window")
_OWNERS = {"llamacpp": "llama.cpp", "me": "llama-cpp-python", "library": "ollama"}
_NAMED = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """One model of a server. `id` is how to ask for it; `context` in tokens and `images`: None where not told.

    `most` is True where `context` is what the model could take, and the server may have been given less.
    """

    id: str
    software: str = ""
    context: int | None = None
    images: bool | None = None
    thinking: bool = False
    most: bool = False

    @property
    def name(self) -> str:
        return shown(self.id)


async def look(line: Line, wanted: str | None) -> Served:
    """The model that was asked for, or the only one. Raises ModelError where there is none such, or several.

    A server that tells of no models (a gateway; `transformers serve`, which lists its cache) is asked as told.
    """
    rows = await _listed(line, wanted)
    if wanted and not rows:
        return Served(id=wanted)
    row = _chosen(line, rows, wanted)
    id_, owner = str(row["id"]), str(row.get("owned_by", ""))
    thinking = bool(re.search(r"medgemma.*27b", id_, re.IGNORECASE))
    base = Served(id=id_, software=_OWNERS.get(owner, owner), thinking=thinking, context=_length(row))
    if base.context is not None and base.software != "llama.cpp":
        return base
    return await _llama(line, base) or await _ollama(line, base) or base


async def _listed(line: Line, wanted: str | None) -> list[Mapping[str, Any]]:
    if wanted is None:
        return _rows(await line.look("models"))
    return _rows(await line.peek("models"))  # what is wrong there, the model's answer tells as well


def _rows(found: Any) -> list[Mapping[str, Any]]:
    data = found.get("data") if isinstance(found, Mapping) else None
    return [row for row in data or () if isinstance(row, Mapping) and isinstance(row.get("id"), str)]


def _chosen(line: Line, rows: list[Mapping[str, Any]], wanted: str | None) -> Mapping[str, Any]:
    if wanted is None and len(rows) == 1:
        return rows[0]
    match = [
        row for row in rows if wanted and wanted in (row["id"], shown(row["id"]), row["id"].removesuffix(":latest"))
    ]
    if match:
        return match[0]
    names = ", ".join(shown(row["id"]) for row in rows[:_NAMED]) + (", …" if len(rows) > _NAMED else "")
    if not rows:
        raise ModelError(f"{line.server} serves no model; is {urlsplit(line.base).path!r} the path of its API?")
    if wanted is None:
        raise ModelError(f"{line.server} serves several models; set CHARTLINE_MODEL to one of them: {names}")
    raise ModelError(f"{line.server} does not serve {wanted!r}; set CHARTLINE_MODEL to what it has: {names}")


def _length(row: Mapping[str, Any]) -> int | None:
    meta = row.get("meta")
    places = (row, meta if isinstance(meta, Mapping) else {})
    return next((n for place in places for name in (*_LENGTHS, "n_ctx") if (n := _positive(place.get(name)))), None)


def _positive(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _at(found: Any, *path: str) -> Any:
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


async def _llama(line: Line, base: Served) -> Served | None:
    """llama.cpp's own server: the context of a slot, since that is what one request may fill."""
    props = await line.peek("/props")
    context = _positive(_at(props, "default_generation_settings", "n_ctx"))
    if context is None:
        return None
    images = bool(_at(props, "modalities", "vision"))
    return Served(id=base.id, software="llama.cpp", context=context, images=images, thinking=base.thinking)


async def _ollama(line: Line, base: Served) -> Served | None:
    """Ollama: what the loaded model was given, else what its file asks for, else what it was trained for.

    It cuts a prompt that is too long without a word, so the length that is really there matters.
    """
    about = await line.peek("/api/show", post={"model": base.id})
    info = _at(about, "model_info")
    if not isinstance(info, Mapping):
        return None
    running = _at(await line.peek("/api/ps"), "models")
    loaded = [m for m in running or () if _at(m, "name") == base.id or _at(m, "model") == base.id]
    asked = re.search(r"^num_ctx\s+(\d+)", str(_at(about, "parameters") or ""), re.MULTILINE)
    now = next(filter(None, (_positive(_at(m, "context_length")) for m in loaded)), None) or (
        int(asked[1]) if asked else None
    )
    trained = next((_positive(value) for name, value in info.items() if name.endswith(".context_length")), None)
    can = _at(about, "capabilities") or ()
    return Served(
        id=base.id,
        software="ollama",
        context=now or trained,
        most=now is None,
        images="vision" in can,
        thinking=base.thinking or "thinking" in can,
    )
