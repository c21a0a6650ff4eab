"""A server that misbehaves on purpose: faults by seed, in front of any ASGI app or FHIR server, without waiting."""
