"""FHIR searches without a server: built and checked from the tables of R4, and what they mean on one resource."""
