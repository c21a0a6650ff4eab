"""What clients rely on, checked against any FHIR R4 server: `python -m tools.fhir_conformance URL`. It only reads."""
