"""Stage open: the one patient's scoped source and the catalogue of the chart. No model."""

from __future__ import annotations

from datetime import date

from agent.chart import Chart
from fhir_tools.catalogue import read_catalogue
from fhir_tools.codes import Matcher
from fhir_tools.errors import NotFound, UserError
from fhir_tools.scope import Scoped
from fhir_tools.source import Source
from fhir_tools.types import Reference

__all__ = ["open_chart"]


async def open_chart(source: Source, patient: Reference, as_of: date) -> Chart:
    """Scope the source to the patient and read the catalogue. Raises UserError for a patient it does not have."""
    scoped = Scoped(source, patient)
    try:
        person = await scoped.read(patient)
    except NotFound:
        raise UserError(f"no patient {patient.id!r} here: `chartline patients` lists those that are loaded") from None
    catalogue = await read_catalogue(scoped, patient, as_of)
    return Chart(
        source=scoped, patient=patient, as_of=as_of, catalogue=catalogue, matcher=Matcher(catalogue), person=person
    )
