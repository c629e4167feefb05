"""Integer codes for ids and words: dictionary encoding, exact hashed look-ups, pointer jumping."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

Ints: TypeAlias = npt.NDArray[np.int64]
Flags: TypeAlias = npt.NDArray[np.bool_]
Words: TypeAlias = npt.NDArray[np.uint64]
Columns: TypeAlias = Sequence[npt.NDArray[Any]]  # of 64-bit integers, all of one length

_ODD = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio: spreads what it multiplies
_ROUNDS = 16  # of hashing; each leaves less than a fifth, so that what is left means to collide
_DENSE = 4  # slots a row: up to here a table by value is smaller than one by hash
_ROOM = 1 << 20  # slots of a table that stays in cache


def words(series: pl.Series) -> Words:
    """An unsigned 64-bit column as numpy; nulls become 0."""
    known = series.fill_null(0) if series.null_count() else series
    return known.to_numpy().astype(np.uint64, copy=False)


def ints(series: pl.Series, null: int = -1) -> Ints:
    """A numeric or categorical column as int64 codes; nulls become `null`."""
    if isinstance(series.dtype, pl.Categorical):
        series = series.to_physical()
        if null == -1 and series.dtype == pl.UInt32 and series.null_count():
            # codes end far below 2^31
            return series.fill_null(0xFFFFFFFF).to_numpy().view(np.int32).astype(np.int64)
    if not series.null_count():
        return series.to_numpy().astype(np.int64, copy=False)
    return series.cast(pl.Int64).fill_null(null).to_numpy()


def flags(series: pl.Series) -> Flags:
    """A boolean column as numpy; nulls become False."""
    known = series.fill_null(False) if series.null_count() else series
    return known.to_numpy().astype(np.bool_, copy=False)


def mix(*parts: Words) -> Words:
    """One 64-bit hash of several columns. Collisions happen: verify what was joined on it."""
    mixed = parts[0].copy()
    for part in parts[1:]:
        mixed = (mixed ^ (mixed >> np.uint64(29))) * _ODD
        mixed ^= part
    return mixed


def encode(values: npt.NDArray[np.generic]) -> tuple[Ints, Ints]:
    """(code of each value, row of first appearance of each code); codes count up from 0."""
    return combine(values)


def first_rows(codes: Ints, count: int) -> Ints:
    """Row of the first appearance of each of `count` codes."""
    first = np.empty(count, dtype=np.int64)
    first[codes[::-1]] = np.arange(len(codes) - 1, -1, -1)
    return first


def combine(*columns: npt.NDArray[np.generic]) -> tuple[Ints, Ints]:
    """Dictionary codes of the rows' tuples, exactly; see `encode`."""
    earliest = _earliest(columns)
    first = np.flatnonzero(earliest == np.arange(len(earliest)))
    code_of = np.empty(len(earliest), dtype=np.int64)
    code_of[first] = np.arange(len(first))
    return code_of[earliest], first


def _earliest(columns: Columns) -> Ints:
    """For each row, the first row that has the same value in every column."""
    said = [c for c in columns if len(c) and c.min() != c.max()]
    if not said:  # most attributes are absent everywhere
        return np.zeros(len(columns[0]), dtype=np.int64)
    if (close := _slots_by_value(said)) is not None:
        return np.arange(len(said[0]))[_firsts_in(*close)[close[0]]]
    hashed, earliest = _hash(said), np.empty(len(said[0]), dtype=np.int64)
    rows = np.arange(len(hashed))  # those still waiting
    for turn in range(_ROUNDS):
        slot, count = _slots(hashed, len(rows), turn)
        found = rows[_firsts_in(slot, count)[slot]]
        same = _equal(said, found, said, rows)
        earliest[rows[same]] = found[same]
        rows, hashed = rows[~same], hashed[~same]
        if not len(rows):
            return earliest
    earliest[rows] = rows[_earliest_by_sorting([c[rows] for c in said])]
    return earliest


def _slots_by_value(columns: Columns) -> tuple[Ints, int] | None:
    """(slot of each row's tuple, number of slots) where the values lie close enough together for
    a table of them all, as with names of services and destinations; else None."""
    room = max(_ROOM, _DENSE * len(columns[0]))
    slot, count = np.zeros(1, dtype=np.int64), 1
    for column in columns:
        low, high = int(column.min()), int(column.max())
        if high - low >= room:
            return None
        other = (column if low == 0 else column - low).astype(np.int64, copy=False)
        others = high - low + 1
        if count * others > room:
            slot, count = _without_gaps(slot, count)
        if count * others > room:
            other, others = _without_gaps(other, others)
        if count * others > room:
            return None
        slot, count = slot * others + other, count * others
    return slot.astype(np.int64, copy=False), count


def _without_gaps(slot: npt.NDArray[Any], count: int) -> tuple[Ints, int]:
    """The slots counted anew, without those that no row has."""
    taken = np.zeros(count, dtype=np.bool_)
    taken[slot] = True
    place = np.cumsum(taken) - 1
    return place[slot], int(place[-1]) + 1


def _firsts_in(slot: Ints, count: int) -> npt.NDArray[np.int32]:
    """The first row of each slot that has any; the other slots are not to be read."""
    table = np.empty(count, dtype=np.int32)
    table[slot[::-1]] = np.arange(len(slot) - 1, -1, -1)
    return table


def _slots(hashed: Words, rows: int, turn: int) -> tuple[Ints, int]:
    """Slots in a table of at least twice `rows`, another for each turn."""
    bits = max(4, (2 * rows).bit_length())
    multiplier = np.uint64(int(_ODD) * (2 * turn + 1) % 2**64)
    return ((hashed * multiplier) >> np.uint64(64 - bits)).view(np.int64), 1 << bits


def _hash(columns: Columns) -> Words:
    mixed = columns[0].view(np.uint64) * _ODD
    for column in columns[1:]:
        mixed ^= mixed >> np.uint64(29)
        mixed += column.view(np.uint64)
        mixed *= _ODD
    mixed ^= mixed >> np.uint64(32)
    return mixed


def _equal(left: Columns, at: npt.NDArray[Any], right: Columns, rows: Ints) -> Flags:
    """Whether row `at` of `left` is row `rows` (ascending) of `right`, one by one."""
    same = np.ones(len(at), dtype=np.bool_)
    for one, other in zip(left, right, strict=True):
        same &= one[at] == (other if len(rows) == len(other) else other[rows])
    return same


def _earliest_by_sorting(columns: Columns) -> Ints:
    """The slow way, for values that were made to collide."""
    order = np.lexsort(tuple(columns))
    change = np.ones(len(order), dtype=np.bool_)
    change[1:] = np.logical_or.reduce([c[order[1:]] != c[order[:-1]] for c in columns])
    earliest = np.empty(len(order), dtype=np.int64)
    earliest[order] = order[change][np.cumsum(change) - 1]  # lexsort is stable: the first row
    return earliest


def distinct(columns: tuple[Ints, Ints]) -> tuple[Ints, Ints]:
    """The distinct pairs of two non-negative columns, sorted by the first, then the second."""
    width = int(columns[1].max(initial=0)) + 1
    packed = np.sort(columns[0] * width + columns[1])
    fresh = np.ones(len(packed), dtype=np.bool_)
    fresh[1:] = packed[1:] != packed[:-1]
    packed = packed[fresh]
    return packed // width, packed % width


def trace_codes(hi: Words, lo: Words) -> tuple[Ints, Ints]:
    """Dictionary codes of trace ids by first appearance."""
    return combine(lo, hi)


def look_up(table: Columns, query: Columns) -> Ints:
    """Row in `table` of each (trace_hi, trace_lo, span_id) of `query`; -1 where it is not there."""
    result = np.full(len(query[0]), -1, dtype=np.int64)
    if not len(query[0]) or not len(table[0]):
        return result
    held, asked = _hash(table), _hash(query)
    rows, wanted = np.arange(len(held)), np.arange(len(asked))
    for turn in range(_ROUNDS):
        slot, count = _slots(held, len(rows), turn)
        place = np.full(count, -1, dtype=np.int32)
        place[slot[::-1]] = rows[::-1]
        at = place[_slots(asked, len(rows), turn)[0]]
        there = at >= 0  # where nothing was put nothing is to be found, now or later
        same = there & _equal(table, at, query, wanted)
        result[wanted[same]] = at[same]
        lost, open_ = np.flatnonzero(place[slot] != rows), np.flatnonzero(there & ~same)
        rows, held, wanted, asked = rows[lost], held[lost], wanted[open_], asked[open_]
        if not len(rows) or not len(wanted):
            return result
    result[wanted] = _look_up_by_join(table, [column[wanted] for column in query])
    return result


def _look_up_by_join(table: Columns, query: Columns) -> Ints:
    """The slow way, for ids that were made to collide."""
    names = ["hi", "lo", "span"]
    held = pl.DataFrame(dict(zip(names, table, strict=True))).with_row_index("row")
    held = held.unique(names, keep="first", maintain_order=True)
    asked = pl.DataFrame(dict(zip(names, query, strict=True)))
    return ints(asked.join(held, on=names, how="left", maintain_order="left")["row"])


def jump(pointer: Ints, stop: Flags) -> Ints:
    """Follow `pointer` (row or -1) from each row to the first row where `stop` holds, itself
    included; -1 where the chain ends before. Pointer doubling: log2 of the longest chain steps."""
    reach = np.where(stop, np.arange(len(pointer)), pointer)
    moving = np.flatnonzero(~stop & (pointer >= 0))  # what has arrived drops out
    for _ in range(len(pointer).bit_length() + 1):
        at = reach[moving]
        following = reach[at]
        reach[moving] = following
        moving = moving[(following >= 0) & (following != at)]
        if not len(moving):
            break
    reach[moving] = -1  # only circles go on for so long
    return reach


def matches(left: Ints, right: Ints, count: int) -> tuple[Ints, Ints]:
    """All pairs (position in `left`, position in `right`) of equal codes below `count`."""
    order = np.argsort(right, kind="stable")
    many = np.bincount(right, minlength=count)
    before = np.cumsum(many) - many
    times = many[left]
    one = np.repeat(np.arange(len(left)), times)
    nth = np.arange(len(one)) - np.repeat(np.cumsum(times) - times, times)
    return one, order[before[left[one]] + nth]


def of_words(words_: pl.Series, judge: Callable[[pl.Series], pl.Series]) -> Flags:
    """`judge` of a column of few distinct words, asked once a distinct one; nulls are False."""
    codes = ints(words_) if words_.null_count() else words_.to_physical().to_numpy()
    told = np.zeros(int(codes.max(initial=0)) + 2, dtype=np.bool_)
    told[codes] = True
    known = np.flatnonzero(told[:-1]).astype(np.uint32)  # the last one: nulls
    told[-1] = False
    told[known] = flags(judge(pl.Series(known).cat.to(pl.Categorical()).cast(pl.String)))
    return told[codes]


def connected(count: int, source: Ints, target: Ints) -> Ints:
    """The lowest member of the component of each of `count` nodes, over undirected edges.

    Every root hooks onto its lowest neighbour, then all paths are made one step long; of the
    roots that have an edge, two rounds leave at most half (scipy does the same in C, but takes
    longer to import than most recordings take to analyse).
    """
    root = np.arange(count, dtype=np.int64)
    while True:
        a, b = root[source], root[target]
        apart = a != b
        if not apart.any():
            return root
        source, target = source[apart], target[apart]
        low, high = np.minimum(a[apart], b[apart]), np.maximum(a[apart], b[apart])
        np.minimum.at(root, high, low)
        _shorten(root)


def _shorten(root: Ints) -> None:
    """Make every row point at the end of its path."""
    while True:
        following = root[root]
        if np.array_equal(following, root):
            return
        root[:] = following
