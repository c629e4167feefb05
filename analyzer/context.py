"""Everything a detector may look at, gathered once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
import polars as pl

from analyzer.codes import Flags, Ints, Words, ints, jump, words
from analyzer.steps.table import StepTable
from analyzer.stitching.callees import unanswered_calls
from analyzer.stitching.evidence import Tier
from analyzer.stitching.index import SpanIndex, break_cycles
from analyzer.stitching.roles import Role
from analyzer.stitching.stitch import Stitching
from collectors.recording import Recording
from collectors.schema import Status


@dataclass(frozen=True)
class Context:
    """One recording, stitched into instances, at one point in time."""

    recording: Recording
    index: SpanIndex
    role: Ints  # by span
    label: Ints  # by span: code of its service and operation
    stitching: Stitching
    table: StepTable
    labels: pl.DataFrame  # service, operation by label code
    label_service: Ints  # code of the service of each label
    pairs: pl.DataFrame  # what `flow.followed` says of the steps
    transitions: pl.DataFrame
    now_ns: int
    arrival: Mapping[str, int] | None = None  # see `pipeline.analyze_recording`

    @property
    def spans(self) -> pl.DataFrame:
        """The recording's spans."""
        return self.recording.spans

    @cached_property
    def service(self) -> Ints:
        """Service code of each span."""
        return ints(self.spans["service"])

    @cached_property
    def kind(self) -> Ints:
        """OTLP kind of each span."""
        return ints(self.spans["kind"])

    @cached_property
    def status(self) -> Ints:
        """OTLP status of each span."""
        return ints(self.spans["status"])

    @cached_property
    def start(self) -> Ints:
        """Start of each span, nanoseconds."""
        return ints(self.spans["start_ns"])

    @cached_property
    def entered(self) -> Flags:
        """Steps with an edge into them."""
        entered = np.zeros(len(self.table), dtype=np.bool_)
        entered[self.table.target] = True
        return entered

    @cached_property
    def consumed(self) -> Flags:
        """Steps whose message another step took, or that led to anything else."""
        consumed = np.zeros(len(self.table), dtype=np.bool_)
        consumed[self.table.source[self.table.tier != Tier.TIME]] = True
        return consumed

    @cached_property
    def beginning(self) -> Flags:
        """The first step of each instance."""
        beginning = np.ones(len(self.table), dtype=np.bool_)
        beginning[1:] = self.table.instance[1:] != self.table.instance[:-1]
        return beginning

    @cached_property
    def cause_row(self) -> Ints:
        """By span: its parent, else the span whose message or link it came of; -1 for none."""
        messages = self.stitching.messages
        above = self.stitching.parent.copy()
        first = above[messages.target] < 0
        above[messages.target[first][::-1]] = messages.source[first][::-1]
        return break_cycles(above)[0]

    @cached_property
    def outcomes(self) -> dict[tuple[int, int], tuple[int, int]]:
        """(label, kind) of spans -> (how many there are, how many of them failed). One request
        may have two server spans: the inner one is not counted."""
        above = self.index.parent
        alike = (self.label == self.label[above]) & (self.kind == self.kind[above])
        frame = pl.DataFrame(
            {"label": self.label, "kind": self.kind, "error": self.status == Status.ERROR}
        )
        outer = frame.filter(pl.Series(~(alike & (above >= 0))))
        counts = outer.group_by("label", "kind").agg(pl.len(), pl.col("error").sum())
        return {(label, kind): (n, failed) for label, kind, n, failed in counts.iter_rows()}

    def sources_of(self, step: int) -> Ints:
        """Steps with an edge to this one."""
        return _beside(*self._into, self.table.source, step)

    def targets_of(self, step: int) -> Ints:
        """Steps that this one has an edge to."""
        return _beside(*self._out_of, self.table.target, step)

    @cached_property
    def _into(self) -> tuple[Ints, Ints]:
        return _ordered(self.table.target)

    @cached_property
    def _out_of(self) -> tuple[Ints, Ints]:
        return _ordered(self.table.source)

    @cached_property
    def owner(self) -> Ints:
        """By span: position of the step it works for (nearest step above, itself included); -1
        where there is none or where the step serves several instances."""
        is_step = np.zeros(len(self.spans), dtype=np.bool_)
        is_step[self.table.row] = True
        step_of = np.full(len(self.spans) + 1, -1, dtype=np.int64)
        step_of[self.table.row] = np.arange(len(self.table))
        step_of[self.table.row[self.table.shared]] = -1
        return step_of[jump(self.stitching.parent, is_step)]

    @cached_property
    def calls(self) -> pl.DataFrame:
        """Calls that left no span at the callee; shape `analyzer.stitching.callees.CALLS`."""
        return unanswered_calls(self.spans, self.index, self.role)

    @cached_property
    def unlinked(self) -> Flags:
        """Consumer steps that no evidence ties to a producer."""
        consumes = np.isin(self.table.role, (Role.PROCESS, Role.RECEIVE))
        return consumes & ~self.entered

    @cached_property
    def unresolved_links(self) -> Ints:
        """Rows of spans that link to a span that is not in the recording."""
        missing = self.index.link_target < 0
        return np.unique(self.index.link_source[missing])

    @cached_property
    def sampled(self) -> bool:
        """Whether the data say that only part of the traces was recorded."""
        state = self.spans["tracestate"]
        if state.null_count() < len(state):
            thresholds = state.drop_nulls().str.extract(r"(?:^|[;,=])th:([0-9a-f]+)", 1)
            if bool((thresholds.drop_nulls().str.strip_chars("0") != "").any()):
                return True
        flags = self.recording.links["trace_flags"]
        unsampled = (
            flags.is_not_null()
            & ((flags.fill_null(1) & 1) == 0)
            & ((flags.fill_null(0) & 0x300) != 0)
        )
        return bool(unsampled.any())

    def label_text(self, label: int) -> tuple[str | None, str | None]:
        """(service, operation) of a label code; (None, None) for -1."""
        return self._label_texts[label] if label >= 0 else (None, None)

    @cached_property
    def _label_texts(self) -> list[tuple[str | None, str | None]]:
        return list(self.labels.iter_rows())

    def starts_of(self, label: int) -> Ints:
        """Starts of all steps of a label, sorted."""
        return self._starts_by_label(label)

    @cached_property
    def _starts_by_label(self) -> Callable[[int], Ints]:
        return _sorted_starts(self.table.label, self.table.start)

    def spans_after(self, service: int, start_ns: int) -> int:
        """Number of spans of a service that start after that."""
        starts = self._starts_by_service(service)
        return len(starts) - int(np.searchsorted(starts, start_ns, "right"))

    @cached_property
    def _starts_by_service(self) -> Callable[[int], Ints]:
        return _sorted_starts(self.service, self.start)

    def trace_hex(self, row: int) -> str:
        """Trace id of a span as hex: 32 digits, 16 for a 64-bit id."""
        hi, lo = (int(column[row]) for column in self._trace_words)
        return f"{hi:016x}{lo:016x}" if hi else f"{lo:016x}"

    def span_hex(self, row: int) -> str:
        """Span id as 16 hex digits."""
        return f"{int(self._span_words[row]):016x}"

    @cached_property
    def _trace_words(self) -> tuple[Words, Words]:
        return words(self.spans["trace_hi"]), words(self.spans["trace_lo"])

    @cached_property
    def _span_words(self) -> Words:
        return words(self.spans["span_id"])


def _sorted_starts(code: Ints, start: Ints) -> Callable[[int], Ints]:
    """Code -> the starts of its rows, sorted; few codes are ever asked for."""
    return cache(lambda wanted: np.sort(start[code == wanted]))


def _ordered(ends: Ints) -> tuple[Ints, Ints]:
    """(the edges in the order of these ends, the ends in that order)."""
    order = np.argsort(ends, kind="stable")
    return order, ends[order]


def _beside(order: Ints, ends: Ints, others: Ints, step: int) -> Ints:
    """The other ends of the edges at a step, in the order of the edges."""
    first, last = np.searchsorted(ends, [step, step + 1])
    return others[order[first:last]]


def trace_hexes(spans: pl.DataFrame, rows: Ints) -> pl.Series:
    """Trace ids of `rows` as hex strings: 32 digits, 16 for 64-bit ids."""
    hi, lo = words(spans["trace_hi"])[rows], words(spans["trace_lo"])[rows]
    long = hex_strings(np.stack([hi, lo], axis=1))
    if hi.all():
        return long
    short = pl.Series(hi == 0)
    return pl.select(pl.when(short).then(long.str.slice(16)).otherwise(long)).to_series()


def hex_strings(columns: np.ndarray) -> pl.Series:
    """Rows of unsigned 64-bit words as big-endian hex strings."""
    import pyarrow as pa

    rows, width = len(columns), columns.shape[1] * 16
    ends = pl.Series(np.arange(rows + 1, dtype=np.int64) * width).to_arrow().buffers()[1]
    letters = pa.py_buffer(columns.astype(">u8").tobytes().hex().encode("ascii"))
    return pl.Series(pl.from_arrow(pa.LargeStringArray.from_buffers(rows, ends, letters)))
