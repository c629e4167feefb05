"""Copying: each way does what it says."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from tui.dashboard import clipboard
from tui.dashboard.clipboard import MOST, copy, osc52


def test_the_sequence_holds_the_text() -> None:
    sequence = osc52("grün\x1b", {})
    assert sequence is not None
    assert sequence.startswith("\x1b]52;c;")
    assert sequence.endswith("\x07")
    assert base64.b64decode(sequence[7:-1]).decode() == "grün\x1b"


def test_tmux_passes_it_through() -> None:
    """Wrapped as tmux wants it: every escape doubled inside a DCS."""
    sequence = osc52("x", {"TMUX": "/tmp/tmux,1,0"})
    assert sequence == "\x1bPtmux;\x1b\x1b]52;c;eA==\x07\x1b\\"
    assert osc52("x", {"TERM": "screen-256color"}) == "\x1bP\x1b]52;c;eA==\x07\x1b\\"


def test_a_long_text_goes_into_a_file(tmp_path: Path) -> None:
    written: list[str] = []
    text = "x" * MOST
    said = copy(text, written.append, {"SSH_CONNECTION": "1"}, tmp_path)
    (path,) = tmp_path.iterdir()
    assert str(path) in said
    assert path.read_text() == text
    assert path.stat().st_mode & 0o077 == 0, "for nobody else"
    assert written == []


def test_a_tool_is_used_where_there_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    monkeypatch.setattr(clipboard, "TOOLS", (("DISPLAY", ("tee", str(out))),))
    written: list[str] = []
    said = copy("text", written.append, {"DISPLAY": ":0"})
    assert out.read_text() == "text"
    assert "tee and the terminal (OSC 52)" in said
    assert "tee" not in copy("text", written.append, {"DISPLAY": ":0", "SSH_CONNECTION": "1"})
    assert len(written) == 2
