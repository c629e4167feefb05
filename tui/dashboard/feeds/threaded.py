"""What every feed has: a thread, a status and a snapshot that change together, an end in time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from analyzer.monitor.memory import resident
from tui.dashboard.feed import Phase, Snapshot, Status

PATIENCE = 1.8  # seconds of `stop`; a long computation is left to end by itself
RELEASE_S = 0.6  # ... of them for what is held
PROGRESS_S = 0.1  # between two tellings of a progress


class FeedError(Exception):
    """The source cannot be shown; the message is for people and holds foreign strings."""


class Stopped(Exception):
    """The feed was stopped while it worked."""


class Threaded:
    """A feed whose `work` runs in a thread; what it raises is shown as FAILED."""

    def __init__(self, source: str, endpoints: tuple[str, ...] = ()) -> None:
        self.stopping = threading.Event()
        self._status = Status(source, Phase.LOADING, endpoints=endpoints)
        self._snapshot: Snapshot | None = None
        self._told: Callable[[], None] = lambda: None
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)
        self._last_progress = 0.0

    @property
    def status(self) -> Status:
        """The present one."""
        return self._status

    @property
    def snapshot(self) -> Snapshot | None:
        """The latest."""
        return self._snapshot

    def start(self, told: Callable[[], None]) -> None:
        """Begin."""
        self._told = told
        self._thread.start()

    def stop(self) -> None:
        """End the thread, and give free what is held; again it does nothing."""
        if self.stopping.is_set():
            return
        self.stopping.set()
        until = time.monotonic() + PATIENCE
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(PATIENCE - RELEASE_S)
        releasing = threading.Thread(target=self.release, name="feed-release", daemon=True)
        releasing.start()
        releasing.join(until - time.monotonic())

    def instance(self, identifier: str) -> Mapping[str, Any]:
        """One instance as a document."""
        raise NotImplementedError

    # -- for the feeds ------------------------------------------------------------------------

    def work(self) -> None:
        """Runs in the thread; looks at `stopping`."""
        raise NotImplementedError

    def release(self) -> None:
        """Give free what is held beyond the thread; runs once, after it in most cases."""

    def show(self, snapshot: Snapshot | None = None, **changes: Any) -> None:
        """Show another snapshot, or status; told once."""
        if snapshot is not None:
            self._snapshot = snapshot
        self._status = replace(self._status, **({"memory_bytes": resident()} | changes))
        if not self.stopping.is_set():
            self._told()

    def progress(self, message: str, share: float | None = None) -> None:
        """Show how far loading is. Raises Stopped: a reading has no other way to end early."""
        if self.stopping.is_set():
            raise Stopped
        now = time.monotonic()
        if now - self._last_progress >= PROGRESS_S or message != self._status.message:
            self._last_progress = now
            self.show(message=message, progress=share)

    def _run(self) -> None:
        try:
            self.work()
        except Stopped:
            pass
        except FeedError as error:
            self.show(phase=Phase.FAILED, message=str(error), progress=None)
        except Exception as error:  # a defect of ours must not leave a screen that only looks live
            said = f"internal error: {type(error).__name__}: {error}"
            self.show(phase=Phase.FAILED, message=said[:500], progress=None)
