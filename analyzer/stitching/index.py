"""Who is whose parent and which span a link points at, as row numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from analyzer.codes import Flags, Ints, flags, look_up, trace_codes, words
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
    parent[child] = look_up((hi, lo, span_id), (hi[child], lo[child], parent_id[child]))
    missing = (parent_id != 0) & (parent < 0)
    parent, in_cycle = break_cycles(parent)
    target = look_up(
        (hi, lo, span_id),
        (words(links["trace_hi"]), words(links["trace_lo"]), words(links["span_id"])),
    )
    return SpanIndex(
        trace=trace,
        trace_first=trace_first,
        parent=parent,
        missing_parent=missing,
        in_cycle=in_cycle,
        link_source=links["span"].cast(int).to_numpy().astype(np.int64, copy=False),
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
    graph = coo_array((np.ones(len(lost)), (lost, parent[lost])), shape=(len(parent),) * 2)
    count, component = connected_components(graph, directed=False)
    lowest = np.full(count, len(parent), dtype=np.int64)
    np.minimum.at(lowest, component[lost], reach[lost])  # `reach` of a lost row lies on the circle
    rows = lowest[lowest < len(parent)]
    cut[rows] = True
    return np.where(cut, -1, parent), cut
