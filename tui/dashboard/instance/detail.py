"""Everything about the row under the cursor: times, error, why it was joined, attributes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analyzer.escape import escape
from analyzer.reporters.lanes import TIERS
from analyzer.reporters.style import Style, prose
from analyzer.reporters.units import duration
from tui.dashboard.instance.events_tab import error_text
from tui.dashboard.instance.model import Join, Model, Row
from tui.dashboard.instance.pieces import Line, short, wrapped
from tui.dashboard.instance.sheet import Sheet, tone

JOINS = 3  # that are told one by one


def detail(sheet: Sheet, row: Row, width: int) -> list[Line]:
    """Lines about that row, the most important first."""
    model, style = sheet.model, sheet.style
    half = max((width - 8) // 2, 8)
    name = f"missing parent {row.operation}" if row.kind == "missing" else row.operation
    title: Line = [
        (f"{sheet.glyph(row)} ", tone(row) or "success"),
        (short(name, half, style), "bold"),
        (f"  {short(row.service, half // 2, style)}", "accent"),
    ]
    lines = [title + _when(sheet, row)]
    if row.error:
        lines += wrapped(prose(error_text(row)), width, [("error   ", "error")])
    if row.kind in ("expected", "not-reached"):
        lines += _absence(sheet, row, width)
    for join in row.joins[:JOINS]:
        lines += wrapped(_why(model, row, join, style), width, [("joined  ", "dim")])
    if len(row.joins) > JOINS:
        lines.append([(f"        +{len(row.joins) - JOINS:,} more", "dim")])
    if row.kind == "missing":
        text = "a span names this parent, and the recording does not hold it"
        lines += wrapped(text, width, [("missing ", "dim")])
    return sheet.owned(lines + _attributes(row.data, width, style))


def _when(sheet: Sheet, row: Row) -> Line:
    if row.start_ns is None or row.end_ns is None:
        return []
    said = f"  {sheet.took(row)}  {sheet.at(row.start_ns)} to {sheet.at(row.end_ns)}"
    kind = f"  {escape(row.data['kind'] or '')}"
    path: Line = [("  critical path", "accent")] if row.critical else []
    shared: Line = [("  serves several instances", "special")] if row.data["shared"] else []
    return [(said, ""), (kind, "dim"), *path, *shared]


def _why(model: Model, row: Row, join: Join, style: Style) -> str:
    """`by message link (E2, confidence 0.99) from publish x (orders), waited 12ms`."""
    source = model.rows[join.source]
    place = f"{prose(source.operation, 60)} ({prose(source.service, 40)})"
    if row.kind != "step":
        return f"would follow {place}"
    how = TIERS.get(join.tier, "other evidence")
    said = f"by {how} ({join.tier}, confidence {join.confidence:.2f}) from {place}, {join.kind}"
    if join.wait_ns > 0:
        after = "after it began" if join.kind == "sync" else "waited"
        time = style.own(duration(join.wait_ns))
        said += f", {time} {after}" if join.kind == "sync" else f", {after} {time}"
    if join.skew_ns > 0:
        said += f", began {style.own(duration(join.skew_ns))} before it: clocks differ"
    return said


def _absence(sheet: Sheet, row: Row, width: int) -> list[Line]:
    if row.kind == "not-reached":
        text = "usually comes of the absent step, and is absent too"
        return wrapped(text, width, [("absent  ", "dim")])
    data = row.data
    said = []
    if data["p99_s"] is not None:
        usual = f"usually within {duration(data['p99_s'] * 1e9)} (p99 of {data['seen']:,})"
        said.append(usual)
    if data["deadline"]:
        said.append(f"due {data['deadline'][:23].replace('T', ' ').rstrip('Z')}")
    if data["overdue_s"]:
        said.append(f"overdue by {duration(data['overdue_s'] * 1e9)}")
    said.append(f"confidence {data['confidence']:.2f}")
    lines = wrapped(sheet.own(", ".join(said)), width, [("absent  ", "warning")])
    for finding in sheet.model.document["findings"]:
        if finding["fingerprint"] == data["finding"]:
            lines += wrapped(prose(finding["message"]), width, [("finding ", "dim")])
    return lines


def _attributes(data: Mapping[str, Any], width: int, style: Style) -> list[Line]:
    """The ids, then as many `key=value` on a line as there is room for."""
    found = [f"{key}={value}" for key, value in data.get("attributes", {}).items()]
    lines: list[Line] = []
    row: Line = []
    room = width - 8
    used = 0
    for pair in found:
        shown = short(pair, room, style)
        key, sign, value = shown.partition("=")
        size = _cells(shown) + 2
        if row and used + size > room:
            lines.append(row)
            row, used = [], 0
        row += [(key + sign, "dim"), (value + "  ", "")]
        used += size
    lines += [row] if row else []
    lines = [[("attrs   " if not at else " " * 8, "dim"), *one] for at, one in enumerate(lines)]
    if "span_id" in data:
        ids = f"trace {escape(data['trace_id'])}  span {escape(data['span_id'])}"
        lines.insert(0, [("ids     ", "dim"), (ids, "dim")])
    return lines


def fitting(lines: list[Line], room: int) -> list[Line]:
    """Those that fit, and how many more there are."""
    if len(lines) <= room:
        return lines
    left = len(lines) - room + 1
    return [*lines[: room - 1], [(f"        +{left:,} more line{'s' * (left > 1)}", "dim")]]


def _cells(text: str) -> int:
    from rich.cells import cell_len

    return cell_len(text)
