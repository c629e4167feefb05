"""The table of instances, for people and for machines."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import Any

import polars as pl

from analyzer.escape import Target, escape, json_text
from analyzer.finding import State
from analyzer.reporters.json import waiting_for
from analyzer.reporters.style import (
    STATE_COLOURS,
    STATE_GLYPHS,
    Style,
    fit_columns,
    need,
    state_rank,
)
from analyzer.reporters.units import duration, rfc3339

SORTS = ("state", "age", "overdue", "duration", "start", "end", "steps", "spans", "errors",
         "workflow", "instance")  # fmt: skip
COLUMNS = ("instance", "workflow", "state", "cause", "waiting_service", "waiting_step",
           "waiting_destination", "since", "deadline", "start", "end", "keys", "trace_ids",
           "services", "steps", "spans")  # fmt: skip


def ordered(instances: pl.DataFrame, sort: str, as_of_ns: int) -> pl.DataFrame:
    """Rows by `sort`, the worst or largest first (`-` in front turns it round), then by id."""
    backwards = sort.startswith("-")
    field = sort.removeprefix("-")
    rank = pl.col("state").replace_strict(
        {state.value: state_rank(state) for state in State}, default=99, return_dtype=pl.Int64
    )
    keys: dict[str, tuple[pl.Expr, bool]] = {  # expression, descending
        "state": (rank, False),
        "age": (pl.col("start_ns"), False),
        "overdue": (pl.col("deadline_ns"), False),
        "duration": (pl.col("end_ns") - pl.col("start_ns"), True),
        "start": (pl.col("start_ns"), False),
        "end": (pl.col("end_ns"), False),
        "steps": (pl.col("steps"), True),
        "spans": (pl.col("spans"), True),
        "errors": (pl.col("errors"), True),
        "workflow": (pl.col("workflow"), False),
        "instance": (pl.col("id"), False),
    }
    key, descending = keys[field]
    late = pl.when(pl.col("deadline_ns") < as_of_ns).then(pl.col("deadline_ns"))
    return instances.sort(
        [key, late, pl.col("start_ns"), pl.col("id")],
        descending=[descending != backwards, False, False, False],
        nulls_last=True,
    )


def fields(row: dict[str, Any]) -> dict[str, Any]:
    """One instance as the contract names it."""
    return {
        "instance": row["id"],
        "workflow": row["workflow"],
        "state": row["state"],
        "cause": row["cause"],
        "waiting_for": waiting_for(
            row["waiting_service"], row["waiting_step"], row["waiting_destination"]
        ),
        "since": rfc3339(row["since_ns"]),
        "deadline": rfc3339(row["deadline_ns"]),
        "start": rfc3339(row["start_ns"]),
        "end": rfc3339(row["end_ns"]),
        "keys": row["keys"] or [],
        "trace_ids": row["trace_ids"] or [],
        "services": row["services"] or [],
        "steps": row["steps"],
        "spans": row["spans"],
    }


def json_lines(instances: pl.DataFrame) -> Iterator[str]:
    """One JSON object a line."""
    for row in instances.iter_rows(named=True):
        yield json_text(fields(row)) + "\n"


def csv_lines(instances: pl.DataFrame) -> Iterator[str]:
    """RFC 4180 with a header and LF; lists are separated by blanks, formulas made inert."""
    writer = csv.writer(_Echo(), lineterminator="\n")
    yield writer.writerow(COLUMNS)
    for row in instances.iter_rows(named=True):
        flat = fields(row)
        waiting = flat.pop("waiting_for")
        flat |= {f"waiting_{name}": value for name, value in waiting.items()}
        yield writer.writerow([_csv_cell(flat[name]) for name in COLUMNS])


class _Echo:
    """A file for the csv writer that hands each line back."""

    def write(self, line: str) -> str:
        return line


def _csv_cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, int):
        return str(value)
    text = " ".join(value) if isinstance(value, list) else str(value)
    return escape(text, Target.CSV)


def parquet_frame(instances: pl.DataFrame) -> pl.DataFrame:
    """The contract's names, times as UTC timestamps; values as they came."""
    times = [
        pl.col(f"{name}_ns").cast(pl.Datetime("ns", "UTC")).alias(name)
        for name in ("since", "deadline", "start", "end")
    ]
    return instances.with_columns(times).rename({"id": "instance"}).select(COLUMNS)


def table_lines(instances: pl.DataFrame, style: Style, as_of_ns: int) -> Iterator[str]:
    """A line an instance, as wide as the terminal."""
    sample = instances.head(1000)  # widths from the first rows: the table is written as a stream
    state = need(instances["state"].unique(), "STATE")
    overdue = bool((instances["deadline_ns"] < as_of_ns).any())
    errors = bool((instances["errors"] > 0).any())
    waits = [waits_for(row) for row in sample.iter_rows(named=True)]
    workflow, instance, waiting = fit_columns(
        [need(sample["workflow"], "WORKFLOW"), need(sample["id"], "INSTANCE"),
         need(waits, "WAITING FOR")],
        style.width - 18 - (state + 2) - 9 * overdue - 7 * errors,
    )  # fmt: skip
    head = (
        f"{'STATE':<{state + 2}} {'WORKFLOW':<{workflow}} {'INSTANCE':<{instance}} "
        f"{'WAITING FOR':<{waiting}} {'AGE':>7}{' OVERDUE' * overdue:>{9 * overdue}} "
        f"{'STEPS':>5}{' ERRORS' * errors}"
    )
    yield style.paint(head.rstrip(), "dim") + "\n"
    for row in instances.iter_rows(named=True):
        late = as_of_ns - row["deadline_ns"] if row["deadline_ns"] is not None else 0
        said = "+" + duration(late) if late > 0 else ""
        line = (
            f"{_state(row['state'], state, style)} "
            f"{style.cell(row['workflow'], workflow, middle=True)} "
            f"{style.cell(row['id'], instance)} {style.cell(waits_for(row), waiting, middle=True)} "
            f"{duration(max(as_of_ns - row['start_ns'], 0)):>7}{said:>{9 * overdue}} "
            f"{row['steps']:>5,}{row['errors'] or '':>{7 * errors}}"
        )
        yield style.own(line.rstrip()) + "\n"


def _state(state: str, width: int, style: Style) -> str:
    glyph = style.pick(STATE_GLYPHS.get(state, ("?", "?")))
    return style.paint(f"{glyph} {style.cell(state, width)}", STATE_COLOURS.get(state, "dim"))


def waits_for(row: dict[str, Any]) -> str:
    """Who and what an instance waits for, or nothing."""
    parts = (row["waiting_service"], row["waiting_step"] or row["waiting_destination"])
    return ": ".join(part for part in parts if part)
