"""Maps columns of few distinct texts by mapping each distinct text once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import polars as pl

from collectors import schema

Codes = npt.NDArray[np.uint32]


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
    texts = full.gather(where[distinct]).cast(pl.String()).to_list()
    return codes, distinct, texts


def _lookup(column: pl.Series, codes: Codes, distinct: Codes, new: pl.Series) -> pl.Series:
    if not len(distinct):
        return pl.repeat(None, len(column), dtype=new.dtype, eager=True)
    rows = np.zeros(int(distinct[-1]) + 1, np.uint32)
    rows[distinct] = np.arange(len(distinct), dtype=np.uint32)
    if not column.null_count():
        return new.gather(rows[codes])
    index = np.zeros(len(column), np.uint32)  # 0 stands for null
    index[column.is_not_null().to_numpy()] = rows[codes] + 1
    return pl.concat([new.clear(1), new]).gather(index)
