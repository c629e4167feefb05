"""Unpacks request bodies within a bound: every gzip member, every zstd frame, no bomb.

A body that grows is measured before it is kept, so that a bomb never holds what it unpacks to.
"""

from __future__ import annotations

from io import BytesIO

from collectors.receivers.refusals import Refused, Why
from collectors.unpack import FEED, MAX_HEADER, PACKINGS, Bomb, DamagedStream, Packing, Unpacked

LIMIT = 64 << 20  # bytes unpacked, as OTLP recommends
KEPT = 4 << 20  # bytes unpacked that are kept; of a larger body only once its size is known
LOOK = 1 << 20  # bytes that arrive between two looks into a body
AHEAD = MAX_HEADER + 2 * FEED  # bytes that one step may take
STEPS = {"zstd": 128}  # packed bytes a step, where FEED of them may become 32 MB
NAMES = {packing.name: packing for packing in PACKINGS}


class Body:
    """One body, whole or arriving. Every method may raise Refused."""

    def __init__(self, encoding: str, limit: int = LIMIT, whole: bytes = b"") -> None:
        """`whole`: the body as it was sent, where it is there."""
        self.encoding = encoding.strip().lower()
        self.size = 0  # bytes unpacked, as far as it was measured
        self._limit = limit
        self._packing = _packing(self.encoding)
        self._wire = _Wire(whole, self.encoding)
        self._reader: Unpacked | None = None
        self._kept: list[bytes] = []
        self._done = self._packing is None
        self._bounded()

    def add(self, piece: bytes) -> bool:
        """Take a piece that has arrived; whether it is time for a look."""
        self._wire.add(piece)
        self._bounded()
        return self._packing is not None and self._wire.left >= LOOK

    @property
    def arrived(self) -> int:
        """Bytes that have arrived."""
        return self._wire.size

    def sent(self) -> bytes:
        """The body as it was sent."""
        return self._wire.whole()

    def look(self) -> None:
        """Measure what has arrived so far."""
        if self._packing is not None:
            self._measure(self._packing, AHEAD, self._limit)

    def measured(self, most: int = 1 << 62) -> bool:
        """Measure the whole body, or until more than `most` bytes of it are unpacked."""
        if self._packing is not None and not self._done:
            self._measure(self._packing, -1, most)
        return self._done

    def plain(self) -> bytes:
        """The body as it was before it was packed; `measured` comes first."""
        if self._packing is None:
            return self.sent()
        if self.size <= KEPT:
            return b"".join(self._kept)
        reader = Unpacked(_Wire(self.sent(), self.encoding), self._packing)
        found = BytesIO()
        while (piece := reader.more()) is not None:
            found.write(piece)
        return found.getvalue()

    def _bounded(self) -> None:
        if self._wire.size > self._limit:
            raise too_large(self._limit)
        if self._packing is None:
            self.size = self._wire.size

    def _measure(self, packing: Packing, ahead: int, most: int) -> None:
        """Unpack while more than `ahead` bytes are there, -1 = to the end."""
        reader = self._reader or self._begun(packing)
        try:
            while self._wire.left > ahead and self.size <= most:
                piece = reader.more()
                if piece is None:
                    self._done = ahead < 0
                    return
                self._count(piece)
        except Bomb as error:
            raise too_large(self._limit) from error
        except DamagedStream as error:
            raise Refused(Why.MALFORMED, str(error)) from error

    def _begun(self, packing: Packing) -> Unpacked:
        if not (head := self._wire.head()) or not packing.begins(head):
            said = f"the body is not {packing.name}, though Content-Encoding says so"
            raise Refused(Why.MALFORMED, said)
        self._reader = Unpacked(self._wire, packing)
        return self._reader

    def _count(self, piece: bytes) -> None:
        self.size += len(piece)
        if self.size > self._limit:
            raise too_large(self._limit)
        if self.size > KEPT:
            self._kept.clear()
        else:
            self._kept.append(piece)


class _Wire:
    """The bytes that have arrived: read step by step, while more arrive.

    BytesIO gives its bytes away without copying them.
    """

    def __init__(self, whole: bytes, encoding: str) -> None:
        self.size = len(whole)
        self._data = BytesIO(whole)
        self._at = 0
        self._step = STEPS.get(encoding, FEED)

    @property
    def left(self) -> int:
        """Bytes that were not read."""
        return self.size - self._at

    def add(self, piece: bytes) -> None:
        """Bytes that follow."""
        self._data.seek(self.size)
        self.size += self._data.write(piece)

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes, and at most a step."""
        self._data.seek(self._at)
        found = self._data.read(self._step if size < 0 else min(size, self._step))
        self._at += len(found)
        return found

    def head(self) -> bytes:
        """The first bytes, by which packings are told apart."""
        self._data.seek(0)
        return self._data.read(4)

    def whole(self) -> bytes:
        """All of them."""
        return self._data.getvalue()


def _packing(name: str) -> Packing | None:
    """None where the body is plain. Raises Refused."""
    if name in ("", "identity"):
        return None
    if name not in NAMES:
        raise Refused(
            Why.UNKNOWN_TYPE,
            f"Content-Encoding {name[:40]!r} is not taken; send gzip or zstd",
        )
    return NAMES[name]


def unpacked(body: bytes, encoding: str, limit: int = LIMIT) -> bytes:
    """A whole body as it was before it was packed. Raises Refused."""
    found = Body(encoding, limit, body)
    found.measured()
    return found.plain()


def too_large(limit: int) -> Refused:
    """The refusal of a body beyond the limit."""
    return Refused(
        Why.TOO_LARGE, f"more than {limit} bytes unpacked; send fewer spans in a request"
    )
