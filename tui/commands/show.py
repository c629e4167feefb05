"""`choreoscope show`: one workflow instance, drawn or exported."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from tui.declare import expect_option
from tui.exits import Exit, Stop, verdict
from tui.load import Request, load, nothing_there, report_damage, source_options
from tui.terminal import emit, style_for

if TYPE_CHECKING:
    from analyzer.analysis import Analysis, Instance

FORMATS = ("lanes", "json", "graphml", "mermaid", "dot")
EPILOG = """\b
Examples:
  choreoscope show traces/ --instance ord-482113
  choreoscope show traces/ --instance 4bf92f35 --format mermaid
  choreoscope show traces/ --instance ord-482113 --format dot | dot -Tsvg > order.svg
"""


@click.command("show", epilog=EPILOG)
@source_options
@expect_option
@click.option(
    "--instance", required=True, metavar="ID",
    help="Id, trace id, the beginning of either, or the value of a business key.",
)  # fmt: skip
@click.option("--format", "format_", type=click.Choice(FORMATS), default="lanes", show_default=True)
@click.option(
    "--limit", type=click.IntRange(min=1), default=400, show_default=True,
    help="At most so many steps in the drawing.",
)  # fmt: skip
def command(
    sources: tuple[str, ...],
    as_of: str | None,
    keys: tuple[str, ...],
    allow_empty: bool,
    expect: str | None,
    instance: str,
    format_: str,
    limit: int,
) -> int:
    """Draw one instance: lanes, waiting, evidence, findings.

    Solid lanes are parent spans, dotted ones links and other evidence. A filled circle is a step,
    a cross one with an error, a dotted circle one that was expected and is absent; ~ is a parent
    span that the recording does not hold. Long waiting is folded: //47m//.
    """
    request = Request(sources, as_of, keys, "", allow_empty, expect)
    analysis = load(request)
    nothing = nothing_there(analysis, request)
    damaged = report_damage(analysis)
    if analysis.instances.height:
        emit(render(find(analysis, instance), format_, limit))
    return verdict(gate_failed=False, damaged=damaged, nothing=nothing)


def find(analysis: Analysis, identifier: str) -> Instance:
    """The instance; Stop with what is near where there is none, or more than one."""
    from analyzer.escape import escape

    try:
        # An undecodable byte of the command line is in no id, and no frame can look for it.
        return analysis.instance(identifier.encode("utf-8", "backslashreplace").decode())
    except LookupError as error:
        raise Stop(Exit.USAGE, escape(str(error.args[0])[:1000])) from None


def render(instance: Instance, format_: str, limit: int) -> str:
    """The instance in one of FORMATS."""
    from analyzer.reporters.graph_formats import GRAPH_FORMATS

    if format_ == "lanes":
        from analyzer.reporters import lanes

        return lanes.render(instance, style_for(sys.stdout), limit)
    if format_ == "json":
        from analyzer.reporters import instance_json

        return instance_json.render(instance)
    return dict(GRAPH_FORMATS)[format_](instance.graph())
