"""Senders for `benchmarks.ingest`: python -m benchmarks.senders grpc|http PORT SENDERS SECONDS."""

from __future__ import annotations

import argparse
import json
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import grpc

from benchmarks.requests import SPANS, Template

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
Send = Callable[[bytes], None]


def over_grpc(port: int) -> Send:
    options = [("grpc.use_local_subchannel_pool", 1)]  # a connection for each sender
    channel = grpc.insecure_channel(f"127.0.0.1:{port}", options)
    call: Any = channel.unary_unary(EXPORT)

    def send(body: bytes) -> None:
        call(body, timeout=30)

    return send


def over_http(port: int) -> Send:
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    head = (
        "POST /v1/traces HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        "Content-Type: application/x-protobuf\r\nContent-Length: %d\r\n\r\n"
    )

    def send(body: bytes) -> None:
        connection.sendall(head.encode() % len(body) + body)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += connection.recv(65536)
        if not answer.startswith(b"HTTP/1.1 200"):
            raise OSError(answer[:60])

    return send


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("way", choices=("grpc", "http"))
    parser.add_argument("port", type=int)
    parser.add_argument("senders", type=int)
    parser.add_argument("seconds", type=float)
    parser.add_argument("--rate", type=int, default=0, help="spans a second of all; 0 = no limit")
    given = parser.parse_args()
    connect = over_grpc if given.way == "grpc" else over_http
    times: list[float] = []
    failed = [0]
    begin = time.perf_counter()
    until = begin + given.seconds

    def run(lane: int) -> None:
        send, template = connect(given.port), Template()
        pause = SPANS * given.senders / given.rate if given.rate else 0.0
        due = begin + lane * pause / given.senders
        while time.perf_counter() < until:
            if pause:
                time.sleep(max(0.0, due - time.perf_counter()))
                due += pause
            body = template.body()
            sent = time.perf_counter()
            try:
                send(body)
            except (OSError, grpc.RpcError):
                failed[0] += 1
                continue
            times.append(time.perf_counter() - sent)

    threads = [threading.Thread(target=run, args=(lane,)) for lane in range(given.senders)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wall = time.perf_counter() - begin
    times.sort()
    print(
        json.dumps(
            {
                "spans": len(times) * SPANS,
                "wall_s": wall,
                "failed": failed[0],
                "p50_ms": times[len(times) // 2] * 1e3 if times else 0.0,
                "p99_ms": times[len(times) * 99 // 100] * 1e3 if times else 0.0,
                "cpu_s": time.process_time(),
            }
        )
    )


if __name__ == "__main__":
    main()
