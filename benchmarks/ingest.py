"""Receiving: acknowledged spans a second, how long an answer takes, what a span costs.

    python -m benchmarks.ingest [--seconds 10] [--parts receive,keep-up,alert,bombs,odd]

Beside it, in the same run, the receiver that a person writes first: grpcio, protobuf, a dict a
span, nothing on disk. Senders, receiver and analysis share one machine.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from benchmarks.bombs import HEAD, SETTLED, Attack, bombs, measured, odd, shown
from benchmarks.requests import SPANS, Template

SENDERS = 8
LATE = ("late", "stuck")
TICK = os.sysconf("SC_CLK_TCK")
HERE = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Result:
    """What one receiver did."""

    name: str
    spans_s: float
    p50_ms: float
    p99_ms: float
    failed: int
    server_us: float  # CPU of the receiver, a span
    client_us: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rate", type=int, default=50_000, help="spans a second to keep up with")
    parser.add_argument("--parts", default="receive,keep-up,alert")
    given = parser.parse_args()
    parts = given.parts.split(",")
    if "receive" in parts:
        receive(given.seconds)
    if "keep-up" in parts:
        keep_up(given.seconds, given.rate)
    if "alert" in parts:
        alert()
    if "bombs" in parts:
        hostile(bombs(), 0.0)
    if "odd" in parts:
        hostile(odd(), SETTLED)


def receive(seconds: float) -> None:
    print(f"{SENDERS} senders x {SPANS} spans a request, {seconds:.0f} s each")
    print(f"{'receiver':<28}{'spans/s':>10}{'p50 ms':>9}{'p99 ms':>9}{'failed':>8}", end="")
    print(f"{'us/span':>9}{'sender us/span':>16}")
    for name, program, way in (
        ("naive gRPC, in memory", NAIVE, "grpc"),
        ("choreoscope gRPC, on disk", RECEIVER, "grpc"),
        ("choreoscope HTTP, on disk", RECEIVER, "http"),
        ("naive gRPC, in memory", NAIVE, "grpc"),
    ):
        with tempfile.TemporaryDirectory() as folder, server(program, folder) as (pid, ports):
            found = load(name, pid, ports[way], way, seconds)
        print(f"{found.name:<28}{found.spans_s:>10,.0f}{found.p50_ms:>9.1f}", end="")
        print(f"{found.p99_ms:>9.1f}{found.failed:>8}", end="")
        print(f"{found.server_us:>9.2f}{found.client_us:>16.2f}", flush=True)


NAIVE = """
import json, sys, threading
from concurrent.futures import ThreadPoolExecutor
import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as pb
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as rpc

traces = {}
class Service(rpc.TraceServiceServicer):
    def Export(self, request, context):
        for group in request.resource_spans:
            service = {a.key: a.value.string_value for a in group.resource.attributes}
            for scope in group.scope_spans:
                for span in scope.spans:
                    traces.setdefault(span.trace_id, []).append({
                        "id": span.span_id, "parent": span.parent_span_id, "name": span.name,
                        "kind": span.kind, "start": span.start_time_unix_nano,
                        "end": span.end_time_unix_nano, "service": service.get("service.name"),
                        "attributes": {a.key: a.value.string_value for a in span.attributes},
                    })
        if len(traces) > 200_000: traces.clear()  # or this machine ends it
        return pb.ExportTraceServiceResponse()

server = grpc.server(ThreadPoolExecutor(32))
rpc.add_TraceServiceServicer_to_server(Service(), server)
port = server.add_insecure_port("127.0.0.1:0")
server.start()
print(json.dumps({"grpc": port}), flush=True)
threading.Event().wait()
"""

RECEIVER = """
import json, sys, threading
from collectors.receivers.admission import Admission
from collectors.receivers.service import Endpoints, Receivers
from collectors.store.store import Store

if __name__ == "__main__":
    store = Store(sys.argv[1] + "/store")
    receivers = Receivers(Admission(store), Endpoints(grpc=0, http=0, zipkin=None))
    receivers.start()
    ports = receivers.ports
    print(json.dumps({"grpc": ports["OTLP/gRPC"], "http": ports["OTLP/HTTP"]}), flush=True)
    threading.Event().wait()
"""


@contextmanager
def server(program: str, folder: str) -> Iterator[tuple[int, dict[str, int]]]:
    """A receiver in a process of its own: its id, and its ports."""
    script = Path(folder) / "receiver.py"
    script.write_text(program)
    process = subprocess.Popen(
        [sys.executable, str(script), folder],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(HERE)},
        start_new_session=True,
    )
    assert process.stdout is not None
    yield process.pid, json.loads(process.stdout.readline())
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def load(name: str, pid: int, port: int, way: str, seconds: float) -> Result:
    """Eight senders in a process of their own, each with a request under way at all times."""
    before = cpu(pid)
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.senders", way, str(port), str(SENDERS), str(seconds)],
        cwd=HERE,
        capture_output=True,
        text=True,
        check=True,
    )
    spent = cpu(pid) - before
    told = json.loads(done.stdout)
    spans = told["spans"] or 1
    return Result(
        name, spans / told["wall_s"], told["p50_ms"], told["p99_ms"], told["failed"],
        spent * 1e6 / spans, told["cpu_s"] * 1e6 / spans,
    )  # fmt: skip


def cpu(pid: int) -> float:
    """User + system seconds of a process and its children, living ones included."""
    total = 0.0
    for one in [pid, *children(pid)]:
        try:
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        except FileNotFoundError:
            continue
        total += (int(fields[11]) + int(fields[12])) / TICK
    return total


def children(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found += [int(child), *children(int(child))]
    return found


@contextmanager
def serving(settings: str = "") -> Iterator[tuple[int, dict[str, int]]]:
    """The whole of `choreoscope serve`."""
    probes = [socket.socket() for _ in range(4)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    grpc, http, api, zipkin = (probe.getsockname()[1] for probe in probes)
    for probe in probes:
        probe.close()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "choreoscope.toml").write_text(settings)
        options = ["--store", "store", "--grpc", grpc, "--http", http, "--api", api]
        options += ["--zipkin", zipkin]
        process = subprocess.Popen(
            [sys.executable, "-m", "tui.cli", "serve", *map(str, options)],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(HERE)},
            stderr=subprocess.DEVNULL,
        )
        ports = {"grpc": grpc, "http": http, "api": api, "zipkin": zipkin}
        until(lambda: bool(snapshot(ports)), 60)
        yield process.pid, ports
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def snapshot(ports: dict[str, int], query: str = "limit=0") -> dict[str, Any]:
    url = f"http://127.0.0.1:{ports['api']}/api/v1/snapshot?{query}"
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            found: dict[str, Any] = json.load(answer)
            return found
    except OSError:
        return {}


def until(holds: Any, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.2)
    return False


def keep_up(seconds: float, rate: int) -> None:
    """`serve` while so many spans a second come: how far the analysis is behind."""
    seconds = max(seconds, 30.0)
    with serving("[alerts]\nfor = '0s'\n") as (pid, ports):
        senders = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.senders", "http", str(ports["http"]), "4",
             str(seconds), "--rate", str(rate)],
            cwd=HERE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        began, before, behind, looks = time.monotonic(), cpu(pid), [], []
        while senders.poll() is None:
            time.sleep(1)
            found = snapshot(ports)
            if found and found["ingest"] and time.monotonic() - began > 5:
                behind.append((found["ingest"]["spans"] - found["spans"]) / rate)
                looks.append(found["look_s"])
        assert senders.stdout is not None
        told = json.loads(senders.stdout.read())
        ended = time.monotonic()
        caught = until(lambda: snapshot(ports)["spans"] >= told["spans"], 120)
        last = time.monotonic() - ended
        spent = cpu(pid) - before
        found = snapshot(ports)
    print(f"keeping up: {told['spans'] / told['wall_s']:,.0f} spans/s for {seconds:.0f} s")
    print(f"  acknowledged in p50 {told['p50_ms']:.1f} ms, p99 {told['p99_ms']:.1f} ms")
    print(
        f"  behind by {sorted(behind)[len(behind) // 2]:.1f} s (median), {max(behind):.1f} s",
        end="",
    )
    print(f" at most, {last:.1f} s after the last span" if caught else ", and never caught up")
    usual = sorted(looks)[len(looks) // 2]
    print(f"  a look takes {usual:.2f} s (median), {max(looks):.2f} s at most")
    print(f"  {spent * 1e6 / told['spans']:.1f} us of CPU a span, receiving and analysis")
    print(
        f"  held {found['held_spans']:,} spans, overflow {found['overflow']}, {found['by_state']}"
    )


def hostile(attacks: dict[str, Attack], settled: float) -> None:
    """Requests that nobody sends in good faith; each on a `serve` of its own."""
    print(HEAD)
    for name, attack in attacks.items():
        with serving() as (pid, ports):
            time.sleep(2)
            post(ports["http"], b"")  # what the first request loads
            pids = [pid, *children(pid)]
            print(shown(measured(name, attack, pids, ports, settled)), flush=True)
            post(ports["http"], b"")


def alert() -> None:
    """A lost message past its deadline, until the receiver of the alert has it."""
    got: list[tuple[float, dict[str, Any]]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            told = json.loads(body)
            events = told if isinstance(told, list) else [told]
            got.extend((time.time(), one["data"]) for one in events)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    hook = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=hook.serve_forever, daemon=True).start()
    settings = (
        "[alerts]\nfor = '0s'\n[alerts.targets.hook]\ntype = 'webhook'\n"
        f"url = 'http://127.0.0.1:{hook.server_port}'\n"
    )
    with serving(settings) as (_, ports):
        template = Template()
        for _ in range(20):
            post(ports["http"], template.body())
            time.sleep(0.2)
        time.sleep(3)
        post(ports["http"], template.body(lost=1))
        came = until(lambda: any(one["kind"] in LATE for _, one in got), 90)
        instances = snapshot(ports, "where=state:stuck,late")["instances"]
    hook.shutdown()
    if not came:
        print(f"alert: none came in 90 s, only {[one['kind'] for _, one in got]}")
        return
    first = min(at for at, one in got if one["kind"] in LATE)
    deadline = min(moment(one["deadline"]) for one in instances)
    print(f"alert: at the receiver {first - deadline:.2f} s after the deadline")


def moment(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def post(port: int, body: bytes) -> None:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/traces", body, {"content-type": "application/x-protobuf"}
    )
    urllib.request.urlopen(request, timeout=30).read()


if __name__ == "__main__":
    main()
