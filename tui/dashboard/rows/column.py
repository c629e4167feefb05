"""One column of a table: its title, its width, and how a slice of a frame becomes cells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import polars as pl

Tone = Literal["", "error", "warning", "success", "accent", "special", "dim", "bold"]
Cell = str | tuple[str, Tone]  # text, or text and its tone; foreign text need not be escaped
Cells = Callable[["pl.DataFrame", int], Sequence[Cell]]


@dataclass(frozen=True, slots=True)
class Column:
    """Declared once. `cells(slice, now_ns)` gives one cell for each row of the slice.

    `sort` names the column of the frame to sort by, or makes an expression from `now_ns`; None
    where the column cannot be sorted by. `descending` is how it is sorted first.
    """

    id: str
    title: str
    cells: Cells
    width: int = 10  # cells wanted
    least: int = 4  # fewer than that are not worth showing
    grow: int = 0  # share of the room that is left over
    wide: int = 0  # cells in the wide table; 0 = as `width`
    rank: int = 0  # where room is wanting the highest rank goes first; 0 stays
    align: Literal["left", "right"] = "left"
    middle: bool = False  # cut in the middle: the end tells it from its siblings
    sort: str | Callable[[int], pl.Expr] | None = None
    descending: bool = False


def texts(name: str, none: str = "—", tone: Tone = "") -> Cells:
    """The values of the frame's column `name` as they are; `none` where there is none."""

    def cells(frame: pl.DataFrame, now_ns: int) -> list[Cell]:
        empty: Cell = (none, "dim")
        values = frame[name].to_list()
        return [empty if value is None or value == "" else (str(value), tone) for value in values]

    return cells


def counts(name: str, tone: Tone = "") -> Cells:
    """The whole numbers of the column `name`; 0 is dim."""

    def cells(frame: pl.DataFrame, now_ns: int) -> list[Cell]:
        return [
            ("—", "dim") if n is None else (f"{n:,}", tone if n else "dim")
            for n in frame[name].to_list()
        ]

    return cells


def widths(columns: Sequence[Column], room: int, *, wide: bool = False) -> list[tuple[Column, int]]:
    """The columns that fit into `room` cells, each with its width; one blank between them.

    All of them where `wide`, whatever the room.
    """
    if wide:
        return [(column, max(column.wide, column.width)) for column in columns]
    kept = list(columns)
    while len(kept) > 1 and _tight(kept) > room:
        last = max(kept, key=lambda column: (column.rank, kept.index(column)))
        if last.rank == 0:
            break
        kept.remove(last)
    return _shared(kept, room)


def _tight(columns: Sequence[Column]) -> int:
    """Cells that they take when each has most of what it wants, and no less than its least."""
    return sum((column.least + 7 * column.width) // 8 + 1 for column in columns) - 1


def _shared(columns: Sequence[Column], room: int) -> list[tuple[Column, int]]:
    given = [column.width for column in columns]
    over = sum(given) + len(given) - 1 - room
    while over > 0:  # take from the one that has most above its least
        slack = [width - column.least for column, width in zip(columns, given, strict=True)]
        if max(slack) <= 0:
            break
        given[slack.index(max(slack))] -= 1
        over -= 1
    growing = [at for at, column in enumerate(columns) if column.grow] if over < 0 else []
    total = sum(columns[at].grow for at in growing)
    spare = -over
    for at in growing:
        given[at] += spare * columns[at].grow // total
    return list(zip(columns, given, strict=True))
