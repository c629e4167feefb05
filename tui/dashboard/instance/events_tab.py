"""Span events, errors and exceptions in order of time."""

from __future__ import annotations

from dataclasses import dataclass

from analyzer.reporters.style import DEFAULT, Style
from tui.dashboard.instance.model import Model, Row
from tui.dashboard.instance.pieces import Line, cell, short
from tui.dashboard.instance.sheet import Sheet

TIME = 9


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: an event of a span, or the error that a step ended with."""

    time_ns: int
    row: int | None
    name: str
    said: str
    error: bool


class EventsSheet(Sheet):
    """An error whose exception is an event of the same step is told once, as the event."""

    TITLE = "Events"

    def __init__(self, model: Model, style: Style = DEFAULT) -> None:
        super().__init__(model, style)
        self._entries = sorted(
            [*self._events(), *self._errors()],
            key=lambda one: (one.time_ns, -1 if one.row is None else one.row, one.name),
        )
        self._place: dict[int, int] = {}
        for at, entry in enumerate(self._entries):
            if entry.row is not None:
                self._place.setdefault(entry.row, at)

    def _events(self) -> list[Entry]:
        entries = []
        for event in self.model.document["events"]:
            name, found = event["name"] or "?", event["attributes"]
            error = name == "exception" or "exception.type" in found
            said = "  ".join(f"{key}={value}" for key, value in found.items())
            if error and "exception.message" in found:
                said = f"{found.get('exception.type', '?')}: {found['exception.message']}"
            number = self.model.number.get(f"s{event['step']}")
            entries.append(Entry(event["time_ns"], number, name, said, error))
        return entries

    def _errors(self) -> list[Entry]:
        told = {event["step"] for event in self.model.document["events"]
                if event["name"] == "exception"}  # fmt: skip
        return [
            Entry(row.end_ns or 0, at, "error", error_text(row), True)
            for at, row in enumerate(self.model.rows)
            if row.error and row.kind == "step" and row.data["id"] not in told
        ]

    def count(self, width: int) -> int:
        """One line an entry; one where there is none."""
        return max(len(self._entries), 1)

    def row(self, at: int) -> Row | None:
        """The step in which it happened."""
        number = self._entries[at].row if at < len(self._entries) else None
        return None if number is None else self.model.rows[number]

    def find(self, key: str) -> int | None:
        """The first entry of that step."""
        return self._place.get(self.model.number.get(key, -1))

    def head(self, width: int) -> list[Line]:
        """Titles, and how many were left out."""
        left_out = self.model.document["omitted"]["events"]
        note: list[Line] = [[(f"+{left_out:,} later events", "warning")]] if left_out else []
        name, where = self._widths(width)
        return [*note, [(f"{'AT':<{TIME}} {'EVENT':<{name + 2}} {'STEP':<{where}} WHAT", "dim")]]

    def _widths(self, width: int) -> tuple[int, int]:
        return max(width // 8, 9), max(width // 4, 12)

    def line(self, at: int, width: int) -> Line:
        """Time, name, step, and what it says."""
        if not self._entries:
            return [("no events, no errors", "dim")]
        entry = self._entries[at]
        name, where = self._widths(width)
        sign = self.style.pick(("✖", "x") if entry.error else ("·", "-"))
        own = "error" if entry.error else ""
        row = self.row(at)
        place = f"{row.service}: {row.operation}" if row else "?"
        said = short(entry.said, max(width - TIME - name - where - 5, 8), self.style)
        return [
            (f"{self.at(entry.time_ns):<{TIME}} ", "dim"),
            (f"{sign} {cell(entry.name, name, self.style)} ", own),
            (cell(place, where, self.style, middle=True) + " ", "dim"),
            (said, own),
        ]


def error_text(row: Row) -> str:
    """Type and message of a step's error, as far as it says them."""
    kind, said = row.data["error_type"], row.data["error_message"]
    return ": ".join(part for part in (kind, said) if part) or "error without a message"
