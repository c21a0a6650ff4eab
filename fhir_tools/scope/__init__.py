"""One patient, read-only: the wrapper round a source, and which records are that patient's (decision 0009)."""

from fhir_tools.scope.scoped import COMPARTMENT, Scoped

__all__ = ["COMPARTMENT", "Scoped"]
