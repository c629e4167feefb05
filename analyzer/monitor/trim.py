"""Lets go of texts that were selected away.

A column of texts points into buffers, and a selection of its rows points into the same ones: a few
rows kept of many hold the texts of all of them in memory. Variable-size binary view layout,
https://arrow.apache.org/docs/format/Columnar.html
"""

from __future__ import annotations

import polars as pl


def trimmed(frame: pl.DataFrame) -> pl.DataFrame:
    """The same frame, whose texts are in buffers that hold nothing else."""
    return frame.with_columns(_trimmed(one) for one in frame.get_columns() if _has_texts(one.dtype))


def _has_texts(dtype: pl.DataType) -> bool:
    return dtype == pl.String or (isinstance(dtype, pl.List) and dtype.inner == pl.String)


def _trimmed(column: pl.Series) -> pl.Series:
    if column.null_count() == len(column):
        return column
    arrow = column.to_arrow(compat_level=pl.CompatLevel.oldest())  # one text after the other
    return pl.Series(column.name, arrow, dtype=column.dtype)
