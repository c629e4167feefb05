"""Cuts a stream of text into blocks of whole lines, with the number of each block's first line."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from collectors.source import SourceError
from collectors.streams import DamagedStream, Stream

BLOCK = 8 << 20  # bytes; about 10,000 spans: small enough for memory that is used over again
MAX_LINE = 128 << 20  # bytes; twice what OTLP receivers take as one request
MAX_LINE_NAME = "CHOREOSCOPE_MAX_LINE"
UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}

BLANK = b"\0 \t\r\n"
_BLANK_RUN = re.compile(rb"[\0 \t\r\n]{256,}")
SHORT = 16  # bytes; where lines are shorter than this most of them are blank
FEW = 1000  # newlines of a block that are found one by one
SHORT_BLOCK = 1 << 18  # bytes of a block of such lines: each costs an object


@dataclass(frozen=True, slots=True)
class Block:
    """Whole lines; the last one of a stream may lack its end."""

    data: bytes
    line: int  # 1-based number of the first line


class LineTooLong(Exception):
    """Lines beyond the limit were left out; all others were given out. `line` is the first."""

    def __init__(self, line: int, more: int, limit: int) -> None:
        text = f"it is longer than {limit >> 20} MiB ({MAX_LINE_NAME} sets the limit)"
        super().__init__(text + f"; so are {more} lines below it" * bool(more))
        self.line = line


def max_line() -> int:
    """The longest line in bytes, as the environment sets it. Raises SourceError."""
    said = os.environ.get(MAX_LINE_NAME, "")
    if not said:
        return MAX_LINE
    found = re.fullmatch(r"(\d{1,12})([KMG]?)(i?B)?", said.strip(), re.IGNORECASE)
    if not found:
        raise SourceError(f"{MAX_LINE_NAME}={said!r} is no size; write one such as 512M")
    return int(found[1]) * UNITS[found[2].upper()]


def blocks(stream: Stream, size: int = BLOCK) -> Iterator[Block]:
    """The stream as blocks of at least one line; long runs of blanks are left out.

    Raises DamagedStream, and LineTooLong where lines had to be left out, both at the very end.
    """
    cutter = _Cutter(max_line())
    try:
        while piece := stream.read(size):
            yield from cutter.add(piece)
    except DamagedStream:
        yield from cutter.rest()
        raise
    yield from cutter.rest()
    if cutter.skipped:
        raise LineTooLong(cutter.skipped[0], len(cutter.skipped) - 1, cutter.limit)


@dataclass(slots=True)
class _Cutter:
    limit: int  # bytes of a line
    line: int = 1  # number of the pending line
    pending: list[bytes] = field(default_factory=list)
    held: int = 0  # bytes pending
    skipped: list[int] = field(default_factory=list)  # numbers of the lines that are too long

    def add(self, piece: bytes) -> Iterator[Block]:
        """The blocks that this piece completes."""
        if not self.held and is_blank(piece):
            self.line += _newlines(piece)
            return
        cut = piece.rfind(b"\n") + 1
        if cut:
            yield from self._whole(piece, cut)
        self._hold(piece[cut:])

    def _whole(self, piece: bytes, cut: int) -> Iterator[Block]:
        """The pending line and those that end before `cut`."""
        begin, line = 0, self.line
        if self.held > self.limit:
            begin, line, self.pending = piece.index(b"\n") + 1, line + 1, []
        data = b"".join([*self.pending, memoryview(piece)[begin:cut]])
        lines = _newlines(data)
        self.line, self.pending, self.held = line + lines, [], 0
        yield from _without_blanks(data, line, lines)

    def _hold(self, piece: bytes) -> None:
        self.held += len(piece)
        if self.held <= self.limit:
            self.pending.append(piece)
        elif not self.skipped or self.skipped[-1] != self.line:
            self.skipped.append(self.line)
            self.pending = []

    def rest(self) -> Iterator[Block]:
        """The last line, which lacks its end."""
        if self.held <= self.limit:
            data = b"".join(self.pending)
            yield from _without_blanks(data, self.line, _newlines(data))


def is_blank(data: bytes) -> bool:
    """Whether there is nothing but blanks and NULs, at the speed of memory."""
    if data[:1] not in BLANK:
        return False
    bytes_ = np.frombuffer(data, np.uint8)
    return bytes_.max() == bytes_.min() or not data.translate(None, BLANK)


def _newlines(data: bytes) -> int:
    """Lines are long: most bytes need only be skipped."""
    at = 0
    for found in range(FEW):
        at = data.find(b"\n", at) + 1
        if not at:
            return found
    return FEW + data.count(b"\n", at)


def _without_blanks(data: bytes, line: int, lines: int) -> Iterator[Block]:
    """The block; where most lines are short its parts between long runs of blanks."""
    if lines * SHORT < len(data) or lines < SHORT_BLOCK // SHORT:
        if data:
            yield Block(data, line)
        return
    begin = 0
    for run in _BLANK_RUN.finditer(data):
        end = data.find(b"\n", run.start(), run.end()) + 1
        if not end:  # blanks inside a line
            continue
        yield from _small(data[begin:end], line)
        again = data.rfind(b"\n", end - 1, run.end()) + 1
        line += data.count(b"\n", begin, again)
        begin = again
    yield from _small(data[begin:], line)


def _small(data: bytes, line: int) -> Iterator[Block]:
    """In blocks of few lines."""
    while data:
        cut = data.find(b"\n", SHORT_BLOCK) + 1 or len(data)
        yield Block(data[:cut], line)
        line += data.count(b"\n", 0, cut)
        data = data[cut:]
