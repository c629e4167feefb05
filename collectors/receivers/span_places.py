"""Finds the spans of a large protobuf request where they stand, without copying them."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from collectors.envelope import CHILDREN, Broken, read_field

Place = tuple[int, int]  # where a value begins and ends
AT_ONCE = 1 << 14  # spans whose first bytes are looked at together


def span_places(request: bytes) -> tuple[array[int], array[int]]:
    """Where each span begins and ends. Raises Broken."""
    begins, ends = array("q"), array("q")
    groups, scopes, spans = CHILDREN
    for group in _values(request, (0, len(request)), groups):
        for scope in _values(request, group, scopes):
            for begin, end in _values(request, scope, spans):
                begins.append(begin)
                ends.append(end)
    return begins, ends


def _values(data: bytes, within: Place, tag: int) -> Iterator[Place]:
    """The values of one field of a message, in one step where their length takes a byte or two."""
    at, end = within
    while at < end:
        size = data[at + 1] if at + 2 < end and data[at] == tag else 0xFF
        if size < 0x80:
            begin = at + 2
            at = begin + size
        elif size < 0xFF and data[at + 2] < 0x80:
            begin = at + 3
            at = begin + (size & 0x7F) + (data[at + 2] << 7)
        else:
            found = read_field(data, at)
            if found is None:
                raise Broken(f"a field is cut short at byte {at}")
            begin, at = found.begin, found.end
            if found.tag != tag and at <= end:
                continue
        if at > end:
            raise Broken(f"a field ends beyond its message, at byte {begin}")
        yield begin, at


def heads(
    request: bytes, begins: array[int], ends: array[int], size: int
) -> Iterator[npt.NDArray[np.uint8]]:
    """The first `size` bytes of each span, shorter ones filled up with zeros: (spans, size)."""
    data = np.frombuffer(request, np.uint8)
    first, last = np.frombuffer(begins, np.int64), np.frombuffer(ends, np.int64)
    for at in range(0, len(first), AT_ONCE):
        places = first[at : at + AT_ONCE, None] + np.arange(size)
        there = places < last[at : at + AT_ONCE, None]
        yield np.where(there, data[np.minimum(places, len(data) - 1)], 0).astype(np.uint8)
