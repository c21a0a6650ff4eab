"""What a server really does, found out by asking it: schemas, images, thinking, reach, speed, reuse of a prompt."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import struct
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

from agent.errors import ModelError
from agent.models.base import Completion, Message, Picture, Request
from agent.models.openai_compatible.faults import Refused, TooLong
from agent.models.openai_compatible.hearing import Hearing
from agent.models.openai_compatible.wording import Format, body

__all__ = [
    "Grammar", "Pace", "Reach", "Sight", "context", "given", "grammar", "in_order", "pace", "reach", "sight", "thinks",
]  # fmt: skip

Ask = Callable[[dict[str, Any]], Awaitable[Hearing]]
Complete = Callable[[Request], Awaitable[Completion]]
Sight = Literal["read", "taken", "ignored", "refused"]
"""Images: told apart; part of the prompt, but not told apart; dropped without a word; refused, or failed over."""

Found = Literal["far", "near", "none"]
"""Lines of a long prompt: one found that stands before a sliding window, only one close to the end, or neither."""

_DAY = {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$", "maxLength": 10}


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


SCHEMA = _object(
    colour={"type": "string", "enum": ["teal"]},
    code={"type": "string", "maxLength": 4},
    calls={
        "type": "array",
        "items": {"anyOf": [_object(tool={"type": "string", "const": name}, since=_DAY) for name in ("find", "read")]},
        "maxItems": 1,
    },
)
"""Contradicts what the trial asks for, so that only a server which enforces it gives an answer like this; and has in it
what replies have, so that a server which refuses a part of those is found out as well."""
_ORDER = "Reply with the one word BLUE and after it the code 0123456789012345678901234567890123456789, nothing else."
_BEGIN = '{"colour":"teal"'
_CODE = re.compile(r'"code"\s*:\s*"([^"]*)')
_LINES = 60
_DRAWERS, _FAR, _NEAR = 120, 5, 117
"""About 1,500 tokens of Gemma: drawer 5 lies well before the window of 1,024 tokens of its sliding layers."""
_COLOURS = {"red": (220, 20, 20), "blue": (20, 20, 220)}
_SIDE = 224


@dataclass(frozen=True, slots=True, kw_only=True)
class Grammar:
    """`form` is the best that the server takes; of a schema it kept the values (`kept`) and the lengths (`bounded`)."""

    form: Format
    kept: bool = False
    bounded: bool = False

    @property
    def enforced(self) -> bool:
        """Whether an answer can be relied upon while it streams in."""
        return self.kept and self.bounded


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Seconds to the first token of a new prompt of `prompt` tokens, and of a second one with the same beginning;
    `cached` are the tokens of it that the server says it reused; `rate` is tokens a second, 0 where too few came."""

    prompt: int
    first: float
    second: float
    cached: int
    rate: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What was found again in a prompt of `prompt` tokens."""

    found: Found
    prompt: int


def given(form: Format) -> Grammar:
    """What an operator says that the server does."""
    enforced = form in ("schema", "shaped")
    return Grammar(form=form, kept=enforced, bounded=enforced)


async def grammar(ask: Ask, model: str) -> Grammar:
    """How the server keeps a schema: the first form that is enforced, else the best that is at least taken."""
    found = Grammar(form="none")
    forms: tuple[Format, ...] = ("schema", "shaped")
    for form in forms:
        heard = await _tried(ask, model, form)
        if heard is not None and _kept(heard.text):
            found = Grammar(form=form, kept=True, bounded=_bounded(heard.text))
            if found.enforced:
                return found
    if not found.kept:
        heard = await _tried(ask, model, "object")
        if heard is not None and _is_object(heard.text):
            return Grammar(form="object")
    return found


async def _tried(ask: Ask, model: str, form: Format) -> Hearing | None:
    request = Request(messages=(Message(role="user", parts=(_ORDER,)),), schema=SCHEMA, tokens=48)
    try:
        return await ask(body(request, model, form))
    except TooLong:
        raise
    except Refused:
        return None


def _kept(text: str) -> bool:
    """Blanks are let be: some grammars allow any number of them, and small models write them until they are cut."""
    dense = "".join(text.split())
    return dense.startswith(_BEGIN) or (bool(dense) and _BEGIN.startswith(dense))


def _bounded(text: str) -> bool:
    found = _CODE.search(text)
    return found is None or len(found[1]) <= SCHEMA["properties"]["code"]["maxLength"]


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


async def pace(complete: Complete) -> Pace:
    """Two prompts of about 700 tokens that differ in their last line alone; the first is new to the server."""
    start = secrets.token_hex(8) + "\n" + "".join(f"Line {n}: the cat sat on the mat at noon.\n" for n in range(_LINES))

    async def timed(end: str) -> Completion:
        return await complete(Request(messages=(Message(role="user", parts=(start, end)),), tokens=48))

    one = await timed("Count from 1 to 40, separated by commas.")
    two = await timed("Write the numbers from 1 to 40, separated by commas.")
    said = [(c.used.completion + c.used.thinking, c.used.seconds - c.used.first_token) for c in (one, two)]
    rates = [(tokens - 1) / seconds for tokens, seconds in said if tokens >= 8 and seconds > 0]
    return Pace(
        prompt=one.used.prompt,
        first=one.used.first_token,
        second=two.used.first_token,
        cached=two.used.cached,
        rate=max(rates, default=0.0),
    )


async def reach(complete: Complete) -> Reach | None:
    """Whether a line at the start of a long prompt is found again; None where the prompt does not fit the context.

    Layers that see less than they should leave short prompts as they are, and long ones garbled or forgotten.
    """
    keys = [str(1000 + secrets.randbelow(9000)) for _ in range(_DRAWERS)]
    lines = "".join(f"Drawer {n} holds key {key}.\n" for n, key in enumerate(keys, start=1))

    async def asked(drawer: int) -> Completion:
        words = f"Which key does drawer {drawer} hold? Answer with the number only."
        return await complete(Request(messages=(Message(role="user", parts=(lines, words)),), tokens=12))

    try:
        far = await asked(_FAR)
    except TooLong:
        return None
    if keys[_FAR - 1] in far.text:
        return Reach(found="far", prompt=far.used.prompt)
    near = await asked(_NEAR)
    return Reach(found="near" if keys[_NEAR - 1] in near.text else "none", prompt=far.used.prompt)


async def sight(complete: Complete) -> Sight:
    """Whether images work: one coloured square each, and the same words without one."""
    said: dict[str, str] = {}
    without = await complete(_shown())
    try:
        for colour in _COLOURS:
            with_ = await complete(_shown(colour))
            said[colour] = with_.text.lower()
    except ModelError:  # the same words without an image were answered
        return "refused"
    if all(colour in text and not any(o in text for o in _COLOURS if o != colour) for colour, text in said.items()):
        return "read"
    return "taken" if with_.used.prompt > without.used.prompt + 1 else "ignored"


async def in_order(complete: Complete) -> bool:
    """Whether two images of one prompt are told apart, in their order."""
    text = (await complete(_shown("blue", "red"))).text.lower()
    return 0 <= text.find("blue") < text.find("red")


def _shown(*colours: str) -> Request:
    pictures = tuple(Picture(data=_png(_COLOURS[colour]), media_type="image/png") for colour in colours)
    words = "Which colour has the image, red or blue? Answer with one word."
    if len(colours) > 1:
        words = "Which colours have the images, red or blue? Answer with one word for each, in their order."
    return Request(messages=(Message(role="user", parts=(words,), pictures=pictures),), tokens=8 * max(1, len(colours)))


def _png(rgb: tuple[int, int, int]) -> bytes:
    """A square of one colour (PNG 1.2, section 3: chunks with length, name, data and CRC)."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    rows = (b"\0" + bytes(rgb) * _SIDE) * _SIDE
    header = struct.pack(">2I5B", _SIDE, _SIDE, 8, 2, 0, 0, 0)
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


async def thinks(complete: Complete) -> bool:
    """Whether thinking comes where it is asked for."""
    question = Message(role="user", parts=("What is 17 plus 25? Answer with the number.",))
    done = await complete(Request(messages=(question,), tokens=16, thinking=96))
    return bool(done.thought)


async def context(ask: Ask, model: str) -> int:
    """The context as a server tells it when it refuses a prompt that is far too long; 0 where it does not."""
    words = "a b c d " * 10_000
    request = Request(messages=(Message(role="user", parts=(words,)),), tokens=1)
    try:
        async with asyncio.timeout(10):
            await ask(body(request, model, "none"))
    except TooLong as error:
        return error.context
    except (Refused, TimeoutError):
        pass
    return 0
