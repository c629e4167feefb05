"""Writes and opens recordings as Parquet and Arrow IPC: one row a span, what hangs on it nested."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from collectors.canonical import Part
from collectors.ledger import Ledger, Where
from collectors.recording import Recording
from collectors.rows import Rows
from collectors.streams import Stream
from collectors.table_shape import Malformed as Malformed
from collectors.table_shape import OtherTable as OtherTable

ROWS = 50_000  # spans a row group: one part when read
VERSION = {b"choreoscope.schema": b"1"}
MAX_BYTES = 2 << 30  # of a file that has to be held in memory


def write_parquet(
    recording: Recording, path: str | Path, about: Mapping[bytes, bytes] | None = None
) -> None:
    """Write one Parquet file (zstd, page checksums); `read` gives back the same frames.

    `about`: metadata of the file, beside the schema's version.
    """
    import pyarrow.parquet as pq

    pq.write_table(
        _table(recording).replace_schema_metadata({**VERSION, **(about or {})}),
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


def columns(source: Path, names: Iterable[str]) -> Iterator[tuple[int, pa.Table]]:
    """Some columns of each row group, with its number. Raises Malformed."""
    import pyarrow.parquet as pq

    try:
        opened = pq.ParquetFile(os.fspath(source), page_checksum_verification=True)
        for number in range(opened.num_row_groups):
            yield number, opened.read_row_group(number, columns=list(names))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _malformed(error) from error


def read_parquet(
    source: Path | pa.Buffer,
    ledger: Ledger | None = None,
    where: Where | None = None,
    groups: Iterable[int] | None = None,
) -> Iterator[Part]:
    """The parts of a Parquet file, a row group each, or of these only. Raises Malformed.

    Rows that are no span are rejected in `ledger`, by their number.
    """
    import pyarrow.parquet as pq

    ledger, where = ledger or Ledger(), where or Where(str(source))
    try:
        opened = pq.ParquetFile(_readable(source), page_checksum_verification=True)
        rows = Rows(ledger, where, opened.schema_arrow)
        for number in range(opened.num_row_groups) if groups is None else groups:
            yield rows.part(opened.read_row_group(number, columns=rows.columns))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _malformed(error) from error


def _readable(source: Path | pa.Buffer) -> Any:
    return os.fspath(source) if isinstance(source, Path) else pa.BufferReader(source)


def _malformed(error: Exception) -> Malformed:
    return error if isinstance(error, Malformed) else Malformed(str(error))


def read_ipc(
    source: Path | pa.Buffer,
    ledger: Ledger | None = None,
    where: Where | None = None,
    *,
    stream: bool,
) -> Iterator[Part]:
    """The parts of an Arrow IPC file or stream, a record batch each. Raises Malformed.

    Rows that are no span are rejected in `ledger`, by their number.
    """
    ledger, where = ledger or Ledger(), where or Where(str(source))
    rows: Rows | None = None
    try:
        # Not mapped: columns would point into a file that somebody may change or cut meanwhile.
        data = pa.OSFile(os.fspath(source)) if isinstance(source, Path) else source
        for batch in _ipc_batches(data, stream):
            batch.validate(full=True)
            rows = rows or Rows(ledger, where, batch.schema)
            yield rows.part(pa.Table.from_batches([batch]))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _malformed(error) from error


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
