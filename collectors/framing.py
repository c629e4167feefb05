"""Cuts a stream of OTLP protobuf into its messages, whichever way they are delimited."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum

from collectors.streams import DamagedStream, Stream

# Bytes. The Collector's own limit is far below; and a bare request begins with byte 10, which as
# the first of four bytes of length would say 160 MB or more: so the two cannot be confused.
MAX_MESSAGE = 128 << 20
READ = 8 << 20

Frame = tuple[int, int] | None  # (where the message begins, where it ends); None = no such frame


class Framing(StrEnum):
    """How messages follow each other."""

    FIXED = "otlp-proto-stream"  # four bytes of length, big-endian: the Collector's file exporter
    VARINT = "otlp-proto-varint"
    NONE = "otlp-proto"  # the whole stream is one message


class Torn(Exception):
    """The stream ends inside a message, or a length is nonsense; `at` is the byte."""

    def __init__(self, at: int, detail: str) -> None:
        super().__init__(f"at byte {at}: {detail}")
        self.at = at


def detect_framing(head: bytes, complete: bool) -> Framing | None:
    """The framing under which the first bytes are OTLP; None where they are none.

    `complete`: `head` is the whole stream. Prefers what explains the bytes to their end.
    """
    for framing, reader in ((Framing.FIXED, _fixed), (Framing.VARINT, _varint)):
        if _explains(head, complete, reader):
            return framing
    return Framing.NONE if _is_request(head, 0, None if not complete else len(head)) else None


def _explains(head: bytes, complete: bool, reader: Callable[[bytes, int], Frame]) -> bool:
    at = frames = 0
    while at < len(head):
        frame = reader(head, at)
        if frame is None:
            return frames > 0 and not complete
        begin, end = frame
        if not _is_request(head, begin, end):
            return False
        frames, at = frames + 1, end
    return frames > 0 and (at == len(head) or not complete or frames > 1)


def _is_request(data: bytes, begin: int, end: int | None) -> bool:
    """Whether a message is empty or begins with a ResourceSpans that fits it."""
    if end == begin:
        return True
    if begin >= len(data) or data[begin] != 0x0A:
        return begin >= len(data)
    inner = _varint(data, begin + 1)
    if inner is None or (end is not None and inner[1] > end):
        return False
    at = inner[0]
    return at >= len(data) or at == inner[1] or data[at] in (0x0A, 0x12, 0x1A)


def _fixed(data: bytes, at: int) -> Frame:
    if at + 4 > len(data):
        return None
    size = int.from_bytes(data[at : at + 4])
    return (at + 4, at + 4 + size) if size <= MAX_MESSAGE else None


def _varint(data: bytes, at: int) -> Frame:
    size = 0
    for nth in range(5):
        if at + nth >= len(data):
            return None
        byte = data[at + nth]
        size |= (byte & 0x7F) << (7 * nth)
        if byte < 0x80:
            begin = at + nth + 1
            return (begin, begin + size) if size <= MAX_MESSAGE else None
    return None


def messages(stream: Stream, framing: Framing) -> Iterator[bytes]:
    """Each message's bytes. Raises Torn where one is cut short, DamagedStream at broken data."""
    if framing is Framing.NONE:
        yield stream.rest(MAX_MESSAGE * 4)
        return
    reader = _fixed if framing is Framing.FIXED else _varint
    data, done, damage = b"", 0, None
    while True:
        at = 0
        while (frame := reader(data, at)) is not None and frame[1] <= len(data):
            yield data[frame[0] : frame[1]]
            at = frame[1]
        data, done = data[at:], done + at
        if frame is None and len(data) >= 5:
            raise Torn(done, f"no message of at most {MAX_MESSAGE} bytes begins here")
        wanted = max(READ, frame[1] - len(data) if frame else 0)
        try:
            more = stream.read(wanted)
        except DamagedStream as error:
            more, damage = b"", error
        if not more:
            break
        data += more
    if damage is not None:
        raise damage
    if data:
        raise Torn(done, f"the last message is cut short: {len(data)} bytes are left")
