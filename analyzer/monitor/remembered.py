"""A bounded memory of what was there: 64-bit hashes, the oldest forgotten first."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import polars as pl

Hashes = npt.NDArray[np.uint64]
NONE: Hashes = np.empty(0, np.uint64)
MOST = 4_000_000  # 32 MB
_ODD = np.uint64(0x9E3779B97F4A7C15)


class Remembered:
    """A set of hashes in two generations: when the younger is full, the older is forgotten."""

    def __init__(self, most: int = MOST, hashes: Hashes = NONE) -> None:
        self._most = most
        self._young: Hashes = np.unique(hashes)
        self._old: Hashes = NONE

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def add(self, hashes: Hashes) -> None:
        """Remember these."""
        fresh = np.unique(hashes[~_among(hashes, self._young)])
        # inserting into what is sorted costs a tenth of sorting it again
        self._young = np.insert(self._young, self._young.searchsorted(fresh), fresh)
        if len(self._young) > self._most // 2:
            self._old, self._young = self._young, NONE

    def has(self, hashes: Hashes) -> npt.NDArray[np.bool_]:
        """Whether each is remembered."""
        return _among(hashes, self._young) | _among(hashes, self._old)

    def discard(self, hashes: Hashes) -> None:
        """Forget these."""
        gone = np.unique(hashes)
        self._young = self._young[~_among(self._young, gone)]
        self._old = self._old[~_among(self._old, gone)]

    @property
    def hashes(self) -> Hashes:
        """All of them."""
        return np.concatenate([self._old, self._young])


def _among(hashes: Hashes, known: Hashes) -> npt.NDArray[np.bool_]:
    """Which hashes are in `known`, which ascends."""
    if not len(known):
        return np.zeros(len(hashes), np.bool_)
    at = np.minimum(known.searchsorted(hashes), len(known) - 1)
    return np.asarray(known[at] == hashes)


def trace_hashes(traces: pl.DataFrame) -> Hashes:
    """One a row of `trace_hi`, `trace_lo`: both halves are random, or one is 0."""
    high, low = traces["trace_hi"].to_numpy(), traces["trace_lo"].to_numpy()
    return np.asarray(high * _ODD ^ low)


def text_hashes(texts: Iterable[str]) -> Hashes:
    """The same in every process, unlike `hash`."""
    raw = b"".join(
        hashlib.blake2b(one.encode(errors="surrogatepass"), digest_size=8).digest() for one in texts
    )
    return np.frombuffer(raw, np.uint64)
