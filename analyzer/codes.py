"""Integer codes for ids and words: dictionary encoding, exact hashed look-ups, pointer jumping."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

Ints: TypeAlias = npt.NDArray[np.int64]
Flags: TypeAlias = npt.NDArray[np.bool_]
Words: TypeAlias = npt.NDArray[np.uint64]

_ODD = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio: spreads what it multiplies


def words(series: pl.Series) -> Words:
    """An unsigned 64-bit column as numpy; nulls become 0."""
    return series.fill_null(0).to_numpy().astype(np.uint64, copy=False)


def ints(series: pl.Series, null: int = -1) -> Ints:
    """A numeric or categorical column as int64 codes; nulls become `null`."""
    if isinstance(series.dtype, pl.Categorical):
        series = series.to_physical()
    return series.cast(pl.Int64).fill_null(null).to_numpy().astype(np.int64, copy=False)


def flags(series: pl.Series) -> Flags:
    """A boolean column as numpy; nulls become False."""
    return series.fill_null(False).to_numpy().astype(np.bool_, copy=False)


def mix(*parts: Words) -> Words:
    """One 64-bit hash of several columns. Collisions happen: verify what was joined on it."""
    mixed = parts[0].copy()
    for part in parts[1:]:
        mixed = (mixed ^ (mixed >> np.uint64(29))) * _ODD
        mixed ^= part
    return mixed


def encode(values: npt.NDArray[np.generic]) -> tuple[Ints, Ints]:
    """(code of each value, row of first appearance of each code); codes count up from 0."""
    codes, count = _codes(values)
    return codes, first_rows(codes, count)


def _codes(values: npt.NDArray[np.generic]) -> tuple[Ints, int]:
    encoded = pc.dictionary_encode(pa.array(values))
    return encoded.indices.to_numpy().astype(np.int64), len(encoded.dictionary)


def first_rows(codes: Ints, count: int) -> Ints:
    """Row of the first appearance of each of `count` codes."""
    first = np.empty(count, dtype=np.int64)
    first[codes[::-1]] = np.arange(len(codes) - 1, -1, -1)
    return first


def combine(*columns: Ints) -> tuple[Ints, Ints]:
    """Dictionary codes of the rows' tuples, exactly; see `encode`."""
    codes, count = _codes(columns[0])
    for column in columns[1:]:
        if len(column) and column.min() == column.max():
            continue  # a column that says nothing: most attributes are absent everywhere
        other, width = _codes(column)
        codes, count = _codes(codes * width + other)
    return codes, first_rows(codes, count)


def distinct(columns: tuple[Ints, Ints]) -> tuple[Ints, Ints]:
    """The distinct pairs of two non-negative columns, sorted by the first, then the second."""
    width = int(columns[1].max(initial=0)) + 1
    packed = np.sort(pc.unique(pa.array(columns[0] * width + columns[1])).to_numpy())
    return packed // width, packed % width


def trace_codes(hi: Words, lo: Words) -> tuple[Ints, Ints]:
    """Dictionary codes of trace ids by first appearance, verified against hash collisions."""
    codes, first = encode(mix(hi, lo))
    if bool((hi == hi[first][codes]).all() and (lo == lo[first][codes]).all()):
        return codes, first
    return combine(hi.view(np.int64), lo.view(np.int64))


def look_up(table: tuple[Words, Words, Words], query: tuple[Words, Words, Words]) -> Ints:
    """Row in `table` of each (trace_hi, trace_lo, span_id) of `query`; -1 where it is not there."""
    if not len(query[0]) or not len(table[0]):
        return np.full(len(query[0]), -1, dtype=np.int64)
    found = pc.index_in(pa.array(mix(*query)), value_set=pa.array(mix(*table)))
    rows = np.asarray(found.fill_null(-1).to_numpy(zero_copy_only=False), dtype=np.int64)
    same = rows >= 0
    for column, wanted in zip(table, query, strict=True):
        same &= column[rows] == wanted
    collided = (rows >= 0) & ~same
    rows[collided] = [_scan(table, query, int(row)) for row in np.flatnonzero(collided)]
    return rows


def _scan(table: tuple[Words, Words, Words], query: tuple[Words, Words, Words], row: int) -> int:
    """The slow, exact look-up for the rare hash collision."""
    hits = np.flatnonzero(
        (table[0] == query[0][row]) & (table[1] == query[1][row]) & (table[2] == query[2][row])
    )
    return int(hits[0]) if len(hits) else -1


def jump(pointer: Ints, stop: Flags) -> Ints:
    """Follow `pointer` (row or -1) from each row to the first row where `stop` holds, itself
    included; -1 where the chain ends before. Pointer doubling: log2 of the longest chain steps."""
    reach = np.where(stop, np.arange(len(pointer)), pointer)
    while True:
        inside = reach >= 0
        following = np.where(inside, reach[reach], -1)
        if np.array_equal(following, reach):
            return reach
        reach = following
