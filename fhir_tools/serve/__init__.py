"""The embedded store as a FHIR R4 REST server (ASGI)."""

from fhir_tools.serve.app import create_app

__all__ = ["create_app"]
