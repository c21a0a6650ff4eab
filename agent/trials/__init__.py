"""From a protocol to a worklist, criterion by criterion with evidence: statements, checks, verdicts, who matches."""
