"""The heat matrix: rows start work, columns do it; shaded by glyph and colour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style as RichStyle
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from analyzer.reporters.style import DEFAULT, Style
from tui.dashboard.rows.paint import fit
from tui.dashboard.screens.frames import component_style
from tui.dashboard.screens.matrix_data import MEASURES, Matrix
from tui.dashboard.theme import foreign

NARROW, ROOMY = 2, 9  # columns of the screen for a cell: the shade alone, or its number too
GLYPHS = (("  ", "  "), ("··", "::"), ("░░", "=="), ("▒▒", "++"), ("▓▓", "**"), ("██", "##"))
DIAGONAL = ("╲ ", "\\ ")
CURSOR = "[]"
TONES = ("dim", "cold", "cool", "warm", "hot", "hottest")


class Heat(ScrollView, can_focus=True):
    """The matrix with a cursor on a cell. Only visible lines become text."""

    DEFAULT_CSS = """
    Heat {
        height: 1fr;
        color: $foreground;
        background: $background;
        overflow: auto;
        scrollbar-size-vertical: 1;
        scrollbar-size-horizontal: 1;
        & .heat--dim { color: $text-muted; }
        & .heat--cold { color: $text-muted; }
        & .heat--cool { color: $text-secondary; }
        & .heat--warm { color: $text-success; }
        & .heat--hot { color: $text-warning; }
        & .heat--hottest { color: $text-error; }
        & .heat--here { text-style: bold; background: $primary 25%; }
        & .heat--cursor { text-style: bold reverse; }
    }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        *(f"heat--{tone}" for tone in TONES), "heat--here", "heat--cursor",
    }  # fmt: skip
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "move(1,0)", "Down", show=False, id="heat.down"),
        Binding("up,k", "move(-1,0)", "Up", show=False, id="heat.up"),
        Binding("right,l", "move(0,1)", "Right", show=False, id="heat.right"),
        Binding("left,h", "move(0,-1)", "Left", show=False, id="heat.left"),
        Binding("pagedown", "move(10,0)", "Page down", show=False, id="heat.page-down"),
        Binding("pageup", "move(-10,0)", "Page up", show=False, id="heat.page-up"),
        Binding("home", "go(0)", "First", show=False, id="heat.first"),
        Binding("end,G", "go(-1)", "Last", show=False, id="heat.last"),
        Binding("v", "measure", "Measure", id="heat.measure"),
        Binding("enter", "open", "Service", id="heat.open"),
    ]

    @dataclass
    class Moved(Message):
        """The cursor is on another cell, or another measure is shown."""

    @dataclass
    class Opened(Message):
        """Enter: the service of the row."""

        service: str

    def __init__(self, drawing: Style = DEFAULT) -> None:
        super().__init__()
        self.drawing = drawing
        self.matrix = Matrix((), (), {m: {} for m in MEASURES}, dict.fromkeys(MEASURES, 0))
        self.measure: str = MEASURES[0]
        self.row = self.column = 0
        self.touched = False
        self._palette: dict[str, RichStyle] = {}
        self._segments: dict[tuple[int, int], Segment] = {}  # of cells without the cursor

    def show(self, matrix: Matrix) -> None:
        """Show that; the cursor stays on its pair of services."""
        pair = self.pair if self.touched else None
        self.matrix = matrix
        place = {name: at for at, name in enumerate(matrix.names)}
        last = max(len(matrix.names) - 1, 0)
        if pair is None:
            cells = matrix.values[self.measure]
            self.row, self.column = max(cells, key=lambda at: (cells[at], at), default=(0, 0))
        else:
            self.row = place.get(pair[0], min(self.row, last))
            self.column = place.get(pair[1], min(self.column, last))
        self._measure_size()
        self.refresh()
        self.post_message(self.Moved())

    @property
    def pair(self) -> tuple[str, str] | None:
        """The services of the cursor's cell: who starts the work, who does it."""
        names = self.matrix.names
        if not names:
            return None
        return names[self.row], names[self.column]

    # -- painting ------------------------------------------------------------------------------

    @property
    def _label(self) -> int:
        """Cells of a row's name and number."""
        longest = max((len(name) for name in self.matrix.names), default=0)
        return min(longest, max(self.size.width // 4, 8)) + self._digits + 2

    @property
    def _digits(self) -> int:
        return len(str(max(len(self.matrix.names), 1)))

    @property
    def _width(self) -> int:
        """Of a cell."""
        fits = self._label + len(self.matrix.names) * ROOMY < self.size.width
        return ROOMY if fits else NARROW

    @property
    def _heads(self) -> int:
        """Lines over the first row."""
        return 1 if self._width == ROOMY else self._digits

    def _measure_size(self) -> None:
        self._segments.clear()
        count = len(self.matrix.names)
        self.virtual_size = Size(self._label + count * self._width + 1, count + self._heads)

    def on_resize(self) -> None:
        """Labels share another room."""
        self._measure_size()

    def render_line(self, y: int) -> Strip:
        """Line `y`; the names stay at the top and at the left."""
        width, base = self.size.width, self.rich_style
        left, scroll, cell = self._label, self.scroll_offset, self._width
        first = scroll.x // cell
        stop = min(first + max(width - left, 0) // cell, len(self.matrix.names))
        if y < self._heads:
            return Strip(self._head(y, first, stop, base)).crop_extend(0, width, base)
        row = y - self._heads + scroll.y
        if row >= len(self.matrix.names):
            return Strip.blank(width, base)
        here = self._part("here") if row == self.row and self.has_focus else RichStyle()
        name = fit(self.matrix.names[row], left - self._digits - 2, dots=self.drawing.own("…"))
        label = f"{row + 1:>{self._digits}} {name} "
        cells = [self._cell(row, column, base) for column in range(first, stop)]
        return Strip([Segment(label, base + here), *cells]).crop_extend(0, width, base)

    def _head(self, y: int, first: int, stop: int, base: RichStyle) -> list[Segment]:
        title = "from \\ to" if y == self._heads - 1 else ""
        parts = [Segment(fit(title, self._label), base + self._part("dim"))]
        for column in range(first, stop):
            here = column == self.column and self.has_focus
            style = base + self._part("here" if here else "dim")
            parts.append(Segment(self._column_title(column, y), style))
        return parts

    def _column_title(self, column: int, y: int) -> str:
        if self._width == NARROW:
            return str(column + 1).rjust(self._digits)[y].ljust(NARROW)
        return fit(self.matrix.names[column], ROOMY - 1, dots=self.drawing.own("…")) + " "

    def _cell(self, row: int, column: int, base: RichStyle) -> Segment:
        made = self._segments.get((row, column))
        if made is None:
            made = self._segments[row, column] = self._shaded(row, column, base)
        if (row, column) != (self.row, self.column):
            return made
        # the pair under the matrix tells the shade that is hidden here
        return Segment(CURSOR + made.text[2:], (made.style or base) + self._part("cursor"))

    def _shaded(self, row: int, column: int, base: RichStyle) -> Segment:
        level = self.matrix.level(self.measure, (row, column))
        glyphs = DIAGONAL if level == 0 and row == column else GLYPHS[level]
        style, shade = base + self._part(TONES[level]), self.drawing.pick(glyphs)
        if self._width == NARROW:
            return Segment(shade, style)
        value = self.matrix.values[self.measure].get((row, column), 0)
        number = _short(value) if value else ""
        return Segment(f"{shade} {number:<{ROOMY - 4}} ", style)

    def _part(self, name: str) -> RichStyle:
        if name not in self._palette:
            self._palette[name] = component_style(self, f"heat--{name}")
        return self._palette[name]

    def notify_style_update(self) -> None:
        """Another theme."""
        super().notify_style_update()
        self._palette.clear()
        self._segments.clear()

    # -- the cursor ----------------------------------------------------------------------------

    def action_move(self, down: int, right: int) -> None:
        """Another cell."""
        self._to(self.row + down, self.column + right)

    def action_go(self, at: int) -> None:
        """The first row, or the last (-1)."""
        self._to(at if at >= 0 else len(self.matrix.names) - 1, self.column)

    def _to(self, row: int, column: int) -> None:
        last = max(len(self.matrix.names) - 1, 0)
        self.row, self.column = min(max(row, 0), last), min(max(column, 0), last)
        self.touched = True
        self._reveal()
        self.refresh()
        self.post_message(self.Moved())

    def _reveal(self) -> None:
        rows = max(self.size.height - self._heads, 1)
        columns = max((self.size.width - self._label) // self._width, 1)
        y = min(max(self.scroll_offset.y, self.row - rows + 1), self.row)
        first = self.scroll_offset.x // self._width
        x = min(max(first, self.column - columns + 1), self.column) * self._width
        if (x, y) != tuple(self.scroll_offset):
            self.scroll_to(x=x, y=y, animate=False, immediate=True)

    def action_measure(self) -> None:
        """Shade by the next measure."""
        self.measure = MEASURES[(MEASURES.index(self.measure) + 1) % len(MEASURES)]
        self._segments.clear()
        self.refresh()
        self.post_message(self.Moved())

    def action_open(self) -> None:
        """The neighbourhood of the row's service."""
        if self.pair is not None:
            self.post_message(self.Opened(self.pair[0]))

    def on_click(self, event: events.Click) -> None:
        """The cursor; a second click opens."""
        column = (event.x - self._label) // self._width + self.scroll_offset.x // self._width
        row = event.y - self._heads + self.scroll_offset.y
        if event.y >= self._heads and row < len(self.matrix.names):
            self._to(row, column if event.x >= self._label else self.column)
            if event.chain > 1:
                self.action_open()

    def plain(self) -> str:
        """Every pair that has a value, one a line, the largest first."""
        names, cells = self.matrix.names, self.matrix.values[self.measure]
        ranked = sorted(cells.items(), key=lambda item: (-item[1], item[0]))
        lines = [
            f"{value:>12,}  {foreign(names[row])} -> {foreign(names[column])}"
            for (row, column), value in ranked
            if value
        ]
        return "\n".join([f"{self.measure}", *lines]) + "\n"


def _short(value: int) -> str:
    """Five characters at most: `9,999`, `12k`, `3M`."""
    for size, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if value >= max(size, 10_000):
            return f"{value // size}{unit}"
    return f"{value:,}"
