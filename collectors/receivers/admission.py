"""The one way in, whatever the transport: unpack, check, store, then answer."""

from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Protocol

from collectors.receivers.bodies import LIMIT, too_large, unpacked
from collectors.receivers.checks import Checked, check
from collectors.receivers.refusals import Refused, Why
from collectors.store.frames import Encoding, Kind, Request
from collectors.store.log import Overloaded, Unstored

PATIENCE = 2.0  # seconds: JavaScript's gRPC exporter never sends again, so a passing fault is held
PAUSE = 0.02
IN_FLIGHT = 256 << 20  # bytes of bodies that are being taken at once

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
class Taken:
    """A request that is checked and waits for the disk."""

    checked: Checked
    size: int
    done: Future[int] | None  # None where nothing was to be stored


class Admission:
    """Takes requests into a sink; safe to call from any thread."""

    def __init__(self, sink: Sink, limit: int = LIMIT, own: str = "") -> None:
        """`own`: the service.instance.id of this process, whose own spans are not taken."""
        self.limit = limit
        self._own = own.encode()
        self.counts = Counts()
        self._sink = sink
        self._lock = threading.Lock()
        self._flying = 0

    def taken(self, kind: Kind, body: bytes, encoding: str = "") -> Taken:
        """Check a request and hand it on. Raises Refused, or Overloaded: try again in a while."""
        plain = unpacked(body, encoding, self.limit)
        if not plain:
            return Taken(Checked(0), 0, None)
        checked = check(kind, plain)
        if self._own and self._own in plain:  # each request about itself would make another one
            checked = Checked(0, checked.spans + checked.rejected, OWN)
        if not checked.spans:
            return Taken(checked, len(plain), None)
        packed = _ENCODINGS.get(encoding.strip().lower())
        request = (
            Request.packed(kind, plain)
            if packed is None
            else Request(kind, body, packed, len(plain))
        )
        return Taken(checked, len(plain), self._append(request))

    def _append(self, request: Request) -> Future[int]:
        with self._lock:
            if self._flying and self._flying + request.size > IN_FLIGHT:
                raise Overloaded(f"{self._flying >> 20} MiB are being taken")
            self._flying += request.size
        try:
            done = self._sink.append(request)
        except BaseException:
            self._landed(request.size)
            raise
        done.add_done_callback(lambda _: self._landed(request.size))
        return done

    def _landed(self, size: int) -> None:
        with self._lock:
            self._flying -= size

    def patiently(self, kind: Kind, body: bytes, encoding: str = "") -> Checked:
        """Take a request and wait until it is on disk, for threads. Raises Refused."""
        until = time.monotonic() + PATIENCE
        while True:
            try:
                taken = self.taken(kind, body, encoding)
                if taken.done is not None:
                    taken.done.result()
                return self.counted(taken)
            except Unstored as error:
                if time.monotonic() > until or not isinstance(error, Overloaded):
                    raise Refused(Why.UNAVAILABLE, f"nothing can be stored: {error}") from error
                time.sleep(PAUSE)

    def counted(self, taken: Taken) -> Checked:
        """Count a request that is on disk."""
        with self._lock:
            counts = self.counts
            counts.requests += 1
            counts.spans += taken.checked.spans
            counts.rejected += taken.checked.rejected
            counts.bytes += taken.size
            counts.last_ns = time.time_ns()
        return taken.checked

    def refused(self, refusal: Refused) -> None:
        """Count a request that was not taken."""
        with self._lock:
            self.counts.refused[refusal.why.name.lower().replace("_", "-")] += 1

    def room_for(self, announced: int) -> None:
        """Refuse a body by its Content-Length, before any of it is read. Raises Refused."""
        if announced > self.limit:
            raise too_large(self.limit)
