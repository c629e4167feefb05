"""Puts parts together: deduplicates, sorts, and remaps the rows that links and events point to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from collectors.canonical import Part
from collectors.duplicates import judge
from collectors.recording import Intake, Recording, empty_recording

ORDER = ("start_ns", "trace_hi", "trace_lo", "span_id")


def assemble(parts: Sequence[Part], intake: Intake) -> Recording:
    """One recording: the same for any order of spans and parts."""
    parts = [part for part in parts if len(part.spans)]
    if not parts:
        return replace(empty_recording(), intake=intake)
    whole = _concatenated(parts)
    verdict = judge(whole)
    recording = _sorted(verdict.part, verdict.keep, intake)
    counted = replace(
        intake,
        spans=len(recording.spans),
        duplicates=intake.duplicates + verdict.duplicates,
        conflicts=intake.conflicts + verdict.conflicts,
    )
    return replace(recording, intake=counted)


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
    found = _sorted(as_part(recording), keep, recording.intake)
    return replace(found, intake=replace(recording.intake, spans=len(found.spans)))


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


def _sorted(part: Part, keep: np.ndarray | None, intake: Intake) -> Recording:
    order = _order(part.spans, keep)
    if order is None:
        return Recording(
            part.spans, part.links, part.events, part.attributes, part.link_attributes, intake
        )
    place = np.full(len(part.spans), -1, np.int64)
    place[order] = np.arange(len(order))
    link_order, links = _follow(part.links, "span", place)
    link_place = np.full(len(part.links), -1, np.int64)
    link_place[link_order] = np.arange(len(link_order))
    return Recording(
        gather(part.spans, order),
        links,
        _follow(part.events, "span", place)[1],
        _follow(part.attributes, "span", place)[1],
        _follow(part.link_attributes, "link", link_place)[1],
        intake,
    )


def _order(spans: pl.DataFrame, keep: np.ndarray | None) -> np.ndarray | None:
    """Rows in the recording's order; None where they stand in it already."""
    if keep is None:
        rows = _sorted_rows(spans)
        return None if (rows[1:] > rows[:-1]).all() else rows
    kept_rows: np.ndarray = np.flatnonzero(keep)[_sorted_rows(spans.filter(pl.Series(keep)))]
    return kept_rows


def _sorted_rows(spans: pl.DataFrame) -> np.ndarray:
    """By `ORDER`: the times decide nearly always, the ids among equal times."""
    columns = [spans[name].to_numpy() for name in ORDER]
    rows: np.ndarray = np.argsort(columns[0])
    times = columns[0][rows]
    same = np.append(times[1:] == times[:-1], False)
    tied = np.flatnonzero(same | np.append(False, same[:-1]))
    if len(tied):
        among = rows[tied]
        rows[tied] = among[np.lexsort([column[among] for column in reversed(columns)])]
    return rows


def _follow(frame: pl.DataFrame, column: str, place: np.ndarray) -> tuple[np.ndarray, pl.DataFrame]:
    """Rows of kept owners in the owners' new order; an owner's own rows keep theirs."""
    owner = frame[column].to_numpy()
    if (owner[1:] >= owner[:-1]).all():
        order, moved = _runs(owner, place)
    else:
        moved = place[owner]
        order = np.argsort(moved, kind="stable")
        order = order[np.searchsorted(moved[order], 0) :]
        moved = moved[order]
    new = pl.Series(column, moved.astype(np.uint32))
    return order, gather(frame.drop(column), order).insert_column(0, new)


def _runs(owner: np.ndarray, place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(rows, new owner of each) where each owner's rows stand together: without sorting them."""
    counts = np.bincount(owner, minlength=len(place))
    begins = np.cumsum(counts) - counts
    kept = np.flatnonzero(place >= 0)
    old = np.empty(len(kept), np.int64)  # owners in their new order
    old[place[kept]] = kept
    sizes = counts[old]
    shift = begins[old] - (np.cumsum(sizes) - sizes)
    rows = np.arange(sizes.sum()) + np.repeat(shift, sizes)
    return rows, np.repeat(np.arange(len(old)), sizes)


def gather(frame: pl.DataFrame, rows: np.ndarray) -> pl.DataFrame:
    """Those rows; columns that hold nothing are made anew, which costs nothing."""
    index = pl.Series(rows.astype(np.uint32))
    columns = [
        pl.repeat(None, len(rows), dtype=column.dtype, eager=True).alias(column.name)
        if column.null_count() == len(column)
        else column.gather(index)
        for column in frame
    ]
    return pl.DataFrame(columns)
