"""Orthanc with its DICOMweb plugin (Debian: orthanc, orthanc-dicomweb, orthanc-gdcm) on a free port, and loading it."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tools.peers.running import free_port, running

__all__ = ["INSTALL", "Orthanc", "is_installed", "orthanc", "stow", "upload"]

INSTALL = "apt-get install -y --no-install-recommends orthanc orthanc-dicomweb orthanc-gdcm"
_PLUGINS = Path("/usr/share/orthanc/plugins")


@dataclass(frozen=True, slots=True, kw_only=True)
class Orthanc:
    """A running Orthanc: its REST API at `base`, its DICOMweb services at `dicomweb`."""

    base: str
    user: tuple[str, str] | None = None

    @property
    def dicomweb(self) -> str:
        return f"{self.base}/dicom-web"


def is_installed() -> bool:
    """Whether Orthanc and its DICOMweb plugin are on this machine."""
    return bool(shutil.which("Orthanc")) and any(_PLUGINS.glob("*OrthancDicomWeb*"))


@contextmanager
def orthanc(user: tuple[str, str] | None = None) -> Iterator[Orthanc]:
    """An empty Orthanc, open to all or to one user. Raises RuntimeError where it does not start."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="orthanc-") as scratch:
        settings = Path(scratch) / "orthanc.json"
        settings.write_text(json.dumps(_settings(scratch, port, user)))
        base = f"http://127.0.0.1:{port}"
        with running(["Orthanc", str(settings)], f"{base}/system", folder=Path(scratch)):
            yield Orthanc(base=base, user=user)


def _settings(scratch: str, port: int, user: tuple[str, str] | None) -> dict[str, object]:
    return {
        "StorageDirectory": f"{scratch}/db",
        "IndexDirectory": f"{scratch}/db",
        "HttpPort": port,
        "DicomServerEnabled": False,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": user is not None,
        "RegisteredUsers": {user[0]: user[1]} if user else {},
        "Plugins": [str(path) for path in _PLUGINS.iterdir() if "DicomWeb" in path.name or "Gdcm" in path.name],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }


def upload(peer: Orthanc, files: Iterable[bytes]) -> int:
    """Load DICOM files by the REST API; returns how many. Raises httpx.HTTPStatusError for one that is refused."""
    count = 0
    with httpx.Client(timeout=60, trust_env=False, auth=peer.user) as client:
        for body in files:
            client.post(f"{peer.base}/instances", content=body).raise_for_status()
            count += 1
    return count


def stow(peer: Orthanc, files: Iterable[bytes]) -> None:
    """Store DICOM files by STOW-RS (PS3.18 10.5)."""
    parts = b"".join(b"--part\r\nContent-Type: application/dicom\r\n\r\n" + body + b"\r\n" for body in files)
    headers = {
        "content-type": 'multipart/related; type="application/dicom"; boundary=part',
        "accept": "application/dicom+json",
    }
    url = f"{peer.dicomweb}/studies"
    httpx.post(
        url, content=parts + b"--part--\r\n", headers=headers, timeout=60, trust_env=False, auth=peer.user
    ).raise_for_status()
