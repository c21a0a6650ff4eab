"""The service: chart questions from an EHR, other programs, agents and a person at a screen, over HTTP."""
