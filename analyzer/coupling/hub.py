"""Services that much of the others' work goes through."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from analyzer.coupling.facts import Facts
from analyzer.coupling.score import MIN_INSTANCES, hotspot, percent, share
from analyzer.finding import Hotspot

if TYPE_CHECKING:
    import networkx as nx  # slow to import: only where there is a hub

MIN_SERVICES = 6  # among five, the quartiles below are two services each: no peers to speak of
FAR_OUT = 3.0  # interquartile ranges: Tukey's "far out"; 1.5 finds one in any handful of services
MAX_NODES = 400  # above, betweenness is estimated from this many sources (seeded)


def hubs(facts: Facts) -> Iterator[Hotspot]:
    """Services with work coming in and going out that have far more neighbours than the others."""
    neighbours = _neighbours(facts)
    if len(neighbours) < MIN_SERVICES or len(facts.instances) < MIN_INSTANCES:
        return
    limit = _fence([len(others) for others in neighbours.values()])
    # work comes in and goes out: neither an entry nor something that all use
    between = {source for source, _ in facts.links} & {target for _, target in facts.links}
    chosen = [n for n in sorted(between) if len(neighbours[n]) >= limit]
    if chosen:
        yield from _told(facts, chosen)


def _neighbours(facts: Facts) -> dict[int, set[int]]:
    """Who has to do with each service that has to do with any."""
    found: dict[int, set[int]] = {}
    for source, target in facts.links:
        found.setdefault(source, set()).add(target)
        found.setdefault(target, set()).add(source)
    return found


def _told(facts: Facts, chosen: list[int]) -> Iterator[Hotspot]:
    import networkx as nx

    graph = facts.graph.copy()
    graph.remove_nodes_from([n for n, degree in facts.graph.degree() if not degree])
    passed = _passed(graph, chosen)
    cuts = set(nx.articulation_points(graph.to_undirected()))
    touched = _touched(facts)
    for node in chosen:
        yield _describe(facts, graph, node, passed[node], node in cuts, touched)


def _fence(degrees: list[int]) -> float:
    """Number of neighbours that is far out among the peers."""
    low, high = np.quantile(np.array(degrees), [0.25, 0.75])
    return float(high + FAR_OUT * max(high - low, 1.0))  # 1: else one more were far out of equals


def _passed(graph: nx.DiGraph[int], chosen: list[int]) -> dict[int, float]:
    """Share of the connected pairs of services whose shortest way goes through each of `chosen`.

    Edges that many instances take are short. Against connected pairs, not all, because in a
    flow without circles half of all pairs and more are never connected.
    """
    import networkx as nx

    weighted: nx.DiGraph[int] = nx.DiGraph()
    weighted.add_nodes_from(sorted(graph.nodes))
    for source, target in sorted(graph.edges):
        weighted.add_edge(source, target, distance=1 / graph.edges[source, target]["instances"])
    sample = MAX_NODES if len(graph) > MAX_NODES else None
    raw = nx.betweenness_centrality(weighted, k=sample, normalized=False, weight="distance", seed=1)
    # every so-many-th node stands for the others where walking from each would take too long
    sampled = sorted(weighted)[:: len(weighted) // MAX_NODES + 1]
    pairs = sum(len(nx.descendants(weighted, node)) for node in sampled)
    pairs = round(pairs * len(weighted) / len(sampled))
    own = {
        node: len(nx.descendants(weighted, node)) + len(nx.ancestors(weighted, node))
        for node in chosen
    }
    return {node: min(share(raw[node], max(pairs - own[node], 0)), 1.0) for node in chosen}


def _touched(facts: Facts) -> dict[str, int]:
    frame = facts.services.select("name", pl.col("instances").cast(pl.Int64))
    return dict(frame.iter_rows())


def _describe(
    facts: Facts,
    graph: nx.DiGraph[int],
    node: int,
    passed: float,
    is_cut: bool,
    touched: dict[str, int],
) -> Hotspot:
    name, others = facts.emitting[node], len(graph) - 1
    fan_in, fan_out = int(graph.in_degree(node)), int(graph.out_degree(node))
    traffic = share(touched.get(name, 0), len(facts.instances))
    parts = {
        "betweenness": (0.4, passed),
        "fan_in": (0.2, share(fan_in, others)),
        "fan_out": (0.2, share(fan_out, others)),
        "articulation": (0.1, float(is_cut)),
        "traffic": (0.1, traffic),
    }
    cut = "; without it the system falls apart into pieces" if is_cut else ""
    message = (
        f"{name} is a hub: {fan_in} services come in, it starts {fan_out} (of {others}), "
        f"{percent(passed)} of the ways between others pass it, "
        f"{percent(traffic)} of n = {len(facts.instances)} instances{cut}"
    )
    return hotspot("hub", (name,), parts, message)
