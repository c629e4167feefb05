"""Decodes Jaeger JSON as its UI and its API export it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from collectors.decoders import scalars
from collectors.decoders.members import (
    Object,
    an_object,
    count,
    each,
    items,
    joined,
    take,
    text,
    within,
)
from collectors.ledger import Ledger, Rejected, Where
from collectors.raw import Attribute, Builder

KINDS = {"internal": 1, "server": 2, "client": 3, "producer": 4, "consumer": 5}
STATUS = {"OK": 1, "ERROR": 2, "STATUS_CODE_OK": 1, "STATUS_CODE_ERROR": 2, "UNSET": 0}
SCOPES = ("otel.scope.name", "otel.library.name", "otel.scope_name")

_REPLY = {"total", "limit", "offset"}
_TRACE = {"spans", "traceID", "spanID"}


def fits(document: Object) -> bool:
    """Whether the document is an API reply or an export, one trace, or one span."""
    data = document.get("data")
    if isinstance(data, list) and data:
        return any(isinstance(item, Mapping) and _TRACE.intersection(item) for item in data)
    if "data" in document:
        return not document.get("errors") and (data == [] or document.keys() >= _REPLY)
    spans = document.get("spans")
    known = "processes" in document or "traceID" in document
    first = spans[0] if isinstance(spans, list) and spans else None
    named = isinstance(first, Mapping) and "spanID" in first
    return "spanID" in document or ("spans" in document and (known or named))


def decode(
    document: Object, builder: Builder, ledger: Ledger, where: Where, path: str = ""
) -> None:
    """Add the spans of `{"data": [...]}`, of one trace or of one span with its process inside.

    `path` leads to the document; what has the wrong type is rejected with its path.
    """
    reading = _Reading(builder, ledger, where)
    if "data" not in document:
        reading.trace(document, path)
        return
    if document.get("errors"):
        ledger.warn("Jaeger answered with errors beside the traces: some may be missing")
    for place, trace in each(document["data"], joined(path, "data"), reading.reject):
        reading.trace(trace, place)


class _Reading:
    """One document on its way into the builder."""

    def __init__(self, builder: Builder, ledger: Ledger, where: Where) -> None:
        self._builder = builder
        self._ledger = ledger
        self._where = where

    def reject(self, bad: Rejected, spans: int = 1) -> None:
        """Count what cannot be read."""
        self._ledger.reject(self._where, bad.reason, bad.detail, max(spans, 1))

    def trace(self, trace: Object, path: str) -> None:
        """Every span of a trace; a bad one costs itself only."""
        alone = "spans" not in trace and "spanID" in trace
        spans = trace.get("spans")
        try:
            processes = take(trace, ("processes",), an_object)
        except Rejected as bad:  # without them no span says whose it is
            self.reject(within(path, bad), len(spans) if isinstance(spans, list) else 1)
            return
        listed = each(spans, joined(path, "spans"), self.reject)
        for place, span in [(path, trace)] if alone else listed:
            try:
                self._span(span, processes, place)
            except Rejected as bad:
                self.reject(within(place, bad))

    def _span(self, span: Object, processes: Object, path: str) -> None:
        trace = take(span, ("traceID",), _trace_id)
        listed = _tags(span, "tags")
        tags = {pair[0]: pair for pair in listed}
        start = take(span, ("startTime",), scalars.time_us)
        logs = list(_logs(span))
        parent, links = self._references(span, trace, path)
        row = self._builder.span(
            trace=trace,
            span_id=take(span, ("spanID",), _span_id),
            parent_id=parent,
            start_ns=start,
            end_ns=min(start + take(span, ("duration",), scalars.time_us), scalars.MAX_NS),
            name=take(span, ("operationName",), text) or "",
            kind=KINDS.get(_value(tags, "span.kind").lower(), 0),
            status=_status(tags),
            status_message=_message(tags),
            trace_flags=take(span, ("flags",), _flags),
            tracestate=_value(tags, "w3c.tracestate") or None,
            resource=self._builder.resource(_process(span, processes)),
            scope=next((_value(tags, name) for name in SCOPES if name in tags), None),
            attributes=[pair for pair in listed if pair[0] != "span.kind"],
        )
        for link_trace, target in links:
            self._builder.link(row, link_trace, target)
        for time, name, attributes in logs:
            self._builder.event(row, time, name, attributes)

    def _references(
        self, span: Object, trace: tuple[int, int], path: str
    ) -> tuple[int, list[Target]]:
        """The first CHILD_OF in the same trace is the parent, the others are links.

        A FOLLOWS_FROM in the same trace is the parent of a span that has no other.
        """
        follows, links = 0, []
        parent = take(span, ("parentSpanID",), _parent_id)
        for place, reference in items(span, "references"):
            try:
                target = _target(reference, trace)
            except Rejected as bad:
                told = within(joined(path, place), bad)
                self._ledger.note(self._where, "bad-link", told.detail)
                self._ledger.warn("links with unusable ids were left out")
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


Target = tuple[tuple[int, int], int]


def _trace_id(value: object) -> tuple[int, int]:
    return scalars.trace_id(value, short=True)


def _span_id(value: object) -> int:
    return scalars.span_id(value, short=True)


def _parent_id(value: object) -> int:
    return scalars.parent_id(value, short=True)


def _target(reference: Object, trace: tuple[int, int]) -> Target:
    named = reference.get("traceID")
    other = trace if named in (None, "") else take(reference, ("traceID",), _trace_id)
    return other, take(reference, ("spanID",), _span_id)


def _tags(owner: Object, name: str) -> list[Attribute]:
    return [_tag(place, tag) for place, tag in items(owner, name)]


def _tag(place: str, tag: Object) -> Attribute:
    try:
        return (take(tag, ("key",), text) or "", *scalars.plain_text(tag.get("value")))
    except Rejected as bad:
        raise within(place, bad) from bad


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
    return None if value is None else count(value) & 1


def _process(span: Object, processes: Object) -> list[Attribute]:
    process = take(span, ("process",), an_object)
    if not process:
        number = take(span, ("processID",), text) or ""
        process = take(processes, (number,), an_object)
    name = take(process, ("serviceName",), text)
    tags = [
        (_RESOURCE.get(key, key), value, quoted) for key, value, quoted in _tags(process, "tags")
    ]
    return [*tags, ("service.name", name, True)] if name is not None else tags


_RESOURCE = {"hostname": "host.name", "jaeger.hostname": "host.name", "pid": "process.pid"}


def _logs(span: Object) -> Iterator[tuple[int, str, list[Attribute]]]:
    """Logs are events: the field `event` is the name; OpenTracing's error fields get OTLP names."""
    for place, log in items(span, "logs"):
        try:
            yield _event(log)
        except Rejected as bad:
            raise within(place, bad) from bad


def _event(log: Object) -> tuple[int, str, list[Attribute]]:
    fields = _tags(log, "fields")
    name = next((value for key, value, _ in fields if key == "event"), "log")
    rest = [(key, value, quoted) for key, value, quoted in fields if key != "event"]
    if name == "error":
        rest = [(_ERROR.get(key, key), value, quoted) for key, value, quoted in rest]
    return take(log, ("timestamp",), scalars.time_us), name, rest


_ERROR = {
    "error.kind": "exception.type",
    "error.object": "exception.message",
    "message": "exception.message",
    "stack": "exception.stacktrace",
}
