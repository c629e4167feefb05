"""Where a monitor's spans come from: a store that is followed, or whatever else gives parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from collectors import read
from collectors.assemble import as_part
from collectors.canonical import Part
from collectors.ledger import Ledger, Where
from collectors.recording import empty_recording
from collectors.source import SourceError
from collectors.store.decoding import Decoder
from collectors.store.fetch import traces
from collectors.store.follow import File, Follower
from collectors.store.frames import Request
from collectors.telemetry import stage

SECOND = 1_000_000_000
TOGETHER_NS = 5 * SECOND  # what arrived within it is taken as arriving at its end
SPAN_BYTES = 400  # of an unpacked request, roughly
AT_ONCE = 500_000 * SPAN_BYTES  # taken in before the next look, as far as whole requests allow

Traces = Set[tuple[int, int]]


@dataclass(slots=True)
class Taken:
    """What has come since the last time."""

    parts: list[Part] = field(default_factory=list)
    arrived_ns: int | None = None  # None: it lay there for long, which says nothing of its delay
    more: bool = False  # there is more already


@dataclass(frozen=True, slots=True)
class Position:
    """How far a store was read, and what was met on the way."""

    sequence: int = 0
    requests: int = 0
    damaged: int = 0
    rejected: Mapping[str, int] = field(default_factory=dict)


class Source(Protocol):
    """Gives each span once, whole requests at a time; used by one thread."""

    @property
    def requests(self) -> int:
        """Requests, lines or files given since the start."""
        ...

    @property
    def damaged(self) -> int:
        """Stretches that could not be read."""
        ...

    @property
    def rejected(self) -> Mapping[str, int]:
        """Spans and requests that could not be used, by reason."""
        ...

    def poll(self) -> Taken:
        """What has come since the last call."""
        ...

    def fetch(self, wanted: Traces) -> Sequence[Part]:
        """Everything there is of traces that were let go; nothing where none was kept."""
        ...


class StoreSource:
    """Follows a store, also while another process writes it. Raises StoreError."""

    def __init__(self, folder: Path, after: Position = Position()) -> None:
        self.follower = Follower(folder, after.sequence)
        self.follower.damaged = after.damaged
        self.requests = after.requests
        self._folder, self._ledger = folder, Ledger(Counter(after.rejected))

    def position(self) -> Position:
        """How far it has read. What was read is on disk when this returns. Raises OSError.

        Otherwise a power cut could take frames that were read but not acknowledged, and their
        numbers would be given to others.
        """
        self.follower.settle()
        rejected = dict(self._ledger.rejected)
        return Position(self.follower.sequence, self.requests, self.damaged, rejected)

    @property
    def damaged(self) -> int:
        """Damaged stretches of the log."""
        return self.follower.damaged

    @property
    def rejected(self) -> Counter[str]:
        """By reason."""
        return self._ledger.rejected

    def poll(self) -> Taken:
        """What was stored since the last call, as much as is taken `AT_ONCE`."""
        with stage("decode"):
            return self._poll()

    def _poll(self) -> Taken:
        decoder = Decoder(self._ledger, "store")
        parts: list[Part] = []
        arrivals: list[int] = []
        requests: list[Request] = []
        more, size = False, 0
        for item in self.follower.poll():
            if isinstance(item, File):
                arrivals.append(0)
                parts.append(self._compacted(item.path))
                size += len(parts[-1].spans) * SPAN_BYTES
            else:
                arrivals.append(item.time_ns)
                requests.append(item.request)
                size += item.request.size
            more = size >= AT_ONCE
            if more:  # the follower goes on where it was
                break
        self.requests += len(requests)
        # many at once cost a fifth of one by one; their order means nothing
        parts += decoder.add(sorted(requests, key=lambda request: request.kind))
        parts += decoder.finish()
        latest = max(arrivals, default=0)
        together = latest - min(arrivals, default=0) <= TOGETHER_NS
        return Taken(parts, latest if latest and together else None, more)

    def _compacted(self, path: Path) -> Part:
        """What it holds; nothing where it is gone or damaged, which is counted."""
        try:
            return as_part(read([path]))
        except (SourceError, OSError) as error:
            self._ledger.reject(Where(str(path)), "missing-parquet", str(error))
            return as_part(empty_recording())

    def fetch(self, wanted: Traces) -> Sequence[Part]:
        """From the whole store."""
        return traces(self._folder, wanted)

    def close(self) -> None:
        """Close what is open."""
        self.follower.close()
