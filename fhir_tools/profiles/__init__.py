"""Server profiles: what Epic, Oracle Health, HAPI, Medplum, Google, Azure and AWS require or lack."""

from fhir_tools.profiles.loader import choose, names, profile, read_profile
from fhir_tools.profiles.profile import DEFAULT_COUNT, Profile, Rule

__all__ = ["DEFAULT_COUNT", "Profile", "Rule", "choose", "names", "profile", "read_profile"]
