"""CDS Hooks 2.0.1: cards for an EHR, from rules over what it sends and from answers that were computed ahead."""
