"""Authentication at a FHIR server as `httpx.Auth`: bearer, basic, SMART Backend Services and App Launch tokens."""

from fhir_tools.auth.base import FhirAuth
from fhir_tools.auth.credentials import Credentials, load, make, open_auth, servers
from fhir_tools.auth.scopes import Scope, Scopes
from fhir_tools.auth.smart import Backend, Client, Launched
from fhir_tools.auth.static import Basic, Bearer

__all__ = [
    "Backend",
    "Basic",
    "Bearer",
    "Client",
    "Credentials",
    "FhirAuth",
    "Launched",
    "Scope",
    "Scopes",
    "load",
    "make",
    "open_auth",
    "servers",
]
