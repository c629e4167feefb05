"""`choreoscope watch`: the dashboard on a source, a running `serve`, or what it receives itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tui.browsing import browse, browser_option
from tui.declare import expect_option
from tui.exits import Exit, Stop
from tui.ranges import FiniteRange

if TYPE_CHECKING:
    from tui.dashboard.feed import Feed
    from tui.dashboard.feeds.monitored import Watching

GRPC = 4317

EPILOG = """\b
Examples:
  choreoscope watch traces.jsonl
  choreoscope watch traces/ --where 'state:stuck,late'
  choreoscope watch --otlp
  choreoscope watch --connect http://127.0.0.1:4320
  choreoscope watch store:./traces --key order.id
  choreoscope watch --connect http://127.0.0.1:4320 --browser

\b
Exit codes: 0 ended by the user, 2 usage, no terminal or a port that is in use, 3 a source that
cannot be read or a server that is not choreoscope.
"""


@click.command("watch", epilog=EPILOG)
@click.argument("sources", nargs=-1, metavar="[SOURCE]...")
@click.option("--connect", metavar="URL", help="Show what a running 'choreoscope serve' sees; URL "
              "is that of its API, such as http://127.0.0.1:4320.")  # fmt: skip
@click.option("--token", metavar="TOKEN", help="For --connect. Default: CHOREOSCOPE_TOKEN.",
              envvar="CHOREOSCOPE_TOKEN")  # fmt: skip
@click.option("--otlp", type=click.IntRange(0, 65_534), is_flag=False, flag_value=GRPC,
              metavar="[PORT]", help="Receive OTLP: over gRPC on PORT (4317), over HTTP on the one "
              "after it; 0 takes any free ones.")  # fmt: skip
@click.option("--store", metavar="DIR", help="Keep what --otlp receives. Default: it is forgotten.")
@click.option("--where", default="", metavar="QUERY", help="The filter to begin with.")
@click.option("--key", "keys", multiple=True, metavar="NAME[=ALIAS,...]",
              help="Join by this business key; 'auto' takes those that the spans suggest. "
              "Repeatable.")  # fmt: skip
@expect_option
@click.option("--refresh", type=FiniteRange(0.5, 3600), default=1.0, show_default=True,
              metavar="SECONDS", help="Between two looks.")  # fmt: skip
@browser_option
def command(
    sources: tuple[str, ...],
    connect: str | None,
    token: str | None,
    otlp: int | None,
    store: str | None,
    where: str,
    keys: tuple[str, ...],
    expect: str | None,
    refresh: float,
    browser: int | None,
) -> int:
    """Show workflows on a dashboard, live or as recorded.

    SOURCE is what 'analyze' takes. A folder or a file that grows, and a store, are followed.
    """
    from tui.load import check_keys, check_where
    from tui.screen import has_terminal, keys_from_terminal, show

    _check_one(sources, connect, otlp)
    if store is not None and otlp is None:
        raise click.UsageError("--store goes with --otlp; to watch a store: watch store:DIR")
    check_keys(keys)
    if where:
        check_where(where)
    if browser is not None:
        if otlp is not None or "-" in sources:
            raise click.UsageError("--browser begins anew for each page: let 'choreoscope serve' "
                                   "receive, and --connect to it")  # fmt: skip
        return browse(browser)
    if not has_terminal():
        shown = " ".join(sources[:1]) or "SOURCE"
        said = f"watch needs a terminal; 'choreoscope analyze {shown}' prints a report"
        raise Stop(Exit.USAGE, _escaped(said))
    if connect is not None:
        if keys or expect:
            raise click.UsageError("--key and --expect are the server's affair, not --connect's")
        feed = _connected(connect, token or "", refresh)
    else:
        watching = _watching(keys, expect, refresh)
        if otlp is not None:
            feed = _receiving(otlp, store, watching)
        else:
            feed = _reading(sources, watching)
            if "-" in sources:
                keys_from_terminal()
    return show(feed, where)


def _check_one(sources: tuple[str, ...], connect: str | None, otlp: int | None) -> None:
    given = [
        name
        for name, there in (
            ("SOURCE", bool(sources)),
            ("--connect", connect is not None),
            ("--otlp", otlp is not None),
        )
        if there
    ]
    if len(given) > 1:
        raise click.UsageError(f"{' and '.join(given)} exclude one another")
    if not given:
        raise click.UsageError(
            "name a SOURCE, --connect URL, or --otlp; 'choreoscope demo' shows an example"
        )


def _watching(keys: tuple[str, ...], expect: str | None, refresh: float) -> Watching:
    from tui.dashboard.feeds.monitored import Watching
    from tui.dashboard.feeds.recording import Judging
    from tui.declare import declare

    declared = declare(expect) if expect is not None else None
    return Watching(Judging(keys, declared), refresh)


def _reading(sources: tuple[str, ...], watching: Watching) -> Feed:
    from collectors.source import SourceError
    from tui.dashboard.feeds.choose import feed_of

    try:
        return feed_of(sources, watching)
    except SourceError as error:
        raise Stop(Exit.INPUT, _escaped(str(error))) from None


def _receiving(port: int, store: str | None, watching: Watching) -> Feed:
    from tui.dashboard.feeds.otlp import OtlpFeed
    from tui.dashboard.feeds.threaded import FeedError

    try:
        return OtlpFeed(port, store, watching)
    except FeedError as error:
        raise Stop(Exit.USAGE, _escaped(str(error))) from None


def _connected(url: str, token: str, refresh: float) -> Feed:
    from tui.dashboard.feeds.connect import ConnectFeed
    from tui.dashboard.feeds.threaded import FeedError

    try:
        return ConnectFeed(url, token, refresh)
    except FeedError as error:
        raise click.UsageError(f"--connect: {_escaped(str(error))}") from None


def _escaped(text: str) -> str:
    from analyzer.escape import escape

    return escape(text)
