"""A sequence diagram: services as columns, messages and calls as arrows, waiting between them."""

from __future__ import annotations

from dataclasses import dataclass

from rich.cells import cell_len

from analyzer.escape import clip
from analyzer.reporters.style import DEFAULT, Style
from analyzer.reporters.units import duration
from tui.dashboard.instance.model import Join, Model, Row
from tui.dashboard.instance.pieces import Line, Piece, cell, short
from tui.dashboard.instance.sheet import Sheet, tone

TIME = 8
LEAST = 20  # cells of a column
NAME = 14  # cells of a step's name that all else gives way to
PAUSE_SHARE = 0.2  # as the folds of the time axis


@dataclass(frozen=True, slots=True)
class Event:
    """A line: a step at its service, an arrow to it, or (`row` None) time that passes."""

    row: int | None
    join: Join | None = None
    pause_ns: int = 0


class SequenceSheet(Sheet):
    """One line an event, in order of time; more services than fit scroll sideways."""

    TITLE = "Sequence"

    def __init__(self, model: Model, style: Style = DEFAULT) -> None:
        super().__init__(model, style)
        self._column = {name: at for at, name in enumerate(model.services)}
        self._events = self._put_in_order()
        self._place: dict[int, int] = {}
        for at, event in enumerate(self._events):
            if event.row is not None:
                self._place.setdefault(event.row, at)

    def _put_in_order(self) -> list[Event]:
        rows, events, last = self.model.rows, list[Event](), self.model.start_ns
        long = self.model.extent.work_ns * PAUSE_SHARE if self.model.extent else 0
        order = [at for at, row in enumerate(rows) if row.kind != "missing"]
        order.sort(key=lambda at: (rows[at].start_ns is None, rows[at].start_ns or 0, at))
        for at in order:
            row = rows[at]
            begins = self.model.document["as_of_ns"] if row.kind == "expected" else row.start_ns
            if begins is not None and begins - last > long > 0:
                events.append(Event(None, pause_ns=begins - last))
            last = max(last, row.end_ns or last, begins or last)
            # what came from elsewhere is told as an arrow; each source has one
            away = [join for join in row.joins if self._at(join.source) not in (None, row.service)]
            events += [Event(at, join) for join in away] or [Event(at)]
        return events

    def _at(self, number: int) -> str | None:
        row = self.model.rows[number]
        return None if row.kind == "missing" else row.service

    # -- the sheet -----------------------------------------------------------------------------

    def count(self, width: int) -> int:
        """Lines of the diagram."""
        return len(self._events)

    def row(self, at: int) -> Row | None:
        """The step that begins there."""
        number = self._events[at].row
        return None if number is None else self.model.rows[number]

    def find(self, key: str) -> int | None:
        """The line on which that row begins."""
        return self._place.get(self.model.number.get(key, -1))

    def wide(self, width: int) -> int:
        """Room for all columns."""
        return max(width, TIME + LEAST * len(self._column))

    def _cells(self, width: int) -> int:
        return max((width - TIME) // max(len(self._column), 1), LEAST)

    def head(self, width: int) -> list[Line]:
        """The services."""
        cells = self._cells(width)
        names = [cell(name, cells - 1, self.style, middle=True) + " " for name in self._column]
        return [[(" " * TIME, ""), ("".join(names), "bold")]]

    def line(self, at: int, width: int) -> Line:
        """Time, life lines, and what happens."""
        event, cells = self._events[at], self._cells(width)
        if event.row is None:
            return self._pause(event, cells)
        row = self.model.rows[event.row]
        here = self._column[row.service]
        sign, own = self.glyph(row), tone(row) or ("accent" if row.critical else "success")
        time = "" if row.start_ns is None else self.at(row.start_ns)
        source = self._at(event.join.source) if event.join else None
        if source is None or event.join is None:
            body = self._self(here, row, (f"{sign} ", own), cells)
        elif self._column[source] < here:
            body = self._right(self._column[source], here, row, event.join, (sign, own), cells)
        else:
            body = self._left(here, self._column[source], row, event.join, (sign, own), cells)
        return [(f"{time:<{TIME}}", "dim"), *body]

    def _said(self, row: Row, join: Join | None, room: int) -> str:
        """The step and, where there is room, how the message came and how long it waited."""
        parts = [] if row.kind == "step" else [self.due(row)]
        if join and row.kind == "step":
            parts += [join.kind] if join.kind not in ("sync", "event") else []
            parts += [f"{join.tier} {join.confidence:.2f}"] if not join.solid else []
            waits = join.wait_ns > 0 and join.kind != "sync"
            parts += [self.own(f"waited {duration(join.wait_ns)}")] if waits else []
        while parts and room - sum(len(part) + 2 for part in parts) < NAME:
            parts.pop(0)
        left = max(room - sum(len(part) + 2 for part in parts), 1)
        return "  ".join([short(row.operation, left, self.style), *parts])

    def _lives(self, first: int, last: int, cells: int) -> str:
        """Life lines of the columns [first, last)."""
        line = self.style.pick(("│", "|"))
        return (line + " " * (cells - 1)) * (last - first)

    def _self(self, here: int, row: Row, sign: Piece, cells: int) -> Line:
        """What happens inside a service: a sign on its life line, the words over the others."""
        room = (len(self._column) - here) * cells
        said = self._said(row, None, room - 4)
        used = 2 + cell_len(said)
        next_life = here + -(-used // cells)
        gap = (next_life - here) * cells - used
        rest = self._lives(next_life, len(self._column), cells)
        before = self._lives(0, here, cells)
        return [(before, "dim"), sign, (said, tone(row)), (" " * gap + rest, "dim")]

    def _right(self, source: int, here: int, row: Row, join: Join, sign: Piece, cells: int) -> Line:
        start = self.style.pick(("├", "+"))
        room = (here - source) * cells - 2
        arrow = self._arrow(row, join, room) + self.style.pick(("▶", ">"))
        before = self._lives(0, source, cells)
        after = self._lives(here + 1, len(self._column), cells)
        own = (sign[0] + " " * (cells - 1), sign[1])
        return [(before, "dim"), (start + arrow, sign[1]), own, (after, "dim")]

    def _left(self, here: int, source: int, row: Row, join: Join, sign: Piece, cells: int) -> Line:
        room = (source - here) * cells - 2
        arrow = self.style.pick(("◀", "<")) + self._arrow(row, join, room)
        before = self._lives(0, here, cells)
        end = self.style.pick(("┤", "+")) + " " * (cells - 1)
        after = self._lives(source + 1, len(self._column), cells)
        return [(before, "dim"), sign, (arrow, sign[1]), (end, "dim"), (after, "dim")]

    def _arrow(self, row: Row, join: Join, room: int) -> str:
        """The words on a solid line (a call, a child) or a dotted one."""
        dash = self.style.pick(("─", "-") if join.solid else ("┄", "."))
        text = clip(f" {self._said(row, join, room - 4)} ", max(room - 2, 0), "")
        rest = room - cell_len(text)
        return dash * (rest // 2) + text + dash * (rest - rest // 2)

    def _pause(self, event: Event, cells: int) -> Line:
        text = self.own(f"// {duration(event.pause_ns)} //")
        life = self.style.pick(("┊", ":"))
        lives = (life + " " * (cells - 1)) * len(self._column)
        return [(" " * TIME, ""), (lives[:1], "dim"), (f" {text}", "warning"),
                (lives[len(text) + 2 :], "dim")]  # fmt: skip
