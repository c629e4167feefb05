"""The process that watches may die at any time: nobody waits for it for ever."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from tui import watcher
from tui.exits import Stop
from tui.watcher import Watcher


def dies(_parent: int, _word: Any) -> None:
    os._exit(7)


def refuses(_parent: int, word: Any) -> None:
    word.send("its port is taken")


def sleeps(_parent: int, _word: Any) -> None:
    time.sleep(60)


def listens_once(file: str, _parent: int, word: Any) -> None:
    """Listens, ends, and leaves a line each time."""
    with open(file, "a", encoding="utf-8") as told:
        told.write("begun\n")
    if Path(file).read_text(encoding="utf-8").count("begun") != 2:
        word.send("")


@pytest.mark.slow
def test_one_that_dies_before_a_word_is_no_endless_wait() -> None:
    with pytest.raises(Stop, match="ended at once, with 7"):
        Watcher(dies).start(lambda: False)


@pytest.mark.slow
def test_why_it_cannot_listen_is_told() -> None:
    with pytest.raises(Stop, match="its port is taken"):
        Watcher(refuses).start(lambda: False)


@pytest.mark.slow
def test_a_stop_ends_the_wait_for_its_word() -> None:
    began = time.monotonic()
    watching = Watcher(sleeps)
    watching.start(lambda: time.monotonic() > began + 0.3)
    watching.stop()
    assert time.monotonic() - began < 20


@pytest.mark.slow
def test_one_that_dies_again_while_it_begins_is_started_again_and_holds_up_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(watcher, "PAUSE", 0.05)
    file = tmp_path / "begun"
    watching = Watcher(listens_once, str(file))
    watching.start(lambda: False)
    until = time.monotonic() + 40
    while file.read_text().count("begun") < 3 and time.monotonic() < until:
        before = time.monotonic()
        watching.care()
        assert time.monotonic() - before < 5
        time.sleep(0.05)
    watching.stop()
    assert file.read_text().count("begun") >= 3
    assert "started again" in capsys.readouterr().err
