"""`choreoscope schema`: the JSON Schema of the JSON report."""

from __future__ import annotations

from importlib.resources import files

import click

from tui.terminal import emit

EPILOG = """\b
Example:
  choreoscope schema > report-schema.json
"""


@click.command("schema", epilog=EPILOG)
def command() -> int:
    """Print the JSON Schema of the JSON report.

    It is a JSON Schema 2020-12 of what `analyze --format json` prints. Fields may join within a
    schema_version; none is renamed or removed.
    """
    emit(schema_text())
    return 0


def schema_text() -> str:
    """The schema as it is shipped."""
    return files("tui").joinpath("report-schema.json").read_text(encoding="utf-8")
