"""Fetches single traces out of a store, for what comes back late."""

from __future__ import annotations

from collections.abc import Set
from pathlib import Path

import polars as pl

from collectors.assemble import as_part, assemble, kept
from collectors.canonical import Part
from collectors.ledger import Ledger
from collectors.store.snapshot import read_parts

Traces = Set[tuple[int, int]]


def traces(folder: Path, wanted: Traces) -> list[Part]:
    """Everything stored of these traces, as one part; reads the whole store."""
    ids = pl.DataFrame(
        sorted(wanted), schema={"trace_hi": pl.UInt64, "trace_lo": pl.UInt64}, orient="row"
    ).with_columns(wanted=pl.lit(True))
    found = []
    for part in read_parts(folder, Ledger()):
        mask = part.spans.select("trace_hi", "trace_lo").join(
            ids, on=["trace_hi", "trace_lo"], how="left", maintain_order="left"
        )["wanted"]
        if mask.any():
            whole = assemble([part], Ledger().intake(()))
            found.append(as_part(kept(whole, mask.fill_null(False).to_numpy())))
    return found
