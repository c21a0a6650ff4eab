"""Names, ports and certificates, each failing in its own words."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from fhir_tools.remote.findings import Finding
from fhir_tools.remote.reach import reach

pytestmark = pytest.mark.loopback


async def told(base: str, ca: str | None = None) -> list[Finding]:
    return [finding async for finding in reach(base, ca)]


@asynccontextmanager
async def listening(trust: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0, ssl=trust)
    async with server:
        yield server.sockets[0].getsockname()[1]


def certificate(folder: Path, days: int) -> tuple[Path, ssl.SSLContext]:
    """A certificate of this machine that it signed itself, and a server's side of it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(now - datetime.timedelta(days=40))
    made = made.not_valid_after(now + datetime.timedelta(days=days)).add_extension(address, critical=False)
    pem, key_pem = folder / "cert.pem", folder / "key.pem"
    pem.write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    key_pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, key_pem)
    return pem, context


async def test_a_port_that_listens() -> None:
    async with listening() as port:
        found = await told(f"http://127.0.0.1:{port}/r4")
    assert [f.level for f in found] == ["good", "good", "note"] and "http" in found[2].text and not found[2].remedy


async def test_a_port_that_does_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    found = await told(f"http://127.0.0.1:{port}")
    assert found[1].level == "bad" and "takes no connection" in found[1].text and found[1].remedy


async def test_a_name_that_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    found = await told("https://fhir.example")
    assert [f.level for f in found] == ["bad"] and "'fhir.example' is not known" in found[0].text and found[0].remedy


async def test_a_certificate_that_is_trusted_and_one_that_is_not(tmp_path: Path) -> None:
    pem, context = certificate(tmp_path, days=90)
    async with listening(context) as port:
        refused = await told(f"https://127.0.0.1:{port}")
        taken = await told(f"https://127.0.0.1:{port}", str(pem))
    assert refused[1].level == "bad" and "not trusted" in refused[1].text and "CHARTLINE_FHIR_CA" in refused[1].remedy
    ends = datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=90)
    assert taken[1].level == "good" and f"good until {ends}" in taken[1].text and "TLSv1.3" in taken[1].text


@pytest.mark.parametrize(("days", "level"), [(5, "note"), (-1, "bad")])
async def test_a_certificate_near_its_end_or_past_it(tmp_path: Path, days: int, level: str) -> None:
    pem, context = certificate(tmp_path, days=days)
    async with listening(context) as port:
        found = await told(f"https://127.0.0.1:{port}", str(pem))
    assert found[1].level == level and "renewed" in found[1].remedy


async def test_a_port_that_does_not_speak_tls() -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(plain, "127.0.0.1", 0)
    async with server:
        found = await told(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    assert found[1].level == "bad" and found[1].remedy
