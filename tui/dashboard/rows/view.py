"""Which rows of a frame a table shows, and in which order; made in a worker, then never changed."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class Group:
    """A run of rows under one heading; `start` is its first row."""

    start: int
    rows: int
    label: str  # may hold foreign text


@dataclass(frozen=True)
class View:
    """Rows of `frame` by position: `order` (UInt32 rows of the frame; None = all as they are).

    A *row* counts what is shown, from 0; a *line* counts headings of groups too.
    `key` is the column whose values name the rows, each once.
    """

    frame: pl.DataFrame
    key: str
    now_ns: int = 0
    order: pl.Series | None = None
    groups: tuple[Group, ...] = ()

    def __len__(self) -> int:
        return self.frame.height if self.order is None else len(self.order)

    @property
    def lines(self) -> int:
        """Rows and headings."""
        return len(self) + len(self.groups)

    @cached_property
    def _heads(self) -> list[int]:
        """The line of each heading."""
        return [group.start + number for number, group in enumerate(self.groups)]

    @cached_property
    def _starts(self) -> list[int]:
        return [group.start for group in self.groups]

    def line(self, row: int) -> int:
        """The line of a row."""
        return row + bisect_right(self._starts, row)

    def row(self, line: int) -> int:
        """The row on a line; of a heading the first row under it."""
        return line - bisect_left(self._heads, line) if self.groups else line

    def heading(self, line: int) -> Group | None:
        """The group whose heading stands on that line."""
        at = bisect_left(self._heads, line)
        return self.groups[at] if at < len(self._heads) and self._heads[at] == line else None

    def slice(self, start: int, stop: int) -> pl.DataFrame:
        """Rows start..stop as a frame."""
        start, stop = max(start, 0), min(stop, len(self))
        if self.order is None:
            return self.frame.slice(start, max(stop - start, 0))
        return self.frame[self.order.slice(start, max(stop - start, 0))]

    @cached_property
    def shown(self) -> pl.DataFrame:
        """All of them, in order: what is exported."""
        return self.frame if self.order is None else self.frame[self.order]

    def key_at(self, row: int) -> str | None:
        """The key of a row."""
        if not 0 <= row < len(self):
            return None
        at = row if self.order is None else int(self.order[row])
        return str(self.frame[self.key][at])

    def find(self, key: str | None) -> int | None:
        """The row of that key. A scan: milliseconds for a million rows."""
        if key is None or self.frame.height == 0:
            return None
        at = (self.frame[self.key] == key).arg_true()
        if not len(at):
            return None
        if self.order is None:
            return int(at[0])
        row = (self.order == int(at[0])).arg_true()
        return int(row[0]) if len(row) else None


def ordered(frame: pl.DataFrame, by: Sequence[tuple[pl.Expr, bool]]) -> pl.Series:
    """The rows of the whole frame by each (expression, descending), equals as they stand."""
    import polars as pl

    made = frame.select(
        *(expression.alias(f"__{at}") for at, (expression, _) in enumerate(by)),
        pl.int_range(pl.len(), dtype=pl.UInt32).alias("__row"),
    )
    descending = [*(down for _, down in by), False]
    rows = pl.arg_sort_by(made.columns, descending=descending, nulls_last=True)
    return made.select(rows.cast(pl.UInt32)).to_series()


def arrange(
    frame: pl.DataFrame,
    key: str,
    now_ns: int = 0,
    *,
    where: pl.Expr | None = None,
    by: Sequence[tuple[pl.Expr, bool]] = (),
    groups: tuple[pl.Expr, pl.Expr] | None = None,
    order: pl.Series | None = None,
) -> View:
    """The rows that `where` keeps, sorted by each (expression, descending), equals as they stand.

    `order`: what `ordered` gave for this frame and `by`, where it is known: then a filter costs
    no sorting. `groups`: (what is the same in a group, its label - an aggregation); groups stand
    in the order of their first row. Of a million rows: a worker's task.
    """
    import polars as pl

    if order is None and (by or groups):
        order = ordered(frame, by)
    if where is not None and order is None:
        order = frame.select(pl.arg_where(where)).to_series()
    elif where is not None and order is not None:
        order = order.filter(frame.select(where).to_series().gather(order))
    if groups is None or order is None or order.is_empty():
        return View(frame, key, now_ns, order)
    return _grouped(View(frame, key, now_ns, order), order, *groups)


def _roots(frame: pl.DataFrame, used: Sequence[pl.Expr], key: str) -> list[str]:
    """The columns that are read: lists need not be gathered."""
    names = {name for expression in used for name in expression.meta.root_names()} | {key}
    return [name for name in frame.columns if name in names]


def _grouped(view: View, order: pl.Series, same: pl.Expr, label: pl.Expr) -> View:
    import polars as pl

    part = view.frame.select(_roots(view.frame, [same, label], view.key))[order]
    part = part.with_columns(same.fill_null("").alias("__group")).with_row_index("__row")
    found = (
        part.group_by("__group")
        .agg(pl.len().alias("__rows"), label.alias("__label"), pl.col("__row").min())
        .sort("__row")
    )
    place = found.select("__group", pl.int_range(pl.len(), dtype=pl.UInt32).alias("__place"))
    at = part.join(place, on="__group", how="left", maintain_order="left")["__place"]
    places = at.to_frame().with_row_index("__at")
    stable = places.select(pl.arg_sort_by("__place", "__at")).to_series()
    groups, start = [], 0
    for rows, text in found.select("__rows", "__label").iter_rows():
        groups.append(Group(start, rows, str(text)))
        start += rows
    return View(view.frame, view.key, view.now_ns, order.gather(stable), tuple(groups))
