"""What the terminal can show: colour, characters, width; and progress on it."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TextIO

import click

if TYPE_CHECKING:
    from analyzer.reporters.style import Style

PLAIN_WIDTH = 80
SLOW_S = 0.7  # shorter work shows no progress bar: it would only flicker
_SAMPLE = "█▏●✖▁╭─╮·…"


def style_for(stream: TextIO) -> Style:
    """How to draw on `stream`, from NO_COLOR, FORCE_COLOR, TERM, COLUMNS and its encoding."""
    from analyzer.reporters.style import Style

    return Style(width=width(stream), colour=colours(stream), unicode=can_unicode(stream))


def colours(stream: TextIO) -> bool:
    """NO_COLOR (not empty) wins over FORCE_COLOR (not empty, not 0), that over the terminal."""
    if os.environ.get("NO_COLOR"):
        return False
    forced = os.environ.get("FORCE_COLOR", "")
    if forced:
        return forced != "0"
    return _is_terminal(stream) and os.environ.get("TERM") != "dumb"


def width(stream: TextIO) -> int:
    """Columns of the terminal; 80 where there is none, unless COLUMNS says otherwise."""
    asked = os.environ.get("COLUMNS", "")
    if asked.isascii() and asked.isdigit() and int(asked) > 0:
        return min(max(int(asked), 40), 500)
    if not _is_terminal(stream):
        return PLAIN_WIDTH
    return max(shutil.get_terminal_size((PLAIN_WIDTH, 24)).columns, 40)


def can_unicode(stream: TextIO) -> bool:
    """Whether the stream's encoding has our glyphs; CHOREOSCOPE_ASCII turns them off."""
    if os.environ.get("CHOREOSCOPE_ASCII"):
        return False
    try:
        _SAMPLE.encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _is_terminal(stream: TextIO) -> bool:
    return bool(getattr(stream, "isatty", lambda: False)())


def note(message: str) -> None:
    """A line on stderr; foreign parts are escaped already."""
    with suppress(OSError):  # a full disk behind stderr changes no verdict
        click.echo(f"choreoscope: {message}", err=True)


def emit(text: str) -> None:
    """Text on stdout. BrokenPipeError where the reader has gone."""
    sys.stdout.write(text)


class Progress:
    """A progress bar on stderr that only shows on a terminal and when work takes long."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._started = time.monotonic()
        self._bar: Any = None
        self._shown = 0

    def __call__(self, done: int, total: int = 0, *_: object) -> None:
        """`done` of `total` (0 = unknown, nothing is drawn)."""
        if not total or time.monotonic() - self._started < SLOW_S:
            return
        if self._bar is None:
            self._bar = click.progressbar(
                length=total, label=self._label, file=sys.stderr, show_eta=True
            )
            self._bar.__enter__()
        self._bar.update(max(done - self._shown, 0))
        self._shown = max(done, self._shown)

    def close(self) -> None:
        """End the line, where one was begun."""
        if self._bar is not None:
            self._bar.__exit__(None, None, None)


@contextmanager
def progress(label: str) -> Iterator[Progress | None]:
    """A progress callback for long work; None where stderr is no terminal."""
    meter = Progress(label) if _is_terminal(sys.stderr) else None
    try:
        yield meter
    finally:
        if meter is not None:
            meter.close()


class Stages:
    """The name of the stage at work, on one line of stderr, once work takes long."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._shown = False

    def __call__(self, stage: str) -> None:
        """A stage begins."""
        if time.monotonic() - self._started >= SLOW_S:
            self._shown = True
            click.echo(f"\r\x1b[Kanalysing: {stage}", nl=False, err=True)

    def close(self) -> None:
        """Wipe the line, where there is one."""
        if self._shown:
            click.echo("\r\x1b[K", nl=False, err=True)


@contextmanager
def stages() -> Iterator[Stages | None]:
    """A callback for the stages of the analysis; None where stderr is no terminal."""
    line = Stages() if _is_terminal(sys.stderr) else None
    try:
        yield line
    finally:
        if line is not None:
            line.close()
