"""Coupling: who starts work in whom, as a heat matrix, and the ranked hotspots under it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widget import Widget
from textual.widgets import Static

from analyzer.finding import Finding, Hotspot
from analyzer.reporters.style import Style
from analyzer.reporters.units import count, duration
from tui.dashboard.filter import FilterBar
from tui.dashboard.rows import Cell, Column, Rows, counts, texts
from tui.dashboard.screens.base import Copy, Page
from tui.dashboard.screens.drill import Detail, DrillPage, Made, drilled
from tui.dashboard.screens.frames import durations, frame_of_rows
from tui.dashboard.screens.matrix import GLYPHS, TONES, Heat
from tui.dashboard.screens.matrix_data import Matrix, matrix
from tui.dashboard.screens.sheet import Sheet, causes
from tui.dashboard.screens.table import Arranged, By
from tui.dashboard.theme import Part, content, foreign

if TYPE_CHECKING:
    import polars as pl

    from tui.dashboard.feed import Snapshot

BOTH = 22  # lines that it takes to show matrix and list at once
LEGEND = {"cold": "dim", "cool": "special", "warm": "success", "hot": "warning", "hottest": "error"}


def keyed(hotspots: Sequence[Hotspot]) -> list[tuple[str, Hotspot]]:
    """The hotspots, the highest first, each with a key that stays when its numbers change."""
    ranked = sorted(hotspots, key=lambda one: (-one.score, one.kind, one.services, one.message))
    seen: dict[str, int] = {}
    found = []
    for one in ranked:
        key = "\x1f".join((one.kind, *one.services))
        seen[key] = seen.get(key, 0) + 1
        found.append((key if seen[key] == 1 else f"{key}\x1f#{seen[key]}", one))
    return found


def frame_of(hotspots: Sequence[Hotspot]) -> pl.DataFrame:
    """One row a hotspot, ranked."""
    import polars as pl

    types = {"key": pl.String, "rank": pl.Int64, "score": pl.Float64, "kind": pl.String,
             "services": pl.String, "parts": pl.String, "message": pl.String}  # fmt: skip
    rows = [
        (key, at + 1, one.score, one.kind, ", ".join(one.services), _shares(one), one.message)
        for at, (key, one) in enumerate(keyed(hotspots))
    ]
    return frame_of_rows(rows, types)


def _shares(hotspot: Hotspot) -> str:
    """`causal 0.40 + spread 0.12`, the largest first."""
    parts = sorted(hotspot.parts.items(), key=lambda item: (-item[1], item[0]))
    return " + ".join(f"{name} {value:.2f}" for name, value in parts if value)


def touching(edges: pl.DataFrame, services: Sequence[str]) -> pl.DataFrame:
    """The edges between these services, then those that touch one of them."""
    import polars as pl

    source, target = pl.col("source").is_in(services), pl.col("target").is_in(services)
    found = edges.filter(source | target).with_columns((source & target).alias("between"))
    key = pl.concat_str("source", "target", "kind", "destination", separator="\x1f")
    return found.with_columns(key.alias("key")).sort(
        "between", "calls", "key", descending=[True, True, False]
    )


class Evidence(Detail):
    """One hotspot: the parts of its score, what speaks for and against, the edges."""

    COLUMNS = (
        Column("source", "FROM", texts("source"), 22, 8, grow=1, wide=40, middle=True,
               sort="source"),
        Column("target", "TO", texts("target"), 22, 8, grow=1, wide=40, middle=True,
               sort="target"),
        Column("kind", "KIND", texts("kind"), 8, 7, rank=2, sort="kind"),
        Column("destination", "OVER", texts("destination"), 20, 8, grow=1, wide=40, rank=1,
               middle=True, sort="destination"),
        Column("calls", "CALLS", counts("calls"), 9, 6, align="right", sort="calls",
               descending=True),
        Column("instances", "INST", counts("instances"), 7, 5, align="right", rank=3,
               sort="instances", descending=True),
        Column("errors", "ERR", counts("errors", "error"), 6, 4, align="right", sort="errors",
               descending=True),
        Column("p95", "P95 WAIT", durations("p95_wait_ns"), 8, 8, align="right", rank=4,
               sort="p95_wait_ns", descending=True),
    )  # fmt: skip

    def build(self, snapshot: Snapshot, key: str) -> Made | None:
        """That hotspot, as it is now."""
        found = dict(keyed(snapshot.hotspots)).get(key)
        if found is None:
            return None
        told = [f for f in snapshot.findings if (f.kind, f.message) == (found.kind, found.message)]
        frame = touching(snapshot.service_edges, found.services)
        return Made(_evidence(found, told, self.drawing), frame, "key", snapshot.as_of_ns)


def _evidence(hotspot: Hotspot, told: Sequence[Finding], drawing: Style) -> list[Part]:
    from analyzer.coupling.findings import READINGS

    reading = READINGS.get(hotspot.kind)
    parts: list[Part] = [("Coupling › ", "dim"), (f"{foreign(hotspot.kind, 40)} ", "bold warning")]
    parts += [(f"{hotspot.score:.2f}", "bold"), f"  {foreign(', '.join(hotspot.services), 400)}\n"]
    parts += [foreign(hotspot.message, 600), "\n"]
    for name, value in sorted(hotspot.parts.items(), key=lambda item: (-item[1], item[0])):
        said = reading.parts.get(name, "") if reading else ""
        bar = f"{drawing.bar(value, 20):<20}"
        parts += [("  " + bar, "warning"), f" {value:.2f} ", (f"{foreign(name, 30)}", "bold")]
        parts.append((f"  {said}\n", "dim"))
    if reading is not None:
        parts += [("  - ", "error"), f"it may be no fault: {reading.innocent}\n"]
    for finding in told[:2]:
        parts += causes(finding)
    return parts


class Coupling(DrillPage):
    """The matrix over the list; tab goes from one to the other."""

    TITLE = "Coupling"
    KEY = "key"
    NOUN = "hotspots"
    PARTS = ("hotspots", "service_edges")
    HELP = (
        "Which service starts work in which (row starts, column does), and hotspots by score. "
        "tab changes between them, v what the shades mean; enter opens."
    )
    WIDGETS: ClassVar[tuple[type[Widget], ...]] = (Heat, Sheet)
    HINT = "No place of high coupling was found; it takes some 20 instances to say."
    DEFAULT_CSS = """
    Coupling #body { layout: vertical; }
    Coupling #heat { height: 3fr; }
    Coupling #list { height: 2fr; border-top: solid $panel; }
    Coupling #legend, Coupling #pair { height: 1; padding: 0 1; text-wrap: nowrap;
        text-overflow: ellipsis; }
    Coupling.-low #list { display: none; border: none; }
    Coupling.-low.-listing #heat { display: none; }
    Coupling.-low.-listing #list { display: block; height: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "other", "Matrix/list", id="coupling-other"),
    ]

    def compose(self) -> ComposeResult:
        """The filter of the list, the matrix, the list; and the detail over it."""
        yield FilterBar(self.drawing, where=self._first)
        with Vertical(id="body"):
            with Vertical(id="heat"):
                yield Static("", id="legend", markup=False)
                yield Heat(self.drawing)
                yield Static("", id="pair", markup=False)
            with Vertical(id="list"):
                yield Rows(self.columns(), drawing=self.drawing)
        yield self.make_detail()

    def columns(self) -> Sequence[Column]:
        """Of the list."""
        return (
            Column("rank", "#", counts("rank"), 3, 3, align="right", rank=5),
            Column("score", "SCORE", self._scores, 11, 5, sort="score", descending=True),
            Column("kind", "KIND", texts("kind", tone="bold"), 22, 12, wide=26, sort="kind"),
            Column("services", "SERVICES", texts("services"), 26, 10, grow=1, wide=60, middle=True,
                   sort="services"),
            Column("parts", "PARTS OF THE SCORE", texts("parts"), 40, 14, grow=1, wide=80,
                   rank=1),
            Column("message", "MESSAGE", texts("message"), 30, 16, grow=1, wide=120, rank=2),
        )  # fmt: skip

    def _scores(self, frame: pl.DataFrame, now_ns: int) -> list[Cell]:
        return [
            (f"{score:.2f} {self.drawing.bar(score, 6)}", "warning")
            for score in frame["score"].to_list()
        ]

    def make_detail(self) -> Detail:
        """One hotspot."""
        return Evidence(self.drawing)

    @property
    def heat(self) -> Heat:
        """The matrix."""
        return self.query_one(Heat)

    # -- in the worker -------------------------------------------------------------------------

    def frame(self, snapshot: Snapshot) -> pl.DataFrame:
        """One row a hotspot."""
        return frame_of(snapshot.hotspots)

    def order(self, now_ns: int) -> By:
        """The highest score first."""
        import polars as pl

        return [(pl.col("rank"), False)]

    def extra(self, snapshot: Snapshot) -> Any:
        """The matrix."""
        shown = self.snapshot
        if shown is not None and shown.service_edges is snapshot.service_edges:
            return None  # as before
        return matrix(snapshot.service_edges)

    # -- on the screen -------------------------------------------------------------------------

    def present(self, arranged: Arranged) -> None:
        """Both are of one snapshot."""
        super().present(arranged)
        if isinstance(arranged.extra, Matrix):
            self.heat.show(arranged.extra)
        self._legend()

    @on(Heat.Moved)
    def _pair_moved(self, event: Heat.Moved) -> None:
        event.stop()
        self._legend()

    def _legend(self) -> None:
        heat = self.heat
        found, measure = heat.matrix, heat.measure
        bounds = found.bounds(measure)
        parts: list[Part] = [(f"{len(found.names):,} services", "bold"), f" · {measure} "]
        for at, glyphs in enumerate(GLYPHS[1:]):
            if at == 0 or bounds[at] > bounds[at - 1]:
                tone = LEGEND[TONES[at + 1]]
                parts += [(self.drawing.pick(glyphs), tone), f" {bounds[at]:,}+  "]
        empty = "no service has started work in another yet"
        shown = parts if found.names else [(empty, "dim")]
        self.query_one("#legend", Static).update(content(*shown, drawing=self.drawing))
        self.query_one("#pair", Static).update(content(*self._pair(), drawing=self.drawing))

    def _pair(self) -> list[Part]:
        pair = self.heat.pair
        if pair is None or self.snapshot is None:
            return []
        import polars as pl

        same = (pl.col("source") == pair[0]) & (pl.col("target") == pair[1])
        rows = self.snapshot.service_edges.filter(same).sort("calls", descending=True)
        parts: list[Part] = [(f"{foreign(pair[0], 40)} → {foreign(pair[1], 40)} ", "bold")]
        if rows.is_empty():
            return [*parts, ("starts nothing there", "dim")]
        parts.append(count(int(rows["calls"].sum()), "call"))
        if errors := int(rows["errors"].sum()):
            parts.append((f" · {count(errors, 'error')}", "error"))
        for row in rows.iter_rows(named=True):
            label = foreign(f"{row['kind']} {row['destination'] or ''}".strip(), 60)
            wait = row["p95_wait_ns"]
            parts.append((f" · {label}", "accent"))
            parts.append(f" {row['calls']:,}" + ("" if wait is None else f", p95 {duration(wait)}"))
        return parts

    def on_resize(self, event: events.Resize) -> None:
        """Where there is little room, one at a time."""
        self.set_class(event.size.height < BOTH, "-low")

    def action_other(self) -> None:
        """From the matrix to the list, or back."""
        to_list = self.heat.has_focus
        self.set_class(to_list, "-listing")
        (self.rows if to_list else self.heat).focus()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """The one at hand is what is exported."""
        if event.widget in (self.heat, self.rows):
            self.set_class(event.widget is self.rows, "-listing")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """In a hotspot there is nothing to change to."""
        if action == "other" and self.opened is not None:
            return False
        return super().check_action(action, parameters)

    def focus_first(self) -> None:
        """The matrix, until the list was used."""
        if self.opened is None and not self.has_class("-listing"):
            self.heat.focus()
        else:
            super().focus_first()

    def return_to(self, place: str) -> None:
        """A hotspot is opened from the list."""
        if place.startswith(">"):
            self.add_class("-listing")
        super().return_to(place)

    @on(Heat.Opened)
    def _service_opened(self, event: Heat.Opened) -> None:
        event.stop()
        self.post_message(Page.GoTo("services", key=drilled(event.service)))

    def action_filter(self) -> None:
        """The filter is of the list."""
        self.add_class("-listing")
        super().action_filter()

    def copies(self) -> Sequence[Copy]:
        """The matrix as pairs too."""
        own = super().copies()
        if self.opened is not None or self.snapshot is None:
            return own
        return (Copy("matrix as text", self.heat.plain()), *own)

    def export(self) -> pl.DataFrame | None:
        """The edges while the matrix is at hand, else the list."""
        if self.opened is None and not self.has_class("-listing") and self.snapshot is not None:
            return self.snapshot.service_edges
        return super().export()
