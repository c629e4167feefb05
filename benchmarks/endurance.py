"""`serve` for hours under a steady load: whether what it holds keeps growing.

    python -m benchmarks.endurance [--hours 2] [--rate 1000]

Sends orders without a pause, one of them a minute broken; asks the API as a dashboard does; keeps
little of the store, so that as much is dropped as is written. Each minute one line: what the
process that receives holds, and the others (the one that watches, and from the tenth minute on the
one that compacts). At the end the slope of a straight line through the later half of each series,
in per cent of its mean an hour. Linux only.
"""

from __future__ import annotations

import argparse
import math
import os
import threading
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.bombs import memory
from benchmarks.ingest import children, cpu, serving, snapshot
from benchmarks.requests import SPANS, Template
from benchmarks.senders import over_http

SETTINGS = "[store]\nkeep = '{keep}'\n[alerts]\nfor = '0s'\n"
ASKED_S = 2.0  # between two questions of the dashboard
BROKEN_S = 60.0  # between two orders that lose their message
SERIES = ("receiver MB", "others MB", "descriptors", "threads", "store MB", "held spans")


@dataclass
class Load:
    """What was sent so far."""

    sent: int = 0
    failed: int = 0
    slowest: float = 0.0  # seconds until an answer
    events: int = 0  # of the stream of changes, in bytes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--rate", type=int, default=1000, help="spans a second")
    parser.add_argument("--keep", default="20m", help="age at which the store drops spans")
    given = parser.parse_args()
    load, over = Load(), threading.Event()
    with serving(SETTINGS.format(keep=given.keep)) as (pid, ports):
        for target, of in ((_send, given.rate), (_ask, 0), (_listen, 0)):
            threading.Thread(target=target, args=(load, over, ports, of), daemon=True).start()
        began, before = time.monotonic(), cpu(pid)
        rows: list[tuple[float, ...]] = []
        print(f"{'minute':>7}" + "".join(f"{name:>14}" for name in SERIES), flush=True)
        while (passed := time.monotonic() - began) < given.hours * 3600:
            time.sleep(60 - passed % 60)
            rows.append(_sample(pid, ports))
            shown = "".join(f"{value:>14,.0f}" for value in rows[-1])
            print(f"{(time.monotonic() - began) / 60:>7.0f}{shown}", flush=True)
        spent = cpu(pid) - before
        found = snapshot(ports)
        over.set()
    print(f"{load.sent:,} spans, {load.failed} requests refused, slowest {load.slowest:.2f} s")
    print(
        f"{load.events:,} bytes of events; {spent * 1e6 / max(load.sent, 1):.1f} us of CPU a span"
    )
    print(f"states {found['by_state']}, overflow {found['overflow']}")
    _slopes(rows)


def _slopes(rows: list[tuple[float, ...]]) -> None:
    later = np.array(rows[len(rows) // 2 :])
    hours = np.arange(len(later)) / 60
    for name, series in zip(SERIES, later.T, strict=True):
        slope = np.polyfit(hours, series, 1)[0] if len(later) > 1 else math.nan
        mean = float(series.mean())
        spread = f"{series.min():,.0f} to {series.max():,.0f}"
        print(f"{name:<14}{100 * slope / mean if mean else 0.0:>+8.2f} % an hour   {spread}")


def _sample(pid: int, ports: dict[str, int]) -> tuple[float, ...]:
    pids = [pid, *children(pid)]
    used = [memory(one, "VmRSS") for one in pids]
    descriptors = sum(len(os.listdir(f"/proc/{one}/fd")) for one in pids)
    threads = sum(len(os.listdir(f"/proc/{one}/task")) for one in pids)
    folder = Path(os.readlink(f"/proc/{pid}/cwd")) / "store"
    kept = sum(_size(one) for one in folder.rglob("*")) / (1 << 20)
    held = float(snapshot(ports).get("held_spans", math.nan))
    return used[0], sum(used[1:]), float(descriptors), float(threads), kept, held


def _size(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() else 0
    except FileNotFoundError:
        return 0  # dropped meanwhile


def _send(load: Load, over: threading.Event, ports: dict[str, int], rate: int) -> None:
    template, send = Template(), over_http(ports["http"])
    due, broken = time.monotonic(), time.monotonic() + BROKEN_S
    while not over.wait(max(0.0, due - time.monotonic())):
        due += SPANS / rate
        lost = int(time.monotonic() >= broken)
        broken += BROKEN_S * lost
        asked = time.monotonic()
        try:
            send(template.body(lost))
            load.sent += SPANS - 3 * lost
        except OSError:
            load.failed += 1
            send = over_http(ports["http"])
        load.slowest = max(load.slowest, time.monotonic() - asked)


def _ask(_: Load, over: threading.Event, ports: dict[str, int], __: int) -> None:
    while not over.wait(ASKED_S):
        snapshot(ports, "limit=50")


def _listen(load: Load, over: threading.Event, ports: dict[str, int], _: int) -> None:
    """Read the stream of changes; begun again where it ends."""
    while not over.wait(1.0):
        try:
            url = f"http://127.0.0.1:{ports['api']}/api/v1/events"
            with urllib.request.urlopen(url, timeout=60) as answer:
                while not over.is_set() and (line := answer.readline()):
                    load.events += len(line)
        except OSError:
            continue


if __name__ == "__main__":
    main()
