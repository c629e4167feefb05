"""A layered layout of a directed graph (Sugiyama): ranks, order in each rank, positions.

networkx has no layered layout of graphs with circles, and Graphviz is not there to be had
everywhere. Made for the few dozen nodes that a person can read; nothing in it is random.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise, zip_longest

SWEEPS = 12
GAP = 20.0  # pixels between the boxes of a rank
WIDEST = 1100.0  # pixels of boxes in a rank
DUMMY = 6.0  # width that an edge takes where it passes a rank
NEAR = 9.0  # pixels between an edge that passes and what stands beside it

Edge = tuple[str, str]
Node = str | tuple[str, str, int]  # a name, or the place where an edge crosses a rank


@dataclass(frozen=True, slots=True)
class Layout:
    """Centre (x in pixels, rank) of each node, and the points between the ends of each edge."""

    places: dict[str, tuple[float, int]]
    bends: dict[Edge, list[tuple[float, int]]]
    width: float
    ranks: int


def layered(widths: dict[str, float], weights: dict[Edge, int]) -> Layout:
    """Places for the nodes (name -> width in pixels). Edges point down where circles allow; the
    light ones are turned round first."""
    names = list(widths)
    drawn = sorted(edge for edge in weights if edge[0] != edge[1])
    down = _downward(names, {edge: weights[edge] for edge in drawn})
    pointing = sorted(set(down.values()))
    rank = _narrowed(_ranks(names, pointing), pointing, widths)
    layers, chains = _layers(names, rank, down)
    segments = sorted({pair for chain in chains.values() for pair in pairwise(chain)}, key=str)
    ordered = _order(layers, segments)
    x = _positions(ordered, segments, widths)
    left = min((x[n] - _width(n, widths) / 2 for n in x), default=0.0)
    right = max((x[n] + _width(n, widths) / 2 for n in x), default=0.0)
    level = {node: number for number, layer in enumerate(ordered) for node in layer}
    bends = {edge: [(x[n] - left, level[n]) for n in _facing(edge, chains[edge])] for edge in drawn}
    places = {name: (x[name] - left, level[name]) for name in names}
    return Layout(places, bends, right - left, len(ordered))


def _facing(edge: Edge, chain: list[Node]) -> list[Node]:
    """The inner nodes of a chain, from the edge's source to its target."""
    inner = chain[1:-1]
    return inner if chain[0] == edge[0] else inner[::-1]


def _downward(names: list[str], edges: dict[Edge, int]) -> dict[Edge, Edge]:
    """Each edge, turned round where it closes a circle (Eades, Lin and Smyth's greedy order)."""
    after: dict[str, dict[str, int]] = {name: {} for name in names}
    before: dict[str, dict[str, int]] = {name: {} for name in names}
    for (source, target), weight in edges.items():
        after[source][target] = before[target][source] = weight
    head: list[str] = []
    tail: list[str] = []
    left = dict.fromkeys(names)
    while left:
        free = [n for n in left if not before[n]] or [n for n in left if not after[n]]
        sink = bool(free) and bool(before[free[0]])
        surplus = {n: sum(after[n].values()) - sum(before[n].values()) for n in left}
        node = free[0] if free else max(left, key=surplus.__getitem__)
        (tail if sink else head).append(node)
        del left[node]
        for other in after[node]:
            before[other].pop(node, None)
        for other in before[node]:
            after[other].pop(node, None)
    place = {node: number for number, node in enumerate([*head, *tail[::-1]])}
    return {(s, t): (s, t) if place[s] < place[t] else (t, s) for s, t in edges}


def _ranks(names: list[str], edges: list[Edge]) -> dict[str, int]:
    """Longest way from a beginning; beginnings stand right above what they lead to."""
    rank = dict.fromkeys(names, 0)
    for _ in names:
        changed = False
        for source, target in edges:
            if rank[target] <= rank[source]:
                rank[target], changed = rank[source] + 1, True
        if not changed:
            break
    led = {target for _, target in edges}
    for name in names:
        below = [rank[target] for source, target in edges if source == name]
        if name not in led and below:
            rank[name] = min(below) - 1
    return rank


def _narrowed(rank: dict[str, int], edges: list[Edge], widths: dict[str, float]) -> dict[str, int]:
    """No rank wider than a page: what has no room goes to the next one that has."""
    before: dict[str, list[str]] = {name: [] for name in rank}
    for source, target in edges:
        before[target].append(source)
    taken: dict[int, float] = {}
    placed: dict[str, int] = {}
    for name in sorted(rank, key=lambda n: (rank[n], n)):
        at = max([rank[name], *(placed[n] + 1 for n in before[name])])
        while taken.get(at, 0.0) and taken[at] + widths[name] > WIDEST:
            at += 1
        taken[at] = taken.get(at, 0.0) + widths[name] + GAP
        placed[name] = at
    return placed


def _layers(
    names: list[str], rank: dict[str, int], down: dict[Edge, Edge]
) -> tuple[list[list[Node]], dict[Edge, list[Node]]]:
    """Nodes by rank, with a place wherever an edge crosses one, and each edge's way down."""
    layers: list[list[Node]] = [[] for _ in range(max(rank.values(), default=-1) + 1)]
    for name in names:
        layers[rank[name]].append(name)
    made: dict[Edge, list[Node]] = {}
    for turned in sorted(set(down.values())):
        top, bottom = turned
        inner: list[Node] = [(top, bottom, n) for n in range(rank[top] + 1, rank[bottom])]
        for number, node in enumerate(inner, start=rank[top] + 1):
            layers[number].append(node)
        made[turned] = [top, *inner, bottom]
    return layers, {edge: made[turned] for edge, turned in down.items()}


def _order(layers: list[list[Node]], segments: list[tuple[Node, Node]]) -> list[list[Node]]:
    """The order with the fewest crossings that barycentre sweeps find."""
    above: dict[Node, list[Node]] = {}
    below: dict[Node, list[Node]] = {}
    for top, bottom in segments:
        below.setdefault(top, []).append(bottom)
        above.setdefault(bottom, []).append(top)
    best, fewest = [list(layer) for layer in layers], _crossings(layers, below)
    current = [list(layer) for layer in layers]
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        near = above if down else below
        span = range(1, len(current)) if down else range(len(current) - 2, -1, -1)
        for number in span:
            fixed = {n: i for i, n in enumerate(current[number - 1 if down else number + 1])}
            current[number] = _by_barycentre(current[number], fixed, near)
        crossed = _crossings(current, below)
        if crossed < fewest:
            best, fewest = [list(layer) for layer in current], crossed
    return best


def _by_barycentre(
    layer: list[Node], fixed: dict[Node, int], near: dict[Node, list[Node]]
) -> list[Node]:
    def centre(place: int) -> float:
        met = [fixed[n] for n in near.get(layer[place], ()) if n in fixed]
        return sum(met) / len(met) if met else float(place)

    return [layer[place] for place in sorted(range(len(layer)), key=lambda p: (centre(p), p))]


def _crossings(layers: list[list[Node]], below: dict[Node, list[Node]]) -> int:
    total = 0
    for upper, lower in pairwise(layers):
        place = {node: number for number, node in enumerate(lower)}
        ends = [sorted(place[n] for n in below.get(node, ()) if n in place) for node in upper]
        seen: list[int] = []
        for row in ends:
            total += sum(1 for end in row for other in seen if other > end)
            seen += row
    return total


def _positions(
    layers: list[list[Node]], segments: list[tuple[Node, Node]], widths: dict[str, float]
) -> dict[Node, float]:
    """x of each centre: near its neighbours, never nearer to the next box than GAP."""
    near: dict[Node, list[Node]] = {node: [] for layer in layers for node in layer}
    for top, bottom in segments:
        near[top].append(bottom)
        near[bottom].append(top)
    x: dict[Node, float] = {}
    for layer in layers:
        x |= dict(zip(layer, _offsets(layer, widths), strict=True))
        middle = sum(x[n] for n in layer) / max(len(layer), 1)
        x |= {n: x[n] - middle for n in layer}
    for sweep in range(SWEEPS * 2):
        for layer in layers if sweep % 2 == 0 else layers[::-1]:
            wanted = [
                sum(x[n] for n in near[node]) / len(near[node]) if near[node] else x[node]
                for node in layer
            ]
            offsets = _offsets(layer, widths)
            apart = _rising([w - o for w, o in zip(wanted, offsets, strict=True)])
            x |= {n: a + o for n, a, o in zip(layer, apart, offsets, strict=True)}
    return x


def _offsets(layer: list[Node], widths: dict[str, float]) -> list[float]:
    """Where the centres are when the boxes stand as close as they may."""
    at, out = 0.0, []
    for node, following in zip_longest(layer, layer[1:]):
        half = _width(node, widths) / 2
        out.append(at + half)
        boxes = isinstance(node, str) and isinstance(following, str)
        at += 2 * half + (GAP if boxes else NEAR)
    return out


def _width(node: Node, widths: dict[str, float]) -> float:
    return widths[node] if isinstance(node, str) else DUMMY


def _rising(wanted: list[float]) -> list[float]:
    """The nearest sequence that never falls (pool adjacent violators)."""
    pools: list[tuple[float, int]] = []
    for value in wanted:
        mean, size = value, 1
        while pools and pools[-1][0] > mean:
            other, count = pools.pop()
            mean, size = (mean * size + other * count) / (size + count), size + count
        pools.append((mean, size))
    return [mean for mean, size in pools for _ in range(size)]
