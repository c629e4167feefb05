"""Who depends on whom as a heat matrix: rows start something in columns."""

from __future__ import annotations

import math
from dataclasses import dataclass

import polars as pl

from analyzer.analysis import Analysis
from analyzer.reporters.html import blocks
from analyzer.reporters.html.markup import Html, join, number, tag
from analyzer.reporters.html.svg import CELL, label, picture, rect, width_of

SERVICES = 30  # rows and columns; the busiest, the rest counted
SIDE = 34.0
NAME = 22
STEPS = 5  # shades
TOLD = 10


@dataclass(frozen=True, slots=True)
class Cell:
    """What one service starts in another."""

    calls: int
    errors: int
    sync: int  # of the calls


def figure(analysis: Analysis) -> Html | None:
    """The matrix with its legend; nothing where no service depends on another."""
    cells = _cells(analysis)
    names = _names(cells)
    if not cells:
        return None
    shown = sorted(names[:SERVICES])
    return tag(
        "figure",
        blocks.frame(_picture(shown, cells), "Heat matrix of coupling"),
        tag("figcaption", tag("span", _legend(cells), class_="legend")),
        blocks.cut(len(names) - SERVICES, "service", ": the table of edges has more"),
    )


def _cells(analysis: Analysis) -> dict[tuple[str, str], Cell]:
    sync = pl.col("calls").filter(pl.col("kind") == "sync").sum().alias("sync")
    pairs = (
        analysis.service_edges.group_by("source", "target")
        .agg(pl.col("calls").sum(), pl.col("errors").sum(), sync)
        .sort("source", "target")
    )
    return {(s, t): Cell(calls, errors, n) for s, t, calls, errors, n in pairs.iter_rows()}


def _names(cells: dict[tuple[str, str], Cell]) -> list[str]:
    """Services by how much goes in and out, most first."""
    traffic: dict[str, int] = {}
    for pair, cell in cells.items():
        for name in set(pair):
            traffic[name] = traffic.get(name, 0) + cell.calls
    return sorted(traffic, key=lambda name: (-traffic[name], name))


def _picture(names: list[str], cells: dict[tuple[str, str], Cell]) -> Html:
    longest = max(width_of(name, NAME) for name in names) * CELL
    left, top = longest + 14, longest * 0.72 + 22
    right = longest * 0.72
    most = max(cell.calls for cell in cells.values())
    place = {name: at for at, name in enumerate(names)}
    drawn = [
        _cell(place[t] * SIDE + left, place[s] * SIDE + top, f"{s} → {t}", cell, most)
        for (s, t), cell in cells.items()
        if s in place and t in place
    ]
    size = SIDE * len(names)
    return picture(
        left + size + max(right, 12), top + size + 8, "Coupling of services", _description(cells),
        [_names_of(name, at, left, top, size) for name, at in place.items()],
        join(drawn),
        class_="matrix",
    )  # fmt: skip


def _names_of(name: str, at: int, left: float, top: float, size: float) -> Html:
    middle = at * SIDE + SIDE / 2
    x, y = number(left + middle + 4), number(top - 8)
    return join(
        [
            rect(left, top + at * SIDE, size, SIDE, "grid"),
            rect(left + at * SIDE, top, SIDE, size, "grid"),
            rect(left + at * SIDE + 2, top + at * SIDE + 2, SIDE - 4, SIDE - 4, "self"),
            label(left - 8, top + middle + 4, name, NAME, "name", text_anchor="end"),
            label(left + middle + 4, top - 8, name, NAME, "name",
                  transform=f"rotate(-45 {x} {y})"),
        ]
    )  # fmt: skip


def _cell(x: float, y: float, pair: str, cell: Cell, most: int) -> Html:
    shade = 1 + int((STEPS - 1) * math.log1p(cell.calls) / math.log1p(max(most, 1)))
    kind = "sync" if cell.sync * 2 > cell.calls else "message"
    said = f"{pair}: {cell.calls:,}, {cell.sync:,} of them calls, {cell.errors:,} failed"
    shape = rect(x + 2, y + 2, SIDE - 4, SIDE - 4, f"heat {kind} heat{shade}", tag("title", said))
    failed = rect(x + 4, y + SIDE - 8, SIDE - 8, 3, "failing") if cell.errors else None
    return join(
        [
            shape,
            label(x + SIDE / 2, y + SIDE / 2 + 4, _short(cell.calls), 5,
                  f"value value{shade} {kind}", text_anchor="middle"),
            failed,
        ]
    )  # fmt: skip


def _short(value: int) -> str:
    """At most four characters: `999`, `1.2k`, `34k`, `5M`."""
    for size, unit in ((1_000_000_000, "G"), (1_000_000, "M"), (1000, "k")):
        if value >= size:
            share = value / size
            return f"{share:.1f}{unit}" if share < 9.95 else f"{share:.0f}{unit}"
    return str(value)


def _legend(cells: dict[tuple[str, str], Cell]) -> str:
    parts = ["a row starts something in a column", "the stronger the colour, the more often"]
    kinds = {cell.sync * 2 > cell.calls for cell in cells.values()}
    parts += ["blue: mostly messages"] if False in kinds else []
    parts += ["orange: mostly calls"] if True in kinds else []
    parts += ["red line: some failed"] if any(cell.errors for cell in cells.values()) else []
    return " · ".join(parts)


def _description(cells: dict[tuple[str, str], Cell]) -> str:
    ranked = sorted(cells.items(), key=lambda item: (-item[1].calls, item[0]))
    said = [f"{s} to {t} {cell.calls:,} times" for (s, t), cell in ranked[:TOLD]]
    rest = f", and {len(ranked) - TOLD} more pairs" if len(ranked) > TOLD else ""
    return f"{', '.join(said)}{rest}. The table of edges has the same in numbers."
