"""Decodes Jaeger JSON as its UI and its API export it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from collectors.decoders import scalars
from collectors.ledger import Ledger, Rejected, Where
from collectors.raw import Attribute, Builder

KINDS = {"internal": 1, "server": 2, "client": 3, "producer": 4, "consumer": 5}
STATUS = {"OK": 1, "ERROR": 2, "STATUS_CODE_OK": 1, "STATUS_CODE_ERROR": 2, "UNSET": 0}
SCOPES = ("otel.scope.name", "otel.library.name", "otel.scope_name")
MAX_US = scalars.MAX_NS // 1000

Object = Mapping[str, Any]


def decode(document: Object, builder: Builder, ledger: Ledger, where: Where) -> None:
    """Add the spans of `{"data": [...]}`, of one trace or of one span with its process inside."""
    data = document.get("data")
    for trace in data if isinstance(data, list) else [document]:
        if not isinstance(trace, Mapping):
            ledger.reject(where, "bad-trace", f"{scalars.shown(trace)} is not an object")
            continue
        processes = trace.get("processes")
        known = processes if isinstance(processes, Mapping) else {}
        spans = trace.get("spans", [trace] if "spanID" in trace else [])
        for span in spans if isinstance(spans, list) else []:
            try:
                _span(span, known, builder, ledger, where)
            except Rejected as bad:
                ledger.reject(where, bad.reason, bad.detail)


def _span(span: object, processes: Object, builder: Builder, ledger: Ledger, where: Where) -> None:
    if not isinstance(span, Mapping):
        raise Rejected("bad-span", f"{scalars.shown(span)} is not an object")
    trace = scalars.trace_id(span.get("traceID"), short=True)
    tags = {pair[0]: pair for pair in _tags(span.get("tags"))}
    start = _us(span.get("startTime"))
    logs = list(_logs(span))
    parent, links = _references(span, trace, ledger, where)
    row = builder.span(
        trace=trace,
        span_id=scalars.span_id(span.get("spanID"), short=True),
        parent_id=parent,
        start_ns=start,
        end_ns=min(start + _us(span.get("duration")), scalars.MAX_NS),
        name=_text(span.get("operationName")),
        kind=KINDS.get(_value(tags, "span.kind").lower(), 0),
        status=_status(tags),
        status_message=_message(tags),
        trace_flags=_flags(span.get("flags")),
        tracestate=_value(tags, "w3c.tracestate") or None,
        resource=builder.resource(_process(span, processes)),
        scope=next((_value(tags, name) for name in SCOPES if name in tags), None),
        attributes=[pair for pair in _tags(span.get("tags")) if pair[0] != "span.kind"],
    )
    for link_trace, target in links:
        builder.link(row, link_trace, target)
    for time, name, attributes in logs:
        builder.event(row, time, name, attributes)


def _us(value: object) -> int:
    """Microseconds as nanoseconds, clamped to int64. Raises Rejected."""
    if value is None:
        return 0
    number = scalars.integer(value, "bad-time")
    if number < 0:
        raise Rejected("bad-time", f"{number} is negative")
    return min(number, MAX_US) * 1000


def _text(value: object) -> str:
    return "" if value is None else scalars.plain_text(value)[0]


def _tags(tags: object) -> Iterator[Attribute]:
    for tag in tags if isinstance(tags, list) else []:
        if isinstance(tag, Mapping) and isinstance(tag.get("key"), str):
            yield (tag["key"], *scalars.plain_text(tag.get("value")))


def _value(tags: Mapping[str, Attribute], name: str) -> str:
    return tags[name][1] if name in tags else ""


def _status(tags: Mapping[str, Attribute]) -> int:
    """`error=true` is Jaeger's own way, `otel.status_code` that of translated OTLP."""
    if _value(tags, "error").lower() == "true":
        return 2
    return STATUS.get(_value(tags, "otel.status_code").upper(), 0)


def _message(tags: Mapping[str, Attribute]) -> str | None:
    names = ("otel.status_description", "error.message", "error.object")
    return next((_value(tags, name) for name in names if _value(tags, name)), None)


def _flags(value: object) -> int | None:
    """Jaeger's bit 0 is W3C's: sampled."""
    return value & 1 if isinstance(value, int) and value >= 0 else None


def _process(span: Object, processes: Object) -> list[Attribute]:
    process = span.get("process") or processes.get(str(span.get("processID")))
    if not isinstance(process, Mapping):
        return []
    name = process.get("serviceName")
    tags = [
        (_RESOURCE.get(key, key), text, quoted) for key, text, quoted in _tags(process.get("tags"))
    ]
    return [*tags, ("service.name", name, True)] if isinstance(name, str) else tags


_RESOURCE = {"hostname": "host.name", "jaeger.hostname": "host.name", "pid": "process.pid"}

Target = tuple[tuple[int, int], int]


def _references(
    span: Object, trace: tuple[int, int], ledger: Ledger, where: Where
) -> tuple[int, list[Target]]:
    """The first CHILD_OF in the same trace is the parent, the others are links.

    A FOLLOWS_FROM in the same trace is the parent of a span that has no other.
    """
    parent, follows, links = scalars.parent_id(span.get("parentSpanID"), short=True), 0, []
    listed = span.get("references")
    for reference in listed if isinstance(listed, list) else []:
        if not isinstance(reference, Mapping):
            continue
        try:
            target = _target(reference, trace)
        except Rejected as bad:
            ledger.note(where, "bad-link", bad.detail)
            ledger.warn("links with unusable ids were left out")
            continue
        child_of = reference.get("refType", "CHILD_OF") != "FOLLOWS_FROM"
        if child_of and target[0] == trace and parent in (0, target[1]):
            parent = target[1]
        elif not child_of and target[0] == trace and not follows:
            follows = target[1]
        else:
            links.append(target)
    if follows and not parent:
        return follows, links
    return parent, [*links, (trace, follows)] if follows and follows != parent else links


def _target(reference: Object, trace: tuple[int, int]) -> Target:
    named = reference.get("traceID")
    other = trace if named in (None, "") else scalars.trace_id(named, short=True)
    return other, scalars.span_id(reference.get("spanID"), short=True)


def _logs(span: Object) -> Iterator[tuple[int, str, list[Attribute]]]:
    """Logs are events: the field `event` is the name; OpenTracing's error fields get OTLP names."""
    listed = span.get("logs")
    for log in listed if isinstance(listed, list) else []:
        if not isinstance(log, Mapping):
            continue
        fields = list(_tags(log.get("fields")))
        name = next((text for key, text, _ in fields if key == "event"), "log")
        rest = [(key, text, quoted) for key, text, quoted in fields if key != "event"]
        if name == "error":
            rest = [(_ERROR.get(key, key), text, quoted) for key, text, quoted in rest]
        yield _us(log.get("timestamp")), name, rest


_ERROR = {
    "error.kind": "exception.type",
    "error.object": "exception.message",
    "message": "exception.message",
    "stack": "exception.stacktrace",
}
