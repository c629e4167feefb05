"""`choreoscope serve`: receive, keep, watch over, alert."""

from __future__ import annotations

from pathlib import Path

import click

from tui.declare import expect_option
from tui.terminal import note

EPILOG = """\b
Examples:
  choreoscope serve
  OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4317 your-service
  choreoscope serve --store ./traces --key order.id
  curl http://127.0.0.1:4320/api/v1/snapshot
  choreoscope analyze store:./traces

\b
Exit codes: 0 ended by SIGTERM or SIGINT, 2 a setting that cannot be, a port or a store that
is in use.
"""


@click.command("serve", epilog=EPILOG)
@click.option(
    "--config", "file", type=click.Path(path_type=Path), help="This file instead of those found."
)
@click.option("--store", metavar="DIR", help="Where what is received is kept.")
@click.option("--host", help="Address to listen on. Default: 127.0.0.1.")
@click.option("--grpc", type=int, metavar="PORT", help="OTLP over gRPC. Default: 4317; -1 = none.")
@click.option("--http", type=int, metavar="PORT", help="OTLP over HTTP. Default: 4318; -1 = none.")
@click.option("--zipkin", type=int, metavar="PORT", help="Zipkin v2. Default: 9411; -1 = none.")
@click.option("--api", type=int, metavar="PORT", help="API and metrics. Default: 4320.")
@click.option("--key", "keys", multiple=True, metavar="NAME[=ALIAS,...]",
              help="A business key that joins traces. Repeatable.")  # fmt: skip
@expect_option
def command(
    file: Path | None,
    store: str | None,
    host: str | None,
    grpc: int | None,
    http: int | None,
    zipkin: int | None,
    api: int | None,
    keys: tuple[str, ...],
    expect: str | None,
) -> int:
    """Receive spans, keep them, watch over workflows, alert.

    OTLP over gRPC and HTTP, and Zipkin v2. Every answer of 200 means that the spans are on disk.
    Settings stand in choreoscope.toml; see 'choreoscope config show'. Listens on loopback unless
    told otherwise.
    """
    from tui.configuration import configuration
    from tui.serving import serve

    flags = {
        "store.folder": store,
        "serve.host": host,
        "serve.grpc": grpc,
        "serve.http": http,
        "serve.zipkin": zipkin,
        "serve.api": api,
        "monitor.keys": keys or None,
        "monitor.expect": expect,
    }
    return serve(configuration(flags, file), note)
