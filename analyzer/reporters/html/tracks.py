"""Which lane each step of an instance stands on, and the way of each edge between them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

MOST = 16  # lanes; beyond that edges share the last one rather than push the names away


@dataclass(frozen=True, slots=True)
class Track:
    """An edge: down from its source's lane, along its own, into its target's. Rows count from 0."""

    source: int
    target: int
    source_lane: int
    lane: int
    target_lane: int
    data: dict[str, Any]


@dataclass
class Lanes:
    """Lane of each row, and the tracks."""

    of_row: list[int] = field(default_factory=list)
    tracks: list[Track] = field(default_factory=list)

    @property
    def width(self) -> int:
        """Number of lanes in use, at least one."""
        used = [*self.of_row, *(track.lane for track in self.tracks)]
        return max(used, default=0) + 1


Edge = tuple[Hashable, Hashable, dict[str, Any]]


def assign(nodes: Sequence[Hashable], edges: Iterable[Edge]) -> Lanes:
    """Lanes as git draws them. `nodes` in the order of rows; edges lead downwards."""
    rows = {node: row for row, node in enumerate(nodes)}
    after: dict[Hashable, list[Edge]] = {node: [] for node in nodes}
    for source, target, data in edges:
        if source in rows and target in rows:
            after[source].append((source, target, data))
    waiting: list[Hashable | None] = []  # lane -> the node that it leads to
    made = Lanes()
    for node in nodes:
        own = _arrive(waiting, node)
        made.of_row.append(own)
        for _, target, data in sorted(after[node], key=lambda edge: rows[edge[1]]):
            lane = _depart(waiting, target, own)
            made.tracks.append(Track(rows[node], rows[target], own, lane, -1, data))
    made.tracks = [
        Track(t.source, t.target, t.source_lane, t.lane, made.of_row[t.target], t.data)
        for t in made.tracks
    ]
    return made


def _arrive(waiting: list[Hashable | None], node: Hashable) -> int:
    """The node's lane: the first that leads to it, else a free one. The others end here."""
    mine = [lane for lane, expected in enumerate(waiting) if expected == node]
    for lane in mine:
        waiting[lane] = None
    return mine[0] if mine else _free(waiting)


def _depart(waiting: list[Hashable | None], target: Hashable, own: int) -> int:
    """The lane on which an edge runs; one that leads there already is shared."""
    if target in waiting:
        return waiting.index(target)
    lane = own if waiting[own] is None else _free(waiting)
    waiting[lane] = target
    return lane


def _free(waiting: list[Hashable | None]) -> int:
    if None in waiting:
        return waiting.index(None)
    if len(waiting) >= MOST:
        return MOST - 1
    waiting.append(None)
    return len(waiting) - 1
