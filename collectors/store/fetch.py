"""Fetches single traces out of a store, for what comes back late."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from collectors import columnar
from collectors.assemble import as_part, assemble, kept
from collectors.canonical import Part
from collectors.ledger import Ledger
from collectors.store.snapshot import Snapshot, is_lost, log_parts, retried

Traces = Set[tuple[int, int]]
IDS = ("trace_hi", "trace_lo")


def traces(folder: Path, wanted: Traces) -> list[Part]:
    """Everything stored of these traces, as parts. Raises StoreError.

    Of Parquet files the ids are read, and the rest of those row groups that hold one; of the log
    everything.
    """
    ids = _ids(wanted)
    return retried(folder, lambda taken: list(_found(taken, ids)))


def of_traces(parts: Iterable[Part], wanted: Traces) -> list[Part]:
    """What these parts hold of these traces."""
    ids = _ids(wanted)
    return [found for part in parts for found in _those(part, ids)]


def _ids(wanted: Traces) -> pl.DataFrame:
    schema = {name: pl.UInt64() for name in IDS}
    return pl.DataFrame(sorted(wanted), schema=schema, orient="row").with_columns(
        wanted=pl.lit(True)
    )


def _found(taken: Snapshot, ids: pl.DataFrame) -> Iterator[Part]:
    for entry in taken.manifest.compacted:
        path = taken.layout.parquet / entry.file
        if not is_lost(taken, path):
            yield from _of_file(path, ids)
    for part in log_parts(taken, Ledger()):
        yield from _those(part, ids)


def _of_file(path: Path, ids: pl.DataFrame) -> Iterator[Part]:
    try:
        groups = [n for n, found in columnar.columns(path, IDS) if _mask(_frame(found), ids).any()]
        for part in columnar.read_parquet(path, groups=groups) if groups else ():
            yield from _those(part, ids)
    except columnar.Malformed:
        return  # `read_parts` and `store verify` tell it


def _frame(table: pa.Table) -> pl.DataFrame:
    found: Any = pl.from_arrow(table)
    return pl.DataFrame(found)


def _those(part: Part, ids: pl.DataFrame) -> Iterator[Part]:
    mask = _mask(part.spans, ids)
    if mask.any():
        yield as_part(kept(assemble([part], Ledger().intake(())), mask))


def _mask(spans: pl.DataFrame, ids: pl.DataFrame) -> np.ndarray:
    found = spans.select(IDS).join(ids, on=IDS, how="left", maintain_order="left")["wanted"]
    return np.asarray(found.fill_null(False).to_numpy())
