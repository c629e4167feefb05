"""Walks the outer messages of an OTLP protobuf request: what of it is whole, what of it is void."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np

CHILDREN = (0x0A, 0x12, 0x12)  # tags: resource_spans, scope_spans, spans
SPANS = 2  # the level at which spans stand
SPAN = 3  # the level inside a span

SAMPLE = 499  # every so many bytes one is looked at; a prime, so that no short pattern hides
SMALL = 1 << 16  # bytes; a request below this may hold whatever it likes
VOID = 28  # bytes of two ids with their tags: a shorter span has not both
DENSE = 10  # a request where one byte in so many begins something void is thinned out


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message: its tag, where its value begins and ends, maybe beyond the data."""

    tag: int
    begin: int
    end: int


class Broken(ValueError):
    """No field can begin here."""


def varint(data: bytes, at: int) -> tuple[int, int] | None:
    """(value, the position after it); None where the data end inside. Raises Broken."""
    value = 0
    for nth in range(10):
        if at + nth >= len(data):
            return None
        byte = data[at + nth]
        value |= (byte & 0x7F) << (7 * nth)
        if byte < 0x80:
            return value, at + nth + 1
    raise Broken(f"a number of more than 10 bytes at byte {at}")


def read_field(data: bytes, at: int) -> Field | None:
    """The field that begins there; None where the data end in its tag or length. Raises Broken."""
    tag = varint(data, at)
    if tag is None:
        return None
    kind, begin = tag[0] & 7, tag[1]
    if not tag[0] >> 3:
        raise Broken(f"no field has the number 0, at byte {at}")
    if kind in (1, 5):
        return Field(tag[0], begin, begin + (8 if kind == 1 else 4))
    if kind not in (0, 2):
        raise Broken(f"no field has the type {kind}, at byte {at}")
    size = varint(data, begin)
    if size is None:
        return None
    return Field(tag[0], size[1], size[1] + (size[0] if kind == 2 else 0))


def sized(tag: int, body: bytes) -> bytes:
    """A field of length-delimited type."""
    size, head = len(body), bytearray([tag])
    while size > 0x7F:
        head.append(size & 0x7F | 0x80)
        size >>= 7
    head.append(size)
    return bytes(head) + body


@dataclass(slots=True)
class Walked:
    """What is whole in a request, as a request of its own, and what was left out of it."""

    data: bytes = b""
    breaks: list[int] = field(default_factory=list)  # the bytes where something is no field
    void: int = 0  # spans of fewer than `VOID` bytes
    empty: int = 0  # attributes, events and links without anything in them
    changes: int = 0

    def broken(self, at: int) -> None:
        """Something breaks at that byte."""
        self.breaks.append(at)
        self.changes += 1

    def count(self, run: bytes, level: int) -> None:
        """A run of void parts is left out; empty groups and scopes hold nothing to be counted."""
        self.changes += 1
        if level == SPANS:
            self.void += len(_ONE.findall(run))
        elif level == SPAN:
            self.empty += len(run) // 2


def walked(request: bytes) -> Walked:
    """The whole groups, scopes and spans of a request that may be cut short or damaged."""
    found = Walked()
    found.data = _whole(request, 0, len(request), 0, found)
    return found


def _whole(data: bytes, at: int, end: int, level: int, into: Walked) -> bytes:
    """What is whole between two positions, the children mended; `level` counts from the request."""
    pieces: list[bytes] = []
    begin = at  # of what stands as it is
    while at < end:
        if run := _RUNS[level].match(data, at, end):
            into.count(run[0], level)
            pieces.append(data[begin:at])
            begin = at = run.end()
            continue
        found = _field(data, at)
        inside = found is not None and _is_parent(data[at], found, level, end)
        if found is None or (found.end > end and not inside):
            into.broken(at)
            return b"".join([*pieces, data[begin:at]])
        if inside:
            before = into.changes
            inner = _whole(data, found.begin, min(found.end, end), level + 1, into)
            if found.end > end and into.changes == before:
                into.broken(end)  # between two children
            if into.changes > before:
                pieces += [data[begin:at], sized(data[at], inner) if inner else b""]
                begin = found.end
        at = found.end
    return b"".join([*pieces, data[begin:end]])


def _is_parent(tag: int, found: Field, level: int, end: int) -> bool:
    """Whether to look inside: not where a span is cut, for a part of a span is none."""
    if level == SPANS and not SMALL < found.end - found.begin <= end - found.begin:
        return False  # a small one cannot hold much
    return level < SPAN and tag == CHILDREN[level]


def _field(data: bytes, at: int) -> Field | None:
    try:
        return read_field(data, at)
    except Broken:
        return None


_ONE = re.compile(
    b"\x12(?:%b)" % b"|".join(b"%b.{%d}" % (re.escape(bytes([n])), n) for n in range(VOID)),
    re.DOTALL,
)
# Possessive and bounded, so that a run takes no memory of its own. Inside a span an empty
# attribute, event or link.
_RUNS = tuple(
    re.compile(b"(?:%b){1,10000}+" % one, re.DOTALL)
    for one in (rb"\x0a\x00", rb"\x12\x00", _ONE.pattern, rb"[\x4a\x5a\x6a]\x00")
)


def is_dense(request: bytes) -> bool:
    """Whether many void parts stand in a request: one costs 70 bytes where it takes two."""
    if len(request) < SMALL:
        return False
    data = np.frombuffer(request, np.uint8)
    first, second = data[:-1:SAMPLE], data[1::SAMPLE]
    return int(np.count_nonzero(second < _VOID_BELOW[first])) * DENSE > len(first)


_VOID_BELOW = np.zeros(256, np.uint8)  # by tag: below which length what follows is void
_VOID_BELOW[[0x4A, 0x5A, 0x6A]] = 1
_VOID_BELOW[0x12] = VOID
