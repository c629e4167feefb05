"""Decodes OTLP JSON from plain objects, span by span: every spelling, every odd type.

Slow and forgiving; `otlp_json` reads the regular lines faster and leaves the others to this.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from collectors.decoders import scalars
from collectors.ledger import Ledger, Rejected, Where
from collectors.raw import Attribute, Builder

KINDS = {
    f"SPAN_KIND_{name}": number
    for number, name in enumerate(
        ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
    )
}
CODES = {"STATUS_CODE_UNSET": 0, "STATUS_CODE_OK": 1, "STATUS_CODE_ERROR": 2}

Object = Mapping[str, Any]


def decode(document: Object, builder: Builder, ledger: Ledger, where: Where) -> None:
    """Add the spans of one request; a bad span costs itself only."""
    requests = _list(document, "resourceSpans", "resource_spans")
    for group in requests:
        try:
            resource = builder.resource(attributes(_get(group, "resource")))
        except Rejected as bad:
            _reject_all(group, bad, ledger, where)
            continue
        for scope in _scopes(group):
            name = _get(_get(scope, "scope", "instrumentationLibrary"), "name")
            for span in _list(scope, "spans"):
                try:
                    _span(span, builder, resource, name, ledger, where)
                except Rejected as bad:
                    ledger.reject(where, bad.reason, bad.detail)


def _reject_all(group: object, bad: Rejected, ledger: Ledger, where: Where) -> None:
    """A resource that cannot be read says nothing true about its spans."""
    spans = sum(len(_list(scope, "spans")) for scope in _scopes(group))
    ledger.reject(where, bad.reason, f"in the resource: {bad.detail}", spans)


def _get(value: object, *names: str) -> Any:
    """The first of these members that is there; None where `value` is no object."""
    if isinstance(value, Mapping):
        for name in names:
            found = value.get(name)
            if found is not None:
                return found
    return None


def _list(value: object, *names: str) -> list[Any]:
    found = _get(value, *names)
    return found if isinstance(found, list) else []


def _scopes(group: object) -> Iterator[Any]:
    names = ("scopeSpans", "scope_spans")
    older = ("instrumentationLibrarySpans", "instrumentation_library_spans")
    yield from _list(group, *names, *older)


def _span(
    span: object, builder: Builder, resource: int, scope: object, ledger: Ledger, where: Where
) -> None:
    if not isinstance(span, Mapping):
        raise Rejected("bad-span", f"{scalars.shown(span)} is not an object")
    start, start_bits = scalars.time_ns(_get(span, "startTimeUnixNano", "start_time_unix_nano"))
    end, end_bits = scalars.time_ns(_get(span, "endTimeUnixNano", "end_time_unix_nano"))
    status = _get(span, "status")
    links, events = list(_links(span, ledger, where)), list(_events(span))
    row = builder.span(
        trace=scalars.trace_id(_get(span, "traceId", "trace_id")),
        span_id=scalars.span_id(_get(span, "spanId", "span_id")),
        parent_id=scalars.parent_id(_get(span, "parentSpanId", "parent_span_id")),
        start_ns=start,
        end_ns=end,
        name=_text(_get(span, "name")) or "",
        kind=scalars.enum(_get(span, "kind"), KINDS),
        status=scalars.enum(_get(status, "code"), CODES),
        status_message=_text(_get(status, "message")),
        trace_flags=_count(_get(span, "flags")),
        tracestate=_text(_get(span, "traceState", "trace_state")),
        dropped_links=_count(_get(span, "droppedLinksCount", "dropped_links_count")),
        quality=start_bits | end_bits,
        resource=resource,
        scope=_text(scope),
        attributes=attributes(span),
    )
    for link in links:
        builder.link(row, *link)
    for event in events:
        builder.event(row, *event)


Link = tuple[tuple[int, int], int, int, list[Attribute]]
Event = tuple[int, str, list[Attribute]]


def _links(span: Object, ledger: Ledger, where: Where) -> Iterator[Link]:
    for link in _list(span, "links"):
        try:
            trace = scalars.trace_id(_get(link, "traceId", "trace_id"))
            target = scalars.span_id(_get(link, "spanId", "span_id"))
        except Rejected as bad:
            ledger.note(where, "bad-link", bad.detail)
            ledger.warn("links with unusable ids were left out")
            continue
        yield trace, target, _count(_get(link, "flags")), attributes(link)


def _events(span: Object) -> Iterator[Event]:
    for event in _list(span, "events"):
        time, _ = scalars.time_ns(_get(event, "timeUnixNano", "time_unix_nano"))
        yield time, _text(_get(event, "name")) or "", attributes(event)


def _text(value: object) -> str | None:
    return None if value is None else scalars.plain_text(value)[0]


def _count(value: object) -> int:
    """A 32-bit count or flags; 0 where it is none."""
    try:
        number = scalars.integer(value)
    except Rejected:
        return 0
    return number if 0 <= number < 2**32 else 0


def attributes(owner: object) -> list[Attribute]:
    """The attributes of a span, resource, link or event as (key, text, quoted)."""
    pairs = ((_get(pair, "key"), _get(pair, "value")) for pair in _list(owner, "attributes"))
    return [(key, *value_text(value)) for key, value in pairs if isinstance(key, str)]


def value_text(value: object) -> tuple[str, bool]:
    """(text, whether it is a string) of an AnyValue."""
    return scalars.plain_text(plain(value))


def plain(value: object, depth: int = 0) -> Any:
    """An AnyValue as plain JSON; deeper than `MAX_DEPTH` is cut."""
    if not isinstance(value, Mapping):
        return None
    for name, found in value.items():
        reader = _READERS.get(name)
        if reader is not None and found is not None:
            return reader(found, depth) if depth <= scalars.MAX_DEPTH else "..."
    return None


def _array(value: object, depth: int) -> list[Any]:
    return [plain(item, depth + 1) for item in _list(value, "values")]


def _map(value: object, depth: int) -> dict[str, Any]:
    pairs = ((_get(item, "key"), _get(item, "value")) for item in _list(value, "values"))
    return {str(key): plain(item, depth + 1) for key, item in pairs}


def _double(value: object, depth: int) -> object:
    if isinstance(value, bool):
        return value
    try:
        return float(value) if isinstance(value, (int, float, str)) else value
    except (ValueError, OverflowError):
        return str(value)


def _int(value: object, depth: int) -> object:
    """No integer, or one beyond int64, costs the span: never rounded."""
    number = scalars.integer(value)
    if number >= 2**63:
        raise Rejected("bad-integer", f"{number} is beyond int64")
    return number


def _bool(value: object, depth: int) -> object:
    return value == "true" if value in ("true", "false") else value


def _same(value: object, depth: int) -> object:
    return value


_READERS = {
    "stringValue": _same,
    "boolValue": _bool,
    "intValue": _int,
    "doubleValue": _double,
    "arrayValue": _array,
    "kvlistValue": _map,
    "bytesValue": _same,
    "string_value": _same,
    "bool_value": _bool,
    "int_value": _int,
    "double_value": _double,
    "array_value": _array,
    "kvlist_value": _map,
    "bytes_value": _same,
}
