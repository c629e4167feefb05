"""Who depends on whom, and where that is too much."""

from __future__ import annotations

from typing import Any

from analyzer.analysis import Analysis
from analyzer.finding import Hotspot
from analyzer.reporters.context import Context
from analyzer.reporters.groups import COUPLING_KINDS, grouped
from analyzer.reporters.html import blocks, graph_picture, matrix_picture
from analyzer.reporters.html.markup import Child, Html, join, tag, text
from analyzer.reporters.units import count, duration

SERVICES = 100
EDGES = 100
HOTSPOTS = 20


def graph_section(analysis: Analysis, _: Context) -> Html | None:
    """The picture of services and destinations, and the services as a table."""
    if not analysis.services.height:
        return None
    rows = [
        _service(row)
        for row in analysis.services.sort(["instances", "name"], descending=[True, False])
        .head(SERVICES)
        .iter_rows(named=True)
    ]
    heads = ("Service", "Spans", "Instances", "Errors", "In", "Out", "Instability")
    caption = "Services; in: services that depend on it, out: services that it depends on"
    table = blocks.table(caption, heads, rows, "-rrrrrr")
    return blocks.section(
        "services",
        "Services",
        tag(
            "div",
            graph_picture.figure(analysis),
            tag("div", table, blocks.cut(analysis.services.height - SERVICES, "service")),
            class_="beside",
        ),
        note="what flows where",
    )


def _service(row: dict[str, Any]) -> tuple[Child, ...]:
    instability = row["instability"]
    known = instability is not None and instability == instability
    return (
        text(row["name"], 80),
        f"{row['spans']:,}" if row["spans"] else "silent",
        f"{row['instances']:,}",
        f"{row['errors']:,}" if row["errors"] else "",
        f"{row['ca']:,}",
        f"{row['ce']:,}",
        f"{instability:.2f}" if known else "",
    )


def matrix_section(analysis: Analysis, _: Context) -> Html | None:
    """The heat matrix, hotspots with the parts of their score, and the edges as a table."""
    edges = analysis.service_edges
    if not edges.height and not analysis.hotspots:
        return None
    return blocks.section(
        "coupling",
        "Coupling",
        tag(
            "div",
            matrix_picture.figure(analysis),
            tag("div", _hotspots(analysis), _findings(analysis)),
            class_="beside",
        ),
        _edges(analysis) if edges.height else None,
        note="who starts something in whom",
    )


def _hotspots(analysis: Analysis) -> Html | None:
    ranked = sorted(analysis.hotspots, key=lambda h: (-h.score, h.kind, h.services))
    if not ranked:
        return None
    shown = [tag("li", _hotspot(hotspot)) for hotspot in ranked[:HOTSPOTS]]
    return join([
        tag("h3", "Hotspots"),
        tag("ul", join(shown), class_="hotspots"),
        blocks.cut(len(ranked) - HOTSPOTS, "hotspot"),
    ])  # fmt: skip


def _hotspot(hotspot: Hotspot) -> Html:
    parts = " + ".join(f"{name} {part:.2f}" for name, part in sorted(hotspot.parts.items()))
    return join(
        [
            tag("b", text(hotspot.kind, 60)),
            " ",
            blocks.meter(hotspot.score, f"score {hotspot.score:.2f}"),
            " ",
            tag("span", f"{hotspot.score:.2f} = {parts}", class_="small"),
            tag("p", hotspot.message),
        ]
    )


def _findings(analysis: Analysis) -> Html | None:
    """Those that no hotspot of the same kind and message has told already."""
    told = {(h.kind, h.message) for h in analysis.hotspots}
    groups = grouped(
        f for f in analysis.findings if f.kind in COUPLING_KINDS and (f.kind, f.message) not in told
    )
    if not groups:
        return None
    rows = [
        (blocks.severity(g.worst.severity.value), text(g.kind, 60), text(g.worst.message))
        for g in groups[:HOTSPOTS]
    ]
    return join([
        blocks.table("Findings about coupling", ("Severity", "Finding", "What"), rows),
        blocks.cut(len(groups) - HOTSPOTS, "finding"),
    ])  # fmt: skip


def _edges(analysis: Analysis) -> Html:
    ranked = analysis.service_edges.sort(
        "errors", "instances", "source", "target", "kind", "destination",
        descending=[True, True, False, False, False, False],
    )  # fmt: skip
    rows = [_edge(row) for row in ranked.head(EDGES).iter_rows(named=True)]
    heads = ("From", "To", "Over", "Kind", "Calls", "Failed", "Instances", "Wait p50", "Wait p95")
    return blocks.fold(
        f"{count(ranked.height, 'edge')} as a table",
        blocks.table("Edges between services", heads, rows, "----rrrrr", hidden=True),
        blocks.cut(ranked.height - EDGES, "edge", ": --output json=report.json has them"),
    )


def _edge(row: dict[str, Any]) -> tuple[Child, ...]:
    return (
        text(row["source"], 80),
        text(row["target"], 80),
        text(row["destination"] or "", 80),
        row["kind"],
        f"{row['calls']:,}",
        f"{row['errors']:,}" if row["errors"] else "",
        f"{row['instances']:,}",
        duration(row["p50_wait_ns"]),
        duration(row["p95_wait_ns"]),
    )
