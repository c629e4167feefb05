"""Puts parts together: deduplicates, sorts, and remaps the rows that links and events point to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from collectors.canonical import Part
from collectors.duplicates import judge
from collectors.recording import Intake, Recording, empty_recording
from collectors.words import nothing, taken

ORDER = ("start_ns", "trace_hi", "trace_lo", "span_id")


def assemble(parts: Sequence[Part], intake: Intake) -> Recording:
    """One recording: the same for any order of spans and parts.

    A list of parts is emptied, so that each column is freed as soon as it is in its place.
    """
    full = [part for part in parts if len(part.spans)]
    if isinstance(parts, list):
        parts.clear()
    if not full:
        return replace(empty_recording(), intake=intake)
    verdict = judge(_concatenated(full))
    counted = replace(
        intake,
        duplicates=intake.duplicates + verdict.duplicates,
        conflicts=intake.conflicts + verdict.conflicts,
    )
    keep, columns = verdict.keep, _Columns(verdict.part)
    del full, verdict  # they would hold every column to the end
    recording = _sorted(columns, keep)
    return replace(recording, intake=replace(counted, spans=len(recording.spans)))


def as_part(recording: Recording) -> Part:
    """A recording as a part of a larger one."""
    return Part(
        recording.spans,
        recording.links,
        recording.events,
        recording.attributes,
        recording.link_attributes,
    )


def kept(recording: Recording, keep: np.ndarray) -> Recording:
    """The recording with those spans only (a flag for each), and what hangs on them."""
    found = _sorted(_Columns(as_part(recording)), keep)
    return replace(found, intake=replace(recording.intake, spans=len(found.spans)))


class _Columns:
    """The columns of a part, given out one by one: each is freed when its copy is made."""

    def __init__(self, part: Part) -> None:
        self.links = len(part.links)
        self._frames = {name: getattr(part, name).get_columns() for name in FRAMES}

    def look(self, frame: str, names: Sequence[str]) -> dict[str, pl.Series]:
        """Some columns of a frame, which stay."""
        return {column.name: column for column in self._frames[frame] if column.name in names}

    def take(self, frame: str) -> Iterator[pl.Series]:
        """The columns of a frame in one piece each, which go."""
        columns = self._frames.pop(frame)[::-1]
        while columns:
            yield columns.pop().rechunk()

    def recording(self) -> Recording:
        """All of it as it is."""
        frames = (pl.DataFrame(list(self.take(name))) for name in FRAMES)
        spans, links, events, attributes, link_attributes = frames
        return Recording(spans, links, events, attributes, link_attributes)


FRAMES = ("spans", "links", "events", "attributes", "link_attributes")


def _concatenated(parts: Sequence[Part]) -> Part:
    """One part; rows shifted by what came before. Frees each frame as it goes."""
    if len(parts) == 1:
        return parts[0]
    spans = np.cumsum([0, *(len(part.spans) for part in parts)])
    links = np.cumsum([0, *(len(part.links) for part in parts)])
    return Part(
        spans=pl.concat([part.spans for part in parts]),
        links=_shifted([part.links for part in parts], "span", spans),
        events=_shifted([part.events for part in parts], "span", spans),
        attributes=_shifted([part.attributes for part in parts], "span", spans),
        link_attributes=_shifted([part.link_attributes for part in parts], "link", links),
    )


def _shifted(frames: list[pl.DataFrame], column: str, offsets: np.ndarray) -> pl.DataFrame:
    pairs = zip(frames, offsets[:-1], strict=True)
    return pl.concat(
        [frame.with_columns(pl.col(column) + pl.lit(int(by), pl.UInt32())) for frame, by in pairs]
    )


def _sorted(part: _Columns, keep: np.ndarray | None) -> Recording:
    order, spans = _order(part.look("spans", ORDER), keep)
    if order is None:
        return part.recording()
    place = np.full(spans, -1, np.int64)
    place[order] = np.arange(len(order))
    link_place = np.full(part.links, -1, np.int64)
    link_order, links = _follow(part, "links", "span", place)
    link_place[link_order] = np.arange(len(link_order))
    return Recording(
        gather(part.take("spans"), order),
        links,
        _follow(part, "events", "span", place)[1],
        _follow(part, "attributes", "span", place)[1],
        _follow(part, "link_attributes", "link", link_place)[1],
    )


def _order(
    columns: Mapping[str, pl.Series], keep: np.ndarray | None
) -> tuple[np.ndarray | None, int]:
    """(rows in the recording's order, None where they stand in it already; how many there were)."""
    keys = [columns[name].to_numpy() for name in ORDER]
    if keep is None:
        rows = _sorted_rows(keys)
        return (None if (rows[1:] > rows[:-1]).all() else rows), len(rows)
    kept_rows: np.ndarray = np.flatnonzero(keep)[_sorted_rows([key[keep] for key in keys])]
    return kept_rows, len(keep)


def _sorted_rows(columns: Sequence[np.ndarray]) -> np.ndarray:
    """By `ORDER`: the times decide nearly always, the ids among equal times."""
    rows: np.ndarray = np.argsort(columns[0])
    times = columns[0][rows]
    same = np.append(times[1:] == times[:-1], False)
    tied = np.flatnonzero(same | np.append(False, same[:-1]))
    if len(tied):
        among = rows[tied]
        rows[tied] = among[np.lexsort([column[among] for column in reversed(columns)])]
    return rows


def _follow(
    part: _Columns, frame: str, column: str, place: np.ndarray
) -> tuple[np.ndarray, pl.DataFrame]:
    """Rows of kept owners in the owners' new order; an owner's own rows keep theirs."""
    owner = part.look(frame, (column,))[column].to_numpy()
    if (owner[1:] >= owner[:-1]).all():
        order, moved = _runs(owner, place)
    else:
        moved = place[owner]
        order = np.argsort(moved, kind="stable")
        order = order[np.searchsorted(moved[order], 0) :]
        moved = moved[order]
    new = pl.Series(column, moved.astype(np.uint32, copy=False))
    others = (found for found in part.take(frame) if found.name != column)
    return order, gather(others, order).insert_column(0, new)


def _runs(owner: np.ndarray, place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(rows, new owner of each) where each owner's rows stand together: without sorting them."""
    counts = np.bincount(owner, minlength=len(place))
    begins = np.cumsum(counts) - counts
    kept = np.flatnonzero(place >= 0)
    old = np.empty(len(kept), np.int64)  # owners in their new order
    old[place[kept]] = kept
    sizes = counts[old]
    shift = begins[old] - (np.cumsum(sizes) - sizes)
    total = int(sizes.sum())
    small = np.int32 if max(total, len(owner)) < 2**31 else np.int64
    rows = np.add(np.arange(total, dtype=small), np.repeat(shift.astype(small), sizes))
    return rows, np.repeat(np.arange(len(old), dtype=np.uint32), sizes)


def gather(columns: Iterable[pl.Series], rows: np.ndarray) -> pl.DataFrame:
    """Those rows; columns that hold nothing are made anew, which costs nothing.

    Each column is in one piece: across several a row takes twice as long to find.
    """
    index = pl.Series(rows.astype(np.uint32))
    return pl.DataFrame([_gathered(column, index) for column in columns])


def _gathered(column: pl.Series, index: pl.Series) -> pl.Series:
    if column.null_count() == len(column):
        return nothing(len(index), column.dtype).rename(column.name)
    return taken(column, index)
