"""Decoding speed: spans per CPU second and peak memory, beside the naive way, in one run.

    python -m benchmarks.decode [--spans 200000] [--folder DIR]

Generates one recording as OTLP protobuf (four bytes of length before each request) and as JSON
lines: 8 attributes a span, 10 % with a link, 10 % with an event, 500 spans a request. Each path
runs in a process of its own; CPU time is user + system with children, imports included.
"""

from __future__ import annotations

import argparse
import base64
import json
import random
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

A_REQUEST = 500
SERVICES = (
    "orders",
    "payment",
    "inventory",
    "shipping",
    "notification",
    "gateway",
    "stock",
    "mail",
)


def request(number: int) -> Any:
    """One ExportTraceServiceRequest; the same number gives the same bytes."""
    from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

    rng = random.Random(number)
    found = TracesData()
    group = found.resource_spans.add()
    _pair(group.resource.attributes, "service.name", SERVICES[number % len(SERVICES)])
    scope = group.scope_spans.add()
    scope.scope.name = "io.example.instrumentation"
    for index in range(A_REQUEST):
        _span(scope.spans.add(), rng, number, index)
    return found


def _pair(owner: Any, key: str, value: str | int) -> None:
    pair = owner.add()
    pair.key = key
    if isinstance(value, int):
        pair.value.int_value = value
    else:
        pair.value.string_value = value


def _span(span: Any, rng: random.Random, number: int, index: int) -> None:
    span.trace_id, span.span_id = rng.randbytes(16), rng.randbytes(8)
    span.parent_span_id = rng.randbytes(8)
    span.name, span.kind = f"process topic-{index % 37}", 4 + index % 2
    span.start_time_unix_nano = 1_767_225_600 * 10**9 + number * 10**9 + index * 1000
    span.end_time_unix_nano = span.start_time_unix_nano + rng.randrange(10**8)
    _pair(span.attributes, "messaging.system", "kafka")
    _pair(span.attributes, "messaging.destination.name", f"topic-{index % 37}")
    _pair(span.attributes, "messaging.operation.type", ("publish", "process")[index % 2])
    _pair(span.attributes, "messaging.message.id", rng.randbytes(12).hex())
    _pair(span.attributes, "messaging.kafka.offset", number * A_REQUEST + index)
    _pair(span.attributes, "order.id", f"ord-{rng.randrange(10**9)}")
    _pair(span.attributes, "app.tenant", f"tenant-{index % 50}")
    _pair(span.attributes, "server.port", 9092)
    if index % 10 == 0:
        span.links.add(trace_id=rng.randbytes(16), span_id=rng.randbytes(8))
    if index % 10 == 5:
        event = span.events.add(name="retry", time_unix_nano=span.start_time_unix_nano)
        _pair(event.attributes, "attempt", index % 3)


def as_line(message: Any) -> bytes:
    """The request as the Collector's file exporter writes it."""
    from google.protobuf.json_format import MessageToDict

    document = MessageToDict(message, use_integers_for_enums=True)
    _hex_ids(document)
    return json.dumps(document, separators=(",", ":")).encode() + b"\n"


def _hex_ids(value: Any) -> None:
    if isinstance(value, list):
        for item in value:
            _hex_ids(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key in ("traceId", "spanId", "parentSpanId"):
                value[key] = base64.b64decode(item).hex()
            else:
                _hex_ids(item)


def generate(spans: int, folder: Path) -> tuple[Path, Path]:
    """(protobuf file, JSON lines file)."""
    proto, lines = folder / f"decode-{spans}.pb", folder / f"decode-{spans}.jsonl"
    if proto.exists() and lines.exists():
        return proto, lines
    with proto.open("wb") as binary, lines.open("wb") as text:
        for number in range(spans // A_REQUEST):
            message = request(number)
            payload = message.SerializeToString()
            binary.write(len(payload).to_bytes(4) + payload)
            text.write(as_line(message))
    return proto, lines


def naive_protobuf(path: Path) -> int:
    """upb objects, a dict a span."""
    from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

    spans = []
    for payload in _frames(path):
        for group in TracesData.FromString(payload).resource_spans:
            resource = {p.key: p.value.string_value for p in group.resource.attributes}
            for scope in group.scope_spans:
                spans += [_as_dict(span, resource) for span in scope.spans]
    return len(spans)


def _frames(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while size := file.read(4):
            yield file.read(int.from_bytes(size))


def _as_dict(span: Any, resource: dict[str, str]) -> dict[str, Any]:
    values = {
        pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in span.attributes
    }
    return {
        "trace_id": span.trace_id.hex(),
        "span_id": span.span_id.hex(),
        "parent_id": span.parent_span_id.hex(),
        "name": span.name,
        "kind": span.kind,
        "start": span.start_time_unix_nano,
        "end": span.end_time_unix_nano,
        "service": resource.get("service.name"),
        "attributes": values,
        "links": [(link.trace_id.hex(), link.span_id.hex()) for link in span.links],
    }


def naive_json(path: Path) -> int:
    """The json module, a dict a span."""
    spans = []
    with path.open("rb") as file:
        for line in file:
            for group in json.loads(line)["resourceSpans"]:
                resource = _values(group["resource"]["attributes"])
                for scope in group["scopeSpans"]:
                    for span in scope["spans"]:
                        pairs = _values(span.get("attributes", []))
                        spans.append({**span, "attributes": pairs, "resource": resource})
    return len(spans)


def _values(pairs: list[dict[str, Any]]) -> dict[str, Any]:
    return {pair["key"]: next(iter(pair["value"].values())) for pair in pairs}


def ours(path: Path) -> int:
    """collectors.read: to sorted, deduplicated canonical columns."""
    from collectors import read

    return len(read([path]).spans)


PATHS: dict[str, tuple[str, Callable[[Path], int]]] = {
    "protobuf, naive (upb -> dict)": ("pb", naive_protobuf),
    "protobuf, choreoscope": ("pb", ours),
    "JSON, naive (json -> dict)": ("jsonl", naive_json),
    "JSON, choreoscope": ("jsonl", ours),
}


def run_one(name: str, path: Path) -> None:
    """Run one path here and print what it cost as JSON."""
    count = PATHS[name][1](path)
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = sum(usage.ru_utime + usage.ru_stime for usage in used)
    peak = sum(usage.ru_maxrss for usage in used) // 1024
    print(json.dumps({"spans": count, "cpu": cpu, "rss": peak}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spans", type=int, default=200_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--one", nargs=2, metavar=("PATH", "FILE"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        run_one(chosen.one[0], Path(chosen.one[1]))
        return
    with tempfile.TemporaryDirectory() as temporary:
        files = generate(chosen.spans, chosen.folder or Path(temporary))
        report(chosen.spans, {file.suffix[1:]: file for file in files})


def report(spans: int, files: dict[str, Path]) -> None:
    """Run every path in a process of its own and print the table."""
    sizes = ", ".join(
        f"{file.stat().st_size / spans:.0f} B as {kind}" for kind, file in files.items()
    )
    print(f"{spans} spans: {sizes} a span")
    print(f"{'path':32} {'spans/CPU s':>12} {'peak MB':>8} {'ratio':>6}")
    base = 0.0
    for name, (kind, _) in PATHS.items():
        command = [sys.executable, "-m", "benchmarks.decode", "--one", name, str(files[kind])]
        shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        result = json.loads(shown)
        assert result["spans"] == spans
        rate = spans / result["cpu"]
        base = rate if "naive" in name else base
        print(f"{name:32} {rate:12,.0f} {result['rss']:8} {rate / base:6.1f}")


if __name__ == "__main__":
    main()
