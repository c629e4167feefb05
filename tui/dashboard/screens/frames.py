"""What several pages share: frames of objects, columns, styles of drawings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.style import Style as RichStyle
from textual.widget import Widget

from analyzer.finding import Severity
from analyzer.reporters.style import SEVERITY_GLYPHS, Style
from analyzer.reporters.units import duration, moment, percent
from tui.dashboard.rows import Cell, Cells, Tone
from tui.dashboard.theme import STATE_TONES, state_glyph

if TYPE_CHECKING:
    import polars as pl

SEVERITY_TONES: dict[str, Tone] = {"error": "error", "warning": "warning", "note": "accent"}


def component_style(widget: Widget, name: str) -> RichStyle:
    """The style of a component class over whatever is painted: what it does not set stays.

    Colours with an alpha are blended with the widget's background.
    """
    full = widget.get_component_rich_style(name)
    own = widget.get_component_rich_style(name, partial=True)
    return own + RichStyle(
        color=full.color if own.color else None, bgcolor=full.bgcolor if own.bgcolor else None
    )


def frame_of_rows(rows: Iterable[Sequence[Any]], types: Mapping[str, Any]) -> pl.DataFrame:
    """Rows of those types. A lone surrogate becomes text like `\\udcff`: no frame can hold it."""
    import polars as pl

    kept = [tuple(map(_storable, row)) for row in rows]
    return pl.DataFrame(kept, schema=dict(types), orient="row")


def _storable(value: Any) -> Any:
    if isinstance(value, list):
        return [_storable(one) for one in value]
    if not isinstance(value, str) or value.isascii():
        return value
    return value.encode("utf-8", "backslashreplace").decode()


def durations(name: str) -> Cells:
    """Cells of a column of nanoseconds."""

    def cells(frame: pl.DataFrame, now_ns: int) -> list[Cell]:
        return [("—", "dim") if n is None else duration(n) for n in frame[name].to_list()]

    return cells


def shares(name: str) -> Cells:
    """Cells of a column of shares, 0 to 1."""

    def cells(frame: pl.DataFrame, now_ns: int) -> list[Cell]:
        return [("—", "dim") if n is None else percent(n) for n in frame[name].to_list()]

    return cells


def ages(name: str, tail: str = "") -> Cells:
    """Cells: how long ago the time in that column was."""

    def cells(frame: pl.DataFrame, now_ns: int) -> list[Cell]:
        return [
            ("—", "dim") if n is None else duration(max(now_ns - n, 0)) + tail
            for n in frame[name].to_list()
        ]

    return cells


def moments(name: str) -> Cells:
    """Cells: the time in that column."""

    def cells(frame: pl.DataFrame, now_ns: int) -> list[Cell]:
        return [(moment(at), "dim") for at in frame[name].to_list()]

    return cells


def severities(drawing: Style) -> Cells:
    """Cells of the column `severity`: `■ error`."""
    made: dict[str, Cell] = {
        name: (f"{drawing.pick(glyphs)} {name}", SEVERITY_TONES[name])
        for name, glyphs in SEVERITY_GLYPHS.items()
    }

    def cells(frame: pl.DataFrame, now_ns: int) -> list[Cell]:
        return [made.get(name, str(name)) for name in frame["severity"].to_list()]

    return cells


def severity_rank(now_ns: int = 0) -> pl.Expr:
    """To sort a column `severity` by, the worst first."""
    import polars as pl

    return pl.col("severity").cast(pl.Enum([one.value for one in Severity])).to_physical()


def states(drawing: Style) -> Cells:
    """Cells of the column `state`: `■ stuck`."""

    def cells(frame: pl.DataFrame, now_ns: int) -> list[Cell]:
        return [_state(state, drawing) for state in frame["state"].to_list()]

    return cells


def _state(state: str | None, drawing: Style) -> Cell:
    if state is None:
        return "—", "dim"
    tone = STATE_TONES.get(state, "dim")
    return f"{state_glyph(state, drawing)} {state}", tone  # type: ignore[return-value]
