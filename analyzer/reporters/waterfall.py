"""A time axis in a few cells, on which long waiting is folded so that the work can be seen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from analyzer.reporters.units import duration

MOST_FOLDS = 3  # more of them leave nothing but seams
FOLD_SHARE = 0.2  # a gap longer than this share of the work would squash it


@dataclass(frozen=True, slots=True)
class Piece:
    """[start_ns, end_ns) drawn on cells [left, right); a folded one stands for idle time."""

    start_ns: int
    end_ns: int
    left: float
    right: float
    folded: bool


@dataclass(frozen=True, slots=True)
class Axis:
    """Pieces from left to right, without holes."""

    pieces: tuple[Piece, ...]
    width: int

    def cell(self, time_ns: int) -> float:
        """Where that time is, in cells from the left."""
        for piece in self.pieces:
            if time_ns <= piece.end_ns:
                length = max(piece.end_ns - piece.start_ns, 1)
                share = max(time_ns - piece.start_ns, 0) / length
                return piece.left + share * (piece.right - piece.left)
        return float(self.width)

    def time(self, cell: float) -> int:
        """The time at that cell: the other way round."""
        for piece in self.pieces:
            if cell <= piece.right:
                share = max(cell - piece.left, 0.0) / max(piece.right - piece.left, 1e-9)
                return piece.start_ns + round(share * (piece.end_ns - piece.start_ns))
        return self.pieces[-1].end_ns if self.pieces else 0

    def bar(self, start_ns: int, end_ns: int, glyph: str) -> str:
        """A bar of at least one cell, blanks before it."""
        left = min(int(self.cell(start_ns)), self.width - 1)
        right = min(max(round(self.cell(end_ns)), left + 1), self.width)
        return " " * left + glyph * (right - left)

    def ruler(self, total_ns: int) -> str:
        """Zero at the left, `//47m//` where time is folded, the whole at the right."""
        line = [" "] * self.width
        _write(line, 0, "0")
        for piece in self.pieces:
            if piece.folded:
                _write(line, int(piece.left), _fold_label(piece))
        end = duration(total_ns)
        if all(char == " " for char in line[-len(end) - 1 :]):
            _write(line, self.width - len(end), end)
        return "".join(line)


@dataclass(frozen=True, slots=True)
class Extent:
    """What an axis is made of; measured once, laid out at any width."""

    start_ns: int
    end_ns: int  # of the last interval
    until_ns: int  # of the axis: no sooner than `end_ns`
    work_ns: int  # covered by the intervals
    gaps: tuple[tuple[int, int], ...]  # the longest that are worth folding, longest first


def fit(intervals: Iterable[tuple[int, int]], until_ns: int | None, width: int) -> Axis:
    """An axis over the intervals (to `until_ns` where that is later), `width` cells wide."""
    return lay_out(measure(intervals, until_ns), width)


def measure(intervals: Iterable[tuple[int, int]], until_ns: int | None) -> Extent | None:
    """The extent of the intervals (to `until_ns` where that is later); None of none."""
    busy = _merged(intervals)
    if not busy:
        return None
    gaps = [(a[1], b[0]) for a, b in pairwise(busy)]
    last = busy[-1][1]
    until = max(last, until_ns or last)
    if until > last:
        gaps.append((last, until))
    work = max(sum(end - start for start, end in busy), 1)
    long = [gap for gap in gaps if gap[1] - gap[0] > work * FOLD_SHARE]
    long.sort(key=lambda gap: (gap[0] - gap[1], gap[0]))
    return Extent(busy[0][0], last, until, work, tuple(long[:MOST_FOLDS]))


def lay_out(extent: Extent | None, width: int, *, fold: bool = True) -> Axis:
    """The axis of that extent, its longest gaps folded."""
    if extent is None:
        return Axis((), width)
    folds = _foldable(extent.gaps, width) if fold else []
    pieces = _pieces(extent.start_ns, extent.until_ns, folds, extent.end_ns, width)
    return Axis(tuple(pieces), width)


def _foldable(gaps: Iterable[tuple[int, int]], width: int) -> list[tuple[int, int]]:
    """As many of the gaps as leave half of the cells to the work."""
    chosen: list[tuple[int, int]] = []
    room = width // 2
    for gap in gaps:
        room -= _fold_width(gap[1] - gap[0], width)
        if room < 0:
            break
        chosen.append(gap)
    return sorted(chosen)


def _pieces(
    first: int, until: int, folds: list[tuple[int, int]], last: int, width: int
) -> Iterable[Piece]:
    end = max(until, last)
    folded = sum(gap[1] - gap[0] for gap in folds)
    cells = width - sum(_fold_width(gap[1] - gap[0], width) for gap in folds)
    scale = cells / max(end - first - folded, 1)
    at, left = first, 0.0
    for start, stop in folds:
        right = left + (start - at) * scale
        yield Piece(at, start, left, right, False)
        left = right + _fold_width(stop - start, width)
        yield Piece(start, stop, right, left, True)
        at = stop
    yield Piece(at, max(end, at), left, float(width), False)


def _merged(intervals: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(intervals):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, max(start, end)))
    return merged


def _fold_width(length_ns: int, width: int) -> int:
    """Room for `//47m//`, or for `//` where the axis is narrow."""
    label = len(duration(length_ns)) + 4
    return label if label <= width // 3 else 2


def _fold_label(piece: Piece) -> str:
    label = f"//{duration(piece.end_ns - piece.start_ns)}//"
    return label if len(label) <= round(piece.right - piece.left) else "//"


def _write(line: list[str], at: int, text: str) -> None:
    for offset, char in enumerate(text):
        if 0 <= at + offset < len(line):
            line[at + offset] = char
