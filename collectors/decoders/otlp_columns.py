"""Decodes many OTLP protobuf requests at once into raw columns, without an object per span."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from collectors.decoders.otlp_messages import Texts
from collectors.decoders.otlp_schema import columns, message
from collectors.decoders.strings import Buffer, Ints, NotUtf8, as_series
from collectors.decoders.wire import walk
from collectors.raw import RAW_EVENTS, RAW_LINKS, Attribute, RawAttributes, RawBatch
from collectors.schema import Quality

Ids = npt.NDArray[np.uint64]
MAX_NS = np.uint64(2**63 - 1)


class Irregular(ValueError):
    """Something in these requests needs the careful decoder."""


def decode(payloads: Sequence[bytes]) -> RawBatch:
    """The spans of all requests. Raises Irregular where any of them is not as encoders write."""
    try:
        batch = columns().list_to_record_batch(list(payloads))
    except BaseException as error:  # ptars raises pyo3 panics, which are no Exception
        if isinstance(error, (KeyboardInterrupt, SystemExit, MemoryError)):
            raise
        raise Irregular(str(error)) from error
    try:
        return _batch(batch.column(0))
    except (NotUtf8, pa.ArrowInvalid) as error:
        raise Irregular(str(error)) from error


def _batch(requests: pa.ListArray) -> RawBatch:
    groups = requests.flatten()
    scopes, group_of_scope = _flat(groups.field("scope_spans"))
    spans, scope_of_span = _flat(scopes.field("spans"))
    resource, attributes = _resources(groups.field("resource"))
    scope = _scopes(scopes.field("scope"))
    status = spans.field("status")
    start, end, quality = _times(spans)
    trace = _ids(spans.field("trace_id"), 2)
    own = _ids(spans.field("span_id"), 1)
    if not (trace.any(axis=1).all() and own.all()):
        raise Irregular("all-zero ids")
    links, link_attributes = _links(spans.field("links"))
    events, event_attributes = _events(spans.field("events"))
    frame = pl.DataFrame(
        {
            "trace_hi": trace[:, 0],
            "trace_lo": trace[:, 1],
            "span_id": own[:, 0],
            "parent_id": _parents(spans.field("parent_span_id")),
            "start_ns": start,
            "end_ns": end,
            "name": as_series(spans.field("name")),
            "kind": _enum(spans.field("kind")),
            "status": _enum(status.field("code")).fill_null(0),
            "status_message": as_series(status.field("message")),
            "trace_flags": as_series(spans.field("flags")),
            "tracestate": as_series(spans.field("trace_state")),
            "dropped_links": as_series(spans.field("dropped_links_count")),
            "quality": quality,
            "resource": resource[group_of_scope[scope_of_span]],
            "scope": scope.gather(pl.Series(scope_of_span.astype(np.uint32))),
        }
    )
    return RawBatch(
        spans=frame,
        attributes=_attributes(spans.field("attributes")),
        resources=len(attributes),
        resource_attributes=RawAttributes.of(
            (row, pair) for row, pairs in enumerate(attributes) for pair in pairs
        ),
        links=links,
        link_attributes=link_attributes,
        events=events,
        event_attributes=event_attributes,
    )


def _flat(lists: pa.ListArray) -> tuple[pa.Array, Ints]:
    """The elements of all lists, and for each the number of its list."""
    offsets = _ranges(lists).offsets
    owner = np.repeat(np.arange(len(lists)), np.diff(offsets))
    return lists.flatten(), owner


def _enum(numbers: pa.Array) -> pl.Series:
    """Beyond what the column holds is unknown: 0."""
    series = as_series(numbers)
    if len(series) and not (series.min() >= 0 and series.max() < 256):  # type: ignore[operator]
        series = series.set(~series.is_between(0, 255), 0)
    return series.cast(pl.UInt8())


@dataclass(frozen=True, slots=True)
class _Ranges:
    """Where the elements of a binary or list array stand."""

    data: pa.Buffer | None
    offsets: Ints


def _ranges(array: pa.Array) -> _Ranges:
    _, offsets, *rest = array.buffers()
    first = array.offset
    where = np.frombuffer(offsets, np.int32)[first : first + len(array) + 1] if offsets else [0]
    data = rest[0] if rest and not pa.types.is_list(array.type) else None
    return _Ranges(data, np.asarray(where, np.int64))


def _ids(array: pa.Array, words: int) -> Ids:
    """Fixed-size ids as big-endian words. Raises Irregular for any other size."""
    ranges = _ranges(array)
    size = 8 * words
    if not len(array):
        return np.empty((0, words), np.uint64)
    if not (np.diff(ranges.offsets) == size).all() or ranges.data is None:
        raise Irregular(f"ids that are not {size} bytes")
    begin, end = int(ranges.offsets[0]), int(ranges.offsets[-1])
    raw = np.frombuffer(ranges.data, np.uint8)[begin:end]
    return raw.view(">u8").astype(np.uint64).reshape(-1, words)


def _parents(array: pa.Array) -> Ids:
    """Absent parents are 0."""
    ranges = _ranges(array)
    size = np.diff(ranges.offsets)
    if not ((size == 8) | (size == 0)).all():
        raise Irregular("parent ids that are not 8 bytes")
    result = np.zeros(len(array), np.uint64)
    if ranges.data is not None and len(array):
        begin, end = int(ranges.offsets[0]), int(ranges.offsets[-1])
        raw = np.frombuffer(ranges.data, np.uint8)[begin:end]
        result[size == 8] = raw.view(">u8")
    return result


def _times(spans: pa.StructArray) -> tuple[Ints, Ints, npt.NDArray[np.uint16]]:
    """Start, end, and the quality bit of those beyond int64."""
    start = as_series(spans.field("start_time_unix_nano")).to_numpy()
    end = as_series(spans.field("end_time_unix_nano")).to_numpy()
    beyond = (start > MAX_NS) | (end > MAX_NS)
    quality = beyond * np.uint16(Quality.CLAMPED_TIME)
    if beyond.any():
        start, end = np.minimum(start, MAX_NS), np.minimum(end, MAX_NS)
    return start.view(np.int64), end.view(np.int64), quality.astype(np.uint16)


def _attributes(lists: pa.ListArray) -> RawAttributes:
    """Most attributes come again and again: each distinct one is read once."""
    values, owner = _flat(lists)
    if not len(values):
        return RawAttributes.none()
    encoded = values.dictionary_encode()
    pair = as_series(encoded.indices).to_numpy().astype(np.uint32)
    return RawAttributes(owner.astype(np.uint32), pair, _pairs(encoded.dictionary))


def _pairs(values: pa.Array) -> pl.DataFrame:
    ranges = _ranges(values)
    buffer = Buffer([ranges.data])
    found = walk(buffer, ranges.offsets[:-1], ranges.offsets[1:])
    if len(found.irregular):
        pairs = [_parsed(values[row].as_py()) for row in found.irregular.tolist()]
        found.key.patch(found.irregular, pl.Series([pair[0] for pair in pairs]))
        found.value.patch(found.irregular, pl.Series([pair[1] for pair in pairs]))
        found.quoted[found.irregular] = [pair[2] for pair in pairs]
    columns = {"key": found.key.series(), "value": found.value.series(), "quoted": found.quoted}
    return pl.DataFrame(columns)


def _parsed(payload: bytes) -> Attribute:
    from google.protobuf.message import DecodeError

    texts = Texts()
    try:
        pair = message("common.v1.KeyValue").FromString(payload)
    except DecodeError as error:
        raise Irregular(str(error)) from error
    (found,) = texts.attributes([pair])
    if texts.replaced:
        raise Irregular("invalid UTF-8")
    return found


def _links(lists: pa.ListArray) -> tuple[pl.DataFrame, RawAttributes]:
    links, owner = _flat(lists)
    if not len(links):
        return pl.DataFrame(schema=RAW_LINKS), RawAttributes.none()
    trace, span = _ids(links.field("trace_id"), 2), _ids(links.field("span_id"), 1)
    if not (trace.any(axis=1).all() and span.all()):
        raise Irregular("all-zero ids in links")
    frame = pl.DataFrame(
        {
            "span": owner.astype(np.uint32),
            "trace_hi": trace[:, 0],
            "trace_lo": trace[:, 1],
            "span_id": span[:, 0],
            "trace_flags": as_series(links.field("flags")),
        }
    )
    return frame, _attributes(links.field("attributes"))


def _events(lists: pa.ListArray) -> tuple[pl.DataFrame, RawAttributes]:
    events, owner = _flat(lists)
    if not len(events):
        return pl.DataFrame(schema=RAW_EVENTS), RawAttributes.none()
    time = as_series(events.field("time_unix_nano")).to_numpy()
    frame = pl.DataFrame(
        {
            "span": owner.astype(np.uint32),
            "time_ns": np.minimum(time, MAX_NS).view(np.int64),
            "name": as_series(events.field("name")),
        }
    )
    return frame, _attributes(events.field("attributes"))


def _resources(payloads: pa.Array) -> tuple[npt.NDArray[np.uint32], list[list[Attribute]]]:
    """The row of each group's resource, and the attributes of each distinct one."""
    rows: dict[bytes, int] = {}
    index = [rows.setdefault(raw, len(rows)) for raw in payloads.to_pylist()]
    texts, parser = Texts(), message("resource.v1.Resource")
    found = [texts.attributes(_parse(parser, raw).attributes) for raw in rows]
    if texts.replaced:
        raise Irregular("invalid UTF-8 in a resource")
    return np.array(index, np.uint32), found


def _scopes(payloads: pa.Array) -> pl.Series:
    """The name of each group's instrumentation scope."""
    texts, parser = Texts(), message("common.v1.InstrumentationScope")
    raws = payloads.to_pylist()
    names = {raw: texts.text(_parse(parser, raw).name) or None for raw in dict.fromkeys(raws)}
    if texts.replaced:
        raise Irregular("invalid UTF-8 in a scope")
    return pl.Series([names[raw] for raw in raws], dtype=pl.String())


def _parse(parser: Any, raw: bytes | None) -> Any:
    from google.protobuf.message import DecodeError

    try:
        return parser.FromString(raw or b"")
    except DecodeError as error:
        raise Irregular(str(error)) from error
