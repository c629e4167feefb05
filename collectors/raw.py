"""The raw columns that every decoder ends in, before attributes are promoted to columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice

import numpy as np
import numpy.typing as npt
import polars as pl

RAW_SPANS: dict[str, pl.DataType] = {
    "trace_hi": pl.UInt64(),
    "trace_lo": pl.UInt64(),
    "span_id": pl.UInt64(),
    "parent_id": pl.UInt64(),
    "start_ns": pl.Int64(),
    "end_ns": pl.Int64(),
    "name": pl.String(),
    "kind": pl.UInt8(),
    "status": pl.UInt8(),
    "status_message": pl.String(),
    "trace_flags": pl.UInt32(),  # 0 or null = the emitter did not say
    "tracestate": pl.String(),
    "dropped_links": pl.UInt32(),
    "quality": pl.UInt16(),
    "resource": pl.UInt32(),  # row of the resource, or beyond the last = none
    "scope": pl.String(),
}
RAW_LINKS: dict[str, pl.DataType] = {
    "span": pl.UInt32(),
    "trace_hi": pl.UInt64(),
    "trace_lo": pl.UInt64(),
    "span_id": pl.UInt64(),
    "trace_flags": pl.UInt32(),
}
RAW_EVENTS: dict[str, pl.DataType] = {
    "span": pl.UInt32(),
    "time_ns": pl.Int64(),
    "name": pl.String(),
}
# `quoted`: the value is a string; everything else is a JSON literal already.
RAW_PAIRS: dict[str, pl.DataType] = {
    "key": pl.String(),
    "value": pl.String(),
    "quoted": pl.Boolean(),
}

MAX_ATTRIBUTES = 1024  # of one owner; SDKs stop at 128 by default
# What decoders read of one owner: one too many, so that it shows where some were left out.
READ_ATTRIBUTES = MAX_ATTRIBUTES + 1

Numbers = npt.NDArray[np.uint32]
Attribute = tuple[str, str, bool]  # key, value as text, quoted


@dataclass(frozen=True, slots=True)
class RawAttributes:
    """The attributes of many owners, in the order they came; equal ones share one pair.

    Most attributes say the same on every span: what is done once a pair is done seldom.
    """

    row: Numbers  # position of the owner: span, resource, link or event
    pair: Numbers  # row in `pairs`
    pairs: pl.DataFrame  # columns of `RAW_PAIRS`, no nulls

    @classmethod
    def of(cls, owners: Iterable[tuple[int, Attribute]]) -> RawAttributes:
        """From (owner, attribute), one by one."""
        numbers: dict[Attribute, int] = {}
        found = [(row, numbers.setdefault(item, len(numbers))) for row, item in owners]
        row, pair = np.array(found, np.uint32).reshape(-1, 2).T
        return cls(row, pair, _frame(list(numbers), RAW_PAIRS))

    @classmethod
    def none(cls) -> RawAttributes:
        """No attributes."""
        return cls.of(())

    def within(self, begin: int, end: int) -> RawAttributes:
        """The attributes of the owners from `begin` to `end`, counted from there."""
        here = np.flatnonzero((self.row >= begin) & (self.row < end))
        pair = self.pair[here]
        seen = np.zeros(len(self.pairs), np.bool_)
        seen[pair] = True
        number = (np.cumsum(seen) - 1).astype(np.uint32)
        pairs = self.pairs.filter(pl.Series(seen, dtype=pl.Boolean()))
        return RawAttributes(self.row[here] - np.uint32(begin), number[pair], pairs)


@dataclass(frozen=True, slots=True)
class RawBatch:
    """Spans of one piece of input with everything that hangs on them, in the order they came."""

    spans: pl.DataFrame
    attributes: RawAttributes
    resources: int
    resource_attributes: RawAttributes
    links: pl.DataFrame
    link_attributes: RawAttributes
    events: pl.DataFrame
    event_attributes: RawAttributes


def merge(batches: Sequence[RawBatch]) -> RawBatch:
    """One batch of several; rows shifted by what came before."""
    if len(batches) == 1:
        return batches[0]
    spans = list(accumulate((len(batch.spans) for batch in batches), initial=0))
    resources = list(accumulate((batch.resources for batch in batches), initial=0))
    links = list(accumulate((len(batch.links) for batch in batches), initial=0))
    events = list(accumulate((len(batch.events) for batch in batches), initial=0))
    return RawBatch(
        spans=_shifted([batch.spans for batch in batches], "resource", resources),
        attributes=joined([batch.attributes for batch in batches], spans),
        resources=resources[-1],
        resource_attributes=joined([batch.resource_attributes for batch in batches], resources),
        links=_shifted([batch.links for batch in batches], "span", spans),
        link_attributes=joined([batch.link_attributes for batch in batches], links),
        events=_shifted([batch.events for batch in batches], "span", spans),
        event_attributes=joined([batch.event_attributes for batch in batches], events),
    )


def _shifted(frames: list[pl.DataFrame], column: str, offsets: list[int]) -> pl.DataFrame:
    return pl.concat(
        [
            frame.with_columns(pl.col(column).cast(pl.UInt32()) + pl.lit(by, pl.UInt32()))
            for frame, by in zip(frames, offsets, strict=False)
            if len(frame)
        ]
        or frames[:1],
        rechunk=True,
    )


def joined(parts: Sequence[RawAttributes], offsets: Sequence[int]) -> RawAttributes:
    """One after the other; the owners of each part shifted by its offset."""
    sizes = list(accumulate((len(part.pairs) for part in parts), initial=0))
    numbers = list(zip(parts, offsets, sizes, strict=False))
    return RawAttributes(
        np.concatenate([part.row + np.uint32(by) for part, by, _ in numbers]),
        np.concatenate([part.pair + np.uint32(by) for part, _, by in numbers]),
        pl.concat([part.pairs for part in parts], rechunk=True),
    )


class Builder:
    """Collects spans one by one: for small inputs and for what the fast paths cannot read."""

    def __init__(self) -> None:
        self._spans: list[tuple[object, ...]] = []
        self._links: list[tuple[object, ...]] = []
        self._events: list[tuple[object, ...]] = []
        self._attributes: list[tuple[int, Attribute]] = []
        self._link_attributes: list[tuple[int, Attribute]] = []
        self._event_attributes: list[tuple[int, Attribute]] = []
        self._resources: dict[tuple[Attribute, ...], int] = {}

    def __len__(self) -> int:
        return len(self._spans)

    def resource(self, attributes: Iterable[Attribute]) -> int:
        """The row of that resource; equal resources share one."""
        kept = tuple(islice(attributes, READ_ATTRIBUTES))
        return self._resources.setdefault(kept, len(self._resources))

    def span(
        self,
        *,
        trace: tuple[int, int],
        span_id: int,
        parent_id: int = 0,
        start_ns: int = 0,
        end_ns: int = 0,
        name: str = "",
        kind: int = 0,
        status: int = 0,
        status_message: str | None = None,
        trace_flags: int | None = None,
        tracestate: str | None = None,
        dropped_links: int = 0,
        quality: int = 0,
        resource: int = 0,
        scope: str | None = None,
        attributes: Iterable[Attribute] = (),
    ) -> int:
        """Add a span; returns its row, for its links and events. Columns of `RAW_SPANS`."""
        row = len(self._spans)
        self._spans.append(
            (
                *(*trace, span_id, parent_id, start_ns, end_ns, name, kind, status),
                *(status_message, trace_flags, tracestate, dropped_links, quality),
                *(resource, scope),
            )
        )
        self._attributes.extend((row, item) for item in islice(attributes, READ_ATTRIBUTES))
        return row

    def link(
        self,
        row: int,
        trace: tuple[int, int],
        span_id: int,
        trace_flags: int | None = None,
        attributes: Iterable[Attribute] = (),
    ) -> None:
        """Add a link to the span in `row`."""
        row_of_link, kept = len(self._links), islice(attributes, READ_ATTRIBUTES)
        self._link_attributes.extend((row_of_link, item) for item in kept)
        self._links.append((row, *trace, span_id, trace_flags))

    def event(
        self, row: int, time_ns: int, name: str, attributes: Iterable[Attribute] = ()
    ) -> None:
        """Add an event to the span in `row`."""
        row_of_event, kept = len(self._events), islice(attributes, READ_ATTRIBUTES)
        self._event_attributes.extend((row_of_event, item) for item in kept)
        self._events.append((row, time_ns, name))

    def flag(self, first: int, text: str, quality: int) -> None:
        """Set a quality bit on the spans from row `first` on that hold `text`."""
        hit = {row for row, item in self._attributes if text in f"{item[0]}{item[1]}"}
        for row in range(first, len(self._spans)):
            *head, old, resource, scope = self._spans[row]
            if row in hit or any(text in field for field in head if isinstance(field, str)):
                self._spans[row] = (*head, int(str(old)) | quality, resource, scope)

    def batch(self) -> RawBatch:
        """Everything so far, as columns."""
        resources = [
            (row, item) for attributes, row in self._resources.items() for item in attributes
        ]
        return RawBatch(
            spans=_frame(self._spans, RAW_SPANS),
            attributes=RawAttributes.of(self._attributes),
            resources=len(self._resources),
            resource_attributes=RawAttributes.of(resources),
            links=_frame(self._links, RAW_LINKS),
            link_attributes=RawAttributes.of(self._link_attributes),
            events=_frame(self._events, RAW_EVENTS),
            event_attributes=RawAttributes.of(self._event_attributes),
        )


def _frame(rows: Sequence[tuple[object, ...]], schema: dict[str, pl.DataType]) -> pl.DataFrame:
    if not rows:
        return pl.DataFrame(schema=schema)
    columns = zip(*rows, strict=True)
    return pl.DataFrame(
        [
            pl.Series(name, list(values), dtype=dtype)
            for (name, dtype), values in zip(schema.items(), columns, strict=True)
        ]
    )
