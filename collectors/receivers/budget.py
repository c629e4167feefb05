"""Counts the bytes that requests hold from their first one until they are answered."""

from __future__ import annotations

import threading

from collectors.store.log import Overloaded

SMALL = 4 << 20  # bytes; who holds no more never waits for larger ones
TOTAL = 256 << 20  # bytes of all requests together
PARTS = 4  # what is above SMALL has one part in so many, and one of them may go beyond it


class Budget:
    """How much all requests may hold; safe to use from any thread."""

    def __init__(self, limit: int) -> None:
        """`limit`: bytes of one body, which may be held packed and unpacked."""
        self.total = max(TOTAL, PARTS * limit)
        self.held = 0
        self._first: Share | None = None
        self._lock = threading.Lock()

    def share(self) -> Share:
        """What one request holds: nothing as yet."""
        return Share(self)

    def take(self, share: Share, by: int) -> None:
        """Give a share more. Raises Overloaded.

        Of the large ones one may always go on: else they would wait for each other.
        """
        with self._lock:
            small = share.held + by <= SMALL
            room = self.total if small else self.total // PARTS
            if self.held + by > room and self._first is not share:
                if small or self._first is not None:
                    raise Overloaded(f"{self.held >> 20} MiB are being taken")
                self._first = share
            self.held += by
            share.held += by

    def give(self, share: Share, by: int) -> None:
        """Take back from a share."""
        with self._lock:
            self.held -= by
            share.held -= by
            if not share.held and self._first is share:
                self._first = None


class Share:
    """What one request holds, until the end of the `with`."""

    __slots__ = ("_budget", "held")

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.held = 0

    def grow(self, by: int) -> None:
        """Hold so many bytes more. Raises Overloaded: try again in a while."""
        self._budget.take(self, by)

    def shrink(self, to: int) -> None:
        """Hold no more than so many bytes."""
        if self.held > to:
            self._budget.give(self, self.held - to)

    def __enter__(self) -> Share:
        return self

    def __exit__(self, *_: object) -> None:
        self.shrink(0)
