"""What chartline writes in FHIR: elements that its resources share. Who writes to a server is in `writer`."""
