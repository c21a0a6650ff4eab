"""FHIR servers that are not ours, for tests and benchmarks: making, starting and loading them."""
