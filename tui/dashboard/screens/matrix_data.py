"""Services x services: how much work each one starts in each other, clusters standing together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import networkx as nx
    import polars as pl

MEASURES = ("calls", "instances", "errors")
LEVELS = 5
SEED = 1  # of the clustering: the same services stand in the same order


@dataclass(frozen=True, slots=True)
class Matrix:
    """Cells by (row, column) of `names`; the row starts the work, the column does it."""

    names: tuple[str, ...]
    cluster: tuple[int, ...]  # of each name
    values: Mapping[str, Mapping[tuple[int, int], int]]  # by measure
    top: Mapping[str, int]

    def level(self, measure: str, at: tuple[int, int]) -> int:
        """0 for nothing, then 1 to LEVELS; each one takes the same factor."""
        value = self.values[measure].get(at, 0)
        most = self.top[measure]
        if value <= 0:
            return 0
        return LEVELS if most <= 1 else 1 + min(int(LEVELS * log(value) / log(most)), LEVELS - 1)

    def bounds(self, measure: str) -> list[int]:
        """The least value of each level, for the legend."""
        most = max(self.top[measure], 1)
        return [max(1, -int(-(most ** (step / LEVELS)) // 1)) for step in range(LEVELS)]


def matrix(edges: pl.DataFrame) -> Matrix:
    """Of the service edges. For hundreds of services: a worker's task."""
    import polars as pl

    summed = (
        edges.group_by("source", "target")
        .agg(pl.col("calls").sum(), pl.col("instances").max(), pl.col("errors").sum())
        .sort("source", "target")
    )
    names, cluster = ordered(list(summed.select("source", "target", "calls").iter_rows()))
    place = {name: at for at, name in enumerate(names)}
    pairs = [(place[s], place[t]) for s, t in summed.select("source", "target").iter_rows()]
    values = {
        measure: dict(zip(pairs, summed[measure].to_list(), strict=True)) for measure in MEASURES
    }
    top = {measure: max(cells.values(), default=0) for measure, cells in values.items()}
    return Matrix(tuple(names), tuple(cluster), values, top)


def ordered(edges: Sequence[tuple[str, str, int]]) -> tuple[list[str], list[int]]:
    """The services so that those that work much with each other are neighbours, and clusters.

    Clusters are Louvain communities (Blondel et al. 2008), the largest first; inside of one the
    busiest first. Deterministic: numbers and a seed, no hashes of names.
    """
    names = sorted({name for source, target, _ in edges for name in (source, target)})
    number = {name: at for at, name in enumerate(names)}
    work = [0] * len(names)
    graph = _graph(len(names), sorted((number[s], number[t], calls) for s, t, calls in edges))
    for source, target, calls in edges:
        work[number[source]] += calls
        work[number[target]] += calls
    groups = [sorted(group, key=lambda at: (-work[at], at)) for group in _communities(graph)]
    groups.sort(key=lambda group: (-len(group), -sum(work[at] for at in group), group[0]))
    order = [(at, cluster) for cluster, group in enumerate(groups) for at in group]
    return [names[at] for at, _ in order], [cluster for _, cluster in order]


def _graph(count: int, edges: Sequence[tuple[int, int, int]]) -> nx.Graph[int]:
    import networkx as nx

    graph: nx.Graph[int] = nx.Graph()
    graph.add_nodes_from(range(count))
    for source, target, calls in edges:
        before = graph.get_edge_data(source, target, {"weight": 0.0})["weight"]
        graph.add_edge(source, target, weight=before + log(2 + max(calls, 0)))
    return graph


def _communities(graph: nx.Graph[int]) -> list[set[int]]:
    import networkx as nx

    if graph.number_of_edges() == 0:
        return [set(graph)] if len(graph) else []
    return list(nx.community.louvain_communities(graph, weight="weight", seed=SEED))
