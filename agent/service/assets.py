"""The page: its files as they are in the wheel, and its texts in the reader's language."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path
from string import Template

from fastapi import APIRouter, Request
from fastapi.responses import Response

from agent.errors import SettingsError
from agent.service.parts import TheParts
from agent.service.problems import Problem

__all__ = ["ENGLISH", "PAGE", "router", "texts_of"]

router = APIRouter(tags=["page"], include_in_schema=False)

PAGE = Path(__file__).with_name("page")
ENGLISH = "en"

_MEDIA = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}
_FOREVER = "public, max-age=31536000, immutable"
_ASK_AGAIN = "no-cache"  # kept, and asked about with its ETag before each use
_LANGUAGE = re.compile(r"\s*([A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*|\*)\s*(?:;\s*q=([01](?:\.\d{0,3})?))?\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asset:
    """A file of the page, also as gzip, with what it is."""

    body: bytes
    packed: bytes
    media: str
    tag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Site:
    """All files of the page by their paths. `build` changes when any of them does."""

    assets: Mapping[str, _Asset]
    index: Template
    build: str


@router.get("/", summary="The clinician's page")
async def index(request: Request, parts: TheParts) -> Response:
    """The page; which patient is open stands in the fragment, which no server sees."""
    site = _site()
    language, texts = _texts(request, parts.settings.service_texts)
    words = {key: escape(texts[key], quote=True) for key in ("page.title", "page.noscript", "page.loading")}
    told = {key.replace(".", "_"): word for key, word in words.items()}
    page = site.index.substitute(told, build=site.build, language=language)
    asset = _asset(page.encode(), "text/html; charset=utf-8")
    return _answer(request, asset, _ASK_AGAIN, {"Content-Language": language, "Vary": "Accept-Language"})


@router.get("/assets/texts.json", summary="The page's texts in the language that the reader prefers")
async def texts(request: Request, parts: TheParts) -> Response:
    """Every text; what a translation lacks is English."""
    language, found = _texts(request, parts.settings.service_texts)
    asset = _asset(json.dumps({"language": language, "texts": found}, ensure_ascii=False).encode(), _MEDIA[".json"])
    return _answer(request, asset, _ASK_AGAIN, {"Content-Language": language, "Vary": "Accept-Language"})


@router.get("/assets/{path:path}", summary="A file of the page")
async def asset(path: str, request: Request) -> Response:
    """Under the page's own build (`/assets/BUILD/app.js`) a file never changes; without one it is asked about again."""
    site = _site()
    build, _, rest = path.partition("/")
    known = build == site.build
    found = site.assets.get(rest if known else path)
    if found is None:
        raise Problem(404, "not-there", "the page has no such file; if chartline was updated, reload the page")
    return _answer(request, found, _FOREVER if known else _ASK_AGAIN, {})


def texts_of(language: str, folder: Path | None) -> Mapping[str, str]:
    """The texts of a language, English where it lacks one. Raises SettingsError for a file that is not such texts."""
    english = _read(PAGE / "texts" / f"{ENGLISH}.json")
    if language == ENGLISH or folder is None:
        return english
    own = _read(folder / f"{language}.json")
    return {key: own.get(key) or text for key, text in english.items()}


def _texts(request: Request, folder: Path | None) -> tuple[str, Mapping[str, str]]:
    if folder and not folder.is_dir():
        raise SettingsError(f"CHARTLINE_SERVICE_TEXTS ({str(folder)!r}) is no folder")
    offered = {ENGLISH, *(p.stem for p in folder.glob("*.json"))} if folder else {ENGLISH}
    language = _preferred(request.headers.get("accept-language", ""), offered)
    return language, texts_of(language, folder)


def _preferred(header: str, offered: set[str]) -> str:
    """The best of the offered languages (RFC 9110 12.5.4; look-up as in RFC 4647 3.4); English where none is wanted."""
    found = [m for part in header.split(",") if (m := _LANGUAGE.fullmatch(part))]
    wanted = sorted(((float(m[2] or 1), m[1]) for m in found), key=lambda w: -w[0])
    by_name = {name.lower(): name for name in offered}
    for weight, name in wanted:
        tag = name.lower()
        while weight and tag:
            if tag in by_name:
                return by_name[tag]
            tag = tag.rpartition("-")[0]
    return ENGLISH


@cache
def _read(path: Path) -> Mapping[str, str]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"CHARTLINE_SERVICE_TEXTS: {path.name!r} is not readable JSON ({error})") from error
    if not isinstance(found, dict) or not all(isinstance(x, str) for x in found.values()):
        raise SettingsError(f"CHARTLINE_SERVICE_TEXTS: {path.name!r} must map each key to a text")
    return found


@cache
def _site() -> _Site:
    paths = sorted(p for p in PAGE.rglob("*") if p.suffix in _MEDIA)
    assets = {p.relative_to(PAGE).as_posix(): _asset(p.read_bytes(), _MEDIA[p.suffix]) for p in paths}
    index = (PAGE / "index.html").read_text("utf-8")
    whole = "".join((index, *(f"{path} {asset.tag}\n" for path, asset in assets.items())))
    return _Site(assets=assets, index=Template(index), build=hashlib.sha256(whole.encode()).hexdigest()[:12])


def _asset(body: bytes, media: str) -> _Asset:
    tag = hashlib.sha256(body).hexdigest()[:24]
    return _Asset(body=body, packed=gzip.compress(body, mtime=0), media=media, tag=tag)


def _answer(request: Request, asset: _Asset, keep: str, more: Mapping[str, str]) -> Response:
    """The file, packed where the client takes it; 304 where it has it (RFC 9110 13.1.2). Each form has its own tag.

    Tags are compared weakly, as they are for reading: a proxy that packs by itself makes ours weak.
    """
    packed = "gzip" in request.headers.get("accept-encoding", "")
    tag = f'"{asset.tag}{"-gz" if packed else ""}"'
    vary = ", ".join(filter(None, ("Accept-Encoding", more.get("Vary"))))
    headers = {**more, "ETag": tag, "Cache-Control": keep, "Vary": vary}
    known = {told.strip().removeprefix("W/") for told in request.headers.get("if-none-match", "").split(",")}
    if known & {tag, "*"}:
        return Response(status_code=304, headers=headers)
    encoding = {"Content-Encoding": "gzip"} if packed else {}
    body = asset.packed if packed else asset.body
    return Response(body, headers={**headers, **encoding, "X-Content-Type-Options": "nosniff"}, media_type=asset.media)
