"""The dashboard in a real terminal, driven as a person does it, from command to prompt."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEMO = "fixtures/demo/orders.jsonl.gz"
PATIENCE_S = 60.0

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("tmux") is None, reason="no tmux here"),
]


class Terminal:
    """A tmux server of its own, with one shell in one window."""

    def __init__(self, folder: Path, columns: int, lines: int) -> None:
        self.socket = folder / "tmux"
        self.environment = {**os.environ, "HOME": str(folder), "PS1": "ready> ", "TERM": "xterm"}
        for name in ("TMUX", "COLUMNS", "LINES"):  # they would win over the terminal's own size
            self.environment.pop(name, None)
        shell = ("env", "-u", "NO_COLOR", "sh")
        self.tmux("new-session", "-d", "-x", str(columns), "-y", str(lines), *shell)
        self.wait("ready>")

    def tmux(self, *arguments: str) -> str:
        """Run a tmux command."""
        command = ["tmux", "-f", "/dev/null", "-S", str(self.socket), *arguments]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=True
        )
        return done.stdout

    def type(self, text: str) -> None:
        """As if typed, with enter."""
        self.tmux("send-keys", "-l", text)
        self.tmux("send-keys", "Enter")

    def press(self, *keys: str) -> None:
        """Keys by tmux's names."""
        for key in keys:
            self.tmux("send-keys", key)

    def screen(self) -> str:
        """What is on it."""
        return self.tmux("capture-pane", "-p")

    def until(self, holds: Callable[[str], bool]) -> str:
        """The first screen of which that holds; the last one when patience ends."""
        end = time.monotonic() + PATIENCE_S
        while not holds(screen := self.screen()) and time.monotonic() < end:
            time.sleep(0.1)
        return screen

    def wait(self, *texts: str) -> str:
        """The first screen that shows all of them."""
        screen = self.until(lambda screen: all(text in screen for text in texts))
        missing = [text for text in texts if text not in screen]
        assert not missing, f"{missing} not on\n{screen}"
        return screen

    def close(self) -> None:
        """End the server and what runs in it."""
        self.tmux("kill-server")


@pytest.fixture
def terminal(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Terminal]:
    columns, lines = getattr(request, "param", (132, 40))
    found = Terminal(tmp_path, columns, lines)
    yield found
    found.close()


COMMAND = f"'{sys.executable}' -m tui.cli"


def test_from_the_list_to_the_cause_and_back_to_the_prompt(terminal: Terminal) -> None:
    terminal.type(f"{COMMAND} watch {DEMO}; echo code $?")
    terminal.wait("61 stuck", "263 of 263", "STUCK")
    terminal.press("/")
    terminal.wait("Complete")  # the filter's own keys
    terminal.type("state:dead-lettered")
    screen = terminal.wait("3 of 263", "DEAD-LETTERED", "Open")  # the table has the keys again
    assert "consumer-dark" not in screen
    terminal.press("Enter")
    terminal.wait("Instances ›", "Lanes", "POST /orders")
    terminal.press("Tab", "Tab", "Tab", "Tab", "Tab")
    terminal.wait("[Why]", "dead-lettered")
    terminal.press("Escape")
    terminal.wait("3 of 263")
    for key, text in (("2", "WORKFLOW"), ("3", "SERVICE"), ("4", "from"), ("5", "consumer-dark")):
        terminal.press(key)
        terminal.wait(text)
    terminal.press("1")
    terminal.wait("3 of 263", "Open")
    terminal.press("Enter")
    terminal.wait("Instances ›")
    terminal.press("q")  # also from an instance
    screen = terminal.wait("code 0")
    assert "61 stuck" not in screen  # the terminal is as it was


@pytest.mark.parametrize("terminal", [(80, 24)], indirect=True)
def test_it_grows_and_shrinks_with_the_terminal(terminal: Terminal) -> None:
    terminal.type(f"{COMMAND} watch {DEMO}; echo code $?")
    terminal.wait("263 of 263")
    terminal.tmux("resize-window", "-x", "40", "-y", "10")
    terminal.wait("Too small", "60x16")
    terminal.tmux("resize-window", "-x", "132", "-y", "40")
    terminal.wait("263 of 263", "STUCK")
    terminal.press("C-c")
    terminal.press("q")
    terminal.wait("code 0")


def test_the_demonstration_is_alive(terminal: Terminal) -> None:
    terminal.type(f"{COMMAND} demo; echo code $?")
    first = terminal.wait("LIVE", "stuck", "of ")
    terminal.press("space")
    terminal.wait("PAUSED")
    held = terminal.screen().splitlines()[6:30]
    again = terminal.until(lambda screen: "waiting" in screen and screen != first)
    assert again.splitlines()[7:30] == held[1:]
    terminal.press("space", "q")
    terminal.wait("code 0")
