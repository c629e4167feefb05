"""Cuts a stream of text into blocks of whole lines, with the number of each block's first line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from collectors.streams import DamagedStream, Stream

BLOCK = 4 << 20  # bytes; about 5,000 spans: small enough for memory that is used over again
MAX_LINE = 1 << 30  # bytes; one request of a million spans fits


@dataclass(frozen=True, slots=True)
class Block:
    """Whole lines; the last one of a stream may lack its end."""

    data: bytes
    line: int  # 1-based number of the first line


class LineTooLong(Exception):
    """A line beyond `MAX_LINE`; what came before it was given out."""

    def __init__(self, line: int) -> None:
        super().__init__(f"line {line} is longer than {MAX_LINE} bytes")
        self.line = line


def blocks(stream: Stream, size: int = BLOCK) -> Iterator[Block]:
    """The stream as blocks of at least one line. Raises LineTooLong, DamagedStream."""
    line, pending, held = 1, [], 0
    try:
        while piece := stream.read(size):
            cut = piece.rfind(b"\n") + 1
            if not cut:
                pending.append(piece)
                held += len(piece)
                if held > MAX_LINE:
                    raise LineTooLong(line)
                continue
            data = b"".join([*pending, piece[:cut]])
            yield Block(data, line)
            line += data.count(b"\n")
            pending, held = [piece[cut:]], len(piece) - cut
    except DamagedStream:
        if held:
            yield Block(b"".join(pending), line)
        raise
    if held:
        yield Block(b"".join(pending), line)
