"""The time from a fault to its detection: prefixes of a recording, judged one after the other.

At a moment T the analysis is given the spans that have ended by T, and T as its "now". Of each
fault the first such moment counts at which what had to be said of it is said. How long exporters
and collectors take comes on top.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, inf

import polars as pl

from analyzer import analyze
from benchmarks.grid import Labelled
from benchmarks.scoring import Said, matched, told_all
from collectors.recording import Recording
from collectors.simulate import Truth

SECOND = 10**9
# Moments after a fault, seconds: what lies between two of them is told as the later one.
AFTER = (1, 2, 3, 5, 7, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60, 75, 90, 120, 180, 300, 600,
         1200, 1800, 3600, 7200, 21_600, 43_200, 86_400, 172_800, 345_600, 691_200)  # fmt: skip
CLOSE_NS = SECOND  # moments that lie closer together are one


@dataclass(frozen=True, slots=True)
class Delay:
    """One fault that had to be found; `seconds` is infinite where it never was."""

    fault: str
    seconds: float


@dataclass(frozen=True)
class Replayed:
    """What came of a replay."""

    delays: list[Delay]
    moments: int
    healthy: int
    alarmed: dict[int, frozenset[str]]  # healthy instances, with what was falsely said at a moment


def replay(labelled: Labelled) -> Replayed:
    """How long it took until each fault was told, and what was wrongly said on the way."""
    truths = labelled.truths
    waiting = {i: struck for i, one in enumerate(truths) if (struck := _struck(one))}
    found: list[Delay] = []
    alarmed: dict[int, frozenset[str]] = {}
    moments = 0
    for moment in _moments(sorted(waiting.values()), labelled.header.as_of_ns):
        moments += 1
        for index, truth, said in _said(labelled, moment):
            false = frozenset(said.kinds) - {*truth.accepts}
            if false and not truth.findings:
                alarmed[index] = alarmed.get(index, frozenset()) | false
            if index in waiting and waiting[index] <= moment and told_all(truth, said):
                seconds = (moment - waiting.pop(index)) / SECOND
                found.append(Delay(truth.faults[0], seconds))
        if not waiting:
            break
    found += [Delay(truths[index].faults[0], inf) for index in waiting]
    healthy = sum(not one.findings for one in truths)
    return Replayed(found, moments, healthy, alarmed)


def _said(labelled: Labelled, moment: int) -> Iterator[tuple[int, Truth, Said]]:
    analysis = analyze(prefix(labelled.recording, moment), as_of_ns=moment, keys=labelled.keys)
    pairs = enumerate(matched(analysis, labelled.truths, labelled.header.unread))
    return ((index, truth, said) for index, (truth, said) in pairs)


def _struck(truth: Truth) -> int | None:
    return (truth.struck_ns or truth.since_ns) if truth.findings else None


def _moments(struck: Sequence[int], end: int) -> Iterator[int]:
    """Moments after each fault, and the end of the recording."""
    last = 0
    moments = {one + after * SECOND for one in struck for after in AFTER}
    for moment in sorted({*(one for one in moments if one < end), end}):
        if moment - last >= CLOSE_NS or moment == end:
            last = moment
            yield moment


def prefix(recording: Recording, until_ns: int) -> Recording:
    """What there was to be seen at that moment: spans that had ended, and what hangs on them."""
    kept = recording.spans["end_ns"] <= until_ns
    links, links_kept = _rows(recording.links, "span", kept)
    return Recording(
        recording.spans.filter(kept),
        links,
        _rows(recording.events, "span", kept)[0],
        _rows(recording.attributes, "span", kept)[0],
        _rows(recording.link_attributes, "link", links_kept)[0],
        recording.intake,
    )


def _rows(frame: pl.DataFrame, column: str, kept: pl.Series) -> tuple[pl.DataFrame, pl.Series]:
    """The rows whose owner is kept, pointing to where it stands now; also which they are."""
    place = (kept.cum_sum() - 1).cast(pl.UInt32)
    mask = kept.gather(frame[column])
    rows = frame.filter(mask)
    return rows.with_columns(place.gather(rows[column]).alias(column)), mask


def quantile(delays: Sequence[Delay], share: float) -> float:
    """Of the seconds, those never found being the longest."""
    return sorted(one.seconds for one in delays)[ceil(share * len(delays)) - 1]
