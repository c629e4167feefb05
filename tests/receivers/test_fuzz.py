"""Whatever comes in, nothing crashes: no unhandled exception, no 500, the next good request is 200.

`make fuzz` runs the same for long.
"""

from __future__ import annotations

import gzip
import json
import logging
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from analyzer import analyze
from analyzer.alerts.outbox import Outbox
from analyzer.monitor.api import routes
from analyzer.monitor.monitor import Monitor, Settings
from collectors import SourceError, read, write_ipc, write_parquet
from collectors.assemble import assemble
from collectors.ledger import Ledger
from collectors.receivers.admission import Admission
from collectors.receivers.checks import check
from collectors.receivers.http_server import HttpServer, Listen
from collectors.receivers.refusals import Refused
from collectors.receivers.web import Web
from collectors.store.decoding import Decoder
from collectors.store.frames import Damage, Encoding, Frame, Kind, Request, encoded, scan
from collectors.store.store import Store
from tests.receivers.running import Running, running
from tests.store.requests import request
from tests.support.spans import line

CASES = int(os.environ.get("CHOREOSCOPE_FUZZ_CASES", "150"))  # `make fuzz` sets many
CLIENT = httpx.Client(timeout=30)
fuzzed = settings(
    max_examples=CASES,
    deadline=None,
    derandomize="CHOREOSCOPE_FUZZ_CASES" not in os.environ,
    suppress_health_check=list(HealthCheck),
)

SPAN: dict[str, Any] = {
    "traceId": "5b8efff798038103d269b633813fc60c",
    "spanId": "eee19b7ec3c1b174",
    "parentSpanId": "eee19b7ec3c1b173",
    "name": "publish",
    "kind": 4,
    "startTimeUnixNano": "1700000000000000000",
    "endTimeUnixNano": "1700000000000001000",
    "attributes": [
        {"key": "messaging.system", "value": {"stringValue": "kafka"}},
        {"key": "list", "value": {"arrayValue": {"values": [{"intValue": "1"}, {}]}}},
        {"key": "map", "value": {"kvlistValue": {"values": [{"key": "a", "value": {}}]}}},
    ],
    "events": [{"timeUnixNano": "1700000000000000500", "name": "exception", "attributes": []}],
    "links": [{"traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b175"}],
    "status": {"code": 2, "message": "no"},
}
ZIPKIN: dict[str, Any] = {
    "traceId": "5b8efff798038103",
    "id": "eee19b7ec3c1b174",
    "parentId": "eee19b7ec3c1b173",
    "name": "publish",
    "kind": "PRODUCER",
    "timestamp": 1_700_000_000_000_000,
    "duration": 10,
    "localEndpoint": {"serviceName": "shop", "ipv4": "127.0.0.1", "port": 80},
    "tags": {"error": "no", "messaging.system": "kafka"},
    "annotations": [{"timestamp": 1_700_000_000_000_001, "value": "x"}],
}


def protobuf() -> bytes:
    found = ExportTraceServiceRequest()
    group = found.resource_spans.add()
    group.resource.attributes.add(key="service.name").value.string_value = "shop"
    for number in range(3):
        span = group.scope_spans.add().spans.add(name="publish", kind=4)
        span.trace_id, span.span_id = bytes([number + 1]) * 16, bytes([number + 1]) * 8
        span.start_time_unix_nano, span.end_time_unix_nano = 10**18, 10**18 + 5
        span.attributes.add(key="k").value.array_value.values.add(int_value=3)
        span.links.add(trace_id=b"1" * 16, span_id=b"2" * 8)
        span.events.add(name="exception", time_unix_nano=10**18)
    return found.SerializeToString()


OTLP = json.loads(line({"service.name": "shop"}, [SPAN]))
SEEDS: dict[Kind, bytes] = {
    Kind.OTLP_PROTOBUF: protobuf(),
    Kind.OTLP_JSON: json.dumps(OTLP).encode(),
    Kind.ZIPKIN_JSON: json.dumps([ZIPKIN]).encode(),
}
ODD: tuple[Any, ...] = (
    *(None, True, -1, 0, 2**63, 2**64, 2**200, 1e400, -0.0, "", "\ud800", "\x00", "NaN", "1e9"),
    *([], {}, [[]], [None], "f" * 32, "0" * 16, "é" * 32, "a" * 100_000, {"stringValue": 3}),
)


def flipped(seed: bytes, chance: random.Random) -> bytes:
    """Bytes changed, cut out, doubled, put in."""
    data = bytearray(seed)
    for _ in range(chance.randrange(1, 6)):
        at = chance.randrange(len(data) + 1)
        what = chance.randrange(5)
        if what == 0 and at < len(data):
            data[at] = chance.randrange(256)
        elif what == 1:
            del data[at : at + chance.randrange(20)]
        elif what == 2:
            data[at:at] = data[at : at + chance.randrange(40)]
        elif what == 3:
            data[at:at] = chance.randbytes(chance.randrange(1, 12))
        else:
            data[at:at] = b"\xff" * chance.randrange(1, 11)
    return bytes(data)


def rewritten(document: Any, chance: random.Random) -> Any:
    """Some value of a document, anywhere, replaced by an odd one, or a key renamed."""
    places: list[tuple[Any, Any]] = []

    def walk(node: Any) -> None:
        keys = range(len(node)) if isinstance(node, list) else list(node)
        for key in keys:
            places.append((node, key))
            if isinstance(node[key], dict | list):
                walk(node[key])

    document = json.loads(json.dumps(document))
    walk(document)
    for _ in range(chance.randrange(1, 4)):
        node, key = chance.choice(places)
        if isinstance(node, dict) and chance.random() < 0.1:
            node[str(key) + "x"] = node.get(key)
        elif isinstance(node, dict) or key < len(node):
            node[key] = chance.choice(ODD)
    return document


def body_of(kind: Kind, chance: random.Random) -> bytes:
    if kind is Kind.OTLP_PROTOBUF or chance.random() < 0.4:
        return flipped(SEEDS[kind], chance)
    document = rewritten(OTLP if kind is Kind.OTLP_JSON else [ZIPKIN], chance)
    return json.dumps(document).encode(errors="surrogatepass")


@fuzzed
@given(seed=st.integers(0, 2**64), kind=st.sampled_from(list(Kind)))
def test_what_is_taken_can_be_decoded(seed: int, kind: Kind) -> None:
    """The check before the acknowledgement and the decoder after it agree on every body: refused,
    or as many spans as were acknowledged are there, and the rest are counted."""
    body = body_of(kind, random.Random(seed))
    try:
        checked = check(kind, body)
    except Refused:
        return
    ledger = Ledger()
    decoder = Decoder(ledger, "fuzz")
    parts = [*decoder.add([Request(kind, body, Encoding.NONE, len(body))]), *decoder.finish()]
    found = assemble(parts, ledger.intake(()))
    intake = found.intake
    kept = intake.spans + intake.duplicates + intake.conflicts
    assert kept <= checked.spans
    assert kept + sum(intake.rejected.values()) >= checked.spans


@fuzzed
@given(st.binary(max_size=300), st.sampled_from(list(Kind)), st.sampled_from(["", "gzip", "zstd"]))
def test_arbitrary_bytes_are_refused_or_taken(data: bytes, kind: Kind, encoding: str) -> None:
    class Sink:
        def append(self, request: Request) -> Any:
            from concurrent.futures import Future

            done: Future[int] = Future()
            done.set_result(1)
            return done

    admission = Admission(Sink(), 1 << 20)
    status = 200
    try:
        admission.patiently(kind, data, encoding)
    except Refused as refused:
        status = refused.why.value.http
    assert status in (200, 400, 413, 415)


@fuzzed
@given(seed=st.integers(0, 2**64))
def test_a_log_of_anything_can_be_read(seed: int) -> None:
    """Every byte of a damaged log is in a frame or in a damage; frames are as they were written."""
    chance = random.Random(seed)
    salt = b"salt"
    requests = [request(number) for number in range(5)]
    whole = b"".join(b"".join(encoded(r, n, 7, salt)) for n, r in enumerate(requests))
    at = 0
    data = flipped(whole, chance)
    for item in scan(data, salt):
        assert item.begin == at
        assert item.end > at
        at = item.end
        if isinstance(item, Frame):
            assert item.request == requests[item.sequence]
        else:
            assert isinstance(item, Damage)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("fuzz") / "s", limit=1 << 20) as found:
        yield found


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "": lambda data: data,
    "gzip": lambda data: gzip.compress(data, 1),
    "zstd": lambda data: zstandard.compress(data, 1),
}
TYPES = ("application/json", "application/x-protobuf", "text/plain", "", "\x7f/é", "a" * 3000)
TAKEN = {200, 202, 400, 404, 405, 408, 413, 415, 431}


@fuzzed
@given(seed=st.integers(0, 2**64))
def test_no_http_request_gets_a_500(server: Running, seed: int) -> None:
    chance = random.Random(seed)
    kind = chance.choice(list(Kind))
    body = body_of(kind, chance)
    encoding = chance.choice(list(PACKERS))
    packed = PACKERS[encoding](body)
    if chance.random() < 0.2:
        packed = flipped(packed, chance)
    type_ = TYPES[1] if kind is Kind.OTLP_PROTOBUF else TYPES[0]
    if chance.random() < 0.1:
        type_ = chance.choice(TYPES)
    base, path = (
        (server.zipkin, "/api/v2/spans")
        if kind is Kind.ZIPKIN_JSON
        else (server.http, "/v1/traces")
    )
    if chance.random() < 0.1:
        path = "/" + chance.randbytes(chance.randrange(30)).hex()
    headers = {"content-type": type_.encode(), "content-encoding": encoding.encode()}
    method = "POST" if chance.random() < 0.95 else chance.choice(["GET", "PUT", "HEAD", "BREW"])
    answer = CLIENT.request(method, base + path, content=packed, headers=headers)
    assert answer.status_code in TAKEN, answer.text


@fuzzed
@given(seed=st.integers(0, 2**64))
def test_no_grpc_call_gets_unknown_or_internal(server: Running, seed: int) -> None:
    body = body_of(Kind.OTLP_PROTOBUF, random.Random(seed))
    with grpc.insecure_channel(server.grpc) as channel:
        call = channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")
        try:
            call(body, timeout=20)
        except grpc.RpcError as error:
            code: Any = error
            assert code.code() in (
                grpc.StatusCode.INVALID_ARGUMENT,
                grpc.StatusCode.RESOURCE_EXHAUSTED,
            )


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("api")
    with Store(folder / "s", compacting=False) as store:
        for number in range(5):
            store.append(request(number, spans=2)).result()
        outbox = Outbox(folder / "alerts.db")
        monitor = Monitor(folder / "s", Settings(), outbox)
        monitor.look()
        server = HttpServer([Listen("API", "127.0.0.1", 0, Web(routes(monitor, outbox)))])
        server.start()
        yield f"http://127.0.0.1:{server.listens[0].port}"
        server.stop(1.0)
        outbox.close()


PATHS = (
    *("/healthz", "/readyz", "/metrics", "/api/v1/snapshot", "/api/v1/instances"),
    *("/api/v1/instance", "/api/v1/findings", "/api/v1/services", "/api/v1/alerts"),
)
WORDS = st.one_of(
    st.sampled_from(
        ["", "state:stuck", "age:>5m", "-", "(", "/(a+)+b/", "0", "99999999999", "\x00"]
    ),
    st.text(max_size=40),
)


@fuzzed
@given(
    path=st.sampled_from(PATHS),
    query=st.dictionaries(
        st.sampled_from(["where", "sort", "limit", "id", "after", "x"]), WORDS, max_size=3
    ),
)
def test_no_question_to_the_api_gets_a_500(
    api: str, path: str, query: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    query = {name: value.encode(errors="replace").decode() for name, value in query.items()}
    answer = CLIENT.get(api + path, params=query | {"wait": "0"})
    assert answer.status_code in {200, 400, 404, 414}, answer.text
    assert not [one for one in caplog.records if one.levelno >= logging.ERROR]


@fuzzed
@given(st.one_of(st.binary(max_size=200), st.builds(lambda v: json.dumps(v).encode(), st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["match", "seconds", "by", "reason", "workflow"]), inner, max_size=4
    ),
))))  # fmt: skip
def test_no_silence_gets_a_500(api: str, body: bytes) -> None:
    answer = CLIENT.post(api + "/api/v1/silences", content=body)
    assert answer.status_code in {201, 400}, answer.text


def test_the_next_good_request_is_taken(server: Running, tmp_path: Path) -> None:
    """After all of it."""
    answer = CLIENT.post(
        server.http + "/v1/traces",
        content=SEEDS[Kind.OTLP_JSON],
        headers={"content-type": "application/json"},
    )
    assert (answer.status_code, answer.content) == (200, b"{}")


JAEGER = {
    "data": [
        {
            "traceID": "5b8efff798038103",
            "spans": [
                {
                    "traceID": "5b8efff798038103",
                    "spanID": "eee19b7ec3c1b174",
                    "operationName": "publish",
                    "references": [
                        {"refType": "CHILD_OF", "traceID": "5b8efff798038103", "spanID": "1"}
                    ],
                    "startTime": 1_700_000_000_000_000,
                    "duration": 10,
                    "tags": [{"key": "span.kind", "type": "string", "value": "producer"}],
                    "logs": [{"timestamp": 1, "fields": [{"key": "event", "value": "x"}]}],
                    "processID": "p1",
                }
            ],
            "processes": {"p1": {"serviceName": "shop", "tags": []}},
        }
    ]
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A small file of each format."""
    folder = tmp_path_factory.mktemp("files")
    (folder / "a.jsonl").write_bytes(SEEDS[Kind.OTLP_JSON] + b"\n" + SEEDS[Kind.OTLP_JSON] + b"\n")
    recording = read([folder / "a.jsonl"])
    write_parquet(recording, folder / "a.parquet")
    write_ipc(recording, folder / "a.arrow")
    (folder / "a.json").write_text(json.dumps(JAEGER))
    (folder / "z.json").write_bytes(SEEDS[Kind.ZIPKIN_JSON])
    (folder / "a.pb").write_bytes(SEEDS[Kind.OTLP_PROTOBUF])
    (folder / "a.jsonl.gz").write_bytes(gzip.compress((folder / "a.jsonl").read_bytes()))
    (folder / "a.jsonl.zst").write_bytes(zstandard.compress((folder / "a.jsonl").read_bytes()))
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@fuzzed
@given(seed=st.integers(0, 2**64))
def test_no_file_crashes_the_reader(
    files: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    """Of every format: a recording that can be analysed, or an error that says why not."""
    chance = random.Random(seed)
    name = chance.choice(list(files))
    data = flipped(files[name], chance)
    if name == "a.json" and chance.random() < 0.6:
        data = json.dumps(rewritten(JAEGER, chance)).encode(errors="surrogatepass")
    path = tmp_path_factory.getbasetemp() / f"fuzz-{name}"
    path.write_bytes(data)
    try:
        recording = read([path])
    except SourceError:
        return
    if chance.random() < 0.1:
        analyze(recording)
