"""Opens a source as plain bytes: gzip and zstd are recognised by content and read to the end."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, cast

from collectors.source import Source, SourceError
from collectors.unpack import DamagedStream as DamagedStream
from collectors.unpack import Readable, Unpacked, Unreadable, packing_of

HEAD = 1 << 16  # bytes looked at to tell the format


class Stream:
    """Plain bytes with a look ahead.

    Damage is told when the good bytes before it have been read: by `read`, else by `settle`.
    """

    def __init__(self, raw: Readable, *, plain: bool = False) -> None:
        self._raw = raw
        self._head = b""
        self._damage: DamagedStream | None = None
        self._told = False
        self.plain = plain  # the bytes of the file itself

    def peek(self, size: int = HEAD) -> bytes:
        """The first bytes that are still to be read; fewer only at the end."""
        while len(self._head) < size and (more := self._next(size - len(self._head))):
            self._head += more
        return self._head

    def read(self, size: int) -> bytes:
        """At most `size` bytes; b"" at the end. Raises DamagedStream."""
        if self._head:
            taken, self._head = self._head[:size], self._head[size:]
            return taken
        piece = self._next(size)
        if not piece and self._damage is not None:
            self._told = True
            raise self._damage
        return piece

    def rest(self, limit: int) -> bytes:
        """Everything that can be read, at most `limit` bytes plus one."""
        pieces = [self._head[: limit + 1]]
        total, self._head = len(pieces[0]), self._head[limit + 1 :]
        while total <= limit and (piece := self._next(min(1 << 22, limit + 1 - total))):
            pieces.append(piece)
            total += len(piece)
        return b"".join(pieces)

    def settle(self) -> None:
        """Raises the DamagedStream that nobody was told."""
        if self._damage is not None and not self._told:
            raise self._damage

    def _next(self, size: int) -> bytes:
        if self._damage is None:
            try:
                return self._raw.read(size)
            except DamagedStream as error:
                self._damage = error
        return b""


class Filling(Protocol):
    """A file, or standard input."""

    def readinto(self, buffer: bytearray, /) -> int | None:
        """Fills the buffer as far as it can; 0 at the end."""
        ...


class _Counted(io.RawIOBase):
    """Tells how many bytes of the file itself were read."""

    def __init__(self, raw: Filling, tell: Callable[[int], None]) -> None:
        self._raw = raw
        self._tell = tell
        self._done = 0
        self.failure: Unreadable | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        try:
            count = self._raw.readinto(cast(bytearray, buffer)) or 0
        except OSError as error:
            # Told at the end: a BufferedReader that is interrupted loses what it holds.
            self.failure = Unreadable(f"byte {self._done} cannot be read: {error.strerror}")
            return 0
        self._done += count
        self._tell(count)
        return count


@contextmanager
def opened(source: Source, tell: Callable[[int], None]) -> Iterator[Stream]:
    """The source's plain bytes. Raises SourceError where it cannot be opened.

    Raises DamagedStream at the end, where the block has not been told of damage by reading on.
    """
    with _opened(source, tell) as stream:
        yield stream
        stream.settle()


@contextmanager
def _opened(source: Source, tell: Callable[[int], None]) -> Iterator[Stream]:
    if source.simulated:
        yield _simulated(source.name, tell)
        return
    if source.path is None:
        if sys.stdin is None:
            raise SourceError("standard input is closed; give it a file, or name one instead of -")
        yield from _plain(_Counted(cast(Filling, sys.stdin.buffer), tell))
        return
    try:
        file = source.path.open("rb", buffering=0)
    except OSError as error:
        raise SourceError(f"{source.path}: {error.strerror}") from error
    with file:
        yield from _plain(_Counted(cast(Filling, file), tell))


def _simulated(uri: str, tell: Callable[[int], None]) -> Stream:
    from collectors.simulate import parse
    from collectors.simulate.stream import SimulatedFile

    counted = _Counted(SimulatedFile(parse(uri)), tell)
    return Stream(io.BufferedReader(counted, 1 << 20), plain=True)


def _plain(raw: _Counted) -> Iterator[Stream]:
    buffered = io.BufferedReader(raw, 1 << 20)
    packing = packing_of(buffered.peek(4)[:4])
    if packing is None:
        yield Stream(buffered, plain=True)
    else:
        yield Stream(Unpacked(buffered, packing))
    if raw.failure is not None:
        raise raw.failure
