"""The process that compacts does not outlive the one that writes."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

WRITER = """
import sys, time
from pathlib import Path
from collectors.store.store import Store
from tests.store.requests import request
store = Store(Path(sys.argv[1]), roll_s=0.2)
store.append(request(1)).result()
while not store._pool or not store._pool._processes or not store.compactions:
    time.sleep(0.05)
print(*store._pool._processes, flush=True)
time.sleep(60)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc")
def test_it_ends_where_the_writer_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path / "s")]
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        compacts = Path("/proc") / writer.stdout.readline().strip()
        assert compacts.is_dir()
        writer.kill()
        until = time.monotonic() + 60
        while compacts.is_dir() and "(zombie)" not in (compacts / "status").read_text():
            assert time.monotonic() < until, "it is still there"
            time.sleep(0.1)
