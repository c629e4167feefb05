"""The spans of open instances, and of enough finished ones to know what is usual."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from analyzer.analysis import Analysis
from analyzer.finding import State
from analyzer.monitor.remembered import Hashes, Remembered, text_hashes, trace_hashes
from collectors.assemble import as_part, assemble, kept
from collectors.canonical import Part
from collectors.recording import Recording, empty_recording

SECOND = 1_000_000_000
DONE = (State.COMPLETE, State.COMPENSATED)
OVER = (*DONE, State.FAILED, State.DEAD_LETTERED, State.ORPHANED, State.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Limits:
    """What is held in memory."""

    grace_ns: int = 15 * SECOND  # a complete instance stays so long after its last span
    closed_ns: int = 3600 * SECOND  # ... a failed one, which people want to look at
    finished: int = 100_000  # spans of complete instances; beyond it they leave before their grace
    history: int = 60_000  # spans of finished instances that what is usual is learned from
    spans: int = 1_000_000  # of all; beyond it the oldest leave, counted


@dataclass(slots=True)
class Left:
    """What has left memory since the start."""

    finished: dict[tuple[str, str], int] = field(default_factory=dict)  # by (workflow, state)
    overflow: int = 0  # instances that were still open


@dataclass(slots=True)
class WorkingSet:
    """One recording that spans join and leave, a whole trace at a time."""

    limits: Limits = field(default_factory=Limits)
    recording: Recording = field(default_factory=empty_recording)
    left: Left = field(default_factory=Left)
    gone: Remembered = field(default_factory=Remembered)  # traces that have left
    counted: Remembered = field(default_factory=Remembered)  # instances that were counted

    def add(self, parts: Sequence[Part]) -> None:
        """Spans that have come, in any order."""
        self.recording = assemble([as_part(self.recording), *parts], self.recording.intake)

    def returning(self, parts: Sequence[Part]) -> set[tuple[int, int]]:
        """Traces that have left, and that new spans belong to or point at."""
        found: set[tuple[int, int]] = set()
        for part in parts if len(self.gone) else ():
            for frame in (part.spans, part.links):
                ids = frame.select("trace_hi", "trace_lo").unique()
                found |= set(ids.filter(self.gone.has(trace_hashes(ids))).iter_rows())
        return found

    def back(self, traces: set[tuple[int, int]]) -> None:
        """These traces are held again."""
        schema = {"trace_hi": pl.UInt64, "trace_lo": pl.UInt64}
        ids = pl.DataFrame(sorted(traces), schema=schema, orient="row")
        self.gone.discard(trace_hashes(ids))

    def retire(self, analysis: Analysis, now_ns: int, settle_ns: int = 2 * SECOND) -> None:
        """Let finished instances go, except those of the latest that make up the history.

        `settle_ns`: the delay with which spans come; none leaves before it, however many there
        are.
        """
        rows = _traces(analysis)
        quiet = rows.filter(_is_over(now_ns, self.limits)).sort("end_ns", descending=True)
        old = quiet.with_columns(before=pl.col("spans").cum_sum() - pl.col("spans"))
        history = pl.col("before") < self.limits.history
        self._count(old.filter(history))
        crowd = _crowd(rows, now_ns, self.limits, settle_ns)
        self._count(crowd)
        leaving = pl.concat([old.filter(~history)["instance"], crowd["instance"]]).unique()
        over = int(rows["spans"].sum()) - self.limits.spans
        if over > 0:
            leaving = pl.concat([leaving, self._overflowing(rows, leaving, over)])
        self._drop(analysis, rows, leaving, now_ns)

    def gone_from(self, analysis: Analysis) -> dict[tuple[str, str], int]:
        """Of `left.finished` those that are not among the analysis' instances."""
        rows = _traces(analysis).filter(pl.col("state").is_in([str(one) for one in OVER]))
        held = rows.filter(self.counted.has(_hashes(rows))).group_by("workflow", "state").len()
        there = {(workflow or "", state): count for workflow, state, count in held.iter_rows()}
        found = {key: count - there.get(key, 0) for key, count in self.left.finished.items()}
        return {key: count for key, count in found.items() if count > 0}

    def _overflowing(self, rows: pl.DataFrame, leaving: pl.Series, over: int) -> pl.Series:
        """The instances that have been still for longest, as many as must go."""
        others = rows.filter(~pl.col("instance").is_in(leaving.implode())).sort("end_ns")
        going = others.filter(pl.col("spans").cum_sum() - pl.col("spans") < over)
        self.left.overflow += len(going.filter(~pl.col("state").is_in(list(map(str, OVER)))))
        return going["instance"]

    def _count(self, rows: pl.DataFrame) -> None:
        """Each once, also where it leaves, comes back for a late span and leaves again."""
        hashes = _hashes(rows)
        fresh = rows.filter(~self.counted.has(hashes))
        self.counted.add(hashes)
        sums = fresh.group_by("workflow", "state").len().sort("workflow", "state")
        for workflow, state, count in sums.iter_rows():
            key = (workflow or "", state)
            self.left.finished[key] = self.left.finished.get(key, 0) + count

    def _drop(
        self, analysis: Analysis, rows: pl.DataFrame, leaving: pl.Series, now_ns: int
    ) -> None:
        """A trace leaves when all instances that it serves do."""
        going = rows.filter(pl.col("instance").is_in(leaving.implode()))
        self._count(going.filter(pl.col("state").is_in(list(map(str, OVER)))))
        staying = rows.filter(~pl.col("instance").is_in(leaving.implode()))
        spans = self.recording.spans
        claimed = pl.concat(
            [
                _claims(staying).with_columns(stays=pl.lit(True)),
                _claims(going).with_columns(stays=pl.lit(False)),
            ]
        )
        claimed = claimed.group_by("trace_hi", "trace_lo").agg(pl.col("stays").any())
        trace = spans.select("trace_hi", "trace_lo", "end_ns")
        found = trace.join(
            claimed, on=["trace_hi", "trace_lo"], how="left", maintain_order="left"
        ).with_columns(latest=pl.col("end_ns").max().over("trace_hi", "trace_lo"))
        # traces that no instance claims may still become one's
        fresh = found["latest"] > now_ns - self.limits.grace_ns
        keep = found["stays"].fill_null(fresh)
        mask = keep.to_numpy()
        if mask.all():
            return
        gone = trace.filter(~keep).select("trace_hi", "trace_lo").unique()
        self.gone.add(trace_hashes(gone))
        self.recording = kept(self.recording, np.asarray(mask))


def _claims(rows: pl.DataFrame) -> pl.DataFrame:
    """The traces of these instances, each once."""
    return rows.select(pl.col("trace_ids").explode()).unique().select(*_ids("trace_ids"))


def _ids(column: str) -> tuple[pl.Expr, pl.Expr]:
    """Hex trace ids, of 64 or 128 bits, as two numbers."""
    hexes = pl.col(column).str.zfill(32)
    return (
        hexes.str.slice(0, 16).str.to_integer(base=16, dtype=pl.UInt64).alias("trace_hi"),
        hexes.str.slice(16, 16).str.to_integer(base=16, dtype=pl.UInt64).alias("trace_lo"),
    )


def _hashes(rows: pl.DataFrame) -> Hashes:
    """By which an instance is known to have been counted."""
    names = (f"{workflow}\x1f{name}" for workflow, name in rows.select("workflow", "id").rows())
    return text_hashes(names)


def _traces(analysis: Analysis) -> pl.DataFrame:
    """One row an instance: what decides whether it stays."""
    return analysis.instances.select(
        "id", "workflow", "state", "end_ns", "spans", "trace_ids"
    ).with_row_index("instance")


def _crowd(rows: pl.DataFrame, now_ns: int, limits: Limits, settle_ns: int) -> pl.DataFrame:
    """The oldest complete instances beyond `finished` spans, for looks must not grow longer."""
    done = rows.filter(pl.col("state").is_in([str(one) for one in DONE]))
    if int(done["spans"].sum()) <= limits.finished:
        return done.clear()
    done = done.sort("end_ns", "id", descending=True)
    beyond = pl.col("spans").cum_sum() > limits.finished
    return done.filter(beyond & (pl.col("end_ns") < now_ns - settle_ns))


def _is_over(now_ns: int, limits: Limits) -> pl.Expr:
    state, end = pl.col("state"), pl.col("end_ns")
    done = state.is_in([str(one) for one in DONE]) & (end < now_ns - limits.grace_ns)
    closed = state.is_in([str(one) for one in OVER]) & (end < now_ns - limits.closed_ns)
    return done | closed
