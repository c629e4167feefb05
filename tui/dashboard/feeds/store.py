"""Shows a store, also while another process writes it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tui.dashboard.feeds.monitored import MonitorFeed, Watching
from tui.dashboard.feeds.threaded import FeedError

if TYPE_CHECKING:
    from analyzer.monitor.source import Source

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
