"""Finds spans that came more than once: exact copies, and the same id with other content."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import polars as pl

from collectors import schema
from collectors.canonical import Part
from collectors.schema import Quality

Ids = npt.NDArray[np.uint64]
IDS = ("trace_hi", "trace_lo", "span_id")


@dataclass(frozen=True, slots=True)
class Verdict:
    """The part with its conflicts flagged, and which of its spans stay."""

    part: Part
    keep: np.ndarray | None  # None = all
    duplicates: int = 0
    conflicts: int = 0


def judge(part: Part) -> Verdict:
    """Keep one span of each id: the same one whatever the order of arrival.

    Of different contents under one id the one that ends last wins, then the one that says most,
    then the greatest text: an emitter that sends a span twice completes it the second time.
    """
    rows = _suspects(part.spans)
    if not len(rows):
        return Verdict(part, None)
    ranked = _contents(part, rows).sort(
        [*IDS, "end_ns", "said", "content", "row"],
        descending=[False, False, False, True, True, True, False],
    )
    same_id = _same_as_before(ranked, IDS)
    copy = same_id & _same_as_before(ranked, (*IDS, "content"))
    losers = same_id & ~copy
    keep = np.ones(len(part.spans), np.bool_)
    keep[ranked["row"].to_numpy()[same_id]] = False
    flagged = _winners(ranked, same_id, losers)
    return Verdict(_flag(part, flagged), keep, int(copy.sum()), int(losers.sum()))


def _suspects(spans: pl.DataFrame) -> np.ndarray:
    """Rows whose id occurs again. A hash finds candidates; the ids themselves decide."""
    mixed = _mix(spans)
    ordered = np.sort(mixed)
    again = ordered[1:][ordered[1:] == ordered[:-1]]
    if not len(again):
        return np.empty(0, np.int64)
    rows = np.flatnonzero(np.isin(mixed, np.unique(again)))
    again_rows: np.ndarray = rows[spans.select(IDS)[rows].is_duplicated().to_numpy()]
    return again_rows


def _mix(spans: pl.DataFrame) -> Ids:
    high, low, span = (spans[name].to_numpy().view(np.uint64) for name in IDS)
    mixed = (high * np.uint64(0x9E3779B97F4A7C15)) ^ low
    mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    result: Ids = (mixed ^ span) * np.uint64(0x94D049BB133111EB)
    return result


def _contents(part: Part, rows: np.ndarray) -> pl.DataFrame:
    """ids, end, amount said and the whole content as one text, of the spans in `rows`."""
    spans = part.spans[rows].with_columns(pl.Series("row", rows.astype(np.uint32)))
    links = part.links.with_columns(_lines(part.link_attributes, "link", len(part.links)))
    frames = (part.attributes, links, part.events)
    texts = {
        f"_{number}": _of_rows(frame, rows, len(part.spans)) for number, frame in enumerate(frames)
    }
    fields = [_text(name) for name in schema.SPANS if name not in IDS]
    return (
        spans.with_columns(**texts)
        .with_columns(content=pl.concat_str([*fields, *texts], separator="\x1f"))
        .select(*IDS, "end_ns", "row", "content", said=pl.col("content").str.len_bytes())
    )


def _text(name: str) -> pl.Expr:
    return pl.col(name).cast(pl.String()).fill_null("\x00")


def _lines(frame: pl.DataFrame, owner: str, rows: int) -> pl.Series:
    """One text an owner: its rows, in their order."""
    fields = [_text(name) for name in frame.columns if name != owner]
    joined = (
        frame.select(owner, line=pl.concat_str(fields, separator="\x1e"))
        .group_by(owner, maintain_order=True)
        .agg(pl.col("line").str.join("\x1d"))
    )
    index = np.full(rows, -1, np.int64)
    index[joined[owner].to_numpy()] = np.arange(len(joined))
    place = pl.Series(index)
    gathered = joined["line"].gather(place.set(place < 0, None).cast(pl.UInt32()))
    return gathered.fill_null("").alias("_lines")


def _of_rows(frame: pl.DataFrame, rows: np.ndarray, spans: int) -> pl.Series:
    wanted = np.full(spans, -1, np.int64)
    wanted[rows] = np.arange(len(rows))
    owner = wanted[frame["span"].to_numpy()]
    here = frame.with_columns(pl.Series("span", owner)).filter(pl.Series(owner >= 0))
    return _lines(here, "span", len(rows))


def _same_as_before(frame: pl.DataFrame, names: tuple[str, ...]) -> np.ndarray:
    same = [pl.col(name) == pl.col(name).shift(1) for name in names]
    return frame.select(pl.all_horizontal(same).fill_null(False)).to_series().to_numpy()


def _winners(ranked: pl.DataFrame, same_id: np.ndarray, losers: np.ndarray) -> np.ndarray:
    """The rows that were kept although another content came under their id."""
    group = np.cumsum(~same_id)
    contested = np.isin(group, group[losers]) & ~same_id
    rows: np.ndarray = ranked["row"].to_numpy()[contested]
    return rows


def _flag(part: Part, rows: np.ndarray) -> Part:
    if not len(rows):
        return part
    quality = part.spans["quality"].to_numpy().copy()
    quality[rows] |= np.uint16(Quality.CONFLICTING_DUPLICATE)
    return replace(part, spans=part.spans.with_columns(pl.Series("quality", quality)))
