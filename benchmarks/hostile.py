"""Requests that nobody sends in good faith, and the raw connections that bring them."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import zstandard

from collectors.envelope import sized

PIECE = 1 << 16  # bytes sent at once
ZEROS = 1 << 28  # bytes a member of a bomb unpacks to
NOW = time.time_ns()
PROTOBUF = {"Content-Type": "application/x-protobuf"}
JSON = {"Content-Type": "application/json"}
EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
FRAME = 16 << 10  # bytes of an HTTP/2 frame


@dataclass(frozen=True)
class Reply:
    """What came back: the status in the words of its transport, and how long it took."""

    status: str
    seconds: float


def gzip_bomb(size: int, level: int = 1) -> bytes:
    """`size` zeros; level 1 of zlib makes 232 to 1 of it, level 9 1,028 to 1."""
    packer = zlib.compressobj(level, zlib.DEFLATED, 31)
    member = packer.compress(bytes(min(size, ZEROS))) + packer.flush()
    return member * max(1, size // ZEROS)


def zstd_bomb(size: int) -> bytes:
    """`size` zeros, 30,000 to 1."""
    return zstandard.compress(bytes(min(size, ZEROS))) * max(1, size // ZEROS)


def over_http(
    port: int, body: bytes, headers: dict[str, str], path: str = "/v1/traces", chunked: bool = False
) -> Reply:
    """One request on a connection of its own; reads the answer as soon as there is one."""
    length = {"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": str(len(body))}
    lines = {"Host": "127.0.0.1"} | headers | length
    head = f"POST {path} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in lines.items())
    pieces = _chunks(body) if chunked else _pieces(body)
    began = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        sender = threading.Thread(target=_send, args=(connection, head.encode() + b"\r\n", pieces))
        sender.start()
        answer = _received(connection)
        taken = time.perf_counter() - began
        with contextlib.suppress(OSError):  # so that the sender does not wait either
            connection.shutdown(socket.SHUT_RDWR)
        sender.join()
    return Reply(answer[9:12].decode() or "reset", taken)


def _received(connection: socket.socket) -> bytes:
    try:
        return connection.recv(1 << 16)
    except OSError:
        return b""


def _pieces(body: bytes) -> Iterator[bytes]:
    view = memoryview(body)
    return (bytes(view[at : at + PIECE]) for at in range(0, len(body), PIECE))


def _chunks(body: bytes) -> Iterator[bytes]:
    for piece in _pieces(body):
        yield b"%x\r\n%b\r\n" % (len(piece), piece)
    yield b"0\r\n\r\n"


def _send(connection: socket.socket, head: bytes, pieces: Iterator[bytes]) -> None:
    try:
        connection.sendall(head)
        for piece in pieces:
            connection.sendall(piece)
    except OSError:
        pass  # it answered before all was sent


def over_grpc(port: int, body: bytes, encoding: str = "") -> Reply:
    """One call by hand: a client library packs what it sends itself, and would need the zeros."""
    began = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        call = _Call(connection)
        call.begin(encoding)
        call.send(struct.pack(">BI", bool(encoding), len(body)) + body)
        status = call.status()
    return Reply(status, time.perf_counter() - began)


class _Call:
    """One call over HTTP/2, on stream 1."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._windows = {0: 65_535, 1: 65_535}  # bytes that may be sent
        self._initial = 65_535
        self._status = ""
        self._buffer = b""

    def begin(self, encoding: str) -> None:
        headers = {
            ":method": "POST", ":scheme": "http", ":path": EXPORT, ":authority": "127.0.0.1",
            "te": "trailers", "content-type": "application/grpc",
        }  # fmt: skip
        if encoding:
            headers["grpc-encoding"] = encoding
        block = b"".join(_literal(name, value) for name, value in headers.items())
        preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        self._connection.sendall(preface + _frame(4, 0, 0, b"") + _frame(1, 4, 1, block))

    def send(self, message: bytes) -> None:
        at = 0
        try:
            while at < len(message) and not self._status:
                room = min(FRAME, *self._windows.values())
                if room <= 0:
                    self._take()
                    continue
                part = message[at : at + room]
                at += len(part)
                self._windows = {k: v - len(part) for k, v in self._windows.items()}
                self._connection.sendall(_frame(0, at == len(message), 1, part))
        except OSError:
            pass

    def status(self) -> str:
        """The code of gRPC; "reset" where none came."""
        try:
            while not self._status:
                self._take()
        except OSError:
            return "reset"
        return self._status

    def _take(self) -> None:
        head = self._exactly(9)
        kind, flags, stream = head[3], head[4], int.from_bytes(head[5:9]) & 0x7FFFFFFF
        payload = self._exactly(int.from_bytes(head[:3]))
        if kind == 4 and not flags & 1:
            self._settings(payload)
        elif kind == 6 and not flags & 1:
            self._connection.sendall(_frame(6, 1, 0, payload))
        elif kind == 8:
            self._windows[stream] += int.from_bytes(payload) & 0x7FFFFFFF
        elif kind in (3, 7):
            self._status = self._status or "reset"
        elif kind == 1 and flags & 1:  # trailers
            self._status = _grpc_status(payload)

    def _settings(self, payload: bytes) -> None:
        for at in range(0, len(payload), 6):
            key, value = struct.unpack(">HI", payload[at : at + 6])
            if key == 4:
                self._windows[1] += value - self._initial
                self._initial = value
        self._connection.sendall(_frame(4, 1, 0, b""))

    def _exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            more = self._connection.recv(PIECE)
            if not more:
                raise OSError("the connection was closed")
            self._buffer += more
        found, self._buffer = self._buffer[:size], self._buffer[size:]
        return found


def _literal(name: str, value: str) -> bytes:
    """A header field of HPACK, neither indexed nor Huffman coded."""
    return b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _grpc_status(block: bytes) -> str:
    """grpc-status of trailers, whose name grpc writes plain the first time."""
    at = block.find(b"grpc-status")
    if at < 0:
        return "trailers"
    size = block[at + 11]
    raw = block[at + 12 : at + 12 + (size & 0x7F)]
    return raw.decode(errors="replace") if not size & 0x80 else "huffman"


def odd_bodies(most: int = 60 << 20) -> dict[str, tuple[dict[str, str], bytes]]:
    """(headers, body) by name: the shapes that cost most for their size of at most `most`."""
    text = sized(0x4A, _attribute(b"a", b"x" * most))
    million = b"".join(sized(0x4A, _attribute(b"%d" % n, b"x")) for n in range(1_000_000))
    deep = sized(0x4A, sized(0x0A, b"a") + sized(0x12, _nested(30_000)))
    spans = b"".join(sized(0x12, _ids(n)) for n in range(1, 1_000_001))
    as_protobuf = {
        "a string of 60 MB": _group(sized(0x12, _ids(1) + text)),
        "1,000,000 attributes": _group(sized(0x12, _ids(1) + million)),
        "1,000,000 empty spans": _group(b"\x12\x00" * 1_000_000),
        "1,000,000 spans of ids": _group(spans),
        "AnyValue, 30,000 deep": _group(sized(0x12, _ids(1) + deep)),
    }
    found = {name: (PROTOBUF, body) for name, body in as_protobuf.items()}
    return found | {f"{name}, JSON": (JSON, body) for name, body in _odd_json(most)}


def _odd_json(most: int) -> Iterator[tuple[str, bytes]]:
    yield "a string of 60 MB", _document(_member("a", f'{{"stringValue":"{"x" * most}"}}'))
    million = (_member(str(n), '{"intValue":1}') for n in range(1_000_000))
    yield "1,000,000 attributes", _document(",".join(million))
    yield "1,000,000 empty spans", _spans([b"{}"] * 1_000_000)
    yield "1,000,000 spans with a bad id", _spans([b'{"traceId":"1"}'] * 1_000_000)
    yield "1,000,000 spans of no text", _spans([b'{"traceId":1,"spanId":1}'] * 1_000_000)
    yield "1,000,000 lists for attributes", _document(",".join(["[]"] * 1_000_000))
    opened, closed = '{"arrayValue":{"values":[' * 300_000, "]}}" * 300_000
    yield "AnyValue, 300,000 deep", _document(_member("a", f"{opened}1{closed}"))
    yield "[, 60,000,000 times", b"[" * most
    yield "{, 10,000,000 times", b'{"a":' * (most // 6)


def _spans(spans: list[bytes]) -> bytes:
    return b'{"resourceSpans":[{"scopeSpans":[{"spans":[%b]}]}]}' % b",".join(spans)


def _ids(number: int) -> bytes:
    """The fields of a span that has no more than ids and times."""
    ids = sized(0x0A, number.to_bytes(16)) + sized(0x12, number.to_bytes(8))
    return ids + struct.pack("<BQBQ", 0x39, NOW, 0x41, NOW + 1)


def _attribute(key: bytes, text: bytes) -> bytes:
    return sized(0x0A, key) + sized(0x12, sized(0x0A, text))


def _group(spans: bytes) -> bytes:
    return sized(0x0A, sized(0x12, spans))


def _nested(depth: int) -> bytes:
    found = b"\x18\x01"
    for _ in range(depth):
        found = sized(0x2A, sized(0x0A, found))
    return found


def _document(attributes: str) -> bytes:
    """A request of one span that has these attributes."""
    ids = f'"traceId":"{1:032x}","spanId":"{1:016x}"'
    times = f'"startTimeUnixNano":"{NOW}","endTimeUnixNano":"{NOW + 1}"'
    return _spans([f'{{{ids},{times},"attributes":[{attributes}]}}'.encode()])


def _member(key: str, value: str) -> str:
    return f'{{"key":"{key}","value":{value}}}'
