"""The critical path of an instance: what its last step had to wait for, back to the beginning.

The backward walk of CRISP (Zhang et al., USENIX ATC 2022, section 3) for calls, carried on over
messages: at a join the last arrival was waited for, and the time between a send and its
consumer is a part of the path.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

WORK = "work"
WAIT = "wait"


@dataclass(frozen=True, slots=True)
class Link:
    """`target` came of `source`; of a synchronous one `source` waited for its answer."""

    source: int
    target: int
    sync: bool
    confidence: float = 1.0


@dataclass(frozen=True, slots=True)
class Segment:
    """[start_ns, end_ns) spent in `step` (work), or between `source` and `step` (wait)."""

    kind: str
    step: int
    source: int | None
    start_ns: int
    end_ns: int


def critical_path(
    steps: Mapping[int, tuple[int, int]], links: Iterable[Link]
) -> tuple[Segment, ...]:
    """Segments from the first to the last, without holes or overlaps, none of them empty.

    `steps`: (start, end) in nanoseconds by step. The walk starts at the step that ends last. A
    step that clocks put before its cause is cut where its cause ends. O(n log n).
    """
    if not steps:
        return ()
    walk = _Walk(steps, links)
    step = max(steps, key=lambda key: (steps[key][1], steps[key][0], key))
    return walk.back_from(step)


class _Walk:
    def __init__(self, steps: Mapping[int, tuple[int, int]], links: Iterable[Link]) -> None:
        self._steps = steps
        self._into: dict[int, list[Link]] = {}
        self._calls: dict[int, list[int]] = {}
        for link in links:
            if link.source in steps and link.target in steps and link.source != link.target:
                self._into.setdefault(link.target, []).append(link)
                if link.sync:
                    self._calls.setdefault(link.source, []).append(link.target)
        for called in self._calls.values():
            called.sort(key=lambda key: (steps[key][1], steps[key][0], key))
        self._entered: set[int] = set()
        self._left: set[int] = set()
        self._found: list[Segment] = []

    def back_from(self, step: int) -> tuple[Segment, ...]:
        at = self._steps[step][1]
        while True:
            self._entered.add(step)
            call = self._last_call(step, at)
            if call is not None:
                at = self._add(WORK, step, None, self._steps[call][1], at)
                step = call
                continue
            at = self._add(WORK, step, None, self._steps[step][0], at)
            self._left.add(step)
            source = self._waited_for(step, at)
            if source is None:
                return tuple(reversed(self._found))
            at = self._add(WAIT, step, source, self._steps[source][1], at)
            step = source

    def _last_call(self, step: int, at: int) -> int | None:
        """The call that returned last before `at`: what is discarded ended too late for good."""
        calls = self._calls.get(step, [])
        while calls:
            call = calls.pop()
            ended = self._steps[call][1]
            if self._steps[step][0] < ended <= at and call not in self._entered:
                return call
        return None

    def _waited_for(self, step: int, at: int) -> int | None:
        """The source of the last arrival at `step`, of those whose time is not told yet."""
        links = [link for link in self._into.get(step, ()) if link.source not in self._left]
        if not links:
            return None

        def arrival(link: Link) -> tuple[int, bool, float, int]:
            return min(self._steps[link.source][1], at), link.sync, link.confidence, -link.source

        return max(links, key=arrival).source

    def _add(self, kind: str, step: int, source: int | None, start: int, end: int) -> int:
        """Note [start, end) where it is not empty; the time to go on from."""
        start = min(start, end)
        if start < end:
            self._found.append(Segment(kind, step, source, start, end))
        return start
