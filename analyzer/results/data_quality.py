"""What to know about the data before believing the findings."""

from __future__ import annotations

import numpy as np
import polars as pl

from analyzer.analysis import DataNote
from analyzer.codes import ints
from analyzer.context import Context
from analyzer.detectors.identity import quarantine_note
from analyzer.duration import plural, spell, verb
from analyzer.finding import Cause, Finding, Severity
from analyzer.stitching.roles import Role
from collectors.schema import Quality

SKEW_NS = 10_000_000  # less is the rounding of clocks and emitters


def data_notes(context: Context, silent: pl.DataFrame, strays: int) -> tuple[DataNote, ...]:
    """Notes in the order in which they matter. `silent`: what `silent_callees` says."""
    notes = [
        *_missing_parents(context),
        *_links(context),
        *_silent(silent),
        *_sampling(context),
        *_unlinked(context),
        *_skew(context),
        *_bad_spans(context, strays),
    ]
    if context.stitching.quarantined:
        told = context.stitching.quarantined
        notes.append(DataNote("quarantined-keys", quarantine_note(told), len(told)))
    return tuple(notes)


def _names(context: Context, rows: np.ndarray) -> tuple[str, ...]:
    return tuple(context.spans["service"][rows].cast(pl.String).unique().sort().to_list())


def _missing_parents(context: Context) -> list[DataNote]:
    rows = np.flatnonzero(context.index.missing_parent)
    if not len(rows):
        return []
    parents = context.spans["parent_id"][rows].unique().sort()
    some = ", ".join(f"{one:016x}" for one in parents.head(3).to_list())
    more = ", ..." if len(parents) > 3 else ""
    children = ints(context.spans["parent_id"] != 0).sum()
    text = f"{plural(len(parents), 'missing parent')}, named by {plural(len(rows), 'span')}"
    text += f" ({some}{more})"
    return [
        DataNote("missing-parents", text, len(parents), len(rows) / children, _names(context, rows))
    ]


def _links(context: Context) -> list[DataNote]:
    total = len(context.index.link_target)
    missing = int((context.index.link_target < 0).sum())
    if not total:
        return []
    if not missing:
        spans = int(np.count_nonzero(np.bincount(context.index.link_source)))
        text = f"{plural(spans, 'span')} with links; all {total:,} links resolve"
        return [DataNote("links", text, total, 0.0)]
    text = f"{missing:,} of {plural(total, 'link')} {verb(missing, 'point')} to spans that are not "
    text += "there"
    names = _names(context, context.unresolved_links)
    return [DataNote("unresolved-links", text, missing, missing / total, names)]


def silent_callees(context: Context) -> pl.DataFrame:
    """Calls to participants that left no span: columns instance, source, target, error,
    start_ns, wait_ns; one row a call, only where the callee's name is known."""
    calls = context.calls.filter(pl.col("callee").is_not_null() & ~pl.col("emits"))
    rows = ints(calls["row"])
    part = context.spans[rows].select(
        instance=pl.Series(context.table.instance_of_row[rows]),
        source="service",
        target=calls["callee"],
        error=pl.col("status") == 2,
        start_ns="start_ns",
        wait_ns=pl.col("end_ns") - pl.col("start_ns"),
    )
    return part.filter(pl.col("instance") >= 0).with_columns(pl.col("instance").cast(pl.UInt32))


def _silent(calls: pl.DataFrame) -> list[DataNote]:
    notes = []
    grouped = calls.group_by("target").agg(
        n=pl.len(),
        errors=pl.col("error").sum(),
        sources=pl.col("source").cast(pl.String).unique().sort(),
    )
    for target, n, errors, sources in grouped.sort(
        ["n", "target"], descending=[True, False]
    ).iter_rows():
        text = f"{target} emits nothing: called {plural(n, 'time')} by {', '.join(sources)}"
        text += f", {errors:,} of these failed" if errors else ""
        notes.append(DataNote("silent-service", text, n, errors / n, (target,)))
    return notes[:10]


def _sampling(context: Context) -> list[DataNote]:
    if not context.sampled:
        return []
    text = "the traces are sampled: what is not there may have happened; nothing is called lost"
    return [DataNote("sampling", text)]


def _unlinked(context: Context) -> list[DataNote]:
    named = context.index.missing_parent.copy()  # it said where it came from, and that is not here
    named[context.unresolved_links] = True
    steps = np.flatnonzero(context.unlinked & ~named[context.table.row])
    consumers = np.isin(context.table.role, (Role.PROCESS, Role.RECEIVE))
    total = int(consumers.sum())
    if not len(steps) or not total:
        return []
    rows = context.table.row[steps]
    text = (
        f"{len(steps):,} of {plural(total, 'consumer span')} {verb(len(steps), 'name')} no "
        "producer: the context is lost between them (no parent, link or common id)"
    )
    return [
        DataNote("broken-propagation", text, len(steps), len(steps) / total, _names(context, rows))
    ]


def _skew(context: Context) -> list[DataNote]:
    table = context.table
    cross = (
        context.label_service[table.label[table.source]]
        != context.label_service[table.label[table.target]]
    )
    bad = np.flatnonzero(cross & (table.skew > SKEW_NS))
    if not len(bad):
        return []
    worst = int(table.skew[bad].max())
    rows = np.concatenate([table.row[table.source[bad]], table.row[table.target[bad]]])
    text = f"{plural(len(bad), 'step')} {verb(len(bad), 'begin')} before the cause, by up to "
    text += f"{spell(worst)}: clock skew; such waits are taken as 0"
    return [
        DataNote(
            "clock-skew",
            text,
            len(bad),
            len(bad) / max(1, len(table.source)),
            _names(context, rows),
        )
    ]


_QUALITY_TEXT = {
    Quality.ZERO_TIME: "without a time",
    Quality.CLAMPED_TIME: "with a time out of range",
    Quality.NEGATIVE_DURATION: "with an end before the start",
    Quality.CONFLICTING_DUPLICATE: "whose id came again with other content",
    Quality.TRUNCATED: "with attributes cut off",
    Quality.SELF_PARENT: "whose parent is the span itself",
    Quality.EMPTY_NAME: "without a name",
    Quality.INVALID_UTF8: "with invalid UTF-8",
}


def _bad_spans(context: Context, strays: int) -> list[DataNote]:
    quality = ints(context.spans["quality"])
    said = int(np.bitwise_or.reduce(quality, initial=0))
    notes = []
    for flag, text in _QUALITY_TEXT.items():
        rows = np.flatnonzero(quality & int(flag)) if said & flag else quality[:0]
        if len(rows):
            notes.append(
                DataNote(
                    "bad-span",
                    f"{plural(len(rows), 'span')} {text}",
                    len(rows),
                    len(rows) / len(quality),
                    _names(context, rows),
                )
            )
    if context.index.in_cycle.any():
        rows = np.flatnonzero(context.index.in_cycle)
        text = f"{plural(len(rows), 'circle')} of parents, each broken at one span"
        notes.append(DataNote("bad-span", text, len(rows), None, _names(context, rows)))
    if strays:
        text = f"{plural(strays, 'span')} with an end far in the future, left out of the clock"
        notes.append(DataNote("bad-span", text, strays))
    return notes


_AS_FINDING = ("broken-propagation", "clock-skew", "sampling", "bad-span")


def data_findings(notes: tuple[DataNote, ...]) -> tuple[Finding, ...]:
    """The notes that a gate or an alert may want to hear of."""
    return tuple(
        Finding(
            kind=note.kind,
            severity=Severity.NOTE,
            confidence=0.95,
            message=note.message,
            instances=0,
            service=note.services[0] if len(note.services) == 1 else None,
            causes=(Cause(note.kind, 0.95, (note.message,)),),
        )
        for note in notes
        if note.kind in _AS_FINDING
    )
