"""Reads the ids of many spans and links at once, and tells which of them cannot be used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from collectors.decoders.arrow_lists import ranges, take
from collectors.decoders.otlp_messages import bad_id
from collectors.decoders.strings import as_series
from collectors.ledger import MAX_PROBLEMS
from collectors.raw import Numbers

Ids = npt.NDArray[np.uint64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Loss:
    """Spans or links of one request that were left out for one cause."""

    request: int  # its number in the batch
    reason: str
    detail: str
    count: int


def ids(array: pa.Array, words: int) -> Ids:
    """Ids of so many 8-byte words, shape (rows, words); zeros where the size is another."""
    if not len(array):
        return np.zeros((0, words), np.uint64)
    found = ranges(array)
    right = np.diff(found.offsets) == 8 * words
    begin, end = int(found.offsets[0]), int(found.offsets[-1])
    raw = np.frombuffer(found.data or b"", np.uint8)
    if right.all():
        return raw[begin:end].view(">u8").astype(np.uint64).reshape(-1, words)
    result = np.zeros((len(array), words), np.uint64)
    places = found.offsets[:-1][right][:, None] + np.arange(8 * words)
    result[right] = raw[places].view(">u8")
    return result


@dataclass(frozen=True, slots=True)
class SpanIds:
    """The three ids of each span; `good` has what can be used."""

    trace: Ids
    own: Ids
    parent: Ids
    bad_parent: Bools

    @classmethod
    def of(cls, spans: pa.StructArray) -> SpanIds:
        """Absent parents are 0."""
        trace, own = ids(spans.field("trace_id"), 2), ids(spans.field("span_id"), 1)[:, 0]
        raw = spans.field("parent_span_id")
        parent = ids(raw, 1)[:, 0]
        sizes = np.diff(ranges(raw).offsets) if len(raw) else np.empty(0, np.int64)
        bad = (sizes != 8) & (sizes != 0)
        for row in np.flatnonzero(bad).tolist():
            bad[row] = any(raw[row].as_py())  # zeros of any length mean none
        return cls(trace, own, parent, bad)

    @property
    def good(self) -> Bools:
        """Which spans have ids."""
        return ~(_zero(self.trace) | _zero(self.own) | self.bad_parent)

    def losses(self, spans: pa.StructArray, request: Numbers) -> Iterator[Loss]:
        """Why the others cannot be used; of several causes the first."""
        causes = (
            ("bad-trace-id", "trace_id", 16, _zero(self.trace)),
            ("bad-span-id", "span_id", 8, _zero(self.own)),
            ("bad-parent-id", "parent_span_id", 8, self.bad_parent),
        )
        return _losses(spans, causes, request)


def _zero(found: Ids) -> Bools:
    words = found if found.ndim == 1 else np.bitwise_or.reduce(found, axis=1)
    zero: Bools = words == 0
    return zero


Cause = tuple[str, str, int, Bools]  # reason, name of the column, its bytes, which are bad


def link_losses(links: pa.StructArray, trace: Ids, span: Ids, request: Numbers) -> Iterator[Loss]:
    """Why those links that have zeros for an id cannot be used."""
    causes = (
        ("bad-link", "trace_id", 16, _zero(trace)),
        ("bad-link", "span_id", 8, _zero(span)),
    )
    return _losses(links, causes, request)


def _losses(values: pa.StructArray, causes: Iterable[Cause], request: Numbers) -> Iterator[Loss]:
    """One for each request and text; beyond the first few in one sum."""
    left = np.ones(len(values), np.bool_)
    for reason, name, size, bad in causes:
        rows = np.flatnonzero(left & bad)
        left &= ~bad
        if not len(rows):
            continue
        raw = as_series(take(values.field(name), rows))
        frame = pl.DataFrame({"request": request[rows], "raw": raw})
        found = frame.group_by("request", "raw", maintain_order=True).len()
        for number, text, count in found.head(MAX_PROBLEMS).rows():
            yield Loss(number, reason, bad_id(text, size), count)
        rest = found[MAX_PROBLEMS:]
        if len(rest):
            told = f"{len(rest)} other values that are no ids"
            yield Loss(rest["request"][0], reason, told, int(rest["len"].sum()))
