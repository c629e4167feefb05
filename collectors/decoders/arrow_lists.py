"""Takes Arrow lists apart without copying their elements."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from collectors.decoders.strings import Ints
from collectors.raw import Numbers


@dataclass(frozen=True, slots=True)
class Ranges:
    """Where the elements of a binary or list array stand."""

    data: pa.Buffer | None
    offsets: Ints


@dataclass(frozen=True, slots=True)
class Flat:
    """The elements of all lists, and for each the number of its list."""

    values: pa.Array
    owner: Numbers


def ranges(array: pa.Array) -> Ranges:
    """The offsets of an array that has them, and the bytes of a binary one."""
    _, offsets, *rest = array.buffers()
    first = array.offset
    where = np.frombuffer(offsets, np.int32)[first : first + len(array) + 1] if offsets else [0]
    data = rest[0] if rest and not pa.types.is_list(array.type) else None
    return Ranges(data, np.asarray(where, np.int64))


def flat(lists: pa.ListArray, most: int | None = None) -> Flat:
    """The elements of all lists; of each list no more than the first `most`."""
    counts = np.diff(ranges(lists).offsets)
    values, rows = lists.flatten(), np.arange(len(lists), dtype=np.uint32)
    if most is None or not len(counts) or counts.max() <= most:
        return Flat(values, np.repeat(rows, counts))
    few = np.minimum(counts, most)
    owner = np.repeat(rows, few)
    nth = np.arange(len(owner)) - (np.cumsum(few) - few)[owner]
    return Flat(take(values, (np.cumsum(counts) - counts)[owner] + nth), owner)


def take(array: pa.Array, rows: Ints) -> pa.Array:
    """Those rows; `pa.array` would import pandas, where there is one."""
    places = np.ascontiguousarray(rows, np.int64)
    return array.take(pa.Array.from_buffers(pa.int64(), len(places), [None, pa.py_buffer(places)]))
