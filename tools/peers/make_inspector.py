"""Install the MCP inspector (npm) and a Node that runs it: `python -m tools.peers.make_inspector [FOLDER]`."""

from __future__ import annotations

import sys
from pathlib import Path

from tools.peers.npm import bring
from tools.peers.pinned import ROOT, making

__all__ = ["FOLDER", "main", "make"]

FOLDER = ROOT / ".venv" / "peers" / "inspector"
PACKAGES = ("@modelcontextprotocol/inspector@2.12.0", "node@22.23.3")


def make(folder: Path = FOLDER) -> tuple[Path, Path]:
    """(node, the inspector's script), installed where they are missing. Raises PeerMissing."""
    modules = folder / "node_modules"
    node, script = modules / "node" / "bin" / "node", modules / ".bin" / "mcp-inspector"
    bring(folder, PACKAGES, node, "the MCP inspector")
    return node, script.resolve()


def main(arguments: list[str]) -> int:
    """Returns the exit code."""
    return making(lambda: make(Path(arguments[0]) if arguments else FOLDER))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
