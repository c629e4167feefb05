"""Copying: which ways there are here, tried in order; each says what it did.

A terminal does not answer OSC 52, so that way is never certain: where a program for the local
clipboard exists it is used as well. A file is the last resort, and for texts that are too long.
"""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

MOST = 74_994  # base64 characters that every terminal takes; xterm's limit is the lowest
TOOLS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("WAYLAND_DISPLAY", ("wl-copy",)),
    ("DISPLAY", ("xclip", "-selection", "clipboard")),
    ("DISPLAY", ("xsel", "--clipboard", "--input")),
    ("", ("pbcopy",)),
    ("", ("clip.exe",)),
)


def osc52(text: str, environment: Mapping[str, str]) -> str | None:
    """The sequence that sets the clipboard, wrapped for tmux and screen; None where too long."""
    coded = base64.b64encode(text.encode("utf-8", "replace")).decode()
    if len(coded) > MOST:
        return None
    sequence = f"\x1b]52;c;{coded}\x07"
    if environment.get("TMUX"):
        return "\x1bPtmux;" + sequence.replace("\x1b", "\x1b\x1b") + "\x1b\\"
    if environment.get("TERM", "").startswith("screen"):
        return f"\x1bP{sequence}\x1b\\"
    return sequence


def copy(
    text: str,
    write: Callable[[str], None],
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> str:
    """Copy by every way that is likely to work; what was done, for people."""
    environment = os.environ if environment is None else environment
    done = []
    tool = _tool(environment)
    if tool is not None and _piped(tool, text):
        done.append(tool[0])
    sequence = osc52(text, environment)
    if sequence is not None:
        write(sequence)
        through = " through tmux" if environment.get("TMUX") else ""
        done.append(f"the terminal (OSC 52{through})")
    if done:
        return f"{len(text):,} characters copied by " + " and ".join(done)
    return f"too long for the terminal: written to {_file(text, folder)}"


def _tool(environment: Mapping[str, str]) -> tuple[str, ...] | None:
    if environment.get("SSH_CONNECTION"):
        return None  # it would be the clipboard of the other machine
    for variable, command in TOOLS:
        if (not variable or environment.get(variable)) and shutil.which(command[0]):
            return command
    return None


def _piped(command: tuple[str, ...], text: str) -> bool:
    try:
        done = subprocess.run(
            command,
            input=text.encode("utf-8", "replace"),
            stdout=subprocess.DEVNULL,  # xclip stays, and would hold the pipe
            stderr=subprocess.DEVNULL,
            timeout=2,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _file(text: str, folder: Path | None) -> Path:
    handle, name = tempfile.mkstemp(".txt", "choreoscope-", folder)
    with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as file:
        file.write(text)
    return Path(name)
