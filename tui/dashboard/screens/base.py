"""What every page is to the app: a widget that is shown snapshots, and gives text and frames away.

To add a page: a class `Page` in `tui/dashboard/screens/<id>.py` (most are a `TablePage`), and a
line in `registry.PAGES`. The app mounts it at its first visit, calls `show` with the snapshot of
the tiles (never while the list is paused), and forwards copy, export and open.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual.containers import Vertical
from textual.message import Message
from textual.widget import Widget

from analyzer.reporters.style import DEFAULT, Style

if TYPE_CHECKING:
    import polars as pl

    from tui.dashboard.feed import Snapshot


@dataclass(frozen=True, slots=True)
class Copy:
    """One line of the copy menu: what it is, and the text, or what makes it (long ones)."""

    title: str
    text: str | Callable[[], str]

    def read(self) -> str:
        """The text; made now, where it was not."""
        return self.text if isinstance(self.text, str) else self.text()


class Page(Vertical):
    """A tab's content. Everything here runs on the event loop: long work goes into a worker."""

    TITLE: ClassVar[str] = ""
    PARTS: ClassVar[tuple[str, ...]] = ()  # of the snapshot; the first one foremost
    WIDGETS: ClassVar[tuple[type[Widget], ...]] = ()  # with keys of their own, beside `Rows`
    drawing: Style = DEFAULT  # glyphs; set by the app before the page is composed
    snapshot: Snapshot | None = None  # what is shown: export and copy are of this one

    @dataclass
    class OpenInstance(Message):
        """Show the Instance screen of that id."""

        identifier: str

    @dataclass
    class GoTo(Message):
        """Go to another page, with that filter (e.g. the instances of a finding)."""

        page: str
        where: str = ""
        key: str | None = None  # a place of that page: what its `return_to` takes

    @dataclass
    class CopyText(Message):
        """Copy that text, and say how it was done."""

        text: str

    def show(self, snapshot: Snapshot) -> None:
        """Show that snapshot: keep it, and put it on the screen (soon, where a worker is at it)."""
        self.snapshot = snapshot

    def focus_first(self) -> None:
        """Take the focus: the page was just opened."""

    @property
    def where(self) -> str:
        """The filter, for the history; "" where the page has none."""
        return ""

    def search(self, where: str) -> None:
        """Set the filter."""

    def widen(self) -> None:
        """Let go of what limits the rows beside the filter: somebody asks for all that match."""

    @property
    def place(self) -> str | None:
        """The key that the cursor is on, for the history."""
        return None

    def return_to(self, place: str) -> None:
        """Put the cursor back on that key, if it is still there."""

    def copies(self) -> Sequence[Copy]:
        """What can be copied here and now, the likeliest first."""
        return ()

    def export(self) -> pl.DataFrame | None:
        """What is shown, all of it, filtered and sorted; None where there is nothing to export."""
        return None

    def trace_id(self) -> str | None:
        """The trace under the cursor, to be opened elsewhere."""
        return None
