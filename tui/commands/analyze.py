"""`choreoscope analyze`: read, judge, report, and pass or fail."""

from __future__ import annotations

import sys
from textwrap import wrap
from typing import TYPE_CHECKING

import click

from analyzer.reporters.registry import REPORTERS
from collectors.telemetry import stage
from tui.declare import contract_options, expect_option, nothing_judged
from tui.exits import verdict
from tui.fail_on import FailOn, parse_fail_on
from tui.gates import METRICS, Threshold, measure, parse_threshold
from tui.known import Accepted, accepted, baseline_options, read_baseline, update
from tui.load import Request, load, nothing_there, report_damage, source_options, where_option
from tui.outputs import FORMATS, Output, plan, write
from tui.terminal import note, style_for

if TYPE_CHECKING:
    from analyzer.analysis import Analysis
    from analyzer.comparison.known import Entry
    from analyzer.reporters.section import Section


def _listed(names: tuple[str, ...]) -> str:
    """The names in lines of a help page."""
    return "\n".join(wrap(", ".join(names), 90, initial_indent="  ", subsequent_indent="  "))


EPILOG = """\b
Examples:
  choreoscope analyze traces.jsonl
  choreoscope analyze traces/ --key order.id=app.order_id --where 'wf:order*'
  zcat spans.json.gz | choreoscope analyze - --format json
  choreoscope analyze traces/ --output json=report.json --fail-on warning \\
      --threshold 'stuck_ratio<0.01'
  choreoscope analyze traces/ --output html=report.html --output junit=out.xml
  choreoscope analyze traces/ --expect expectations.yaml --as-of +1h
  choreoscope analyze traces/ --asyncapi orders=docs/orders.asyncapi.yaml

\b
Formats:
{formats}

\b
Figures of --threshold, and findings.KIND:
{figures}

\b
Exit codes: 0 nothing at or above the gate, 1 findings at or above it or a threshold
that does not hold, 3 input (partly) unreadable or nothing to analyse; 3 wins over 1.
""".format(
    formats="\n".join(f"  {r.name:<17} {r.about}" for r in REPORTERS), figures=_listed(METRICS)
)


@click.command("analyze", epilog=EPILOG)
@source_options
@where_option
@expect_option
@contract_options
@click.option(
    "--format", "format_", type=click.Choice(FORMATS), metavar="FORMAT",
    help="Of the report on standard output; listed below. Default: text.",
)  # fmt: skip
@click.option(
    "--output", "outputs", multiple=True, metavar="FORMAT=PATH",
    help="Write a report in this format to a file ('-' = standard output). Repeatable.",
)  # fmt: skip
@click.option(
    "--fail-on", "fail_on", multiple=True, metavar="WHAT,...",
    help="Exit with 1 where a finding is this severe or worse (error, warning, note, none), or of "
    "this kind or cause (cycle, consumer-dark, ...). Repeatable. Default: error.",
)  # fmt: skip
@click.option(
    "--threshold", "thresholds", multiple=True, metavar="EXPR",
    help="Exit with 1 where it does not hold, e.g. 'stuck_ratio<0.01' or stuck=0 (at most 0); the "
    "figures are listed below. Repeatable.",
)  # fmt: skip
@baseline_options
def command(
    sources: tuple[str, ...],
    as_of: str | None,
    keys: tuple[str, ...],
    allow_empty: bool,
    where: str,
    expect: str | None,
    documents: tuple[str, ...],
    catalogs: tuple[str, ...],
    format_: str | None,
    outputs: tuple[str, ...],
    fail_on: tuple[str, ...],
    thresholds: tuple[str, ...],
    baseline: str | None,
    update_baseline: bool,
) -> int:
    """Find stuck, failed and coupled workflows; say why.

    SOURCE is a file, a folder, a glob or - for standard input. The format is recognised by
    content: OTLP JSON and protobuf, Jaeger JSON, Zipkin JSON, Parquet, Arrow; gzip and zstd too.
    """
    planned = plan(format_, outputs)
    limits = [parse_threshold(text) for text in thresholds]
    gate = parse_fail_on(fail_on)
    entries = read_baseline(baseline, update_baseline, where)
    request = Request(
        sources, as_of, keys, where, allow_empty, expect, asyncapi=documents, eventcatalog=catalogs
    )
    whole = load(request)
    analysis = _narrowed(whole, where)
    held = accepted(analysis, entries, whole=not where)
    _report(planned, held, whole, request, gate.reported_level(held.left))
    damaged = report_damage(whole)
    nothing = nothing_there(whole, request, analysis.instances.height if where else None)
    nothing = nothing_judged(whole, allow_empty) or nothing
    if baseline is not None and update_baseline:
        return _updated(baseline, analysis, entries, damaged or nothing)
    failed = _gate(held.left, gate, analysis, limits)
    return verdict(gate_failed=failed, damaged=damaged, nothing=nothing)


def _updated(
    path: str, analysis: Analysis, entries: tuple[Entry, ...] | None, unusable: bool
) -> int:
    """A baseline of half an input would accept what was never seen."""
    if unusable:
        note("the baseline was not written")
    else:
        update(path, analysis, entries or ())
    return verdict(gate_failed=False, damaged=unusable, nothing=False)


def _narrowed(whole: Analysis, where: str) -> Analysis:
    from analyzer.where import narrow

    return narrow(whole, where) if where else whole


def _report(
    planned: tuple[Output, ...], held: Accepted, whole: Analysis, request: Request, fail_on: str
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
            anchor=request.expect,
            sections=_sections(whole),
            known=held.known,
        )
        with stage("render", format=output.format):
            made.append((output.path, reporters[output.format].render(held.told, context)))
    for path, content in made:
        write(path, content)


def _sections(analysis: Analysis) -> tuple[Section, ...]:
    """What reports tell beside the analysis itself."""
    from analyzer.reporters.conformance import section

    return (section(analysis.conformance),) if analysis.conformance is not None else ()


def _gate(open_: Analysis, gate: FailOn, analysis: Analysis, limits: list[Threshold]) -> bool:
    """Whether a finding that is not known, or a threshold, fails the run; reasons go to stderr."""
    found = len(gate.failing(open_))
    if found:
        noun = "finding" if found == 1 else "findings"
        note(f"gate: {found:,} {noun} {gate.text}")
    broken = False
    for limit in limits:
        actual = measure(analysis, limit.metric)
        holds = limit.holds(actual)
        broken = broken or not holds
        note(f"threshold {limit.text}: {actual:.6g} {'holds' if holds else 'does not hold'}")
    return found > 0 or broken
