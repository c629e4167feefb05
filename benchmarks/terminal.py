"""Bytes that the dashboard sends to a terminal for a key: what a slow line has to carry.

python -m benchmarks.terminal [SOURCE]
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time

SIZE = (40, 132)  # lines, columns
PAGE_DOWN, PAGE_UP, DOWN = b"\x1b[6~", b"\x1b[5~", b"\x1b[B"
KEYS = (
    ("page down", PAGE_DOWN),
    ("page down", PAGE_DOWN),
    ("down", DOWN),
    ("page up", PAGE_UP),
    ("open", b"\r"),
    ("in an instance: down", DOWN),
    ("page down", PAGE_DOWN),
    ("page up", PAGE_UP),
    ("next tab", b"\t"),
)
LOADING_S, SETTLED_S = 10.0, 3.0  # the header's own ticks within them count too


def received(terminal: int, seconds: float) -> int:
    """Bytes that come in so long."""
    end, total = time.monotonic() + seconds, 0
    while (left := end - time.monotonic()) > 0:
        if select.select([terminal], [], [], left)[0]:
            total += len(os.read(terminal, 1 << 16))
    return total


def main() -> None:
    source = sys.argv[1] if len(sys.argv) > 1 else "fixtures/demo/orders.jsonl.gz"
    terminal, inner = pty.openpty()
    fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", *SIZE, 0, 0))
    command = [sys.executable, "-m", "tui.cli", "watch", source]
    environment = {**os.environ, "TERM": "xterm-256color"}
    with subprocess.Popen(
        command, stdin=inner, stdout=inner, stderr=inner, env=environment, start_new_session=True
    ) as process:
        print("| key | bytes |\n|---|---|")
        print(f"| begin | {received(terminal, LOADING_S):,} |")
        for name, key in KEYS:
            os.write(terminal, key)
            print(f"| {name} | {received(terminal, SETTLED_S):,} |")
        os.write(terminal, b"q")
        received(terminal, 1.0)
        process.terminate()


if __name__ == "__main__":
    main()
