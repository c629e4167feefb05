"""OTLP over HTTP and Zipkin: what is answered, and that what was answered 200 is stored."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import zstandard
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from tests.receivers.running import Running, running
from tests.support.spans import line

PROTOBUF = {"content-type": "application/x-protobuf"}
JSON = {"content-type": "application/json"}


def span(name: str, number: int = 1) -> dict[str, object]:
    return {
        "traceId": f"{number:032x}",
        "spanId": f"{number:016x}",
        "name": name,
        "startTimeUnixNano": "1000000000000000000",
        "endTimeUnixNano": "1000000000000000001",
    }


def as_json(*names: str) -> bytes:
    return line({"service.name": "a"}, [span(name, n) for n, name in enumerate(names, 1)])


def as_protobuf(*names: str, ids: bytes = b"\1") -> bytes:
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    for number, name in enumerate(names, 1):
        one = scope.spans.add(name=name, start_time_unix_nano=10**18)
        one.trace_id = ids.ljust(16, b"\1")[:16]
        one.span_id = bytes([number]) * 8
    return request.SerializeToString()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path / "s") as found:
        yield found


def post(server: Running, body: bytes, path: str = "/v1/traces", **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.post(server.http + path, content=body, headers=named, timeout=20)


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (as_protobuf("a", "b"), PROTOBUF),
        (as_json("a", "b"), JSON),
        (as_json("a", "b"), {"content-type": "application/json; charset=utf-8"}),
        (gzip.compress(as_protobuf("a", "b")), PROTOBUF | {"content-encoding": "gzip"}),
        (zstandard.compress(as_json("a", "b")), JSON | {"content-encoding": "zstd"}),
        (as_json("a", "b"), JSON | {"content-encoding": "identity"}),
    ],
    ids=["protobuf", "json", "charset", "gzip", "zstd", "identity"],
)
def test_what_was_sent_is_what_is_stored(
    server: Running, body: bytes, headers: dict[str, str]
) -> None:
    """Either encoding, plain or packed: 200, and both spans are there."""
    answer = httpx.post(server.http + "/v1/traces", content=body, headers=headers)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == headers["content-type"].partition(";")[0]
    assert server.names() == ["a", "b"]


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_every_member_is_stored(server: Running, pack: object) -> None:
    """Protobuf requests merge by concatenation; so do three gzip members and zstd frames."""
    assert callable(pack)
    bodies = [as_protobuf("a"), as_protobuf("b"), as_protobuf("c")]
    encoding = "gzip" if pack is gzip.compress else "zstd"
    packed = b"".join(pack(body) for body in bodies)
    answer = post(server, packed, **PROTOBUF, content_encoding=encoding)
    assert answer.status_code == 200
    assert len(server.names()) >= 1
    assert "c" in server.names()


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"", PROTOBUF, 200),
        (b"{}", JSON, 200),
        (b'{"resourceSpans":null}', JSON, 200),
        (as_json("a"), {}, 415),
        (as_json("a"), {"content-type": "text/plain"}, 415),
        (as_json("a"), JSON | {"content-encoding": "br"}, 415),
        (as_json("a"), JSON | {"content-encoding": "gzip, gzip"}, 415),
        (as_json("a"), JSON | {"content-encoding": "gzip"}, 400),
        (gzip.compress(as_json("a"))[:-9], JSON | {"content-encoding": "gzip"}, 400),
        (gzip.compress(as_json("a")) + b"x", JSON | {"content-encoding": "gzip"}, 400),
        (b"\xff\xff\xff", PROTOBUF, 400),
        (as_protobuf("a")[:-3], PROTOBUF, 400),
        (b"{", JSON, 400),
        (b"[]", JSON, 400),
        (b"[" * 200_000, JSON, 400),
        (b'{"resourceSpans":' + b"[" * 200_000, JSON, 400),
        (b"\x0a\x04\x12\x02\x12\x00" * 50_000, PROTOBUF, 400),
    ],
    ids=map(str, range(17)),
)
def test_answers_to_bad_requests(
    server: Running, body: bytes, headers: dict[str, str], status: int
) -> None:
    """The status OTLP asks for, a google.rpc.Status in the request's type, nothing stored."""
    answer = httpx.post(server.http + "/v1/traces", content=body, headers=headers)
    assert answer.status_code == status
    if status != 200 and headers.get("content-type", "").startswith("application/json"):
        assert set(answer.json()) == {"code", "message"}
    assert server.names() == []
    assert post(server, as_json("good"), **JSON).status_code == 200
    assert server.names() == ["good"]


def test_bad_spans_cost_themselves_only(server: Running) -> None:
    """Ids of zeros, of a wrong length, no hex: rejected, counted, told in partial_success."""
    request = ExportTraceServiceRequest.FromString(as_protobuf("a", "b", "c", "d"))
    spans = request.resource_spans[0].scope_spans[0].spans
    spans[1].trace_id = bytes(16)
    spans[2].span_id = b"1234"
    answer = post(server, request.SerializeToString(), **PROTOBUF)
    assert answer.status_code == 200
    told = ExportTraceServiceResponse.FromString(answer.content).partial_success
    assert told.rejected_spans == 2
    assert "all zeros" in told.error_message
    assert server.names() == ["a", "d"]
    bad = [span("e", 9), span("f", 10) | {"traceId": "xyz"}, span("g", 11) | {"spanId": "0" * 16}]
    told_json = post(server, line({"service.name": "a"}, bad), **JSON).json()["partialSuccess"]
    assert told_json["rejectedSpans"] == "2"
    assert server.names() == ["a", "d", "e"]


def test_invalid_utf8_costs_no_span(server: Running) -> None:
    """A name that is no UTF-8: stored with U+FFFD, 200."""
    body = as_protobuf("good", "broken!").replace(b"broken!", b"broken\xff")
    assert post(server, body, **PROTOBUF).status_code == 200
    assert server.names() == ["broken\ufffd", "good"]


def test_methods_and_paths(server: Running) -> None:
    """GET is 405 with Allow; metrics and logs are 404, and say what is served."""
    answer = httpx.get(server.http + "/v1/traces")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    answer = post(server, b"{}", "/v1/metrics", **JSON)
    assert answer.status_code == 404
    assert "/v1/traces" in answer.json()["message"]
    assert "access-control-allow-origin" not in answer.headers


def test_size_limit_to_the_byte(tmp_path: Path) -> None:
    """The limit is counted unpacked: exactly it is taken, one more is 413."""
    body = as_json("a" * 1000)
    with running(tmp_path / "s", limit=len(body)) as server:
        assert post(server, body, **JSON).status_code == 200
        assert post(server, body + b" ", **JSON).status_code == 413
        packed = gzip.compress(body + b" ")
        assert post(server, packed, **JSON, content_encoding="gzip").status_code == 413


def test_a_bomb_is_refused_at_once(server: Running) -> None:
    """10 GiB in 10 MB: 413 within a second of CPU."""
    bomb = gzip.compress(bytes(1 << 28), 1) * 40
    begin = time.process_time()
    answer = post(server, bomb, **PROTOBUF, content_encoding="gzip")
    assert answer.status_code == 413
    assert time.process_time() - begin < 2
    assert server.names() == []


def test_chunked_bodies(server: Running) -> None:
    """Without a Content-Length."""
    body = as_json("a", "b")
    pieces = (body[n : n + 7] for n in range(0, len(body), 7))
    answer = httpx.post(server.http + "/v1/traces", content=pieces, headers=JSON)
    assert answer.status_code == 200
    assert server.names() == ["a", "b"]


def test_a_stalled_body_does_not_last(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """A body that does not come: 408, or the connection is closed."""
    monkeypatch.setattr("collectors.receivers.web.BODY_TIME", 0.3)
    port = int(server.http.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(
            b"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
        )
        assert connection.recv(100)[:12] in (b"HTTP/1.1 408", b"")


def test_slow_connections_do_not_hurt_a_good_client(server: Running) -> None:
    """200 half-open requests wait; a good one is answered."""
    port = int(server.http.rpartition(":")[2])
    slow = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(200)]
    for connection in slow:
        connection.sendall(b"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Le")
    begin = time.monotonic()
    assert post(server, as_json("good"), **JSON).status_code == 200
    assert time.monotonic() - begin < 5
    for connection in slow:
        connection.close()


def test_large_headers(server: Running) -> None:
    """431."""
    assert post(server, b"{}", **JSON, x_large="y" * 60_000).status_code == 431


def test_foreign_hosts_are_refused_on_loopback(server: Running) -> None:
    """DNS rebinding: a page that calls itself another name gets nothing."""
    assert post(server, as_json("a"), **JSON, host="evil.example:4318").status_code == 403
    assert post(server, as_json("a"), **JSON, host="localhost").status_code == 200


def test_token(tmp_path: Path) -> None:
    """Without the token 401, with it 200."""
    with running(tmp_path / "s", token="s3cret") as server:
        answer = post(server, as_json("a"), **JSON)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert post(server, as_json("a"), **JSON, authorization="Bearer wrong").status_code == 401
        assert post(server, as_json("a"), **JSON, authorization="Bearer s3cret").status_code == 200


def test_full_disk_is_503(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is acknowledged; when there is room again, the next request is taken."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(server.store._files, "append", full)
    answer = post(server, as_json("a"), **JSON)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert "No space" in answer.json()["message"]
    monkeypatch.undo()
    assert post(server, as_json("b"), **JSON).status_code == 200
    assert server.names() == ["b"]


def test_zipkin(server: Running) -> None:
    """POST /api/v2/spans: 202, and both spans are there."""
    spans = [
        {"traceId": "1" * 16, "id": f"{n:016x}", "name": name, "timestamp": 10**15, "duration": 5}
        for n, name in enumerate(("a", "b"), 1)
    ]
    answer = httpx.post(server.zipkin + "/api/v2/spans", json=spans)
    assert answer.status_code == 202
    assert server.names() == ["a", "b"]
    assert httpx.post(server.zipkin + "/api/v2/spans", json={}).status_code == 400


def test_everything_in_flight_is_answered_at_the_end(tmp_path: Path) -> None:
    """Stopping under load: each request is answered 200 and stored, or its connection refused."""
    done: list[str] = []
    with running(tmp_path / "s") as server:
        url = server.http + "/v1/traces"

        def send(lane: int) -> None:
            with httpx.Client() as client:
                for number in range(500):
                    name = f"{lane}-{number}"
                    body = json.loads(as_json(name))
                    one = body["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
                    one["spanId"] = f"{lane * 1000 + number + 1:016x}"
                    try:
                        answer = client.post(url, json=body)
                    except httpx.TransportError:
                        return
                    assert answer.status_code == 200
                    done.append(name)

        threads = [threading.Thread(target=send, args=(lane,)) for lane in range(4)]
        for thread in threads:
            thread.start()
        while len(done) < 40:
            time.sleep(0.01)
        server.receivers.stop(5.0)
        for thread in threads:
            thread.join()
        assert set(done) <= set(server.names())


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/v1/traces", {}, 415),
        ("/v1/trace", PROTOBUF, 404),
        ("/v1/traces", PROTOBUF | {"content-encoding": "br"}, 415),
        ("/v1/traces", PROTOBUF | {"host": "shop.example"}, 403),
    ],
    ids=["type", "path", "encoding", "host"],
)
def test_a_refusal_is_read_though_the_body_comes_late(
    server: Running, path: str, headers: dict[str, str], status: int
) -> None:
    """And the connection stays: else the client is told of that, and not what was wrong."""
    body, port = as_protobuf("a"), server.receivers.ports["OTLP/HTTP"]
    named = {"host": "localhost", "content-length": str(len(body))} | headers
    head = f"POST {path} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in named.items())
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        for _ in range(3):
            client.sendall(head.encode() + b"\r\n")
            time.sleep(0.1)
            client.sendall(body)
            assert answered(client).startswith(b"HTTP/1.1 %d " % status)


def answered(client: socket.socket) -> bytes:
    """One answer of a connection that stays open."""
    with client.makefile("rb") as read:
        head = b"".join(iter(read.readline, b"\r\n"))
        size = head.lower().partition(b"content-length:")[2].split()
        return head + read.read(int(size[0]) if size else 0)
