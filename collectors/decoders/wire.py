"""Walks the bytes of many protobuf KeyValues at once, in columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from collectors.decoders.scalars import double_text
from collectors.decoders.strings import Buffer, Ints, Patchwork, tiles

Bools = npt.NDArray[np.bool_]

KEY, VALUE = 0x0A, 0x12  # KeyValue.key, .value
STRING, BOOL, INT, DOUBLE = 0x0A, 0x10, 0x18, 0x21  # AnyValue
NONE, IRREGULAR = 0, 255  # no value; to be read by a real parser


@dataclass(frozen=True, slots=True)
class KeyValues:
    """Keys and values as text; `irregular` rows hold nothing yet: they need a real parser."""

    key: Patchwork
    value: Patchwork
    quoted: Bools
    irregular: Ints


@dataclass(frozen=True, slots=True)
class _Places:
    """Where the key and the value of each row stand."""

    key: Ints
    key_size: Ints
    value: Ints  # of a string its text; else the first byte after the tag
    value_size: Ints
    tag: npt.NDArray[np.uint8]  # of AnyValue; NONE, IRREGULAR


def walk(buffer: Buffer, start: Ints, end: Ints) -> KeyValues:
    """Read the KeyValue in each range [start, end). Raises NotUtf8.

    Only what every encoder writes is read here: a key, then a value that is a string, a bool, an
    integer or a double, to the last byte of the range. Anything else is told as irregular.
    """
    places = _places(buffer, start, end)
    string = places.tag == STRING
    key = Patchwork.of(buffer, places.key, places.key_size)
    value = Patchwork.of(buffer, places.value, np.where(string, places.value_size, 0))
    quoted = string | (places.tag == NONE)
    for tag, reader in ((INT, _ints), (BOOL, _bools), (DOUBLE, _doubles)):
        rows = np.flatnonzero(places.tag == tag)
        if len(rows):
            values, as_text = reader(buffer, places.value[rows])
            value.patch(rows, values)
            quoted[rows] = as_text
    return KeyValues(key, value, quoted, np.flatnonzero(places.tag == IRREGULAR))


def _places(buffer: Buffer, start: Ints, end: Ints) -> _Places:
    rows = len(start)
    key, key_size, value, value_size = (np.empty(rows, np.int64) for _ in range(4))
    places = _Places(key, key_size, value, value_size, np.empty(rows, np.uint8))
    for tile in tiles(rows):
        _locate(buffer, start[tile], end[tile], places, tile)
    return places


def _locate(buffer: Buffer, start: Ints, end: Ints, into: _Places, tile: slice) -> None:
    limit = buffer.size
    good = (buffer.bytes[start] == KEY) & (end > start)
    key_size, key = _varint(buffer, start + 1)
    key_end = key + key_size
    good &= (key_size >= 0) & (key_end < end)
    np.minimum(key_end, limit, out=key_end)
    good &= buffer.bytes[key_end] == VALUE
    size, inner = _varint(buffer, key_end + 1)
    good &= inner + size == end
    np.minimum(inner, limit, out=inner)
    tag = buffer.bytes[inner]
    tag[size == 0] = NONE
    text_size, text = _varint(buffer, inner + 1)
    fits = np.where(tag == STRING, (text_size >= 0) & (text + text_size == end), False)
    fits |= ((tag == BOOL) | (tag == INT)) & (text == end)
    fits |= (tag == DOUBLE) & (inner + 9 == end)
    good &= fits | (tag == NONE)
    tag[~good] = IRREGULAR
    into.key[tile] = np.where(good, key, start)
    into.key_size[tile] = np.where(good, key_size, 0)
    into.value[tile] = np.where(tag == STRING, text, np.where(good, inner + 1, start))
    into.value_size[tile] = text_size
    into.tag[tile] = tag


def _varint(buffer: Buffer, at: Ints) -> tuple[Ints, Ints]:
    """(value, position after it) of a varint at each position; past the end it is 0."""
    limit = buffer.size
    value = buffer.bytes[np.minimum(at, limit)].astype(np.int64)
    after = at + 1
    rows = np.flatnonzero(value & 0x80)
    if not len(rows):
        return value, after
    value[rows] &= 0x7F
    for shift in range(7, 64, 7):
        byte = buffer.bytes[np.minimum(after[rows], limit)].astype(np.int64)
        value[rows] |= (byte & 0x7F) << np.int64(shift)
        after[rows] += 1
        rows = rows[byte & 0x80 != 0]
        if not len(rows):
            break
    return value, after


def _ints(buffer: Buffer, at: Ints) -> tuple[pl.Series, bool]:
    return pl.Series(_varint(buffer, at)[0]).cast(pl.String()), False


def _bools(buffer: Buffer, at: Ints) -> tuple[pl.Series, bool]:
    words = pl.Series(["false", "true"])
    return words.gather(pl.Series((_varint(buffer, at)[0] != 0).astype(np.uint32))), False


def _doubles(buffer: Buffer, at: Ints) -> tuple[pl.Series, Bools]:
    numbers = buffer.words[at].view(np.float64)
    texts = [double_text(number) for number in numbers.tolist()]
    return pl.Series(texts, dtype=pl.String()), ~np.isfinite(numbers)
