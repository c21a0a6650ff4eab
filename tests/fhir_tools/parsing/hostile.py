"""Files that are made to hang, crash or fill whoever reads them: name → bytes, each made here."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator

from PIL import Image

__all__ = ["hostile"]

_W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_CDA = (
    b'<ClinicalDocument xmlns="urn:hl7-org:v3"><component><structuredBody>%s'
    b"</structuredBody></component></ClinicalDocument>"
)


def hostile() -> dict[str, bytes]:
    """All of them by name."""
    return dict([*_xml(), *_zips(), *_pdfs(), *_rtfs(), *_images(), *_markup(), *_cut()])


def _entities(kind: str, head: bytes) -> bytes:
    levels = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 10))
    bomb = f'<!DOCTYPE x [<!ENTITY l0 "lol">{levels}]>'.encode()
    return b'<?xml version="1.0"?>' + bomb + head % b"<component><section><text>&l9;</text></section></component>"


def _xml() -> Iterator[tuple[str, bytes]]:
    section = b"<component><section><title>T</title><text>%s</text></section></component>"
    yield "cda billion laughs", _entities("cda", _CDA)
    yield "cda external entity", b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>' + _CDA % (section % b"&e;")
    yield "cda remote dtd", b'<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">' + _CDA % (section % b"x")
    yield (
        "cda quadratic entity",
        b'<!DOCTYPE x [<!ENTITY a "' + b"a" * 100_000 + b'">]>' + _CDA % (section % (b"&a;" * 5000)),
    )
    yield "cda deep", _CDA % (b"<component><section>" * 50_000)
    yield "cda deep closed", _CDA % (section % (b"<content>" * 200_000 + b"</content>" * 200_000))
    yield "cda deep sections", _CDA % (b"<component><section><text>a</text>" * 200 + b"</section></component>" * 200)
    yield "cda huge text", _CDA % (section % (b"lorem " * 5_000_000))
    yield "cda a million items", _CDA % (section % (b"<list>" + b"<item>a</item>" * 700_000 + b"</list>"))
    yield "cda huge attribute", _CDA % (b'<component a="' + b"x" * 20_000_000 + b'"/>')
    yield "cda many attributes", _CDA % (b"<component " + b" ".join(b'a%d=""' % i for i in range(200_000)) + b"/>")
    yield "cda nested cda", _nested(_CDA % (section % b"x"), 40)
    yield "cda body not base64", _body(b"!!!!")
    yield "cda body pdf garbage", _body(__import__("base64").b64encode(b"%PDF-1.7 garbage"))
    yield "xml cut off", (_CDA % (section % b"x"))[:-30]
    yield "xml wrong charset", b'<?xml version="1.0" encoding="utf-99"?>' + _CDA % b""
    yield "xml utf-16 without mark", (_CDA % b"").decode().encode("utf-16-le")
    yield "xml nul bytes", _CDA % b"\x00" * 3


def _body(data: bytes) -> bytes:
    return (
        b'<ClinicalDocument xmlns="urn:hl7-org:v3"><component><nonXMLBody><text mediaType="application/pdf" '
        b'representation="B64">' + data + b"</text></nonXMLBody></component></ClinicalDocument>"
    )


def _nested(inner: bytes, times: int) -> bytes:
    import base64

    for _ in range(min(times, 12)):
        inner = _body(base64.b64encode(inner))
    return inner


def _docx(document: bytes, **parts: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("word/document.xml", document)
        for name, content in parts.items():
            archive.writestr(f"word/{name}.xml", content)
    return out.getvalue()


def _word(body: bytes) -> bytes:
    return f'<w:document xmlns:w="{_W}"><w:body>'.encode() + body + b"</w:body></w:document>"


def _zips() -> Iterator[tuple[str, bytes]]:
    paragraph = b"<w:p><w:r><w:t>a</w:t></w:r></w:p>"
    yield "docx bomb of blanks", _docx(_word(b"<w:p>" + b" " * 400_000_000 + b"</w:p>"))
    yield "docx a million paragraphs", _docx(_word(paragraph * 700_000))
    yield "docx billion laughs", _docx(_entities("docx", _CDA))
    yield "docx deep tables", _docx(_word(b"<w:tbl><w:tr><w:tc>" * 30_000))
    yield "docx deep closed tables", _docx(_word(b"<w:tbl><w:tr><w:tc>" * 2000 + b"</w:tc></w:tr></w:tbl>" * 2000))
    yield "docx many headers", _docx(_word(paragraph), **{f"header{i}": _word(paragraph) for i in range(4000)})
    yield "docx bombs in headers", _docx(_word(paragraph), **{f"header{i}": b" " * 20_000_000 for i in range(20)})
    yield "docx no xml", _docx(b"\x00\x01\x02")
    whole = _docx(_word(paragraph))
    yield "docx wrong sum", whole.replace(b"word/document.xml", b"word/documenu.xml", 1)
    yield "docx broken stream", whole[:60] + b"\xff" * 40 + whole[100:]
    yield "docx size lies", _lying(whole)
    yield "docx encrypted flag", whole[:6] + b"\x01\x00" + whole[8:]
    yield "docx unknown compression", whole[:8] + b"\x63\x00" + whole[10:]
    yield "zip many entries", _many()
    yield "zip of a zip", _docx(whole)
    yield "zip end alone", b"PK\x05\x06" + b"\x00" * 18
    yield "zip end lies", b"PK\x03\x04" + b"\x00" * 50 + b"PK\x05\x06" + b"\xff" * 18
    yield "zip climbs out", _climbing()


def _lying(body: bytes) -> bytes:
    at = body.find(b"PK\x01\x02")
    return body[: at + 24] + struct.pack("<I", 10) + body[at + 28 :]


def _many() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for i in range(20_000):
            archive.writestr(f"{i}", "")
    return out.getvalue()


def _climbing() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("../../etc/cron.d/x", "x")
        archive.writestr("word/document.xml", _word(b"<w:p/>"))
    return out.getvalue()


def _pdf(*objects: bytes, trailer: bytes = b"<</Root 1 0 R>>") -> bytes:
    out = b"%PDF-1.7\n"
    for number, content in enumerate(objects, 1):
        out += b"%d 0 obj\n" % number + content + b"\nendobj\n"
    return out + b"trailer\n" + trailer + b"\n%%EOF"


def _stream(data: bytes, more: bytes = b"") -> bytes:
    return b"<</Length %d%s>>\nstream\n" % (len(data), more) + data + b"\nendstream"


def _page(content: bytes, *more: bytes) -> bytes:
    return _pdf(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</XObject<</X 5 0 R>>>>>>",
        content,
        *more,
    )


def _pdfs() -> Iterator[tuple[str, bytes]]:
    deflate = b"/Filter/FlateDecode"
    bomb = zlib.compress(b"0 0 m 1 1 l S " * 20_000_000, 9)
    yield "pdf deflate bomb", _page(_stream(bomb, deflate))
    twice = zlib.compress(zlib.compress(b"\x00" * 500_000_000, 9), 9)
    yield "pdf double bomb", _page(_stream(twice, b"/Filter[/FlateDecode/FlateDecode]"))
    yield "pdf page tree loop", _pdf(b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[2 0 R]/Count 999999>>")
    yield "pdf count lies", _pdf(b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[]/Count 2000000000>>")
    kids = b"<</Type/Pages/Count 300000/Kids[" + b"3 0 R " * 300_000 + b"]>>"
    yield (
        "pdf very many pages",
        _pdf(b"<</Type/Catalog/Pages 2 0 R>>", kids, b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>"),
    )
    form = b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</X 5 0 R>>>>"
    yield "pdf form draws itself", _page(_stream(b"/X Do"), _stream(b"/X Do /X Do", form))
    yield "pdf endless operators", _page(_stream(zlib.compress(b"q " * 30_000_000, 9), deflate))
    yield "pdf giant page", _page(_stream(b"0 0 m 9 9 l S")).replace(b"612 792", b"1e9 1e9")
    yield "pdf negative page", _page(_stream(b"0 0 m 9 9 l S")).replace(b"612 792", b"-9 -9")
    image = b"/Type/XObject/Subtype/Image/Width 60000/Height 60000/ColorSpace/DeviceGray/BitsPerComponent 8"
    yield "pdf giant image", _page(_stream(b"600 0 0 700 0 0 cm /X Do"), _stream(b"\x00" * 100, image))
    yield "pdf deep arrays", _pdf(b"<</Type/Catalog/Pages " + b"[" * 200_000)
    yield "pdf deep dictionaries", _pdf(b"<</A" * 100_000)
    yield "pdf self reference", _pdf(b"1 0 R")
    yield "pdf length reference loop", _page(b"<</Length 4 0 R>>\nstream\nx\nendstream")
    yield "pdf encrypted garbage", _pdf(b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[]/Count 0>>",
                                        trailer=b"<</Root 1 0 R/Encrypt<</Filter/Standard/V 9/R 9>>>>")  # fmt: skip
    yield "pdf javascript", _pdf(b"<</Type/Catalog/Pages 2 0 R/OpenAction<</S/JavaScript/JS(while(1);)>>>>",
                                 b"<</Type/Pages/Kids[]/Count 0>>")  # fmt: skip
    yield "pdf startxref loop", b"%PDF-1.7\nxref\n0 0\ntrailer<</Root 1 0 R/Prev 9>>\nstartxref\n9\n%%EOF"
    yield "pdf header alone", b"%PDF-1.7"
    yield "pdf noise", b"%PDF-1.7\n" + bytes((i * 7919) % 251 for i in range(500_000))


def _rtfs() -> Iterator[tuple[str, bytes]]:
    yield "rtf deep", b"{\\rtf1 " + b"{" * 1_000_000
    yield "rtf deep closed", b"{\\rtf1 " + b"{" * 1900 + b"x" + b"}" * 1901
    yield "rtf closing", b"{\\rtf1 " + b"}" * 1_000_000
    yield "rtf endless words", b"{\\rtf1 " + b"\\a" * 2_000_000 + b"}"
    yield "rtf binary lies", b"{\\rtf1 \\bin4294967295 " + b"x" * 1000 + b"}"
    yield "rtf binary many", b"{\\rtf1 " + b"\\bin0 " * 300_000 + b"}"
    yield "rtf code page", b"{\\rtf1\\ansi\\ansicpg99999 x}"
    yield "rtf unicode skip", b"{\\rtf1\\uc999999999 \\u-1 x" + b"\\u55357 " * 100_000 + b"}"
    yield "rtf hex", b"{\\rtf1 " + b"\\'zz\\'" * 100_000
    yield "rtf backslashes", b"{\\rtf1 " + b"\\" * 1_000_000


def _images() -> Iterator[tuple[str, bytes]]:
    head = b"\x89PNG\r\n\x1a\n"

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    size = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    yield (
        "png giant",
        head + chunk(b"IHDR", size) + chunk(b"IDAT", zlib.compress(b"\x00" * 100_000_000, 9)) + chunk(b"IEND", b""),
    )
    yield "png text bomb", head + chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)) + chunk(
        b"zTXt", b"k\x00\x00" + zlib.compress(b"a" * 300_000_000, 9)) + chunk(b"IEND", b"")  # fmt: skip
    yield "png chunk lies", head + b"\xff\xff\xff\x7fIHDR"
    out = io.BytesIO()
    Image.new("1", (9000, 9000)).save(out, "TIFF", compression="group4", save_all=True,
                                      append_images=[Image.new("1", (9000, 9000))] * 60)  # fmt: skip
    yield "tiff many large pages", out.getvalue()
    yield "tiff directory loop", b"II*\x00\x08\x00\x00\x00" + struct.pack("<H", 0) + struct.pack("<I", 8)
    yield "tiff offset lies", b"II*\x00\xff\xff\xff\x7f"
    yield "tiff entries lie", b"MM\x00*\x00\x00\x00\x08\xff\xff" + b"\x01" * 60
    yield "gif endless frames", _gif()
    yield "jpeg cut off", _jpeg()[:400]
    yield "jpeg noise", b"\xff\xd8\xff\xe0" + bytes((i * 31) % 256 for i in range(100_000))
    yield (
        "bmp giant",
        b"BM" + struct.pack("<IHHIIiiHHII", 1 << 30, 0, 0, 54, 40, 60_000, 60_000, 1, 24, 0, 0) + b"\x00" * 9,
    )
    yield "webp cut off", b"RIFF\xff\xff\xff\x7fWEBPVP8 " + b"\x00" * 20


def _gif() -> bytes:
    out = io.BytesIO()
    frames = [Image.new("P", (8, 8), i % 250) for i in range(3000)]
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])
    return out.getvalue()


def _jpeg() -> bytes:
    out = io.BytesIO()
    Image.effect_noise((200, 200), 90).save(out, "JPEG")
    return out.getvalue()


def _markup() -> Iterator[tuple[str, bytes]]:
    yield "html deep", b"<html>" + b"<div>" * 1_000_000
    yield "html unclosed tags", b"<html>" + b"<a " * 1_000_000
    yield "html comments", b"<html>" + b"<!--" * 1_000_000
    yield "html declarations", b"<html>" + b"<!x" * 1_000_000
    yield "html attributes", b"<html><p " + b"a=b " * 1_000_000
    yield "html entities", b"<html>" + b"&" * 3_000_000
    yield "html hidden nest", b"<html>" + b"<p hidden>" * 300_000 + b"</p>" * 300_000
    yield "html cells", b"<html><table><tr>" + b"<td>" * 1_000_000
    yield "html blanks", b"<html><p>" + b" \n" * 4_000_000


def _cut() -> Iterator[tuple[str, bytes]]:
    yield "old office file", b"\xd0\xcf\x11\xe0" + b"\x00" * 5000
    yield "encrypted office file", b"\xd0\xcf\x11\xe0" + "EncryptedPackage".encode("utf-16-le")
    yield "gzip", b"\x1f\x8b\x08" + b"\x00" * 100
    yield "too large", b"%PDF-1.7" + b"\x00" * 50_000_001
