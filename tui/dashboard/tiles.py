"""How many instances are in which state, and where that is going."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual import events
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from analyzer.reporters.style import DEFAULT, Style
from tui.dashboard.theme import Part, content, state_glyph

if TYPE_CHECKING:
    from tui.dashboard.feed import Snapshot

TREND_NS = 60 * 1_000_000_000  # the numbers of a minute ago are compared with
BINS = 8


@dataclass(frozen=True, slots=True)
class Kind:
    """One tile: the states that it counts. Every state is in one of them."""

    title: str
    states: tuple[str, ...]
    rank: int = 0  # where room is wanting the highest goes first


KINDS: tuple[Kind, ...] = (
    Kind("stuck", ("stuck",)),
    Kind("late", ("late",)),
    Kind("orphaned", ("orphaned",), 1),
    Kind("failed", ("failed", "dead-lettered"), 1),
    Kind("in flight", ("waiting", "running", "compensating"), 2),
    Kind("unknown", ("unknown",), 4),
    Kind("done", ("complete", "compensated"), 3),
)


@dataclass(frozen=True, slots=True)
class Tally:
    """The numbers of one snapshot."""

    at_ns: int
    by_state: dict[str, int]
    total: int
    finished: int  # done, and out of the working set
    ends: tuple[int, ...]  # done in each of `BINS` equal parts of the time


def tally(snapshot: Snapshot) -> Tally:
    """Count the states. Of a million rows: a worker's task."""
    import polars as pl

    counted = snapshot.instances.group_by("state").len()
    by_state = {str(state): int(number) for state, number in counted.iter_rows()}
    ends = snapshot.instances.filter(pl.col("state").is_in(["complete", "compensated"]))["end_ns"]
    finished = sum(snapshot.finished.values())
    total = snapshot.instances.height
    return Tally(snapshot.at_ns, by_state, total, finished, _bins(ends.drop_nulls()))


def _bins(ends: object) -> tuple[int, ...]:
    import polars as pl

    assert isinstance(ends, pl.Series)
    if ends.is_empty():
        return ()
    low, high = ends.min(), ends.max()
    assert isinstance(low, int)
    assert isinstance(high, int)
    width = (high - low) // BINS + 1
    found = dict(((ends - low) // width).value_counts().iter_rows())
    return tuple(int(found.get(at, 0)) for at in range(BINS))


class Tiles(Widget):
    """One tile a kind of state; a click asks for those instances."""

    DEFAULT_CSS = """
    Tiles { height: 3; width: 1fr; }
    Tiles.-flat { height: 1; padding: 0 1; }
    """

    @dataclass
    class Asked(Message):
        """A tile was clicked: the filter for it."""

        where: str

    def __init__(self, drawing: Style = DEFAULT, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.drawing = drawing
        self.tally: Tally | None = None
        self._before: deque[Tally] = deque(maxlen=600)
        self._ends: list[tuple[int, Kind]] = []  # the last cell of each tile

    def tell(self, counted: Tally) -> None:
        """Show those numbers."""
        self.tally = counted
        while len(self._before) > 1 and counted.at_ns - self._before[1].at_ns >= TREND_NS:
            self._before.popleft()
        self._before.append(counted)
        self.refresh()

    def render(self) -> Content:
        """The tiles that fit, the least important left out."""
        if self.tally is None:
            return Content("")
        flat = self.has_class("-flat")
        tiles = self._tiles(spark=True)
        if _width(tiles, flat) > self.size.width:
            tiles = self._tiles(spark=False)
        while len(tiles) > 1 and _width(tiles, flat) > self.size.width:
            tiles.remove(max(tiles, key=lambda tile: tile[0].rank))
        self._remember(tiles, flat)
        return self._flat(tiles) if flat else self._boxed(tiles)

    def _tiles(self, *, spark: bool) -> list[tuple[Kind, list[Part]]]:
        return [(kind, self._tile(kind, spark)) for kind in KINDS if self._shown(kind)]

    def _shown(self, kind: Kind) -> bool:
        return kind.title != "unknown" or self._count(kind, self.tally) > 0

    def _count(self, kind: Kind, counted: Tally | None) -> int:
        if counted is None:
            return 0
        own = sum(counted.by_state.get(state, 0) for state in kind.states)
        return own + (counted.finished if kind.title == "done" else 0)

    def _tile(self, kind: Kind, spark: bool) -> list[Part]:
        number = self._count(kind, self.tally)
        tone = {"stuck": "error", "failed": "error", "late": "warning", "orphaned": "special",
                "done": "success", "in flight": "accent"}.get(kind.title, "dim")  # fmt: skip
        glyph = state_glyph(kind.states[0], self.drawing)
        parts: list[Part] = [(glyph, tone if number else "dim"), " "]
        parts += [(f"{number:,}", "bold" if number else "dim"), f" {kind.title}"]
        change = number - self._count(kind, self._before[0]) if self._before else 0
        if change:
            arrow = self.drawing.pick(("▲", "^") if change > 0 else ("▼", "v"))
            parts.append((f" {arrow}{change:+,}", "dim"))
        if spark and kind.title == "done" and self.tally and sum(map(bool, self.tally.ends)) > 1:
            parts += [" ", (self.drawing.spark(self.tally.ends), "dim")]
        return parts

    def _flat(self, tiles: list[tuple[Kind, list[Part]]]) -> Content:
        parts: list[Part] = []
        for _, tile in tiles:
            parts += [*tile, "  "]
        return content(*parts[:-1])

    def _boxed(self, tiles: list[tuple[Kind, list[Part]]]) -> Content:
        frame = tuple(self.drawing.pick(("╭─╮│╰╯", "+-+|++")))
        left, across, right, down, low_left, low_right = frame
        top: list[Part] = []
        middle: list[Part] = []
        bottom: list[Part] = []
        for _, tile in tiles:
            width = _cells(tile) + 2
            top.append((f"{left}{across * width}{right}", "dim"))
            middle += [(f"{down} ", "dim"), *tile, (f" {down}", "dim")]
            bottom.append((f"{low_left}{across * width}{low_right}", "dim"))
        return content(*top, "\n", *middle, "\n", *bottom)

    def _remember(self, tiles: list[tuple[Kind, list[Part]]], flat: bool) -> None:
        at, self._ends = 0, []
        for kind, tile in tiles:
            at += _cells(tile) + (2 if flat else 4)
            self._ends.append((at, kind))

    def on_click(self, event: events.Click) -> None:
        """Ask for the instances of that tile."""
        for end, kind in self._ends:
            if event.x < end:
                self.post_message(self.Asked(f"state:{','.join(kind.states)}"))
                return


def _cells(tile: list[Part]) -> int:
    return sum(len(part if isinstance(part, str) else part[0]) for part in tile)


def _width(tiles: list[tuple[Kind, list[Part]]], flat: bool) -> int:
    return sum(_cells(tile) + (2 if flat else 4) for _, tile in tiles)
