"""Makes store.json anew: the salt it holds is found again in the checksums of the log."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import google_crc32c

from collectors.store.frames import HEADER, MAGIC, SIZE, VERSION, Frame, scan

SALT = 16  # bytes
STATES = 8  # that are tried: a payload may hold what looks like frames of another store


def salt_of(segments: Sequence[Path]) -> bytes | None:
    """A salt under which these segments can be read, None where no frame of theirs is whole.

    A header's checksum depends on the salt by 32 bits only, the CRC of it: each whole frame tells
    them, and any salt that has the same CRC will do.
    """
    states: Counter[int] = Counter()
    for segment in segments:
        states.update(_states(segment.read_bytes()))
    salts = [_with_crc(state) for state, _ in states.most_common(STATES)]
    return max(salts, key=lambda salt: readable(segments, salt), default=None)


def readable(segments: Sequence[Path], salt: bytes) -> int:
    """How many bytes of the segments are in whole frames."""
    items = (item for segment in segments for item in scan(segment.read_bytes(), salt))
    return sum(item.end - item.begin for item in items if isinstance(item, Frame))


def _states(data: bytes) -> Iterator[int]:
    """The CRC of the salt, as each frame tells it whose payload is as it was written."""
    at = data.find(MAGIC)
    while at >= 0:
        head, end = data[at : at + HEADER.size], at + SIZE
        if end > len(data):
            return
        _, version, _, _, stored, _, _, _, crc = HEADER.unpack(head)
        if version == VERSION and google_crc32c.value(data[end : end + stored]) == crc:
            told = int.from_bytes(data[at + HEADER.size : end], "little")
            yield _solved(partial(_extended, head), told)
        at = data.find(MAGIC, at + 1)


def _extended(head: bytes, state: int) -> int:
    return int(google_crc32c.extend(state, head))


def _with_crc(state: int) -> bytes:
    """A salt with that CRC; its first bytes are of chance."""
    begin = secrets.token_bytes(SALT - 4)
    rest = _solved(lambda word: google_crc32c.value(begin + word.to_bytes(4)), state)
    return begin + rest.to_bytes(4)


def _solved(crc: Callable[[int], int], wanted: int) -> int:
    """The 32 bits of which `crc` makes what is wanted: each bit flips always the same others."""
    nothing = crc(0)
    known: dict[int, tuple[int, int]] = {}  # by highest bit: (what is flipped, by which bits)
    for bit in range(32):
        flipped, by = _reduced(known, crc(1 << bit) ^ nothing, 1 << bit)
        if flipped:
            known[flipped.bit_length()] = flipped, by
    return _reduced(known, wanted ^ nothing, 0)[1]


def _reduced(known: dict[int, tuple[int, int]], flipped: int, by: int) -> tuple[int, int]:
    while flipped and (one := known.get(flipped.bit_length())):
        flipped, by = flipped ^ one[0], by ^ one[1]
    return flipped, by
