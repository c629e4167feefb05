"""Walks the bytes of many protobuf KeyValues at once, in columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from collectors.decoders.scalars import double_text
from collectors.decoders.strings import Buffer, Ints, merged

Bools = npt.NDArray[np.bool_]

KEY, VALUE = 0x0A, 0x12  # KeyValue.key, .value
STRING, BOOL, INT, DOUBLE = 0x0A, 0x10, 0x18, 0x21  # AnyValue


@dataclass(frozen=True, slots=True)
class KeyValues:
    """Keys and values as text; `irregular` rows were not read: they need a real parser."""

    key: pl.Series
    value: pl.Series
    quoted: Bools
    irregular: Ints


def walk(buffer: Buffer, start: Ints, end: Ints) -> KeyValues:
    """Read the KeyValue in each range [start, end). Raises NotUtf8.

    Only what every encoder writes is read here: a key, then a value that is a string, a bool, an
    integer or a double, to the last byte of the range. Anything else is told as irregular.
    """
    limit = len(buffer.words) - 1
    good = buffer.bytes[np.minimum(start, limit)] == KEY
    key_length, key = _varint(buffer, start + 1, good)
    key_end = key + key_length
    good &= (key_end < end) & (buffer.bytes[np.minimum(key_end, limit)] == VALUE)
    size, inner = _varint(buffer, key_end + 1, good)
    good &= inner + size == end
    none = good & (size == 0)
    tag = np.where(size > 0, buffer.bytes[np.minimum(inner, limit)], 0)
    parts, read = [], none.copy()
    for wanted, reader in ((STRING, _strings), (INT, _ints), (BOOL, _bools), (DOUBLE, _doubles)):
        rows = np.flatnonzero(good & (tag == wanted))
        if len(rows):
            fits, values = reader(buffer, inner[rows] + 1, end[rows])
            parts.append((rows[fits], values))
            read[rows[fits]] = True
    irregular = np.flatnonzero(~read)
    key_at, key_size = np.where(read, key, 0), np.where(read, key_length, 0)
    quoted = (tag == STRING) | none
    if DOUBLE in tag:
        quoted |= _not_finite(buffer, inner, tag == DOUBLE)
    keys = buffer.text(key_at, key_size)
    return KeyValues(keys, merged(parts, len(start)), quoted, irregular)


def _varint(buffer: Buffer, at: Ints, active: Bools) -> tuple[Ints, Ints]:
    """(value, position after it) of a varint at each position; inactive rows give rubbish."""
    limit = len(buffer.words) - 1
    at = np.minimum(at, limit)
    byte = buffer.bytes[at].astype(np.int64)
    value, after = byte & 0x7F, at + 1
    rows = np.flatnonzero((byte & 0x80 != 0) & active)
    shift = 7
    while len(rows) and shift < 64:
        byte = buffer.bytes[np.minimum(after[rows], limit)].astype(np.int64)
        value[rows] |= (byte & 0x7F) << np.int64(shift)
        after[rows] += 1
        rows = rows[byte & 0x80 != 0]
        shift += 7
    return value, after


def _all(at: Ints) -> Bools:
    return np.ones(len(at), np.bool_)


def _strings(buffer: Buffer, at: Ints, end: Ints) -> tuple[Bools, pl.Series]:
    length, start = _varint(buffer, at, _all(at))
    fits = (length >= 0) & (start + length == end)
    return fits, buffer.text(start[fits], length[fits])


def _ints(buffer: Buffer, at: Ints, end: Ints) -> tuple[Bools, pl.Series]:
    value, after = _varint(buffer, at, _all(at))
    fits = after == end
    return fits, pl.Series(value[fits]).cast(pl.String())


def _bools(buffer: Buffer, at: Ints, end: Ints) -> tuple[Bools, pl.Series]:
    value, after = _varint(buffer, at, _all(at))
    fits = after == end
    words = pl.Series(["false", "true"])
    return fits, words.gather(pl.Series((value[fits] != 0).astype(np.uint32)))


def _doubles(buffer: Buffer, at: Ints, end: Ints) -> tuple[Bools, pl.Series]:
    fits = at + 8 == end
    numbers = buffer.words[at[fits]].view(np.float64)
    return fits, pl.Series([double_text(number) for number in numbers.tolist()], dtype=pl.String())


def _not_finite(buffer: Buffer, inner: Ints, double: Bools) -> Bools:
    rows = np.flatnonzero(double)
    at = np.minimum(inner[rows] + 1, len(buffer.words) - 1)
    result = np.zeros(len(double), np.bool_)
    result[rows] = ~np.isfinite(buffer.words[at].view(np.float64))
    return result
