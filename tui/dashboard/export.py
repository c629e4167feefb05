"""What is shown -> a file: CSV, JSON lines or Parquet, by the ending of its name."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

ENDINGS = (".csv", ".json", ".jsonl", ".parquet")


def export(frame: pl.DataFrame, path: Path) -> int:
    """Write it; the number of rows. Instances have the columns of `choreoscope instances`.

    ValueError where the ending is none of `ENDINGS`; OSError where it cannot be written.
    """
    if path.suffix not in ENDINGS:
        raise ValueError(f"{path.name!r} does not end in one of {', '.join(ENDINGS)}")
    are_instances = {"id", "waiting_step", "deadline_ns", "trace_ids"} <= set(frame.columns)
    if path.suffix == ".parquet":
        _parquet(frame, path, are_instances)
    else:
        lines = _instances(frame, path.suffix) if are_instances else _lines(frame, path.suffix)
        with path.open("w", encoding="utf-8", newline="") as file:
            file.writelines(lines)
    return frame.height


def _parquet(frame: pl.DataFrame, path: Path, are_instances: bool) -> None:
    from analyzer.reporters.instances import parquet_frame

    (parquet_frame(frame) if are_instances else frame).write_parquet(path)


def _instances(frame: pl.DataFrame, ending: str) -> Any:
    from analyzer.reporters.instances import csv_lines, json_lines

    return csv_lines(frame) if ending == ".csv" else json_lines(frame)


def _lines(frame: pl.DataFrame, ending: str) -> Any:
    from analyzer.escape import json_text

    if ending != ".csv":
        return (json_text(row) + "\n" for row in frame.iter_rows(named=True))
    writer = csv.writer(_Echo(), lineterminator="\n")
    head = writer.writerow(_cell(name) for name in frame.columns)
    return [head, *(writer.writerow([_cell(value) for value in row]) for row in frame.iter_rows())]


class _Echo:
    """A file for the csv writer that hands each line back."""

    def write(self, line: str) -> str:
        return line


def _cell(value: Any) -> str:
    from analyzer.escape import Target, escape

    if value is None:
        return ""
    if isinstance(value, int | float):
        return str(value)
    text = " ".join(map(str, value)) if isinstance(value, list) else str(value)
    return escape(text, Target.CSV)
