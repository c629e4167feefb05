"""A NetworkX graph as GraphML, DOT, Mermaid or node-link JSON, every name escaped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import networkx as nx

from analyzer.escape import Target, escape, json_text

Graph: TypeAlias = "nx.DiGraph[Any]"  # a MultiDiGraph is one, too

_SHAPES = {"destination": "cds", "expected": "box", "service": "box"}


def graphml(graph: Graph) -> str:
    """GraphML, read back by `networkx.read_graphml`; times are nanoseconds."""
    safe: Graph = nx.MultiDiGraph() if graph.is_multigraph() else nx.DiGraph()
    names = _unique_names(graph)
    safe.graph.update(_plain_values(graph.graph))
    for node, data in graph.nodes(data=True):
        safe.add_node(names[node], **_plain_values(data))
    for source, target, data in graph.edges(data=True):
        safe.add_edge(names[source], names[target], **_plain_values(data))
    return "\n".join(nx.generate_graphml(safe)) + "\n"


def dot(graph: Graph) -> str:
    """Graphviz DOT; dashed = a message, dotted = expected but absent."""
    numbers = {node: f"n{number}" for number, node in enumerate(graph)}
    lines = ["digraph choreoscope {", "  rankdir=LR;", '  node [shape=box, style="rounded"];']
    for node, data in graph.nodes(data=True):
        label = "\\n".join(escape(part, Target.DOT) for part in _label(node, data))
        lines.append(f'  {numbers[node]} [label="{label}"{_dot_node(data)}];')
    for source, target, data in graph.edges(data=True):
        label = escape(_edge_label(data), Target.DOT)
        style = _dot_edge(data)
        lines.append(f'  {numbers[source]} -> {numbers[target]} [label="{label}", style={style}];')
    return "\n".join([*lines, "}"]) + "\n"


def mermaid(graph: Graph) -> str:
    """A Mermaid flowchart; dotted arrows are messages and steps that are expected but absent."""
    numbers = {node: f"n{number}" for number, node in enumerate(graph)}
    lines = ["flowchart LR"]
    for node, data in graph.nodes(data=True):
        label = "<br/>".join(escape(part, Target.MERMAID) for part in _label(node, data))
        left, right = ("[/", "/]") if data.get("type") == "destination" else ("[", "]")
        lines.append(f'  {numbers[node]}{left}"{label}"{right}{_mermaid_class(data)}')
    for source, target, data in graph.edges(data=True):
        arrow = "-->" if data.get("kind") == "sync" else "-.->"
        label = escape(_edge_label(data), Target.MERMAID)
        lines.append(f'  {numbers[source]} {arrow}|"{label}"| {numbers[target]}')
    lines += [
        "  classDef error stroke:#c00,stroke-width:2px",
        "  classDef absent stroke-dasharray:4 3,color:#777",
    ]
    return "\n".join(lines) + "\n"


def node_link(graph: Graph) -> str:
    """Node-link JSON, read back by `networkx.node_link_graph(..., edges="edges")`."""
    return json_text(nx.node_link_data(graph, edges="edges"), indent=1) + "\n"


GRAPH_FORMATS: tuple[tuple[str, Callable[[Graph], str]], ...] = (
    ("graphml", graphml),
    ("dot", dot),
    ("mermaid", mermaid),
    ("json", node_link),
)


def _unique_names(graph: Graph) -> dict[Any, str]:
    """Escaped node names; two that look the same once escaped stay two."""
    names: dict[Any, str] = {}
    taken: set[str] = set()
    for node in graph:
        name = escape(node, Target.XML_VALUE)
        while name in taken:
            name += "'"
        taken.add(name)
        names[node] = name
    return names


def _plain_values(values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: escape(value, Target.XML_VALUE) if isinstance(value, str) else value
        for name, value in values.items()
    }


def _label(node: object, data: dict[str, Any]) -> list[str]:
    if "operation" in data:
        return [str(data["operation"]), str(data.get("service", "?"))]
    return [str(data.get("name", node))]


def _edge_label(data: dict[str, Any]) -> str:
    kind = str(data.get("kind", ""))
    if "calls" in data:
        errors = f", {data['errors']} failed" if data.get("errors") else ""
        return f"{kind} {data['calls']}{errors}"
    return f"{kind} {data['tier']}" if data.get("tier") else kind


def _dot_node(data: dict[str, Any]) -> str:
    if data.get("expected"):
        return ', style="dashed", color=gray'
    shape = _SHAPES.get(str(data.get("type")), "box")
    color = ", color=red" if data.get("error") else ""
    dashed = ', style="dashed"' if data.get("silent") else ""
    return f", shape={shape}{color}{dashed}"


def _dot_edge(data: dict[str, Any]) -> str:
    if data.get("expected"):
        return "dotted"
    return "solid" if data.get("kind") == "sync" else "dashed"


def _mermaid_class(data: dict[str, Any]) -> str:
    if data.get("expected") or data.get("silent"):
        return ":::absent"
    return ":::error" if data.get("error") is True else ""
