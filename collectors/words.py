"""Maps columns of few distinct texts by mapping each distinct text once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from collectors import schema

Codes = npt.NDArray[np.uint32]


def taken(column: pl.Series, index: npt.NDArray[np.integer[Any]] | pl.Series) -> pl.Series:
    """The rows of `index`, null where that is null.

    `Series.gather` is a query of its own, which costs more than the work on a part.
    """
    rows = index if isinstance(index, pl.Series) else pl.Series(index.astype(np.uint32, copy=False))
    return column[rows].rename(column.name)


def nothing(rows: int, dtype: pl.DataType = schema.WORD) -> pl.Series:
    """That many nulls."""
    return pl.Series([None], dtype=dtype).new_from_index(0, rows)


def map_words(column: pl.Series, function: Callable[[str], str | None]) -> pl.Series:
    """Apply `function` to each distinct value of a `schema.WORD` column; nulls stay null."""
    codes, distinct, texts = dictionary(column)
    new = [function(text) for text in texts]
    if new == texts:
        return column
    return _lookup(column, codes, distinct, pl.Series(new, dtype=schema.WORD))


def map_numbers(column: pl.Series, function: Callable[[str], int | None]) -> pl.Series:
    """Apply `function` to each distinct value of a `schema.WORD` column; Int64."""
    codes, distinct, texts = dictionary(column)
    new = pl.Series([function(text) for text in texts], dtype=pl.Int64())
    return _lookup(column, codes, distinct, new)


def map_words_by(
    column: pl.Series,
    numbers: npt.NDArray[np.uint8],
    function: Callable[[str, int], str | None],
) -> pl.Series:
    """Apply `function` to each distinct pair of a word (no nulls) and a number; WORD."""
    codes, distinct, texts = dictionary(column)
    if not texts:
        return nothing(len(column))
    there = np.flatnonzero(np.bincount(numbers, minlength=256))
    place = np.zeros(256, np.uint32)
    place[there] = np.arange(len(there))
    rows = np.zeros(int(distinct[-1]) + 1, np.uint32)
    rows[distinct] = np.arange(len(distinct), dtype=np.uint32)
    new = [function(text, number) for text in texts for number in there.tolist()]
    slot = rows[codes] * np.uint32(len(there)) + place[numbers]
    return taken(pl.Series(new, dtype=schema.WORD), slot)


def dictionary(column: pl.Series) -> tuple[Codes, Codes, list[str]]:
    """(code of each row that is not null, the distinct codes, their texts) of a WORD column."""
    full = column.drop_nulls() if column.null_count() else column
    codes = full.to_physical().to_numpy()
    if not len(codes):
        return codes, codes, []
    # The row of each code's last occurrence. Codes are shared by all columns: few beside rows.
    where = np.full(int(codes.max()) + 1, -1, np.int64)
    where[codes] = np.arange(len(codes))
    distinct = np.flatnonzero(where >= 0).astype(np.uint32)
    texts = taken(full, where[distinct]).cast(pl.String()).to_list()
    return codes, distinct, texts


def _lookup(column: pl.Series, codes: Codes, distinct: Codes, new: pl.Series) -> pl.Series:
    if not len(distinct):
        return nothing(len(column), new.dtype)
    rows = np.zeros(int(distinct[-1]) + 1, np.uint32)
    rows[distinct] = np.arange(len(distinct), dtype=np.uint32)
    if not column.null_count():
        return taken(new, rows[codes])
    index = np.zeros(len(column), np.uint32)  # 0 stands for null
    index[column.is_not_null().to_numpy()] = rows[codes] + 1
    return taken(with_null(new), index)


def with_null(values: pl.Series) -> pl.Series:
    """The values behind a null."""
    index = np.arange(-1, len(values), dtype=np.int64)
    index[0] = 0
    if not len(values):
        return nothing(1, values.dtype)
    return taken(values, pl.Series(index.astype(np.uint32)).scatter(0, None))
