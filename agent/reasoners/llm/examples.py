"""One worked example of the same kind of question: prompt files by the family of the operation asked for."""

from __future__ import annotations

import prompts
from agent.types import Ask

__all__ = ["example_for"]

_FAMILIES = {
    "value": "latest previous first highest lowest on closest when started ended dose reason status attribute",
    "computed": "count count_by_year mean change trend compare age age_at duration interval range order",
    "list": "list planned describe abnormal",
    "yes": "exists taking",
    "find": "find",
}
_BY_OP = {op: family for family, ops in _FAMILIES.items() for op in ops.split()}


def example_for(ask: Ask, *, lost: bool) -> str:
    """The example's text. `lost`: nothing was found that could answer, so it shows how to look something up."""
    family = "needs" if lost else "yes" if ask.expects == "bool" else _BY_OP[ask.op]
    return prompts.load(f"example_{family}").user
