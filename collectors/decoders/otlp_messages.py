"""Decodes OTLP protobuf message by message: for requests that the columnar path refuses.

It keeps what can be kept: a broken span costs itself only, invalid UTF-8 becomes U+FFFD.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from itertools import islice
from typing import Any

from google.protobuf.message import DecodeError

from collectors.decoders import scalars
from collectors.decoders.otlp_schema import message
from collectors.ledger import Ledger, Rejected, Where
from collectors.raw import READ_ATTRIBUTES, Attribute, Builder
from collectors.schema import Quality

LOST_LINKS = "links with unusable ids were left out"


def decode(payload: bytes, builder: Builder, ledger: Ledger, where: Where) -> None:
    """Add the spans of one request."""
    try:
        request = parsed("trace.v1.TracesData", payload)
    except Rejected as bad:
        ledger.reject(where, bad.reason, bad.detail)
        return
    for group in request.resource_spans:
        spans = sum(len(scope.spans) for scope in group.scope_spans)
        try:
            resource = builder.resource(_resource(group.resource))
        except Rejected as bad:  # what cannot be read says nothing true about its spans
            ledger.reject(where, bad.reason, f"in a resource: {bad.detail}", max(spans, 1))
            continue
        for scope in group.scope_spans:
            _scope(scope, builder, resource, ledger, where)


def _resource(payload: bytes) -> list[Attribute]:
    return Texts().few(parsed("resource.v1.Resource", payload).attributes)


def _scope(scope: Any, builder: Builder, resource: int, ledger: Ledger, where: Where) -> None:
    try:
        name = Texts().text(parsed("common.v1.InstrumentationScope", scope.scope).name) or None
    except Rejected as bad:
        told = f"in a scope: {bad.detail}"
        ledger.reject(where, bad.reason, told, max(len(scope.spans), 1))
        return
    for span in scope.spans:
        try:
            _span(span, builder, resource, name, ledger, where)
        except Rejected as bad:
            ledger.reject(where, bad.reason, bad.detail)


def parsed(name: str, payload: bytes) -> Any:
    """A message of `otlp_schema.message`. Raises Rejected."""
    try:
        return message(name).FromString(payload)
    except DecodeError as error:
        said = f"{len(payload)} bytes are no {name.rpartition('.')[2]}: {error}"
        raise Rejected("invalid-protobuf", said) from error


class Texts:
    """Decodes bytes as UTF-8 and remembers whether any were not."""

    def __init__(self) -> None:
        self.replaced = False

    def text(self, raw: bytes) -> str:
        """The text, U+FFFD for what is no UTF-8."""
        try:
            return raw.decode()
        except UnicodeDecodeError:
            self.replaced = True
            return raw.decode(errors="replace")

    def attributes(self, pairs: Iterable[Any]) -> list[Attribute]:
        """Each KeyValue as (key, text, quoted)."""
        return [
            (self.text(pair.key), *scalars.plain_text(self.plain(pair.value))) for pair in pairs
        ]

    def few(self, pairs: Iterable[Any]) -> list[Attribute]:
        """As `attributes`, no more than are read of one owner."""
        return self.attributes(islice(pairs, READ_ATTRIBUTES))

    def plain(self, value: Any, depth: int = 0) -> Any:
        """An AnyValue as plain JSON; deeper than `MAX_DEPTH` is cut."""
        kind = value.WhichOneof("value")
        if kind is None:
            return None
        if depth > scalars.MAX_DEPTH:
            return "..."
        found = getattr(value, kind)
        if kind == "string_value":
            return self.text(found)
        if kind == "bytes_value":
            return base64.b64encode(found).decode()
        if kind == "array_value":
            return [self.plain(item, depth + 1) for item in found.values]
        if kind == "kvlist_value":
            return {self.text(pair.key): self.plain(pair.value, depth + 1) for pair in found.values}
        return found


def _span(
    payload: bytes, builder: Builder, resource: int, scope: str | None, ledger: Ledger, where: Where
) -> None:
    span = parsed("trace.v1.Span", payload)
    texts = Texts()
    start, start_bits = scalars.time_ns(span.start_time_unix_nano)
    end, end_bits = scalars.time_ns(span.end_time_unix_nano)
    trace = trace_id(span.trace_id)
    name, message_ = texts.text(span.name), texts.text(span.status.message)
    state, attributes = texts.text(span.trace_state), texts.few(span.attributes)
    links = [(link, texts.few(link.attributes)) for link in span.links]
    events = [(e, texts.text(e.name), texts.few(e.attributes)) for e in span.events]
    row = builder.span(
        trace=trace,
        span_id=span_id(span.span_id, "bad-span-id"),
        parent_id=span_id(span.parent_span_id, "bad-parent-id") if any(span.parent_span_id) else 0,
        start_ns=start,
        end_ns=end,
        kind=max(0, min(span.kind, 255)),
        status=max(0, min(span.status.code, 255)),
        trace_flags=span.flags,
        dropped_links=span.dropped_links_count,
        quality=start_bits | end_bits | (Quality.INVALID_UTF8 if texts.replaced else 0),
        resource=resource,
        scope=scope,
        name=name,
        status_message=message_,
        tracestate=state,
        attributes=attributes,
    )
    if texts.replaced:
        ledger.warn("invalid UTF-8 was replaced by U+FFFD")
    for event, title, pairs in events:
        builder.event(row, scalars.time_ns(event.time_unix_nano)[0], title, pairs)
    for link, pairs in links:
        _link(link, row, pairs, builder, ledger, where)


def _link(
    link: Any, row: int, attributes: list[Attribute], builder: Builder, ledger: Ledger, where: Where
) -> None:
    try:
        trace, target = trace_id(link.trace_id), span_id(link.span_id, "bad-link")
    except Rejected as bad:
        ledger.note(where, "bad-link", bad.detail)
        ledger.warn(LOST_LINKS)
        return
    builder.link(row, trace, target, link.flags, attributes)


def trace_id(raw: bytes) -> tuple[int, int]:
    """(high, low) of 16 bytes. Raises Rejected."""
    if len(raw) != 16 or not any(raw):
        raise Rejected("bad-trace-id", bad_id(raw, 16))
    return int.from_bytes(raw[:8]), int.from_bytes(raw[8:])


def span_id(raw: bytes, reason: str) -> int:
    """8 bytes as a number. Raises Rejected."""
    if len(raw) != 8 or not any(raw):
        raise Rejected(reason, bad_id(raw, 8))
    return int.from_bytes(raw)


def bad_id(raw: bytes, size: int) -> str:
    """What is wrong with an id that should have `size` bytes."""
    if len(raw) == size:
        return "all zeros"
    return f"{raw[:32].hex() or 'nothing'} is not {size} bytes"
