"""The log: what the tool itself says, newest last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import on

from tui.dashboard.journal import Journal
from tui.dashboard.rows import Column, Rows, texts
from tui.dashboard.screens.frames import frame_of_rows, moments, severities, severity_rank
from tui.dashboard.screens.table import Arranged, By, TablePage

if TYPE_CHECKING:
    import polars as pl

    from tui.dashboard.feed import Snapshot

LOOK_S = 1.0


def frame_of(journal: Journal) -> pl.DataFrame:
    """One row an entry, the oldest first."""
    import polars as pl

    types = {"key": pl.String, "number": pl.Int64, "at_ns": pl.Int64, "severity": pl.String,
             "about": pl.String, "message": pl.String}  # fmt: skip
    rows = [
        (str(one.number), one.number, one.at_ns, one.level, one.about, one.message)
        for one in journal.entries
    ]
    return frame_of_rows(rows, types)


class Log(TablePage):
    """A row an entry of the app's journal; follows it until the cursor is moved."""

    TITLE = "Log"
    KEY = "key"
    NOUN = "entries"
    PARTS = ("data_notes", "key_suggestions", "deliveries")
    HELP = "What the tool itself says: its source, the data's quality, what was lost. f follows."
    BINDINGS: ClassVar = []

    def __init__(self, *, where: str = "", id: str | None = None) -> None:
        super().__init__(where=where, id=id)
        self.following = True
        self._version = -1

    @property
    def journal(self) -> Journal:
        """The app's."""
        found = getattr(self.app, "journal", None)
        return found if isinstance(found, Journal) else Journal()

    def on_mount(self) -> None:
        """The source may say something between two snapshots."""
        self.bar.input.placeholder = "filter: any text"
        self.set_interval(LOOK_S, self._look)

    def _look(self) -> None:
        if self.display and self._version != self.journal.version:
            self.arrange_soon()

    def columns(self) -> Sequence[Column]:
        """Time, level, what it is about, the text."""
        return (
            Column("at", "AT (UTC)", moments("at_ns"), 24, 19, rank=1, sort="at_ns",
                   descending=True),
            Column("level", "LEVEL", severities(self.drawing), 10, 9, sort=severity_rank),
            Column("about", "ABOUT", texts("about"), 8, 6, rank=2, sort="about"),
            Column("message", "MESSAGE", texts("message"), 60, 20, grow=1, wide=200,
                   sort="message"),
        )  # fmt: skip

    def frame(self, snapshot: Snapshot) -> pl.DataFrame:
        """What was said up to now."""
        journal = self.journal
        self._version = journal.version
        return frame_of(journal)

    def order(self, now_ns: int) -> By:
        """As it happened."""
        import polars as pl

        return [(pl.col("at_ns"), False), (pl.col("number"), False)]

    def _nothing(self, done: Arranged) -> str:
        return super()._nothing(done) if done.total else "Nothing was said yet."

    def _tell(self, done: Arranged) -> None:
        super()._tell(done)
        if self.following:
            self.rows.action_go(-1)

    def action_follow(self) -> None:
        """Stay at the end, whatever comes."""
        self.following = not self.following
        self.arrange_soon()

    @on(Rows.Moved)
    def _moved(self, event: Rows.Moved) -> None:
        event.stop()
        rows = self.rows
        if self.following and rows.view is not None and rows.cursor < len(rows.view) - 1:
            self.following = False
            self.arrange_soon()
