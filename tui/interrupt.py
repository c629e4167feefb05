"""Ctrl-C: an interrupt that gets lost is raised again until somebody takes it."""

from __future__ import annotations

import signal
from types import FrameType

AGAIN_S = 0.2  # time enough for what cleans up behind an interrupt


def insist() -> None:
    """From here on Ctrl-C ends the command, also when it falls into a callback of an import.

    Python prints and forgets an exception that is raised in such a callback. Where interrupts
    were ignored from the start, as in the background of a script, they stay so.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return
    signal.signal(signal.SIGINT, _interrupt)
    if hasattr(signal, "SIGALRM"):
        signal.signal(signal.SIGALRM, _interrupt)


def taken() -> None:
    """The interrupt has arrived: it is not raised again."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, 0)


def _interrupt(number: int, frame: FrameType | None) -> None:
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, AGAIN_S)
    raise KeyboardInterrupt
