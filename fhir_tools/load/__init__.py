"""Loading FHIR R4 files into the embedded store."""

from fhir_tools.load.loader import Progress, load
from fhir_tools.load.report import FileReport, LoadReport, Warned

__all__ = ["FileReport", "LoadReport", "Progress", "Warned", "load"]
