"""A difference before it is judged: the change it would be, its chance, and whether it matters."""

from __future__ import annotations

from dataclasses import dataclass

from analyzer.comparison.change import Change, Figure, Place
from analyzer.comparison.statistics import (
    Sample,
    interval,
    quantile_interval,
    same_middle,
    same_share,
    same_tail,
)

# As for hotspots: twice may be one retry or one manual repair, three times is a way that is taken.
MIN_SEEN = 3
# With enough instances any difference is beyond chance; below these it is beyond interest too.
SHARE_FLOOR = 0.05  # of instances: one in twenty takes another way
TROUBLE_FLOOR = 0.01  # errors and trouble: one in a hundred
TIME_RATIO = 1.5  # two runs on two build machines differ by a third without any reason of ours
TAIL_RATIO = 2.0  # a p95 moves twice as easily as a median
TIME_FLOOR_S = 0.001  # below a millisecond the machine is measured, not the system
RATE_RATIO = 1.5  # from two calls to three


@dataclass(frozen=True, slots=True)
class Candidate:
    """`matters`: the difference is large enough to be told, if it is none of chance."""

    change: Change
    p: float
    matters: bool


@dataclass(frozen=True, slots=True)
class Part:
    """`part` of `whole` instances; `open` of them may still join the part."""

    part: int
    whole: int
    open: int = 0

    @property
    def share(self) -> float:
        """0 where there is no whole."""
        return self.part / self.whole if self.whole else 0.0

    @property
    def figure(self) -> Figure:
        """The share with its Wilson interval."""
        low, high = interval(self.part, self.whole)
        return Figure(self.share, self.whole, low, high)

    def at_most(self) -> Part:
        """As if everything that is open joined."""
        return Part(min(self.part + self.open, self.whole), self.whole)


Sides = tuple[Part, Part]  # before, after


def presence(noun: str, place: Place, sides: Sides) -> Candidate | None:
    """`new-NOUN` or `gone-NOUN` where one side has none at all; else None."""
    before, after = sides
    if bool(before.part) == bool(after.part):
        return None
    kind = f"new-{noun}" if after.part else f"gone-{noun}"
    change = Change(kind, place, "share", before.figure, after.figure)
    return Candidate(change, _chance(before, after), max(before.part, after.part) >= MIN_SEEN)


def share(
    kinds: tuple[str, str], place: Place, sides: Sides, floor: float, measure: str = "share"
) -> Candidate:
    """`kinds` = (fell, rose). Instances that are still open count for the side that has fewer."""
    before, after = sides
    kind = kinds[after.share > before.share]
    apart = abs(after.share - before.share)
    change = Change(kind, place, measure, before.figure, after.figure)
    return Candidate(change, _chance(before, after), apart >= floor)


def _chance(before: Part, after: Part) -> float:
    low, high = sorted((before, after), key=lambda side: side.share)
    low = low.at_most()
    if low.share >= high.share:
        return 1.0
    return same_share(low.part, low.whole, high.part, high.whole)


def shift(
    kinds: tuple[str, str], place: Place, before: Sample | None, after: Sample | None
) -> list[Candidate]:
    """`kinds` = (faster, slower): of the median, and of the slowest 5 %."""
    if before is None or after is None:
        return []
    pairs = (
        ("seconds-p50", 0.5, before.p50, after.p50, TIME_RATIO, same_middle(before, after)),
        ("seconds-p95", 0.95, before.p95, after.p95, TAIL_RATIO, same_tail(before, after)),
    )
    return [
        Candidate(
            Change(
                kinds[late > early],
                place,
                measure,
                _quantile(before, early, at),
                _quantile(after, late, at),
            ),
            p,
            _apart(early, late, ratio) and abs(late - early) >= TIME_FLOOR_S,
        )
        for measure, at, early, late, ratio, p in pairs
    ]


def _quantile(side: Sample, value: float, at: float) -> Figure:
    if side.values is None:
        return Figure(value, side.n)
    return Figure(value, side.n, *quantile_interval(side.values, at))


def _apart(one: float, other: float, ratio: float) -> bool:
    low, high = sorted((one, other))
    return high > 0 and low * ratio <= high
