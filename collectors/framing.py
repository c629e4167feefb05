"""Cuts a stream of OTLP protobuf into its messages, whichever way they are delimited."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from enum import StrEnum

from collectors.envelope import Broken, read_field, varint, walked
from collectors.streams import DamagedStream, Stream

# Bytes. The Collector's own limit is far below; and a bare request begins with byte 10, which as
# the first of four bytes of length would say 160 MB or more: so the two cannot be confused.
MAX_MESSAGE = 128 << 20
MAX_GROUP = 512 << 20  # bytes of one ResourceSpans in a bare request
READ = 1 << 20  # bytes at a time: what is copied is still in the processor's cache

Span = tuple[int, int]  # where a message begins, where it ends (maybe beyond the data)
Reader = Callable[[bytes, int], Span | None]  # None = the data end before that can be told


class Framing(StrEnum):
    """How messages follow each other."""

    FIXED = "otlp-proto-stream"  # four bytes of length, big-endian: the Collector's file exporter
    VARINT = "otlp-proto-varint"
    NONE = "otlp-proto"  # the whole stream is one request: its ResourceSpans follow each other


class Torn(Exception):
    """The stream ends inside a message, or no message can begin where one should."""


def _fixed(data: bytes, at: int) -> Span | None:
    if at + 4 > len(data):
        return None
    return _bounded(at + 4, int.from_bytes(data[at : at + 4]))


def _varint(data: bytes, at: int) -> Span | None:
    size = varint(data, at)
    return None if size is None else _bounded(size[1], size[0])


def _bounded(begin: int, size: int) -> Span:
    if size > MAX_MESSAGE:
        raise Broken(f"a message cannot have {size} bytes")
    return begin, begin + size


def _group(data: bytes, at: int) -> Span | None:
    """A field of the request, with its tag: a request of its own."""
    if run := _EMPTY.match(data, at):
        return at, run.end()
    found = read_field(data, at)
    if found is None:
        return None
    if found.end - at > MAX_GROUP:
        raise Broken(f"a ResourceSpans cannot have {found.end - found.begin} bytes")
    return at, found.end


_EMPTY = re.compile(rb"(?:\x0a\x00)++")
READERS: dict[Framing, Reader] = {
    Framing.FIXED: _fixed,
    Framing.VARINT: _varint,
    Framing.NONE: _group,
}
NO, HOPELESS, TORN, WHOLE = range(4)  # how well a framing explains the first bytes


def detect_framing(head: bytes, complete: bool) -> Framing | None:
    """The framing under which the first bytes are OTLP; None where they are none.

    `complete`: `head` is the whole stream. What explains the bytes to their end is preferred to
    what explains how they begin, and that to a message without a credible length.
    """
    found = {framing: _explains(head, complete, reader) for framing, reader in READERS.items()}
    best = max(found, key=lambda framing: found[framing])
    return best if found[best] > NO else None


def _explains(head: bytes, complete: bool, reader: Reader) -> int:
    at, fits, begun = 0, False, NO
    while at < len(head):
        try:
            frame = reader(head, at)
        except Broken:
            return begun or _without_length(head, reader)
        if frame is None:
            break
        verdict = _is_request(head, *frame)
        if verdict is False:
            return begun
        fits |= frame[0] < frame[1]
        begun = TORN if verdict else begun
        at = frame[1]
    if complete and at != len(head):
        return begun
    return WHOLE if fits else NO


def _without_length(head: bytes, reader: Reader) -> int:
    return HOPELESS if reader is _fixed and _is_request(head, 4, len(head)) else NO


# The tags that can stand first: in a request, in its ResourceSpans, in a Resource or ScopeSpans.
_FIRST = (b"\x0a", b"\x0a\x12\x1a", b"\x0a\x12\x1a")


def _is_request(data: bytes, begin: int, end: int) -> bool | None:
    """Whether a message begins with fields that fit into each other three levels deep.

    None where it is empty, or too little of it is there to tell; False where it does not.
    """
    for level, tags in enumerate(_FIRST):
        if begin >= min(end, len(data)):
            return None
        if data[begin] not in tags:
            return None if level == 2 else False
        size = varint(data, begin + 1) if len(data) > begin + 1 else None
        if size is None:
            return None
        begin, outer, end = size[1], end, size[1] + size[0]
        if end > outer:
            return False
    return True


def messages(stream: Stream, framing: Framing) -> Iterator[bytes]:
    """Each message's bytes; of a last one that is cut short what of it is whole.

    Of a bare request each ResourceSpans is a message. Raises Torn where the stream ends inside a
    message or none can begin, DamagedStream at broken data.
    """
    reader, data, done = READERS[framing], b"", 0
    while True:
        at, frame = 0, None
        try:
            while (frame := reader(data, at)) is not None and frame[1] <= len(data):
                yield data[frame[0] : frame[1]]
                at = frame[1]
        except Broken as error:
            raise Torn(f"at byte {done + at}: {error}; nothing from there on was read") from None
        wanted = frame[1] - len(data) if frame else 0
        data, done = data[at:], done + at
        try:
            more = stream.read(max(READ, wanted))
        except DamagedStream:
            yield from _cut(data, reader)
            raise
        if not more:
            break
        data += more
    if data:
        yield from _cut(data, reader)
        end = done + len(data)
        raise Torn(f"cut short at byte {end}, in a message that begins at byte {done}")


def _cut(data: bytes, reader: Reader) -> Iterator[bytes]:
    """What is whole of a message whose end is missing."""
    frame = reader(data, 0)
    if frame is not None and (part := walked(data[frame[0] :]).data):
        yield part
