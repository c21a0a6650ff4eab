"""The embedded FHIR store over SQLite."""

from fhir_tools.local.history import Version
from fhir_tools.local.store import Change, LocalStore, PatientRow

__all__ = ["Change", "LocalStore", "PatientRow", "Version"]
