"""Decodes OTLP JSON from plain objects, span by span: every spelling, every odd type.

Slow and forgiving; `otlp_json` reads the regular lines faster and leaves the others to this.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from collectors.decoders import scalars
from collectors.decoders.members import (
    BAD_TYPE,
    Object,
    a_list,
    an_object,
    count,
    each,
    find,
    items,
    joined,
    take,
    text,
    within,
)
from collectors.ledger import Ledger, Rejected, Where
from collectors.raw import Attribute, Builder

KINDS = {
    f"SPAN_KIND_{name}": number
    for number, name in enumerate(
        ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
    )
}
CODES = {"STATUS_CODE_UNSET": 0, "STATUS_CODE_OK": 1, "STATUS_CODE_ERROR": 2}

TRACE, SPAN = ("traceId", "trace_id"), ("spanId", "span_id")
PARENT = ("parentSpanId", "parent_span_id")
START = ("startTimeUnixNano", "start_time_unix_nano")
END = ("endTimeUnixNano", "end_time_unix_nano")
TIME = ("timeUnixNano", "time_unix_nano")
DROPPED_LINKS = ("droppedLinksCount", "dropped_links_count")
GROUPS = ("resourceSpans", "resource_spans")
SCOPE = ("scope", "instrumentationLibrary", "instrumentation_library")
SCOPES = (
    *("scopeSpans", "scope_spans"),
    *("instrumentationLibrarySpans", "instrumentation_library_spans"),
)

Link = tuple[tuple[int, int], int, int, list[Attribute]]
Event = tuple[int, str, list[Attribute]]


def decode(
    document: Object,
    builder: Builder,
    ledger: Ledger,
    where: Where,
    path: str = "",
    first: int = 0,
) -> None:
    """Add the spans of one request, which stands at `path` of a document.

    What has the wrong type is rejected with its path: a bad value costs its span, a bad list all
    that it would hold. The first ResourceSpans is number `first` of those of the document.
    """
    name, groups = find(document, GROUPS)
    _Request(builder, ledger, where).groups(groups, joined(path, name), first)


def decode_groups(
    groups: object, builder: Builder, ledger: Ledger, where: Where, path: str
) -> None:
    """Add the spans of a list of ResourceSpans that stands at `path`."""
    _Request(builder, ledger, where).groups(groups, path)


class _Request:
    """One list of ResourceSpans on its way into the builder."""

    def __init__(self, builder: Builder, ledger: Ledger, where: Where) -> None:
        self._builder = builder
        self._ledger = ledger
        self._where = where

    def groups(self, groups: object, path: str, first: int = 0) -> None:
        """Every ResourceSpans of the list."""
        for place, group in each(groups, path, self._reject, first):
            name, scopes = find(group, SCOPES)
            try:
                resource = self._builder.resource(take(group, ("resource",), attributes))
            except Rejected as bad:  # what cannot be read says nothing true about its spans
                self._reject(within(place, bad), _spans_in(scopes))
                continue
            for inner, scope in each(scopes, joined(place, name), self._reject):
                self._scope(scope, resource, inner)

    def _scope(self, scope: Object, resource: int, path: str) -> None:
        try:
            name = take(scope, SCOPE, _scope_name)
        except Rejected as bad:
            self._reject(within(path, bad), _spans_in([scope]))
            return
        for place, span in each(scope.get("spans"), joined(path, "spans"), self._reject):
            try:
                self._span(span, resource, name, place)
            except Rejected as bad:
                self._reject(within(place, bad))

    def _reject(self, bad: Rejected, spans: int = 1) -> None:
        self._ledger.reject(self._where, bad.reason, bad.detail, max(spans, 1))

    def _span(self, span: Object, resource: int, scope: str | None, path: str) -> None:
        start, start_bits = take(span, START, scalars.time_ns)
        end, end_bits = take(span, END, scalars.time_ns)
        status, message = take(span, ("status",), _status)
        links, events = list(self._links(span, path)), list(_events(span))
        row = self._builder.span(
            trace=take(span, TRACE, scalars.trace_id),
            span_id=take(span, SPAN, scalars.span_id),
            parent_id=take(span, PARENT, scalars.parent_id),
            start_ns=start,
            end_ns=end,
            name=take(span, ("name",), text) or "",
            kind=take(span, ("kind",), _kind),
            status=status,
            status_message=message,
            trace_flags=take(span, ("flags",), count),
            tracestate=take(span, ("traceState", "trace_state"), text),
            dropped_links=take(span, DROPPED_LINKS, count),
            quality=start_bits | end_bits,
            resource=resource,
            scope=scope,
            attributes=attributes(span),
        )
        for link in links:
            self._builder.link(row, *link)
        for event in events:
            self._builder.event(row, *event)

    def _links(self, span: Object, path: str) -> Iterator[Link]:
        """The links whose ids can be used; the others are noted and cost no span."""
        for place, link in items(span, "links"):
            try:
                target = take(link, TRACE, scalars.trace_id), take(link, SPAN, scalars.span_id)
            except Rejected as bad:
                told = within(joined(path, place), bad)
                self._ledger.note(self._where, "bad-link", told.detail)
                self._ledger.warn("links with unusable ids were left out")
                continue
            try:
                yield (*target, take(link, ("flags",), count), attributes(link))
            except Rejected as bad:
                raise within(place, bad) from bad


def _spans_in(scopes: object) -> int:
    """How many spans those ScopeSpans hold, as far as that can be told."""
    listed = scopes if isinstance(scopes, list) else []
    spans = [scope.get("spans") for scope in listed if isinstance(scope, Mapping)]
    return sum(len(found) for found in spans if isinstance(found, list))


def _scope_name(scope: object) -> str | None:
    return take(an_object(scope), ("name",), text)


def _status(status: object) -> tuple[int, str | None]:
    found = an_object(status)
    return take(found, ("code",), _code), take(found, ("message",), text)


def _kind(value: object) -> int:
    return scalars.enum(value, KINDS)


def _code(value: object) -> int:
    return scalars.enum(value, CODES)


def _events(span: Object) -> Iterator[Event]:
    for place, event in items(span, "events"):
        try:
            time, _ = take(event, TIME, scalars.time_ns)
            yield time, take(event, ("name",), text) or "", attributes(event)
        except Rejected as bad:
            raise within(place, bad) from bad


def attributes(owner: object) -> list[Attribute]:
    """The attributes of a span, resource, link or event as (key, text, quoted).

    Raises Rejected where they are no list of keys with an AnyValue each.
    """
    return [_attribute(place, pair) for place, pair in items(an_object(owner), "attributes")]


def _attribute(place: str, pair: Object) -> Attribute:
    try:
        return (take(pair, ("key",), text) or "", *take(pair, ("value",), value_text))
    except Rejected as bad:
        raise within(place, bad) from bad


def value_text(value: object) -> tuple[str, bool]:
    """(text, whether it is a string) of an AnyValue. Raises Rejected."""
    return scalars.plain_text(plain(value))


def plain(value: object, depth: int = 0) -> Any:
    """An AnyValue as plain JSON; deeper than `MAX_DEPTH` is cut. Raises Rejected."""
    if value is None:
        return None
    if not isinstance(value, Mapping):
        right = '{"stringValue": ...}'
        raise Rejected(BAD_TYPE, f"{scalars.shown(value)} is no AnyValue such as {right}")
    for name, found in value.items():
        reader = _READERS.get(name)
        if reader is not None and found is not None:
            if depth > scalars.MAX_DEPTH:
                return "..."
            try:
                return reader(found, depth)
            except Rejected as bad:
                raise within(name, bad) from bad
    if value and not _READERS.keys() & value.keys():
        there = ", ".join(map(str, value))[: scalars.SHOWN]
        raise Rejected(BAD_TYPE, f"an AnyValue has stringValue, intValue, ..., not {there}")
    return None


def _array(value: object, depth: int) -> list[Any]:
    listed = take(an_object(value), ("values",), a_list)
    return [_element(item, number, depth) for number, item in enumerate(listed)]


def _element(item: object, number: int, depth: int) -> Any:
    try:
        return plain(item, depth + 1)
    except Rejected as bad:
        raise within(f"values[{number}]", bad) from bad


def _map(value: object, depth: int) -> dict[str, Any]:
    return dict(_pair(place, pair, depth) for place, pair in items(an_object(value), "values"))


def _pair(place: str, pair: Object, depth: int) -> tuple[str, Any]:
    try:
        key = take(pair, ("key",), text)
        return key or "", take(pair, ("value",), lambda value: plain(value, depth + 1))
    except Rejected as bad:
        raise within(place, bad) from bad


def _double(value: object, depth: int) -> object:
    if isinstance(value, (int, float, str)) and not isinstance(value, bool):
        try:
            return float(value)
        except (ValueError, OverflowError):
            pass
    raise Rejected(BAD_TYPE, f"{scalars.shown(value)} is no number")


def _int(value: object, depth: int) -> object:
    """No integer, or one beyond int64, costs the span: never rounded."""
    number = scalars.integer(value)
    if number >= 2**63:
        raise Rejected("bad-integer", f"{number} is beyond int64")
    return number


def _bool(value: object, depth: int) -> object:
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return value == "true"
    raise Rejected(BAD_TYPE, f"{scalars.shown(value)} is neither true nor false")


def _string(value: object, depth: int) -> object:
    return text(value)


_READERS = {
    "stringValue": _string,
    "boolValue": _bool,
    "intValue": _int,
    "doubleValue": _double,
    "arrayValue": _array,
    "kvlistValue": _map,
    "bytesValue": _string,
    "string_value": _string,
    "bool_value": _bool,
    "int_value": _int,
    "double_value": _double,
    "array_value": _array,
    "kvlist_value": _map,
    "bytes_value": _string,
}
