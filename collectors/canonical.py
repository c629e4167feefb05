"""Promotes the attributes of a raw batch into the columns of `collectors.schema`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from collectors import schema, semconv
from collectors.derive import derive
from collectors.promotion import AttributeTable, Bools, Found, Ints
from collectors.raw import RawBatch
from collectors.schema import Kind, Quality
from collectors.words import map_words, nothing, taken

MAX_NAME = 1024  # characters of a span, scope or event name
NO_NAME = "<unnamed>"
NO_SERVICE = "unknown_service"

# Values become words and numbers once a distinct attribute; a status code may be a word too.
TYPES = {
    name: dtype
    for name, dtype in schema.SPANS.items()
    if dtype in (schema.WORD, pl.Int64()) and name != "rpc_status"
} | dict.fromkeys(semconv.WORD_HELPERS, schema.WORD)


@dataclass(frozen=True, slots=True)
class Part:
    """Canonical frames of one batch; rows point into this part's own spans and links."""

    spans: pl.DataFrame
    links: pl.DataFrame
    events: pl.DataFrame
    attributes: pl.DataFrame
    link_attributes: pl.DataFrame


def canonical(batch: RawBatch) -> Part:
    """The batch in the shapes of `collectors.schema`: not deduplicated, in the order it came."""
    table = AttributeTable(batch.attributes, len(batch.spans))
    found = table.find({**semconv.SPAN_ALIASES, **semconv.SPAN_HELPERS}, TYPES)
    raw = {name: item.value for name, item in found.items()}
    exceptions, events = _events(batch)
    columns = _span_columns(batch, exceptions, raw)
    columns.update(derive(raw | columns, table, columns["kind"]))
    dropped = [
        rows
        for name in semconv.SPAN_ALIASES
        if name in found
        for rows in _represented(table, found[name], raw[name], columns.get(name))
    ]
    attributes = table.rest(dropped, "span")
    columns["quality"] = _quality(columns, table)
    links, link_attributes = _links(batch)
    spans = schema.complete(pl.DataFrame(columns), schema.SPANS)
    return Part(spans, links, events, attributes, link_attributes)


def _span_columns(
    batch: RawBatch, exceptions: Mapping[str, pl.Series], raw: dict[str, pl.Series]
) -> dict[str, pl.Series]:
    spans = batch.spans
    columns = {name: spans[name] for name in ("trace_hi", "trace_lo", "span_id", "parent_id")}
    start = spans["start_ns"]
    columns["start_ns"] = start
    columns["end_ns"] = pl.Series(np.maximum(start.to_numpy(), spans["end_ns"].to_numpy()))
    columns["name"] = names(spans["name"])
    columns["kind"] = spans["kind"].set(spans["kind"] > max(Kind), 0)
    columns["status"] = spans["status"].set(spans["status"] > 2, 0)
    columns["trace_flags"] = _positive(spans["trace_flags"])
    columns["tracestate"] = _filled(spans["tracestate"])
    columns["dropped_links"] = spans["dropped_links"].fill_null(0)
    columns["raw_quality"] = _time_quality(batch)
    columns["scope"] = _filled(spans["scope"]).cast(schema.WORD)
    columns.update(_resources(batch))
    columns["status_message"] = _filled(spans["status_message"])
    messages = [columns["status_message"], raw.get("error_message"), exceptions.get("message")]
    types = [raw.get("error_type"), exceptions.get("type")]
    error = _first(messages, pl.String()), _first(types, schema.WORD)
    for name, found in zip(("error_message", "error_type"), error, strict=True):
        if found is not None:  # an absent column is made of nulls later
            columns |= {name: found}
    own = columns["parent_id"] == columns["span_id"]
    columns["self_parent"] = own
    columns["parent_id"] = columns["parent_id"].set(own, 0)
    return columns


def _first(choices: list[pl.Series | None], dtype: pl.DataType) -> pl.Series | None:
    present = [choice.cast(dtype) for choice in choices if choice is not None]
    if not present:
        return None
    return pl.select(pl.coalesce(present)).to_series()


def names(texts: pl.Series) -> pl.Series:
    """Span, scope or event names as words: none is empty or too long."""
    words = (texts.fill_null("") if texts.null_count() else texts).cast(schema.WORD)
    return map_words(words, lambda text: text[:MAX_NAME] or NO_NAME)


def _filled(texts: pl.Series) -> pl.Series:
    """Empty text as null."""
    if texts.null_count() == len(texts):
        return texts
    return texts.set(texts == "", None)


def _positive(numbers: pl.Series) -> pl.Series:
    return numbers.set(numbers == 0, None)


def _time_quality(batch: RawBatch) -> pl.Series:
    spans = batch.spans
    zero = (pl.col("start_ns") == 0) & (pl.col("end_ns") == 0)
    negative = pl.col("end_ns") < pl.col("start_ns")
    unnamed = pl.col("name").fill_null("") == ""
    flags = (zero, Quality.ZERO_TIME), (negative, Quality.NEGATIVE_DURATION)
    bits = [_bit(hit, flag) for hit, flag in (*flags, (unnamed, Quality.EMPTY_NAME))]
    return spans.select(pl.col("quality").fill_null(0) + pl.sum_horizontal(bits)).to_series()


def _bit(hit: pl.Expr, flag: Quality) -> pl.Expr:
    return hit.cast(pl.UInt16()) * pl.lit(int(flag), dtype=pl.UInt16())


def _quality(columns: dict[str, pl.Series], table: AttributeTable) -> pl.Series:
    quality = columns.pop("raw_quality").to_numpy().astype(np.uint16)
    quality |= columns.pop("self_parent").to_numpy() * np.uint16(Quality.SELF_PARENT)
    quality |= table.duplicated * np.uint16(Quality.DUPLICATE_KEYS)
    quality |= table.capped * np.uint16(Quality.TRUNCATED)
    return pl.Series("quality", quality)


def _resources(batch: RawBatch) -> dict[str, pl.Series]:
    """service, service_version, service_instance of each span."""
    table = AttributeTable(batch.resource_attributes, batch.resources)
    found = table.find(semconv.RESOURCE_ALIASES)
    none = nothing(batch.resources, pl.String())
    value = {name: _filled(item.value) for name, item in found.items()}
    frame = pl.DataFrame({name: value.get(name, none) for name in semconv.RESOURCE_ALIASES})
    process = pl.concat_str("_host", pl.lit(":"), "_pid")
    by_resource = frame.select(
        pl.col("service").fill_null(NO_SERVICE).cast(schema.WORD),
        pl.col("service_version").cast(schema.WORD),
        pl.col("service_instance").fill_null(process).cast(schema.WORD),
    )
    index = batch.spans["resource"]
    if not batch.resources or (len(index) and index.max() >= batch.resources):  # type: ignore[operator]
        index = index.set(index >= batch.resources, None)
    columns = {column.name: taken(column, index) for column in by_resource}
    columns["service"] = columns["service"].fill_null(NO_SERVICE)
    return columns


def _represented(
    table: AttributeTable, found: Found, raw: pl.Series, final: pl.Series | None
) -> tuple[Ints, ...]:
    """The positions in the table whose value the column holds exactly: they need no second row."""
    if final is None:
        return ()
    same = _same(raw, final)
    winners = found.position[same & (found.position >= 0)]
    if not len(found.losers):
        return (winners,)
    owners = table.owner[found.losers]
    equal = (table.values(found.losers) == table.values(found.position[owners])).to_numpy()
    return winners, found.losers[equal & same[owners]]


def _same(raw: pl.Series, final: pl.Series) -> Bools:
    if final.dtype == pl.Int64():
        return final.is_not_null().to_numpy()
    if raw is final:
        return np.ones(len(raw), np.bool_)
    return (raw == final).fill_null(False).to_numpy()


def _events(batch: RawBatch) -> tuple[dict[str, pl.Series], pl.DataFrame]:
    """The last exception of each span (type, message), and the events."""
    frame = batch.events
    if not len(frame):
        return {}, schema.empty(schema.EVENTS)
    table = AttributeTable(batch.event_attributes, len(frame))
    found = table.find({"type": ("exception.type",), "message": ("exception.message",)})
    owner = frame["span"].to_numpy()
    exceptions = {name: _last(owner, item.value, len(batch.spans)) for name, item in found.items()}
    events = frame.with_columns(
        names(frame["name"]).alias("name"), table.json_objects().alias("attributes")
    )
    return exceptions, schema.complete(events, schema.EVENTS)


def _last(owner: Ints, value: pl.Series, spans: int) -> pl.Series:
    here = np.flatnonzero(value.is_not_null().to_numpy())
    index = np.full(spans, -1, np.int64)
    index[owner[here]] = here
    rows = pl.Series(index)
    return taken(value, rows.set(rows < 0, None).cast(pl.UInt32()))


def _links(batch: RawBatch) -> tuple[pl.DataFrame, pl.DataFrame]:
    frame = batch.links
    if not len(frame):
        return schema.empty(schema.LINKS), schema.empty(schema.LINK_ATTRIBUTES)
    table = AttributeTable(batch.link_attributes, len(frame))
    found = table.find(semconv.LINK_ALIASES)
    raw = {name: item.value for name, item in found.items()}
    dropped = [
        rows for n, item in found.items() for rows in _represented(table, item, raw[n], raw[n])
    ]
    attributes = table.rest(dropped, "link")
    links = frame.with_columns(
        _positive(frame["trace_flags"]).alias("trace_flags"),
        pl.Series("is_message", table.having(semconv.MESSAGING_PREFIXES)),
        *(value.alias(name) for name, value in raw.items()),
    )
    return schema.complete(links, schema.LINKS), attributes
