"""Unpacks gzip members and zstd frames up to the byte where the data end, break or are a bomb."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, cast

GZIP = b"\x1f\x8b"
ZSTD = b"\x28\xb5\x2f\xfd"
SKIPPABLE = b"\x2a\x4d\x18"  # after a byte of 0x50 to 0x5f
MAX_WINDOW = 1 << 27  # bytes; a zstd frame that asks for more is a bomb or a mistake
MAX_HEADER = 1 << 17  # bytes of a gzip header: its extra field alone may take 64 KB

FEED = 1 << 10  # packed bytes a step: what one step unpacks is lost where the data break in it
WATCHED = 16 << 20  # unpacked bytes after which their expansion is judged


class Readable(Protocol):
    """What every layer offers."""

    def read(self, size: int = ..., /) -> bytes:
        """At most `size` bytes; b"" at the end."""
        ...


class DamagedStream(Exception):
    """The data end or break here; what came before is good. `reason` is short and countable."""

    reason = "damaged-compression"


class Bomb(DamagedStream):
    """The data unfold further than any recording does."""

    reason = "expands-too-far"


class Unreadable(DamagedStream):
    """The medium failed."""

    reason = "unreadable"


class _Unpacker(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Packing:
    """One kind of compression.

    `most` is how many bytes one packed byte may become, on average over `WATCHED` of them. A span
    has an id of eight random bytes and times of its own: 20 bytes however it is packed. Deflate
    comes to 1,032 at most, so that 900 needs 140 KB of the same text beside those 20 bytes, span
    after span; a bomb of zeros has 1,028. For zstd, which has no such bound, 4,000 are 90 KB.
    """

    name: str
    member: str
    most: int
    begins: Callable[[bytes], bool]
    header: Callable[[bytes], bool]  # whether the member's header is whole
    make: Callable[[], _Unpacker]


class Unpacked:
    """The plain bytes of every member."""

    def __init__(self, raw: Readable, packing: Packing) -> None:
        self._raw = raw
        self._packing = packing
        self._unpacker = packing.make()
        self._fresh = True  # nothing of the present member was read yet
        self._fed = 0  # packed bytes taken
        self._watched = (0, 0)  # (packed, unpacked) bytes since expansion was judged
        self._ready = b""
        self._damage: DamagedStream | None = None

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes. Raises DamagedStream after the last that could be unpacked."""
        pieces, total = [self._ready], len(self._ready)
        try:
            while total < size and self._damage is None and (piece := self.more()) is not None:
                pieces.append(piece)
                total += len(piece)
        except DamagedStream as error:
            self._damage = error
        data = b"".join(pieces)
        if not data and self._damage is not None:
            raise self._damage
        self._ready = data[size:]
        return data[:size]

    def more(self) -> bytes | None:
        """What the next packed bytes unpack to; None at the end. Raises DamagedStream."""
        fresh = self._fresh or self._unpacker.eof
        packed = self._begin() if fresh else self._feed()
        if not packed and fresh:
            return None
        if not packed:
            raise self._cut()
        before = self._fed - len(packed)
        try:
            found = self._unpacker.decompress(packed)
        except _errors() as error:
            raise DamagedStream(
                f"the {self._packing.name} data are damaged at byte {before}: {_said(error)}"
            ) from error
        self._judge(len(packed), len(found))
        return found

    def _cut(self) -> DamagedStream:
        return DamagedStream(f"the {self._packing.name} data are cut short at byte {self._fed}")

    def _feed(self) -> bytes:
        packed = self._raw.read(FEED)
        self._fed += len(packed)
        return packed

    def _begin(self) -> bytes:
        """The first bytes of the next member, its header whole; b"" where none follows."""
        packed = self._unpacker.unused_data if self._unpacker.eof else b""
        while not (packed := packed.lstrip(b"\0")) and (packed := self._feed()):
            pass  # members may be padded with NULs
        if not packed:
            return b""
        while len(packed) < MAX_HEADER and not self._packing.header(packed):
            if not (more := self._feed()):
                break
            packed += more
        if not self._packing.begins(packed):
            at, packing = self._fed - len(packed), self._packing
            text = f"what follows the last whole {packing.name} {packing.member}, from byte {at} on"
            raise DamagedStream(f"{text}, is none and was not read")
        if self._unpacker.eof:
            self._unpacker = self._packing.make()
        self._fresh = False
        return packed

    def _judge(self, packed: int, unpacked: int) -> None:
        packed, unpacked = self._watched[0] + packed, self._watched[1] + unpacked
        if unpacked < WATCHED:
            self._watched = packed, unpacked
            return
        self._watched = 0, 0
        if unpacked > packed * self._packing.most:
            raise Bomb(
                f"{unpacked >> 20} MiB were unpacked from {packed} bytes before byte {self._fed}, "
                f"more than {self._packing.most} to 1, which no recording reaches"
            )


def _errors() -> tuple[type[Exception], ...]:
    from isal import igzip_lib
    from zstandard import ZstdError

    isal = cast(type[Exception], igzip_lib.error)
    return (EOFError, zlib.error, ZstdError, isal)


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__


def packing_of(head: bytes) -> Packing | None:
    """How the stream that begins with `head` (4 bytes, fewer only at its end) is packed."""
    found = (packing for packing in PACKINGS if len(head) > 1 and packing.begins(head))
    return next(found, None)


def _gzip() -> _Unpacker:
    from isal import igzip_lib

    return igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)


def _gzip_begins(data: bytes) -> bool:
    return GZIP.startswith(data[:2])


def _gzip_header(data: bytes) -> bool:
    """Whether a gzip header (RFC 1952) is whole: isal misreads one that comes in pieces."""
    return next(_header_ends(data), None) is not None


def _header_ends(data: bytes) -> Iterator[int]:
    """Where the header ends; nothing where it goes on beyond the data."""
    if len(data) < 10:
        return
    flags, at = data[3], 10
    if flags & 4:
        at += 2 + int.from_bytes(data[10:12], "little")
    for _ in range(bool(flags & 8) + bool(flags & 16)):  # a name, a comment
        at = data.find(b"\0", at) + 1
        if not at:
            return
    at += 2 if flags & 2 else 0
    if at <= len(data):
        yield at


def _zstd() -> _Unpacker:
    import zstandard

    maker = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW)
    return cast(_Unpacker, maker.decompressobj())


def _zstd_begins(data: bytes) -> bool:
    """A frame, or a skippable one; of a magic number that is cut what is there."""
    magic = data[:4]
    return ZSTD.startswith(magic) or (magic[0] >> 4 == 5 and SKIPPABLE.startswith(magic[1:]))


def _zstd_header(data: bytes) -> bool:
    return len(data) >= 4


PACKINGS = (
    Packing("gzip", "member", 900, _gzip_begins, _gzip_header, _gzip),
    Packing("zstd", "frame", 4000, _zstd_begins, _zstd_header, _zstd),
)
