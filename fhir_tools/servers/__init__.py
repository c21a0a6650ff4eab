"""Several FHIR servers as one source, with references that say which of them they are of."""

from fhir_tools.servers.servers import Servers

__all__ = ["Servers"]
