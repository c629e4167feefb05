"""`watch` and `demo` before the screen is taken: what is refused, with which code and words."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.tui.conftest import Run
from tui import screen
from tui.dashboard.feeds.recording import RecordingFeed
from tui.dashboard.feeds.store import StoreFeed

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """A terminal, and a screen that only notes what it should show."""
    seen: list[Any] = []

    def show(feed: Any, where: str = "") -> int:
        seen.append(SimpleNamespace(feed=feed, where=where))
        return 0

    monkeypatch.setattr(screen, "has_terminal", lambda: True)
    monkeypatch.setattr(screen, "show", show)
    return seen


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ([], 2, "name a SOURCE"),
        (["x.jsonl", "--otlp"], 2, "exclude one another"),
        (["x.jsonl", "--connect", "http://127.0.0.1:4320"], 2, "exclude one another"),
        (["fixtures/demo", "--store", "s"], 2, "watch store:DIR"),
        (["fixtures/dmo"], 3, "did you mean fixtures/demo?"),
        (["store:fixtures"], 3, "fixtures"),
        (["sim:ordr"], 3, "did you mean 'order'?"),
        (["fixtures/demo", "--where", "stat:stuck"], 2, "state"),
        (["fixtures/demo", "--key", "a b"], 2, "is not NAME"),
        (["fixtures/demo", "--refresh", "0"], 2, "0.5"),
        (["fixtures/demo", "--refresh", "nan"], 2, "nan is no number"),
        (["fixtures/demo", "--expect", "nowhere.yaml"], 2, "nowhere.yaml"),
    ],
)
def test_what_cannot_be_shown_ends_before_the_screen(
    run: Run, shown: list[Any], words: list[str], code: int, said: str
) -> None:
    done = run("watch", *words)
    assert (done.code, shown) == (code, [])
    assert said in done.err


def test_without_a_terminal_analyze_is_named(run: Run) -> None:
    done = run("watch", "fixtures/demo")
    assert done.code == 2
    assert "'choreoscope analyze fixtures/demo'" in done.err


def test_each_source_has_its_feed(run: Run, shown: list[Any], tmp_path: Path) -> None:
    from collectors.store.store import Store

    Store(tmp_path / "s", compacting=False).close()
    assert run("watch", f"store:{tmp_path / 's'}", "--where", "state:stuck").code == 0
    assert run("watch", "sim:order", "--key", "order.id").code == 0
    assert [type(one.feed) for one in shown] == [StoreFeed, RecordingFeed]
    assert [one.where for one in shown] == ["state:stuck", ""]


def test_demo_without_a_terminal_is_a_report(run: Run) -> None:
    """The same one for the same seed, with faults."""
    first, again, other = run("demo"), run("demo"), run("demo", "--seed", "2")
    assert first.code == 0
    assert first.out == again.out != other.out
    for state in ("stuck", "failed", "orphaned", "late"):
        assert state in first.out.split("DATA")[0]


def test_standard_input_can_be_a_source_while_keys_come_from_the_terminal() -> None:
    """What was piped stays readable as `sys.stdin`; descriptor 0 is the terminal."""
    main, other = pty.openpty()
    code = (
        "import os, sys\n"
        "from tui.screen import keys_from_terminal\n"
        "keys_from_terminal()\n"
        "os.write(1, sys.stdin.buffer.read() + (b' tty' if os.isatty(0) else b' no'))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=b"spans",
        stdout=subprocess.PIPE,
        cwd=ROOT,
        preexec_fn=lambda: (os.setsid(), _control(other)),  # type: ignore[func-returns-value]
        timeout=30,
        check=True,
    )
    os.close(main)
    os.close(other)
    assert done.stdout == b"spans tty"


def _control(terminal: int) -> None:
    import fcntl
    import termios

    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
