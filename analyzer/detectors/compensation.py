"""Sagas: which steps undo which, and what was done and never undone."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from analyzer.context import Context
from analyzer.detection import Detection, Row, Words, nothing, span_evidence, verdicts
from analyzer.detectors.words import name_of
from analyzer.finding import Cause, Severity, State

# (do, undo) by stem of the verb; the object of both must be the same ("stock", "payment").
STEMS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("reserv", ("releas", "unreserv", "cancel")),
    ("allocat", ("releas", "deallocat")),
    ("hold", ("releas",)),
    ("held", ("releas",)),
    ("charg", ("refund", "revers", "void")),
    ("captur", ("refund", "revers", "void")),
    ("authoriz", ("void", "revers", "cancel")),
    ("authoris", ("void", "revers", "cancel")),
    ("pay", ("refund", "revers")),
    ("paid", ("refund", "revers")),
    ("debit", ("credit", "revers")),
    ("book", ("cancel", "unbook")),
    ("assign", ("unassign", "cancel")),
    ("schedul", ("unschedul", "cancel")),
)
_LONGEST_FIRST = sorted(
    {do for do, _ in STEMS} | {undo for _, many in STEMS for undo in many},
    key=lambda s: (-len(s), s),
)
# Words of an event after which work is taken back.
FAILURE = re.compile(
    r"(fail|reject|declin|deni|cancel|abort|expir|timeout|timed|error|refus|invalid)"
)
MIN_TOGETHER = 2  # instances that show both, the doing first
USUAL = 0.3  # share of rolled-back instances in which the partner comes


@dataclass(frozen=True)
class Pair:
    """Labels: `undo` takes back what `do` did."""

    do: int
    undo: int


def tokens(operation: str) -> tuple[str, ...]:
    """Words of an operation name, lower case: "publish stock.reserved" -> publish, stock, ..."""
    spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", operation)
    return tuple(word for word in re.split(r"[^A-Za-z0-9]+", spaced.lower()) if word)


def suggested_pairs(context: Context) -> tuple[Pair, ...]:
    """Pairs of labels of one service whose verbs are a known do / undo and whose objects are the
    same, confirmed where at least MIN_TOGETHER instances show both in that order."""
    parsed = _verbs(context)
    about: dict[tuple[str, tuple[str, ...]], list[tuple[int, str]]] = {}
    for label, service, stem, thing in parsed:
        about.setdefault((service, thing), []).append((label, stem))
    possible = [
        Pair(do, undo)
        for do, service, stem, thing in parsed
        for undo, verb in about[service, thing]
        if do != undo and _undoes(stem, verb)
    ]
    seen = _first_starts(
        context, sorted({one for pair in possible for one in (pair.do, pair.undo)})
    )
    return tuple(pair for pair in possible if _in_order(seen, pair) >= MIN_TOGETHER)


def _in_order(seen: dict[int, dict[int, int]], pair: Pair) -> int:
    """Number of instances that did first and undid later."""
    done, undone = seen.get(pair.do, {}), seen.get(pair.undo, {})
    return sum(done[one] <= undone[one] for one in done.keys() & undone.keys())


def _undoes(stem: str, verb: str) -> bool:
    return any(stem == do and verb in undo for do, undo in STEMS)


def _verbs(context: Context) -> list[tuple[int, str, str, tuple[str, ...]]]:
    """(label, service, stem, object words) of labels with a verb of STEMS in a sent event."""
    found = []
    for label, (service, operation) in enumerate(context.labels.iter_rows()):
        parts = tokens(operation)
        for position, word in enumerate(parts):
            stem = next((one for one in _LONGEST_FIRST if word.startswith(one)), None)
            if stem is not None:
                rest = tuple(part for at, part in enumerate(parts) if at != position)
                found.append((label, service, stem, rest))
    return found


def _first_starts(context: Context, labels: list[int]) -> dict[int, dict[int, int]]:
    """By label: instance -> start of its first step of that label."""
    table = context.table
    rows = np.flatnonzero(np.isin(table.label, labels))
    frame = pl.DataFrame(
        {"label": table.label[rows], "instance": table.instance[rows], "start": table.start[rows]}
    )
    first = frame.group_by("label", "instance").agg(pl.col("start").min())
    found: dict[int, dict[int, int]] = {}
    for label, instance, start in first.iter_rows():
        found.setdefault(label, {})[instance] = start
    return found


def compensation(context: Context, pairs: tuple[Pair, ...]) -> Detection:
    """Instances that are being rolled back: compensated where every step done was undone, else
    incomplete."""
    if not pairs:
        return nothing()
    table = context.table
    instances = [set(table.instance[table.label == pair.undo].tolist()) for pair in pairs]
    rolled_back = set().union(*instances) & _troubled(context)
    rows: list[tuple[int, str, int, int, int]] = []
    open_pairs: dict[int, list[Pair]] = {one: [] for one in rolled_back}
    for pair in pairs:
        done = set(table.instance[table.label == pair.do].tolist()) & rolled_back
        undone = set(table.instance[table.label == pair.undo].tolist())
        if len(done & undone) < USUAL * len(done):
            continue
        for one in done - undone:
            open_pairs[one].append(pair)
    for one in sorted(rolled_back):
        first, end = np.searchsorted(table.instance, [one, one + 1])
        last = int(end) - 1
        if not open_pairs[one]:
            rows.append((one, "compensated", last, -1, int(table.start[last])))
        for pair in open_pairs[one]:
            steps = first + np.flatnonzero(table.label[first:end] == pair.do)
            rows.append((one, "incomplete", int(steps[0]), pair.undo, int(table.end[steps[0]])))
    frame = pl.DataFrame(
        rows, schema=["instance", "outcome", "step", "b", "since_ns"], orient="row"
    )
    return _detection(context, frame)


def told_once(waiting: Detection, undone: Detection) -> tuple[Detection, Detection]:
    """An undoing that is missed by what usually follows and by what should be undone is one
    finding, the latter, with the deadline of the former."""
    kind, place = pl.col("kind") == "incomplete-compensation", ["instance", "b"]
    late = waiting.frame.filter(kind).group_by(place).agg(due=pl.col("deadline_ns").min())
    if late.is_empty() or undone.frame.is_empty():
        return waiting, undone
    told = undone.frame.filter(kind).select(place)
    again = waiting.frame.join(told, on=place, how="semi").filter(kind).select(place).unique()
    rest = waiting.frame.with_columns(kind.alias("of_kind")).join(
        again.with_columns(of_kind=True), on=[*place, "of_kind"], how="anti", maintain_order="left"
    )
    dated = undone.frame.join(late, on=place, how="left", maintain_order="left").with_columns(
        deadline_ns=pl.when(kind).then(pl.coalesce("deadline_ns", "due")).otherwise("deadline_ns")
    )
    return replace(waiting, frame=rest.drop("of_kind")), replace(undone, frame=dated.drop("due"))


def _troubled(context: Context) -> set[int]:
    """Instances in which something failed, by an error or by the name of an event."""
    table = context.table
    names = context.labels["operation"].cast(pl.String).to_list()
    bad = np.array([bool(FAILURE.search(name.lower())) for name in names] or [False])
    return set(table.instance[table.error | bad[table.label]].tolist())


def _detection(context: Context, frame: pl.DataFrame) -> Detection:
    incomplete = pl.col("outcome") == "incomplete"
    return Detection(
        verdicts(
            frame,
            kind=pl.when(incomplete)
            .then(pl.lit("incomplete-compensation"))
            .otherwise(pl.lit("compensated")),
            state=pl.when(incomplete)
            .then(pl.lit(State.STUCK.value))
            .otherwise(pl.lit(State.COMPENSATED.value)),
            severity=pl.when(incomplete)
            .then(pl.lit(Severity.ERROR.value))
            .otherwise(pl.lit(Severity.NOTE.value)),
            confidence=pl.lit(0.9),
            cause=pl.when(incomplete).then(pl.lit("partial")).otherwise(pl.lit("compensated")),
        ),
        lambda row, n: _explain(context, row, n),
    )


def _explain(context: Context, row: Row, n: int) -> Words:
    del n
    if row["outcome"] == "compensated":
        return Words("everything that was done was undone")
    done = name_of(context, int(context.table.label[row["step"]]))
    text = f"{name_of(context, row['b'])} should take back {done} and did not, while others did"
    cause = Cause("partial", 0.9, ("other steps of this instance were compensated",))
    return Words(text, (cause,), span_evidence(context, row["step"], "done"))
