"""Reads the attribute lists of many spans from their JSON text, each distinct attribute once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, repeat

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from collectors.decoders import json_attributes, otlp_objects
from collectors.decoders.arrow_lists import take
from collectors.decoders.json_attributes import BRACE, NEWLINE
from collectors.decoders.strings import Buffer, Ints, as_series
from collectors.ledger import Rejected
from collectors.raw import RAW_PAIRS, READ_ATTRIBUTES, Attribute, Numbers, RawAttributes

Bools = npt.NDArray[np.bool_]
Kinds = npt.NDArray[np.uint8]

READ_PIECES = READ_ATTRIBUTES + 1  # of one list, its beginning included
_KEY = np.uint64(int.from_bytes(b'{"key":"', "little"))

# What a piece is: an attribute with others after it, the last one of its list, the beginning of a
# list with attributes, a whole list without, something else.
INNER, LAST, HEAD, EMPTY, OTHER = range(5)
_WHOLE = {b"[": HEAD, b"[]\n": EMPTY, b"null\n": EMPTY}


@dataclass(frozen=True, slots=True)
class Lists:
    """The attributes of all regular lists; `irregular` lists are not among them."""

    attributes: RawAttributes  # of the list with that number
    irregular: Ints  # numbers of the lists that need a real parser


def read(lists: Sequence[msgspec.Raw]) -> Lists | None:
    """Read the lists; None where they cannot be told apart. The text must be valid UTF-8.

    The text is cut before each attribute: the pieces are few distinct ones, and a list is regular
    if each of its pieces is what its place asks for.
    """
    buffer = Buffer(chain.from_iterable(zip(lists, repeat(b"\n"))), utf8=True)
    ends = np.flatnonzero(buffer.bytes[: buffer.size] == NEWLINE)
    if len(ends) != len(lists):
        return None
    if not len(ends):
        return Lists(RawAttributes.none(), np.empty(0, np.int64))
    found = _Pieces.of(buffer, ends)
    encoded = found.texts.dictionary_encode()
    code = as_series(encoded.indices).to_numpy()
    kind, pair, pairs = _distinct(encoded.dictionary.to_pylist())
    good = found.regular(kind[code])
    rows = np.flatnonzero(good[found.owner] & ~found.head)
    attributes = RawAttributes(found.owner[rows].astype(np.uint32), pair[code[rows]], pairs)
    return Lists(attributes, np.flatnonzero(~good))


@dataclass(frozen=True, slots=True)
class _Pieces:
    """The text of the lists, cut before each attribute; no more of a list than is read."""

    texts: pa.Array
    head: Bools  # begins a list
    owner: Ints  # number of the list
    capped: Bools  # per list: it goes on after its last piece

    @classmethod
    def of(cls, buffer: Buffer, ends: Ints) -> _Pieces:
        """The pieces of all lists."""
        cuts, head, owner = _cuts(buffer, ends)
        texts, counts = _texts(buffer, cuts), np.bincount(owner)
        capped = counts > READ_PIECES
        if not capped.any():
            return cls(texts, head, owner, capped)
        nth = np.arange(len(owner)) - (np.cumsum(counts) - counts)[owner]
        few = np.flatnonzero(nth < READ_PIECES)
        return cls(take(texts, few), head[few], owner[few], capped)

    def regular(self, kind: Kinds) -> Bools:
        """The lists whose pieces follow each other as they should."""
        last = np.append(self.head[1:], True) & ~self.capped[self.owner]
        expected = np.where(self.head, np.where(last, EMPTY, HEAD), np.where(last, LAST, INNER))
        good = np.ones(len(self.capped), np.bool_)
        good[self.owner[kind != expected]] = False
        return good


def _cuts(buffer: Buffer, ends: Ints) -> tuple[Ints, Bools, Ints]:
    """Where pieces begin, which of them begin a list, and the list of each.

    No string holds `{"` unescaped, so an attribute does begin at each cut; if it is one of a
    nested map, the piece before it ends too early to be an attribute.
    """
    data = buffer.bytes
    opens = np.flatnonzero(data[: buffer.size] == BRACE)
    begin = opens[buffer.words[opens] == _KEY]
    counts = np.diff(np.searchsorted(begin, ends), prepend=0) + 1
    owner = np.repeat(np.arange(len(ends)), counts)
    head = np.zeros(len(owner), np.bool_)
    head[np.cumsum(counts) - counts] = True
    cuts = np.empty(len(owner), np.int64)
    cuts[head], cuts[~head] = np.append(0, ends[:-1] + 1), begin
    return cuts, head, owner


def _texts(buffer: Buffer, cuts: Ints) -> pa.Array:
    offsets = np.append(cuts, buffer.size)
    parts = [None, pa.py_buffer(offsets), pa.py_buffer(buffer.data)]
    return pa.Array.from_buffers(pa.large_binary(), len(cuts), parts)


def _distinct(pieces: list[bytes]) -> tuple[Kinds, Numbers, pl.DataFrame]:
    """(what each piece is, the row of its pair, the pairs)."""
    kind = np.array([_kind(piece) for piece in pieces], np.uint8)
    which = np.flatnonzero(kind <= LAST)
    single, pairs = _parsed([pieces[at][: -1 - int(kind[at])] for at in which.tolist()])
    kind[which[single < 0]] = OTHER
    pair = np.zeros(len(pieces), np.uint32)
    pair[which] = np.maximum(single, 0)
    return kind, pair, pairs


def _kind(piece: bytes) -> int:
    if piece.endswith(b"}},"):
        return INNER
    return LAST if piece.endswith(b"}}]\n") else _WHOLE.get(piece, OTHER)


def _parsed(texts: list[bytes]) -> tuple[Ints, pl.DataFrame]:
    """For each text the row of its pair, -1 where it is no attribute; the pairs."""
    row = np.full(len(texts), -1, np.int64)
    if not texts:
        return row, pl.DataFrame(schema=RAW_PAIRS)
    found = json_attributes.read([msgspec.Raw(b"[%b]" % text) for text in texts])
    if found is None:
        return row, pl.DataFrame(schema=RAW_PAIRS)
    row[found.owner] = np.arange(len(found.owner))
    singles = [(at, _one(texts[at])) for at in found.irregular.tolist()]
    others = [(at, pair) for at, pair in singles if pair is not None]
    row[[at for at, _ in others]] = np.arange(len(others)) + len(found.owner)
    frame = pl.DataFrame({"key": found.key, "value": found.value, "quoted": found.quoted})
    more = pl.DataFrame([pair for _, pair in others], schema=RAW_PAIRS, orient="row")
    return row, pl.concat([frame, more], rechunk=True)


def _one(text: bytes) -> Attribute | None:
    """The attribute, where the text is one and nothing else."""
    try:
        found = otlp_objects.attributes({"attributes": [msgspec.json.decode(text)]})
    except (msgspec.DecodeError, RecursionError, Rejected):
        return None
    return found[0] if len(found) == 1 else None
