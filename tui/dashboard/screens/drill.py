"""A page of two levels: a table, and what enter opens of a row; the app's history leads back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.widget import Widget

from analyzer.reporters.style import DEFAULT, Style
from tui.dashboard.rows import Column, Rows, arrange
from tui.dashboard.screens.base import Copy, Page
from tui.dashboard.screens.sheet import Sheet
from tui.dashboard.screens.table import Arranged, TablePage
from tui.dashboard.theme import Part

if TYPE_CHECKING:
    import polars as pl

    from tui.dashboard.feed import Snapshot

LISTED = frozenset(("filter", "invert", "match", "follow"))  # actions of the table


def drilled(key: str, cursor: str = "") -> str:
    """The place inside a page that shows the row `key` opened, as the history keeps it."""
    return ">" + json.dumps([key, cursor])


@dataclass(frozen=True)
class Made:
    """What a detail shows: a text, and rows under it; `key` names their column of keys."""

    parts: Sequence[Part]
    frame: pl.DataFrame
    key: str
    now_ns: int


class Detail(Vertical):
    """What enter opens: here a text over a table; `build` is overridden, or everything."""

    COLUMNS: ClassVar[tuple[Column, ...]] = ()
    NOTHING: ClassVar[str] = "Nothing here."
    DEFAULT_CSS = """
    Detail { display: none; height: 1fr; }
    Detail > Sheet { height: auto; max-height: 55%; }
    Detail > Rows { height: 1fr; margin-top: 1; }
    """

    def __init__(self, drawing: Style = DEFAULT) -> None:
        super().__init__()
        self.drawing = drawing
        self.made: Any = None
        self._wanted = ""

    def columns(self) -> Sequence[Column]:
        """Of the table; here `COLUMNS`."""
        return self.COLUMNS

    def compose(self) -> ComposeResult:
        """The text, the table."""
        yield Sheet(self.drawing)
        yield Rows(self.columns(), drawing=self.drawing)

    @property
    def sheet(self) -> Sheet:
        """The text."""
        return self.query_one(Sheet)

    @property
    def rows(self) -> Rows:
        """The table."""
        return self.query_one(Rows)

    def build(self, snapshot: Snapshot, key: str) -> Any:
        """In a worker: what `tell` shows; None where that row is no longer there."""
        raise NotImplementedError

    def opened(self, row: str) -> Message | None:
        """What enter on a row of the table asks for."""
        return None

    def tell(self, made: Any, *, top: bool = False) -> None:
        """Show that."""
        self.made = made
        if made is None:
            self.sheet.tell([("It is no longer there.", "bold"), "\n\nesc goes back"])
            return
        self.sheet.tell(made.parts, top=top)
        self._arrange(top=top)
        if self._wanted and self.rows.move_to_key(self._wanted):
            self._wanted = ""

    def _arrange(self, *, top: bool = False) -> None:
        made = self.made
        if made is not None:
            by = self.rows.order_by(made.now_ns)
            self.rows.show(arrange(made.frame, made.key, made.now_ns, by=by), top=top)
            self.rows.display = made.frame.height > 0

    def focus_first(self) -> None:
        """The table; the text where there is no row."""
        empty = self.made is not None and not self.made.frame.height
        (self.sheet if empty else self.rows).focus()

    @property
    def place(self) -> str:
        """The row under the cursor."""
        return self.rows.cursor_key or "" if self.is_mounted else ""

    def return_to(self, place: str) -> None:
        """Put the cursor there, now or when it is shown."""
        self._wanted = place

    def copies(self) -> Sequence[Copy]:
        """The text, and the table under it."""
        return (Copy("this view as text", self.sheet.plain + "\n\n" + self.rows.plain()),)

    def export(self) -> pl.DataFrame | None:
        """The table."""
        return self.rows.view.shown if self.rows.view is not None else None

    @on(Rows.Opened)
    def _opened(self, event: Rows.Opened) -> None:
        event.stop()
        wanted = self.opened(event.key)
        if wanted is not None:
            self.post_message(wanted)

    @on(Rows.Sorting)
    def _sorting(self, event: Rows.Sorting) -> None:
        event.stop()
        self._arrange()

    @on(Rows.Moved)
    @on(Rows.Marked)
    def _quiet(self, event: Message) -> None:
        event.stop()


class DrillPage(TablePage):
    """Enter opens a row in the page's own detail."""

    WIDGETS: ClassVar[tuple[type[Widget], ...]] = (Sheet,)
    HINT: ClassVar[str] = "This source has told nothing of that yet."
    DEFAULT_CSS = """
    DrillPage.-drilled > FilterBar, DrillPage.-drilled > #body { display: none; }
    DrillPage.-drilled > Detail { display: block; }
    """

    @dataclass
    class Built(Message):
        """From the worker."""

        key: str
        made: Any

    def __init__(self, *, where: str = "", id: str | None = None) -> None:
        super().__init__(where=where, id=id)
        self.opened: str | None = None
        self._fresh = True  # another one was opened: show its beginning
        self._shown_detail: Detail | None = None

    def make_detail(self) -> Detail:
        """The widget that enter opens."""
        raise NotImplementedError

    @property
    def chosen(self) -> str | None:
        """The key of the row that is open, else of the one under the cursor."""
        return self.rows.cursor_key if self.opened is None else self.opened

    @property
    def detail(self) -> Detail:
        """The widget that enter opens."""
        return self.query_one(Detail)

    def compose(self) -> ComposeResult:
        """The table's page, and the detail over it."""
        yield from super().compose()
        yield self.make_detail()

    def on_mount(self) -> None:
        """The filter of these pages is plain text."""
        self.bar.input.placeholder = "filter: any text"
        self._drill()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What is for the table is not for the detail."""
        return not (self.opened is not None and action in LISTED)

    @property
    def rows(self) -> Rows:
        """The table of the page, not the one of the detail."""
        return self.query_one("#body").query_one(Rows)

    # -- one row, opened -----------------------------------------------------------------------

    @on(Rows.Moved)
    def _moved(self, event: Rows.Moved) -> None:
        event.stop()

    @on(Rows.Opened)
    def _row_opened(self, event: Rows.Opened) -> None:
        event.stop()
        self.open(event.key)

    def open(self, key: str) -> None:
        """Open a row, by the app's history."""
        self.post_message(Page.GoTo(self.id or "", self.where, key=drilled(key)))

    def _drill(self) -> None:
        self.set_class(self.opened is not None, "-drilled")
        self._fresh = True
        self.refresh_bindings()
        self._build_soon()

    def _build_soon(self) -> None:
        if self.opened is not None and self.snapshot is not None:
            work = partial(self._build, self.snapshot, self.opened)
            self.run_worker(work, thread=True, group="detail", exclusive=True)

    def _build(self, snapshot: Snapshot, key: str) -> None:
        self.post_message(self.Built(key, self.detail.build(snapshot, key)))

    @on(Built)
    def _built(self, event: Built) -> None:
        event.stop()
        if event.key == self.opened:
            had_focus = self.detail.has_focus_within
            self.detail.tell(event.made, top=self._fresh)
            self._fresh = False
            if had_focus:
                self.detail.focus_first()

    def present(self, arranged: Arranged) -> None:
        """The detail follows the table."""
        self._build_soon()

    def _nothing(self, done: Arranged) -> str:
        if done.total:
            return super()._nothing(done)
        if self.snapshot is not None and set(self.PARTS[:1]) & set(self.snapshot.unsaid):
            return "This server does not say.\n\nIt is of another version; docs/live.md, API."
        return f"No {self.NOUN}.\n\n{self.HINT}"

    # -- the protocol --------------------------------------------------------------------------

    def focus_first(self) -> None:
        """What is open."""
        if self.opened is None:
            super().focus_first()
        else:
            self.detail.focus_first()

    @property
    def place(self) -> str | None:
        """The row under the cursor, or the one that is open and the cursor in it."""
        if self.opened is not None:
            return drilled(self.opened, self.detail.place if self.is_mounted else "")
        key = super().place
        return None if key is None else "=" + key

    def return_to(self, place: str) -> None:
        """Back to what `place` said."""
        if not place.startswith(">"):
            self.opened = None
            super().return_to(place.removeprefix("="))
        else:
            self.opened, cursor = json.loads(place[1:])
            if self.is_mounted:
                self.detail.return_to(cursor)
        if self.is_mounted:
            self._drill()

    def copies(self) -> Sequence[Copy]:
        """Of what is open."""
        return super().copies() if self.opened is None else self.detail.copies()

    def export(self) -> pl.DataFrame | None:
        """Of what is open."""
        return super().export() if self.opened is None else self.detail.export()
