"""The page's files: served from the package, kept by browsers, in the reader's language, and small."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from pathlib import Path

import httpx
import pytest

from agent.errors import SettingsError
from agent.service.assets import PAGE, texts_of
from tests.agent.service.conftest import Opened
from tools import make_page_vendor

SCRIPTS = sorted(p for p in PAGE.rglob("*.js") if "vendor" not in p.parts)
TEXTS = json.loads((PAGE / "texts" / "en.json").read_text("utf-8"))


async def test_the_page_names_files_of_its_own_build_alone(client: httpx.AsyncClient) -> None:
    response = await client.get("/")
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    paths = re.findall(r'(?:href|src)="([^"]+)"', response.text)
    assert len(paths) > 5
    assert all(re.fullmatch(r"assets/[0-9a-f]{12}/[\w./-]+", path) for path in paths)
    own = [path for path in paths if (PAGE / path.split("/", 2)[2]).exists()]
    for path in own:
        answer = await client.get(f"/{path}")
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
    assert {path.split("/", 2)[2] for path in set(paths) - set(own)} <= {"evidence.css"}


async def test_a_file_without_build_is_asked_about_again(client: httpx.AsyncClient) -> None:
    first = await client.get("/assets/app.js")
    assert first.headers["cache-control"] == "no-cache"
    assert first.headers["content-encoding"] == "gzip"
    again = await client.get("/assets/app.js", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    plain = await client.get("/assets/app.js", headers={"Accept-Encoding": "identity"})
    assert plain.content == first.content == (PAGE / "app.js").read_bytes()
    assert plain.headers["etag"] != first.headers["etag"]


@pytest.mark.parametrize("path", ["../app.py", "%2e%2e/app.py", "0123456789ab/app.js", "vendor", "texts/../../app.py"])
async def test_nothing_else_is_served(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(f"/assets/{path}")).status_code == 404


async def test_the_reader_gets_a_translation_with_english_where_it_lacks(opened: Opened, tmp_path: Path) -> None:
    (tmp_path / "de.json").write_text(json.dumps({"box.ask": "Fragen", "nonsense": "x"}), "utf-8")
    async with opened(service_texts=tmp_path) as client:

        async def asked(wanted: str) -> tuple[str, str, str]:
            told = (await client.get("/assets/texts.json", headers={"Accept-Language": wanted})).json()
            return told["language"], told["texts"]["box.ask"], told["texts"]["print"]

        assert await asked("de-AT, en;q=0.5") == ("de", "Fragen", "Print")
        assert await asked("fr, de;q=0.4") == ("de", "Fragen", "Print")
        assert await asked("en, de;q=0.9") == ("en", "Ask", "Print")
        assert await asked("de;q=0, fr") == ("en", "Ask", "Print")
        assert await asked("nonsense;;q=x") == ("en", "Ask", "Print")
        page = await client.get("/", headers={"Accept-Language": "de"})
        assert '<html lang="de">' in page.text


async def test_a_folder_of_texts_that_is_not_there_is_told(opened: Opened, tmp_path: Path) -> None:
    async with opened(service_texts=tmp_path / "none") as client:
        response = await client.get("/")
    assert (response.status_code, response.json()["type"]) == (500, "urn:chartline:problem:settings")


def test_a_translation_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "xx.json").write_text("[]", "utf-8")
    with pytest.raises(SettingsError, match="CHARTLINE_SERVICE_TEXTS"):
        texts_of("xx", tmp_path)


SOURCE = "\n".join(path.read_text("utf-8") for path in SCRIPTS)
INDEX = {name.replace("_", ".") for name in re.findall(r"\$(page_\w+)", (PAGE / "index.html").read_text("utf-8"))}
COUNTED = set(re.findall(r'\btn\(\s*"([^"]+)"', SOURCE))
FORMS = {f"{key}.{form}" for key in COUNTED for form in ("one", "other")}


def test_every_text_that_is_asked_for_exists() -> None:
    asked = set(re.findall(r'\bt\(\s*"([^"]+)"', SOURCE)) | INDEX | FORMS
    assert len(asked) > 100
    assert asked - TEXTS.keys() == set()


def test_every_text_is_asked_for() -> None:
    """By its key in quotes, or by the beginning of it in a template (`t(`kind.${kind}`)`)."""
    quoted = set(re.findall(r'"([^"\n]*)"', SOURCE)) | INDEX | FORMS
    begun = tuple(re.findall(r"\bt\(`([\w.]+\.)\$\{", SOURCE)) or (" ",)
    assert {key for key in TEXTS if key not in quoted and not key.startswith(begun)} == set()


def test_scripts_are_small() -> None:
    """150 kB gzip, libraries included; each file is sent by itself, so each is packed by itself."""
    packed = {p.name: len(gzip.compress(p.read_bytes())) for p in PAGE.rglob("*.js")}
    assert sum(packed.values()) < 150_000, packed


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_write_no_markup_and_reach_nowhere(path: Path) -> None:
    """Chart text is set as text. `lit-html` templates are markup that the page's own authors wrote."""
    source = path.read_text("utf-8")
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|unsafeHTML", source)
    assert not re.search(r"https?://(?!www\.w3\.org/)", source)
    assert len(source.splitlines()) <= 500


def test_libraries_are_as_their_makers_publish_them() -> None:
    readme = (PAGE / "vendor" / "README.md").read_text("utf-8")
    for library in make_page_vendor.LIBRARIES:
        assert f"| {library.name} | {library.version} | {library.licence} |" in readme
        for name in library.files:
            digest = hashlib.sha256((PAGE / "vendor" / library.name / name).read_bytes()).hexdigest()
            assert f"| {library.name}/{name} | {digest} |" in readme
        assert any("LICENSE" in name.upper() for name in library.files)
