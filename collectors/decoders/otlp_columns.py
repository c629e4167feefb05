"""Decodes many OTLP protobuf requests at once into raw columns, without an object per span."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from collectors.decoders.arrow_lists import flat, ranges, take
from collectors.decoders.otlp_ids import Loss, SpanIds, ids, link_losses
from collectors.decoders.otlp_messages import Texts
from collectors.decoders.otlp_schema import columns, message
from collectors.decoders.strings import Buffer, Ints, NotUtf8, as_series
from collectors.decoders.wire import walk
from collectors.raw import (
    RAW_EVENTS,
    RAW_LINKS,
    READ_ATTRIBUTES,
    Attribute,
    Numbers,
    RawAttributes,
    RawBatch,
)
from collectors.schema import Quality

MAX_NS = np.uint64(2**63 - 1)


class Irregular(ValueError):
    """Something in these requests needs the careful decoder."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """The spans of some requests, and what of them could not be used."""

    batch: RawBatch
    lost_spans: tuple[Loss, ...]
    lost_links: tuple[Loss, ...]


def decode(payloads: Sequence[bytes]) -> Decoded:
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


@dataclass(frozen=True, slots=True)
class _Spans:
    """The spans that have ids, and where each stands."""

    values: pa.StructArray
    ids: SpanIds
    scope: Numbers
    group: Numbers
    request: Numbers
    losses: list[Loss]  # the others

    @classmethod
    def of(cls, requests: pa.ListArray) -> tuple[_Spans, pa.StructArray, pa.StructArray]:
        """The spans, their ResourceSpans, their ScopeSpans."""
        groups = flat(requests)
        scopes = flat(groups.values.field("scope_spans"))
        spans = flat(scopes.values.field("spans"))
        group = scopes.owner[spans.owner]
        found = cls(
            spans.values, SpanIds.of(spans.values), spans.owner, group, groups.owner[group], []
        )
        return found._sifted(), groups.values, scopes.values

    def _sifted(self) -> _Spans:
        good = self.ids.good
        if good.all():
            return self
        values = take(self.values, np.flatnonzero(good))
        places = self.scope[good], self.group[good], self.request[good]
        losses = list(self.ids.losses(self.values, self.request))
        return _Spans(values, SpanIds.of(values), *places, losses)


def _batch(requests: pa.ListArray) -> Decoded:
    found, groups, scopes = _Spans.of(requests)
    links, link_attributes, lost = _links(found)
    events, event_attributes = _events(found.values.field("events"))
    resource, attributes = _resources(groups.field("resource"))
    scope = _scopes(scopes.field("scope")).gather(pl.Series(found.scope))
    batch = RawBatch(
        spans=_frame(found).with_columns(
            pl.Series("resource", resource[found.group]), scope.alias("scope")
        ),
        attributes=_attributes(found.values.field("attributes")),
        resources=len(attributes),
        resource_attributes=RawAttributes.of(
            (row, pair) for row, pairs in enumerate(attributes) for pair in pairs
        ),
        links=links,
        link_attributes=link_attributes,
        events=events,
        event_attributes=event_attributes,
    )
    return Decoded(batch, tuple(found.losses), tuple(lost))


def _frame(found: _Spans) -> pl.DataFrame:
    spans, own = found.values, found.ids
    start, end, quality = _times(spans)
    status = spans.field("status")
    return pl.DataFrame(
        {
            "trace_hi": own.trace[:, 0],
            "trace_lo": own.trace[:, 1],
            "span_id": own.own,
            "parent_id": own.parent,
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
        }
    )


def _enum(numbers: pa.Array) -> pl.Series:
    """Beyond what the column holds is unknown: 0."""
    series = as_series(numbers)
    if len(series) and not (series.min() >= 0 and series.max() < 256):  # type: ignore[operator]
        series = series.set(~series.is_between(0, 255), 0)
    return series.cast(pl.UInt8())


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
    found = flat(lists, READ_ATTRIBUTES)
    if not len(found.values):
        return RawAttributes.none()
    encoded = found.values.dictionary_encode()
    pair = as_series(encoded.indices).to_numpy().view(np.uint32)
    return RawAttributes(found.owner, pair, _pairs(encoded.dictionary))


def _pairs(values: pa.Array) -> pl.DataFrame:
    places = ranges(values)
    buffer = Buffer([places.data])
    found = walk(buffer, places.offsets[:-1], places.offsets[1:])
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


def _links(spans: _Spans) -> tuple[pl.DataFrame, RawAttributes, list[Loss]]:
    """The links, and those whose ids cannot be used."""
    found = flat(spans.values.field("links"))
    links, owner, lost = found.values, found.owner, list[Loss]()
    if not len(links):
        return pl.DataFrame(schema=RAW_LINKS), RawAttributes.none(), lost
    trace, span = ids(links.field("trace_id"), 2), ids(links.field("span_id"), 1)[:, 0]
    good = (trace[:, 0] | trace[:, 1] != 0) & (span != 0)
    if not good.all():
        lost = list(link_losses(links, trace, span, spans.request[owner]))
        links, owner = take(links, np.flatnonzero(good)), owner[good]
        trace, span = trace[good], span[good]
    frame = pl.DataFrame(
        {
            "span": owner,
            "trace_hi": trace[:, 0],
            "trace_lo": trace[:, 1],
            "span_id": span,
            "trace_flags": as_series(links.field("flags")),
        }
    )
    return frame, _attributes(links.field("attributes")), lost


def _events(lists: pa.ListArray) -> tuple[pl.DataFrame, RawAttributes]:
    found = flat(lists)
    if not len(found.values):
        return pl.DataFrame(schema=RAW_EVENTS), RawAttributes.none()
    time = as_series(found.values.field("time_unix_nano")).to_numpy()
    frame = pl.DataFrame(
        {
            "span": found.owner,
            "time_ns": np.minimum(time, MAX_NS).view(np.int64),
            "name": as_series(found.values.field("name")),
        }
    )
    return frame, _attributes(found.values.field("attributes"))


def _resources(payloads: pa.Array) -> tuple[npt.NDArray[np.uint32], list[list[Attribute]]]:
    """The row of each group's resource, and the attributes of each distinct one."""
    rows: dict[bytes, int] = {}
    index = [rows.setdefault(raw, len(rows)) for raw in payloads.to_pylist()]
    texts, parser = Texts(), message("resource.v1.Resource")
    parsed = (_parse(parser, raw).attributes for raw in rows)
    found = [texts.few(pairs) for pairs in parsed]
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
