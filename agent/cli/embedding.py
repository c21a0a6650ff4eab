"""`chartline images similar`, `label` and `calibrate`: what MedSigLIP makes of a chart's images."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agent import auditing, settings
from agent.cli.output import console, emit, plain_table, safe_json, tell_note
from agent.cli.reporting import named
from agent.cli.scoped import chart_of
from agent.errors import EXIT_OK, EXIT_OPERATOR, UserError
from agent.images import open_access
from agent.patients import choose, listed
from agent.settings import Settings
from agent.sources import open_source
from agent.vision.keeping import Updated, held, named_image, similar, update
from agent.vision.medsiglip import MedSigLIP
from fhir_tools.imaging import find
from fhir_tools.source import Source
from fhir_tools.types import Reference

if TYPE_CHECKING:
    from agent.vision.index import Index
    from agent.vision.labels import Label
    from fhir_tools.audit import Record

__all__ = ["calibrate", "label_image", "similar_images"]


def similar_images(
    image: str, patient: str | None, others: Sequence[str], everyone: bool, count: int, fhir: Sequence[str], *,
    as_json: bool,
) -> int:  # fmt: skip
    """Print the images most like one of the patient's; the exit code is 3 where some image could not be read."""
    return asyncio.run(_similar(image, patient, others, everyone, count, fhir, as_json))


async def _similar(
    image: str, patient: str | None, others: Sequence[str], everyone: bool, count: int, fhir: Sequence[str],
    as_json: bool,
) -> int:  # fmt: skip
    reference = named(image)
    async with _opened(fhir) as work:
        own = await choose(work.source, patient)
        cohort = [await choose(work.source, other) for other in others]
        cohort += await work.everyone() if everyone else []
        done = [await work.bring(who) for who in dict.fromkeys((own, *cohort))]
        hits = similar(work.index, own, named_image(work.index, own, reference), count, cohort=cohort)
    if as_json:
        print(safe_json([asdict(hit) for hit in hits]))
    elif hits:
        rows = [(f"{h.score:.3f}", h.patient, h.image, h.taken, h.caption) for h in hits]
        emit(console(), plain_table(("alike", "patient", "image", "taken", "picture"), rows, frozenset({0})))
    return _ended(done, f"{len(hits)} of {work.held} pictures; 1 is the same picture")


def label_image(image: str, patient: str | None, labels: Sequence[str], fhir: Sequence[str], *, as_json: bool) -> int:
    """Print how well each label fits the image; the exit code is 3 where some image could not be read."""
    return asyncio.run(_label(image, patient, labels, fhir, as_json))


async def _label(image: str, patient: str | None, labels: Sequence[str], fhir: Sequence[str], as_json: bool) -> int:
    reference = named(image)
    async with _opened(fhir) as work:
        from agent.vision.calibration import read_calibration
        from agent.vision.labels import labelled

        card = await work.encoder.describe()
        curves = read_calibration(work.known.image_labels, card) if work.known.image_labels else None
        own = await choose(work.source, patient)
        done = await work.bring(own)
        vectors = held(work.index, own, named_image(work.index, own, reference))
        rows = await labelled(work.encoder, vectors, labels, curves)
    if as_json:
        print(safe_json([asdict(row) for row in rows]))
    else:
        emit(console(), plain_table(("label", "fit", "probability"), [_told(r) for r in rows], frozenset({1, 2})))
    open_ = any(row.probability is None for row in rows)
    note = "fit is the encoder's own sigmoid and no probability of a finding"
    more = "; CHARTLINE_IMAGE_LABELS names a calibration (chartline images calibrate)" if open_ else ""
    return _ended([done], f"{note}{more}")


def _told(row: Label) -> tuple[str, str, str]:
    return row.label, f"{row.fit:.2g}", "not calibrated" if row.probability is None else f"{row.probability:.2f}"


def calibrate(file: Path, out: Path, fhir: Sequence[str]) -> int:
    """Fit a calibration to labelled images of the charts and write it to `out`."""
    return asyncio.run(_calibrate(file, out, fhir))


async def _calibrate(file: Path, out: Path, fhir: Sequence[str]) -> int:
    cases = _cases(file)
    async with _opened(fhir) as work:
        from agent.vision.calibration import fit, write_calibration
        from agent.vision.labels import logits

        people = {case.patient: await choose(work.source, case.patient) for case in cases}
        done = [await work.bring(who) for who in dict.fromkeys(people.values())]
        found: dict[str, list[tuple[float, bool]]] = {}
        for case in cases:
            who = people[case.patient]
            vectors = held(work.index, who, named_image(work.index, who, case.image))
            values = await logits(work.encoder, vectors, [case.label])
            found.setdefault(case.label, []).append((max(values[case.label]), case.present))
        curves = {label: fit([x for x, _ in rows], [y for _, y in rows]) for label, rows in found.items()}
        write_calibration(out, await work.encoder.describe(), curves)
    rows = [
        (label, str(c.present), str(c.absent), f"{c.slope:.2f}", f"{c.offset:.2f}", f"{c.before:.3f}", f"{c.after:.3f}")
        for label, c in curves.items()
    ]
    headers = ("label", "with", "without", "slope", "offset", "Brier before", "after")
    emit(console(), plain_table(headers, rows, frozenset(range(1, 7))))
    return _ended(done, f"written to {out}; the scores are of the images that it was fitted on")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    patient: str
    image: Reference
    label: str
    present: bool


_TRUTHS = {"1": True, "yes": True, "true": True, "0": False, "no": False, "false": False}


def _cases(file: Path) -> tuple[_Case, ...]:
    """The rows of a CSV file with the columns patient, image, label, present (1 or 0). Raises UserError."""
    try:
        rows = list(csv.DictReader(file.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"cannot read {str(file)!r}: {getattr(error, 'strerror', 'it is no CSV')}") from error
    if not rows:
        raise UserError(f"{str(file)!r} holds no rows; its columns are patient,image,label,present")
    return tuple(_case(row, number) for number, row in enumerate(rows, 2))


def _case(row: Mapping[str, str | None], number: int) -> _Case:
    cells = {name: " ".join((row.get(name) or "").split()) for name in ("patient", "image", "label", "present")}
    truth = _TRUTHS.get(cells["present"].lower())
    if truth is None or not all(cells.values()):
        raise UserError(f"line {number} of the file is not patient,image,label,present with present as 1 or 0")
    return _Case(patient=cells["patient"], image=named(cells["image"]), label=cells["label"], present=truth)


# Charts into the index.


class _Work:
    """An open source, an encoder and the index, for one command. `held` is how many pictures the index has."""

    def __init__(
        self, source: Source, known: Settings, record: Record | None, encoder: MedSigLIP, index: Index,
        fhir: Sequence[str],
    ) -> None:  # fmt: skip
        self.source, self.known, self.encoder, self.index = source, known, encoder, index
        self._record, self._fhir = record, fhir
        self.held = 0

    async def bring(self, patient: Reference) -> Updated:
        """Bring the index up to a patient's images."""
        scoped = await chart_of(self.source, self.known, self._record, patient)
        found = await find(scoped)
        async with open_access(scoped, self.known, self._fhir) as access:
            done = await update(self.index, self.encoder, found, access, patient, slices=self.known.vision_slices)
        self.held = len(self.index)
        return done

    async def everyone(self) -> list[Reference]:
        """Every patient of the source. Raises UserError where a server does not list them all."""
        people, whole = await listed(self.source)
        if not whole:
            raise UserError("the server has more patients than it lists: name those to compare with by --with")
        return [Reference(type="Patient", id=person.id) for person in people]


@asynccontextmanager
async def _opened(fhir: Sequence[str]) -> AsyncIterator[_Work]:
    known = settings.read()
    encoder = MedSigLIP(
        known.image_encoder,
        revision=known.image_encoder_revision,
        device=known.model_device,
        token=known.model_token.get_secret_value() if known.model_token else None,
        offline=known.model_offline,
    )
    async with open_source(fhir, known) as source, auditing.open_record(known) as record, encoder:
        card = await encoder.describe()
        from agent.vision.index import Index

        with Index(known.image_index, card) as index:
            yield _Work(source, known, record, encoder, index, fhir)


def _ended(done: Sequence[Updated], note: str) -> int:
    """Tell what the updates did; the exit code."""
    counts = {name: sum(getattr(d, name) for d in done) for name in ("added", "changed", "removed", "kept")}
    tell_note(f"{note} (images: {', '.join(f'{number} {name}' for name, number in counts.items() if number)})")
    unread = [line for d in done for line in d.unread]
    for line in unread:
        tell_note(f"! not read: {line}")
    if not all(d.whole for d in done):
        tell_note("! not all images could be searched for, so none was taken out of the index")
    return EXIT_OPERATOR if unread or not all(d.whole for d in done) else EXIT_OK
