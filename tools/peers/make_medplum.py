"""Install Medplum's FHIR router (npm) and a Node that runs it: `python -m tools.peers.make_medplum [FOLDER]`.

Needs npm. The router wants Node 22.18, which not every distribution has; the npm package `node` carries the binary.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from tools.peers.npm import bring
from tools.peers.pinned import ROOT, making

__all__ = ["FOLDER", "main", "make"]

FOLDER = ROOT / ".venv" / "peers" / "medplum"
SERVER = Path(__file__).with_name("medplum_server.mjs")
PACKAGES = (
    *(f"@medplum/{name}@5.2.13" for name in ("core", "definitions", "fhir-router", "fhirtypes")),
    "dataloader@2.2.3",
    "graphql@17.0.2",
    "node@22.23.3",
)


def make(folder: Path = FOLDER) -> tuple[Path, Path]:
    """(node, server script), installed where they are missing or of other versions. Raises PeerMissing."""
    node = folder / "node_modules" / "node" / "bin" / "node"
    bring(folder, PACKAGES, node, "Medplum's router")
    # Node looks for packages beside the script, so it has to lie there.
    shutil.copyfile(SERVER, folder / SERVER.name)
    return node, folder / SERVER.name


def main(arguments: list[str]) -> int:
    """Returns the exit code."""
    return making(lambda: make(Path(arguments[0]) if arguments else FOLDER))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
