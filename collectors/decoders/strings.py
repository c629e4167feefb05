"""Makes text columns from byte ranges of one buffer without copying or touching the text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]
Views = npt.NDArray[np.uint64]  # shape (rows, 2): Arrow's 16-byte string views

PAD = 16  # bytes after the text, so that eight bytes can be read from every position
INLINE = 12  # bytes; Arrow keeps shorter text inside the view
TILE = 1 << 15  # rows worked on at a time: the temporaries stay in the processor's cache

_MASKS = np.array([(1 << (8 * n)) - 1 for n in range(8)] + [2**64 - 1] * 5, np.uint64)
_LOW, _HIGH = np.uint64(0xFFFFFFFF), np.uint64(32)


class NotUtf8(ValueError):
    """Some range is not UTF-8."""


class Buffer:
    """Text to take ranges from, readable eight bytes at a time at any position."""

    def __init__(self, pieces: Iterable[Any], *, utf8: bool = False) -> None:
        """The pieces (of the buffer protocol) joined; `utf8`: they are known to be valid."""
        self.data = b"".join([*pieces, b"\0" * PAD])
        self.size = len(self.data) - PAD
        self.bytes: Bytes = np.frombuffer(self.data, np.uint8)
        shape = (self.size + PAD - 7,)
        self.words: Words = np.ndarray(shape, "<u8", buffer=self.data, strides=(1,))
        self._foreign: Ints | None = np.empty(0, np.int64) if utf8 else None

    @property
    def foreign(self) -> Ints:
        """Where bytes beyond ASCII stand; empty where the text is known to be UTF-8."""
        if self._foreign is None:
            self._foreign = np.flatnonzero(self.bytes >= 0x80)
        return self._foreign

    def vouch(self) -> None:
        """Say that every range that will be asked for is valid UTF-8."""
        self._foreign = np.empty(0, np.int64)

    def views(self, start: Ints, length: Ints) -> Views:
        """The ranges as string views into this buffer, `start` ascending. Raises NotUtf8."""
        self._check(start, length)
        views = np.empty((len(start), 2), np.uint64)
        for tile in tiles(len(start)):
            self._fill(views[tile], start[tile], length[tile])
        return views

    def text(self, start: Ints, length: Ints) -> pl.Series:
        """The ranges as a String column. Raises NotUtf8."""
        return series(self.views(start, length), [self.data])

    def _fill(self, views: Views, start: Ints, length: Ints) -> None:
        """Length, then the text itself, or its first four bytes and where it stands."""
        size = length.astype(np.uint64)
        short = np.minimum(length, INLINE)
        views[:, 0] = (self.words[start] & _MASKS[np.minimum(short, 4)]) << _HIGH
        views[:, 0] |= size
        inline = self.words[start + 4] & _MASKS[np.maximum(short - 4, 0)]
        place = start.astype(np.uint64) << _HIGH
        views[:, 1] = np.where(length > INLINE, place, inline)

    def _check(self, start: Ints, length: Ints) -> None:
        """Decode each range that holds a byte beyond ASCII: most texts hold none."""
        foreign = self.foreign
        if not len(foreign) or not len(start):
            return
        row = np.searchsorted(start, foreign, side="right") - 1
        inside = (row >= 0) & (foreign < (start + length)[row])
        try:
            for at in np.unique(row[inside]).tolist():
                self.data[start[at] : start[at] + length[at]].decode()
        except UnicodeDecodeError as error:
            raise NotUtf8(str(error)) from error


def tiles(rows: int) -> Iterator[slice]:
    """Slices of at most `TILE` rows."""
    for begin in range(0, rows, TILE):
        yield slice(begin, min(begin + TILE, rows))


def series(views: Views, data: Sequence[bytes | pa.Buffer]) -> pl.Series:
    """A String column of views into `data`; the buffers stay alive with it."""
    if not len(views):
        return pl.Series(dtype=pl.String())
    buffers = [None, pa.py_buffer(views), *map(pa.py_buffer, data)]
    return as_series(pa.Array.from_buffers(pa.string_view(), len(views), buffers))


def as_series(array: pa.Array) -> pl.Series:
    """An Arrow array as a polars column, without a copy where the layouts agree."""
    found = pl.from_arrow(array)
    assert isinstance(found, pl.Series)
    return found


@dataclass(slots=True)
class Patchwork:
    """A text column put together from views of several buffers."""

    views: Views
    data: list[bytes | pa.Buffer]

    @classmethod
    def of(cls, buffer: Buffer, start: Ints, length: Ints) -> Patchwork:
        """Ranges of one buffer; rows to be patched have length 0."""
        return cls(buffer.views(start, length), [buffer.data])

    def patch(self, rows: Ints, values: pl.Series) -> None:
        """Put `values` (String, no nulls) into those rows."""
        if not len(rows):
            return
        column = values.rechunk().to_arrow(compat_level=pl.CompatLevel.newest())
        if not pa.types.is_string_view(column.type):
            column = column.cast(pa.string_view())
        _, raw, *data = column.buffers()
        first = column.offset
        views = np.frombuffer(raw, np.uint64).reshape(-1, 2)[first : first + len(column)].copy()
        long = (views[:, 0] & _LOW) > INLINE
        views[long, 1] += np.uint64(len(self.data))
        self.views[rows] = views
        self.data += data

    def series(self) -> pl.Series:
        """The whole column."""
        return series(self.views, self.data)
