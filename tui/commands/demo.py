"""`choreoscope demo`: a simulated shop, live on the dashboard."""

from __future__ import annotations

import click

from tui.browsing import browse, browser_option
from tui.dashboard.feeds.demo import FASTEST, RATE
from tui.exits import Exit
from tui.ranges import FiniteRange

EPILOG = """\b
Examples:
  choreoscope demo
  choreoscope demo --seed 7 --rate 20
  choreoscope demo --browser
  choreoscope demo | less
"""


@click.command("demo", epilog=EPILOG)
@click.option("--seed", type=click.IntRange(0, 2**32), default=1, show_default=True, metavar="N",
              help="Another one, other orders.")  # fmt: skip
@click.option("--rate", type=FiniteRange(0.1, FASTEST), default=RATE, show_default=True,
              metavar="N", help="Orders a second.")  # fmt: skip
@browser_option
def command(seed: int, rate: float, browser: int | None) -> int:
    """Show a simulated shop on the dashboard, faults included.

    It runs now; nothing is received from anywhere. Without a terminal a report on its first
    minutes is printed.
    """
    from tui.screen import has_terminal, show

    if browser is not None:
        return browse(browser)
    if not has_terminal():
        return _report(seed)
    from tui.dashboard.feeds.demo import DemoFeed

    return show(DemoFeed(seed, rate))


def _report(seed: int) -> Exit:
    """What `analyze` says of the shop. Its faults are no failure of the command."""
    import sys

    from analyzer import analyze
    from analyzer.reporters import text
    from analyzer.reporters.context import Context
    from tui.dashboard.feeds.demo import recording
    from tui.terminal import emit, style_for

    found, now = recording(seed)
    emit(text.render(analyze(found, as_of_ns=now), Context(style_for(sys.stdout))))
    return Exit.CLEAN
