"""Files that hold no traces: skipped in a folder, refused by name with what they look like."""

from __future__ import annotations

import io
import json
import sqlite3
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from collectors import Recording, read
from collectors.decoders import shapes
from collectors.foreign import _TEXTS, MAGIC, by_content
from collectors.ledger import MAX_DETAIL
from tests.collectors.test_json_lines import SPAN, request, span


def zipped(*names: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        for name in names:
            packed.writestr(zipfile.ZipInfo(name), "x" * 50)  # with the date of all of them
    return out.getvalue()


def tarred() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as packed:
        entry = tarfile.TarInfo("traces.json")
        entry.size = 4
        packed.addfile(entry, io.BytesIO(b"{}\n\n"))
    return out.getvalue()


def database(folder: Path) -> bytes:
    connection = sqlite3.connect(folder / ".db")
    connection.execute("create table spans (id text)")
    connection.commit()
    connection.close()
    return (folder / ".db").read_bytes()


def dumped(value: Any, indent: int | None = None) -> bytes:
    return json.dumps(value, indent=indent).encode()


LOG = b"2024-05-31 12:00:01,123 INFO shop started\n2024-05-31 12:00:02,456 INFO ready\n"
FILES: list[tuple[bytes, str]] = [
    (b"trace_id,span_id,name\n1,2,a\n3,4,b\n", "a table (CSV)"),
    (b"a\tb\tc\n1\t2\t3\n", "a table (CSV)"),
    (b"<!DOCTYPE html>\n<html><body>Sign in</body></html>", "an HTML page"),
    (b'<?xml version="1.0"?>\n<traces/>', "XML"),
    (b"receivers:\n  otlp:\n    protocols:\n", "YAML"),
    (b"---\nname: x\n", "YAML"),
    (LOG, "a log"),
    (b'127.0.0.1 - - [31/May/2024:12:00:00 +0000] "GET / HTTP/1.1" 200\n', "a log"),
    (b"level=info msg=started\nlevel=warn msg=x\n", "a log"),
    (b"[INFO] started\n", "a log"),
    (b"# Traces\n\nHow to export them.\n", 'plain text ("# Traces")'),
    (b"trace not found\n", 'plain text ("trace not found")'),
    (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{}", "an HTTP reply"),
    (b"// config\n{}\n", "JSON with comments"),
    (b"{'resourceSpans': []}\n", "a Python value, not JSON"),
    (b"# HELP up x\n# TYPE up gauge\nup 1\n", "Prometheus metrics"),
    (b"\n\n\n# hello\n", 'plain text ("# hello")'),
    ('{"resourceSpans":[]}'.encode("utf-16"), "UTF-16"),
    ('{"resourceSpans":[]}'.encode("utf-16-le"), "UTF-16"),
    (zipped("traces.json"), "a zip archive"),
    (zipped("[Content_Types].xml", "word/document.xml"), "a Word document"),
    (zipped("xl/workbook.xml"), "an Excel table"),
    (tarred(), "a tar archive"),
    (b"\xd4\xc3\xb2\xa1\x02\0\x04\0" + bytes(40), "a packet capture"),
    (b"\x0a\x0d\x0d\x0a\x1c\0\0\0M<+\x1a" + bytes(40), "a packet capture"),
    (b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n" + bytes(20), "a PDF document"),
    (b"BZh91AY&SY" + bytes(range(200)), "bzip2 data"),
    (b"\x89PNG\r\n\x1a\n" + bytes(40), "a picture"),
    (b"\x7fELF\x02\x01\x01" + bytes(40), "a program"),
    (bytes(range(256)) * 20, "binary data (00 01 02 03"),
    (dumped({"name": "shop", "version": "1", "dependencies": {}}, 2), "an npm package.json"),
    (dumped({"a": 1, "b": 2, "c": 3}), "JSON with a, b, c"),
    (dumped([[1, 2], 3]), "JSON that is 1 (a number)"),
    (b"level of the water: high\nerror bars\n", 'plain text ("level of the water: high")'),
    (b'{"instance":"a","state":"stuck"}\n' * 30, "JSON with instance, state"),
    (dumped({"data": ["orders", "payments"], "total": 2}), "Jaeger's list of services"),
    (dumped({"Traces": [{"Id": "1-x", "Segments": []}]}), "AWS X-Ray segments"),
    (dumped({"trace_id": "1-5f", "id": "x", "start_time": 1.5}), "AWS X-Ray segments"),
    (
        dumped([[{"trace_id": 1, "span_id": 2, "resource": "x", "service": "y"}]]),
        "Datadog spans",
    ),
    (dumped({"data": [{"type": "span", "id": "x", "attributes": {}}]}), "Datadog spans"),
    (
        dumped({"traces": [{"traceID": "ab", "rootServiceName": "x"}], "metrics": {}}),
        "a Tempo search result",
    ),
    (
        dumped([{"traceId": "ab", "binaryAnnotations": []}]),
        "Zipkin v1 spans",
    ),
    (
        dumped({"name": "x", "context": {"trace_id": "0xab", "span_id": "0x1"}}, 2),
        "an SDK's console exporter",
    ),
    (dumped(SPAN), "OTLP spans without their resource"),
    (dumped({"spans": [SPAN]}), "OTLP spans without their resource"),
    (dumped({"ResourceSpans": []}), "OTLP in another spelling"),
    (dumped({"data": [{"parent": "a", "child": "b", "callCount": 1}]}), "Jaeger's dependency"),
    (dumped({"data": [{"name": "GET", "spanKind": "server"}]}), "Jaeger's list of operations"),
    (dumped({"log": "{}", "stream": "stdout", "time": "2024"}), "a container's log"),
    (dumped([['{"resourceSpans":[]}']]), "JSON inside of a JSON string"),
    (dumped([{"common": {}, "spans": []}]), "New Relic spans"),
    (dumped({"data": {"trace": {"spans": []}}}), "SkyWalking spans"),
    (dumped({"projectId": "p", "traceId": "ab", "spans": []}), "Google Cloud traces"),
    (dumped({"trace.trace_id": "a", "name": "x"}), "Honeycomb events"),
    (b"{\n  resource: { attributes: {} },\n  id: '1'\n}\n", "JavaScript as a console exporter"),
    (b"curl: (7) Failed to connect to localhost", 'plain text ("curl: (7) Failed to connect'),
    (dumped({"traceEvents": []}), "a Chrome trace"),
    (dumped({"hits": {"hits": [{"_source": {}}]}}), "an Elasticsearch reply"),
    (dumped({"level": "info", "msg": "x", "traceId": "ab"}), "log records"),
    (dumped({"resourceMetrics": []}), "OTLP metrics"),
    (b'{"resourceLogs":[{}]}\n{"resourceMetrics":[]}\n', "OTLP logs and metrics"),
]


@pytest.fixture
def reading(tmp_path: Path) -> Any:
    def read_bytes(data: bytes) -> tuple[Recording, Recording]:
        folder = tmp_path / "folder"
        folder.mkdir()
        (folder / "good.jsonl").write_bytes(request(span(1)))
        (folder / "other").write_bytes(data)
        return read([folder / "good.jsonl", folder / "other"]), read([folder])

    return read_bytes


def assert_refused_and_skipped(found: tuple[Recording, Recording], what: str) -> None:
    named, within = found
    (problem,) = named.intake.problems
    assert (problem.reason, named.intake.spans) == ("unknown-format", 1)
    assert dict(named.intake.rejected) == {"unknown-format": 1}
    assert problem.detail.startswith(f"looks like {what}")
    assert "; choreoscope reads OTLP, Jaeger, Zipkin, Parquet and Arrow; " in problem.detail
    assert len(problem.detail) < MAX_DETAIL
    assert (within.intake.damaged, within.intake.spans) == (False, 1)
    assert within.intake.skipped["other-files"] == 1
    (warning,) = within.intake.warnings
    assert warning.startswith("skipped 1 file that holds no traces: ")
    assert f"other ({what}" in warning


@pytest.mark.parametrize(("data", "what"), FILES, ids=[what for _, what in FILES])
def test_it_is_named_and_the_folder_is_read_all_the_same(
    reading: Any, data: bytes, what: str
) -> None:
    assert_refused_and_skipped(reading(data), what)


def test_a_database(reading: Any, tmp_path: Path) -> None:
    assert_refused_and_skipped(reading(database(tmp_path)), "an SQLite database")


def test_every_hint_fits_into_a_problem() -> None:
    """What is longer would be cut in the middle of the advice."""
    known = [item for *_, item in MAGIC] + [item for _, item in (*_TEXTS, *shapes._SHAPES)]
    known += [by_content(b"x" * 100), by_content(bytes(range(9)) * 9)]
    assert [item.what for item in known if len(item.message) > MAX_DETAIL] == []


def test_many_are_one_warning(tmp_path: Path) -> None:
    (tmp_path / "good.jsonl").write_bytes(request(span(1)))
    for number in range(30):
        (tmp_path / f"{number:02}.csv").write_bytes(b"a,b\n1,2\n")
    found = read([tmp_path])
    (warning,) = found.intake.warnings
    assert warning.startswith("skipped 30 files that hold no traces: ")
    assert "00.csv (a table (CSV))" in warning
    assert warning.endswith("and 26 more")


def test_our_own_recordings_are_a_folder_that_can_be_read() -> None:
    """Beside each recording lies what is true of it: JSON lines of another kind."""
    folder = Path(__file__).resolve().parents[2] / "fixtures" / "recordings"
    found = read([folder])
    assert not found.intake.damaged
    assert found.intake.spans > 100
    assert "truth.jsonl" in " ".join(found.intake.warnings)


ERRORS = [
    (
        {"data": None, "total": 0, "errors": [{"code": 404, "msg": "trace not found"}]},
        "404 trace not found",
    ),
    (
        {"data": [], "errors": [{"code": 500, "msg": "storage is down", "traceID": "ab"}]},
        "500 storage is down (trace ab)",
    ),
    ({"error": {"code": 5, "message": "no such trace"}}, "5 no such trace"),
    ({"error": "unauthorized"}, "unauthorized"),
    ({"code": 16, "message": "token expired"}, "16 token expired"),
    ({"errors": [{"message": "bad query"}]}, "bad query"),
]


@pytest.mark.parametrize(("reply", "said"), ERRORS)
@pytest.mark.parametrize("indent", [None, 2])
def test_an_error_reply_is_told_in_its_words(
    reading: Any, reply: Any, said: str, indent: int | None
) -> None:
    named, within = reading(dumped(reply, indent))
    (problem,) = named.intake.problems
    assert problem.detail == f"an error reply instead of traces: {said}"
    assert not within.intake.damaged
    assert "other (an error reply)" in within.intake.warnings[0]


def test_errors_beside_traces_are_told(tmp_path: Path) -> None:
    trace = {"traceID": "ab", "spans": [{"traceID": "ab", "spanID": "1", "operationName": "x"}]}
    reply = {"data": [trace], "errors": [{"code": 404, "msg": "trace not found"}]}
    (tmp_path / "x.json").write_bytes(dumped(reply))
    found = read([tmp_path / "x.json"])
    assert found.intake.spans == 1
    assert "some may be missing" in found.intake.warnings[0]


DAMAGED = [
    request(span(2))[:-40],
    request(span(2))[40:] + b"\n" + request(span(3)),
    b'{"resourceSpans": 5}',
    dumped(json.loads(request(span(2))), 2)[:-60],
    b'[{"traceId":"ab","id":"2"},{"traceId":"xyz","id":"3"}]',
    request(span(2)) + b"\n" + LOG,
    request(span(2)) + b'\n{"level":"info"}\n',
]


@pytest.mark.parametrize("data", DAMAGED)
def test_damaged_traces_in_a_folder_are_damage(reading: Any, data: bytes) -> None:
    """Half a line of traces is lost input, whatever else the file holds."""
    for found in reading(data):
        assert found.intake.damaged
        assert "other-files" not in found.intake.skipped


@pytest.mark.parametrize("data", [b"", b"\n\n  \n", b"{}", b"[]"])
def test_an_empty_file_is_no_error_and_is_told(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.json").write_bytes(data)
    found = read([tmp_path / "x.json"])
    assert not found.intake.damaged
    assert found.intake.warnings[0].endswith("holds no spans" if data.strip() else "is empty")
    assert read([tmp_path]).intake.warnings == ()


def test_broken_json_that_was_named_says_where(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(b'{\n  "a": 1,\n  "b": oops\n}\n')
    (problem,) = read([tmp_path / "x.json"]).intake.problems
    assert (problem.reason, problem.line) == ("invalid-json", 3)
    assert problem.detail == 'the document breaks at column 8: "oops\\n}"'
    found = read([tmp_path])
    assert not found.intake.damaged
    assert "x.json (JSON that breaks off)" in found.intake.warnings[0]


def test_tables_of_another_kind(reading: Any, tmp_path: Path) -> None:
    pl.DataFrame({"a": [1]}).write_parquet(tmp_path / "x")
    named, within = reading((tmp_path / "x").read_bytes())
    assert dict(named.intake.rejected) == {"invalid-parquet": 1}
    assert not within.intake.damaged
    assert "other (a table without the columns of spans)" in within.intake.warnings[0]


@pytest.mark.parametrize("signal", ["metrics", "logs"])
def test_protobuf_of_other_signals(reading: Any, signal: str) -> None:
    from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
    from opentelemetry.proto.metrics.v1.metrics_pb2 import MetricsData

    data: Any = MetricsData() if signal == "metrics" else LogsData()
    groups = data.resource_metrics if signal == "metrics" else data.resource_logs
    group = groups.add()
    group.resource.attributes.add(key="service.name").value.string_value = "shop"
    if signal == "metrics":
        group.scope_metrics.add().metrics.add(name="http.server.duration", unit="ms")
    else:
        record = group.scope_logs.add().log_records.add(time_unix_nano=10**18)
        record.body.string_value = "started"
    assert_refused_and_skipped(reading(data.SerializeToString()), "OTLP protobuf of another signal")
