"""Cells -> segments: one line of a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style

from analyzer.escape import clip, clip_middle, escape
from tui.dashboard.rows.column import Cell, Column

Palette = Callable[[str], Style]  # of a tone


def fit(
    text: str, width: int, align: str = "left", *, middle: bool = False, dots: str = "…"
) -> str:
    """A foreign text, escaped, cut and padded to `width` cells."""
    shown = escape(text)
    if not (shown.isascii() and len(shown) <= width):
        shown = (clip_middle if middle else clip)(shown, width, dots)
    pad = " " * (width - cell_len(shown))
    return pad + shown if align == "right" else shown + pad


def line(
    columns: Sequence[tuple[Column, int]],
    cells: Sequence[Cell],
    palette: Palette,
    base: Style,
    dots: str = "…",
) -> list[Segment]:
    """The segments of one row, the tones over `base`, a blank between the columns."""
    segments = []
    for (column, width), cell in zip(columns, cells, strict=True):
        text, tone = (cell, "") if isinstance(cell, str) else cell
        shown = fit(text, width, column.align, middle=column.middle, dots=dots)
        segments.append(Segment(shown + " ", base + palette(tone) if tone else base))
    return segments


def titles(
    columns: Sequence[tuple[Column, int]], sorted_by: str, arrow: str, style: Style, dots: str
) -> list[Segment]:
    """The header; the column that it is sorted by has an arrow."""
    segments = []
    for column, width in columns:
        title = f"{column.title}{arrow}" if column.id == sorted_by else column.title
        segments.append(Segment(fit(title, width, column.align, dots=dots) + " ", style))
    return segments
