"""Decodes Zipkin v2 JSON; parts the two halves that share one span id."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from collectors.decoders import scalars
from collectors.decoders.members import BAD_TYPE, Object, an_object, items, take, text, within
from collectors.ledger import Ledger, Rejected, Where
from collectors.raw import Attribute, Builder
from collectors.schema import Quality

KINDS = {"CLIENT": 3, "SERVER": 2, "PRODUCER": 4, "CONSUMER": 5}

Key = tuple[tuple[int, int], int]  # trace, span id


@dataclass(slots=True)
class _Span:
    trace: tuple[int, int]
    id: int
    parent: int
    service: str
    kind: int
    shared: bool
    start_ns: int
    end_ns: int
    quality: int
    name: str
    tags: list[Attribute]
    annotations: list[tuple[int, str]]


Halves = dict[Key, dict[str, list[_Span]]]  # of shared ids: a service's, by their start


def fits(document: Object) -> bool:
    """Whether the document is a span of version 2: in version 1 services stand elsewhere."""
    if not ("traceId" in document and "id" in document) or "binaryAnnotations" in document:
        return False
    notes = document.get("annotations")
    first = notes[0] if isinstance(notes, list) and notes else None
    return not (isinstance(first, Mapping) and "endpoint" in first)


@dataclass(slots=True)
class ZipkinSpans:
    """Spans of all sources: a shared id's other half may stand in another file."""

    ledger: Ledger
    spans: list[_Span] = field(default_factory=list)

    def add(self, span: Object, where: Where) -> None:
        """Take in one span. Raises Rejected."""
        self.spans.append(_read(span))

    def flag(self, first: int, text: str, quality: int) -> None:
        """Set a quality bit on the spans from number `first` on that hold `text`."""
        for span in self.spans[first:]:
            said = (span.name, span.service, *(f"{key}{value}" for key, value, _ in span.tags))
            if any(text in field for field in said):
                span.quality |= quality

    def build(self, builder: Builder) -> None:
        """Add every span, each with an id of its own."""
        groups: dict[Key, list[_Span]] = {}
        for span in self.spans:
            groups.setdefault((span.trace, span.id), []).append(span)
        halves: Halves = {}
        for key, group in groups.items():
            whole = self._without_partial(group)
            groups[key] = whole
            servers = [span for span in whole if _is_server(span)]
            if servers and len(servers) < len(whole) and any(map(_is_client, whole)):
                of = halves.setdefault(key, {})
                for span in sorted(servers, key=_start):
                    of.setdefault(span.service, []).append(span)
        for group in groups.values():
            for span in group:
                _add(span, halves, builder)

    def _without_partial(self, group: list[_Span]) -> list[_Span]:
        """Without reports that have neither time nor kind beside a full one of that service."""
        services = {span.service for span in group if _is_full(span)}
        kept = [span for span in group if _is_full(span) or span.service not in services]
        if len(kept) < len(group):
            self.ledger.skipped["zipkin-partial-reports"] += len(group) - len(kept)
        return kept


def _is_full(span: _Span) -> bool:
    return bool(span.start_ns or span.kind)


def _start(span: _Span) -> int:
    return span.start_ns


def _is_server(span: _Span) -> bool:
    return span.kind == KINDS["SERVER"] or span.shared


def _is_client(span: _Span) -> bool:
    return span.kind == KINDS["CLIENT"] and not span.shared


def _ids(span: _Span, halves: Halves) -> tuple[int, int]:
    """(own id, parent id): a server half gets an id of its own, its children hang under it."""
    if _is_server(span) and (span.trace, span.id) in halves:
        return half_id(span), span.id
    above = halves.get((span.trace, span.parent), {}).get(span.service)
    if not above:
        return span.id, span.parent
    begun = bisect_right(above, span.start_ns, key=_start)  # the last one that had begun
    return span.id, half_id(above[max(begun - 1, 0)])


def half_id(span: _Span) -> int:
    """The id of a shared span's server half: always the same for the same half."""
    where = f"{span.trace[0]:016x}{span.trace[1]:016x}{span.id:016x}"
    text = f"{where} {span.start_ns} {span.service}"
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) or 1


def _add(span: _Span, halves: Halves, builder: Builder) -> None:
    own, parent = _ids(span, halves)
    error = next((text for key, text, _ in span.tags if key == "error"), None)
    row = builder.span(
        trace=span.trace,
        span_id=own,
        parent_id=parent,
        start_ns=span.start_ns,
        end_ns=span.end_ns,
        name=span.name,
        kind=span.kind,
        status=0 if error is None else 2,
        status_message=None if error in (None, "", "true") else error,
        quality=span.quality,
        resource=builder.resource([("service.name", span.service, True)] if span.service else []),
        attributes=span.tags,
    )
    for time, value in span.annotations:
        builder.event(row, time, value)


def _read(span: Object) -> _Span:
    start, no_start = take(span, ("timestamp",), _us)
    duration, no_duration = take(span, ("duration",), _us)
    return _Span(
        trace=take(span, ("traceId",), lambda value: scalars.trace_id(value, short=True)),
        id=take(span, ("id",), lambda value: scalars.span_id(value, short=True)),
        parent=take(span, ("parentId",), lambda value: scalars.parent_id(value, short=True)),
        service=take(span, ("localEndpoint",), _service),
        kind=take(span, ("kind",), _kind),
        shared=take(span, ("shared",), _flag),
        start_ns=start,
        end_ns=min(start + duration, scalars.MAX_NS),
        quality=int(Quality.NO_END) if no_duration or no_start else 0,
        name=take(span, ("name",), text) or "",
        tags=list(_tags(span)),
        annotations=list(_annotations(span)),
    )


def _us(value: object) -> tuple[int, bool]:
    """(microseconds as nanoseconds, whether it is missing). Raises Rejected."""
    return scalars.time_us(value), value is None


def _kind(value: object) -> int:
    """A kind that Zipkin does not know is none. Raises Rejected."""
    return KINDS.get((text(value) or "").upper(), 0)


def _flag(value: object) -> bool:
    if value is None or isinstance(value, bool):
        return value is True
    raise Rejected(BAD_TYPE, f"{scalars.shown(value)} is neither true nor false")


def _service(endpoint: object) -> str:
    return take(an_object(endpoint), ("serviceName",), text) or ""


def _tags(span: Object) -> Iterator[Attribute]:
    tags = take(span, ("tags",), an_object)
    for key, value in tags.items():
        yield (str(key), *scalars.plain_text(value))
    remote = take(span, ("remoteEndpoint",), _service)
    if remote and "peer.service" not in tags:
        yield ("peer.service", remote, True)


def _annotations(span: Object) -> Iterator[tuple[int, str]]:
    for place, item in items(span, "annotations"):
        try:
            yield take(item, ("timestamp",), _us)[0], take(item, ("value",), text) or ""
        except Rejected as bad:
            raise within(place, bad) from bad
