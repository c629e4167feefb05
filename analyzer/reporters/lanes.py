"""One instance as git-log lanes beside a waterfall, with the evidence that joined it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import networkx as nx
import polars as pl
from rich.cells import cell_len

from analyzer.analysis import Instance
from analyzer.escape import clip, clip_middle, escape
from analyzer.finding import State
from analyzer.graphs import instance_graph
from analyzer.reporters import text_findings
from analyzer.reporters.groups import Group
from analyzer.reporters.style import Style, joined, more, name, prose
from analyzer.reporters.units import count, duration
from analyzer.reporters.waterfall import Axis, fit

STEPS_SHOWN = 400  # `--limit` says otherwise
EDGES_SHOWN = 12
TIERS = {
    "E1": "parent span",
    "E2": "message link",
    "E3": "causal id",
    "E4": "message id",
    "E5": "topic, partition and offset",
    "E6": "framework instance id",
    "E7": "configured business key",
    "E8": "conversation id",
    "E9": "order in time only",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the drawing: a step, an absent step, or a parent that is missing."""

    node: object
    glyph: str
    operation: str
    service: str
    took: str
    start_ns: int | None
    end_ns: int | None
    error: bool = False
    absent: bool = False


def render(instance: Instance, style: Style, limit: int = STEPS_SHOWN) -> str:
    """Header, lanes beside the waterfall, why joined, findings."""
    graph = forward(instance_graph(instance), missing_parents(instance))
    blocks = [
        _header(instance, graph, style),
        _drawing(instance, graph, style, limit),
        _why(instance, graph, style),
        _findings(instance, style),
    ]
    text = "\n\n".join("\n".join(line.rstrip() for line in block) for block in blocks if block)
    return style.own(text) + "\n"


def missing_parents(instance: Instance) -> dict[int, str]:
    """Step -> hex id of the parent that its span names and the recording does not hold."""
    spans = instance.analysis.recording.spans
    ids = ["trace_hi", "trace_lo", "parent_id"]
    steps = instance.steps.select("step", "span")
    own = spans.select(ids)[steps["span"]].with_columns(steps["step"])
    named = own.filter(pl.col("parent_id") != 0)
    there = spans.select("trace_hi", "trace_lo", pl.col("span_id").alias("parent_id"))
    wanted = there.filter(pl.col("parent_id").is_in(named["parent_id"].unique().implode()))
    lost = named.join(wanted.unique(), on=ids, how="anti").sort("step")
    return {int(step): f"{parent:016x}" for *_, parent, step in lost.iter_rows()}


def forward(graph: nx.DiGraph[int], missing: dict[int, str]) -> nx.DiGraph[Any]:
    """The graph in drawing order: missing parents added, edges against the order dropped."""
    times = {n: data.get("start_ns", 2**63) for n, data in graph.nodes(data=True)}
    order = sorted(graph, key=lambda node: (times[node], abs(node)))
    if nx.is_directed_acyclic_graph(graph):
        order = list(nx.lexicographical_topological_sort(graph, key=lambda n: (times[n], abs(n))))
    place = {node: number for number, node in enumerate(order)}
    drawn: nx.DiGraph[Any] = nx.DiGraph()
    for node in order:
        if node in missing:
            drawn.add_node(("missing", node), parent=missing[node])
        drawn.add_node(node, **graph.nodes[node])
        if node in missing:
            drawn.add_edge(("missing", node), node, tier="E1", missing=True)
    edges = sorted(graph.edges(data=True), key=lambda edge: (place[edge[0]], place[edge[1]]))
    drawn.add_edges_from(edge for edge in edges if place[edge[0]] < place[edge[1]])
    return drawn


def _header(instance: Instance, graph: nx.DiGraph[Any], style: Style) -> list[str]:
    fields = instance.fields
    traces = _strings(fields["trace_ids"])
    linked = f" (+{len(traces) - 1:,} linked)" if len(traces) > 1 else ""
    title = f"{style.state(str(fields['state']), str(fields['state']))}  {name(fields['id'])}"
    steps = [(d["start_ns"], d["end_ns"]) for _, d in graph.nodes(data=True) if "start_ns" in d]
    axis = fit(steps, None, 10)
    whole = axis.pieces[-1].end_ns - axis.pieces[0].start_ns if axis.pieces else 0
    facts = [count(len(steps), "step"), f"{duration(whole)} from first to last"]
    if fields["since_ns"] is not None:
        idle = instance.analysis.as_of_ns - int(str(fields["since_ns"]))
        facts.append(_for_how_long(str(fields["state"]), duration(max(idle, 0))))
    lines = style.wrap(f"{name(fields['workflow'])} · trace {name(traces[0] if traces else '?')}"
                       f"{linked} · {' · '.join(facts)}", "  ")  # fmt: skip
    keys = _strings(fields["keys"])
    return [title, *lines, *([f"  keys {joined(keys, 4)}"] if keys else [])]


def _for_how_long(state: str, idle: str) -> str:
    """What failed waits for nothing any more."""
    ended = (State.FAILED, State.DEAD_LETTERED, State.ORPHANED)
    return f"{name(state)} {idle} ago" if state in ended else f"waiting for {idle}"


def _strings(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []


def _drawing(instance: Instance, graph: nx.DiGraph[Any], style: Style, limit: int) -> list[str]:
    nodes = list(graph)[:limit]
    rows = [row_of(node, graph.nodes[node], instance, style) for node in nodes]
    lanes = _lanes(graph, rows, style)
    room = min(
        max((cell_len(line) for lane in lanes for line in lane), default=0), style.width // 3
    )
    operation, service = _columns(rows, style.width - room)
    width = style.width - room - operation - service - 13
    until = instance.analysis.as_of_ns if any(row.absent for row in rows) else None
    busy = [(r.start_ns, r.end_ns) for r in rows if r.start_ns is not None and r.end_ns is not None]
    axis = fit(busy, until, max(width, 8))
    whole = axis.pieces[-1].end_ns - axis.pieces[0].start_ns if axis.pieces else 0
    head = f"{'':<{room}}  {'STEP':<{operation}} {'SERVICE':<{service}} {'TOOK':>7}  "
    lines = [style.paint(head + axis.ruler(whole), "dim")]
    for row, (first, *rest) in zip(rows, lanes, strict=True):
        lines.append(f"{_fitted(first, room)}  {_cells(row, style, operation, service, axis)}")
        lines += [clip(line, room) for line in rest]
    return lines + more(
        graph.number_of_nodes() - len(nodes), "step", ": see --limit or --format json"
    )


def _columns(rows: list[Row], width: int) -> tuple[int, int]:
    """Widths of step and service: what they need, at most their share of the line."""
    operation = max((cell_len(row.operation) for row in rows), default=4)
    service = max((cell_len(row.service) for row in rows), default=7)
    return min(max(operation, 4), max(width * 2 // 5, 12)), min(max(service, 7), max(width // 5, 8))


def row_of(node: object, data: dict[str, Any], instance: Instance, style: Style) -> Row:
    """What the drawing says about a node of `forward`; names are escaped."""
    if isinstance(node, tuple):
        label = f"missing parent {data['parent']}"
        return Row(node, "~", label, "?", "", None, None, absent=False)
    operation = escape(data.get("operation", "?"))
    service = escape(data.get("service", "?"))
    if data.get("expected"):
        due = own_deadline(data, instance)
        late = 0 if due is None else instance.analysis.as_of_ns - due
        took = f"+{duration(late)}" if late > 0 else ""
        return Row(node, style.pick(("◌", "o")), operation, service, took, None, None, absent=True)
    error = bool(data.get("error"))
    glyph = style.pick(("✖", "x") if error else ("●", "*"))
    took = duration(data["end_ns"] - data["start_ns"])
    return Row(node, glyph, operation, service, took, data["start_ns"], data["end_ns"], error)


def own_deadline(data: dict[str, Any], instance: Instance) -> int | None:
    """When an absent step (node of `forward`) was due; None where nobody knows.

    The instance's own where it waits for that step: a finding of a group has the first one.
    """
    fields = instance.fields
    own = fields["deadline_ns"]
    if isinstance(own, int) and fields["waiting_service"] == data.get("service"):
        return own
    due: int | None = data.get("deadline_ns")
    return due


def _lanes(graph: nx.DiGraph[Any], rows: list[Row], style: Style) -> list[list[str]]:
    """Lane lines of each row: the node's own, then the lines that lead on from it."""
    from renderdag import Ancestor, GraphRowRenderer

    output = GraphRowRenderer().output().with_min_row_height(1)
    renderer = output.build_box_drawing() if style.unicode else output.build_ascii()
    shown = {row.node for row in rows}
    drawn = []
    for row in rows:
        after = [
            Ancestor.parent(target) if data.get("tier") == "E1" else Ancestor.ancestor(target)
            for _, target, data in graph.out_edges(row.node, data=True)
            if target in shown
        ]
        drawn.append(renderer.next_row(row.node, after, row.glyph, "").rstrip("\n").split("\n"))
    return drawn


def _cells(row: Row, style: Style, operation: int, service: int, axis: Axis) -> str:
    colour = "red" if row.error else "yellow" if row.absent else "dim" if row.glyph == "~" else ""
    text = clip_middle(row.operation, operation, style.own("…"))
    what = style.paint(text + " " * (operation - cell_len(text)), colour)
    who = clip_middle(row.service, service, style.own("…"))
    took = f"{who}{' ' * (service - cell_len(who))} {row.took:>7}"
    return f"{what} {took}  {style.paint(_bar(row, style, axis), colour or 'green')}"


def _bar(row: Row, style: Style, axis: Axis) -> str:
    if row.absent and axis.pieces:
        last = max(
            (piece.start_ns for piece in axis.pieces if piece.folded),
            default=axis.pieces[-1].start_ns,
        )
        said = axis.bar(last, axis.pieces[-1].end_ns, style.pick(("┄", ".")))
        return clip(said[: max(len(said) - 9, 0)] + " expected", axis.width, "")
    if row.start_ns is None or row.end_ns is None:
        return ""
    bar = axis.bar(row.start_ns, row.end_ns, style.pick(("█", "=")))
    return bar + " ERROR" if row.error and len(bar) + 6 <= axis.width else bar


def _fitted(text: str, width: int) -> str:
    shown = clip(text, width)
    return shown + " " * (width - cell_len(shown))


def _why(instance: Instance, graph: nx.DiGraph[Any], style: Style) -> list[str]:
    """How many edges each tier of evidence gave; those that are no parent span one by one."""
    edges = instance.edges
    if not edges.height:
        return []
    tiers = edges.group_by(pl.col("tier").cast(pl.String)).agg(
        pl.len(), pl.col("confidence").min()
    ).sort("tier")  # fmt: skip
    lines = [style.heading("WHY ONE INSTANCE", "solid: parent span; dotted: other evidence")]
    for tier, number, sure in tiers.iter_rows():
        meaning = TIERS.get(tier, "other evidence")
        lines.append(f"  {name(tier):<3} {count(number, 'edge'):>10}  {sure:.2f}  {meaning}")
    other = [e for e in graph.edges(data=True) if e[2].get("tier") not in ("E1", "", None)]
    for source, target, data in other[:EDGES_SHOWN]:
        ends = f"{_label(graph, source)} → {_label(graph, target)}"
        wait = f", waited {duration(data['wait_ns'])}" if data.get("wait_ns") else ""
        said = f"{name(data['kind'])} {name(data['tier'])} {data['confidence']:.2f}{wait}: {ends}"
        lines += style.wrap(said, "    ", "      ")
    return lines + [f"    {line}" for line in more(len(other) - EDGES_SHOWN, "edge")]


def _label(graph: nx.DiGraph[Any], node: object) -> str:
    data = graph.nodes[node]
    return f"{prose(data.get('operation', '?'), 40)} ({prose(data.get('service', '?'), 30)})"


def _findings(instance: Instance, style: Style) -> list[str]:
    findings = sorted(instance.findings, key=lambda finding: finding.sort_key)
    if not findings:
        return [style.heading("FINDINGS", "none about this instance")]
    lines = [style.heading("FINDINGS")]
    for finding in findings:
        block = text_findings.block(Group((finding,)), style, instance.analysis.as_of_ns, "")
        lines += ["", *(line for line in block if not line.startswith("  look"))]
    return lines
