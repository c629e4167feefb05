"""Run one command and say what it cost: CPU of the whole process tree, wall time, peak memory."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

SAMPLE_S = 0.02  # often enough to see a peak that lasts a batch
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Cost:
    """`cpu_s` is user + system of the process and all children it waited for."""

    cpu_s: float
    wall_s: float
    rss_mb: float  # resident, summed over the tree: pages that processes share count twice
    code: int
    errors: str


def measure(
    argv: Sequence[str], cwd: Path, log: Path, env: Mapping[str, str] | None = None
) -> Cost:
    """Run `argv` to its end; its stdout is dropped, its stderr kept in `log`."""
    before = time.perf_counter()
    with log.open("wb") as errors:
        child = subprocess.Popen(
            argv,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env={**os.environ, **(env or {})},
        )
        peak = _Peak(child.pid)
        _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - before
    child.returncode = os.waitstatus_to_exitcode(status)
    return Cost(
        usage.ru_utime + usage.ru_stime,
        wall,
        max(peak.stop(), usage.ru_maxrss * 1024) / 1e6,
        child.returncode,
        log.read_text(errors="replace")[-2000:],
    )


class _Peak(threading.Thread):
    """Samples the resident memory of a process and its descendants."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid, self.peak = pid, 0
        self.done = threading.Event()
        self.start()

    def run(self) -> None:
        while not self.done.wait(SAMPLE_S):
            self.peak = max(self.peak, sum(_resident(pid) for pid in _tree(self.pid)))

    def stop(self) -> int:
        """The highest sum seen, in bytes."""
        self.done.set()
        self.join()
        return self.peak


def _tree(pid: int) -> list[int]:
    found, waiting = [], [pid]
    while waiting:
        current = waiting.pop()
        found.append(current)
        for children in Path(f"/proc/{current}/task").glob("*/children"):
            with suppress(OSError):
                waiting += [int(word) for word in children.read_text().split()]
    return found


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
    except (OSError, IndexError):
        return 0
