"""PostgreSQL (Debian: postgresql) with a cluster of its own on a free port, and databases in it."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tools.peers.pinned import PeerMissing
from tools.peers.running import free_port

__all__ = ["INSTALL", "Postgres", "postgres"]

INSTALL = "apt-get install -y --no-install-recommends postgresql"
_DEBIAN = Path("/usr/lib/postgresql")
_USER = "nobody"
"""Who runs it where we are root, whom PostgreSQL refuses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Postgres:
    """A running PostgreSQL of this machine's loopback, and the address of its first database."""

    address: str
    control: Callable[..., None]
    """Calls pg_ctl with these arguments, and waits until it is done."""

    def stop(self, how: Literal["fast", "immediate"]) -> None:
        """End it: `fast` tells those who are connected, `immediate` is as a crash."""
        self.control("-m", how, "stop")

    def start(self) -> None:
        """Begin anew at the same address, with what it had."""
        self.control("start")

    def database(self) -> str:
        """The address of a new, empty database."""
        import psycopg

        name = f"test_{secrets.token_hex(6)}"
        with psycopg.connect(f"{self.address}/postgres", autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
        return f"{self.address}/{name}"


@contextmanager
def postgres(*, durable: bool = False) -> Iterator[Postgres]:
    """An empty PostgreSQL while the block lasts. One that is not `durable` does not wait for the disk.

    Raises PeerMissing where it is not installed, RuntimeError where it does not start.
    """
    programs, password, port = _programs(), secrets.token_urlsafe(), free_port()
    with tempfile.TemporaryDirectory(prefix="postgres-") as scratch:
        data, secret = Path(scratch, "data"), Path(scratch, "password")
        secret.write_text(password)
        if os.geteuid() == 0:
            shutil.chown(scratch, _USER)
            shutil.chown(secret, _USER)
        _run(programs / "initdb", ["-D", data, "-U", "chartline", "-A", "scram-sha-256", f"--pwfile={secret}", "-N"])
        options = [f"-p {port}", "-c listen_addresses=127.0.0.1", f"-k {scratch}", "-c max_connections=200"]
        options += [] if durable else ["-c fsync=off", "-c full_page_writes=off"]

        def control(*arguments: str) -> None:
            _run(programs / "pg_ctl", ["-D", data, "-w", "-l", scratch + "/log", "-o", " ".join(options), *arguments])

        server = Postgres(address=f"postgresql://chartline:{password}@127.0.0.1:{port}", control=control)
        server.start()
        try:
            yield server
        finally:
            if Path(data, "postmaster.pid").exists():
                server.stop("immediate")


def _programs() -> Path:
    found = sorted(_DEBIAN.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    other = shutil.which("initdb")
    if found:
        return found[-1].parent
    if other:
        return Path(other).parent
    raise PeerMissing(f"PostgreSQL is not installed: {INSTALL}")


def _run(program: Path, arguments: Sequence[object]) -> None:
    command = [str(program), *map(str, arguments)]
    if os.geteuid() == 0:
        command = ["setpriv", f"--reuid={_USER}", "--regid=nogroup", "--clear-groups", *command]
    # Not a pipe: the server would inherit it, and its end would be waited for.
    with tempfile.TemporaryFile("w+") as said:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, cwd="/", check=False)
        if done.returncode:
            said.seek(0)
            raise RuntimeError(f"{program.name} failed: {said.read()[-2000:]}")
