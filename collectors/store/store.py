"""The durable store: one process appends and compacts, any number of others read."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from multiprocessing import get_context
from pathlib import Path

from collectors.store import manifest
from collectors.store.compaction import compact
from collectors.store.files import Files
from collectors.store.frames import Request
from collectors.store.layout import Layout, locked, made
from collectors.store.log import SEGMENT, Log, last_sequence
from collectors.store.retention import Retention, remove

ROLL_S = 600.0  # a segment is compacted at the latest then, however little it holds
NICE = 10  # compaction gives way to receiving
TASKS = 50  # compactions until the process that does them begins anew


class Store:
    """A store opened for writing. Raises StoreError where the folder cannot be one.

    Segments are compacted as they fill, and what retention says is removed: in a process of its
    own, since decoding would keep the interpreter from answering.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        keep: Retention = Retention(),  # noqa: B008 - frozen
        segment: int = SEGMENT,
        roll_s: float = ROLL_S,
        files: Files | None = None,
        compacting: bool = True,
    ) -> None:
        self._files = files or Files()
        self._keep, self._roll_s = keep, roll_s
        self._stack = ExitStack()
        self.layout = made(Path(folder), self._files)
        self._stack.enter_context(locked(self.layout.folder))
        try:
            known = manifest.load(self.layout)
            others = [one.last for one in manifest.unlisted(self.layout, known)]
            last = max([last_sequence(self.layout), known.last, *others])
            for draft in self.layout.parquet.glob("*.tmp"):
                draft.unlink()
        except BaseException:
            self._stack.close()
            raise
        self.compaction_error = ""
        self.compactions = 0
        self._stopping = False
        self._wake = threading.Event()
        self._wake.set()  # an earlier process may have left something
        self._one = threading.Lock()
        self._pool: ProcessPoolExecutor | None = None
        self.log = Log(
            self.layout, last, self._files, segment=segment, closed=lambda _: self._wake.set()
        )
        self._thread = threading.Thread(target=self._run, name="store-compaction", daemon=True)
        if compacting:
            self._thread.start()

    def append(self, request: Request) -> Future[int]:
        """See `Log.append`."""
        return self.log.append(request)

    def compact(self) -> None:
        """Compact everything stored so far, in this process."""
        self.log.roll()
        with self._one:
            tidy(self.layout, self._closed(), self._keep, self._files)

    def close(self) -> None:
        """Write what waits, finish the compaction that runs, give the folder free."""
        self.log.close()
        self._stopping = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()
        if self._pool is not None:
            self._pool.shutdown()
        self._stack.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _closed(self) -> list[Path]:
        """All segments but the one that is being written."""
        segments = self.layout.segments()
        current = self.log.current
        return [path for path in segments if path != current]

    def _run(self) -> None:
        while not self._stopping:
            if not self._wake.wait(self._roll_s):
                self.log.roll()
            self._wake.clear()
            if not self._stopping:
                with self._one:
                    self._compact_apart()

    def _compact_apart(self) -> None:
        try:
            if self._pool is None:
                self._pool = ProcessPoolExecutor(
                    1, get_context("spawn"), apart, (os.getpid(),), max_tasks_per_child=TASKS
                )
            with without_interrupt():
                done = self._pool.submit(tidy, self.layout, self._closed(), self._keep)
            done.result()
            self.compaction_error, self.compactions = "", self.compactions + 1
        except OSError as error:
            # the log still holds everything; the next full segment tries again
            self.compaction_error = error.strerror or str(error)
        except BrokenProcessPool:
            self.compaction_error, self._pool = "the process that compacts was ended", None


@contextmanager
def without_interrupt() -> Iterator[None]:
    """Processes that begin in here are not ended by the keyboard: their parent ends them. A mask
    is inherited; a handler would come after all the imports of the new process."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def apart(parent: int) -> None:
    """Begin a process that compacts: it gives way, and ends with its parent, killed or not."""

    def follow() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)  # compaction may stop before each of its steps

    os.nice(NICE)
    threading.Thread(target=follow, daemon=True).start()


def tidy(layout: Layout, segments: list[Path], keep: Retention, files: Files | None = None) -> None:
    """Compact these segments, then remove what is expired."""
    files = files or Files()
    compact(layout, segments, files)
    remove(layout, keep, time.time_ns(), files)
