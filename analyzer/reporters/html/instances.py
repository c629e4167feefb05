"""The instances that somebody has to look at, as a table."""

from __future__ import annotations

from typing import Any

import polars as pl

from analyzer.analysis import Analysis
from analyzer.reporters.context import Context
from analyzer.reporters.html import blocks
from analyzer.reporters.html.markup import Child, Html, tag, text
from analyzer.reporters.instances import ordered, waits_for
from analyzer.reporters.units import count, duration

SHOWN = 100
OPEN = 20  # rows that are not folded away
CALM = ("complete", "compensated", "running", "waiting")


def section(analysis: Analysis, _: Context) -> Html | None:
    """The worst first, then those that are overdue longest; healthy ones are not listed."""
    if not analysis.instances.height:
        return None
    troubled = analysis.instances.filter(~pl.col("state").is_in(CALM))
    ranked = ordered(troubled, "state", analysis.as_of_ns)
    rows = [_row(row, analysis) for row in ranked.head(SHOWN).iter_rows(named=True)]
    heads = ("Instance", "State", "Workflow", "Waiting for", "Age", "Overdue", "Steps", "Errors")
    table = blocks.table("Instances in trouble, worst first", heads, rows[:OPEN], "----rrrr")
    rest = blocks.table("More instances in trouble", heads, rows[OPEN:], "----rrrr")
    total = count(analysis.instances.height, "instance")
    return blocks.section(
        "instances",
        "Instances",
        table if rows else tag("p", "None is in trouble."),
        blocks.fold(f"{len(rows) - OPEN:,} more", rest) if len(rows) > OPEN else None,
        blocks.cut(troubled.height - SHOWN, "instance", ": --output csv=instances.csv has them"),
        note=f"{troubled.height:,} of {total} in trouble",
    )


def _row(row: dict[str, Any], analysis: Analysis) -> tuple[Child, ...]:
    late = analysis.as_of_ns - row["deadline_ns"] if row["deadline_ns"] is not None else 0
    return (
        tag("code", text(row["id"], 64)),
        blocks.state(row["state"]),
        text(row["workflow"], 80),
        text(waits_for(row), 120),
        duration(max(analysis.as_of_ns - row["start_ns"], 0)),
        duration(late) if late > 0 else "",
        f"{row['steps']:,}",
        f"{row['errors']:,}" if row["errors"] else "",
    )
