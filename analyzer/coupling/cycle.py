"""Circles of three and more services (pairs: see `bidirectional`)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from analyzer.codes import Flags, Ints, ints
from analyzer.coupling.chains import Visits
from analyzer.coupling.facts import Facts
from analyzer.coupling.score import MIN_EDGE_INSTANCES, hotspot, percent, share
from analyzer.finding import Hotspot

if TYPE_CHECKING:
    import networkx as nx  # slow to import: only where a circle may be

MAX_LENGTH = 8  # services in a circle: a longer one is not seen as a circle by anyone
MAX_CYCLES = 1_000  # looked at in one component; a dense one has more than can be listed
MAX_PEELED = 1_000  # edges that are peeled one layer at a time


def cycles(facts: Facts) -> Iterator[Hotspot]:
    """One hotspot for each strongly connected component that holds a circle of three or more."""
    if not _may_turn(facts):
        return
    seen: set[int] = set()
    for component in _components(facts.graph):
        ring = _strongest(facts.graph.subgraph(component))
        if ring:
            seen |= component
            yield _describe(facts, component, ring)
    yield from _closed_by_replies(facts, seen)


def _may_turn(facts: Facts) -> bool:
    """Whether three services or more are left when those are taken away, again and again, into
    or out of which nothing leads."""
    edges = facts.service_edges.filter(
        (pl.col("source") != pl.col("target")) & (pl.col("instances") >= MIN_EDGE_INSTANCES)
    )
    kept = set(edges.select("source", "target").iter_rows())
    found = len(kept) + 1
    while len(kept) < found <= MAX_PEELED:
        found = len(kept)
        sources, targets = {one for one, _ in kept}, {other for _, other in kept}
        kept = {edge for edge in kept if edge[0] in targets and edge[1] in sources}
    return len({one for one, _ in kept}) > 2


def _components(graph: nx.DiGraph[int]) -> list[set[int]]:
    import networkx as nx

    return sorted((c for c in nx.strongly_connected_components(graph) if len(c) > 2), key=min)


def _strongest(graph: nx.DiGraph[int]) -> tuple[int, ...]:
    """The circle whose weakest edge is the strongest, written from its first name; () if none."""
    import networkx as nx

    ordered: nx.DiGraph[int] = nx.DiGraph()  # sorted, so that the same thousand are looked at
    ordered.add_nodes_from(sorted(graph.nodes))
    for source, target in sorted(graph.edges):
        ordered.add_edge(source, target, **graph.edges[source, target])
    found = islice(nx.simple_cycles(ordered, length_bound=MAX_LENGTH), MAX_CYCLES)
    rings = [_turned(tuple(ring)) for ring in found if len(ring) > 2]
    if not rings:
        return ()
    return min(rings, key=lambda ring: (-_weakest(ordered, ring), len(ring), ring))


def _turned(ring: tuple[int, ...]) -> tuple[int, ...]:
    start = ring.index(min(ring))
    return ring[start:] + ring[:start]


def _around(ring: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    return pairwise((*ring, ring[0]))


def _weakest(graph: nx.DiGraph[int], ring: tuple[int, ...]) -> int:
    return min(int(graph.edges[edge]["instances"]) for edge in _around(ring))


def _describe(facts: Facts, component: set[int], ring: tuple[int, ...]) -> Hotspot:
    graph, names = facts.graph, facts.names(ring)
    inside = [d for s, t, d in graph.edges(data=True) if s in component and t in component]
    loops = _loops(facts, component)
    sync = share(sum(d["sync"] for d in inside), len(inside))
    weakest = _weakest(graph, ring)
    causal = loops.resumed if loops.resumed >= MIN_EDGE_INSTANCES else 0
    parts = {
        "causal": (0.4, share(causal, loops.touched)),
        "synchronous": (0.2, sync),
        "spread": (0.2, share(len(component), len(facts.emitting))),
        "traffic": (0.2, share(weakest, loops.touched)),
    }
    way = " → ".join((*names, names[0]))
    more = f", in a knot of {len(component)} services" if len(component) > len(ring) else ""
    message = f"Circle {way}{more}: {_told(loops, causal)}; {percent(sync)} of its edges are calls"
    services = names if len(component) == len(ring) else facts.names(tuple(sorted(component)))
    return hotspot("cycle", services, parts, message)


@dataclass(frozen=True, slots=True)
class _Loops:
    """Instances that touch a component, and how many of them come back to a service in it."""

    touched: int
    returned: int  # over two other services or more
    resumed: int  # and go on from there to another service of the component


def _told(loops: _Loops, causal: int) -> str:
    n = f"n = {loops.touched} instances"
    if causal:
        return f"the run comes back and goes round again in {causal} of {n}"
    if loops.returned:
        return f"the run comes back and ends there in {loops.returned} of {n}, as an outcome does"
    return f"no single run goes round, {n}: a circle of the service graph only"


def _loops(facts: Facts, component: set[int]) -> _Loops:
    """Walk up from each crossing inside the component, to where its target came by before."""
    both, visits = facts.crossed.ends, facts.crossed.visits
    service = both.service
    member = np.zeros(int(service.max(initial=0)) + 1, dtype=np.bool_)
    member[[facts.service_codes[name] for name in facts.names(tuple(component))]] = True
    inside = facts.crossed.forward & both.crosses
    inside &= member[both.source_service] & member[both.target_service]
    rows = np.flatnonzero(inside)
    goes_on = np.zeros(len(service), dtype=np.bool_)
    goes_on[visits.entry[both.source[rows]]] = True
    back = rows[
        _came_by_before(
            both.source[rows], both.target_service[rows], visits, member[service], service
        )
    ]
    resumed = back[goes_on[both.target[back]]]
    of = ints(facts.crossed.edges["instance"])
    return _Loops(*(_count(of[found], len(facts.instances)) for found in (rows, back, resumed)))


def _count(instances: Ints, size: int) -> int:
    """How many different ones there are."""
    seen = np.zeros(size, dtype=np.bool_)
    seen[instances] = True
    return int(seen.sum())


def _came_by_before(
    source: Ints, wanted: Ints, visits: Visits, inside: Flags, service: Ints
) -> Flags:
    """For each crossing: was its target's service on the way to its source, two hops up or more.

    `inside` tells for each step whether the way may lead over it.
    """
    back = np.zeros(len(source), dtype=np.bool_)
    rows, at = np.arange(len(source)), visits.entry[source]
    for hop in range(1, MAX_LENGTH):
        before = visits.came_from[at]
        kept = (before >= 0) & inside[before]
        rows, at = rows[kept], visits.entry[before[kept]]
        back[rows] |= (hop > 1) & (service[at] == wanted[rows])
        if not len(rows):
            break
    return back


def _closed_by_replies(facts: Facts, seen: set[int]) -> Iterator[Hotspot]:
    """Circles that only an answer closes: harmless, told with a low score."""
    graph = _with_replies(facts)
    for component in _components(graph):
        ring = () if component & seen else _strongest(graph.subgraph(component))
        if ring:
            names = facts.names(ring)
            parts = {"spread": (0.2, share(len(component), len(facts.emitting)))}
            way, n = " → ".join((*names, names[0])), _weakest(graph, ring)
            message = f"Circle {way} is closed by a reply only: harmless (n = {n} instances)"
            yield hotspot("cycle", names, parts, message)


def _with_replies(facts: Facts) -> nx.DiGraph[int]:
    """The service graph with its replies as edges."""
    graph = facts.graph.copy()
    number = {name: row for row, name in enumerate(facts.emitting)}
    replies = facts.service_edges.filter(pl.col("kind") == "reply")
    for source, target, count in replies.select("source", "target", "instances").iter_rows():
        ends = number.get(source, -1), number.get(target, -1)
        between = min(ends) >= 0 and ends[0] != ends[1]
        if between and count >= MIN_EDGE_INSTANCES and not graph.has_edge(*ends):
            graph.add_edge(*ends, instances=count, sync=0.0)
    return graph
