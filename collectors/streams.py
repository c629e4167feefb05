"""Opens a source as plain bytes: gzip and zstd are recognised by content and read to the end."""

from __future__ import annotations

import io
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, cast

from collectors.sources import Source, SourceError

HEAD = 1 << 16  # bytes looked at to tell the format
GZIP = b"\x1f\x8b"
ZSTD = b"\x28\xb5\x2f\xfd"
MAX_WINDOW = 1 << 27  # bytes; a zstd frame that asks for more is a bomb or a mistake


class Readable(Protocol):
    """What every layer offers."""

    def read(self, size: int = ..., /) -> bytes:
        """At most `size` bytes; b"" at the end."""
        ...


class DamagedStream(Exception):
    """The compressed data end or break here; what came before is good."""


class Stream:
    """Plain bytes with a look ahead."""

    def __init__(self, raw: Readable, *, plain: bool = False) -> None:
        self._raw = raw
        self._head = b""
        self.plain = plain  # the bytes of the file itself

    def peek(self, size: int = HEAD) -> bytes:
        """The first bytes that are still to be read; fewer only at the end."""
        while len(self._head) < size:
            more = self._raw.read(size - len(self._head))
            if not more:
                break
            self._head += more
        return self._head

    def read(self, size: int) -> bytes:
        """At most `size` bytes; b"" at the end. Raises DamagedStream."""
        if self._head:
            taken, self._head = self._head[:size], self._head[size:]
            return taken
        return self._raw.read(size)

    def rest(self, limit: int) -> bytes:
        """Everything, at most `limit` bytes plus one."""
        pieces, total = [], 0
        while total <= limit and (piece := self.read(min(1 << 22, limit + 1 - total))):
            pieces.append(piece)
            total += len(piece)
        return b"".join(pieces)


class _Counted(io.RawIOBase):
    """Tells how many bytes of the file itself were read."""

    def __init__(self, raw: Readable, tell: Callable[[int], None]) -> None:
        self._raw = raw
        self._tell = tell

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(cast(bytearray, buffer))
        piece = self._raw.read(len(view))
        view[: len(piece)] = piece
        self._tell(len(piece))
        return len(piece)


class _Guarded:
    """Turns every way in which compressed data can be broken into DamagedStream."""

    STEP = 1 << 16  # bytes; what was unpacked in the step that fails is lost

    def __init__(self, raw: Readable) -> None:
        self._raw = raw

    def read(self, size: int = -1, /) -> bytes:
        from isal import isal_zlib
        from zstandard import ZstdError

        isal = cast(type[Exception], isal_zlib.error)
        broken = (EOFError, OSError, zlib.error, ZstdError, isal)
        pieces: list[bytes] = []
        total = 0
        try:
            while total < size and (piece := self._raw.read(min(self.STEP, size - total))):
                pieces.append(piece)
                total += len(piece)
        except broken as error:
            if not pieces:  # what came before the damage is good; the next call tells
                raise DamagedStream(str(error) or type(error).__name__) from error
        return b"".join(pieces)


class _Zstd:
    """Every frame of a zstd stream; zstandard's own reader is silent about a frame cut short."""

    STEP = 4096  # bytes fed at a time; a block of 4 bytes can unfold to 128 KB

    def __init__(self, raw: Readable) -> None:
        import zstandard

        self._raw = raw
        self._maker = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW)
        self._frame = self._maker.decompressobj()
        self._fresh = True  # nothing of the present frame was read yet
        self._ready = b""

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes. Raises EOFError where a frame is cut short."""
        pieces, total = [self._ready], len(self._ready)
        while total < size and (piece := self._more()) is not None:
            pieces.append(piece)
            total += len(piece)
        data = b"".join(pieces)
        if not data and not self._fresh:
            raise EOFError("a zstd frame is cut short")
        self._ready = data[size:]
        return data[:size]

    def _more(self) -> bytes | None:
        packed = self._frame.unused_data if self._frame.eof else b""
        if self._frame.eof:
            self._frame, self._fresh = self._maker.decompressobj(), True
        packed = packed or self._raw.read(self.STEP)
        if not packed:
            return None
        self._fresh = False
        return self._frame.decompress(packed)


@contextmanager
def opened(source: Source, tell: Callable[[int], None]) -> Iterator[Stream]:
    """The source's plain bytes. Raises SourceError where it cannot be opened."""
    if source.path is None:
        yield _plain(_Counted(sys.stdin.buffer, tell))
        return
    try:
        file = source.path.open("rb", buffering=0)
    except OSError as error:
        raise SourceError(f"{source.path}: {error.strerror}") from error
    with file:
        yield _plain(_Counted(cast(Readable, file), tell))


def _plain(raw: _Counted) -> Stream:
    buffered = io.BufferedReader(raw, 1 << 20)
    magic = buffered.peek(4)[:4]
    if magic[:2] == GZIP:
        from isal import igzip

        return Stream(_Guarded(igzip.GzipFile(fileobj=buffered, mode="rb")))  # type: ignore[no-untyped-call]
    if magic == ZSTD or (magic[1:] == b"\x2a\x4d\x18" and magic[0] >> 4 == 5):
        return Stream(_Guarded(_Zstd(buffered)))
    return Stream(buffered, plain=True)
