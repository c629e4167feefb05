"""The same orders as a process miner's event log: the case id, which it needs, is given to it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.generate import CHUNK_ORDERS, Recipe, chunk
from benchmarks.workload import CONSUMER, PRODUCER, SERVER, SPAN_TYPES

BOUNDARY = [n for n, s in enumerate(SPAN_TYPES) if s.kind in {SERVER, PRODUCER, CONSUMER}]
NAMES = np.array([f"{SPAN_TYPES[n].service} {SPAN_TYPES[n].name}" for n in BOUNDARY])


def write_event_log(recipe: Recipe, path: Path) -> int:
    """Parquet with the XES names, one row a step at a service's boundary; the number of rows."""
    frames = [_events(recipe, first) for first in range(0, recipe.orders, CHUNK_ORDERS)]
    log = pl.concat(frames).sort("case:concept:name", "time:timestamp")
    log.write_parquet(path)
    return log.height


def _events(recipe: Recipe, first: int) -> pl.DataFrame:
    made = chunk(recipe, first)
    order, step = np.nonzero(made.emitted[:, BOUNDARY])
    starts = made.start[:, BOUNDARY][order, step]
    return pl.DataFrame(
        {
            "case:concept:name": pl.Series(first + order).cast(pl.String),
            "concept:name": NAMES[step],
            "time:timestamp": pl.Series(starts).cast(pl.Datetime("ns", "UTC")),
        }
    )
