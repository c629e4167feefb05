"""Distinct members of groups, counted by tables and not by hashing."""

from __future__ import annotations

import numpy as np

from analyzer.codes import Ints

_ROOM = 1 << 20  # entries of a table: 8 MB, about what stays in cache


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
