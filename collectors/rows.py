"""Turns Arrow tables in choreoscope's columns into frames; rejects rows that are no spans."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from collectors import schema
from collectors.canonical import NO_NAME, NO_SERVICE, Part, names
from collectors.ledger import MAX_PROBLEMS, Ledger, Where
from collectors.schema import Kind, Quality, Status
from collectors.table_shape import NESTED, check_columns, listed

KNOWN = (*schema.SPANS, *NESTED)
MAX_NS = 2**63 - 1
# Reason -> the columns that have to hold a number; every other integer may be null.
NEEDED = {
    "bad-trace-id": ("trace_hi", "trace_lo"),
    "bad-span-id": ("span_id",),
    "bad-parent-id": (),
    "bad-time": ("start_ns", "end_ns"),
    "bad-integer": (),
}
REASONS = {name: reason for reason, columns in NEEDED.items() for name in columns}
REASONS["parent_id"] = "bad-parent-id"

Bools = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class _Fault:
    """Rows that are wrong for one reason, and what to say of each."""

    reason: str
    rows: Bools
    said: str


class Rows:
    """The rows of one file, a table after the other."""

    def __init__(self, ledger: Ledger, where: Where, shape: pa.Schema) -> None:
        """Checks the columns. Raises table_shape.Malformed."""
        check_columns(shape)
        self.columns = [name for name in shape.names if name in KNOWN]
        self._ledger = ledger
        self._where = where
        self._done = 0  # rows of the tables before
        extra = [name for name in shape.names if name not in KNOWN]
        if extra:
            ledger.warn(f"{where.source}: ignored the columns {listed(extra)}")

    def part(self, table: pa.Table) -> Part:
        """The frames of a table as `columnar.write_parquet` makes it, without the bad rows."""
        written = _plain(table.select([name for name in schema.SPANS if name in self.columns]))
        spans, faults = _converted(written)
        beyond = _beyond(written)
        keep = self._rejected(faults, len(written))
        self._done += len(written)
        links, of_links = _unnested(table, "links")
        part = Part(
            spans=_repaired(spans, beyond),
            links=_owned(links, of_links, schema.LINKS),
            events=_owned(*_unnested(table, "events"), schema.EVENTS),
            attributes=_owned(*_unnested(table, "attributes"), schema.ATTRIBUTES),
            link_attributes=_of_links(links),
        )
        return _kept(part, keep, self._usable(part.links))

    def _rejected(self, faults: list[_Fault], rows: int) -> Bools:
        """Which rows stay; each of the others is counted once."""
        keep = np.ones(rows, np.bool_)
        for fault in faults:
            bad = np.flatnonzero(fault.rows & keep)
            keep[bad] = False
            if len(bad):
                self._ledger.rejected[fault.reason] += len(bad)
            for row in bad[:MAX_PROBLEMS].tolist():
                detail = f"row {self._done + row + 1}: {fault.said}"
                self._ledger.note(self._where, fault.reason, detail)
        return keep

    def _usable(self, links: pl.DataFrame) -> Bools:
        """The links that point to a span."""
        traced = pl.col("trace_hi").is_not_null() & pl.col("trace_lo").is_not_null()
        some = (pl.col("trace_hi") != 0) | (pl.col("trace_lo") != 0)
        good = links.select(traced & some & (pl.col("span_id").fill_null(0) != 0)).to_series()
        found: Bools = good.to_numpy()
        if not found.all():
            self._ledger.warn("links with unusable ids were left out")
        return found


def _plain(table: pa.Table) -> pl.DataFrame:
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame


def _converted(written: pl.DataFrame) -> tuple[pl.DataFrame, list[_Fault]]:
    """The columns in their declared types, and the rows that do not fit."""
    columns = {name: _cast(written[name]) for name in written.columns}
    faults = [f for name in columns for f in _faults(name, written[name], columns[name])]
    faults.append(_no_trace(columns))
    faults.append(_fault("bad-span-id", columns["span_id"] == 0, "span_id is 0"))
    faults.sort(key=lambda fault: list(NEEDED).index(fault.reason))
    return pl.DataFrame(columns), faults


TIMES = ("start_ns", "end_ns")


def _cast(column: pl.Series) -> pl.Series:
    """In the declared type; null where it does not fit, but times are clamped."""
    if column.name in TIMES and column.dtype == pl.UInt64():
        column = column.clip(0, MAX_NS)
    return column.cast(schema.SPANS[column.name], strict=False)


def _beyond(written: pl.DataFrame) -> pl.Series:
    """The rows with a time beyond int64."""
    hits = [
        (pl.col(n) > MAX_NS).fill_null(False) for n in TIMES if written.schema.get(n) == pl.UInt64()
    ]
    return written.select(pl.any_horizontal(pl.lit(False), *hits).alias("beyond")).to_series()


def _faults(name: str, before: pl.Series, after: pl.Series) -> list[_Fault]:
    reason = REASONS.get(name, "bad-integer")
    found = []
    if name in REASONS and name != "parent_id":
        found.append(_fault(reason, before.is_null(), f"{name} is null"))
    if not after.dtype.is_integer():
        return found
    if reason == "bad-time":
        found.append(_fault(reason, before < 0, f"{name} lies before 1970"))
    else:
        beyond = before.is_not_null() & after.is_null()
        found.append(_fault(reason, beyond, f"{name} does not fit {after.dtype}"))
    return found


def _no_trace(columns: dict[str, pl.Series]) -> _Fault:
    zero = (columns["trace_hi"] == 0) & (columns["trace_lo"] == 0)
    return _fault("bad-trace-id", zero, "trace_hi and trace_lo are 0")


def _fault(reason: str, rows: pl.Series, said: str) -> _Fault:
    return _Fault(reason, rows.fill_null(False).to_numpy(), said)


def _repaired(frame: pl.DataFrame, beyond: pl.Series) -> pl.DataFrame:
    """Spans in the declared shape; what is odd is flagged as the other decoders do."""
    spans = schema.complete(frame, schema.SPANS)
    start, end = pl.col("start_ns"), pl.col("end_ns")
    own = pl.col("parent_id") == pl.col("span_id")
    missing = pl.lit("end_ns" not in frame.columns)
    unnamed = pl.col("name").is_null() | (pl.col("name").cast(pl.String()) == "")
    flags = (
        ((start == 0) & (end == 0), Quality.ZERO_TIME),
        (end < start, Quality.NEGATIVE_DURATION),
        (own, Quality.SELF_PARENT),
        (unnamed, Quality.EMPTY_NAME),
        (missing, Quality.NO_END),
        (pl.lit(beyond), Quality.CLAMPED_TIME),
    )
    bits = [
        pl.when(hit.fill_null(False)).then(pl.lit(int(flag), pl.UInt16())).otherwise(0)
        for hit, flag in flags
    ]
    quality = reduce(lambda one, other: one | other, bits, pl.col("quality").fill_null(0))
    return spans.with_columns(
        quality.cast(pl.UInt16()).alias("quality"),
        pl.max_horizontal(start, end).alias("end_ns"),
        pl.when(own).then(0).otherwise(pl.col("parent_id")).fill_null(0).alias("parent_id"),
        _small("kind", max(Kind)),
        _small("status", max(Status)),
        pl.col("dropped_links").fill_null(0),
        pl.col("service").fill_null(NO_SERVICE),
        names(spans["name"].cast(pl.String())).alias("name"),
    )


def _small(name: str, largest: int) -> pl.Expr:
    number = pl.col(name).fill_null(0)
    return pl.when(number > largest).then(0).otherwise(number).alias(name)


def _one(column: pa.ChunkedArray) -> pa.Array | None:
    found = column.combine_chunks()
    if not isinstance(found, pa.ChunkedArray):
        return found
    return found.chunk(0) if found.num_chunks else None


Unnested = tuple[pa.StructArray | None, Numbers]


def _unnested(rows: pa.Table | pa.StructArray, name: str) -> Unnested:
    """The structs in a list column, and the row each belongs to."""
    none = None, np.empty(0, np.uint32)
    if isinstance(rows, pa.Table):
        column = _one(rows[name]) if name in rows.column_names else None
    else:
        column = rows.field(name) if rows.type.get_field_index(name) >= 0 else None
    if column is None or not len(column) or pa.types.is_null(column.type):
        return none
    counts = column.value_lengths().fill_null(0).to_numpy()
    owner = np.repeat(np.arange(len(column), dtype=np.uint32), counts)
    return column.flatten(), owner


def _owned(
    structs: pa.StructArray | None, owner: Numbers, shape: dict[str, pl.DataType]
) -> pl.DataFrame:
    """Its rows in that shape; what is null is empty text, 0 or false where it may not be null."""
    if structs is None:
        return schema.empty(shape)
    fields = dict(zip((field.name for field in structs.type), structs.flatten(), strict=True))
    table = pa.table({name: fields[name] for name in shape if name in fields})
    frame = _plain(table).with_columns(pl.Series(next(iter(shape)), owner))
    integers = [name for name in frame.columns if shape[name].is_integer()]
    frame = frame.with_columns(pl.col(name).cast(shape[name], strict=False) for name in integers)
    return schema.complete(frame, shape).with_columns(*_defaults(shape))


def _defaults(shape: dict[str, pl.DataType]) -> list[pl.Expr]:
    texts = [name for name in ("key", "value", "attributes") if name in shape]
    found = [pl.col(texts).fill_null("")] if texts else []
    if "time_ns" in shape:
        found += [pl.col("time_ns").fill_null(0), pl.col("name").fill_null(NO_NAME)]
    return [*found, pl.col("is_message").fill_null(False)] if "is_message" in shape else found


def _of_links(links: pa.StructArray | None) -> pl.DataFrame:
    if links is None:
        return schema.empty(schema.LINK_ATTRIBUTES)
    return _owned(*_unnested(links, "attributes"), schema.LINK_ATTRIBUTES)


def _kept(part: Part, keep: Bools, links: Bools) -> Part:
    """Without the spans and links that do not stay, nor what hangs on them."""
    if keep.all() and links.all():
        return part
    links &= keep[part.links["span"].to_numpy()]
    return replace(
        part,
        spans=part.spans.filter(pl.Series(keep)),
        links=_owners(part.links, "span", keep).filter(pl.Series(links)),
        events=_having(part.events, "span", keep),
        attributes=_having(part.attributes, "span", keep),
        link_attributes=_having(part.link_attributes, "link", links),
    )


def _having(frame: pl.DataFrame, column: str, keep: Bools) -> pl.DataFrame:
    stay = pl.Series(keep[frame[column].to_numpy()], dtype=pl.Boolean())
    return _owners(frame, column, keep).filter(stay)


def _owners(frame: pl.DataFrame, column: str, keep: Bools) -> pl.DataFrame:
    """The owners counted among those that stay."""
    place = np.maximum(np.cumsum(keep) - 1, 0).astype(np.uint32)
    return frame.with_columns(pl.Series(column, place[frame[column].to_numpy()], pl.UInt32()))
