"""The event-time "now" of a recording."""

from __future__ import annotations

import numpy as np
import polars as pl

from analyzer.codes import Ints, ints
from analyzer.steps.table import StepTable
from collectors.schema import Quality

FUTURE_NS = 300 * 10**9  # clocks may run this much ahead of the one that reads
MIN_SKEW_NS = 10_000_000
MIN_CROSSINGS = 20
MIN_DELAY_NS = 1_000_000_000  # a steady wait below this moves "now" by nothing that matters
STEADY = 0.7  # of the usual wait that the shortest ones reach, where a clock makes them
STRAY = 0.001  # share of spans that may lie far behind all others and be clocks gone wrong
STRAY_FACTOR = 10  # how far: times the time all others take


def clocks_ahead(table: StepTable, label_service: Ints) -> dict[int, int]:
    """Service code -> nanoseconds by which its clock seems to run ahead.

    The median lead over the steps that its own caused, where most of them begin before it; and
    where it causes none, what it lies behind its causes each time: a wait that hardly varies.
    That one may be a true delay, and then "now" is a little early, which accuses nobody.
    """
    service = label_service[table.label]
    crossing = np.flatnonzero(service[table.source] != service[table.target])
    frame = pl.DataFrame(
        {
            "source": service[table.source[crossing]],
            "target": service[table.target[crossing]],
            "skew": table.skew[crossing],
            "wait": table.wait[crossing],
        }
    )
    known = pl.col("n") >= MIN_CROSSINGS
    leads = (
        frame.group_by(service="source")
        .agg(n=pl.len(), skewed=(pl.col("skew") > MIN_SKEW_NS).mean(), lead=pl.col("skew").median())
        .filter(known & (pl.col("skewed") > 0.5))
    )
    leaves = (
        frame.join(frame.select(target="source").unique(), on="target", how="anti")
        .group_by(service="target")
        .agg(n=pl.len(), lead=pl.col("wait").quantile(0.05), usual=pl.col("wait").median())
        .filter(
            known & (pl.col("lead") > MIN_DELAY_NS) & (pl.col("lead") > STEADY * pl.col("usual"))
        )
    )
    found = pl.concat(
        [part.select("service", pl.col("lead").cast(pl.Int64)) for part in (leads, leaves)]
    )
    return dict(found.sort("service").iter_rows())


def watermark(
    spans: pl.DataFrame, wall_ns: int | None = None, ahead: dict[int, int] | None = None
) -> tuple[int, int]:
    """(latest credible end of a span, number of spans that were not believed).

    `ahead`: what `clocks_ahead` says; ends are judged by the clock of the others.

    Spans without a time, ends beyond `wall_ns` + 5 min, and a few strays far in the future of
    all others do not move it. 0 for an empty recording.
    """
    usable = (ints(spans["quality"]) & int(Quality.ZERO_TIME | Quality.CLAMPED_TIME)) == 0
    ends = ints(spans["end_ns"]).copy()
    for code, lead in (ahead or {}).items():
        ends[ints(spans["service"]) == code] -= lead
    ends = np.sort(ends[usable])
    if not len(ends):
        return 0, 0
    total = len(ends)
    if wall_ns is not None and ends[0] <= wall_ns + FUTURE_NS:
        ends = ends[ends <= wall_ns + FUTURE_NS]
    credible = len(ends) - _strays(ends)
    return int(ends[credible - 1]), total - credible


def _strays(ends: np.ndarray) -> int:
    """Number of ends behind one huge gap near the very end; 0 for small recordings."""
    allowed = int(len(ends) * STRAY)
    if allowed < 1:
        return 0
    tail = ends[-allowed - 1 :]
    gaps = np.diff(tail)
    spread = max(int(tail[0] - ends[0]), 3_600 * 10**9)
    wide = np.flatnonzero(gaps > STRAY_FACTOR * spread)
    return len(gaps) - int(wide[0]) if len(wide) else 0
