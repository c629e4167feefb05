"""The log's frames: a checksummed header, then one request as it came.

| bytes | field |
|---|---|
| 0-3 | magic |
| 4 | version of the frame |
| 5 | kind of payload |
| 6-7 | encoding of the payload: 0 none, 1 zstd, 2 gzip |
| 8-11 | bytes of the payload as stored |
| 12-15 | bytes of the payload unpacked |
| 16-23 | sequence number |
| 24-31 | arrival, Unix nanoseconds |
| 32-35 | CRC-32C of the payload |
| 36-39 | CRC-32C of the store's salt and bytes 0-35 |

Little-endian. A reader that finds damage looks for the next header that holds: one flipped bit
costs one frame. The salt keeps a request that contains something like a frame from being read as
one there.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

import google_crc32c
import zstandard
from isal import igzip

MAGIC = b"\xc5CHO"
VERSION = 1
HEADER = struct.Struct("<4sBBHIIQqI")
SIZE = HEADER.size + 4  # with the header's own checksum
LEVEL = 1  # of zstd: 1.2 GB a CPU second


class Kind(IntEnum):
    """What a payload is."""

    OTLP_PROTOBUF = 1
    OTLP_JSON = 2
    ZIPKIN_JSON = 3


class Encoding(IntEnum):
    """How a payload is packed."""

    NONE = 0
    ZSTD = 1
    GZIP = 2


@dataclass(frozen=True, slots=True)
class Request:
    """What was received at once, and is stored whole or not at all."""

    kind: Kind
    payload: bytes  # as stored
    encoding: Encoding
    size: int  # bytes unpacked

    @classmethod
    def packed(cls, kind: Kind, body: bytes) -> Request:
        """Pack a body that came plain."""
        return cls(kind, zstandard.compress(body, LEVEL), Encoding.ZSTD, len(body))

    def body(self) -> bytes:
        """The request as it was before it was packed."""
        if self.encoding is Encoding.ZSTD:
            return _unpack_zstd(self.payload, self.size)
        if self.encoding is Encoding.GZIP:
            return bytes(igzip.decompress(self.payload))  # type: ignore[no-untyped-call] # no stubs
        return self.payload


@dataclass(frozen=True, slots=True)
class Frame:
    """A request in its place in the log."""

    sequence: int
    time_ns: int  # of arrival
    request: Request
    begin: int  # bytes in the segment
    end: int


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes of a segment that hold no readable frame."""

    begin: int
    end: int
    reason: str
    sequence: int | None = None  # where the header could still be read


@dataclass(frozen=True, slots=True)
class _Header:
    kind: int
    encoding: int
    stored: int
    size: int
    sequence: int
    time_ns: int
    crc: int


def encoded(request: Request, sequence: int, time_ns: int, salt: bytes) -> tuple[bytes, bytes]:
    """(header, payload) to write one after the other."""
    crc = google_crc32c.value(request.payload)
    fields = (request.kind, request.encoding, len(request.payload), request.size)
    head = HEADER.pack(MAGIC, VERSION, *fields, sequence, time_ns, crc)
    return head + _sum(salt, head), request.payload


def _sum(salt: bytes, head: bytes) -> bytes:
    return struct.pack("<I", google_crc32c.value(salt + head))


def scan(data: bytes, salt: bytes, begin: int = 0) -> Iterator[Frame | Damage]:
    """Every frame from byte `begin` on, and every stretch between frames that is none.

    A frame that runs beyond the end is not told: it is being written, or was when all ended.
    """
    at = begin
    while at + SIZE <= len(data):
        header = _header(data, at, salt)
        if header is None:
            after = _resync(data, at + 1, salt)
            yield Damage(at, after, "no frame header")
            at = after
            continue
        end = at + SIZE + header.stored
        if end > len(data):
            after = _resync(data, at + 1, salt)
            if after == len(data):
                return
            yield Damage(at, after, "cut short", header.sequence)
            at = after
            continue
        yield _frame(data, at, end, header)
        at = end


def _header(data: bytes, at: int, salt: bytes) -> _Header | None:
    head = data[at : at + HEADER.size]
    if not head.startswith(MAGIC) or len(data) < at + SIZE:
        return None
    if data[at + HEADER.size : at + SIZE] != _sum(salt, head):
        return None
    _, version, *fields = HEADER.unpack(head)
    return _Header(*fields) if version == VERSION else None


def _resync(data: bytes, at: int, salt: bytes) -> int:
    """Where the next header that holds begins; the end of the data where there is none."""
    while (at := data.find(MAGIC, at)) >= 0:
        if _header(data, at, salt) is not None:
            return at
        at += 1
    return len(data)


def _frame(data: bytes, begin: int, end: int, header: _Header) -> Frame | Damage:
    payload = data[begin + SIZE : end]
    if google_crc32c.value(payload) != header.crc:
        return Damage(begin, end, "payload checksum", header.sequence)
    try:
        kind, encoding = Kind(header.kind), Encoding(header.encoding)
    except ValueError:  # written by a later version
        return Damage(begin, end, "unknown kind", header.sequence)
    request = Request(kind, payload, encoding, header.size)
    return Frame(header.sequence, header.time_ns, request, begin, end)


def _unpack_zstd(payload: bytes, size: int) -> bytes:
    """All frames: what a client packed in several parts was stored as it came."""
    reader = zstandard.ZstdDecompressor().stream_reader(payload, read_across_frames=True)
    return reader.read(size)
