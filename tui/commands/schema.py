"""`choreoscope schema`: the JSON Schema of the JSON report, and of the expectations file."""

from __future__ import annotations

from importlib.resources import files

import click

from tui.terminal import emit

EPILOG = """\b
Example:
  choreoscope schema > report-schema.json
  choreoscope schema expectations > expectations-schema.json
"""
KINDS = ("report", "expectations")


@click.command("schema", epilog=EPILOG)
@click.argument("kind", default=KINDS[0], metavar=f"[{'|'.join(KINDS)}]")
def command(kind: str) -> int:
    """Print a JSON Schema: of reports, or of expectations.

    It is a JSON Schema 2020-12 of what `analyze --format json` prints, or of what `analyze
    --expect` reads. Fields may join within a version; none is renamed or removed.
    """
    if kind not in KINDS:
        raise click.UsageError(f"no schema of {kind[:60]!r}; there are {', '.join(KINDS)}")
    emit(schema_text() if kind == "report" else expectations_schema())
    return 0


def expectations_schema() -> str:
    """The schema of the expectations file, made of the shapes that read it."""
    from analyzer.conformance.file import schema
    from analyzer.escape import json_text

    return json_text(schema(), indent=2) + "\n"


def schema_text() -> str:
    """The schema as it is shipped."""
    return files("tui").joinpath("report-schema.json").read_text(encoding="utf-8")
