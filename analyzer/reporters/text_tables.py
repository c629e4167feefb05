"""The sections of the text report that are tables: workflows, and the coupling of services."""

from __future__ import annotations

from typing import Any

import polars as pl

from analyzer.analysis import Analysis, Workflow
from analyzer.reporters.groups import COUPLING_KINDS, grouped
from analyzer.reporters.style import (
    Style,
    fit_columns,
    more,
    name,
    need,
    prose,
    states_line,
)
from analyzer.reporters.units import count, duration

WORKFLOWS_SHOWN = 12
EDGES_SHOWN = 8
HOTSPOTS_SHOWN = 8


def workflows(analysis: Analysis, style: Style) -> list[str]:
    """A row and a line a workflow, those with most trouble and most instances first."""
    known = sorted(analysis.workflows, key=lambda w: (_healthy(w), -w.instances, w.name))
    if not known:
        return []
    lines = [style.heading("WORKFLOWS", "states; starts over the recording; p50, p95 to complete")]
    for workflow in known[:WORKFLOWS_SHOWN]:
        lines += _workflow(workflow, style)
    rest = known[WORKFLOWS_SHOWN:]
    hidden = count(sum(w.instances for w in rest), "instance")
    return lines + [f"  {line}" for line in more(len(rest), "workflow", f" ({hidden})")]


def _healthy(workflow: Workflow) -> bool:
    return set(workflow.by_state) <= {"complete", "running", "waiting", "compensated"}


def _workflow(workflow: Workflow, style: Style) -> list[str]:
    done = workflow.by_state.get("complete", 0) > 0
    times = (workflow.p50_ns, workflow.p95_ns) if done else (None, None)
    took = " ".join(f"{duration(ns) if ns is not None else '':>6}" for ns in times)
    plots = (
        f"    {style.states_bar(workflow.by_state, 12)}  "
        f"{style.spark(workflow.starts_per_bin):<24} {took}  "
    )
    facts = [workflow.style] if workflow.style != "undetermined" else []
    facts += [count(workflow.variants, "variant")] if workflow.variants > 1 else []
    said = f"{name(', '.join(facts))}  {workflow.instances:,}"
    title = style.cell(workflow.name, max(style.width - 3 - len(said), 20), middle=True)
    states = states_line(workflow.by_state)
    if len(states) > style.width - 61:
        return [f"  {title} {said}", plots, *style.wrap(states, "    ")]
    return [f"  {title} {said}", plots + states]


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
    shown = ranked.head(limit).to_dicts()
    names = ["source", "target", "destination", "kind"]
    titles = ["FROM", "TO", "OVER", "KIND"]
    if not any(row["destination"] for row in shown):
        names, titles = ["source", "target", "kind"], ["FROM", "TO", "KIND"]
    needs = [need((row[n] for row in shown), t) for n, t in zip(names, titles, strict=True)]
    widths = fit_columns(needs, style.width - 24 - len(names))
    head = " ".join(f"{t:<{w}}" for t, w in zip(titles, widths, strict=True))
    lines = [style.paint(f"  {head} {'CALLS':>6} {'FAILED':>6} {'P95':>6}", "dim")]
    for row in shown:
        cells = " ".join(
            style.cell(row[n] or "", w, middle=True) for n, w in zip(names, widths, strict=True)
        )
        lines.append(f"  {cells} {_edge_numbers(row, style)}")
    hidden = more(ranked.height - limit, "edge", ": see choreoscope graph")
    return lines + [f"  {line}" for line in hidden]


def _edge_numbers(row: dict[str, Any], style: Style) -> str:
    failed = style.paint(f"{row['errors']:>6,}" if row["errors"] else f"{'':>6}", "red")
    return f"{row['calls']:>6,} {failed} {duration(row['p95_wait_ns']):>6}"


def _hotspots(analysis: Analysis, style: Style) -> list[str]:
    lines: list[str] = []
    ranked = sorted(analysis.hotspots, key=lambda h: (-h.score, h.kind, h.services))
    for hotspot in ranked[:HOTSPOTS_SHOWN]:
        bar = style.paint(f"{style.bar(hotspot.score, 10):<10}", "yellow")
        lines.append(f"  {bar} {hotspot.score:.2f} {name(hotspot.kind)}")
        parts = " + ".join(f"{name(k)} {v:.2f}" for k, v in sorted(hotspot.parts.items()))
        lines += style.wrap(f"{prose(hotspot.message)} ({parts})", " " * 18)
    lines += [f"  {line}" for line in more(len(ranked) - HOTSPOTS_SHOWN, "hotspot")]
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
    lines += [f"  {line}" for line in more(len(groups) - HOTSPOTS_SHOWN, "finding", " on coupling")]
    return ["", *lines] if lines else []
