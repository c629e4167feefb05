"""`choreoscope graph`: services and destinations, or one instance, as a graph."""

from __future__ import annotations

import sys

import click

from tui.commands.show import find
from tui.exits import verdict
from tui.load import Request, load, nothing_there, report_damage, source_options
from tui.terminal import emit, style_for

FORMATS = ("table", "graphml", "dot", "mermaid", "json")
EPILOG = """\b
Examples:
  choreoscope graph traces/
  choreoscope graph traces/ --format dot | dot -Tsvg > services.svg
  choreoscope graph traces/ --instance ord-482113 --format graphml > order.graphml
"""


@click.command("graph", epilog=EPILOG)
@source_options
@click.option(
    "--format", "format_", type=click.Choice(FORMATS), default="table", show_default=True,
    help="json is node-link JSON, as networkx reads it.",
)  # fmt: skip
@click.option("--instance", metavar="ID", help="The graph of this instance instead.")
def command(
    sources: tuple[str, ...],
    as_of: str | None,
    keys: tuple[str, ...],
    allow_empty: bool,
    format_: str,
    instance: str | None,
) -> int:
    """Draw the services and destinations, or one instance.

    A synchronous call runs from service to service; a message from service to destination to
    service, typed command, event or reply.
    """
    request = Request(sources, as_of, keys, "", allow_empty)
    analysis = load(request)
    nothing = nothing_there(analysis, request)
    damaged = report_damage(analysis)
    from analyzer.reporters import graph_formats, graph_table

    if analysis.instances.height or analysis.services.height:
        chosen = find(analysis, instance) if instance is not None else None
        if format_ == "table":
            style = style_for(sys.stdout)
            emit(
                graph_table.steps(chosen, style)
                if chosen
                else graph_table.services(analysis, style)
            )
        else:
            graph = chosen.graph() if chosen else analysis.service_graph()
            emit(dict(graph_formats.GRAPH_FORMATS)[format_](graph))
    return verdict(gate_failed=False, damaged=damaged, nothing=nothing)
