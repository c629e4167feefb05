"""Writes what a store holds for other programs: Parquet files, or a Delta table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from collectors import columnar, extras
from collectors.assemble import assemble
from collectors.ledger import Ledger
from collectors.recording import Intake, Recording
from collectors.source import SourceError
from collectors.store.snapshot import read_parts

AT_ONCE = 500_000  # spans in one file
FORMATS = ("parquet", "delta")


class ExportError(SourceError):
    """Nothing can be written there; the message says why."""


def export(folder: Path, target: Path, format_: str) -> Intake:
    """Write every stored span, each once, to a new folder; what was read. Raises SourceError."""
    if target.exists() and any(target.iterdir() if target.is_dir() else [target]):
        raise ExportError(f"{target} is there already; name a new or an empty folder")
    ledger = Ledger()
    parts = read_parts(folder, ledger)
    whole = assemble(parts, ledger.intake((f"store:{folder}",)))
    if format_ == "delta":
        _delta(whole, target)
    else:
        target.mkdir(parents=True, exist_ok=True)
        for number, piece in enumerate(_pieces(whole)):
            columnar.write_parquet(piece, target / f"spans-{number:05d}.parquet")
    return whole.intake


def _pieces(whole: Recording) -> Iterator[Recording]:
    """The recording in files of `AT_ONCE` spans; one empty file where there are none."""
    for first in range(0, max(len(whole.spans), 1), AT_ONCE):
        yield piece(whole, first, min(first + AT_ONCE, len(whole.spans)))


def piece(whole: Recording, first: int, end: int) -> Recording:
    """Some spans that stand together, and what hangs on them."""

    def owned(frame: pl.DataFrame, owner: str, begin: int, until: int) -> pl.DataFrame:
        owners = frame[owner].to_numpy()  # ascends
        rows = slice(owners.searchsorted(begin), owners.searchsorted(until))
        return frame[rows].with_columns(pl.col(owner) - pl.lit(begin, pl.UInt32()))

    owners = whole.links["span"].to_numpy()
    links = (int(owners.searchsorted(first)), int(owners.searchsorted(end)))
    return Recording(
        whole.spans[first:end],
        owned(whole.links, "span", first, end),
        owned(whole.events, "span", first, end),
        owned(whole.attributes, "span", first, end),
        owned(whole.link_attributes, "link", *links),
    )


def _delta(whole: Recording, target: Path) -> None:
    try:
        import deltalake
    except ImportError:
        raise ExportError(f"Delta needs the extra delta: {extras.how('delta')}") from None
    for number, part in enumerate(_pieces(whole)):
        table = plain(part).to_arrow()
        deltalake.write_deltalake(target, table, mode="append" if number else "error")


def plain(whole: Recording) -> pl.DataFrame:
    """One row a span in types that every reader of Delta has: ids as hex, times in UTC.

    `attributes` is a list of (key, value), `links` of (trace_id, span_id), `events` of
    (time, name, attributes).
    """
    spans = whole.spans.with_row_index("span")
    links = whole.links.select("span", *_hex("trace_hi", "trace_lo", "span_id"))
    events = whole.events.select("span", _utc("time_ns", "time"), "name", "attributes")
    found = spans.select(
        "span",
        *_hex("trace_hi", "trace_lo", "span_id"),
        _hexed("parent_id").replace("0" * 16, None).alias("parent_span_id"),
        _utc("start_ns", "start_time"),
        _utc("end_ns", "end_time"),
        (pl.col("end_ns") - pl.col("start_ns")).alias("duration_ns"),
        pl.all().exclude("span", "trace_hi", "trace_lo", "span_id", "parent_id"),
    )
    for name, frame in (("links", links), ("events", events), ("attributes", whole.attributes)):
        found = found.join(_listed(frame, name), on="span", how="left", maintain_order="left")
    return _portable(found.drop("span"))


def _hex(high: str, low: str, span: str) -> tuple[pl.Expr, pl.Expr]:
    return (_hexed(high) + _hexed(low)).alias("trace_id"), _hexed(span).alias("span_id")


def _hexed(column: str) -> pl.Expr:
    return pl.col(column).map_batches(_digits, pl.String)


def _digits(numbers: pl.Series) -> pl.Series:
    """16 digits a number: polars formats no numbers beyond int64."""
    raw = numbers.to_numpy().astype(">u8").tobytes().hex()
    return pl.Series([raw[at : at + 16] for at in range(0, len(raw), 16)], dtype=pl.String)


def _utc(column: str, name: str) -> pl.Expr:
    """Microseconds: what Delta knows."""
    return pl.from_epoch(pl.col(column) // 1000, "us").dt.replace_time_zone("UTC").alias(name)


def _listed(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    columns = [column for column in _portable(frame).columns if column != "span"]
    rows = _portable(frame.drop("span")).with_columns(frame["span"])
    return rows.group_by("span", maintain_order=True).agg(pl.struct(columns).alias(name))


def _portable(frame: pl.DataFrame) -> pl.DataFrame:
    """Without dictionaries and unsigned numbers, which Delta does not know."""
    casts: dict[pl.DataType, pl.DataType] = {
        pl.UInt8(): pl.Int16(),
        pl.UInt16(): pl.Int32(),
        pl.UInt32(): pl.Int64(),
    }
    return frame.with_columns(
        pl.col(name).cast(pl.String() if isinstance(dtype, pl.Categorical) else casts[dtype])
        for name, dtype in frame.schema.items()
        if isinstance(dtype, pl.Categorical) or dtype in casts
    )
