"""Makes text columns from byte ranges of one buffer without copying or touching the text."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]

PAD = 16  # bytes after the text, so that eight bytes can be read from every position
INLINE = 12  # bytes; Arrow keeps shorter text inside the view

_MASKS = np.array([(1 << (8 * n)) - 1 for n in range(8)] + [2**64 - 1] * 9, np.uint64)


class NotUtf8(ValueError):
    """Some range is not UTF-8."""


class Buffer:
    """Text to take ranges from, readable eight bytes at a time at any position."""

    def __init__(self, text: bytes | bytearray | pa.Buffer) -> None:
        self.size = len(text)
        self._padded = bytearray(self.size + PAD)
        self._padded[: self.size] = memoryview(text)
        self.bytes: Bytes = np.frombuffer(self._padded, np.uint8)
        shape = (self.size + PAD - 7,)
        self.words: Words = np.ndarray(shape, "<u8", buffer=self._padded, strides=(1,))
        self._ascii: bool | None = None

    @property
    def ascii(self) -> bool:
        """Whether the whole text is ASCII, and so every range of it UTF-8."""
        if self._ascii is None:
            self._ascii = self._padded.isascii()
        return self._ascii

    def text(self, start: Ints, length: Ints) -> pl.Series:
        """The ranges as a String column. Raises NotUtf8."""
        if not len(start):
            return pl.Series(dtype=pl.String())
        views = self._views(start, length)
        data = pa.py_buffer(self._padded)
        buffers = [None, pa.py_buffer(views), data]
        if self.ascii:
            return _series(pa.Array.from_buffers(pa.string_view(), len(start), buffers))
        raw = pa.Array.from_buffers(pa.binary_view(), len(start), buffers)
        try:
            return _series(raw.cast(pa.large_binary()).cast(pa.large_string()))
        except pa.ArrowInvalid as error:
            raise NotUtf8(str(error)) from error

    def _views(self, start: Ints, length: Ints) -> npt.NDArray[np.uint64]:
        """Arrow string views: length, then the text itself or a prefix and where it stands."""
        views = np.empty((len(start), 2), np.uint64)
        first = self.words[start]
        size = length.astype(np.uint64)
        head = first & _MASKS[np.minimum(length, 4)]
        views[:, 0] = size | (head << np.uint64(32))
        tail_at = np.minimum(start + 4, len(self.words) - 1)
        inline = self.words[tail_at] & _MASKS[np.clip(length - 4, 0, 8)]
        views[:, 1] = np.where(length <= INLINE, inline, start.astype(np.uint64) << np.uint64(32))
        return views


def _series(array: pa.Array) -> pl.Series:
    series = pl.from_arrow(array)
    assert isinstance(series, pl.Series)
    return series


def merged(choices: list[tuple[Ints, pl.Series]], rows: int) -> pl.Series:
    """One column from parts: each is (the rows it fills, their values). Unfilled rows are ""."""
    if len(choices) == 1 and len(choices[0][0]) == rows:
        return choices[0][1]
    index = np.zeros(rows, np.uint32)
    offset = 1
    pieces = [pl.Series([""], dtype=pl.String())]
    for where, values in choices:
        index[where] = np.arange(offset, offset + len(where), dtype=np.uint32)
        offset += len(where)
        pieces.append(values)
    return pl.concat(pieces, rechunk=True).gather(pl.Series(index))
