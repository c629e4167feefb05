"""Exit codes, what leads to each one, and which one wins."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """What the process says when it ends."""

    CLEAN = 0
    FINDINGS = 1  # findings at or above the gate, or a threshold that does not hold
    USAGE = 2  # options, filters, configuration, an instance that is not there
    INPUT = 3  # unreadable or partly unreadable, or nothing to analyse
    INTERNAL = 4  # a defect of choreoscope
    INTERRUPTED = 130


class Stop(Exception):
    """Ends the command with a message for people; foreign parts are escaped already."""

    def __init__(self, code: Exit, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def verdict(*, gate_failed: bool, damaged: bool, nothing: bool) -> Exit:
    """Damaged input wins over findings: a report on half of the data is neither green nor red."""
    if damaged or nothing:
        return Exit.INPUT
    return Exit.FINDINGS if gate_failed else Exit.CLEAN
