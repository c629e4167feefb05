"""Graphs as tables: services with their edges, or the steps of one instance."""

from __future__ import annotations

from typing import Any

from analyzer.analysis import Analysis, Instance
from analyzer.graphs import steps_with_ids
from analyzer.reporters.style import Style
from analyzer.reporters.text_tables import service_edges
from analyzer.reporters.units import duration


def services(analysis: Analysis, style: Style) -> str:
    """A row a service, then a row an edge; nothing is left out."""
    room = max(style.width - 52, 16)
    head = (
        f"  {'SERVICE':<{room}} {'SPANS':>8} {'INSTANCES':>9} {'ERRORS':>7} "
        f"{'IN':>4} {'OUT':>4} {'INSTABILITY':>11}"
    )
    lines = [style.heading("SERVICES"), style.paint(head, "dim")]
    for row in analysis.services.sort("name").iter_rows(named=True):
        instability = row["instability"]
        known = instability is not None and instability == instability
        spans = f"{row['spans']:,}" if row["spans"] else "silent"
        lines.append(
            f"  {style.cell(row['name'], room)} {spans:>8} {row['instances']:>9,} "
            f"{row['errors'] or '':>7} {row['ca']:>4} {row['ce']:>4} "
            f"{f'{instability:.2f}' if known else '':>11}"
        )
    edges = analysis.service_edges
    if edges.height:
        lines += ["", style.heading("EDGES"), *service_edges(edges, style, edges.height)]
    return style.own("\n".join(line.rstrip() for line in lines)) + "\n"


def steps(instance: Instance, style: Style) -> str:
    """A row a step, in order of start."""
    room = max((style.width - 27) * 3 // 10, 12)
    wide = max(style.width - 27 - 2 * room, 12)
    head = (
        f"  {'SERVICE':<{room}} {'STEP':<{wide}} {'KIND':<8} {'OVER':<{room}} {'TOOK':>7} {'':<5}"
    )
    lines = [style.paint(head.rstrip(), "dim")]
    lines += [
        _step(row, style, room, wide) for row in steps_with_ids(instance).iter_rows(named=True)
    ]
    return style.own("\n".join(line.rstrip() for line in lines)) + "\n"


def _step(row: dict[str, Any], style: Style, room: int, wide: int) -> str:
    operation = style.cell(row["operation"], wide, middle=True)
    return (
        f"  {style.cell(row['service'] or '', room)} {operation} "
        f"{style.cell(row['kind'], 8)} {style.cell(row['destination'] or '', room)} "
        f"{duration(row['end_ns'] - row['start_ns']):>7} {'ERROR' if row['error'] else ''}"
    )
