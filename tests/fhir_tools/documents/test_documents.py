"""Documents as text with exact offsets, and what is asserted of a term."""

from __future__ import annotations

import base64
import io
import itertools
import time
from collections.abc import Mapping
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont

from fhir_tools.documents import Document, Found, find, read_document, reading, sections, sentences
from fhir_tools.documents.statements import statements
from fhir_tools.errors import SourceError
from fhir_tools.facts import facts_of
from fhir_tools.parsing import tesseract
from fhir_tools.types import Concept, Fact, Fetched, Reference

FACT = Fact(
    kind="document", concept=Concept(label="Note"), reference=Reference(type="DocumentReference", id="n"), path="x"
)


class Binaries:
    """A source that holds nothing but what `fetch` gives for an URL."""

    def __init__(self, bodies: Mapping[str, Fetched] | None = None) -> None:
        self.bodies = bodies or {}

    async def fetch(self, url: str) -> Fetched:
        if url not in self.bodies:
            raise SourceError("gone", status=404)
        return self.bodies[url]


def packed(text: str | bytes) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def note(*attachments: Any) -> dict[str, Any]:
    return {
        "resourceType": "DocumentReference", "id": "n", "status": "current", "type": {"text": "Note"},
        "content": [{"attachment": a} for a in attachments],
    }  # fmt: skip


async def read(resource: dict[str, Any], source: Binaries | None = None) -> Document:
    facts = facts_of(resource)
    return await read_document(resource, facts[0] if facts else FACT, source or Binaries())  # type: ignore[arg-type]


def mentions(text: str, *terms: str) -> tuple[Found, ...]:
    return find([Document(fact=FACT, text=text)], terms)


def asserted(text: str, term: str) -> list[str]:
    return [found.assertion for found in mentions(text, term)]


async def test_plain_text_in_its_charset_with_line_ends_made_one() -> None:
    latin = note(
        {"contentType": "text/plain; charset=iso-8859-1", "data": packed("Müller\r\nTemp 38 °C".encode("latin-1"))}
    )
    assert await read(latin) == Document(fact=facts_of(latin)[0], text="Müller\nTemp 38 °C")
    wide = note({"contentType": "text/plain", "data": packed("Müller".encode("utf-16"))})
    assert (await read(wide)).text == "Müller"
    mislabelled = note({"contentType": "text/plain; charset=utf-8", "data": packed("Müller".encode("cp1252"))})
    assert (await read(mislabelled)).text == "Müller"


async def test_html_loses_tags_scripts_and_styles_and_keeps_its_blocks() -> None:
    page = (
        "<!DOCTYPE html><html><head><title>x</title><style>p{color:red}</style></head><body><script>alert(1)</script>"
        "<h2>Plan</h2><p>Stop&nbsp;<b>war</b>farin &amp; watch.<br>Again</p><ul><li>One</li><li>Two</li></ul>"
        "<table><tr><td>A</td><td>B</td></tr></table></body></html>"
    )
    document = await read(note({"contentType": "text/html", "data": packed(page)}))
    assert [line for line in document.text.split("\n") if line] == [
        "Plan", "Stop warfarin & watch.", "Again", "- One", "- Two", "A | B",
    ]  # fmt: skip
    assert document.unread == ""


async def test_what_it_is_goes_by_content_before_the_label() -> None:
    pdf = await read(note({"contentType": "text/plain", "data": packed(b"%PDF-1.7 \x00\x01")}))
    assert (pdf.text, pdf.unread) == ("", "the PDF is broken")
    html = await read(note({"contentType": "text/plain", "data": packed("<html><body><p>Hello</p></body></html>")}))
    assert html.text == "Hello"
    rtf = await read(note({"contentType": "application/octet-stream", "data": packed(r"{\rtf1 Hello}")}))
    assert (rtf.text, rtf.unread) == ("Hello", "")
    text = await read(note({"contentType": "application/octet-stream", "data": packed("Hello")}))
    assert text.text == "Hello"
    less = await read(note({"contentType": "text/plain", "data": packed("BP <120 target, x<y")}))
    assert less.text == "BP <120 target, x<y"


async def test_a_document_in_two_formats_is_read_once_and_the_unread_one_is_told() -> None:
    document = await read(
        note(
            {"contentType": "text/plain", "data": packed("All well.")},
            {"contentType": "text/html", "data": packed("<p>All  well.</p>")},
            {"contentType": "application/pdf", "data": packed(b"%PDF-1.4")},
        )
    )
    assert (document.text, document.unread) == ("All well.", "the PDF is broken")


async def test_a_scan_is_read_by_ocr_and_told_as_that(monkeypatch: pytest.MonkeyPatch) -> None:
    page = note({"contentType": "image/png", "data": packed(scan("Patient denies chest pain.")), "title": "Fax"})
    if tesseract():
        document = await read(page)
        assert document.text == "Patient denies chest pain." and document.unread == ""
        assert [(s.start, s.end, s.by) for s in document.scanned] == [(0, 26, "Tesseract")]
    monkeypatch.setattr(reading, "_OCR_SECONDS", -1.0)
    assert "open the document itself" in (await read(page)).unread
    monkeypatch.setattr(reading, "tesseract", lambda: None)
    assert (await read(page)).unread == "'Fax': page 1 is a scan, which needs Tesseract to be read (apt-get install " \
        "tesseract-ocr)"  # fmt: skip


def scan(line: str) -> bytes:
    """A page with a line of print, as PNG."""
    page, out = Image.new("L", (1200, 400), 255), io.BytesIO()
    ImageDraw.Draw(page).text((100, 150), line, fill=20, font=ImageFont.load_default(size=44))
    page.save(out, "PNG")
    return out.getvalue()


async def test_attachments_behind_a_url() -> None:
    binary = orjson.dumps({"resourceType": "Binary", "contentType": "text/plain", "data": packed("From a Binary.")})
    source = Binaries(
        {
            "Binary/1": Fetched(content_type="application/fhir+json", body=binary),
            "Binary/2": Fetched(content_type="text/plain", body=b"Raw."),
        }
    )
    document = await read(note({"url": "Binary/1"}, {"url": "Binary/2"}, {"url": "Binary/3"}), source)
    assert document.text == "From a Binary.\n\nRaw."
    assert document.unread == "an attachment could not be fetched (SourceError)"


@pytest.mark.parametrize(
    "attachment",
    [
        {"data": "!!!"},
        {"data": 7},
        {},
        {"url": 3},
        {"contentType": 5, "data": "%%"},
        {"contentType": "a/b; charset==;;\n"},
    ],
)
async def test_broken_attachments_say_what_is_wrong(attachment: dict[str, Any]) -> None:
    document = await read(note(attachment))
    assert document.text == ""
    assert document.unread


async def test_reports_and_compositions() -> None:
    report = {
        "resourceType": "DiagnosticReport", "id": "r", "status": "final", "code": {"text": "CT"},
        "conclusion": "No embolism.",
        "presentedForm": [{"contentType": "text/plain", "data": packed("CT chest\nNo embolism. Small effusion.")}],
    }  # fmt: skip
    assert (await read(report)).text == "No embolism.\n\nCT chest\nNo embolism. Small effusion."
    div = "<div xmlns='http://www.w3.org/1999/xhtml'>{}</div>"
    composition = {
        "resourceType": "Composition", "id": "c", "status": "final", "type": {"text": "Summary"},
        "section": [
            {"title": "Family history", "text": {"div": div.format("<p>Breast cancer.</p>")}},
            {"title": "Plan", "section": [{"title": "Drugs", "text": {"div": div.format("Keep metformin.")}}]},
        ],
    }  # fmt: skip
    document = await read(composition)
    assert document.text == "Family history:\nBreast cancer.\n\nDrugs:\nKeep metformin."
    assert [f.assertion for f in find([document], ["breast cancer"])] == ["family"]
    empty = await read({"resourceType": "Composition", "id": "c", "section": "none"})
    assert empty.unread == "it holds no text"


@pytest.mark.parametrize(
    ("text", "term", "assertion"),
    [
        ("No chest pain, no syncope, no fever.", "fever", "negated"),
        ("Denies chest pain but has nausea.", "chest pain", "negated"),
        ("Denies chest pain but has nausea.", "nausea", "affirmed"),
        ("PE was ruled out.", "PE", "negated"),
        ("Rule out PE.", "PE", "uncertain"),
        ("r/o sepsis", "sepsis", "uncertain"),
        ("PE cannot be ruled out.", "PE", "uncertain"),
        ("Pneumonia is unlikely.", "pneumonia", "negated"),
        ("No change in warfarin dose.", "warfarin", "affirmed"),
        ("No increase in effusion.", "effusion", "affirmed"),
        ("Not only diabetes but also hypertension.", "diabetes", "affirmed"),
        ("Gram negative sepsis.", "sepsis", "affirmed"),
        ("Mother had breast cancer.", "breast cancer", "family"),
        ("Diabetes in her mother and aunt.", "diabetes", "family"),
        ("Family history of CAD.", "CAD", "family"),
        ("FHx: diabetes", "diabetes", "family"),
        ("His father died of MI; he has angina.", "angina", "affirmed"),
        ("Mother reports fever since Monday.", "fever", "affirmed"),
        ("Lives with mother, has asthma.", "asthma", "affirmed"),
        ("History of stroke.", "stroke", "historical"),
        ("s/p appendectomy 2010", "appendectomy", "historical"),
        ("Previous MI in 2010", "MI", "historical"),
        ("No history of stroke or bleeding.", "bleeding", "negated"),
        ("History of present illness: cough for a week.", "cough", "affirmed"),
        ("Prior to admission took aspirin.", "aspirin", "affirmed"),
        ("Consolidation, ?pneumonia", "pneumonia", "uncertain"),
        ("Pneumonia vs atelectasis", "atelectasis", "uncertain"),
        ("Pneumonia vs atelectasis", "pneumonia", "uncertain"),
        ("No effusion, possible pneumonia.", "pneumonia", "uncertain"),
        ("No effusion, possible pneumonia.", "effusion", "negated"),
        ("Return if fever occurs.", "fever", "uncertain"),
        ("Concern for sepsis", "sepsis", "uncertain"),
        ("HIV: negative", "HIV", "negated"),
        ("Warfarin was not started.", "warfarin", "negated"),
        ("She doesn't have diabetes.", "diabetes", "negated"),
        ("Blood pressure is not at goal.", "blood pressure", "affirmed"),
        ("The diabetes is not controlled.", "diabetes", "affirmed"),
        ("Troponin normal, not elevated.", "troponin", "affirmed"),
        ("Hypertension without heart failure.", "hypertension", "affirmed"),
        ("Hypertension without heart failure.", "heart failure", "negated"),
        ("Denies smoking. Uses insulin.", "insulin", "affirmed"),
        ("Family History:\nDiabetes, hypertension", "hypertension", "family"),
        ("Past medical history:\n- Asthma", "asthma", "historical"),
        ("Plan: continue metformin; no hypoglycemia", "metformin", "affirmed"),
    ],
)
def test_assertion(text: str, term: str, assertion: str) -> None:
    assert asserted(text, term) == [assertion]


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("Chest X-ray clear", "xray"), ("Chest xray clear", "x-ray"), ("CHEST X RAY", "chest x-ray"),
        ("Two biopsies", "biopsy"), ("One biopsy", "biopsies"), ("Diagnoses listed", "diagnosis"),
        ("Crohn disease", "Crohn's disease"), ("Crohn's disease", "Crohn's disease"), ("β-blockers", "β blocker"),
        ("heart\nfailure", "heart failure"), ("two masses", "mass"),
    ],
)  # fmt: skip
def test_a_term_is_found_whatever_its_number_case_hyphens_and_spaces(text: str, term: str) -> None:
    assert len(mentions(text, term)) == 1


@pytest.mark.parametrize(
    ("text", "term"), [("Peanuts", "PE"), ("nonsense", "sense"), ("HbA1c", "A1"), ("IVF", "IV"), ("x", " ")]
)
def test_a_part_of_a_word_is_no_mention(text: str, term: str) -> None:
    assert mentions(text, term) == ()


def test_a_wrapped_line_is_one_sentence_and_a_list_is_not() -> None:
    text = (
        "Palpitations since the morning. No chest pain, no syncope, no fever, no\n"
        "history of stroke. Dr. Smith saw him at 3.5 hours.\n- aspirin\n- no warfarin\n- insulin"
    )
    told = [text[a:b] for a, b in sentences(text)]
    assert told == [
        "Palpitations since the morning.", "No chest pain, no syncope, no fever, no\nhistory of stroke.",
        "Dr. Smith saw him at 3.5 hours.", "- aspirin", "- no warfarin", "- insulin",
    ]  # fmt: skip
    assert asserted(text, "stroke") == ["negated"]
    assert asserted(text, "insulin") == ["affirmed"]
    assert mentions(text, "stroke")[0].sentence == "No chest pain, no syncope, no fever, no history of stroke."


def test_sections() -> None:
    text = "Seen today.\nS: Cough.\nO: BP 117/74\nGlucose: 126\nIMPRESSION: Fine\nDischarge medications:\nAspirin"
    parts = sections(text)
    assert [title for title, _, _ in parts] == ["S", "O", "IMPRESSION", "Discharge medications"]
    assert text[parts[1][1] : parts[1][2]] == "O: BP 117/74\nGlucose: 126\n"
    assert sections("") == ()


def test_a_long_sentence_is_quoted_in_part_with_what_decides_its_assertion() -> None:
    text = "There is no evidence of " + ", ".join(["abscess"] * 20) + " or tamponade " + "and so on " * 50
    [found] = mentions(text, "tamponade")
    assert found.assertion == "negated"
    assert len(found.span.quote) <= 300
    assert "no evidence" in found.span.quote
    assert "tamponade" in found.span.quote


def test_several_mentions_in_a_sentence_are_given_once_for_each_assertion() -> None:
    assert asserted("No PE today; history of PE, PE in 2010.", "PE") == ["negated", "historical"]


_WORDS = st.sampled_from(
    [
        "no",
        "denies",
        "fever",
        "Fever.",
        "mother",
        "history of",
        "\n",
        "\n\n",
        ";",
        "but",
        "S:",
        "?",
        "was ruled out",
        "x" * 60,
        "ﬁ",
        "İ",
        "- ",
    ]
)
_TEXTS = st.one_of(st.text(max_size=400), st.lists(_WORDS, max_size=60).map(" ".join))


@given(_TEXTS, st.one_of(st.just("fever"), st.text(min_size=1, max_size=12)))
def test_offsets_are_exact_and_nothing_crashes(text: str, term: str) -> None:
    for found in mentions(text, term, "fever"):
        assert text[found.span.start : found.span.end] == found.span.quote
        assert 0 < len(found.span.quote) <= 300
        assert found.sentence == " ".join(found.sentence.split())


@given(_TEXTS)
def test_sentences_and_sections_cover_the_text_in_order(text: str) -> None:
    told, at = sentences(text), 0
    for start, end in told:
        assert at <= start < end
        assert not text[at:start].strip()
        at = end
    assert not text[at:].strip()
    parts = sections(text)
    assert all(a[2] == b[1] for a, b in itertools.pairwise(parts))
    assert not parts or parts[-1][2] == len(text)


@given(
    st.binary(max_size=300), st.one_of(st.text(max_size=30), st.sampled_from(["text/html", "text/plain; charset=x"]))
)
async def test_no_bytes_make_reading_raise(body: bytes, kind: str) -> None:
    document = await read(note({"contentType": kind, "data": packed(body)}))
    assert document.text.strip() or document.unread


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda c: (
            st.lists(c, max_size=3)
            | st.dictionaries(
                st.sampled_from(["attachment", "data", "url", "section", "text", "div", "title"]), c, max_size=3
            )
        ),
        max_leaves=8,
    )
)
async def test_no_shape_makes_reading_raise(shape: Any) -> None:
    for name in ("content", "presentedForm", "section", "conclusion", "text"):
        for kind in ("DocumentReference", "DiagnosticReport", "Composition"):
            await read_document({"resourceType": kind, "id": "n", name: shape}, FACT, Binaries())  # type: ignore[arg-type]


_ENDLESS = {
    "no full stop": "pain ",
    "no full stop, denied": "no pain, possible ",
    "headings": "PLAN: pain\n",
    "abbreviations": "e.g. x ",
    "dots": ".",
    "names": "metformin 500 mg, mother had diabetes, ",
}


@pytest.mark.parametrize("piece", _ENDLESS.values(), ids=_ENDLESS)
def test_text_made_to_take_long_takes_as_long_as_it_is(piece: str) -> None:
    """A note of 10 kB of one kind took minutes: each mention was judged by all of its sentence, or all sections."""
    document = Document(fact=FACT, text=piece * (10_000 // len(piece)))
    began = time.process_time()
    found = find([document], ("pain",))
    statements(document)
    assert time.process_time() - began < 5
    assert all(len(f.sentence) <= 4100 for f in found) and bool(found) == ("pain" in piece)


def test_text_without_full_stops_is_cut_between_words() -> None:
    text = "word " * 1000
    cut = sentences(text)
    assert [text[a:b].count("word") for a, b in cut] == [800, 200]
    assert all(text[a:b].startswith("word") and text[a:b].endswith("word") for a, b in cut)
    assert sentences("x" * 9000) == ((0, 4000), (4000, 8000), (8000, 9000))
