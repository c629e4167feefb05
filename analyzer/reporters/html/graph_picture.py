"""Services and destinations as a layered picture: what flows where, how often, what fails."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import networkx as nx

from analyzer.analysis import Analysis
from analyzer.reporters.html import blocks
from analyzer.reporters.html.layout import Layout, layered
from analyzer.reporters.html.markup import Html, number, tag
from analyzer.reporters.html.svg import CELL, label, picture, rect, width_of
from analyzer.reporters.units import count

NODES = 40  # more cannot be read; the busiest are drawn, the rest counted
NAME = 24  # cells of a name
RANK, BOX, MARGIN = 84.0, 32.0, 16.0
TOLD = 20  # edges in the description for those who cannot see it


@dataclass(frozen=True, slots=True)
class Flow:
    """All edges from one node to another as one arrow."""

    source: str
    target: str
    calls: int
    errors: int
    kinds: tuple[str, ...]


def figure(analysis: Analysis) -> Html | None:
    """The picture with its legend, and how much of the graph is not in it."""
    graph = analysis.service_graph()
    if not graph.number_of_nodes():
        return None
    flows = _flows(graph)
    kept = _kept(graph, flows)
    shown = [flow for flow in flows if flow.source in kept and flow.target in kept]
    widths = {name: _box_width(graph, name) for name in kept}
    layout = layered(widths, {(flow.source, flow.target): flow.calls for flow in shown})
    hidden = graph.number_of_nodes() - len(kept)
    drawn = _picture(graph, layout, widths, shown)
    return tag(
        "figure",
        blocks.frame(drawn, "Graph of services and destinations"),
        tag("figcaption", _legend(graph, shown)),
        blocks.cut(hidden, "node", ": choreoscope graph has them all"),
    )


def _flows(graph: nx.MultiDiGraph[str]) -> list[Flow]:
    found: dict[tuple[str, str], list[dict[str, object]]] = {}
    for source, target, data in graph.edges(data=True):
        found.setdefault((source, target), []).append(data)
    return [
        Flow(
            source,
            target,
            sum(int(str(data.get("calls", 0))) for data in edges),
            sum(int(str(data.get("errors", 0))) for data in edges),
            tuple(sorted({str(data.get("kind", "")) for data in edges})),
        )
        for (source, target), edges in sorted(found.items())
    ]


def _kept(graph: nx.MultiDiGraph[str], flows: list[Flow]) -> list[str]:
    """The busiest nodes, by name; failing ones before busy ones."""
    weight: dict[str, tuple[int, int]] = dict.fromkeys(graph, (0, 0))
    for flow in flows:
        for name in (flow.source, flow.target):
            errors, calls = weight[name]
            weight[name] = (errors + flow.errors, calls + flow.calls)
    ranked = sorted(graph, key=lambda n: (-weight[n][0], -weight[n][1], n))
    return sorted(ranked[:NODES])


def _name(graph: nx.MultiDiGraph[str], node: str) -> str:
    return str(graph.nodes[node].get("name", node))


def _box_width(graph: nx.MultiDiGraph[str], node: str) -> float:
    return max(width_of(_name(graph, node), NAME) * CELL + 24, 72.0)


Point = tuple[float, float]


def _picture(
    graph: nx.MultiDiGraph[str], layout: Layout, widths: dict[str, float], flows: list[Flow]
) -> Html:
    width = layout.width + 2 * MARGIN
    height = max(layout.ranks - 1, 0) * RANK + BOX + 2 * MARGIN
    most = max((flow.calls for flow in flows), default=1)
    crowd = _crowd(flows)
    return picture(
        width,
        height,
        "Services and destinations",
        _description(graph, flows),
        tag("defs", [_arrowhead(tone) for tone in ("calm", "failing")]),
        [_arrow(flow, layout, widths, most) for flow in flows],
        [_box(graph, node, layout, widths) for node in layout.places],
        [_figures(flow, layout, crowd) for flow in flows],
        class_="graph",
    )


def _arrowhead(tone: str) -> Html:
    return tag(
        "marker",
        tag("path", d="M0 0L8 4L0 8z", class_=f"head {tone}"),
        id=f"arrow-{tone}", viewBox="0 0 8 8", refX=7, refY=4, markerWidth=8, markerHeight=8,
        markerUnits="userSpaceOnUse", orient="auto",
    )  # fmt: skip


def _at(place: tuple[float, int]) -> tuple[float, float]:
    return place[0] + MARGIN, place[1] * RANK + BOX / 2 + MARGIN


def _points(flow: Flow, layout: Layout) -> list[tuple[float, float]]:
    """From the edge of the source's box to that of the target's, over the bends."""
    bends = [_at(bend) for bend in layout.bends.get((flow.source, flow.target), ())]
    source, target = _at(layout.places[flow.source]), _at(layout.places[flow.target])
    first, last = (bends or [target])[0], (bends or [source])[-1]
    # Two edges between the same boxes would hide each other.
    both = (flow.target, flow.source) in layout.bends
    shift = 0.0 if not both else 10.0 if target[1] > source[1] else -10.0
    return [_port(source, first, shift), *bends, _port(target, last, shift)]


def _port(box: tuple[float, float], toward: tuple[float, float], shift: float) -> Point:
    """On the upper or lower side of the box, a little toward where the edge goes."""
    aside = max(-24.0, min(24.0, (toward[0] - box[0]) / 5)) + shift
    return box[0] + aside, box[1] + (BOX / 2 if toward[1] > box[1] else -BOX / 2)


def _arrow(flow: Flow, layout: Layout, widths: dict[str, float], most: int) -> Html:
    if flow.source == flow.target:
        return _loop(flow, layout, widths)
    points = _points(flow, layout)
    path = [f"M{number(points[0][0])} {number(points[0][1])}"]
    for (x1, y1), (x2, y2) in pairwise(points):
        middle = number((y1 + y2) / 2)
        path.append(f"C{number(x1)} {middle} {number(x2)} {middle} {number(x2)} {number(y2)}")
    thick = 1 + 1.6 * math.log1p(flow.calls) / math.log1p(max(most, 1))
    return _way(" ".join(path), flow, round(thick, 1))


def _loop(flow: Flow, layout: Layout, widths: dict[str, float]) -> Html:
    x, y = _at(layout.places[flow.source])
    right = x + widths[flow.source] / 2
    return _way(f"M{number(right)} {number(y - 6)}c18 -8 18 20 0 12", flow, 1.2)


def _way(path: str, flow: Flow, thick: float) -> Html:
    tone = "failing" if flow.errors else "calm"
    sync = "sync" if "sync" in flow.kinds else "message"
    tip = tag("title", f"{flow.source} → {flow.target}: {_told(flow)}")
    return tag(
        "path", tip, d=path, class_=f"way {sync} {tone}", stroke_width=thick,
        marker_end=f"url(#arrow-{tone})",
    )  # fmt: skip


def _told(flow: Flow) -> str:
    errors = f", {flow.errors:,} failed" if flow.errors else ""
    return f"{'/'.join(flow.kinds)} {flow.calls:,}{errors}"


def _figures(flow: Flow, layout: Layout, crowd: dict[str, int]) -> Html | None:
    """The numbers beside the arrow, at the end where fewer other arrows are."""
    if flow.source == flow.target:
        return None
    points = _points(flow, layout)
    at_source = crowd[flow.source] < crowd[flow.target]
    (x1, y1), (x2, y2) = points[:2] if at_source else points[-2:]
    part = 0.3 if at_source else 0.66
    x = x1 * (1 - part) ** 2 * (1 + 2 * part) + x2 * part**2 * (3 - 2 * part)
    middle = 3 * part * (1 - part) * (y1 + y2) / 2
    y = y1 * (1 - part) ** 3 + middle + y2 * part**3
    said = f"{flow.calls:,}" + (f" · {flow.errors:,} ✖" if flow.errors else "")
    up = (flow.target, flow.source) in layout.bends and y2 < y1
    return label(x - 5 if up else x + 5, y + 4, said, 20,
                 "figure failing" if flow.errors else "figure",
                 text_anchor="end" if up else None)  # fmt: skip


def _crowd(flows: list[Flow]) -> dict[str, int]:
    """How many arrows begin or end at each box."""
    ends = Counter(name for flow in flows for name in (flow.source, flow.target))
    return dict(ends)


def _box(graph: nx.MultiDiGraph[str], node: str, layout: Layout, widths: dict[str, float]) -> Html:
    x, y = _at(layout.places[node])
    data = graph.nodes[node]
    kind = "destination" if data.get("type") == "destination" else "service"
    silent = " silent" if data.get("silent") else ""
    wide, tall = widths[node], BOX if kind == "service" else BOX - 6
    name = _name(graph, node)
    spans = f"{kind} {name}" + (f", {data['spans']:,} spans" if data.get("spans") else "")
    shape = rect(x - wide / 2, y - tall / 2, wide, tall, f"box {kind}{silent}",
                 tag("title", spans + (", emits no span" if silent else "")),
                 rx=4 if kind == "service" else tall / 2)  # fmt: skip
    return tag("g", shape, label(x, y + 4, name, NAME, f"name {kind}", text_anchor="middle"))


def _legend(graph: nx.MultiDiGraph[str], flows: list[Flow]) -> Html:
    nodes = [data.get("type") for _, data in graph.nodes(data=True)]
    parts = [
        f"{count(nodes.count('service'), 'service')} (box)",
        f"{count(nodes.count('destination'), 'destination')} (rounded)",
        "solid: call",
        "dashed: message",
    ]
    parts += ["✖ and red: some failed"] if any(flow.errors for flow in flows) else []
    silent = any(data.get("silent") for _, data in graph.nodes(data=True))
    parts += ["dotted box: emits no span"] if silent else []
    return tag("span", " · ".join(parts), class_="legend")


def _description(graph: nx.MultiDiGraph[str], flows: Iterable[Flow]) -> str:
    ranked = sorted(flows, key=lambda flow: (-flow.calls, flow.source, flow.target))
    said = [
        f"{_name(graph, f.source)} to {_name(graph, f.target)} {f.calls:,} times"
        for f in ranked[:TOLD]
    ]
    rest = f", and {len(ranked) - TOLD} more" if len(ranked) > TOLD else ""
    return f"{', '.join(said)}{rest}. The table of edges has the same in numbers."
