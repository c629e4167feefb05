"""Jaeger and Zipkin JSON: parents, links, errors, and ids that two spans share."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path
from typing import Any

import pytest

from collectors import Recording, read
from collectors.schema import Quality
from tests.collectors.traces import assert_same


@pytest.fixture
def reading(tmp_path: Path) -> Any:
    def read_value(*values: Any, indent: int | None = None) -> Recording:
        for number, value in enumerate(values):
            (tmp_path / f"{number}.json").write_text(json.dumps(value, indent=indent))
        return read([tmp_path / f"{number}.json" for number in range(len(values))])

    return read_value


def by_id(recording: Recording) -> dict[int, dict[str, Any]]:
    return {row["span_id"]: row for row in recording.spans.iter_rows(named=True)}


def tag(key: str, value: Any) -> dict[str, Any]:
    return {"key": key, "value": value, "type": "x"}


def jaeger(*spans: dict[str, Any], trace: str = "ab") -> dict[str, Any]:
    base = {"traceID": trace, "startTime": 10, "duration": 5, "processID": "p1"}
    process = {"serviceName": "shop", "tags": [tag("hostname", "h"), tag("pid", 7)]}
    return {
        "traceID": trace,
        "spans": [{**base, "operationName": "op", **span} for span in spans],
        "processes": {"p1": process},
    }


def reference(kind: str, span: str, trace: str = "ab") -> dict[str, str]:
    return {"refType": kind, "traceID": trace, "spanID": span}


@pytest.mark.parametrize("shape", ["export", "trace", "list", "pretty"])
def test_jaeger_shapes(reading: Any, shape: str) -> None:
    trace = jaeger({"spanID": "1"}, {"spanID": "2"})
    value: Any = {"export": {"data": [trace]}, "trace": trace, "list": [trace]}.get(
        shape, {"data": [trace, jaeger({"spanID": "3"}, trace="cd")]}
    )
    found = reading(value, indent=4 if shape == "pretty" else None)
    assert found.intake.spans == (3 if shape == "pretty" else 2)
    row = by_id(found)[1]
    assert (row["service"], row["service_instance"], row["trace_lo"]) == ("shop", "h:7", 0xAB)
    assert (row["start_ns"], row["end_ns"]) == (10_000, 15_000)


def test_jaeger_references(reading: Any) -> None:
    """CHILD_OF in the trace is the parent; what else there is becomes a link."""
    found = reading(
        jaeger(
            {"spanID": "1"},
            {"spanID": "2", "references": [reference("CHILD_OF", "1"), reference("CHILD_OF", "9")]},
            {"spanID": "3", "references": [reference("FOLLOWS_FROM", "5", "cd")]},
            {"spanID": "4", "references": [reference("FOLLOWS_FROM", "1")]},
            {"spanID": "5", "references": [reference("CHILD_OF", "7", "ef")]},
            {"spanID": "6", "references": [reference("CHILD_OF", "zz")]},
        )
    )
    parents = {span: row["parent_id"] for span, row in by_id(found).items()}
    assert parents == {1: 0, 2: 1, 3: 0, 4: 1, 5: 0, 6: 0}
    assert found.links.select("span", "trace_lo", "span_id").rows() == [
        (1, 0xAB, 9),
        (2, 0xCD, 5),
        (4, 0xEF, 7),
    ]


def test_jaeger_tags_and_logs(reading: Any) -> None:
    log = {"timestamp": 12, "fields": [tag("event", "error"), tag("error.kind", "Boom")]}
    found = reading(
        jaeger(
            {"spanID": "1", "tags": [tag("span.kind", "producer"), tag("error", True)]},
            {"spanID": "2", "tags": [tag("otel.status_code", "ERROR")], "logs": [log]},
            {"spanID": "3", "tags": [tag("error", "false"), tag("http.status_code", 500)]},
            {"spanID": "4", "tags": None, "logs": None, "references": None},
        )
    )
    rows = by_id(found)
    assert [rows[n]["status"] for n in (1, 2, 3, 4)] == [2, 2, 0, 0]
    assert (rows[1]["kind"], rows[2]["error_type"], rows[3]["http_status"]) == (4, "Boom", 500)


def test_a_bad_jaeger_span_costs_itself(reading: Any) -> None:
    found = reading(jaeger({"spanID": "1"}, {"spanID": "x"}, {"spanID": "2", "startTime": "soon"}))
    assert found.intake.spans == 1
    assert dict(found.intake.rejected) == {"bad-span-id": 1, "bad-time": 1}


def zipkin(span: str, **fields: Any) -> dict[str, Any]:
    service = fields.pop("service", "a")
    return {
        "traceId": "ab",
        "id": span,
        "localEndpoint": {"serviceName": service},
        "timestamp": 10,
        "duration": 5,
        **fields,
    }


SHARED = [
    zipkin("1", kind="CLIENT", service="a"),
    zipkin("1", kind="SERVER", service="b", shared=True, timestamp=11),
    zipkin("2", parentId="1", service="b", timestamp=12),
    zipkin("3", parentId="1", service="a", timestamp=12),
]


def test_zipkin_shared_ids_are_parted(reading: Any) -> None:
    """The server half is a child of the client half; its service's spans hang under it."""
    rows = {
        (row["service"], row["name"], row["span_id"]): row["parent_id"]
        for row in reading(SHARED).spans.iter_rows(named=True)
    }
    server = next(key[2] for key, parent in rows.items() if key[0] == "b" and key[2] > 3)
    parents = {key[2]: parent for key, parent in rows.items()}
    assert parents == {1: 0, server: 1, 2: server, 3: 1}


def test_zipkin_halves_in_other_files_and_any_order(reading: Any) -> None:
    expected = reading(SHARED)
    shuffled = list(SHARED)
    random.Random(3).shuffle(shuffled)
    assert_same(reading(*([span] for span in shuffled)), expected)
    assert_same(reading([shuffled]), expected)


def test_a_shared_span_without_its_client_keeps_its_id(reading: Any) -> None:
    """Or a whole trace would seem to miss its root."""
    found = reading([zipkin("1", kind="SERVER", shared=True), zipkin("2", parentId="1")])
    assert {n: row["parent_id"] for n, row in by_id(found).items()} == {1: 0, 2: 1}


def test_one_client_and_many_servers_are_all_kept(reading: Any) -> None:
    servers = [zipkin("1", kind="SERVER", shared=True, timestamp=n, service="b") for n in (1, 2, 3)]
    found = reading([zipkin("1", kind="CLIENT"), *servers])
    assert (found.intake.spans, found.intake.conflicts) == (4, 0)


def test_zipkin_missing_fields_and_errors(reading: Any) -> None:
    bare = {"traceId": "463ac35c9f6413ad48485a3953bb6124", "id": "1"}
    failed = zipkin("2", tags={"error": "timed out"}, kind="CLIENT")
    failed["remoteEndpoint"] = {"serviceName": "db"}
    found = reading([bare, failed, zipkin("3", duration=None), {"traceId": "ab", "id": "no"}])
    rows = by_id(found)
    assert rows[1]["trace_hi"] == 0x463AC35C9F6413AD
    assert Quality(rows[1]["quality"]) == Quality.ZERO_TIME | Quality.EMPTY_NAME | Quality.NO_END
    assert (rows[2]["status"], rows[2]["error_message"], rows[2]["peer"]) == (2, "timed out", "db")
    assert Quality(rows[3]["quality"]) & Quality.NO_END
    assert dict(found.intake.rejected) == {"bad-span-id": 1}


def test_a_partial_report_is_no_conflict(reading: Any) -> None:
    partial = {"traceId": "ab", "id": "1", "localEndpoint": {"serviceName": "a"}}
    found = reading([zipkin("1", kind="SERVER"), partial])
    assert (found.intake.spans, found.intake.conflicts) == (1, 0)
    assert dict(found.intake.skipped) == {"zipkin-partial-reports": 1}


def test_one_id_for_all_costs_no_more(reading: Any) -> None:
    """10,000 spans of one id and as many children: each is looked at once, not once a span."""
    kinds = ("SERVER", "CLIENT")
    same = [zipkin("1", kind=kinds[n % 2], timestamp=n + 1) for n in range(10_000)]
    below = [zipkin(f"{n + 2:x}", parentId="1", timestamp=n + 1) for n in range(10_000)]
    begin = time.process_time()
    found = reading([*same, *below])
    assert time.process_time() - begin < 12  # each looked at by each: more than half a minute
    assert found.intake.spans > 10_000
