"""Gathers small batches into parts: promoting a batch has a price of its own, whatever its size."""

from __future__ import annotations

from collections.abc import Iterator

from collectors.canonical import Part, canonical
from collectors.raw import RawBatch, merge

POOL = 45_000  # spans; larger ones cost less time and more memory
POOL_LIMIT = 65_536  # spans; a batch that does not fit begins the next part


class Pool:
    """Batches that wait until there are enough of them for a part."""

    def __init__(self) -> None:
        self._batches: list[RawBatch] = []
        self._spans = 0

    def add(self, batch: RawBatch) -> Iterator[Part]:
        """Take in a batch; gives out a part when there is enough for one."""
        if self._spans and self._spans + len(batch.spans) > POOL_LIMIT:
            yield from self.flush()
        self._batches.append(batch)
        self._spans += len(batch.spans)
        if self._spans >= POOL:
            yield from self.flush()

    def flush(self) -> Iterator[Part]:
        """The part of what is left."""
        if self._spans:
            batch = merge(self._batches)
            self._batches, self._spans = [], 0
            yield canonical(batch)
