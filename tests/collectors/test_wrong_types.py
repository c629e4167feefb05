"""A value of the wrong type is counted with its line, its path, what it was, what is right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from collectors import Recording, read
from tests.collectors.test_json_lines import request, span

GOOD = request(span(1))
PYTHON_WORDS = ("NoneType", "dict", "'list'", "list index", "Traceback", "float", "object has no")


@pytest.fixture
def reading(tmp_path: Path) -> Any:
    def read_values(*values: Any) -> Recording:
        lines = [v if isinstance(v, bytes) else json.dumps(v).encode() for v in values]
        (tmp_path / "x.jsonl").write_bytes(b"\n".join(lines))
        return read([tmp_path / "x.jsonl"])

    return read_values


def one_problem(found: Recording) -> tuple[int | None, str, str]:
    assert found.intake.damaged
    (problem,) = found.intake.problems
    assert not any(word in problem.detail for word in PYTHON_WORDS)
    return problem.line, problem.reason, problem.detail


GROUP = "resourceSpans[0].scopeSpans[0]"
LISTS: list[tuple[Any, str, str]] = [
    ({"resourceSpans": 5}, "resourceSpans", "5 (a number) is not a list"),
    ({"resourceSpans": {}}, "resourceSpans", "an object is not a list"),
    ({"resourceSpans": "x"}, "resourceSpans", '"x" is not a list'),
    ({"resourceSpans": [5]}, "resourceSpans[0]", "5 (a number) is not an object"),
    ({"resourceSpans": [None]}, "resourceSpans[0]", "null is not an object"),
    (
        {"resourceSpans": [{"scopeSpans": {}}]},
        "resourceSpans[0].scopeSpans",
        "an object is not a list",
    ),
    ({"resourceSpans": [{"scopeSpans": [True]}]}, GROUP, "true (a boolean) is not an object"),
    ({"resourceSpans": [{"resource": 5}]}, "resourceSpans[0].resource", "5 (a number)"),
    (
        {"resourceSpans": [{"resource": {"attributes": {"service.name": "x"}}}]},
        "resourceSpans[0].resource.attributes",
        "an object is not a list",
    ),
    (
        {"resourceSpans": [{"scopeSpans": [{"spans": {}}]}]},
        f"{GROUP}.spans",
        "an object is not a list",
    ),
    (
        {"resourceSpans": [{"scopeSpans": [{"scope": 7}]}]},
        f"{GROUP}.scope",
        "7 (a number) is not an object",
    ),
    (
        {"resourceSpans": [{"scopeSpans": [{"scope": {"name": 7}}]}]},
        f"{GROUP}.scope.name",
        "7 (a number) is not text",
    ),
    (
        {"resourceSpans": [{"scopeSpans": [{"spans": ["x"]}]}]},
        f"{GROUP}.spans[0]",
        '"x" is not an object',
    ),
]


@pytest.mark.parametrize(("document", "path", "said"), LISTS)
def test_a_wrong_list_is_one_problem(reading: Any, document: Any, path: str, said: str) -> None:
    line, _, detail = one_problem(reading(GOOD, document, request(span(2))))
    assert (line, detail.startswith(f"{path}: "), said in detail) == (2, True, True), detail


ATTRIBUTE = [{"key": "a", "value": {"stringValue": "x"}}]


def value(found: Any) -> dict[str, Any]:
    return {"attributes": [*ATTRIBUTE, {"key": "b", "value": found}]}


FIELDS: list[tuple[dict[str, Any], str, str]] = [
    ({"traceId": 7}, "traceId", "7 (a number) is not 32 hex digits"),
    ({"traceId": {}}, "traceId", "an object is not 32 hex digits"),
    ({"traceId": None}, "traceId", "missing; 32 hex digits are needed"),
    ({"spanId": []}, "spanId", "a list is not 16 hex digits"),
    ({"parentSpanId": 5}, "parentSpanId", "5 (a number) is not 16 hex digits"),
    ({"startTimeUnixNano": True}, "startTimeUnixNano", "true (a boolean) is not an integer"),
    ({"endTimeUnixNano": {}}, "endTimeUnixNano", "an object is not an integer"),
    ({"endTimeUnixNano": "2024-05-31"}, "endTimeUnixNano", '"2024-05-31" is not an integer'),
    ({"kind": "CONSUMER"}, "kind", 'write 5 or "SPAN_KIND_CONSUMER"'),
    ({"kind": "sideways"}, "kind", "SPAN_KIND_PRODUCER"),
    ({"kind": {}}, "kind", "an object is not an integer"),
    ({"kind": False}, "kind", "false (a boolean) is not an integer"),
    ({"status": 5}, "status", "5 (a number) is not an object"),
    ({"status": {"code": "ERROR"}}, "status.code", 'write 2 or "STATUS_CODE_ERROR"'),
    ({"status": {"message": 5}}, "status.message", "5 (a number) is not text"),
    ({"name": 5}, "name", "5 (a number) is not text"),
    ({"flags": "x"}, "flags", '"x" is not an integer'),
    ({"flags": -1}, "flags", "beyond 32 bits"),
    ({"traceState": {}}, "traceState", "an object is not text"),
    ({"droppedLinksCount": "many"}, "droppedLinksCount", '"many" is not an integer'),
    ({"attributes": "x"}, "attributes", '"x" is not a list'),
    ({"attributes": {"a": "b"}}, "attributes", "an object is not a list"),
    ({"attributes": ["x"]}, "attributes[0]", '"x" is not an object'),
    ({"attributes": [{"key": 5, "value": {}}]}, "attributes[0].key", "5 (a number) is not text"),
    (value("x"), "attributes[1].value", '"x" is no AnyValue such as {"stringValue": ...}'),
    (value({"stringValue": 5}), "attributes[1].value.stringValue", "5 (a number) is not text"),
    (value({"intValue": "x"}), "attributes[1].value.intValue", '"x" is not an integer'),
    (value({"boolValue": "yes"}), "attributes[1].value.boolValue", "neither true nor false"),
    (value({"doubleValue": "x"}), "attributes[1].value.doubleValue", '"x" is no number'),
    (value({"arrayValue": []}), "attributes[1].value.arrayValue", "a list is not an object"),
    (
        value({"arrayValue": {"values": [{}, 5]}}),
        "attributes[1].value.arrayValue.values[1]",
        "5 (a number) is no AnyValue",
    ),
    (
        value({"kvlistValue": {"values": [{"key": "x", "value": {"intValue": {}}}]}}),
        "attributes[1].value.kvlistValue.values[0].value.intValue",
        "an object is not an integer",
    ),
    ({"links": {}}, "links", "an object is not a list"),
    ({"links": [5]}, "links[0]", "5 (a number) is not an object"),
    ({"events": "x"}, "events", '"x" is not a list'),
    ({"events": [{"timeUnixNano": []}]}, "events[0].timeUnixNano", "a list is not an integer"),
    ({"events": [{"attributes": 5}]}, "events[0].attributes", "5 (a number) is not a list"),
]


@pytest.mark.parametrize(("fields", "path", "said"), FIELDS)
def test_a_wrong_value_costs_its_span(
    reading: Any, fields: dict[str, Any], path: str, said: str
) -> None:
    """The other spans of the request stay."""
    found = reading(GOOD, request(span(2), span(3), span(9, **fields), span(4)))
    assert found.spans["span_id"].to_list() == [1, 2, 3, 4]
    assert sum(found.intake.rejected.values()) == 1
    line, _, detail = one_problem(found)
    assert line == 2
    assert detail.startswith(f"{GROUP}.spans[2].{path}: "), detail
    assert said in detail


def test_a_link_with_a_wrong_id_costs_itself_and_is_named(reading: Any) -> None:
    found = reading(request(span(1, links=[{"traceId": 7, "spanId": "x"}])))
    assert (found.intake.spans, found.intake.damaged) == (1, False)
    assert found.intake.problems[0].detail.startswith(f"{GROUP}.spans[0].links[0].traceId: 7 ")


def test_a_wrong_resource_costs_all_its_spans(reading: Any) -> None:
    found = reading(GOOD, request(span(2), span(3), resource={"attributes": 5}))
    assert (found.intake.spans, dict(found.intake.rejected)) == (1, {"bad-type": 2})


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "SPAN_KIND_CONSUMER"},
        {"kind": "span_kind_consumer"},
        {"kind": "5"},
        {"kind": 5.0},
        {"kind": 5, "startTimeUnixNano": "1000", "endTimeUnixNano": 2000},
    ],
)
def test_the_protobuf_json_mapping_is_accepted(reading: Any, fields: dict[str, Any]) -> None:
    """Enums by name or number, 64-bit integers as number or string."""
    row = reading(request(span(1, **fields))).spans.row(0, named=True)
    assert (row["kind"], row["start_ns"], row["end_ns"]) == (5, 1000, 2000)


def test_an_enum_number_of_tomorrow_is_unspecified(reading: Any) -> None:
    for kind in (99, 300, -1):
        found = reading(request(span(1, kind=kind)))
        assert (found.spans["kind"][0], found.intake.damaged) == (0, False)


def test_paths_in_arrays_and_pretty_documents(reading: Any, tmp_path: Path) -> None:
    """The path leads through whatever stands around; the line is that of the request."""
    bad = json.loads(request(span(2, traceId=7)))
    assert (
        "[1].resourceSpans[0].scopeSpans[0].spans[0].traceId: "
        in one_problem(reading([json.loads(GOOD), bad]))[2]
    )
    document = {"resourceSpans": [json.loads(GOOD)["resourceSpans"][0], *bad["resourceSpans"]]}
    pretty = json.dumps(document, indent=2)
    (tmp_path / "pretty.json").write_text(pretty)
    line, _, detail = one_problem(read([tmp_path / "pretty.json"]))
    assert detail.startswith("resourceSpans[1].scopeSpans[0].spans[0].traceId: ")
    assert line is not None
    before = pretty.split("\n")[: line - 1]
    assert sum('"resource"' in text for text in before) == 1


JAEGER = {"traceID": "ab", "spanID": "1", "operationName": "op", "startTime": 1, "duration": 1}
JAEGER_FIELDS: list[tuple[dict[str, Any], str]] = [
    ({"traceID": 7}, "traceID: 7 (a number) is not 32 hex digits"),
    ({"spanID": None}, "spanID: missing; 16 hex digits are needed"),
    (
        {"startTime": "now"},
        'startTime: "now" is not an integer; microseconds since 1970 are needed',
    ),
    ({"operationName": 5}, "operationName: 5 (a number) is not text"),
    ({"tags": {"a": "b"}}, "tags: an object is not a list"),
    ({"tags": [5]}, "tags[0]: 5 (a number) is not an object"),
    ({"tags": [{"key": 5}]}, "tags[0].key: 5 (a number) is not text"),
    ({"references": 5}, "references: 5 (a number) is not a list"),
    ({"logs": {}}, "logs: an object is not a list"),
    ({"logs": [{"fields": 5}]}, "logs[0].fields: 5 (a number) is not a list"),
    (
        {"logs": [{"timestamp": "x"}]},
        'logs[0].timestamp: "x" is not an integer; microseconds since 1970 are needed',
    ),
    ({"process": 5}, "process: 5 (a number) is not an object"),
    ({"flags": "x"}, 'flags: "x" is not an integer'),
]


@pytest.mark.parametrize(("fields", "said"), JAEGER_FIELDS)
def test_jaeger_values_too(reading: Any, fields: dict[str, Any], said: str) -> None:
    good = {**JAEGER, "spanID": "2"}
    document = {"data": [{"traceID": "ab", "spans": [good, {**JAEGER, **fields}]}]}
    found = reading(document)
    assert found.spans["span_id"].to_list() == [2]
    assert one_problem(found)[2] == f"data[0].spans[1].{said}"


def test_jaeger_lists_too(reading: Any) -> None:
    trace: dict[str, Any] = {"traceID": "ab", "spans": {}}
    assert one_problem(reading({"data": [trace]}))[2] == "data[0].spans: an object is not a list"
    trace = {"traceID": "ab", "spans": [JAEGER, JAEGER], "processes": 5}
    found = reading({"data": [trace]})
    assert dict(found.intake.rejected) == {"bad-type": 2}
    reply = {"data": 5, "total": 0, "limit": 0, "offset": 0, "errors": None}
    assert one_problem(reading(reply))[2] == "data: 5 (a number) is not a list"


ZIPKIN = {"traceId": "ab", "id": "1", "timestamp": 1, "duration": 1}


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"traceId": 7}, "traceId: 7 (a number) is not 32 hex digits"),
        ({"kind": 5}, "kind: 5 (a number) is not text"),
        ({"name": {}}, "name: an object is not text"),
        ({"shared": "yes"}, 'shared: "yes" is neither true nor false'),
        ({"tags": []}, "tags: a list is not an object"),
        ({"localEndpoint": "a"}, 'localEndpoint: "a" is not an object'),
        ({"localEndpoint": {"serviceName": 5}}, "localEndpoint.serviceName: 5 (a number)"),
        ({"annotations": [5]}, "annotations[0]: 5 (a number) is not an object"),
        ({"timestamp": True}, "timestamp: true (a boolean) is not an integer"),
    ],
)
def test_zipkin_values_too(reading: Any, fields: dict[str, Any], said: str) -> None:
    found = reading([{**ZIPKIN, "id": "2"}, {**ZIPKIN, **fields}])
    assert found.spans["span_id"].to_list() == [2]
    assert one_problem(found)[2].startswith(f"[1].{said}")
