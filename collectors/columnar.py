"""Writes and reads recordings as Parquet and Arrow IPC: one row a span, what hangs on it nested."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from collectors import schema
from collectors.canonical import Part
from collectors.recording import Recording
from collectors.streams import Stream

ROWS = 50_000  # spans a row group: one part when read
VERSION = {b"choreoscope.schema": b"1"}
NESTED = {
    "links": schema.LINKS,
    "events": schema.EVENTS,
    "attributes": schema.ATTRIBUTES,
}
MAX_BYTES = 2 << 30  # of a file that has to be held in memory
REQUIRED = ("trace_hi", "trace_lo", "span_id", "start_ns")


class Malformed(ValueError):
    """The file is damaged or is none of ours; the message says what was missing."""


def write_parquet(recording: Recording, path: str | Path) -> None:
    """Write one Parquet file (zstd, page checksums); `read` gives back the same frames."""
    import pyarrow.parquet as pq

    pq.write_table(
        _table(recording),
        os.fspath(path),
        row_group_size=ROWS,
        compression="zstd",
        write_page_checksum=True,
    )


def write_ipc(recording: Recording, path: str | Path) -> None:
    """Write one Arrow IPC file (Feather v2, zstd); `read` gives back the same frames."""
    table = _table(recording)
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_file(os.fspath(path), table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=ROWS)


def _table(recording: Recording) -> pa.Table:
    spans = len(recording.spans)
    links = _arrow(recording.links.drop("span"))
    of_link = _nested(recording.link_attributes, "link", len(recording.links))
    links = links.append_column("attributes", of_link)
    columns = _arrow(recording.spans)
    owners = recording.links["span"].to_numpy()
    columns = columns.append_column("links", _lists(links, owners, spans))
    for name in ("events", "attributes"):
        columns = columns.append_column(name, _nested(getattr(recording, name), "span", spans))
    return columns.unify_dictionaries().replace_schema_metadata(VERSION)


def _arrow(frame: pl.DataFrame) -> pa.Table:
    return frame.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())


def _nested(frame: pl.DataFrame, owner: str, owners: int) -> pa.Array:
    return _lists(_arrow(frame.drop(owner)), frame[owner].to_numpy(), owners)


def _lists(rows: pa.Table, owner: npt.NDArray[np.uint32], owners: int) -> pa.Array:
    """One list of structs an owner; `owner` ascends."""
    ends = np.cumsum(np.bincount(owner, minlength=owners))
    offsets = pa.array(np.concatenate(([0], ends)), pa.int64())
    columns = [column.combine_chunks() for column in rows.columns]
    columns = [c.chunk(0) if isinstance(c, pa.ChunkedArray) else c for c in columns]
    structs = pa.StructArray.from_arrays(columns, names=rows.column_names)
    return pa.LargeListArray.from_arrays(offsets, structs)


def read_parquet(source: Path | pa.Buffer) -> Iterator[Part]:
    """The parts of a Parquet file, a row group each. Raises Malformed."""
    import pyarrow.parquet as pq

    try:
        opened = pq.ParquetFile(_readable(source), page_checksum_verification=True)
        for number in range(opened.num_row_groups):
            yield part(opened.read_row_group(number))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise Malformed(str(error)) from error


def _readable(source: Path | pa.Buffer) -> Any:
    return os.fspath(source) if isinstance(source, Path) else pa.BufferReader(source)


def read_ipc(source: Path | pa.Buffer, *, stream: bool) -> Iterator[Part]:
    """The parts of an Arrow IPC file or stream, a record batch each. Raises Malformed."""
    try:
        data = pa.memory_map(os.fspath(source)) if isinstance(source, Path) else source
        for batch in _ipc_batches(data, stream):
            batch.validate(full=True)
            yield part(pa.Table.from_batches([batch]))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise Malformed(str(error)) from error


def held(stream: Stream) -> pa.Buffer:
    """The whole stream in memory: these formats are read from their end. Raises Malformed."""
    data = stream.rest(MAX_BYTES)
    if len(data) > MAX_BYTES:
        raise Malformed(f"more than {MAX_BYTES} bytes; unpack the file first")
    return pa.py_buffer(data)


def _ipc_batches(data: Any, stream: bool) -> Iterable[pa.RecordBatch]:
    if stream:
        yield from pa.ipc.open_stream(data)
        return
    opened = pa.ipc.open_file(data)
    for number in range(opened.num_record_batches):
        yield opened.get_batch(number)


def part(table: pa.Table) -> Part:
    """The frames of a table as `write_parquet` makes it. Raises Malformed."""
    missing = [name for name in REQUIRED if name not in table.column_names]
    if missing:
        there = ", ".join(table.column_names[:8])
        raise Malformed(f"no columns {', '.join(missing)}; there are {there}")
    nested = {name: _unnested(table, name) for name in NESTED}
    links, of_links = nested["links"]
    link_attributes = _pairs(links)
    return Part(
        spans=_frame(table.select([n for n in schema.SPANS if n in table.column_names])),
        links=_owned(links, of_links, schema.LINKS),
        events=_owned(*nested["events"], schema.EVENTS),
        attributes=_owned(*nested["attributes"], schema.ATTRIBUTES),
        link_attributes=link_attributes,
    )


Unnested = tuple[pa.StructArray | None, npt.NDArray[np.uint32]]


def _unnested(rows: pa.Table | pa.StructArray, name: str) -> Unnested:
    """The structs in a list column, and the row each belongs to."""
    none = None, np.empty(0, np.uint32)
    if isinstance(rows, pa.Table):
        if name not in rows.column_names:
            return none
        column = rows[name].combine_chunks()
    else:
        if rows.type.get_field_index(name) < 0:
            return none
        column = rows.field(name)
    if isinstance(column, pa.ChunkedArray):
        column = column.chunk(0) if column.num_chunks else None
    if column is None or not len(column):
        return none
    if not isinstance(column, (pa.ListArray, pa.LargeListArray)):
        raise Malformed(f"column {name} is {column.type}, not a list of structs")
    counts = column.value_lengths().fill_null(0).to_numpy()
    owner = np.repeat(np.arange(len(column), dtype=np.uint32), counts)
    found = column.flatten()
    if not isinstance(found, pa.StructArray):
        raise Malformed(f"column {name} is {column.type}, not a list of structs")
    return found, owner


def _owned(
    structs: pa.StructArray | None, owner: npt.NDArray[np.uint32], shape: dict[str, pl.DataType]
) -> pl.DataFrame:
    if structs is None:
        return schema.empty(shape)
    names = [name for name in shape if structs.type.get_field_index(name) >= 0]
    table = pa.Table.from_arrays([structs.field(name) for name in names], names)
    first = next(iter(shape))
    frame = _plain(table).with_columns(pl.Series(first, owner))
    return schema.complete(frame, shape)


def _pairs(links: pa.StructArray | None) -> pl.DataFrame:
    if links is None:
        return schema.empty(schema.LINK_ATTRIBUTES)
    return _owned(*_unnested(links, "attributes"), schema.LINK_ATTRIBUTES)


def _plain(table: pa.Table) -> pl.DataFrame:
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame


def _frame(table: pa.Table) -> pl.DataFrame:
    """Spans in the declared shape; what may not be null is 0, or the unknown."""
    frame = schema.complete(_plain(table), schema.SPANS)
    zero = ["parent_id", "kind", "status", "dropped_links", "quality"]
    return frame.with_columns(
        pl.col(zero).fill_null(0),
        pl.col("end_ns").fill_null(pl.col("start_ns")),
        pl.col("service").fill_null("unknown_service"),
        pl.col("name").fill_null("<unnamed>"),
    )
