"""Files of every kind, made by other tools than those that read them."""

from __future__ import annotations

import base64
import contextlib
import io
import shutil
import subprocess
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageDraw, ImageFont

from fhir_tools.parsing import Parsed, Parsers, Scan, kind_of, tesseract
from fhir_tools.parsing.cda import read_xml
from fhir_tools.parsing.reading import read
from fhir_tools.parsing.types import Limits, Unreadable

LIMITS = Limits()
SOFFICE = shutil.which("soffice")
CDA = '<?xml version="1.0"?><ClinicalDocument xmlns="urn:hl7-org:v3"><title>Summary</title>{}</ClinicalDocument>'


def text(found: Parsed) -> str:
    return "\n\n".join(p for p in found.pieces if isinstance(p, str))


@pytest.mark.parametrize(
    ("body", "declared", "kind"),
    [
        (b"%PDF-1.7", "text/plain", "pdf"),
        (b"\n\n%PDF-1.7", "", "pdf"),
        (b"{\\rtf1 x}", "application/octet-stream", "rtf"),
        (b"PK\x03\x04", "", "zip"),
        (b"II*\x00", "application/pdf", "image"),
        (b"BM is a name", "text/plain", "text"),
        (b"<html><p>x", "text/plain", "html"),
        (CDA.format("").encode(), "text/plain", "xml"),
        (CDA.format("").encode("utf-16"), "", "xml"),
        (b"BP <120 target", "text/plain", "text"),
        (b"<note>x</note>", "text/plain", "text"),
        (b"<note>x</note>", "application/xml", "xml"),
        (b"\x00\x01", "", "unread"),
        (b"x", "image/heic", "unread"),
    ],
)
def test_what_a_file_is_goes_by_its_content(body: bytes, declared: str, kind: str) -> None:
    assert kind_of(body, declared) == kind


def test_c_cda_sections_tables_lists_and_nulls() -> None:
    body = CDA.format(
        "<component><structuredBody><component><section><title>Medications</title><text><table><thead><tr><th>Drug</th>"
        "<th>Dose</th></tr></thead><tbody><tr><td>Metformin</td><td>500&#160;mg</td></tr></tbody></table><list><item>One"
        "</item><item>Two<br/>Three</item></list><paragraph>Was <content revised='delete'>not</content> taken"
        "</paragraph>"
        "</text><component><section><title>Stopped:</title><text>Warfarin</text></section></component></section>"
        "</component><component><section nullFlavor='NI'><title>Allergies</title><text/></section></component>"
        "</structuredBody></component>"
    ).encode()
    assert text(read(body, "application/xml", LIMITS)) == (
        "Summary\n\nMedications:\nDrug | Dose\n\nMetformin | 500 mg\n\n- One\n- Two\nThree\n\nWas taken\n\n"
        "Stopped:\nWarfarin\n\nAllergies:\nno information"
    )


def test_a_c_cda_that_wraps_a_file_and_one_without_text() -> None:
    inner = base64.b64encode(b"{\\rtf1 Wrapped.}").decode()
    packed = f'<text mediaType="text/rtf" representation="B64">{inner}</text>'
    wrapped = f"<component><nonXMLBody>{packed}</nonXMLBody></component>"
    assert text(read(CDA.format(wrapped).encode(), "", LIMITS)) == "Summary\n\nWrapped."
    assert read(CDA.format("").encode(), "", LIMITS).notes == ("the C-CDA holds no section with text",)
    elsewhere = "<component><nonXMLBody><text><reference value='x.pdf'/></text></nonXMLBody></component>"
    assert "elsewhere" in read(CDA.format(elsewhere).encode(), "", LIMITS).notes[0]


@given(st.binary(max_size=300))
def test_no_bytes_in_a_c_cda_do_more_than_be_unreadable(body: bytes) -> None:
    with contextlib.suppress(Unreadable):
        read_xml(b'<ClinicalDocument xmlns="urn:hl7-org:v3">' + body, LIMITS, lambda b, t: Parsed())


def test_a_word_document_without_what_was_deleted_or_hidden() -> None:
    w = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    run = "<w:r><w:t>{}</w:t></w:r>"
    paragraph = (
        f"<w:p><w:pPr><w:pStyle w:val='Heading1'/></w:pPr>{run.format('Plan')}</w:p><w:p>{run.format('Stop ')}"
        f"<w:del><w:r><w:delText>not </w:delText></w:r></w:del><w:ins>{run.format('warfarin')}</w:ins>"
        "<w:r><w:rPr><w:vanish/></w:rPr><w:t>secret</w:t></w:r></w:p>"
    )
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("word/document.xml", f"<w:document xmlns:w='{w}'><w:body>{paragraph}</w:body></w:document>")
        archive.writestr("word/media/image1.png", b"x")
    found = read(out.getvalue(), "", LIMITS)
    assert (text(found), found.notes) == ("Plan:\nStop warfarin", ("a picture in the Word document is not read",))


@pytest.mark.parametrize(
    ("body", "expected", "notes"),
    [
        (rb"{\rtf1\ansi\ansicpg1252 M\'fcller \u8804? 5\par Next}", "Müller ≤ 5\nNext", ()),
        (rb"{\rtf1\ansi Cut off", "Cut off", ("the RTF is cut off and was read in part",)),
        (rb"{\rtf1 A{\pict\pngblip 89504e}B}", "AB", ("a picture or object in the RTF is not read",)),
    ],
)
def test_rtf(body: bytes, expected: str, notes: tuple[str, ...]) -> None:
    found = read(body, "", LIMITS)
    assert (text(found), found.notes) == (expected, notes)


def test_files_that_cannot_be_read_say_why() -> None:
    for body, why in [
        (b"\xd0\xcf\x11\xe0" + "EncryptedPackage".encode("utf-16-le"), "the office file is encrypted"),
        (b"\xd0\xcf\x11\xe0", "an office file of the old format is not read"),
        (b"PK\x03\x04 broken", "the zipped office file is broken"),
        (b"%PDF-1.7 broken", "the PDF is broken"),
        (b"\x89PNG\r\n\x1a\n broken", "the picture is broken"),
        (b"\x1f\x8b", "a gzip file is not read"),
    ]:
        with pytest.raises(Unreadable, match=why):
            read(body, "", LIMITS)


def scanned(lines: list[str], noise: int = 60) -> Image.Image:
    """A page as a scanner makes it: print, a little turned, grey with noise."""
    page = Image.new("L", (1700, 900), 255)
    font = ImageFont.load_default(size=44)
    for number, line in enumerate(lines):
        ImageDraw.Draw(page).text((150, 120 + 110 * number), line, fill=20, font=font)
    page = page.rotate(0.4, fillcolor=255, expand=False)
    specks = Image.effect_noise(page.size, noise).point(lambda v: 255 if v > 40 else v * 4)
    return ImageChops.multiply(page, specks)


def test_pages_of_a_tiff_are_pictures_to_be_read_and_blank_ones_are_passed_over() -> None:
    page, blank = scanned(["Patient denies chest pain."]), Image.new("L", (600, 800), 255)
    out = io.BytesIO()
    page.save(out, "TIFF", save_all=True, append_images=[blank, page.convert("1")])
    found = read(out.getvalue(), "", LIMITS)
    assert [p.page for p in found.pieces if isinstance(p, Scan)] == [1, 3]
    assert all(kind_of(p.png) == "image" for p in found.pieces if isinstance(p, Scan))


def test_one_page_that_is_a_bomb_or_broken_leaves_the_others_to_be_read() -> None:
    page, out = scanned(["Patient denies chest pain."]).convert("1"), io.BytesIO()
    bomb = Image.new("1", (20_000, 20_000), 1)
    page.save(out, "TIFF", save_all=True, append_images=[bomb, page], compression="group4")
    found = read(out.getvalue(), "", LIMITS)
    assert [p.page for p in found.pieces if isinstance(p, Scan)] == [1, 3]
    assert found.notes == ("page 2 of the picture has too many points",)


@pytest.mark.skipif(tesseract() is None, reason="Tesseract is not installed")
async def test_a_scanner_like_page_is_read_by_ocr_from_a_tiff_and_from_a_pdf() -> None:
    ocr = tesseract()
    assert ocr is not None
    page = scanned(["Patient denies chest pain.", "Metformin was stopped in 2024."])
    for format_ in ("TIFF", "PDF"):
        out = io.BytesIO()
        page.save(out, format_, resolution=200)
        (scan,) = read(out.getvalue(), "", LIMITS).pieces
        assert isinstance(scan, Scan)
        assert (await ocr.read(scan.png)).split() == "Patient denies chest pain. Metformin was stopped in 2024.".split()
    noise = io.BytesIO()
    Image.effect_noise((400, 300), 120).save(noise, "PNG")
    with pytest.raises(Unreadable):
        await ocr.read(noise.getvalue())


PAGE = """<html><body><h1>Discharge Summary</h1><p>Patient denies chest pain. M&uuml;ller, 38.5&deg;C, BP &le; 140/90.
</p><h2>Medications</h2><ul><li>Metformin 500 mg</li><li>Warfarin stopped</li></ul>
<table border="1"><tr><td>Sodium</td><td>140</td></tr><tr><td>Potassium</td><td>4.1</td></tr></table></body></html>"""
SAID = ["Discharge Summary", "Patient denies chest pain. Müller, 38.5°C, BP ≤ 140/90.", "Medications",
        "Metformin 500 mg", "Warfarin stopped"]  # fmt: skip


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """One document, written by LibreOffice as DOCX, RTF, PDF and as a PDF with a password."""
    if SOFFICE is None:
        pytest.skip("LibreOffice is not installed")
    folder = tmp_path_factory.mktemp("office")
    (folder / "page.html").write_text(PAGE, encoding="utf-8")
    profile = f"-env:UserInstallation={(folder / 'profile').as_uri()}"
    secret = (
        'pdf:writer_pdf_Export:{"EncryptFile":{"type":"boolean","value":"true"},'
        '"DocumentOpenPassword":{"type":"string","value":"x"}}'
    )

    def convert(source: str, to: str, *options: str) -> None:
        command = [
            SOFFICE,
            profile,
            "--headless",
            "--convert-to",
            to,
            "--outdir",
            str(folder),
            *options,
            str(folder / source),
        ]
        subprocess.run([str(c) for c in command], check=True, capture_output=True, timeout=240)

    convert("page.html", "odt", "--infilter=HTML (StarWriter)")
    made = {}
    for kind, to in [("docx", "docx"), ("rtf", "rtf"), ("pdf", "pdf"), ("secret", secret)]:
        convert("page.odt", to)
        made[kind] = (folder / f"page.{'pdf' if kind == 'secret' else kind}").read_bytes()
    return made


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["docx", "rtf", "pdf"])
async def test_documents_of_libreoffice(office: dict[str, bytes], kind: str) -> None:
    parsers = Parsers(workers=1)
    try:
        found = await parsers.parse(office[kind], "application/octet-stream")
        read_text = text(found)
        assert found.notes == ()
        assert [line for line in SAID if line not in read_text] == []
        assert "Sodium" in read_text and "4.1" in read_text
        with pytest.raises(Unreadable, match="encrypted"):
            await parsers.parse(office["secret"])
        cut = office[kind][: len(office[kind]) // 2]
        with contextlib.suppress(Unreadable):  # PDFium mends a PDF whose table of contents is gone
            half = await parsers.parse(cut)
            assert half.notes or kind == "pdf"
    finally:
        parsers.close()


@given(st.binary(max_size=400), st.sampled_from([b"%PDF-1.7\n", b"{\\rtf1 ", b"PK\x03\x04", b"II*\x00", b""]))
def test_no_bytes_do_more_than_be_unreadable(body: bytes, head: bytes) -> None:
    with contextlib.suppress(Unreadable):
        found = read(head + body, "", LIMITS)
        assert all(isinstance(p, str | Scan) for p in found.pieces)
