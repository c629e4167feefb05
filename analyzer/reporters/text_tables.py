"""The sections of the text report that are tables: workflows, and the coupling of services."""

from __future__ import annotations

from typing import Any

import polars as pl

from analyzer.analysis import Analysis, Workflow
from analyzer.reporters.groups import COUPLING_KINDS, grouped
from analyzer.reporters.style import Style, more, name, prose, states_line
from analyzer.reporters.units import count, duration

WORKFLOWS_SHOWN = 12
EDGES_SHOWN = 8
HOTSPOTS_SHOWN = 8


def workflows(analysis: Analysis, style: Style) -> list[str]:
    """A row and a line a workflow, those with most trouble and most instances first."""
    known = sorted(analysis.workflows, key=lambda w: (_healthy(w), -w.instances, w.name))
    if not known:
        return []
    lines = [style.heading("WORKFLOWS", _legend())]
    room = max(min(style.width - 62, 40), 18)
    head = f"{'NAME':<{room}} {'COUNT':>7}  {'STATES':<12} {'STARTS':<24} {'P50':>6} {'P95':>6}"
    lines.append(style.paint("  " + head, "dim"))
    for workflow in known[:WORKFLOWS_SHOWN]:
        lines += _workflow(workflow, style, room)
    rest = known[WORKFLOWS_SHOWN:]
    hidden = count(sum(w.instances for w in rest), "instance")
    return lines + [f"  {line}" for line in more(len(rest), f"workflows ({hidden})")]


def _legend() -> str:
    return "states, worst first; starts over the recording; time to complete"


def _healthy(workflow: Workflow) -> bool:
    return set(workflow.by_state) <= {"complete", "running", "waiting", "compensated"}


def _workflow(workflow: Workflow, style: Style, room: int) -> list[str]:
    states = style.states_bar(workflow.by_state, 12)
    done = workflow.by_state.get("complete", 0) > 0
    first = (
        f"  {style.cell(workflow.name, room)} {workflow.instances:>7,}  {states} "
        f"{style.spark(workflow.starts_per_bin):<24} "
        f"{duration(workflow.p50_ns) if done else '':>6} "
        f"{duration(workflow.p95_ns) if done else '':>6}"
    )
    variants = count(workflow.variants, "variant")
    said = f"{states_line(workflow.by_state)} · {name(workflow.style)}, {variants}"
    return [first, *(style.paint(line, "dim") for line in style.wrap(style.own(said), "    "))]


def coupling(analysis: Analysis, style: Style) -> list[str]:
    """Edges worth knowing, then hotspots with the parts of their score."""
    services, edges = analysis.services.height, analysis.service_edges
    if not services:
        return []
    kinds = dict(edges.group_by("kind").len().sort("kind").iter_rows())
    note = ", ".join(f"{number:,} {name(kind)}" for kind, number in kinds.items())
    title = f"{count(services, 'service')}, {count(edges.height, 'edge')}"
    lines = [style.heading("COUPLING", f"{title} ({note})" if note else title)]
    if edges.height:
        lines += service_edges(edges, style, EDGES_SHOWN)
    return lines + _hotspots(analysis, style) + _coupling_findings(analysis, style)


def service_edges(edges: pl.DataFrame, style: Style, limit: int) -> list[str]:
    """The edges with most errors, then with most instances, as rows of a table."""
    ranked = edges.sort(
        "errors", "instances", "source", "target", "kind", "destination",
        descending=[True, True, False, False, False, False],
    )  # fmt: skip
    room = max((style.width - 40) // 3, 12)
    head = (
        f"  {'FROM':<{room}} {'TO':<{room}} {'KIND':<7} {'OVER':<{room}} "
        f"{'CALLS':>6} {'FAILED':>6} {'P95':>6}"
    )
    lines = [style.paint(head, "dim")]
    lines += [_edge(row, style, room) for row in ranked.head(limit).iter_rows(named=True)]
    hidden = more(ranked.height - limit, "edges: see choreoscope graph")
    return lines + [f"  {line}" for line in hidden]


def _edge(row: dict[str, Any], style: Style, room: int) -> str:
    failed = f"{row['errors']:>6,}" if row["errors"] else f"{'':>6}"
    return (
        f"  {style.cell(row['source'], room)} {style.cell(row['target'], room)} "
        f"{style.cell(row['kind'], 7)} {style.cell(row['destination'] or '', room)} "
        f"{row['calls']:>6,} {style.paint(failed, 'red')} {duration(row['p95_wait_ns']):>6}"
    )


def _hotspots(analysis: Analysis, style: Style) -> list[str]:
    lines: list[str] = []
    ranked = sorted(analysis.hotspots, key=lambda h: (-h.score, h.kind, h.services))
    for hotspot in ranked[:HOTSPOTS_SHOWN]:
        bar = style.paint(f"{style.bar(hotspot.score, 10):<10}", "yellow")
        lines.append(f"  {bar} {hotspot.score:.2f} {name(hotspot.kind)}")
        parts = " + ".join(f"{name(k)} {v:.2f}" for k, v in sorted(hotspot.parts.items()))
        lines += style.wrap(f"{prose(hotspot.message)} ({parts})", " " * 18)
    lines += [f"  {line}" for line in more(len(ranked) - HOTSPOTS_SHOWN, "hotspots")]
    return ["", *lines] if lines else []


def _coupling_findings(analysis: Analysis, style: Style) -> list[str]:
    """Those that no hotspot of the same kind and message has told already."""
    told = {(h.kind, h.message) for h in analysis.hotspots}
    groups = grouped(
        f for f in analysis.findings if f.kind in COUPLING_KINDS and (f.kind, f.message) not in told
    )
    lines: list[str] = []
    for group in groups[:HOTSPOTS_SHOWN]:
        mark = f"  {style.own('·')} {name(group.kind)}: "
        lines += style.wrap(prose(group.worst.message), mark, "    ")
    lines += [f"  {line}" for line in more(len(groups) - HOTSPOTS_SHOWN, "findings on coupling")]
    return ["", *lines] if lines else []
