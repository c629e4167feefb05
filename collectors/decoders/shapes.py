"""Names what a JSON document without traces is by its members, and says how to come to traces."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from collectors.decoders.scalars import shown
from collectors.foreign import Foreign

Object = Mapping[str, Any]
MEMBERS_SHOWN = 4


def foreign(document: object) -> Foreign:
    """What that document looks like."""
    if isinstance(document, str) and document.lstrip()[:1] in ("{", "["):
        return Foreign("JSON inside of a JSON string", "unquote it with jq -r .")
    if not isinstance(document, Mapping):
        return Foreign(f"JSON that is {shown(document)[:30]}")
    said = failure(document)
    if said:
        reply = f"an error reply instead of traces: {said[:120]}"
        return Foreign("an error reply", sentence=reply)
    for fits, found in _SHAPES:
        if fits(document):
            return found
    names = [str(name) if len(str(name)) < 13 else f"{str(name)[:12]}…" for name in document]
    listed = ", ".join(names[:MEMBERS_SHOWN]) + (", …" if len(names) > MEMBERS_SHOWN else "")
    return Foreign(f"JSON with {listed}" if names else "an empty JSON object")


def failure(document: Object) -> str | None:
    """What an API answered instead of traces, in its words; None where it is no error reply."""
    if document.get("data") or any(isinstance(document.get(name), list) for name in _TRACES):
        return None
    errors = document.get("errors")
    for error in errors if isinstance(errors, list) else []:
        said = _said(error)
        if said:
            return said
    error = document.get("error")
    if isinstance(error, str) and error and set(document) <= _REPLY:
        return error
    return _said(error) or (_said(document) if set(document) <= _REPLY else None)


_TRACES = ("spans", "resourceSpans", "batches", "traces")
_REPLY = {"error", "code", "status", "message", "msg", "details", "errors", "data", "timestamp",
          "path", "httpCode", "grpcCode", "httpStatus", "statusCode", "total", "limit", "offset",
          "traceID", "success", "type", "title", "detail"}  # fmt: skip


_WORDS = ("msg", "message", "detail", "reason")


def _said(error: object) -> str | None:
    """`404 trace not found` of an error object."""
    if isinstance(error, str):
        return error or None
    if not isinstance(error, Mapping):
        return None
    text = next((t for n in _WORDS if isinstance(t := error.get(n), str)), "")
    code = next(
        (c for n in ("code", "status", "httpCode", "statusCode") if (c := error.get(n))), ""
    )
    trace = error.get("traceID")
    words = [str(code) if isinstance(code, (int, str)) else "", text]
    words.append(f"(trace {trace})" if isinstance(trace, str) else "")
    return " ".join(word for word in words if word) if text else None


def _has(*names: str) -> Callable[[Object], bool]:
    return lambda document: all(name in document for name in names)


def _first(name: str, *members: str) -> Callable[[Object], bool]:
    """Whether `name` is a list whose first element has these members."""

    def fits(document: Object) -> bool:
        listed = document.get(name)
        item = listed[0] if isinstance(listed, list) and listed else None
        return isinstance(item, Mapping) and all(member in item for member in members)

    return fits


def _xray(document: Object) -> bool:
    return _first("Traces", "Segments")(document) or (
        _has("trace_id", "start_time")(document) and str(document["trace_id"]).startswith("1-")
    )


def _names(document: Object) -> bool:
    listed = document.get("data")
    return isinstance(listed, list) and bool(listed) and all(isinstance(x, str) for x in listed)


def _otel_context(document: Object) -> bool:
    context = document.get("context", document.get("SpanContext"))
    return isinstance(context, Mapping) and bool({"trace_id", "TraceID", "traceId"} & set(context))


def _other_case(document: Object) -> bool:
    names = {str(name).lower().replace("_", "").replace("-", "") for name in document}
    return "resourcespans" in names


def _inside(*path: str) -> Callable[[Object], bool]:
    """Whether these members lead, one in the other, to something."""

    def fits(document: Object) -> bool:
        found: object = document
        for name in path:
            found = found.get(name) if isinstance(found, Mapping) else None
        return found is not None

    return fits


def _honeycomb(document: Object) -> bool:
    return any(str(name).startswith("trace.trace_id") for name in document)


_JAEGER = "fetch /api/traces?service=NAME"
_BARE = Foreign("OTLP spans without their resource", "wrap them in resourceSpans")
_DATADOG = Foreign("Datadog spans", "send them to a Collector with a datadog receiver")
_ELASTIC = Foreign("an Elasticsearch reply", "export from Jaeger's API, or write OTLP")
_TEMPO_SEARCH = Foreign("a Tempo search result, without spans", "fetch /api/v2/traces/ID of each")
# The first that fits says what the document is.
_SHAPES: Sequence[tuple[Callable[[Object], bool], Foreign]] = (
    (_xray, Foreign("AWS X-Ray segments", "let the Collector's awsxray receiver translate them")),
    (_has("Segments"), Foreign("AWS X-Ray segments", "let the Collector's awsxray receiver do it")),
    (_has("trace_id", "span_id", "resource", "service"), _DATADOG),
    (_has("trace_id", "span_id", "meta"), _DATADOG),
    (_first("data", "attributes", "type"), _DATADOG),
    (_first("traces", "rootServiceName"), _TEMPO_SEARCH),
    (_first("traces", "rootTraceName"), _TEMPO_SEARCH),
    (_first("traces", "traceID", "startTimeUnixNano"), _TEMPO_SEARCH),
    (_names, Foreign("Jaeger's list of services", _JAEGER)),
    (_has("binaryAnnotations"), Foreign("Zipkin v1 spans", "fetch /api/v2/traces")),
    (_otel_context, Foreign("an SDK's console exporter", "use its OTLP exporter to a Collector")),
    (_has("spanId", "startTimeUnixNano"), _BARE),
    (_first("spans", "spanId", "startTimeUnixNano"), _BARE),
    (_other_case, Foreign("OTLP in another spelling", "the member is called resourceSpans")),
    (_first("data", "parent", "child"), Foreign("Jaeger's dependency graph", _JAEGER)),
    (_first("data", "spanKind"), Foreign("Jaeger's list of operations", _JAEGER)),
    (_has("log", "stream", "time"), Foreign("a container's log", "take the lines out: jq -r .log")),
    (_has("common", "spans"), Foreign("New Relic spans", "write OTLP instead")),
    (_first("tables", "rows"), Foreign("an Application Insights result", "write OTLP instead")),
    (_inside("data", "trace", "spans"), Foreign("SkyWalking spans", "use its OTLP export")),
    (_honeycomb, Foreign("Honeycomb events", "write OTLP beside them")),
    (_has("projectId", "spans"), Foreign("Google Cloud traces", "write OTLP beside them")),
    (_has("traceEvents"), Foreign("a Chrome trace", "export OTLP, it knows services")),
    (_has("hits"), _ELASTIC),
    (_has("_source"), _ELASTIC),
    (_has("schemaVersion", "panels"), Foreign("a Grafana dashboard", "export the traces")),
    (_first("panels", "type"), Foreign("a Grafana dashboard", "export the traces")),
    (_has("dependencies", "name"), Foreign("an npm package.json")),
    (_has("$schema", "properties"), Foreign("a JSON Schema")),
    (_has("openapi"), Foreign("an OpenAPI description")),
    (_has("segmentId", "startTime"), Foreign("SkyWalking segments", "use its OTLP export")),
    (
        lambda document: "message" in document or "msg" in document or "level" in document,
        Foreign("log records", "spans are needed, not log lines"),
    ),
)
