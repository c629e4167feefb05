"""OTLP over gRPC: codes, limits, access, and a port that is taken."""

from __future__ import annotations

import gzip
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from collectors.receivers.secure import StartError
from tests.receivers.running import Running, running
from tests.receivers.test_http import as_protobuf

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path / "s") as found:
        yield found


def export(server: Running, body: bytes, path: str = EXPORT, **more: Any) -> bytes:
    with grpc.insecure_channel(server.grpc) as channel:
        answer: bytes = channel.unary_unary(path)(body, timeout=20, **more)
        return answer


def refusal(server: Running, body: bytes, path: str = EXPORT, **more: Any) -> Any:
    with pytest.raises(grpc.RpcError) as caught:
        export(server, body, path, **more)
    return caught.value


TAKEN = (grpc.Compression.NoCompression, grpc.Compression.Gzip)


@pytest.mark.parametrize("compression", TAKEN)
def test_what_was_sent_is_what_is_stored(server: Running, compression: grpc.Compression) -> None:
    """Plain or gzip: OK with an empty response, and the spans are there."""
    assert export(server, as_protobuf("a", "b"), compression=compression) == b""
    assert server.names() == ["a", "b"]


def test_garbage_is_an_invalid_argument(server: Running) -> None:
    """It is never sent again, and nothing is stored."""
    assert refusal(server, b"\xff\xff").code() is grpc.StatusCode.INVALID_ARGUMENT
    assert server.names() == []


def test_too_large_is_refused_without_retry(tmp_path: Path) -> None:
    """RESOURCE_EXHAUSTED without RetryInfo, also where a small message unpacks to a large one."""
    with running(tmp_path / "s", limit=10_000) as server:
        for compression in TAKEN:
            error = refusal(server, b"\x0a" * 50_000, compression=compression)
            assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert not dict(error.trailing_metadata()).get("grpc-status-details-bin")


def test_what_cannot_be_unpacked_is_refused(server: Running) -> None:
    """gzip that is damaged: INVALID_ARGUMENT; deflate, which no exporter sends: UNIMPLEMENTED."""
    gzipped = gzip.compress(as_protobuf("a"))[:-9]
    assert refusal(server, gzipped).code() is grpc.StatusCode.INVALID_ARGUMENT
    error = refusal(server, as_protobuf("a"), compression=grpc.Compression.Deflate)
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED
    assert server.names() == []


def test_metrics_and_logs_are_unimplemented(server: Running) -> None:
    """Other services of OTLP."""
    path = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
    assert refusal(server, b"", path).code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_passing_fault_is_unavailable_with_retry_info(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk: the client is told to come again in a second."""
    from google.rpc import error_details_pb2, status_pb2

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(server.store._files, "append", full)
    error = refusal(server, as_protobuf("a"))
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    raw = dict(error.trailing_metadata())["grpc-status-details-bin"]
    (detail,) = status_pb2.Status.FromString(raw).details
    info = error_details_pb2.RetryInfo()
    assert detail.Unpack(info)
    assert info.retry_delay.seconds == 1
    monkeypatch.undo()
    assert export(server, as_protobuf("a")) == b""


def test_token(tmp_path: Path) -> None:
    """UNAUTHENTICATED without it."""
    with running(tmp_path / "s", token="s3cret") as server:
        assert refusal(server, as_protobuf("a")).code() is grpc.StatusCode.UNAUTHENTICATED
        metadata = (("authorization", "Bearer s3cret"),)
        assert export(server, as_protobuf("a"), metadata=metadata) == b""


@pytest.mark.parametrize("what", ["grpc", "http", "zipkin"])
def test_a_port_that_is_taken_is_told(tmp_path: Path, what: str) -> None:
    """A second process must not take half of the calls silently; no other port stays open."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(StartError, match=str(port)), running(tmp_path / "s", **{what: port}):
            pass


def test_two_receivers_do_not_share_a_port(tmp_path: Path) -> None:
    """Neither server lets another listen beside it."""
    with running(tmp_path / "a") as first:
        for what, told in (("grpc", "OTLP/gRPC"), ("http", "OTLP/HTTP")):
            port = first.receivers.ports[told]
            with pytest.raises(StartError), running(tmp_path / "b", **{what: port}):
                pass
