"""Walks over steps as arrays: how a run came into each service, and how deep a chain is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from analyzer.codes import Flags, Ints, ints

_CONSUMING = ("process", "receive")


@dataclass(frozen=True)
class Ends:
    """Both ends of every edge, one value an edge: rows in `steps` and service codes."""

    service: Ints  # of every step
    source: Ints
    target: Ints
    source_service: Ints
    target_service: Ints
    is_message: Flags  # a message was handed over
    crosses: Flags  # between two services

    @property
    def inside(self) -> Flags:
        """Neither a message nor between services: the run goes on where it was."""
        return ~self.is_message & ~self.crosses


def ends(steps: pl.DataFrame, edges: pl.DataFrame) -> Ends:
    """Both ends of `edges` (EDGES; `kind` is not read)."""
    service = ints(steps["service"])
    source, target = ints(edges["source"]), ints(edges["target"])
    crosses = service[source] != service[target]
    sends = is_any(steps["kind"], ("send",))[source]
    consumes = is_any(steps["kind"], _CONSUMING)[target]
    is_message = (consumes & (sends | crosses)) | (sends & crosses)
    return Ends(service, source, target, service[source], service[target], is_message, crosses)


def is_any(column: pl.Series, names: tuple[str, ...]) -> Flags:
    """Where a categorical column is one of the names."""
    codes = ints(column)
    chosen = ints(pl.Series(names, dtype=pl.Categorical()))  # the codes are one vocabulary
    table = np.zeros(max(int(codes.max(initial=0)), int(chosen.max())) + 2, dtype=np.bool_)
    table[chosen] = True
    return table[codes]  # a null is -1, the last one: False


def first_source(count: int, source: Ints, target: Ints) -> Ints:
    """The earliest source of each of `count` steps, -1 where none: same for any order of edges."""
    earliest = np.full(count, np.iinfo(np.int64).max, dtype=np.int64)
    np.minimum.at(earliest, target, source)
    earliest[earliest == np.iinfo(np.int64).max] = -1
    return earliest


def climb(parent: Ints, weight: Ints) -> tuple[Ints, Ints]:
    """(top of each row's chain of parents, sum of weights on the way); -1 = no parent.

    Pointer doubling: log2 of the longest chain rounds. `weight` counts the way from a row to its
    parent. A circle, which stitching never leaves, ends the walk after log2(rows) + 1 rounds.
    """
    top = np.where(parent < 0, np.arange(len(parent), dtype=np.int64), parent)
    total = np.where(parent < 0, 0, weight)
    climbing = np.flatnonzero(parent >= 0)  # what has arrived drops out: most chains are short
    for _ in range(len(parent).bit_length() + 1):
        at = top.take(climbing)
        following = top.take(at)
        moving = following != at
        climbing, at = climbing[moving], at[moving]
        if not len(climbing):
            break
        total[climbing] += total.take(at)
        top[climbing] = following[moving]
    return top, total


@dataclass(frozen=True)
class Visits:
    """How the run came into each step's service; one value a step."""

    entry: Ints  # the step through which the run came in
    came_from: Ints  # the step before `entry`, in the service before; -1 at a beginning


def visits(steps: int, ends: Ends, forward: Flags) -> Visits:
    """Entry and origin of each of `steps` steps, over the crossing edges where `forward` holds.

    Where a step has several edges into it, the earliest source counts; a crossing or a message
    goes before an edge inside the service.
    """
    into = forward & (ends.crosses | ends.is_message)
    origin = first_source(steps, ends.source[into], ends.target[into])
    inside = ends.inside
    parent = first_source(steps, ends.source[inside], ends.target[inside])
    entered = first_source(steps, ends.source[~inside], ends.target[~inside]) >= 0
    parent[entered] = -1
    entry, _ = climb(parent, np.zeros(steps, dtype=np.int64))
    return Visits(entry, origin[entry])
