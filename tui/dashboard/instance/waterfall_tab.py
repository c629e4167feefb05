"""Lanes beside a waterfall on one row grid, waiting folded, zoomed, or the critical path alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from rich.cells import cell_len

from analyzer.escape import clip, escape
from analyzer.reporters.style import DEFAULT, Style
from analyzer.reporters.units import count, duration
from analyzer.reporters.waterfall import Axis, Piece, lay_out
from tui.dashboard.instance.lanes import MOST, Lanes, draw
from tui.dashboard.instance.model import Model, Row
from tui.dashboard.instance.pieces import Line, cell
from tui.dashboard.instance.sheet import Sheet, tone

ZOOMS = 12  # doublings
VIA, TOOK = 4, 7
TICK = 14  # cells between two times on the ruler


@dataclass(frozen=True)
class Grid:
    """Widths of the columns: lanes, step, service, and cells of the time axis."""

    lanes: int
    step: int
    service: int
    axis: int


class LanesSheet(Sheet):
    """The default tab."""

    TITLE = "Lanes"

    def __init__(self, model: Model, style: Style = DEFAULT) -> None:
        super().__init__(model, style)
        self.folded = True
        self.critical_only = False
        self.zoom = 0  # doublings
        self.pan = 0.0  # share of the axis that is left of the screen
        self._glyphs = [self.glyph(row) for row in model.rows]
        self._all = draw(model, self._glyphs, style, None)
        path = {at for at, row in enumerate(model.rows) if row.critical or row.kind == "expected"}
        self._critical = draw(model, self._glyphs, style, path)
        names = {row.operation for row in model.rows}
        self._step = max((_width(name) for name in names), default=4)
        self._service = max((_width(name) for name in model.services), default=7)
        self._axis = lru_cache(maxsize=8)(self._lay_out)

    @property
    def lanes(self) -> Lanes:
        """What is drawn: all rows, or those of the critical path."""
        return self._critical if self.critical_only else self._all

    # -- the sheet -----------------------------------------------------------------------------

    def count(self, width: int) -> int:
        """Lines of the drawing."""
        return len(self.lanes.lines)

    def row(self, at: int) -> Row | None:
        """The row on that line."""
        lane = self.lanes.lines[at]
        return None if lane.row is None else self.model.rows[lane.row]

    def find(self, key: str) -> int | None:
        """The line of that row, where it is shown."""
        number = self.model.number.get(key)
        return None if number is None else self.lanes.place.get(number)

    def head(self, width: int) -> list[Line]:
        """Titles and the ruler; above them what is not shown."""
        grid = self._grid(width)
        left = " " * (grid.lanes + 1) + " " * VIA
        titles = f"{left} {'STEP':<{grid.step}} {'SERVICE':<{grid.service}} {'TOOK':>{TOOK}} "
        notes = [[(self.style.own(note), "warning")] for note in self._notes()]
        return [*notes, [(clip(titles, width, ""), "dim"), (self._ruler(grid), "dim")]]

    def _notes(self) -> list[str]:
        notes = []
        if self.critical_only:
            hidden = len(self.model.rows) - len(self.lanes.place)
            notes.append(f"critical path only: {count(hidden, 'row')} hidden (x shows all)")
        if self.lanes.simplified:
            why = f"more than {MOST:,} rows" if len(self.lanes.place) > MOST else "too many at once"
            notes.append(f"lanes simplified to depth: {why}")
        return notes

    def line(self, at: int, width: int) -> Line:
        """Lane, how it was joined, names, the bar."""
        lane = self.lanes.lines[at]
        grid = self._grid(width)
        text = clip(lane.text, grid.lanes, self.style.own("…"))
        drawn = text + " " * (grid.lanes - cell_len(text) + 1)
        if lane.row is None:
            return [(drawn, "dim")]
        row = self.model.rows[lane.row]
        return [*self._lane(drawn, lane.row, row), *self._names(row, grid), *self._bar(row, grid)]

    def _lane(self, drawn: str, number: int, row: Row) -> Line:
        sign = self._glyphs[number]
        before, found, after = drawn.partition(sign)
        own = tone(row) or ("accent" if row.critical else "success")
        return [(before, "dim"), (found, own), (after, "dim"), (self._via(row), "dim")]

    def _via(self, row: Row) -> str:
        """`─` of a parent, `┄.99` of other evidence with its confidence."""
        join = row.join
        if join is None:
            return " " * VIA
        if join.solid:
            return self.style.pick(("─", "-")).ljust(VIA)
        dotted = self.style.pick(("┄", "."))
        if not join.confidence:
            return dotted.ljust(VIA)
        return (dotted + f"{min(join.confidence, 0.99):.2f}"[1:]).ljust(VIA)

    def _names(self, row: Row, grid: Grid) -> Line:
        own = tone(row)
        name = f"missing parent {row.operation}" if row.kind == "missing" else row.operation
        weight = own or ("bold" if row.critical else "")
        step = cell(name, grid.step, self.style, middle=True)
        service = cell(row.service, grid.service, self.style, middle=True)
        took = f"{self.took(row):>{TOOK}}"
        return [(f" {step}", weight), (f" {service}", "dim"), (f" {took} ", own)]

    # -- the time axis -------------------------------------------------------------------------

    def _grid(self, width: int) -> Grid:
        lanes = min(self.lanes.width, max(width // 5, 6))
        room = width - lanes - VIA - TOOK - 5
        step = min(max(self._step, 4), max(room * 2 // 5, 12))
        service = min(max(self._service, 7), max(room // 5, 8))
        return Grid(lanes, step, service, max(room - step - service, 4))

    def _lay_out(self, cells: int, zoom: int, folded: bool) -> Axis:
        return lay_out(self.model.extent, cells << zoom, fold=folded)

    def _window(self, grid: Grid) -> tuple[Axis, int]:
        axis = self._axis(grid.axis, self.zoom, self.folded)
        return axis, min(round(self.pan * axis.width), axis.width - grid.axis)

    def _bar(self, row: Row, grid: Grid) -> Line:
        if row.kind in ("expected", "not-reached"):
            return self._absent(row, grid)
        if row.start_ns is None or row.end_ns is None:
            return []
        axis, offset = self._window(grid)
        left = min(int(axis.cell(row.start_ns)), axis.width - 1)
        right = min(max(round(axis.cell(row.end_ns)), left + 1), axis.width)
        waited = self._waited_from(row, axis, left)
        a, b, c = (min(max(at - offset, 0), grid.axis) for at in (waited, left, right))
        own = "error" if row.error else "accent" if row.critical else "success"
        bar = self.style.pick(("█", "="))
        line = [(" " * a, ""), (self.style.pick(("┄", ".")) * (b - a), "dim"), (bar * (c - b), own)]
        if right <= offset or left >= offset + grid.axis:
            line = [self._elsewhere(right <= offset, grid)]
        elif row.error and c + 6 <= grid.axis:
            line.append((" ERROR", "error"))
        return line

    def _elsewhere(self, before: bool, grid: Grid) -> tuple[str, str]:
        """An arrow to a bar that the zoom left outside."""
        sign = self.style.pick(("‹", "<") if before else ("›", ">"))
        return (sign if before else " " * (grid.axis - 1) + sign), "dim"

    def _waited_from(self, row: Row, axis: Axis, left: int) -> int:
        """The cell where a message was sent that this step consumed."""
        join = row.join
        if join is None or join.kind == "sync" or join.wait_ns <= 0 or row.start_ns is None:
            return left
        return min(int(axis.cell(row.start_ns - join.wait_ns)) + 1, left)

    def _absent(self, row: Row, grid: Grid) -> Line:
        said = self.due(row)
        dash = self.style.pick(("┄", "."))
        room = grid.axis - cell_len(said) - 1
        if row.kind == "not-reached" or room < 2:
            return [(clip(said, grid.axis, "").rjust(grid.axis), tone(row))]
        dashes = min(room, max(grid.axis // 4, 2))
        return [((dash * dashes + " " + said).rjust(grid.axis), tone(row))]

    def _ruler(self, grid: Grid) -> str:
        axis, offset = self._window(grid)
        line = [" "] * grid.axis
        for piece in axis.pieces:
            if piece.folded:
                _write(line, round(piece.left) - offset, self._fold(piece))
        zero = self.model.start_ns
        for at in range(0, grid.axis - 3, TICK):
            _write(line, at, duration(axis.time(offset + at) - zero) if offset + at else "0")
        end = duration(axis.time(offset + grid.axis) - zero)
        _write(line, grid.axis - len(end), end)
        return self.style.own("".join(line))

    def _fold(self, piece: Piece) -> str:
        label = f"//{duration(piece.end_ns - piece.start_ns)}//"
        return label if len(label) <= round(piece.right - piece.left) else "//"

    def continue_from(self, other: LanesSheet) -> None:
        """Look at the same part in the same way."""
        self.folded, self.critical_only = other.folded, other.critical_only
        self.zoom, self.pan = other.zoom, other.pan

    # -- keys ----------------------------------------------------------------------------------

    def zoom_by(self, by: int, width: int, around_ns: int | None) -> bool:
        """Twice or half the width of the axis, around that time, or the middle of the screen."""
        grid = self._grid(width)
        axis, offset = self._window(grid)
        middle = offset + grid.axis / 2 if around_ns is None else axis.cell(around_ns)
        share = middle / max(axis.width, 1)
        zoom = min(max(self.zoom + by, 0), ZOOMS)
        if zoom == self.zoom:
            return False
        self.zoom = zoom
        self.pan = min(max(share - 0.5 / (1 << zoom), 0.0), 1 - 1 / (1 << zoom))
        return True

    def pan_by(self, by: int) -> bool:
        """A quarter of the screen to the left or the right."""
        most = 1 - 1 / (1 << self.zoom)
        pan = min(max(self.pan + by * 0.25 / (1 << self.zoom), 0.0), most)
        changed, self.pan = pan != self.pan, pan
        return changed


def _width(name: str) -> int:
    return cell_len(escape(name[:100]))


def _write(line: list[str], at: int, text: str) -> None:
    """Where there is room, and a blank on both sides."""
    around = line[max(at - 1, 0) : at + len(text) + 1]
    if at >= 0 and at + len(text) <= len(line) and all(char == " " for char in around):
        line[at : at + len(text)] = text
