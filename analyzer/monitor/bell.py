"""Wakes whoever waits for a look, and keeps what has changed for those who follow."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from analyzer.monitor.changes import Change, changed
from analyzer.monitor.monitor import Look, Monitor

KEPT = 256  # changes, at most
KEPT_ROWS = 200_000  # ... with so many instances
LINGER_S = 60.0  # that changes are kept after the last follower left: it may come again
TICK_S = 1.0  # so soon the thread sees that nobody needs it

Waiter = tuple[asyncio.AbstractEventLoop, "asyncio.Future[None]"]


class Bell:
    """One thread for all who wait, while there are any. Its coroutines are safe in any loop."""

    def __init__(self, monitor: Monitor, numbers: Callable[[Look], dict[str, Any]]) -> None:
        self._monitor, self._numbers = monitor, numbers
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._waiters: set[Waiter] = set()
        self._followers = 0
        self._needed = 0.0  # when it was last
        self._kept: deque[Change] = deque()
        self._from = -1  # after that generation every change is kept; -1 = none is
        self._last: Look | None = None  # that was compared

    async def look(self, after: int, wait_s: float) -> Look | None:
        """The first look after that generation, or the present one when the time is up."""
        found = self._monitor.current
        until = time.monotonic() + wait_s
        while (found is None or found.generation <= after) and time.monotonic() < until:
            await self._rung(until, lambda: self._later(after))
            found = self._monitor.current
        return found

    def _later(self, after: int) -> bool:
        found = self._monitor.current
        return found is not None and found.generation > after

    async def seen(self, after: int, wait_s: float) -> int:
        """The latest look whose changes are kept, which is later than that one unless time is up;
        -1 where there is none."""
        until = time.monotonic() + wait_s
        while self.compared <= after and time.monotonic() < until:
            await self._rung(until, lambda: self.compared > after)
        return self.compared

    @property
    def compared(self) -> int:
        """Generation of the look up to which changes are known; -1 where there is none."""
        return self._last.generation if self._last is not None else -1

    def follow(self) -> None:
        """From now on keep changes, until `unfollow`."""
        with self._lock:
            self._followers += 1
            if self._from < 0:
                self._last = self._monitor.current
                self._from = self._last.generation if self._last is not None else 0
            self._work()

    def unfollow(self) -> None:
        """One follower less."""
        with self._lock:
            self._followers -= 1
            self._needed = time.monotonic()

    def since(self, generation: int) -> list[Change] | None:
        """Every change after that look, oldest first; None where not all of them are kept."""
        with self._lock:
            if self._from < 0 or generation < self._from or generation > self.compared:
                return None
            return [change for change in self._kept if change.generation > generation]

    async def _rung(self, until: float, done: Callable[[], bool]) -> None:
        loop = asyncio.get_running_loop()
        waiter = (loop, loop.create_future())
        with self._lock:
            self._waiters.add(waiter)
            self._work()
        try:
            if not done():  # it may have come before the waiter was there
                with suppress(TimeoutError):
                    await asyncio.wait_for(waiter[1], max(until - time.monotonic(), 0.0))
        finally:
            with self._lock:
                self._waiters.discard(waiter)

    # -- the thread ------------------------------------------------------------------------------

    def _work(self) -> None:
        self._needed = time.monotonic()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="bell", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        rung = -1
        while not self._idle():
            look = self._monitor.wait(rung, TICK_S)
            if look is not None and look.generation > rung:
                rung = look.generation
                self._compare(look)
                self._ring()

    def _idle(self) -> bool:
        """Whether nobody has waited or followed for a while; then the thread has ended."""
        with self._lock:
            if self._waiters or self._followers:
                return False
            if time.monotonic() - self._needed < LINGER_S:
                return False
            self._kept.clear()
            self._from, self._last, self._thread = -1, None, None
            return True

    def _compare(self, look: Look) -> None:
        before = self._last
        if self._from < 0 or (before is not None and before.generation >= look.generation):
            return
        change = changed(before, look, self._numbers(look))
        with self._lock:
            self._last = look
            if not change.empty:
                self._kept.append(change)
            self._bound()

    def _bound(self) -> None:
        rows = sum(change.after.height + change.before.height for change in self._kept)
        while len(self._kept) > KEPT or (rows > KEPT_ROWS and self._kept):
            gone = self._kept.popleft()
            rows -= gone.after.height + gone.before.height
            self._from = gone.generation

    def _ring(self) -> None:
        with self._lock:
            waiters, self._waiters = self._waiters, set()
        for loop, future in waiters:
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(_wake, future)


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
