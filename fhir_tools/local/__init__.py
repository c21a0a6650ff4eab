"""The embedded FHIR store over SQLite."""

from fhir_tools.local.store import Change, LocalStore, PatientRow

__all__ = ["Change", "LocalStore", "PatientRow"]
