"""The public names of the packages: a change of them is a change for users, and is made on purpose.

After such a change: `python -m tests.test_public_names` writes the list anew (and the changelog tells it).
"""

from __future__ import annotations

import ast
import json
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FROZEN = Path(__file__).with_name("public_names.json")


def public_names() -> dict[str, list[str]]:
    """Module → its `__all__`, read from the source without importing it."""
    found = {}
    for package in ("agent", "fhir_tools", "prompts"):
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.parse(path.read_text("utf-8")).body:
                if isinstance(node, ast.Assign) and any(getattr(t, "id", "") == "__all__" for t in node.targets):
                    found[str(path.relative_to(ROOT))] = sorted(ast.literal_eval(node.value))
    return found


def test_public_names_change_only_on_purpose() -> None:
    assert public_names() == json.loads(FROZEN.read_text("utf-8"))


if __name__ == "__main__":
    FROZEN.write_text(json.dumps(public_names(), indent=1, sort_keys=True) + "\n", "utf-8")
