"""TLS, client certificates and tokens, over gRPC and HTTP: who may send, and that a failed
handshake harms nobody else."""

from __future__ import annotations

import socket
import ssl
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import httpx
import pytest
import trustme
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as OverGrpc
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as OverHttp
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter

from collectors.receivers.secure import StartError, Tls
from tests.receivers.running import Running, running

TOKEN = "s3cret"
PATIENCE_S = 30  # on a busy machine
REFUSED_S = 2  # an exporter tries again for so long where no handshake is made


@dataclass(frozen=True)
class Papers:
    """An authority's files: its own, a server's, a client's, and a stranger's client's."""

    authority: Path
    certificate: Path
    key: Path
    client: Path
    client_key: Path
    stranger: Path
    stranger_key: Path


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    folder = tmp_path_factory.mktemp("papers")
    ours, other = trustme.CA(), trustme.CA()
    ours.cert_pem.write_to_path(folder / "ca.pem")
    for name, authority, identity in (
        ("server", ours, "127.0.0.1"),
        ("client", ours, "shop@example.org"),
        ("stranger", other, "shop@example.org"),
    ):
        issued = authority.issue_cert(identity)
        issued.private_key_pem.write_to_path(folder / f"{name}.key")
        with (folder / f"{name}.pem").open("wb") as file:
            for blob in issued.cert_chain_pems:
                file.write(blob.bytes())
    names = ("ca.pem", "server.pem", "server.key", "client.pem", "client.key")
    return Papers(*(folder / n for n in (*names, "stranger.pem", "stranger.key")))


@pytest.fixture(autouse=True)
def no_other_authorities(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine's own bundle would win over the one that an exporter is given."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(params=["tls", "mtls"])
def server(request: pytest.FixtureRequest, tmp_path: Path, papers: Papers) -> Iterator[Running]:
    clients = papers.authority if request.param == "mtls" else None
    tls = Tls(papers.certificate, papers.key, clients)
    with running(tmp_path / "s", tls=tls, token=TOKEN) as found:
        yield found


def mutual(server: Running) -> bool:
    tls = server.receivers._endpoints.tls
    return tls is not None and tls.clients is not None


def exporter(
    server: Running, papers: Papers, way: str, *, token: str = TOKEN, client: Path | None = None
) -> SpanExporter:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    known = not mutual(server) or client == papers.client
    timeout = PATIENCE_S if known else REFUSED_S
    key = client.with_suffix(".key") if client else None
    if way == "http":
        return OverHttp(
            endpoint=f"{server.http.replace('http:', 'https:')}/v1/traces",
            certificate_file=str(papers.authority),
            client_certificate_file=str(client) if client else None,
            client_key_file=str(key) if key else None,
            headers=headers,
            timeout=timeout,
        )
    credentials = grpc.ssl_channel_credentials(
        papers.authority.read_bytes(),
        key.read_bytes() if key else None,
        client.read_bytes() if client else None,
    )
    return OverGrpc(endpoint=server.grpc, credentials=credentials, headers=headers, timeout=timeout)


def send(chosen: SpanExporter, name: str) -> None:
    """One span; what became of it is in the store."""
    provider = TracerProvider(resource=Resource.create({"service.name": "shop"}))
    provider.add_span_processor(SimpleSpanProcessor(chosen))
    provider.get_tracer("test").start_span(name).end()
    provider.shutdown()


@pytest.mark.parametrize("way", ["grpc", "http"])
def test_who_may_send(server: Running, papers: Papers, way: str) -> None:
    """With the right papers and the token: stored. Without one of them: not."""
    right = papers.client if mutual(server) else None
    send(exporter(server, papers, way, client=right), "right")
    send(exporter(server, papers, way, client=right, token=""), "no token")
    send(exporter(server, papers, way, client=right, token="wrong"), "wrong token")
    if mutual(server):
        send(exporter(server, papers, way, client=papers.stranger), "stranger")
        send(exporter(server, papers, way), "no certificate")
    send(exporter(server, papers, way, client=right), "still there")
    assert server.names() == ["right", "still there"]
    assert server.receivers.admission.counts.refused["no-token"] == 2


def test_broken_handshakes_harm_nobody(server: Running, papers: Papers) -> None:
    """Plain text, garbage, an old protocol, silence: the next good client is served."""
    for address in (server.grpc, server.http.partition("//")[2]):
        host, _, port = address.rpartition(":")
        silent = []
        for opening in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\xff\xff" * 50, b""):
            connection = socket.create_connection((host, int(port)), timeout=5)
            connection.sendall(opening)
            silent.append(connection)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(papers.authority)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises((ssl.SSLError, OSError)):
            context.wrap_socket(socket.create_connection((host, int(port))), server_hostname=host)
        for connection in silent:
            connection.close()
    right = papers.client if mutual(server) else None
    for way in ("grpc", "http"):
        send(exporter(server, papers, way, client=right), way)
    assert server.names() == ["grpc", "http"]


def test_a_client_that_does_not_trust_us_sends_nothing(server: Running) -> None:
    url = server.http.replace("http:", "https:")
    with pytest.raises(httpx.ConnectError):
        httpx.post(f"{url}/v1/traces", json={})


@pytest.mark.parametrize("way", ["grpc", "http"])
def test_a_token_without_tls(tmp_path: Path, way: str) -> None:
    with running(tmp_path / "s", token=TOKEN) as server:
        for token in (TOKEN, "", "wrong", TOKEN + "x"):
            headers = {"authorization": f"Bearer {token}"} if token else {}
            chosen: SpanExporter = (
                OverGrpc(server.grpc, insecure=True, headers=headers, timeout=PATIENCE_S)
                if way == "grpc"
                else OverHttp(f"{server.http}/v1/traces", headers=headers, timeout=PATIENCE_S)
            )
            send(chosen, token or "none")
        assert server.names() == [TOKEN]


def test_files_that_do_not_fit_are_named(tmp_path: Path, papers: Papers) -> None:
    """A key of another certificate, a missing file: no port opens, and the message names it."""
    for tls in (
        Tls(papers.certificate, papers.client_key),
        Tls(papers.certificate, tmp_path / "absent.key"),
        Tls(papers.certificate, papers.key, papers.key),
    ):
        with (
            pytest.raises(StartError, match=r"TLS cannot use .*pem"),
            running(tmp_path / "s", tls=tls),
        ):
            pass
