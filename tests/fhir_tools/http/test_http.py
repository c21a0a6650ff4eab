"""The HTTP client: origins, credentials, retries within a budget, bodies, and what it never tells."""

from __future__ import annotations

import asyncio
import gzip
import logging
import ssl
import time
import traceback
import zlib
from collections.abc import AsyncIterator, Callable, Generator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from fhir_tools.errors import ScopeError, SourceError, UserError
from fhir_tools.http import Http, Limits, Response, issue_codes

BASE = "https://fhir.test/r4"
QUICK = Limits(backoff=0.001, total=5.0)
Answers = Callable[[httpx.Request], httpx.Response]


class Bearer(httpx.Auth):
    """A token that may be renewed once, as an auth of ours does it."""

    def __init__(self, *tokens: str) -> None:
        self.tokens = list(tokens)

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["authorization"] = f"Bearer {self.tokens[0]}"
        response = yield request
        if response.status_code == 401 and len(self.tokens) > 1:
            self.tokens.pop(0)
            request.headers["authorization"] = f"Bearer {self.tokens[0]}"
            yield request


class Chunks(httpx.AsyncByteStream):
    """A body that comes in pieces, with a pause before each."""

    def __init__(self, *chunks: bytes, pause: float = 0.0, fault: Exception | None = None) -> None:
        self.chunks, self.pause, self.fault = chunks, pause, fault

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self.chunks:
            await asyncio.sleep(self.pause)
            yield chunk
        if self.fault:
            raise self.fault


class Script:
    """Answers in turn, the last one for ever; keeps the requests."""

    def __init__(self, *answers: httpx.Response | Exception | Answers) -> None:
        self.answers, self.requests = list(answers), list[httpx.Request]()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers[min(len(self.requests), len(self.answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, httpx.Response) else answer(request)

    def http(self, base: str = BASE, *, limits: Limits = QUICK, **more: Any) -> Http:
        return Http(base, transport=httpx.MockTransport(self), limits=limits, **more)


def ok(**more: Any) -> httpx.Response:
    return httpx.Response(200, json={"resourceType": "Patient"}, **more)


def moved(place: str, status: int = 302) -> httpx.Response:
    return httpx.Response(status, headers={"location": place})


async def get(script: Script, url: str = "Patient/1", *, method: str = "GET", **more: Any) -> Response:
    options = {name: more.pop(name) for name in ("headers", "body", "safe", "check") if name in more}
    async with script.http(**more) as http:
        return await http.send(method, url, **options)


# Addresses.


@pytest.mark.parametrize(
    ("url", "whole"),
    [
        ("Patient/1", "https://fhir.test/r4/Patient/1"),
        ("/other?x=1", "https://fhir.test/other?x=1"),
        ("", "https://fhir.test/r4/"),
        ("https://FHIR.test:443/r4/Patient/1", "https://fhir.test/r4/Patient/1"),
        ("Patient?name=%C3%96berg#top", "https://fhir.test/r4/Patient?name=%C3%96berg"),
    ],
)
async def test_urls_are_relative_to_the_base(url: str, whole: str) -> None:
    script = Script(ok())
    found = await get(script, url)
    assert (str(script.requests[0].url), found.url) == (whole, whole)


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.test/x", "//evil.test/x", "http://fhir.test/r4/Patient/1", "https://fhir.test:8443/x",
        "https://fhir.test@evil.test/", "https://user:pw@fhir.test/r4/x", "https://fhir.test.evil.test/",
        "https://fhir.test./x", "ftp://fhir.test/x", "file:///etc/passwd", "urn:uuid:1", "javascript:alert(1)",
        "https://fhir.test\\.evil.test/", "http://[::1", "\x00",
    ],
)  # fmt: skip
async def test_another_origin_is_refused_before_anything_is_sent(url: str) -> None:
    script = Script(ok())
    with pytest.raises(ScopeError) as caught:
        await get(script, url)
    assert not script.requests and "evil" not in str(caught.value) and "pw" not in str(caught.value)


@given(st.text(max_size=60))
async def test_no_text_leads_to_another_origin(text: str) -> None:
    async with Script(ok()).http() as http:
        for url in (text, f"//{text}", f"https://fhir.test{text}", f"https:{text}"):
            try:
                target = http._target(http._base, url)
            except ScopeError:
                continue
            assert (target.scheme, target.host, target.port, target.userinfo) == ("https", "fhir.test", None, b"")


async def test_hosts_are_compared_by_their_idna_form() -> None:
    script = Script(ok())
    await get(script, "https://xn--klnik-0sa.test/r4/x", base="https://Klínik.test/r4")
    assert script.requests[0].url.raw_host == b"xn--klnik-0sa.test"


@pytest.mark.parametrize(
    "base", ["fhir.test", "ftp://fhir.test", "https://", "https://u:secret@fhir.test", BASE + "?a=1"]
)
def test_a_base_that_cannot_be_used_is_refused(base: str) -> None:
    with pytest.raises(UserError) as caught:
        Http(base)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("base", "link", "whole"),
    [
        (BASE, "http://fhir.test/r4?page=2", "https://fhir.test/r4?page=2"),
        (BASE, "http://fhir.test:80/r4?page=2", "https://fhir.test/r4?page=2"),
        ("https://fhir.test:8443/r4", "http://fhir.test:8443/r4?page=2", "https://fhir.test:8443/r4?page=2"),
        ("https://fhir.test:8443/r4", "http://fhir.test/r4?page=2", "https://fhir.test:8443/r4?page=2"),
        (BASE, "http://fhir.test:8080/r4?page=2", None),
        ("http://fhir.test/r4", "https://fhir.test/r4?page=2", None),
        (BASE, "http://localhost:8080/r4?page=2", None),
        (BASE, "https://u@fhir.test/r4", None),
        (BASE, "http://[", None),
        (BASE, "Patient?page=2", "https://fhir.test/r4/Patient?page=2"),
    ],
)
async def test_links_of_a_server_behind_a_tls_proxy(base: str, link: str, whole: str | None) -> None:
    async with Script(ok()).http(base) as http:
        assert http.link(link) == whole


# Credentials.


async def test_credentials_go_to_the_base_alone() -> None:
    script = Script(ok())
    async with script.http(auth=Bearer("KEY"), origins=("https://files.test",)) as http:
        await http.send("GET", "Patient/1")
        await http.send("GET", "https://files.test/a.pdf", headers={"Authorization": "Bearer KEY", "accept": "*/*"})
    assert [r.headers.get("authorization") for r in script.requests] == ["Bearer KEY", None]


async def test_credentials_are_renewed_once() -> None:
    script = Script(lambda r: ok() if r.headers["authorization"] == "Bearer new" else httpx.Response(401))
    assert (await get(script, auth=Bearer("old", "new"))).status == 200
    assert len(script.requests) == 2
    script = Script(httpx.Response(401))
    assert (await get(script, auth=Bearer("old"))).status == 401
    assert len(script.requests) == 1


async def test_cookies_are_not_kept() -> None:
    script = Script(ok(headers={"set-cookie": "session=1; Path=/"}))
    async with script.http() as http:
        for _ in range(2):
            await http.send("GET", "Patient/1")
    assert "cookie" not in script.requests[1].headers


async def test_it_says_who_asks() -> None:
    script = Script(ok())
    await get(script)
    assert script.requests[0].headers["user-agent"].startswith("chartline/")


# Redirects.


async def test_a_redirect_on_the_same_origin_keeps_credentials() -> None:
    script = Script(moved("/r4/Patient/2"), ok())
    found = await get(script, auth=Bearer("KEY"))
    assert found.url.endswith("/Patient/2") and script.requests[1].headers["authorization"] == "Bearer KEY"


async def test_a_redirect_to_an_allowed_origin_goes_without_credentials() -> None:
    script = Script(moved("https://files.test/x"), ok())
    await get(script, auth=Bearer("KEY"), origins=["https://files.test"])
    assert "authorization" not in script.requests[1].headers


@pytest.mark.parametrize("place", ["https://evil.test/", "http://fhir.test/r4/Patient/1", "//evil.test", "ftp://x/"])
async def test_a_redirect_elsewhere_is_not_followed(place: str) -> None:
    script = Script(moved(place))
    with pytest.raises(ScopeError):
        await get(script)
    assert len(script.requests) == 1


async def test_a_circle_of_redirects_ends() -> None:
    script = Script(moved("/r4/Patient/1"))
    with pytest.raises(SourceError, match="redirects more than 5 times"):
        await get(script)
    assert len(script.requests) == 6


@pytest.mark.parametrize(
    ("status", "safe", "after"),
    [
        (303, None, ("GET", b"")),
        (307, True, ("POST", b"a=1")),
        (308, True, ("POST", b"a=1")),
        (302, True, None),
        (307, False, None),
    ],
)
async def test_a_redirected_post(status: int, safe: bool | None, after: tuple[str, bytes] | None) -> None:
    script = Script(moved("/r4/there", status), ok())
    if after is None:
        with pytest.raises(SourceError, match=f"redirects a POST by {status}"):
            await get(script, method="POST", body=b"a=1", safe=safe)
        assert len(script.requests) == 1
        return
    await get(script, method="POST", body=b"a=1", safe=safe)
    assert (script.requests[1].method, script.requests[1].content) == after


async def test_a_post_is_not_sent_on_to_another_origin() -> None:
    script = Script(moved("https://files.test/x", 307), ok())
    with pytest.raises(SourceError):
        await get(script, method="POST", body=b"patient=1", safe=True, origins=["https://files.test"])
    assert len(script.requests) == 1


# Retries.


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_a_fault_that_passes_is_retried(status: int) -> None:
    script = Script(httpx.Response(status), httpx.Response(status), ok())
    assert (await get(script)).status == 200 and len(script.requests) == 3


@pytest.mark.parametrize(
    "fault",
    [
        httpx.ConnectError("SECRET"), httpx.ConnectTimeout(""), httpx.ReadTimeout(""), httpx.ReadError("SECRET"),
        httpx.RemoteProtocolError("SECRET"), httpx.WriteError(""), httpx.PoolTimeout(""), httpx.ProxyError("SECRET"),
    ],
)  # fmt: skip
async def test_a_broken_connection_is_retried_and_then_told(fault: Exception) -> None:
    script = Script(fault, ok())
    assert (await get(script)).status == 200
    script = Script(fault)
    with pytest.raises(SourceError, match=r"^https://fhir\.test ") as caught:
        await get(script)
    assert len(script.requests) == QUICK.attempts and "SECRET" not in str(caught.value)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 422, 501])
async def test_other_statuses_come_back_at_once(status: int) -> None:
    script = Script(httpx.Response(status))
    assert (await get(script)).status == status and len(script.requests) == 1


@pytest.mark.parametrize(
    ("fault", "sent"),
    [(httpx.Response(503), 1), (httpx.ReadTimeout(""), 1), (httpx.ConnectError(""), 5), (httpx.ConnectTimeout(""), 5)],
)
async def test_what_is_not_safe_is_sent_again_only_if_it_never_left(fault: Any, sent: int) -> None:
    script = Script(fault)
    with pytest.raises(SourceError):
        await get(script, method="POST", body=b"x")
    assert len(script.requests) == sent


async def test_an_invalid_header_is_no_fault_of_the_server_and_not_told() -> None:
    script = Script(httpx.LocalProtocolError("Illegal header value b'Bearer SECRET'"))
    with pytest.raises(SourceError) as caught:
        await get(script)
    shown = "".join(traceback.format_exception(caught.value))
    assert len(script.requests) == 1 and "SECRET" not in shown


async def test_a_certificate_that_is_not_trusted_is_told_with_its_remedy() -> None:
    script = Script(httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed"))
    with pytest.raises(SourceError, match="CA bundle"):
        await get(script)
    assert len(script.requests) == 1


async def test_retry_after_is_kept() -> None:
    script = Script(httpx.Response(503, headers={"retry-after": "1"}), ok())
    started = time.monotonic()
    await get(script)
    assert 1.0 <= time.monotonic() - started < 3.0


@pytest.mark.parametrize("status", [429, 503])
async def test_a_rest_longer_than_the_budget_fails_at_once(status: int) -> None:
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=3600), usegmt=True)
    for text in ("3600", until):
        script = Script(httpx.Response(status, headers={"retry-after": text}))
        started = time.monotonic()
        with pytest.raises(SourceError, match=r"asked again in 3(600|59\d) s \(from \d\d:\d\d:\d\d UTC\)") as caught:
            await get(script)
        assert len(script.requests) == 1 and time.monotonic() - started < 1 and caught.value.status == status


async def test_a_retry_after_date_is_read_by_the_servers_clock() -> None:
    headers = {"date": "Mon, 01 Jan 2001 00:00:00 GMT", "retry-after": "Mon, 01 Jan 2001 00:20:00 GMT"}
    with pytest.raises(SourceError, match="asked again in 1200 s"):
        await get(Script(httpx.Response(503, headers=headers)))


@pytest.mark.parametrize("text", ["soon", "-1", "", "1e3", "Mon, 99 Foo", "0"])
async def test_a_strange_retry_after_is_passed_over(text: str) -> None:
    assert (await get(Script(httpx.Response(503, headers={"retry-after": text}), ok()))).status == 200


async def test_the_error_keeps_the_outcome_and_tells_its_codes_alone() -> None:
    issue = {"severity": "error", "code": "throttled", "diagnostics": "SECRET Jane"}
    body = {"resourceType": "OperationOutcome", "issue": [issue, {"code": "Jane Doe"}, "x", {"code": "throttled"}]}
    with pytest.raises(SourceError, match=r"\(throttled\)") as caught:
        await get(Script(httpx.Response(503, json=body)))
    assert caught.value.outcome == body and "Jane" not in str(caught.value) and caught.value.status == 503


async def test_what_the_check_refuses_is_a_fault() -> None:
    script = Script(httpx.Response(200, content=b"{"), ok())
    assert (await get(script, check=lambda r: None if r.body != b"{" else "sent half")).body != b"{"
    script = Script(httpx.Response(200, content=b"{"))
    with pytest.raises(SourceError, match="sent half"):
        await get(script, check=lambda r: "sent half")
    assert len(script.requests) == 5


async def test_the_budget_ends_a_drip_and_a_silence() -> None:
    limits = Limits(total=0.3, backoff=0.001)
    drip = Script(lambda _: httpx.Response(200, stream=Chunks(*[b"x"] * 1000, pause=0.02)))
    started = time.monotonic()
    with pytest.raises(SourceError, match=r"within 0\.3 s"):
        await get(drip, limits=limits)
    assert time.monotonic() - started < 1.5 and len(drip.requests) == 1


async def test_the_budget_bounds_all_attempts_together() -> None:
    script = Script(httpx.Response(503))
    started = time.monotonic()
    with pytest.raises(SourceError):
        await get(script, limits=Limits(total=0.5, attempts=1000, backoff=0.2))
    assert time.monotonic() - started < 1.5


async def test_a_call_can_be_cancelled() -> None:
    async with Script(lambda _: httpx.Response(200, stream=Chunks(b"x", pause=5))).http() as http:
        task = asyncio.create_task(http.send("GET", "x"))
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_no_more_requests_at_once_than_allowed() -> None:
    now = most = 0

    async def slow(request: httpx.Request) -> httpx.Response:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.01)
        now -= 1
        return ok()

    async with Http(BASE, transport=httpx.MockTransport(slow), limits=Limits(concurrency=3)) as http:
        await asyncio.gather(*(http.send("GET", str(n)) for n in range(20)))
        assert most == 3
        http.narrow(2)
        most = 0
        await asyncio.gather(*(http.send("GET", str(n)) for n in range(20)))
        assert most == 2


# Bodies.


def streamed(*chunks: bytes, encoding: str = "gzip", **headers: str) -> Answers:
    return lambda _: httpx.Response(200, headers={"content-encoding": encoding, **headers}, stream=Chunks(*chunks))


@pytest.mark.parametrize("size", [1, 7, 100_000])
async def test_gzip_is_decoded(size: int) -> None:
    packed = gzip.compress(b"hello " * 1000) + gzip.compress(b"again")
    chunks = [packed[start : start + size] for start in range(0, len(packed), size)]
    assert (await get(Script(streamed(*chunks)))).body == b"hello " * 1000 + b"again"
    assert (await get(Script(streamed(zlib.compress(b"x"), encoding="deflate")))).body == b"x"
    assert (await get(Script(streamed(b"plain", encoding="identity")))).body == b"plain"


@pytest.mark.parametrize(
    "chunks", [(gzip.compress(b"hello" * 99)[:-9],), (b"no gzip",), (gzip.compress(b"x") + b"rest",)]
)
async def test_broken_gzip_is_a_fault(chunks: tuple[bytes, ...]) -> None:
    script = Script(streamed(*chunks), ok())
    assert (await get(script)).status == 200 and len(script.requests) == 2
    with pytest.raises(SourceError):
        await get(Script(streamed(*chunks)))


async def test_a_body_shorter_than_told_is_a_fault() -> None:
    script = Script(streamed(b"{}", encoding="identity", **{"content-length": "50"}), ok())
    assert (await get(script)).status == 200 and len(script.requests) == 2


async def test_a_body_that_breaks_off_is_a_fault() -> None:
    broken = httpx.Response(200, stream=Chunks(b"{", fault=httpx.ReadError("reset")))
    script = Script(broken, ok())
    assert (await get(script)).status == 200 and len(script.requests) == 2


async def test_a_small_body_that_grows_without_end_is_cut_and_not_asked_for_again() -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    script = Script(streamed(bomb))
    with pytest.raises(SourceError, match="more than 1 MB"):
        await get(script, limits=Limits(body=1_000_000))
    assert len(script.requests) == 1
    with pytest.raises(SourceError, match="more than 1 MB"):
        await get(Script(httpx.Response(200, content=b"x" * 1_000_001)), limits=Limits(body=1_000_000))
    assert len((await get(Script(httpx.Response(200, content=b"x" * 1_000_000)), limits=Limits(body=1_000_000))).body)


async def test_an_encoding_that_was_not_asked_for_is_refused() -> None:
    with pytest.raises(SourceError, match="content encoding"):
        await get(Script(streamed(b"x", encoding="br")))


async def test_head_and_not_modified_have_no_body() -> None:
    for method, status in (("HEAD", 200), ("GET", 304)):
        answer = httpx.Response(status, headers={"content-length": "50"}, stream=Chunks())
        assert (await get(Script(answer), method=method)).body == b""


# Silence.


async def test_nothing_of_a_call_is_logged_or_shown(caplog: pytest.LogCaptureFixture) -> None:
    script = Script(httpx.Response(503), ok())
    with caplog.at_level(logging.DEBUG):
        async with script.http(auth=Bearer("KEY")) as http:
            found = await http.send("GET", "Patient/jane?name=Jane")
            assert "jane" not in repr(http).lower() and "KEY" not in repr(http)
        assert "jane" not in f"{found!r} {caplog.text}".lower() and "KEY" not in caplog.text
        logging.getLogger("httpx").info("another client of this process")
    assert "another client of this process" in caplog.text


@pytest.mark.loopback
async def test_a_real_connection_is_reused_and_silent(caplog: pytest.LogCaptureFixture) -> None:
    connections: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        while (await reader.readline()).startswith(b"GET"):
            while (await reader.readline()).strip():
                pass
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}")
            await writer.drain()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with caplog.at_level(logging.DEBUG):
        async with Http(f"http://127.0.0.1:{port}/fhir") as http:
            for _ in range(3):
                assert (await http.send("GET", "Patient/jane")).body == b"{}"
    server.close()
    for writer in connections:
        writer.close()
        await writer.wait_closed()
    assert len(connections) == 1
    assert not [r for r in caplog.records if r.name.startswith(("httpx", "httpcore"))]


@pytest.mark.loopback
async def test_a_server_that_is_not_there_is_told() -> None:
    async with Http("http://127.0.0.1:9/fhir", limits=QUICK) as http:
        with pytest.raises(SourceError, match=r"127\.0\.0\.1:9 cannot be reached"):
            await http.send("GET", "metadata")


def issued(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 by an authority of its own: that authority's PEM file, and the server's."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hospital")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "ca.pem").write_bytes(pem)
    (folder / "server.pem").write_bytes(pem + secret)
    return folder / "ca.pem", folder / "server.pem"


@pytest.mark.loopback
async def test_certificates_are_verified(tmp_path: Path) -> None:
    authority, own = issued(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    base = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/fhir"
    async with Http(base, limits=QUICK) as http:
        with pytest.raises(SourceError, match="CA bundle"):
            await http.send("GET", "metadata")
    async with Http(base, limits=QUICK, ca=str(authority)) as http:
        assert (await http.send("GET", "metadata")).body == b"{}"
    server.close()
    await server.wait_closed()


def test_proxies_of_the_environment_are_taken_only_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.test:3128")
    assert not Http(BASE)._client._mounts
    assert Http(BASE, trust_env=True)._client._mounts


def test_a_ca_bundle_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no PEM")
    for path in (tmp_path / "none.pem", tmp_path / "ca.pem"):
        with pytest.raises(UserError, match="CA bundle"):
            Http(BASE, ca=str(path))


def test_issue_codes_of_what_is_no_outcome() -> None:
    assert issue_codes(None) == issue_codes({"issue": "x"}) == issue_codes({"issue": [None, {"code": 5}]}) == ()
