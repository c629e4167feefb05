"""Declared deadlines and needs in the place of learned ones, before absences become verdicts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import polars as pl

from analyzer.codes import Flags, Ints, ints
from analyzer.conformance.expectations import Expectations, Step, Workflow
from analyzer.conformance.judged import added
from analyzer.conformance.match import NEVER, Cases, Finder
from analyzer.detection import Detection, Row, Words
from analyzer.duration import spell
from analyzer.expectation.flow import MIN_HISTORY, STUCK_FACTOR
from analyzer.finding import Severity

SURE = 0.9  # somebody said so; what is left is doubt about the recording
_RULES = {"a_rule": pl.Int64, "instance": pl.Int64, "b": pl.Int64, "optional": pl.Boolean,
          "needed": pl.Boolean, "due_ns": pl.Int64, "within_ns": pl.Int64,
          "declared_severity": pl.Int64, "declared_by": pl.String}  # fmt: skip
_COLUMNS = {
    name: dtype for name, dtype in _RULES.items() if name not in ("a_rule", "instance", "b")
}
_FAULTS = ("late", "stuck", "missing")
_TIMED = ("waiting", "late", "stuck", "unknown")


def agreed(finder: Finder, expectations: Expectations, absences: pl.DataFrame) -> pl.DataFrame:
    """The judged absences with what is declared: an optional step may be absent, a required one
    may not, an exclusive one is absent by right, and a declared deadline replaces the learned.

    Adds the columns of `_COLUMNS`, null where nothing is declared, and learned_verdict.
    """
    empty = absences.with_columns(
        [pl.lit(None, dtype=dtype).alias(name) for name, dtype in _COLUMNS.items()],
        learned_verdict=pl.lit(None, dtype=pl.String),
    )
    if absences.is_empty() or not expectations.workflows:
        return empty
    rules = pl.concat(
        [_rules(finder, one, absences) for one in expectations.workflows] or [_none()]
    )
    strongest = rules.group_by("a_rule").agg(
        optional=pl.col("optional").all(),
        needed=pl.col("needed").any(),
        due_ns=pl.col("due_ns").min(),
        within_ns=pl.col("within_ns").sort_by("due_ns").first(),
        declared_severity=pl.col("declared_severity").min(),
        declared_by=pl.col("declared_by").sort().first(),
    )
    frame = absences.with_row_index("a_rule").cast({"a_rule": pl.Int64})
    joined = frame.join(strongest, on="a_rule", how="left", maintain_order="left")
    return _rejudged(joined.drop("a_rule"))


def _none() -> pl.DataFrame:
    return pl.DataFrame(schema=_RULES)


def _rules(finder: Finder, workflow: Workflow, absences: pl.DataFrame) -> pl.DataFrame:
    """One row for each absence that a step of the workflow speaks of."""
    cases = finder.cases(workflow.starts)
    parts = [_of_step(finder, workflow, step, cases, absences) for step in workflow.steps]
    for group in workflow.exclusive:
        for name in group.steps:
            others = tuple(one for one in group.steps if one != name)
            gone = finder.count(finder.steps(others)) > 0
            gone &= _members(finder, cases)
            rows = _rows_of(finder.labels((name,)), absences, gone)
            parts.append(_filled(rows, absences, optional=True, by=workflow.name))
    return pl.concat([_none(), *parts])


def _members(finder: Finder, cases: Cases) -> Flags:
    member = np.zeros(finder.table.instances, dtype=np.bool_)
    member[cases.instance] = True
    return member


def _rows_of(labels: Ints, absences: pl.DataFrame, member: Flags) -> Ints:
    """Positions of the absences of these labels in these instances."""
    meant = np.isin(ints(absences["b"]), labels) & member[ints(absences["instance"])]
    return np.flatnonzero(meant)


def _of_step(
    finder: Finder, workflow: Workflow, step: Step, cases: Cases, absences: pl.DataFrame
) -> pl.DataFrame:
    rows = _rows_of(finder.labels((step.name,)), absences, _members(finder, cases))
    due = _due(finder, step, cases, absences, rows)
    severity = Severity(step.severity or workflow.severity or "error").rank
    # an attempt that gave way to another one lacks it, the instance does not
    gone = finder.count(finder.steps((step.name,)))[ints(absences["instance"])[rows]] == 0
    return _filled(
        rows,
        absences,
        optional=step.required is False,
        needed=pl.Series(gone & bool(step.required)),
        due=due,
        within=step.within_ns,
        severity=severity,
        by=workflow.name,
    )


def _due(
    finder: Finder, step: Step, cases: Cases, absences: pl.DataFrame, rows: Ints
) -> Ints | None:
    """When each absent step is due by its declared deadline; NEVER where nothing started it."""
    if step.within_ns is None:
        return None
    if step.after is None:
        anchor = np.full(finder.table.instances, NEVER, dtype=np.int64)
        anchor[cases.instance] = cases.start
        return added(anchor[ints(absences["instance"])[rows]], step.within_ns)
    first, _ = finder.first(finder.steps((step.after,)))
    anchors = first[ints(absences["instance"])[rows]]
    # the occurrence that this absence follows is nearer than the first of the instance
    own = np.isin(ints(absences["a"])[rows], finder.labels((step.after,)))
    return added(np.where(own, ints(absences["start"])[rows], anchors), step.within_ns)


def _filled(
    rows: Ints,
    absences: pl.DataFrame,
    *,
    optional: bool = False,
    needed: pl.Series | bool = False,
    due: Ints | None = None,
    within: int | None = None,
    severity: int = 0,
    by: str = "",
) -> pl.DataFrame:
    known = pl.Series("due_ns", due if due is not None else [None] * len(rows), dtype=pl.Int64)
    frame = pl.DataFrame(
        {
            "a_rule": rows,
            "instance": ints(absences["instance"])[rows],
            "b": ints(absences["b"])[rows],
        },
        schema={"a_rule": pl.Int64, "instance": pl.Int64, "b": pl.Int64},
    )
    return frame.with_columns(
        optional=pl.lit(optional),
        needed=pl.lit(needed) if isinstance(needed, bool) else needed,
        due_ns=pl.when(known == NEVER).then(None).otherwise(known),
        within_ns=pl.lit(within, dtype=pl.Int64),
        declared_severity=pl.lit(severity, dtype=pl.Int64),
        declared_by=pl.lit(by),
    ).cast(_RULES)  # type: ignore[arg-type]


def _rejudged(frame: pl.DataFrame) -> pl.DataFrame:
    """Verdicts after the declarations; see `absence._with_verdict` for the learned ones."""
    limit = pl.max_horizontal(pl.col("due_ns") - pl.col("since_ns"), pl.lit(0))
    learned = pl.when(pl.col("k") >= MIN_HISTORY).then("stuck_ns")
    stuck = learned.otherwise((STUCK_FACTOR * pl.col("within_ns").cast(pl.Float64)).cast(pl.Int64))
    dated = pl.col("due_ns").is_not_null()
    frame = frame.with_columns(
        late_ns=pl.when(dated).then(limit).otherwise("late_ns"),
        stuck_ns=pl.when(dated).then(pl.max_horizontal(limit, stuck)).otherwise("stuck_ns"),
    )
    timed = (
        pl.when(pl.col("age_ns") <= pl.col("late_ns"))
        .then(pl.lit("waiting"))
        .when((pl.col("age_ns") < pl.col("stuck_ns")) & (pl.col("crashed") == 0))
        .then(pl.lit("late"))
        .otherwise(pl.lit("stuck"))
    )
    verdict = pl.col("verdict")
    explained = verdict == "errored"
    lost = (verdict == "unknown") & (pl.col("unlinked") | (pl.col("k") >= MIN_HISTORY))
    needed = pl.col("needed").fill_null(False)
    sync = pl.col("within") & ~pl.col("unlinked")
    return frame.with_columns(
        learned_verdict=verdict,
        verdict=pl.when(pl.col("optional").fill_null(False))
        .then(pl.lit("legitimate"))
        .when(pl.col("declared_by").is_null() | explained | lost)
        .then(verdict)
        .when(needed & sync)
        .then(pl.lit("missing"))
        .when(needed | (dated & verdict.is_in(_TIMED)))
        .then(timed)
        .otherwise(verdict),
    )


def told(detection: Detection, explained: Ints) -> Detection:
    """The detection of `awaited` with the declared severity, and with the declaration in words.

    `explained`: instances with an error that other detectors tell; there, what would be no fault
    without the declaration needs no finding of its own.
    """
    frame = detection.frame
    if "declared_by" not in frame.columns or frame["declared_by"].null_count() == len(frame):
        return detection
    again = pl.col("declared_by").is_not_null() & ~pl.col("learned_verdict").is_in(list(_FAULTS))
    frame = frame.filter(~(again & pl.col("instance").is_in(explained.tolist())).fill_null(False))
    bound = pl.col("needed").fill_null(False) | pl.col("due_ns").is_not_null()
    failed = bound & pl.col("verdict").is_in(list(_FAULTS))
    severity = pl.col("declared_severity").replace_strict(
        {one.rank: one.value for one in Severity}, default=None, return_dtype=pl.String
    )
    frame = frame.with_columns(
        severity=pl.when(failed).then(severity).otherwise("severity"),
        confidence=pl.when(failed)
        .then(pl.max_horizontal("confidence", pl.lit(SURE)))
        .otherwise("confidence"),
    )
    return Detection(frame, lambda row, n: _with_declaration(detection.explain(row, n), row))


def _with_declaration(words: Words, row: Row) -> Words:
    said = list(_clauses(row))
    if not said:
        return words
    return replace(
        words, message=f"{words.message}; declared for {row['declared_by']}: {', '.join(said)}"
    )


def _clauses(row: Row) -> Iterator[str]:
    if row["declared_by"] is None or row["verdict"] not in _FAULTS:
        return
    if row["needed"]:
        yield "required"
    if row["due_ns"] is not None:
        yield f"within {spell(row['within_ns'])}"
