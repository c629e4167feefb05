"""What a detector returns: verdict rows in columns, and how to put one into words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import polars as pl

from analyzer.context import Context
from analyzer.finding import Cause, Evidence, Severity, State

VERDICTS: dict[str, pl.DataType] = {
    "instance": pl.Int64(),  # code; -1 for findings about the data
    "kind": pl.String(),
    "state": pl.String(),  # what it makes of the instance; "" where nothing
    "severity": pl.String(),
    "confidence": pl.Float64(),
    "cause": pl.String(),
    "step": pl.Int64(),  # position of the last step seen; -1 = none
    "b": pl.Int64(),  # label that is waited for; -1 = none
    "since_ns": pl.Int64(),
    "deadline_ns": pl.Int64(),
    "group": pl.String(),  # rows with the same non-empty text become one finding
}

Row: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True)
class Words:
    """One verdict in words."""

    message: str
    causes: tuple[Cause, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    needs: tuple[str, ...] = ()
    service: str | None = None  # who has to act, where it is not who is waited for


@dataclass(frozen=True)
class Detection:
    """Verdict rows (shape VERDICTS, plus columns of the detector's own) and their wording.

    `explain(row, n)` is called only for rows that are shown; n is the size of the row's group.
    """

    frame: pl.DataFrame
    explain: Callable[[Row, int], Words] = field(default=lambda row, n: Words(str(row["kind"])))


def verdicts(frame: pl.DataFrame, **columns: pl.Expr | str | float | int | None) -> pl.DataFrame:
    """Add the VERDICTS columns to a detector's frame; plain values become literals."""
    given = {
        name: value if isinstance(value, pl.Expr) else pl.lit(value)
        for name, value in columns.items()
    }
    defaults: dict[str, pl.Expr] = {
        "state": pl.lit(""),
        "severity": pl.lit(Severity.WARNING.value),
        "confidence": pl.lit(0.9),
        "cause": pl.lit("unknown"),
        "step": pl.lit(-1),
        "b": pl.lit(-1),
        "deadline_ns": pl.lit(None),
        "group": pl.lit(""),
    }
    wanted = {}
    for name, dtype in VERDICTS.items():
        expression = given.get(name)
        if expression is None:
            expression = pl.col(name) if name in frame.columns else defaults[name]
        wanted[name] = expression.cast(dtype)
    return frame.with_columns(**wanted)


def nothing() -> Detection:
    """No verdicts."""
    return Detection(pl.DataFrame(schema=VERDICTS))


def merged(detections: Sequence[Detection], *columns: str, where: pl.Expr) -> pl.DataFrame:
    """`columns` of VERDICTS of all detectors, where `where` holds."""
    frames = [one.frame[[*VERDICTS]] for one in (*detections, nothing())]
    return pl.concat(frames).filter(where)[[*columns]]


def span_evidence(context: Context, step: int, role: str) -> tuple[Evidence, ...]:
    """The span of a step as evidence; nothing for -1."""
    if step < 0:
        return ()
    row = int(context.table.row[step])
    return (Evidence(context.trace_hex(row), context.span_hex(row), role),)


STATE_ORDER: tuple[State, ...] = (
    State.DEAD_LETTERED,
    State.FAILED,
    State.STUCK,
    State.ORPHANED,
    State.LATE,
    State.COMPENSATING,
    State.COMPENSATED,
    State.UNKNOWN,
    State.WAITING,
    State.RUNNING,
    State.COMPLETE,
)
