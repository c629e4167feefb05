"""kill -9 at any moment loses nothing that was acknowledged."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.store.requests import numbers

CYCLES = int(os.environ.get("CHOREOSCOPE_KILL_CYCLES", "4"))  # `make soak` sets 100

WRITER = """
import sys, threading
from pathlib import Path
from collectors.store.store import Store
from tests.store.requests import request

store = Store(Path(sys.argv[1]), segment=20_000)
first = int(sys.argv[2])

def send(lane):
    for number in range(first + lane, first + 100_000, 4):
        store.append(request(number)).result()
        sys.stdout.write(f"{number}\\n")
        sys.stdout.flush()

print("ready", flush=True)
threads = [threading.Thread(target=send, args=(lane,)) for lane in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""


def test_nothing_acknowledged_is_lost(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Four clients write, compaction runs, the process is killed, again and again."""
    chance = random.Random(3)
    sent: set[int] = set()
    for cycle in range(CYCLES):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path / "s"), str(cycle * 100_000)],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        after = chance.randrange(50, 600)
        sent |= {int(writer.stdout.readline()) for _ in range(after)}
        os.killpg(writer.pid, signal.SIGKILL)
        lines = writer.stdout.read().split("\n")[:-1]
        writer.stdout.close()
        sent |= {int(one) for one in lines if one}
        writer.wait()
    assert len(sent) >= 50 * CYCLES
    kept = numbers(tmp_path / "s")
    with capsys.disabled():
        said = f"{CYCLES} kills, {len(sent):,} requests acknowledged, {len(sent - kept)} lost"
        sys.stdout.write(f"\n{said}\n")
    assert sent <= kept
