"""Few distinct tuples among many rows of codes, by tables and not by hashing."""

from __future__ import annotations

import numpy as np

from analyzer.codes import Ints, combine

_ROOM = 1 << 20  # entries of a table: 8 MB, about what stays in cache


def distinct(*columns: Ints) -> tuple[Ints, Ints]:
    """(code of each row's tuple, a row of each code), as `combine` does, in no special order.

    Takes codes from -1 on. Where the product of the columns' widths is small, as with names of
    services and destinations, this is several times faster than a dictionary.
    """
    codes, width = _packed(columns[0])
    for column in columns[1:]:
        other, others = _packed(column)
        if width * others > _ROOM:
            return combine(*columns)
        codes, width = _packed(codes * others + other)
    first = np.empty(width, dtype=np.int64)
    first[codes[::-1]] = np.arange(len(codes) - 1, -1, -1)
    return codes, first


def count_distinct(groups: Ints, members: Ints) -> Ints:
    """For each group code from 0 on, how many different members (codes from 0 on) it has."""
    width = int(members.max(initial=0)) + 1
    height = int(groups.max(initial=-1)) + 1
    if width * height <= 64 * _ROOM:  # 64 MB of booleans
        seen = np.zeros(height * width, dtype=np.bool_)
        seen[groups * width + members] = True
        counts: Ints = seen.reshape(height, width).sum(axis=1, dtype=np.int64)
        return counts
    pairs = np.unique(groups * width + members)
    return np.bincount(pairs // width, minlength=height).astype(np.int64)


def _packed(column: Ints) -> tuple[Ints, int]:
    """Codes without gaps from 0 on, and their number."""
    seen = np.zeros(int(column.max(initial=-1)) + 2, dtype=np.bool_)
    seen[column] = True  # -1 is the last one
    place = np.cumsum(seen) - 1
    return place[column], int(place[-1]) + 1
