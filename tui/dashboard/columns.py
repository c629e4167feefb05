"""The dialog that says which columns a table shows, and in which order; the table follows it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import ClassVar, Protocol

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static

from tui.dashboard.menu import CSS
from tui.dashboard.rows.column import Column

HELP = "space shows or hides, J K move, r as it was"


class Table(Protocol):
    """What the dialog asks of a table, and tells it."""

    @property
    def columns(self) -> Sequence[Column]:
        """Those that are shown, in their order."""
        ...

    @property
    def declared(self) -> Sequence[Column]:
        """All there are."""
        ...

    @property
    def fitting(self) -> Collection[str]:
        """Ids of those that there is room for."""
        ...

    def choose(self, ids: Sequence[str] | None) -> None:
        """Show these; None: as it has it by itself."""
        ...


class ColumnMenu(ModalScreen[None]):
    """One line a column: those that are shown first, in their order. One stays at least."""

    DEFAULT_CSS = (
        CSS.format(name="ColumnMenu") + "ColumnMenu OptionList { height: auto; width: auto;"
        " min-width: 44; max-height: 20; border: none; background: $surface; padding: 0; }"
        "ColumnMenu OptionList:focus { border: none; }"
        "ColumnMenu #help { color: $text-muted; text-style: none; }"
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "leave", "Close", id="columns.close"),
        Binding("space", "flip", "Show or hide", id="columns.toggle"),
        Binding("J,shift+down", "move(1)", "Later", id="columns.later"),
        Binding("K,shift+up", "move(-1)", "Earlier", id="columns.earlier"),
        Binding("r", "reset", "As it was", id="columns.reset"),
        Binding("j", "go(1)", "Down", show=False, id="columns.down"),
        Binding("k", "go(-1)", "Up", show=False, id="columns.up"),
    ]

    def __init__(self, rows: Table) -> None:
        super().__init__()
        self._rows = rows
        self._shown: set[str] = set()
        self._order: list[str] = []
        self._read()

    def _read(self) -> None:
        shown = [column.id for column in self._rows.columns]
        rest = [column.id for column in self._rows.declared if column.id not in shown]
        self._shown, self._order = set(shown), shown + rest

    def compose(self) -> ComposeResult:
        """A title, the columns, the keys."""
        with Vertical():
            yield Static("Columns", markup=False)
            yield OptionList(*self._lines())
            yield Static(HELP, id="help", markup=False)

    def _lines(self) -> Sequence[Content]:
        titles = {column.id: column.title for column in self._rows.declared}
        room = self._rows.fitting
        return [Content(self._line(id, titles[id], id in room)) for id in self._order]

    def _line(self, id: str, title: str, has_room: bool) -> str:
        mark = "x" if id in self._shown else " "
        return f"[{mark}] {title}" + ("" if has_room or mark == " " else "  (no room)")

    @property
    def _at(self) -> int:
        return self.query_one(OptionList).highlighted or 0

    def _draw(self, at: int) -> None:
        options = self.query_one(OptionList)
        options.clear_options()
        options.add_options(self._lines())
        options.highlighted = at

    def _apply(self, at: int) -> None:
        self._rows.choose([id for id in self._order if id in self._shown])
        self._draw(at)

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.action_flip()

    def action_flip(self) -> None:
        """Show it, or not."""
        changed = self._shown ^ {self._order[self._at]}
        if changed:
            self._shown = changed
            self._apply(self._at)
        else:
            self.app.bell()

    def action_move(self, by: int) -> None:
        """One place earlier or later."""
        at = self._at
        to = min(max(at + by, 0), len(self._order) - 1)
        self._order.insert(to, self._order.pop(at))
        self._apply(to)

    def action_reset(self) -> None:
        """As the table has it by itself."""
        self._rows.choose(None)
        self._read()
        self._draw(0)

    def action_go(self, by: int) -> None:
        """As the arrows."""
        options = self.query_one(OptionList)
        (options.action_cursor_down if by > 0 else options.action_cursor_up)()

    def action_leave(self) -> None:
        """It is all done already."""
        self.dismiss()
