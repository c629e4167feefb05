"""What hostile requests cost `serve`: the answer, the time, the memory above its rest.

python -m benchmarks.ingest --parts bombs,odd
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks.hostile import (
    JSON,
    PROTOBUF,
    Reply,
    gzip_bomb,
    odd_bodies,
    over_grpc,
    over_http,
    zstd_bomb,
)

BOMB = 10 << 30  # bytes unpacked
SENDERS = 8
SETTLED = 8.0  # seconds until the process that watches has looked at what was taken
MB = 1 << 20

Attack = Callable[[dict[str, int]], Sequence[Reply]]  # of ports by name


@dataclass(frozen=True)
class Cost:
    """What one attack cost."""

    name: str
    answers: str
    seconds: float  # until the last answer
    receiver: float  # MB above its rest
    watcher: float


def measured(
    name: str, attack: Attack, pids: Sequence[int], ports: dict[str, int], settled: float = 0.0
) -> Cost:
    """Send, and see how far each process rises above what it held before. Linux only."""
    for pid in pids:
        Path(f"/proc/{pid}/clear_refs").write_text("5")  # the peak begins anew
    rest = [memory(pid, "VmRSS") for pid in pids]
    replies = attack(ports)
    time.sleep(settled)
    rises = [memory(pid, "VmHWM") - before for pid, before in zip(pids, rest, strict=True)]
    answers = Counter(reply.status for reply in replies)
    told = ", ".join(f"{n} x {one}" if n > 1 else one for one, n in sorted(answers.items()))
    return Cost(name, told, max(r.seconds for r in replies), rises[0], max(rises[1:], default=0))


def memory(pid: int, what: str) -> float:
    """MB, from /proc: VmRSS = at present, VmHWM = the most so far."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.partition(what + ":")[2].split()[0]) / 1024


def together(send: Callable[[], Reply], senders: int = SENDERS) -> list[Reply]:
    """The same from many connections at once."""
    with ThreadPoolExecutor(senders) as pool:
        return [one.result() for one in [pool.submit(send) for _ in range(senders)]]


def bombs(size: int = BOMB) -> dict[str, Attack]:
    """Attacks by name, on the ports of one `serve`."""
    slow, steep, zstd = gzip_bomb(size), gzip_bomb(size, 9), zstd_bomb(size)
    long = bytes(100 * MB)
    gz, zs = PROTOBUF | {"Content-Encoding": "gzip"}, PROTOBUF | {"Content-Encoding": "zstd"}
    zip_ = JSON | {"Content-Encoding": "gzip"}
    said = f"{size >> 30} GiB" if size >> 30 else f"{size >> 20} MiB"
    return {
        f"HTTP, gzip, {said} in {len(slow) / MB:.0f} MB": lambda p: [
            over_http(p["http"], slow, gz)
        ],
        "the same, chunked": lambda p: [over_http(p["http"], slow, gz, chunked=True)],
        f"HTTP, gzip, {said} in {len(steep) / MB:.0f} MB": lambda p: [
            over_http(p["http"], steep, gz)
        ],
        f"HTTP, zstd, {said} in {len(zstd) / MB:.1f} MB": lambda p: [
            over_http(p["http"], zstd, zs)
        ],
        f"Zipkin, gzip, {said} in {len(slow) / MB:.0f} MB": lambda p: [
            over_http(p["zipkin"], slow, zip_, "/api/v2/spans")
        ],
        f"HTTP, gzip, {SENDERS} at once": lambda p: together(
            lambda: over_http(p["http"], slow, gz)
        ),
        "HTTP, 100 MB announced": lambda p: [over_http(p["http"], long, JSON)],
        "HTTP, 100 MB chunked": lambda p: [over_http(p["http"], long, JSON, chunked=True)],
        f"HTTP, 60 MB that are nothing, {SENDERS} at once": lambda p: together(
            lambda: over_http(p["http"], long[: 60 * MB], JSON)
        ),
        f"gRPC, gzip, {said} in {len(steep) / MB:.0f} MB": lambda p: [
            over_grpc(p["grpc"], steep, "gzip")
        ],
        f"gRPC, gzip, {said} in {len(slow) / MB:.0f} MB": lambda p: [
            over_grpc(p["grpc"], slow, "gzip")
        ],
        f"gRPC, gzip, {SENDERS} at once": lambda p: together(
            lambda: over_grpc(p["grpc"], slow, "gzip")
        ),
        "gRPC, 100 MB": lambda p: [over_grpc(p["grpc"], long)],
    }


def odd() -> dict[str, Attack]:
    """Requests of at most 60 MB of the shapes that cost most, over HTTP."""

    def sending(headers: dict[str, str], body: bytes) -> Attack:
        return lambda ports: [over_http(ports["http"], body, headers)]

    return {name: sending(*one) for name, one in odd_bodies().items()}


def shown(cost: Cost) -> str:
    """A line of the table."""
    left = f"{cost.name:<42}{cost.answers:>14}{cost.seconds:>8.2f}"
    return f"{left}{cost.receiver:>10.0f}{cost.watcher:>10.0f}"


HEAD = f"{'request':<42}{'answer':>14}{'s':>8}{'receiver':>10}{'watcher':>10}  MB above rest"
