"""Reads the attribute lists of many spans at once from their JSON text, in columns.

Encoders write `{"key":"K","value":{"stringValue":"V"}}` without blanks. Every byte of a list is
checked against that template; a list that differs anywhere is told as irregular.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain, repeat

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from collectors.decoders.scalars import double_text
from collectors.decoders.strings import Buffer, Ints, Patchwork, tiles

Bools = npt.NDArray[np.bool_]

QUOTE, BACKSLASH, NEWLINE, COMMA, OPEN, CLOSE, BRACE = (ord(mark) for mark in '"\\\n,[]{')


def _word(text: bytes) -> np.uint64:
    return np.uint64(int.from_bytes(text, "little"))


_KEY = _word(b'{"key":"')
_VALUE, _ALUE = _word(b'","value'), _word(b'alue":{"')
_STRING, _STRING_END = _word(b"stringVa"), _word(b'Value":"')
_INT, _BOOL, _DOUBLE, _DOUBLE_END = map(_word, (b"intValue", b"boolValu", b"doubleVa", b'eValue":'))
_BRACES = np.uint64(int.from_bytes(b"\0}}", "little"))
STRING, INT, BOOL, DOUBLE = 1, 2, 3, 4


@dataclass(frozen=True, slots=True)
class Lists:
    """The attributes of all regular lists, in order; `irregular` lists are not among them."""

    owner: Ints  # number of the list
    key: pl.Series
    value: pl.Series
    quoted: Bools
    irregular: Ints  # numbers of the lists that need a real parser


def read(lists: Sequence[msgspec.Raw]) -> Lists | None:
    """Read the lists; None where they cannot be told apart. The text must be valid UTF-8."""
    buffer = Buffer(chain.from_iterable(zip(lists, repeat(b"\n"))), utf8=True)
    ends = np.flatnonzero(buffer.bytes[: buffer.size] == NEWLINE)
    if len(ends) != len(lists):
        return None
    text = _Text(buffer, ends)
    return text.read()


@dataclass(slots=True)
class _Attributes:
    """Places in the text, one row an attribute."""

    owner: Ints
    begin: Ints  # of its opening brace
    inner: Ints  # of its value's opening brace
    after: Ints  # the position after its last brace
    value: Ints
    value_end: Ints
    type: npt.NDArray[np.uint8]  # 0 = none of the template's
    quotes: npt.NDArray[np.uint8]  # how many the template has


class _Text:
    def __init__(self, buffer: Buffer, ends: Ints) -> None:
        self.buffer = buffer
        self.ends = ends  # of each list, where its newline stands
        self.begins = np.concatenate(([0], ends[:-1] + 1)) if len(ends) else ends
        self.escapes = np.flatnonzero(buffer.bytes == BACKSLASH)

    def _quotes(self) -> Ints:
        """How many quotes begin or end a string, of each list."""
        marks = self.buffer.bytes == QUOTE
        if len(self.escapes):
            marks[_escaped(self.escapes)] = False
        return np.diff(np.searchsorted(np.flatnonzero(marks), self.ends), prepend=0)

    def read(self) -> Lists:
        found = self._attributes()
        good = self._chained(found)
        rows = np.flatnonzero(good[found.owner])
        values = self._values(found, rows)
        if values is None:  # an escape that stands for nothing: each list by itself
            return Lists(*self._nothing(), np.arange(len(self.ends)))
        key, value, quoted, bad = values
        if len(bad):
            good[found.owner[rows[bad]]] = False
            keep = good[found.owner[rows]]
            mask = pl.Series(keep)
            key, value, quoted, rows = (
                key.filter(mask),
                value.filter(mask),
                quoted[keep],
                rows[keep],
            )
        return Lists(found.owner[rows], key, value, quoted, np.flatnonzero(~good))

    def _nothing(self) -> tuple[Ints, pl.Series, pl.Series, Bools]:
        none = pl.Series(dtype=pl.String())
        return np.empty(0, np.int64), none, none, np.empty(0, np.bool_)

    def _attributes(self) -> _Attributes:
        """Where attributes and their values begin: no string holds `{"` unescaped."""
        data, words = self.buffer.bytes, self.buffer.words
        opens = np.flatnonzero((data[:-1] == BRACE) & (data[1:] == QUOTE))
        anchor = np.flatnonzero(words[opens] == _KEY)
        begin, inner = opens[anchor], np.append(opens, 0)[anchor + 1]
        counts = np.diff(np.searchsorted(begin, self.ends), prepend=0)
        owner = np.repeat(np.arange(len(self.ends)), counts)
        rows = len(begin)
        # An attribute ends before the comma of the next one, or before the list's bracket.
        last = np.append(owner[1:] != owner[:-1], np.ones(min(rows, 1), np.bool_))
        after = np.where(last, self.ends[owner], np.append(begin[1:], np.zeros(min(rows, 1)))) - 1
        empty = np.empty(rows, np.int64), np.empty(rows, np.int64)
        small = np.zeros(rows, np.uint8), np.zeros(rows, np.uint8)
        found = _Attributes(owner, begin, inner, after.astype(np.int64), *empty, *small)
        for tile in tiles(rows):
            self._locate(found, tile)
        return found

    def _locate(self, into: _Attributes, tile: slice) -> None:
        words = self.buffer.words
        inner, after = into.inner[tile], into.after[tile]
        good = (inner >= into.begin[tile] + 18) & (after >= inner + 13)
        inner = np.where(good, inner, 10)  # anywhere that can be read from
        good &= (words[inner - 10] == _VALUE) & (words[inner - 6] == _ALUE)
        tail = words[np.maximum(after - 3, 0)]
        good &= tail & np.uint64(0xFFFF00) == _BRACES
        name = words[inner + 2]
        string = (
            good
            & (name == _STRING)
            & (words[np.minimum(inner + 8, self.buffer.size)] == _STRING_END)
        )
        string &= (tail & np.uint64(0xFF) == QUOTE) & (after >= inner + 19)
        into.type[tile] = string
        into.quotes[tile] = 10
        into.value[tile] = inner + 16
        into.value_end[tile] = after - 3
        others = np.flatnonzero(good & ~string)
        if len(others):
            self._literals(into, name[others], others + tile.start)

    def _literals(self, into: _Attributes, name: npt.NDArray[np.uint64], rows: Ints) -> None:
        """Integers (as numbers or strings), booleans, doubles: to the attribute's braces."""
        data, limit = self.buffer.bytes, self.buffer.size
        at, stop = into.inner[rows] + 2, into.after[rows] - 2
        kind, begin = np.zeros(len(rows), np.uint8), at.copy()
        for word, number, skip in ((_INT, INT, 10), (_BOOL, BOOL, 11), (_DOUBLE, DOUBLE, 13)):
            mark = np.minimum(at + skip - 2, limit)
            here = (name == word) & (data[mark] == QUOTE)
            here &= data[np.minimum(mark + 1, limit)] == ord(":")
            if number == DOUBLE:
                here &= self.buffer.words[np.minimum(at + 5, limit)] == _DOUBLE_END
            kind[here] = number
            begin[here] = at[here] + skip
        quoted = (data[np.minimum(begin, limit)] == QUOTE) & (kind == INT)
        kind[quoted & ((data[stop - 1] != QUOTE) | (stop - 1 <= begin))] = 0
        kind[stop <= begin] = 0
        into.type[rows], into.quotes[rows] = kind, 8 + 2 * quoted
        into.value[rows], into.value_end[rows] = begin + quoted, stop - quoted

    def _chained(self, found: _Attributes) -> Bools:
        """The lists that are attributes of the template from bracket to bracket."""
        data, ends, begins = self.buffer.bytes, self.ends, self.begins
        size = ends - begins
        counts = np.bincount(found.owner, minlength=len(ends))
        good: Bools = (data[begins] == OPEN) & (data[np.maximum(ends - 1, 0)] == CLOSE)
        empty = counts == 0
        null = (size == 4) & (self.buffer.words[begins] & np.uint64(0xFFFFFFFF) == _NULL)
        good[empty] = ((good & (size == 2)) | null)[empty]
        if not len(found.owner):
            return good
        first = np.append(True, found.owner[1:] != found.owner[:-1])
        last = np.append(first[1:], True)
        fits = found.type > 0
        fits &= ~first | (found.begin == begins[found.owner] + 1)
        fits &= last | (data[np.minimum(found.after, self.buffer.size)] == COMMA)
        good[found.owner[~fits]] = False
        expected = np.bincount(found.owner, weights=found.quotes, minlength=len(ends))
        chained: Bools = good & (expected == self._quotes())
        return chained

    def _values(
        self, found: _Attributes, rows: Ints
    ) -> tuple[pl.Series, pl.Series, Bools, Ints] | None:
        """(keys, values, quoted, rows whose number is none); None for an unreadable escape."""
        kind = found.type[rows]
        string = kind == STRING
        places = found.value[rows], found.value_end[rows]
        key = self._strings(
            found.begin[rows] + 8, found.inner[rows] - 10, np.ones(len(rows), np.bool_)
        )
        value = self._strings(*places, string)
        if key is None or value is None:
            return None
        quoted, bad = string, []
        for number, reader in _READERS.items():
            here = np.flatnonzero(kind == number)
            if len(here):
                start, end = places[0][here], places[1][here]
                texts, wrong = reader(self.buffer.text(start, end - start))
                value.patch(here, texts)
                bad.append(here[wrong])
        wrong = np.concatenate(bad) if bad else np.empty(0, np.int64)
        return key.series(), value.series(), quoted, wrong

    def _strings(self, start: Ints, end: Ints, wanted: Bools) -> Patchwork | None:
        found = Patchwork.of(self.buffer, start, np.where(wanted, end - start, 0))
        if len(self.escapes):
            inside = np.searchsorted(self.escapes, start) != np.searchsorted(self.escapes, end)
            rows = np.flatnonzero(inside & wanted)
            if len(rows):
                texts = _unescaped(self.buffer, start[rows], end[rows])
                if texts is None:
                    return None
                found.patch(rows, texts)
        return found


_NULL = np.uint64(int.from_bytes(b"null", "little"))


def _escaped(backslashes: Ints) -> Ints:
    """The positions after an odd run of backslashes: those characters are escaped."""
    new = np.append(True, np.diff(backslashes) != 1)
    first = np.flatnonzero(new)
    length = np.diff(np.append(first, len(backslashes)))
    odd = length % 2 == 1
    places: Ints = backslashes[first[odd]] + length[odd]
    return places


def _unescaped(buffer: Buffer, start: Ints, end: Ints) -> pl.Series | None:
    pairs = zip(start.tolist(), end.tolist(), strict=True)
    text = b",".join(b'"%b"' % buffer.data[begin:stop] for begin, stop in pairs)
    try:
        return pl.Series(msgspec.json.decode(b"[%b]" % text, type=list[str]))
    except msgspec.DecodeError:
        return None


Reader = Callable[[pl.Series], tuple[pl.Series, Ints]]


def _ints(texts: pl.Series) -> tuple[pl.Series, Ints]:
    numbers = texts.cast(pl.Int64(), strict=False)
    wrong = np.flatnonzero((numbers.is_null() | texts.str.starts_with("+")).to_numpy())
    return numbers.cast(pl.String()).fill_null(""), wrong


def _bools(texts: pl.Series) -> tuple[pl.Series, Ints]:
    return texts, np.flatnonzero(~texts.is_in(["true", "false"]).to_numpy())


def _doubles(texts: pl.Series) -> tuple[pl.Series, Ints]:
    """Numbers only: what is written as a string, such as "NaN", is read by the real parser."""
    plain = texts.str.contains(r"^-?\d+(\.\d+)?([eE][+-]?\d+)?$").to_numpy()
    pairs = zip(texts.to_list(), plain.tolist(), strict=True)
    numbers = [double_text(float(text)) if good else "" for text, good in pairs]
    finite = np.array([text not in ("Infinity", "-Infinity") for text in numbers])
    return pl.Series(numbers, dtype=pl.String()), np.flatnonzero(~plain | ~finite)


_READERS: dict[int, Reader] = {INT: _ints, BOOL: _bools, DOUBLE: _doubles}
