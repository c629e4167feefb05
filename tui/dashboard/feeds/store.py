"""Shows a store, also while another process writes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tui.dashboard.feeds.monitored import MonitorFeed, Watching
from tui.dashboard.feeds.threaded import FeedError

if TYPE_CHECKING:
    from analyzer.alerts.outbox import Outbox, Outcome
    from analyzer.monitor.source import Source
    from tui.alerting import Desk

MOST_TOLD = 200  # deliveries that are shown
LATEST = 1_000_000  # spans that are read of a large store; its older files are left out


class StoreFeed(MonitorFeed):
    """Follows a store, beginning with the latest spans of it."""

    def __init__(
        self,
        folder: Path,
        watching: Watching = Watching(),  # noqa: B008 - frozen
        name: str = "",
        endpoints: tuple[str, ...] = (),
    ) -> None:
        super().__init__(name or f"store {folder}", watching, endpoints)
        self._folder = folder
        self._left_out = 0
        self._book: Desk | None = None
        self._no_book = False

    def source(self) -> Source:
        """Follow it."""
        from analyzer.monitor.source import Position, StoreSource
        from collectors.source import SourceError

        try:
            after, self._left_out = recent(self._folder, LATEST)
            return StoreSource(self._folder, Position(after))
        except SourceError as error:
            raise FeedError(str(error)) from error
        except OSError as error:
            raise FeedError(f"{self._folder}: {error.strerror or error}") from error

    def desk(self) -> Callable[[], Desk] | None:
        """Of the `serve` that keeps its alerts in this store, whether it runs at present or not."""
        from tui.serving import ALERTS

        return self._desk if (self._folder / ALERTS).exists() else None

    def _desk(self) -> Desk:
        from tui.alerting import Local
        from tui.serving import ALERTS

        return Local(self._folder, ALERTS)

    def listen(self, outbox: Outbox) -> None:
        """What is silenced there is silenced on the screen."""
        book = self._open_book()
        if book is not None:
            known = outbox.silences()
            for silence in book.silences():
                if silence not in known:
                    outbox.silence(silence)

    def deliveries(self, outbox: Outbox) -> Sequence[Outcome]:
        """What that `serve` has told."""
        book = self._open_book()
        return outbox.log() if book is None else book.log(MOST_TOLD)

    def _open_book(self) -> Desk | None:
        """Stays open; None where there is none, or where it cannot be used."""
        from tui.exits import Stop

        if self._book is None and not self._no_book and (make := self.desk()) is not None:
            try:
                self._book = make()
            except Stop:  # damaged, or a folder that may only be read: the spans are shown anyway
                self._no_book = True
        return self._book

    def watch(self, source: Source) -> None:
        """Look at it until stopped."""
        try:
            super().watch(source)
        finally:
            if self._book is not None:
                self._book.close()

    def remark(self) -> str:
        """What is not shown."""
        return f"{self._left_out:,} older spans are not read" if self._left_out else ""


def recent(folder: Path, spans: int) -> tuple[int, int]:
    """(sequence number after which at least `spans` follow, how many spans are before it)."""
    from collectors.store import manifest
    from collectors.store.layout import found

    entries = sorted(manifest.load(found(folder)).compacted, key=lambda one: one.first)
    total = 0
    for number in range(len(entries) - 1, -1, -1):
        total += entries[number].spans
        if total >= spans:
            before = entries[:number]
            return (before[-1].last if before else 0), sum(one.spans for one in before)
    return 0, 0
