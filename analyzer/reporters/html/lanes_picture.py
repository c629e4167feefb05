"""One instance as a picture: lanes that show what caused what, beside a waterfall of time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import networkx as nx

from analyzer.analysis import Instance
from analyzer.graphs import instance_graph
from analyzer.reporters.html import blocks
from analyzer.reporters.html.markup import Child, Html, join, number, tag, text
from analyzer.reporters.html.svg import CELL, label, line, picture, rect, width_of
from analyzer.reporters.html.tracks import Lanes, Track, assign
from analyzer.reporters.lanes import Row, forward, missing_parents, row_of
from analyzer.reporters.style import DEFAULT as PLAIN
from analyzer.reporters.units import count, duration
from analyzer.reporters.waterfall import Axis, Piece, fit

STEPS = 40  # rows of a picture
LARGEST = 5_000  # steps; a larger instance is not laid out for a picture of forty of them
ROW, TOP, BOTTOM = 24.0, 34.0, 8.0
LANE = 14.0
AXIS_CELLS = 100
WIDE, LEAST = 1000.0, 360.0  # of the whole picture where names leave room; of its time axis
WORD = 48.0  # pixels that a short word beside a bar takes
TOLD = 12  # steps in the description for those who cannot see it


@dataclass(frozen=True, slots=True)
class Columns:
    """Left edges and widths in cells of the picture's columns."""

    step: float
    step_cells: int
    service: float
    service_cells: int
    took: float  # right edge
    axis: float
    span: float  # width of the time axis

    @property
    def width(self) -> float:
        """Of the whole picture."""
        return self.axis + self.span + 12


def figure(instance: Instance) -> Html:
    """The picture with its legend, and the same as a table."""
    name = str(instance.fields["id"])
    if instance.steps.height > LARGEST:
        said = f"{count(instance.steps.height, 'step')}: too many for a picture."
        return tag("p", said, class_="cut")
    graph = forward(instance_graph(instance), missing_parents(instance))
    nodes = list(graph)[:STEPS]
    rows = [row_of(node, graph.nodes[node], instance, PLAIN) for node in nodes]
    drawn = _picture(instance, graph, rows, name)
    hidden = graph.number_of_nodes() - len(nodes)
    caption = tag("figcaption", "Instance ", tag("code", text(name, 80)), _legend(rows))
    return tag(
        "figure",
        caption,
        blocks.frame(drawn, f"Lanes and waterfall of instance {name}"),
        blocks.cut(hidden, "step", ": choreoscope show draws them"),
        blocks.fold("The same as a table", _table(rows, instance)),
        class_="instance",
    )


def _picture(instance: Instance, graph: nx.DiGraph[Any], rows: list[Row], name: str) -> Html:
    lanes = assign([row.node for row in rows], graph.edges(data=True))
    columns = _columns(rows, lanes)
    until = instance.analysis.as_of_ns if any(row.absent for row in rows) else None
    busy = [(r.start_ns, r.end_ns) for r in rows if r.start_ns is not None and r.end_ns is not None]
    axis = fit(busy, until, AXIS_CELLS)
    height = TOP + ROW * len(rows) + BOTTOM
    return picture(
        columns.width,
        height,
        f"Instance {name}",
        _description(rows),
        [_ground(place, columns) for place in range(len(rows))],
        _heads(columns),
        _time(axis, columns, height),
        [_step(row, place, columns, axis) for place, row in enumerate(rows)],
        [_edge(track) for track in lanes.tracks],
        [_dot(row, place, lane) for place, (row, lane) in enumerate(_pairs(rows, lanes))],
        class_="lanes",
    )


def _pairs(rows: list[Row], lanes: Lanes) -> list[tuple[Row, int]]:
    return list(zip(rows, lanes.of_row, strict=True))


def _columns(rows: list[Row], lanes: Lanes) -> Columns:
    step_cells = max([4, *(width_of(row.operation, 40) for row in rows)])
    service_cells = max([7, *(width_of(row.service, 22) for row in rows)])
    step = 12 + LANE * lanes.width + 8
    service = step + step_cells * CELL + 14
    took = service + service_cells * CELL + 8 * CELL
    axis = took + 18
    span = max(WIDE - axis - 12, LEAST)
    return Columns(step, step_cells, service, service_cells, took, axis, span)


def _ground(place: int, columns: Columns) -> Html | None:
    """A tint behind every other row leads the eye from the name to the bar."""
    if place % 2 == 0:
        return None
    wide = columns.axis + columns.span - columns.step + 6
    return rect(columns.step - 6, TOP + ROW * place, wide, ROW, "row")


def _heads(columns: Columns) -> Html:
    return join(
        [
            label(columns.step, 20, "Step", 8, "head"),
            label(columns.service, 20, "Service", 8, "head"),
            label(columns.took, 20, "Took", 8, "head", text_anchor="end"),
        ]
    )


def _x(axis: Axis, time_ns: int, columns: Columns) -> float:
    return columns.axis + axis.cell(time_ns) / max(axis.width, 1) * columns.span


def _time(axis: Axis, columns: Columns, height: float) -> Html:
    """The ruler, and a band where long waiting is folded."""
    if not axis.pieces:
        return Html()
    whole = axis.pieces[-1].end_ns - axis.pieces[0].start_ns
    right = columns.axis + columns.span
    bands = [_band(piece, axis, columns, height) for piece in axis.pieces if piece.folded]
    ends = [label(columns.axis, 20, "0", 2, "tick")]
    if not axis.pieces[-1].folded and axis.pieces[-1].right - axis.pieces[-1].left > 12:
        ends.append(label(right, 20, duration(whole), 8, "tick", text_anchor="end"))
    return join([line(columns.axis, 26, right, 26, "ruler"), bands, ends])


def _band(piece: Piece, axis: Axis, columns: Columns, height: float) -> Html:
    scale = columns.span / max(axis.width, 1)
    left, wide = columns.axis + piece.left * scale, (piece.right - piece.left) * scale
    said = duration(piece.end_ns - piece.start_ns)
    tip = tag("title", f"{said} without work, folded")
    middle = left + wide / 2
    return join(
        [
            rect(left, 26, wide, height - 26 - BOTTOM / 2, "folded", tip),
            label(middle, 20, said, 8, "tick", text_anchor="middle"),
        ]
    )


def _step(row: Row, place: int, columns: Columns, axis: Axis) -> Html:
    y = TOP + ROW * place
    base = y + ROW / 2 + 4
    tone = (
        "error" if row.error else "absent" if row.absent else "missing" if row.glyph == "~" else ""
    )
    shapes = [
        label(columns.step, base, row.operation, columns.step_cells, f"step {tone}".strip()),
        label(columns.service, base, row.service, columns.service_cells, "service"),
        label(columns.took, base, row.took, 9, f"took {tone}".strip(), text_anchor="end"),
        _bar(row, y, columns, axis),
    ]
    return tag("g", join(shapes))


def _bar(row: Row, y: float, columns: Columns, axis: Axis) -> Html:
    top, end = y + ROW / 2 - 5, columns.axis + columns.span
    if row.absent and axis.pieces:
        folds = [piece.start_ns for piece in axis.pieces if piece.folded]
        left = _x(axis, max(folds, default=axis.pieces[-1].start_ns), columns)
        return rect(left, top, max(end - left, 2), 10, "expected", tag("title", "expected, absent"))
    if row.start_ns is None or row.end_ns is None:
        return Html()
    left = min(_x(axis, row.start_ns, columns), end - 2)
    wide = max(_x(axis, row.end_ns, columns) - left, 2)
    tip = tag("title", f"{row.operation}: {row.took}{', error' if row.error else ''}")
    bar = rect(left, top, wide, 10, "span error" if row.error else "span", tip, rx=2)
    if not row.error:
        return bar
    return join([bar, _said_error(left, left + wide, top + 9, columns)])


def _said_error(left: float, right: float, y: float, columns: Columns) -> Html | None:
    """The word beside the bar where there is room, else in it; the cross says it as well."""
    if right + WORD <= columns.axis + columns.span:
        return label(right + 5, y, "error", 8, "step error")
    if left - WORD >= columns.axis:
        return label(left - 5, y, "error", 8, "step error", text_anchor="end")
    return label(left + 5, y, "error", 8, "inside") if right - left >= WORD else None


def _at(lane: int) -> float:
    return 12 + LANE * lane


def _edge(track: Track) -> Html:
    """Down its lane; curved where it leaves the source's lane and where it joins the target's."""
    top, end = TOP + ROW * (track.source + 0.5), TOP + ROW * (track.target + 0.5)
    x1, x, x2 = _at(track.source_lane), _at(track.lane), _at(track.target_lane)
    path = [f"M{number(x1)} {number(top)}"]
    at = top
    if x != x1:
        at = top + ROW
        path.append(_curve(x1, top, x, at))
    if x2 != x:
        start = max(end - ROW, at)
        path.append(f"L{number(x)} {number(start)}")
        path.append(_curve(x, start, x2, end))
    else:
        path.append(f"L{number(x)} {number(end)}")
    return tag("path", d=" ".join(path), class_=_edge_class(track.data))


def _curve(x1: float, y1: float, x2: float, y2: float) -> str:
    middle = number((y1 + y2) / 2)
    return f"C{number(x1)} {middle} {number(x2)} {middle} {number(x2)} {number(y2)}"


def _edge_class(data: dict[str, Any]) -> str:
    if data.get("expected"):
        return "edge absent"
    return "edge" if data.get("tier") == "E1" else "edge other"


def _dot(row: Row, place: int, lane: int) -> Html:
    x, y = _at(lane), TOP + ROW * (place + 0.5)
    if row.error:
        size = 4.0
        cross = (
            f"M{number(x - size)} {number(y - size)}L{number(x + size)} {number(y + size)}"
            f"M{number(x - size)} {number(y + size)}L{number(x + size)} {number(y - size)}"
        )
        return join([tag("circle", cx=x, cy=y, r=6.5, class_="dot under"),
                     tag("path", d=cross, class_="cross")])  # fmt: skip
    tone = "absent" if row.absent else "missing" if row.glyph == "~" else ""
    return tag("circle", cx=x, cy=y, r=4.5, class_=f"dot {tone}".strip())


def _legend(rows: list[Row]) -> Html:
    parts = ["solid: parent span", "dotted: other evidence"]
    parts += ["cross: error"] if any(row.error for row in rows) else []
    parts += ["dashed: expected, absent"] if any(row.absent for row in rows) else []
    parts += ["grey: a parent that was not recorded"] if any(r.glyph == "~" for r in rows) else []
    return tag("span", " · ".join(parts), class_="legend")


def _description(rows: list[Row]) -> str:
    said = [f"{row.operation} ({row.service}{_outcome(row)})" for row in rows[:TOLD]]
    rest = f", and {len(rows) - TOLD} more" if len(rows) > TOLD else ""
    return f"{count(len(rows), 'step')}: {', '.join(said)}{rest}"


def _outcome(row: Row) -> str:
    if row.absent:
        return ", expected and absent"
    return f", {row.took}, error" if row.error else f", {row.took}" if row.took else ""


def _table(rows: list[Row], instance: Instance) -> Html:
    first = min((row.start_ns for row in rows if row.start_ns is not None), default=0)
    body: list[tuple[Child, ...]] = [
        (
            text(row.operation, 120),
            text(row.service, 80),
            duration(row.start_ns - first) if row.start_ns is not None else "",
            row.took,
            "error" if row.error else "expected, absent" if row.absent else "",
        )
        for row in rows
    ]
    caption = f"Steps of instance {instance.fields['id']}"
    return blocks.table(
        caption, ("Step", "Service", "Begins after", "Took", "Outcome"), body, "--rr-"
    )
