"""Services: a table first; enter draws who starts work in one, and where it starts work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget

from tui.dashboard.rows import Cell, Column, counts
from tui.dashboard.screens.base import Page
from tui.dashboard.screens.drill import Detail, DrillPage
from tui.dashboard.screens.frames import ages
from tui.dashboard.screens.hood import Hood, Ways
from tui.dashboard.screens.hood_data import SILENT
from tui.dashboard.screens.sheet import quoted
from tui.dashboard.screens.table import By

if TYPE_CHECKING:
    import polars as pl

    from analyzer.reporters.style import Style
    from tui.dashboard.feed import Snapshot


class _Cells:
    """The cells that need glyphs."""

    def __init__(self, drawing: Style) -> None:
        self.drawing = drawing

    def names(self, frame: pl.DataFrame, now_ns: int) -> list[Cell]:
        silent = self.drawing.pick(SILENT)
        return [
            name if spans else (f"{silent} {name}", "dim")
            for name, spans in frame.select("name", "spans").iter_rows()
        ]

    def instability(self, frame: pl.DataFrame, now_ns: int) -> list[Cell]:
        return [
            ("—", "dim") if n is None else f"{n:.2f} {self.drawing.bar(n, 5):<5}"
            for n in frame["instability"].to_list()
        ]


class Services(DrillPage):
    """A row a service."""

    TITLE = "Services"
    KEY = "name"
    NOUN = "services"
    PARTS = ("services", "service_edges")
    HELP = (
        "Every service. Enter draws its neighbours, again enter walks on, esc walks back. "
        "CA: services that depend on it, CE: services it depends on, I = CE / (CA + CE)."
    )
    WIDGETS: ClassVar[tuple[type[Widget], ...]] = (Ways,)
    HINT = "A service is named by its spans (service.name), or by those that call it."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("i", "instances", "Instances", id="to-instances"),
    ]

    def columns(self) -> Sequence[Column]:
        """With cells that know the glyphs."""
        cells = _Cells(self.drawing)
        return (
            Column("service", "SERVICE", cells.names, 28, 12, grow=1, wide=60, middle=True,
                   sort="name"),
            Column("spans", "SPANS", counts("spans"), 10, 6, align="right", sort="spans",
                   descending=True),
            Column("instances", "INSTANCES", counts("instances"), 10, 9, align="right", rank=1,
                   sort="instances", descending=True),
            Column("errors", "ERRORS", counts("errors", "error"), 8, 6, align="right",
                   sort="errors", descending=True),
            Column("ca", "CA", counts("ca"), 4, 3, align="right", sort="ca", descending=True),
            Column("ce", "CE", counts("ce"), 4, 3, align="right", sort="ce", descending=True),
            Column("instability", "I", cells.instability, 10, 4, rank=3, sort="instability",
                   descending=True),
            Column("seen", "LAST SEEN", ages("last_ns", " ago"), 12, 9, align="right", rank=2,
                   sort="last_ns", descending=True),
        )  # fmt: skip

    def make_detail(self) -> Detail:
        """The neighbourhood."""
        return Hood(self.drawing)

    def frame(self, snapshot: Snapshot) -> pl.DataFrame:
        """All of them."""
        return snapshot.services

    def order(self, now_ns: int) -> By:
        """Errors first, then the busiest."""
        import polars as pl

        return [(pl.col("errors"), True), (pl.col("spans"), True)]

    def action_instances(self) -> None:
        """The instances that the service took part in."""
        name = self.chosen
        if name is not None:
            self.post_message(Page.GoTo("instances", f"service:{quoted(name)}"))
