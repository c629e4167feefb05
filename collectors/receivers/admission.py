"""The one way in, whatever the transport: unpack, check, store, then answer."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from collectors.receivers.bodies import KEPT, LIMIT, Body
from collectors.receivers.budget import Budget, Share
from collectors.receivers.checks import Checked, check
from collectors.receivers.refusals import Refused, Why
from collectors.store.frames import Encoding, Kind, Request
from collectors.store.log import Overloaded, Unstored

PATIENCE = 2.0  # seconds: JavaScript's gRPC exporter never sends again, so a passing fault is held
PAUSE = 0.02

T = TypeVar("T")

OWN = "choreoscope does not take the spans of its own process"

_ENCODINGS = {"gzip": Encoding.GZIP, "zstd": Encoding.ZSTD}


class Sink(Protocol):
    """Where requests go: a store, or a test."""

    def append(self, request: Request) -> Future[int]:
        """The request's number once it is on disk. Raises Overloaded, Unstored."""
        ...


@dataclass(slots=True)
class Counts:
    """What came in, since the start; received = stored + rejected."""

    requests: int = 0
    spans: int = 0  # stored
    rejected: int = 0  # spans that were refused inside a request that was taken
    bytes: int = 0  # unpacked
    refused: Counter[str] = field(default_factory=Counter)  # requests, by reason
    last_ns: int = 0


@dataclass(frozen=True, slots=True)
class Ready:
    """A request that is checked, and what of it is to be stored."""

    checked: Checked
    size: int  # bytes unpacked
    request: Request | None = None  # None where nothing is


class Admission:
    """Takes requests into a sink; safe to call from any thread."""

    def __init__(self, sink: Sink, limit: int = LIMIT, own: str = "") -> None:
        """`own`: the service.instance.id of this process, whose own spans are not taken."""
        self.limit = limit
        self.budget = Budget(limit)
        self.large = ThreadPoolExecutor(1, "large-requests")  # one is unpacked and checked at once
        self._own = own.encode()
        self.counts = Counts()
        self._sink = sink
        self._lock = threading.Lock()

    def checked(self, kind: Kind, body: Body, share: Share) -> Ready:
        """Unpack and check a request. Raises Refused, or Overloaded: try again in a while."""
        body.measured()
        if body.encoding in _ENCODINGS:
            share.grow(body.size)
        plain = body.plain()
        if not plain:
            return Ready(Checked(0), 0)
        checked = check(kind, plain)
        if self._own and self._own in plain:  # each request about itself would make another one
            checked = Checked(0, checked.spans + checked.rejected, OWN)
        if not checked.spans:
            return Ready(checked, body.size)
        packed = _ENCODINGS.get(body.encoding)
        request = (
            Request.packed(kind, plain)
            if packed is None
            else Request(kind, body.sent(), packed, body.size)
        )
        return Ready(checked, body.size, request)

    def store(self, ready: Ready, share: Share) -> Future[int]:
        """Hand a request on. Raises Overloaded, Unstored."""
        if ready.request is None:
            done: Future[int] = Future()
            done.set_result(0)
            return done
        share.shrink(len(ready.request.payload))
        return self._sink.append(ready.request)

    def patiently(self, kind: Kind, wire: bytes, encoding: str = "") -> Checked:
        """Take a request and wait until it is on disk, for threads. Raises Refused."""
        until = time.monotonic() + PATIENCE
        with self.budget.share() as share:
            _patient(until, lambda: share.grow(len(wire)))
            body = Body(encoding, self.limit, wire)
            ready = _patient(until, lambda: self._turn(kind, body, share))
            _patient(until, lambda: self.store(ready, share).result())
            return self.counted(ready)

    def _turn(self, kind: Kind, body: Body, share: Share) -> Ready:
        if body.measured(KEPT) and body.size <= KEPT:
            return self.checked(kind, body, share)
        return self.large.submit(self.checked, kind, body, share).result()

    def counted(self, ready: Ready) -> Checked:
        """Count a request that is on disk."""
        with self._lock:
            counts = self.counts
            counts.requests += 1
            counts.spans += ready.checked.spans
            counts.rejected += ready.checked.rejected
            counts.bytes += ready.size
            counts.last_ns = time.time_ns()
        return ready.checked

    def refused(self, refusal: Refused) -> None:
        """Count a request that was not taken."""
        with self._lock:
            self.counts.refused[refusal.why.name.lower().replace("_", "-")] += 1


def unavailable(error: Unstored) -> Refused:
    """The refusal of what may be sent again later."""
    return Refused(Why.UNAVAILABLE, f"nothing can be stored: {error}")


def _patient(until: float, work: Callable[[], T]) -> T:
    """What `work` returns, tried until that moment where there is no room."""
    while True:
        try:
            return work()
        except Unstored as error:
            if time.monotonic() > until or not isinstance(error, Overloaded):
                raise unavailable(error) from error
            time.sleep(PAUSE)
