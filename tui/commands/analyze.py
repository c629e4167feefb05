"""`choreoscope analyze`: read, judge, report, and pass or fail."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from analyzer.reporters.registry import REPORTERS
from tui.exits import verdict
from tui.gates import LEVELS, Threshold, at_or_above, measure, parse_threshold
from tui.load import Request, load, nothing_there, report_damage, source_options, where_option
from tui.outputs import FORMATS, Output, plan, write
from tui.terminal import note, style_for

if TYPE_CHECKING:
    from analyzer.analysis import Analysis

EPILOG = """\b
Examples:
  choreoscope analyze traces.jsonl
  choreoscope analyze traces/ --key order.id=app.order_id --where 'wf:order*'
  zcat spans.json.gz | choreoscope analyze - --format json
  choreoscope analyze traces/ --output json=report.json --fail-on warning \\
      --threshold 'stuck_ratio<0.01'
  choreoscope analyze traces/ --output html=report.html --output junit=out.xml

\b
Formats:
{formats}

\b
Exit codes: 0 nothing at or above the gate, 1 findings at or above it or a threshold
that does not hold, 3 input (partly) unreadable or nothing to analyse; 3 wins over 1.
""".format(formats="\n".join(f"  {r.name:<17} {r.about}" for r in REPORTERS))


@click.command("analyze", epilog=EPILOG)
@source_options
@where_option
@click.option(
    "--format", "format_", type=click.Choice(FORMATS), metavar="FORMAT",
    help="Of the report on standard output; listed below. Default: text.",
)  # fmt: skip
@click.option(
    "--output", "outputs", multiple=True, metavar="FORMAT=PATH",
    help="Write a report in this format to a file ('-' = standard output). Repeatable.",
)  # fmt: skip
@click.option(
    "--fail-on", type=click.Choice(LEVELS), default="error", show_default=True,
    help="Exit with 1 where a finding is this severe or worse.",
)  # fmt: skip
@click.option(
    "--threshold", "thresholds", multiple=True, metavar="EXPR",
    help="Exit with 1 where it does not hold, e.g. 'stuck_ratio<0.01'. Repeatable.",
)  # fmt: skip
def command(
    sources: tuple[str, ...],
    as_of: str | None,
    keys: tuple[str, ...],
    allow_empty: bool,
    where: str,
    format_: str | None,
    outputs: tuple[str, ...],
    fail_on: str,
    thresholds: tuple[str, ...],
) -> int:
    """Find stuck, failed and coupled workflows; say why.

    SOURCE is a file, a folder, a glob or - for standard input. The format is recognised by
    content: OTLP JSON and protobuf, Jaeger JSON, Zipkin JSON, Parquet, Arrow; gzip and zstd too.
    """
    planned = plan(format_, outputs)
    limits = [parse_threshold(text) for text in thresholds]
    request = Request(sources, as_of, keys, where, allow_empty)
    whole = load(request)
    analysis = _narrowed(whole, where)
    _report(planned, analysis, whole, request, fail_on)
    damaged = report_damage(whole)
    nothing = nothing_there(whole, request, analysis.instances.height if where else None)
    failed = _gate(analysis, fail_on, limits)
    return verdict(gate_failed=failed, damaged=damaged, nothing=nothing)


def _narrowed(whole: Analysis, where: str) -> Analysis:
    from analyzer.where import narrow

    return narrow(whole, where) if where else whole


def _report(
    planned: tuple[Output, ...], analysis: Analysis, whole: Analysis, request: Request, fail_on: str
) -> None:
    """Every report is made before the first is written: a crash leaves no half of a set."""
    from analyzer.reporters.context import Context
    from analyzer.reporters.style import Style

    reporters = {reporter.name: reporter for reporter in REPORTERS}
    made: list[tuple[str, str | bytes]] = []
    for output in planned:
        context = Context(
            style_for(sys.stdout) if output.path == "-" else Style(),
            request.where,
            whole.instances.height,
            request.sources,
            request.options,
            fail_on,
            request.allow_empty,
        )
        made.append((output.path, reporters[output.format].render(analysis, context)))
    for path, content in made:
        write(path, content)


def _gate(analysis: Analysis, fail_on: str, limits: list[Threshold]) -> bool:
    """Whether a finding or a threshold fails the run; each reason is told on stderr."""
    found = at_or_above(analysis, fail_on)
    if found:
        noun = "finding" if found == 1 else "findings"
        note(f"gate: {found:,} {noun} at or above {fail_on}")
    broken = False
    for limit in limits:
        actual = measure(analysis, limit.metric)
        holds = limit.holds(actual)
        broken = broken or not holds
        note(f"threshold {limit.text}: {actual:.6g} {'holds' if holds else 'does not hold'}")
    return found > 0 or broken
