"""Decodes Zipkin v2 JSON; parts the two halves that share one span id."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from collectors.decoders import scalars
from collectors.ledger import Ledger, Rejected, Where
from collectors.raw import Attribute, Builder
from collectors.schema import Quality

KINDS = {"CLIENT": 3, "SERVER": 2, "PRODUCER": 4, "CONSUMER": 5}
MAX_US = scalars.MAX_NS // 1000

Object = Mapping[str, Any]
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


@dataclass(slots=True)
class ZipkinSpans:
    """Spans of all sources: a shared id's other half may stand in another file."""

    ledger: Ledger
    spans: list[_Span] = field(default_factory=list)

    def add(self, span: Object, where: Where) -> None:
        """Take in one span. Raises Rejected."""
        self.spans.append(_read(span))

    def build(self, builder: Builder) -> None:
        """Add every span with ids that are its own."""
        servers = self._servers()
        for span in self.spans:
            _add(span, servers, builder)

    def _servers(self) -> dict[Key, list[str]]:
        """The services of server halves whose client half is there too."""
        clients = {(span.trace, span.id) for span in self.spans if _is_client(span)}
        servers: dict[Key, list[str]] = {}
        for span in self.spans:
            key = (span.trace, span.id)
            if _is_server(span) and key in clients:
                services = servers.setdefault(key, [])
                if span.service not in services:
                    services.append(span.service)
        return servers


def _is_server(span: _Span) -> bool:
    return span.kind == KINDS["SERVER"] or span.shared


def _is_client(span: _Span) -> bool:
    return span.kind == KINDS["CLIENT"] and not span.shared


def _add(span: _Span, servers: Mapping[Key, list[str]], builder: Builder) -> None:
    own, parent = span.id, span.parent
    if _is_server(span) and span.service in servers.get((span.trace, span.id), ()):
        own, parent = half_id(span.trace, span.id, span.service), span.id
    elif span.service in servers.get((span.trace, parent), ()):
        parent = half_id(span.trace, parent, span.service)
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


def half_id(trace: tuple[int, int], span: int, service: str) -> int:
    """The id of a shared span's server half: always the same for the same half."""
    text = f"{trace[0]:016x}{trace[1]:016x}{span:016x}{service}"
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) or 1


def _read(span: Object) -> _Span:
    start, no_start = _us(span.get("timestamp"))
    duration, no_duration = _us(span.get("duration"))
    return _Span(
        trace=scalars.trace_id(span.get("traceId"), short=True),
        id=scalars.span_id(span.get("id"), short=True),
        parent=scalars.parent_id(span.get("parentId"), short=True),
        service=_service(span.get("localEndpoint")),
        kind=KINDS.get(str(span.get("kind")).upper(), 0),
        shared=span.get("shared") is True,
        start_ns=start,
        end_ns=min(start + duration, scalars.MAX_NS),
        quality=int(Quality.NO_END) if no_duration or no_start else 0,
        name=scalars.plain_text(span.get("name"))[0],
        tags=list(_tags(span)),
        annotations=list(_annotations(span)),
    )


def _us(value: object) -> tuple[int, bool]:
    """(microseconds as nanoseconds, whether it is missing). Raises Rejected."""
    if value is None:
        return 0, True
    number = scalars.integer(value, "bad-time")
    if number < 0:
        raise Rejected("bad-time", f"{number} is negative")
    return min(number, MAX_US) * 1000, False


def _service(endpoint: object) -> str:
    name = endpoint.get("serviceName") if isinstance(endpoint, Mapping) else None
    return name if isinstance(name, str) else ""


def _tags(span: Object) -> Iterator[Attribute]:
    tags = span.get("tags")
    if isinstance(tags, Mapping):
        for key, value in tags.items():
            yield (str(key), *scalars.plain_text(value))
    remote = _service(span.get("remoteEndpoint"))
    if remote and not (isinstance(tags, Mapping) and "peer.service" in tags):
        yield ("peer.service", remote, True)


def _annotations(span: Object) -> Iterator[tuple[int, str]]:
    listed = span.get("annotations")
    for item in listed if isinstance(listed, list) else []:
        if isinstance(item, Mapping):
            yield _us(item.get("timestamp"))[0], scalars.plain_text(item.get("value"))[0]
