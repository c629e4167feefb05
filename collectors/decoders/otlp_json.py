"""Decodes many OTLP JSON requests at once into raw columns.

msgspec reads each request into typed objects and leaves attributes and resources as text; the
attributes, which are most of it, are read in columns (`json_pieces`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from collectors.decoders import json_pieces, otlp_objects
from collectors.ledger import Rejected
from collectors.raw import (
    RAW_EVENTS,
    RAW_LINKS,
    READ_ATTRIBUTES,
    Attribute,
    RawAttributes,
    RawBatch,
    joined,
)
from collectors.schema import Quality

NO_LIST = msgspec.Raw(b"[]")
NO_OBJECT = msgspec.Raw(b"{}")
ABSENT = msgspec.Raw(b"")
NO_PARENT = "0" * 16
MAX_NS = np.uint64(2**63 - 1)

Ids = npt.NDArray[np.uint64]


class Irregular(ValueError):
    """Something in these requests needs the careful decoder."""


class _Status(msgspec.Struct, gc=False, frozen=True):
    code: int = 0
    message: str | None = None


NO_STATUS = _Status()


class _Link(msgspec.Struct, rename="camel", gc=False):
    trace_id: str
    span_id: str
    flags: int = 0
    attributes: msgspec.Raw = NO_LIST


class _Event(msgspec.Struct, rename="camel", gc=False):
    time_unix_nano: int = 0
    name: str = ""
    attributes: msgspec.Raw = NO_LIST


class _Span(msgspec.Struct, rename="camel", gc=False):
    trace_id: str
    span_id: str
    parent_span_id: str | None = None
    start_time_unix_nano: int = 0
    end_time_unix_nano: int = 0
    name: str | None = None
    kind: int = 0
    flags: int = 0
    trace_state: str | None = None
    dropped_links_count: int = 0
    status: _Status | None = NO_STATUS
    attributes: msgspec.Raw = NO_LIST
    links: list[_Link] | None = None
    events: list[_Event] | None = None


class _Scope(msgspec.Struct, gc=False):
    name: str | None = None


class _ScopeSpans(msgspec.Struct, gc=False):
    scope: _Scope | None = None
    spans: list[_Span] | None = None


class _ResourceSpans(msgspec.Struct, rename="camel", gc=False):
    resource: msgspec.Raw = NO_OBJECT
    scope_spans: list[_ScopeSpans] | None = None
    # Spellings of other times: a request that has them is read object by object.
    instrumentation_library_spans: msgspec.Raw = ABSENT
    snake: msgspec.Raw = msgspec.field(name="scope_spans", default=ABSENT)

    @property
    def old(self) -> bool:
        """Whether it is spelt in a way of other times."""
        return self.instrumentation_library_spans is not ABSENT or self.snake is not ABSENT


class _Request(msgspec.Struct, rename="camel", gc=False):
    resource_spans: list[_ResourceSpans]
    resource_logs: msgspec.Raw = ABSENT
    resource_metrics: msgspec.Raw = ABSENT

    @property
    def mixed(self) -> bool:
        """Whether other signals stand in the same request."""
        return self.resource_logs is not ABSENT or self.resource_metrics is not ABSENT


# Not strict: 64-bit integers stand as strings or as numbers.
_DECODER = msgspec.json.Decoder(_Request, strict=False)


def decode(texts: Sequence[bytes]) -> RawBatch:
    """The spans of all requests, which must be valid UTF-8.

    Raises Irregular where any of them needs the careful decoder.
    """
    try:
        flat = _Flat()
        for text in texts:
            flat.add(_DECODER.decode(text))
        return flat.batch()
    except (msgspec.DecodeError, RecursionError, OverflowError, Rejected) as error:
        raise Irregular(str(error)) from error


@dataclass(slots=True)
class _Flat:
    """All spans in one list, with the resource and the scope of each."""

    spans: list[_Span] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)  # of spans, a scope
    resources: list[int] = field(default_factory=list)  # of each scope
    scopes: list[str | None] = field(default_factory=list)
    known: dict[bytes, int] = field(default_factory=dict)

    def add(self, request: _Request) -> None:
        if request.mixed or any(group.old for group in request.resource_spans):
            raise Irregular("members that the typed reader does not know")
        for group in request.resource_spans:
            resource = self.known.setdefault(bytes(group.resource), len(self.known))
            for scope in group.scope_spans or ():
                spans = scope.spans or []
                self.spans += spans
                self.counts.append(len(spans))
                self.resources.append(resource)
                self.scopes.append(scope.scope.name if scope.scope else None)

    def batch(self) -> RawBatch:
        spans, counts = self.spans, np.array(self.counts, np.int64)
        link_lists, event_lists = [s.links or () for s in spans], [s.events or () for s in spans]
        links = list(chain.from_iterable(link_lists))
        events = list(chain.from_iterable(event_lists))
        attributes = _attributes(spans, links, events)
        resources = [_resource(raw) for raw in self.known]
        return RawBatch(
            spans=_spans(spans).with_columns(
                pl.Series("resource", np.repeat(np.array(self.resources, np.uint32), counts)),
                _repeated(self.scopes, counts).alias("scope"),
            ),
            attributes=attributes[0],
            resources=len(resources),
            resource_attributes=RawAttributes.of(
                (row, pair) for row, pairs in enumerate(resources) for pair in pairs
            ),
            links=_links(links, _owners(link_lists)),
            link_attributes=attributes[1],
            events=_events(events, _owners(event_lists)),
            event_attributes=attributes[2],
        )


def _repeated(names: list[str | None], counts: npt.NDArray[np.int64]) -> pl.Series:
    index = np.repeat(np.arange(len(names), dtype=np.uint32), counts)
    return pl.Series(names, dtype=pl.String()).gather(pl.Series(index))


def _owners(lists: Sequence[Sequence[object]]) -> npt.NDArray[np.uint32]:
    return np.repeat(np.arange(len(lists), dtype=np.uint32), list(map(len, lists)))


def _spans(spans: list[_Span]) -> pl.DataFrame:
    trace, own = _ids([s.trace_id for s in spans], 2), _ids([s.span_id for s in spans], 1)
    if not (trace.any(axis=1).all() and own.all()):
        raise Irregular("all-zero ids")
    start, start_beyond = _times([s.start_time_unix_nano for s in spans])
    end, end_beyond = _times([s.end_time_unix_nano for s in spans])
    status = [s.status or NO_STATUS for s in spans]
    beyond = start_beyond | end_beyond
    return pl.DataFrame(
        {
            "trace_hi": trace[:, 0],
            "trace_lo": trace[:, 1],
            "span_id": own[:, 0],
            "parent_id": _ids([s.parent_span_id or NO_PARENT for s in spans], 1)[:, 0],
            "start_ns": start,
            "end_ns": end,
            "name": pl.Series([s.name for s in spans], dtype=pl.String()),
            "kind": _small([s.kind for s in spans]),
            "status": _small([s.code for s in status]),
            "status_message": pl.Series([s.message for s in status], dtype=pl.String()),
            "trace_flags": _counts([s.flags for s in spans]),
            "tracestate": pl.Series([s.trace_state for s in spans], dtype=pl.String()),
            "dropped_links": _counts([s.dropped_links_count for s in spans]),
            "quality": beyond.astype(np.uint16) * np.uint16(Quality.CLAMPED_TIME),
        }
    )


def _ids(texts: list[str], words: int) -> Ids:
    """Hex ids of exactly that many words. Raises Irregular."""
    digits = 16 * words
    if not texts:
        return np.empty((0, words), np.uint64)
    if set(map(len, texts)) != {digits}:
        raise Irregular("ids of another length")
    try:
        raw = bytes.fromhex("".join(texts))
    except ValueError as error:
        raise Irregular(str(error)) from error
    if len(raw) * 2 != len(texts) * digits:  # fromhex overlooks blanks
        raise Irregular("blanks in ids")
    return np.frombuffer(raw, ">u8").astype(np.uint64).reshape(-1, words)


def _times(numbers: list[int]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Clamped to int64, and which were. Raises OverflowError beyond 64 bits."""
    times = np.array(numbers, dtype=np.uint64)
    beyond = times > MAX_NS
    return np.minimum(times, MAX_NS).view(np.int64), beyond


def _small(numbers: list[int]) -> npt.NDArray[np.uint8]:
    if numbers and not (min(numbers) >= 0 and max(numbers) < 256):
        raise Irregular("an enum out of range")
    return np.array(numbers, np.uint8)


def _counts(numbers: list[int]) -> npt.NDArray[np.uint32]:
    if numbers and not (min(numbers) >= 0 and max(numbers) < 2**32):
        raise Irregular("a count out of range")
    return np.array(numbers, np.uint32)


def _links(links: list[_Link], owners: npt.NDArray[np.uint32]) -> pl.DataFrame:
    if not links:
        return pl.DataFrame(schema=RAW_LINKS)
    trace, span = _ids([k.trace_id for k in links], 2), _ids([k.span_id for k in links], 1)
    if not (trace.any(axis=1).all() and span.all()):
        raise Irregular("all-zero ids in links")
    ids = {"trace_hi": trace[:, 0], "trace_lo": trace[:, 1], "span_id": span[:, 0]}
    return pl.DataFrame({"span": owners, **ids, "trace_flags": _counts([k.flags for k in links])})


def _events(events: list[_Event], owners: npt.NDArray[np.uint32]) -> pl.DataFrame:
    if not events:
        return pl.DataFrame(schema=RAW_EVENTS)
    time, _ = _times([event.time_unix_nano for event in events])
    names = pl.Series([event.name for event in events], dtype=pl.String())
    return pl.DataFrame({"span": owners, "time_ns": time, "name": names})


def _resource(raw: bytes) -> list[Attribute]:
    return otlp_objects.attributes(msgspec.json.decode(raw))


def _attributes(
    spans: Sequence[_Span], links: Sequence[_Link], events: Sequence[_Event]
) -> tuple[RawAttributes, RawAttributes, RawAttributes]:
    """The attributes of spans, of links and of events, read as one text."""
    everything: Iterable[_Span | _Link | _Event] = chain(spans, links, events)
    found = _all_attributes([owner.attributes for owner in everything])
    if not links and not events:
        return found, RawAttributes.none(), RawAttributes.none()
    ends = np.cumsum([len(spans), len(links), len(events)]).tolist()
    return (
        found.within(0, ends[0]),
        found.within(ends[0], ends[1]),
        found.within(ends[1], ends[2]),
    )


def _all_attributes(lists: list[msgspec.Raw]) -> RawAttributes:
    found = json_pieces.read(lists)
    if found is None:
        return _parsed(lists, range(len(lists)))
    if not len(found.irregular):
        return found.attributes
    return joined([found.attributes, _parsed(lists, found.irregular.tolist())], (0, 0))


def _parsed(lists: list[msgspec.Raw], which: Iterable[int]) -> RawAttributes:
    """Lists that do not follow the template, one by one. Raises Rejected."""
    return RawAttributes.of((row, pair) for row in which for pair in _list(lists[row]))


def _list(text: msgspec.Raw) -> list[Attribute]:
    found = msgspec.json.decode(text)
    if found is not None and not isinstance(found, list):
        raise Irregular("attributes that are no list")
    return otlp_objects.attributes({"attributes": (found or [])[:READ_ATTRIBUTES]})
