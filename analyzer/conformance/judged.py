"""One expectation over the cases of its workflow, in columns."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from analyzer.codes import Ints
from analyzer.conformance.expectations import NOWHERE, Origin
from analyzer.conformance.match import NEVER


class Verdict(IntEnum):
    """Of one expectation in one instance."""

    APART = 0  # it says nothing about this instance
    HELD = 1
    BROKEN = 2
    NOT_DUE = 3
    SAMPLED = 4
    STANDS_ALONE = 5
    UNSEEN = 6
    NO_DEADLINE = 7
    UNKNOWN = 8
    UNRECORDED = 9
    NAMELESS = 10


REASONS: dict[Verdict, str] = {
    Verdict.NOT_DUE: "not due yet",
    Verdict.SAMPLED: "the recording is sampled: what is not there may have happened",
    Verdict.STANDS_ALONE: "a step of this kind stands alone and fits in time: its context was lost",
    Verdict.UNSEEN: "never seen, and not declared as required",
    Verdict.NO_DEADLINE: "still open, and no deadline is declared",
    Verdict.UNKNOWN: "the recording does not tell",
    Verdict.NAMELESS: "a step that it names was never seen",
    Verdict.UNRECORDED: "what follows it happened: its own span was not recorded",
}


@dataclass(frozen=True)
class Judged:
    """One expectation; the columns are by case. Times are nanoseconds."""

    rule: str
    subject: str
    expected: str
    verdict: Ints  # Verdict
    step: Ints  # a step that shows it: the one waited from, or the one too many; -1 = none
    since: Ints
    deadline: Ints  # NEVER where there is none
    absent: bool = True  # broken means: something did not come
    kind: str = "missing-step"
    label: int = -1  # what is waited for
    measured: Ints | None = None  # wait or count, for the message
    seen: int = 0  # cases in which the step came
    hint: str = ""  # the nearest name, where the declared one means nothing in the recording
    owner: str | None = None
    severity: str = "error"
    origin: Origin = NOWHERE
    late: Ints | None = None  # by case: 1 where it came, and too late
    came: Ints | None = None  # the step that came, -1 where none did

    def count(self, verdict: Verdict) -> int:
        """Cases with that verdict."""
        return int((self.verdict == verdict).sum())


def filled(size: int, value: int) -> Ints:
    """A column with one value."""
    return np.full(size, value, dtype=np.int64)


def added(start: Ints, wait: int) -> Ints:
    """start + wait, NEVER where start is NEVER."""
    return np.where(start == NEVER, NEVER, np.minimum(start, NEVER - 1 - wait) + wait)
