"""`choreoscope instances`: the table of workflow instances."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

import click

from tui.declare import expect_option
from tui.exits import verdict
from tui.load import Request, load, nothing_there, report_damage, source_options, where_option
from tui.outputs import check_writable, write
from tui.terminal import emit, note, style_for

if TYPE_CHECKING:
    import polars as pl

SORTS = ("state", "age", "overdue", "duration", "start", "end", "steps", "spans", "errors",
         "workflow", "instance")  # fmt: skip

EPILOG = """\b
Examples:
  choreoscope instances traces/ --where 'state:stuck,late' --sort overdue
  choreoscope instances traces/ --format json | jq .instance
  choreoscope instances traces/ --format parquet -o instances.parquet
"""


@click.command("instances", epilog=EPILOG)
@source_options
@where_option
@expect_option
@click.option(
    "--format", "format_", type=click.Choice(("table", "json", "csv", "parquet")),
    default="table", show_default=True, help="json is one object a line; parquet needs -o.",
)  # fmt: skip
@click.option("-o", "--output", default="-", metavar="FILE", help="Write to a file.")
@click.option(
    "--sort", default="state", show_default=True, metavar="FIELD",
    help=f"Worst or largest first; -FIELD turns it round. One of {', '.join(SORTS)}.",
)  # fmt: skip
@click.option("--limit", type=click.IntRange(min=0), help="At most so many rows. Default: all.")
def command(
    sources: tuple[str, ...],
    as_of: str | None,
    keys: tuple[str, ...],
    allow_empty: bool,
    where: str,
    expect: str | None,
    format_: str,
    output: str,
    sort: str,
    limit: int | None,
) -> int:
    """List workflow instances, filtered and sorted."""
    _check(format_, output, sort)
    request = Request(sources, as_of, keys, where, allow_empty, expect)
    analysis = load(request)
    from analyzer.reporters.instances import ordered
    from analyzer.where import matches

    now = analysis.as_of_ns
    kept = ordered(matches(analysis.instances, where, now), sort, now)
    shown = kept if limit is None else kept.head(limit)
    said = f"{shown.height:,} of {analysis.instances.height:,} instances"
    said += f" ({kept.height:,} match)" if kept.height != shown.height else ""
    _write(shown, format_, output, now, said)
    damaged = report_damage(analysis)
    nothing = nothing_there(analysis, request)
    return verdict(gate_failed=False, damaged=damaged, nothing=nothing)


def _check(format_: str, output: str, sort: str) -> None:
    check_writable(output)
    if format_ == "parquet" and output == "-":
        raise click.UsageError("--format parquet is binary: name a file with -o")
    if sort.removeprefix("-") not in SORTS:
        raise click.UsageError(f"--sort: unknown field {sort!r}; there are {', '.join(SORTS)}")


def _write(rows: pl.DataFrame, format_: str, output: str, now: int, said: str) -> None:
    from analyzer.reporters import instances
    from analyzer.reporters.style import Style

    if format_ == "parquet":
        buffer = io.BytesIO()
        instances.parquet_frame(rows).write_parquet(buffer)
        write(output, buffer.getvalue())
    else:
        style = style_for(sys.stdout) if output == "-" else Style()
        lines = {
            "table": lambda: instances.table_lines(rows, style, now),
            "json": lambda: instances.json_lines(rows),
            "csv": lambda: instances.csv_lines(rows),
        }[format_]()
        if output == "-":
            for line in lines:
                emit(line)
        else:
            write(output, "".join(lines))
    if format_ == "table" and output == "-":
        emit(f"\n{said}\n")
    else:
        note(said)
