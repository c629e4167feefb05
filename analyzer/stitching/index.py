"""Who is whose parent and which span a link points at, as row numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analyzer.codes import Flags, Ints, connected, flags, ints, look_up, trace_codes, words
from collectors.recording import Recording


@dataclass(frozen=True)
class SpanIndex:
    """Row numbers into `recording.spans`; -1 means "not there"."""

    trace: Ints  # dense code of the trace
    trace_first: Ints  # first row of each trace code
    parent: Ints
    missing_parent: Flags  # names a parent that is not in the recording
    in_cycle: Flags  # its parent link was cut, because it closed a circle
    link_source: Ints
    link_target: Ints
    link_is_message: Flags

    @property
    def traces(self) -> int:
        """Number of distinct traces."""
        return len(self.trace_first)


def build_index(recording: Recording) -> SpanIndex:
    """Resolve parents and links of a recording by exact id; parent cycles are broken."""
    spans, links = recording.spans, recording.links
    hi, lo, span_id = (words(spans[name]) for name in ("trace_hi", "trace_lo", "span_id"))
    trace, trace_first = trace_codes(hi, lo)
    parent_id = words(spans["parent_id"])
    child = np.flatnonzero(parent_id)
    parent = np.full(len(hi), -1, dtype=np.int64)
    asked = (hi[child], lo[child], parent_id[child])
    linked = [words(links[name]) for name in ("trace_hi", "trace_lo", "span_id")]
    found = look_up((hi, lo, span_id), list(map(np.append, asked, linked)))
    parent[child], target = found[: len(child)], found[len(child) :]
    missing = (parent_id != 0) & (parent < 0)
    parent, in_cycle = break_cycles(parent)
    return SpanIndex(
        trace=trace,
        trace_first=trace_first,
        parent=parent,
        missing_parent=missing,
        in_cycle=in_cycle,
        link_source=ints(links["span"]),
        link_target=target,
        link_is_message=flags(links["is_message"]),
    )


def break_cycles(parent: Ints) -> tuple[Ints, Flags]:
    """Cut one parent link in every circle, at its lowest row: (parents, rows that were cut)."""
    cut = np.zeros(len(parent), dtype=np.bool_)
    reach = np.where(parent < 0, np.arange(len(parent)), parent)
    for _ in range(max(1, int(np.ceil(np.log2(len(parent) + 2))) + 1)):
        following = reach[reach]
        if np.array_equal(following, reach):
            break
        reach = following
    lost = np.flatnonzero(parent[reach] >= 0)  # never arrived at a root
    if not len(lost):
        return parent, cut
    component = connected(len(parent), lost, parent[lost])
    lowest = np.full(len(parent), len(parent), dtype=np.int64)
    np.minimum.at(lowest, component[lost], reach[lost])  # `reach` of a lost row lies on the circle
    rows = lowest[lowest < len(parent)]
    cut[rows] = True
    return np.where(cut, -1, parent), cut
