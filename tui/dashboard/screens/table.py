"""A page that is one table with a filter: rows are filtered, sorted and grouped in a worker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widget import Widget

from tui.dashboard.filter import FilterBar, FilterInput
from tui.dashboard.rows import Column, Rows, View, arrange, ordered
from tui.dashboard.screens.base import Copy, Page
from tui.dashboard.theme import Part
from tui.dashboard.unsaid import among

if TYPE_CHECKING:
    import polars as pl

    from tui.dashboard.completion import Values
    from tui.dashboard.feed import Snapshot

By = Sequence[tuple["pl.Expr", bool]]


@dataclass(frozen=True)
class Wanted:
    """One task for the worker."""

    snapshot: Snapshot
    where: str
    by: By
    top: bool
    sorting: tuple[str, bool] = ("", False)


@dataclass(frozen=True)
class Arranged:
    """... and what came of it."""

    wanted: Wanted
    view: View
    total: int
    values: Values
    extra: Any


class TablePage(Page):
    """Columns and a frame make the page; what else differs is overridden."""

    COLUMNS: ClassVar[tuple[Column, ...]] = ()
    KEY: ClassVar[str] = "id"
    NOUN: ClassVar[str] = "rows"
    DEFAULT_CSS = """
    TablePage #body { height: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter", id="filter"),
        Binding("exclamation_mark", "invert", "Invert filter", show=False, id="filter-invert"),
        Binding("n", "match(1)", "Next match", show=False, id="match-next"),
        Binding("N", "match(-1)", "Match before", show=False, id="match-back"),
        Binding("f", "follow", "Follow", show=False, id="follow"),
    ]

    @dataclass
    class Done(Message):
        """From the worker."""

        arranged: Arranged

    @dataclass
    class Found(Message):
        """From the worker: the row to go to."""

        row: int | None

    def __init__(self, *, where: str = "", id: str | None = None) -> None:
        super().__init__(id=id)
        self._first = where  # before it is mounted
        self._good = where  # the last filter that was understood
        self._last = ""  # the last that was not empty: for n and N
        self._latest: Snapshot | None = None
        self._ready = False  # the table is there
        self._busy = False
        self._again: bool | None = None  # arrange once more; True = from the top
        self._place: str | None = None
        self._kept: tuple[pl.DataFrame, tuple[str, bool], pl.Series] | None = None
        self._inverted = ("", "")  # what `!` made, and of what
        self.following = False

    # -- to override ---------------------------------------------------------------------------

    def columns(self) -> Sequence[Column]:
        """The columns of the table; here `COLUMNS`."""
        return self.COLUMNS

    def frame(self, snapshot: Snapshot) -> pl.DataFrame:
        """The rows there are. In a worker."""
        raise NotImplementedError

    def order(self, now_ns: int) -> By:
        """The page's own order. In a worker."""
        return ()

    def condition(self, snapshot: Snapshot) -> pl.Expr | None:
        """What is kept beside the filter. In a worker."""
        return None

    def grouping(self) -> tuple[pl.Expr, pl.Expr] | None:
        """What `arrange` takes as groups. In a worker."""
        return None

    def compile(self, where: str, now_ns: int) -> pl.Expr:
        """The filter; raises WhereError. Here: text anywhere in the columns of text."""
        import polars as pl

        text = where.strip().lower()
        every = pl.concat_str(pl.col(pl.String), separator="\n", ignore_nulls=True)
        return every.str.to_lowercase().str.contains(text, literal=True)

    def values(self, snapshot: Snapshot) -> Values:
        """For completion. In a worker."""
        return {}

    def extra(self, snapshot: Snapshot) -> Any:
        """What else is made in the worker; handed to `present`."""
        return None

    def present(self, arranged: Arranged) -> None:
        """Before another view is shown."""

    def presented(self) -> None:
        """When it was shown."""

    def aside(self) -> Sequence[Widget]:
        """What stands to the right of the table."""
        return ()

    def said(self) -> list[Part]:
        """Behind the counts: what else limits or orders the rows."""
        return []

    # -- the page ------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        """Filter, table, what is beside it."""
        yield FilterBar(self.drawing, where=self._first)
        with Horizontal(id="body"):
            yield Rows(self.columns(), drawing=self.drawing)
            yield from self.aside()

    def on_mount(self) -> None:
        """A snapshot may have come before."""
        self._ready = True
        self.arrange_soon()

    @property
    def rows(self) -> Rows:
        """The table."""
        return self.query_one(Rows)

    @property
    def bar(self) -> FilterBar:
        """The filter's line."""
        return self.query_one(FilterBar)

    def show(self, snapshot: Snapshot) -> None:
        """Arrange it in a worker, then show it."""
        self._latest = snapshot
        self.arrange_soon()

    def focus_first(self) -> None:
        """The table; in an empty one keys of the page still work."""
        self.rows.focus()

    def arrange_soon(self, *, top: bool = False) -> None:
        """Filter, sort and group again; while it is being done, once more when it is done."""
        if self._latest is None or not self._ready:
            return
        if self._busy:
            self._again = bool(self._again) or top
            return
        self._busy = True
        now = self._latest.as_of_ns
        rows = self.rows
        sorting = (rows.sorted_by, rows.descending)
        wanted = Wanted(self._latest, self._good, rows.order_by(now), top, sorting)
        self.run_worker(partial(self._arrange, wanted), thread=True, group="arrange")

    def _arrange(self, wanted: Wanted) -> None:
        snapshot = wanted.snapshot
        frame = self.frame(snapshot)
        keep = self.condition(snapshot)
        if wanted.where.strip():
            chosen = self.compile(wanted.where, snapshot.as_of_ns)
            keep = chosen if keep is None else keep & chosen
        now = snapshot.as_of_ns
        by = [*wanted.by, *self.order(now)]
        order = self._ordered(frame, by, wanted.sorting)
        view = arrange(frame, self.KEY, now, where=keep, by=by, groups=self.grouping(), order=order)
        values = self.values(snapshot) if snapshot is not self.snapshot else self.bar.values
        done = Arranged(wanted, view, frame.height, values, self.extra(snapshot))
        self.post_message(self.Done(done))

    def _ordered(self, frame: pl.DataFrame, by: By, sorting: tuple[str, bool]) -> pl.Series | None:
        """Sorted once for all filters that are typed over the same frame."""
        if not by:
            return None
        if self._kept is None or self._kept[0] is not frame or self._kept[1] != sorting:
            self._kept = (frame, sorting, ordered(frame, by))
        return self._kept[2]

    @on(Done)
    def _done(self, event: Done) -> None:
        event.stop()
        self._busy = False
        done = event.arranged
        again, self._again = self._again, None
        half = not len(done.view) and self.bar.is_half_typed and self.rows.view is not None
        if not half:  # else it is the beginning of a field's name: what is shown stays
            self._take(done)
        if again is not None:
            self.arrange_soon(top=again)

    def _take(self, done: Arranged) -> None:
        self.snapshot = done.wanted.snapshot
        self.bar.values = done.values
        self.present(done)
        self.rows.nothing = self._nothing(done)
        self.rows.show(done.view, top=done.wanted.top or self.following)
        if self._place is not None:
            place, self._place = self._place, None
            self.rows.move_to_key(place)
        self.presented()
        self._tell(done)

    def _tell(self, done: Arranged) -> None:
        shown = len(done.view)
        parts: list[Part] = [(f"{shown:,} of {done.total:,}", "bold"), f" {self.NOUN}"]
        if self.rows.marks:
            parts.append((f" · {len(self.rows.marks):,} marked", "accent"))
        if self.rows.sorted_by:
            title = next(c.title for c in self.rows.declared if c.id == self.rows.sorted_by)
            arrow = self.drawing.pick(("↓", "v") if self.rows.descending else ("↑", "^"))
            parts.append(f" · sort {title.lower()} {arrow}")
        parts += self.said()
        unsaid = among(self.snapshot.unsaid, self.PARTS) if self.snapshot else ""
        if unsaid:
            parts.append((f" · this server does not say: {unsaid}", "warning"))
        if self.following:
            parts.append(" · follow")
        self.bar.tell(*parts)

    def _nothing(self, done: Arranged) -> str:
        if not done.total:
            return f"There are no {self.NOUN}."
        said = f"None of {done.total:,} {self.NOUN} matches."
        return said + "\n\n/ changes the filter, ctrl+l in it clears it"

    # -- filter --------------------------------------------------------------------------------

    @property
    def where(self) -> str:
        """The filter that is at work."""
        return self._good

    def search(self, where: str) -> None:
        """Set the filter."""
        if self._ready:
            self.bar.set(where)
        else:
            self._first = self._good = where

    @on(FilterBar.Changed)
    def _filtered(self, event: FilterBar.Changed) -> None:
        event.stop()
        self._try(event.where)

    def _try(self, where: str) -> None:
        from analyzer.where import WhereError

        try:
            if where.strip():
                self.compile(where, 0)
                self._last = where
        except WhereError as error:
            self.bar.wrong(error.message, error.start, error.end)
            if self._good != (before := self._before_the_field(where)):
                self._good = before
                self.arrange_soon(top=True)
            return
        self.bar.wrong()
        self._good = where
        self.arrange_soon(top=True)

    def _before_the_field(self, where: str) -> str:
        """The last good filter, without a word that has since become the name of a field: `age`
        was text as long as no colon followed."""
        rest, _, word = self._good.rpartition(" ")
        going_on = where[len(self._good) :].partition(" ")[0]
        named = where.startswith(self._good) and ":" in going_on
        return rest if word and ":" not in word and named else self._good

    @on(FilterInput.Left)
    def _left(self, event: FilterInput.Left) -> None:
        event.stop()
        self.rows.focus()
        self.arrange_soon()

    def action_filter(self) -> None:
        """Type a filter."""
        self.bar.input.focus()

    def action_invert(self) -> None:
        """What was hidden, and the other way round."""
        where = self.bar.where.strip()
        if not where:
            self.notify("there is no filter to invert", markup=False)
        elif where == self._inverted[0]:
            self.bar.set(self._inverted[1])
        else:
            self._inverted = (f"NOT ({where})", where)
            self.bar.set(self._inverted[0])

    def action_match(self, by: int) -> None:
        """The next row that the filter matches, also after it was cleared."""
        if self.rows.view is None or not self._last:
            self.notify("/ sets a filter to look for", markup=False)
            return
        find = partial(self._find, self.rows.view, self._last, self.rows.cursor, by)
        self.run_worker(find, thread=True, group="find", exclusive=True)

    def _find(self, view: View, where: str, cursor: int, by: int) -> None:
        import polars as pl

        keep = self.compile(where, view.now_ns)
        hits = view.frame.select(pl.arg_where(keep)).to_series()
        rows = hits if view.order is None else view.order.is_in(hits.implode()).arg_true()
        there = rows.filter(rows > cursor if by > 0 else rows < cursor)
        if not len(there):
            there = rows  # round the end
        found = None if not len(there) else int(there[0 if by > 0 else -1])
        self.post_message(self.Found(found))

    @on(Found)
    def _go_to_found(self, event: Found) -> None:
        event.stop()
        if event.row is None:
            self.notify("nothing matches", markup=False)
        else:
            self.rows.move_to(event.row)

    # -- the table -----------------------------------------------------------------------------

    @on(Rows.Sorting)
    def _sorted(self, event: Rows.Sorting) -> None:
        event.stop()
        self.arrange_soon()

    @on(Rows.Marked)
    def _marked(self, event: Rows.Marked) -> None:
        event.stop()
        self.arrange_soon()

    def action_follow(self) -> None:
        """Stay at the top, whatever comes."""
        self.following = not self.following
        self.arrange_soon(top=self.following)

    @property
    def place(self) -> str | None:
        """The key under the cursor."""
        return self.rows.cursor_key if self._ready else None

    def return_to(self, place: str) -> None:
        """Put the cursor there, now or when the rows have come."""
        self._place = place
        if self._ready and self.rows.move_to_key(place):
            self._place = None

    def copies(self) -> Sequence[Copy]:
        """The key, and the table as it is on the screen."""
        if self.rows.cursor_key is None:
            return ()
        chosen = self.rows.selected
        keys = Copy(f"{len(chosen):,} marked" if self.rows.marks else "key", "\n".join(chosen))
        return (keys, Copy("table as text", self.rows.plain))

    def export(self) -> pl.DataFrame | None:
        """What is shown, all of it."""
        return self.rows.view.shown if self.rows.view is not None else None
