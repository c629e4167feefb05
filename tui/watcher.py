"""The process that watches, as the one that receives looks after it."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable
from typing import Any

from collectors.store.store import without_interrupt
from tui.exits import Exit, Stop
from tui.terminal import note

PAUSE = 1.0  # seconds before a process that has ended is started again
LONGEST = 60.0  # the pause grows to this where it ends again and again
ANEW = 64  # exit code of one that has ended to be started again


class Watcher:
    """A process of its own that runs `watch`; started again where it ends by itself.

    `watch` gets its arguments, the id of this process, and a connection to which it sends one text:
    empty as soon as it listens, else why it cannot.
    """

    def __init__(self, watch: Callable[..., None], *arguments: Any) -> None:
        self._watch = watch
        self._arguments = arguments
        self._context = multiprocessing.get_context("spawn")
        self._process: Any = None
        self._word: Any = None
        self._began = 0.0
        self._pause = PAUSE

    def start(self, stopped: Callable[[], bool]) -> None:
        """Start it, and wait until it listens or is `stopped`. Raises Stop where it does not."""
        self._spawn()
        while not self._word.poll(0.1):
            if stopped():
                return
        said = self._said()
        if said and not stopped():
            self._process.join()
            raise Stop(Exit.USAGE, said)

    def care(self) -> None:
        """Start it again where it has ended; whatever becomes of that, nothing is waited for."""
        if self._process.exitcode == ANEW:
            self._spawn()
            return
        lived = time.monotonic() - self._began
        if self._process.is_alive():
            self._pause = PAUSE if lived > LONGEST else self._pause
            return
        if lived < self._pause:
            return
        said = self._said() if self._word is not None and self._word.poll() else ""
        why = said or f"it ended with {self._process.exitcode}"
        note(f"the process that watches is started again: {why}")
        self._pause = min(2 * self._pause, LONGEST)
        self._spawn()

    def stop(self) -> None:
        """End it."""
        if self._process is None or not self._process.is_alive():
            return
        self._process.terminate()
        self._process.join(5)
        if self._process.is_alive():
            self._process.kill()

    def _spawn(self) -> None:
        if self._word is not None:
            self._word.close()
        self._word, ours = self._context.Pipe(duplex=False)
        self._process = self._context.Process(
            target=self._watch, args=(*self._arguments, os.getpid(), ours), name="watcher"
        )
        self._began = time.monotonic()
        with without_interrupt():
            self._process.start()
        ours.close()  # else its end would not be noticed here

    def _said(self) -> str:
        """Its word; of one that ended without any, that."""
        try:
            return str(self._word.recv())
        except EOFError:
            self._process.join()
            return f"the process that watches ended at once, with {self._process.exitcode}"
