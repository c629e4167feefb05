"""Runs a feed and waits for what it shows."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tui.dashboard.feed import Feed, Phase, Status


class Watch:
    """A feed that runs, and the statuses it told of."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self.told: list[Status] = []
        self.generations: list[int] = []
        self._changed = threading.Condition()

    def tell(self) -> None:
        with self._changed:
            self.told.append(self.feed.status)
            snapshot = self.feed.snapshot
            if snapshot is not None and snapshot.generation not in self.generations[-1:]:
                self.generations.append(snapshot.generation)
            self._changed.notify_all()

    def until(self, holds: Callable[[], bool], seconds: float = 60.0) -> None:
        with self._changed:
            if not self._changed.wait_for(holds, seconds):
                raise AssertionError(f"never came; the last was {self.feed.status}")

    def until_phase(self, phase: Phase, seconds: float = 60.0) -> None:
        self.until(lambda: self.feed.status.phase is phase, seconds)

    @property
    def states(self) -> dict[str, int]:
        """Instances by state, of the present snapshot."""
        snapshot = self.feed.snapshot
        if snapshot is None:
            return {}
        return dict(snapshot.instances["state"].value_counts().iter_rows())


@contextmanager
def running(feed: Feed) -> Iterator[Watch]:
    """The feed, started; it has to end within two seconds."""
    watch = Watch(feed)
    feed.start(watch.tell)
    try:
        yield watch
    finally:
        begin = time.monotonic()
        feed.stop()
        assert time.monotonic() - begin < 2.0
