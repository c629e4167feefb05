"""Appends requests to the log; each is told as stored only after its bytes are on disk."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

from collectors.store.files import Files
from collectors.store.frames import Request, encoded, scan
from collectors.store.layout import Layout, segment_name
from collectors.telemetry import count, stage

SEGMENT = 64 << 20  # bytes as stored
SEGMENT_UNPACKED = 160 << 20  # bytes; 400,000 spans, which compaction holds in 400 MB
GROUP = 16 << 20  # bytes written and synced together at the most
WAITING = 128 << 20  # bytes that may wait to be written; beyond it the store is overloaded


_Waiting = tuple[Request, "Future[int]"]


class Unstored(Exception):
    """The request was not stored and may be sent again later; the message says why."""


class Overloaded(Unstored):
    """More waits to be written than memory is set aside for."""


class Log:
    """The writer of one store's log: a thread that writes and syncs what waits, as one group.

    Begins a segment of its own: what an earlier process wrote is never written to again.
    `closed` is called with the path of each segment that is full.
    """

    def __init__(
        self,
        layout: Layout,
        sequence: int,
        files: Files | None = None,
        *,
        segment: int = SEGMENT,
        closed: Callable[[Path], None] = lambda path: None,
    ) -> None:
        self.sequence = sequence  # of the last frame
        self.groups = 0  # that were synced
        self.last_error = ""  # why nothing can be stored at present
        self._layout, self._files, self._segment = layout, files or Files(), segment
        self._closed = closed
        self._waiting: deque[_Waiting] = deque()
        self._bytes = 0
        self._rolls: list[Future[None]] = []
        self._stopping = False
        self._condition = threading.Condition()
        self._descriptor: int | None = None
        self._path = layout.log
        self._good = 0  # bytes of the segment that are whole
        self._unpacked = 0  # bytes of its requests
        self._thread = threading.Thread(target=self._run, name="store-log", daemon=True)
        self._thread.start()

    def append(self, request: Request) -> Future[int]:
        """The request's sequence number, once it is on disk; else the future raises Unstored."""
        done: Future[int] = Future()
        with self._condition:
            if self._stopping:
                raise Unstored("the store is closed")
            if self._waiting and self._bytes + len(request.payload) > WAITING:
                raise Overloaded(f"{self._bytes >> 20} MiB wait to be written")
            self._waiting.append((request, done))
            self._bytes += len(request.payload)
            self._condition.notify()
        return done

    @property
    def current(self) -> Path | None:
        """The segment that is being written."""
        return self._path if self._descriptor is not None else None

    @property
    def waiting(self) -> int:
        """Bytes that wait to be written."""
        return self._bytes

    def roll(self) -> None:
        """Close the segment that is being written, so that it can be compacted."""
        done: Future[None] = Future()
        with self._condition:
            if self._stopping:
                return
            self._rolls.append(done)
            self._condition.notify()
        done.result()

    def close(self) -> None:
        """Write what waits, then end."""
        with self._condition:
            self._stopping = True
            self._condition.notify()
        self._thread.join()

    def _run(self) -> None:
        running = True
        while running:
            group, rolls, running = self._next()
            if group:
                self._commit(group)
            if rolls or self._good >= self._segment or self._unpacked >= SEGMENT_UNPACKED:
                self._finish()
            for done in rolls:
                done.set_result(None)
        self._finish()

    def _next(self) -> tuple[list[_Waiting], list[Future[None]], bool]:
        """(what waits, up to `GROUP` bytes; who waits for a new segment; whether to go on)."""
        with self._condition:
            while not (self._waiting or self._rolls or self._stopping):
                self._condition.wait()
            group, size = [], 0
            while self._waiting and size < GROUP:
                group.append(self._waiting.popleft())
                size += len(group[-1][0].payload)
            self._bytes -= size
            rolls, self._rolls = self._rolls, []
            return group, rolls, bool(self._waiting) or not self._stopping

    def _commit(self, group: list[_Waiting]) -> None:
        first, now = self.sequence + 1, time.time_ns()
        # a number is never used twice, not even that of a frame that could not be written
        self.sequence += len(group)
        numbered = enumerate((request for request, _ in group), first)
        buffers = [b for n, r in numbered for b in encoded(r, n, now, self._layout.salt)]
        try:
            with stage("store commit", requests=len(group)):
                self._write(buffers, first)
        except OSError as error:
            self.last_error = error.strerror or str(error)
            for _, done in group:
                done.set_exception(Unstored(self.last_error))
            return
        self._unpacked += sum(request.size for request, _ in group)
        self.groups, self.last_error = self.groups + 1, ""
        count("choreoscope.requests", len(group))
        for number, (_, done) in enumerate(group, first):
            done.set_result(number)

    def _write(self, buffers: list[bytes], first: int) -> None:
        if self._descriptor is None:
            self._path = self._layout.log / segment_name(first)
            self._descriptor, self._good = self._files.create(self._path), 0
        try:
            self._files.append(self._descriptor, buffers)
        except OSError:
            self._take_back(self._descriptor)
            raise
        try:
            self._files.sync(self._descriptor)
        except OSError:
            # after a failed sync the descriptor no longer tells what is on disk: never again
            self._take_back(self._descriptor)
            self._finish()
            raise
        self._good += sum(map(len, buffers))

    def _take_back(self, descriptor: int) -> None:
        try:
            self._files.cut(descriptor, self._good)
        except OSError:
            self._finish()

    def _finish(self) -> None:
        if self._descriptor is None:
            return
        descriptor, self._descriptor = self._descriptor, None
        self._good = self._unpacked = 0
        with contextlib.suppress(OSError):  # every frame that was told as stored is synced
            self._files.close(descriptor)
        self._closed(self._path)


def last_sequence(layout: Layout) -> int:
    """The highest sequence number that was given out, as far as the log tells; 0 where none."""
    segments = layout.segments()
    if not segments:
        return 0
    items = scan(segments[-1].read_bytes(), layout.salt)
    return max([int(segments[-1].stem), *(item.sequence or 0 for item in items)])
