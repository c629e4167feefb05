"""Maps columns of few distinct texts by mapping each distinct text once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl

from collectors import schema


def map_words(column: pl.Series, function: Callable[[str], str | None]) -> pl.Series:
    """Apply `function` to each distinct value of a `schema.WORD` column; nulls stay null."""
    distinct = column.drop_nulls().unique().cast(pl.String()).to_list()
    new = [function(text) for text in distinct]
    if new == distinct:
        return column
    return _lookup(column, distinct, pl.Series(new, dtype=schema.WORD))


def map_numbers(column: pl.Series, function: Callable[[str], int | None]) -> pl.Series:
    """Apply `function` to each distinct value of a `schema.WORD` column; Int64."""
    distinct = column.drop_nulls().unique().cast(pl.String()).to_list()
    new = pl.Series([function(text) for text in distinct], dtype=pl.Int64())
    return _lookup(column, distinct, new)


def _lookup(column: pl.Series, distinct: list[str], new: pl.Series) -> pl.Series:
    if not distinct:
        return pl.repeat(None, len(column), dtype=new.dtype, eager=True)
    codes = pl.Series(distinct, dtype=schema.WORD).to_physical().to_numpy()
    rows = np.zeros(int(codes.max()) + 1, np.uint32)
    rows[codes] = np.arange(len(distinct), dtype=np.uint32)
    physical = column.to_physical()
    index = pl.Series(rows[physical.fill_null(int(codes[0])).to_numpy()])
    if column.null_count():
        index = index.set(column.is_null(), None)
    return new.gather(index)
