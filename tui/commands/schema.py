"""`choreoscope schema`: the JSON Schemas of the report, of one instance, of the expectations."""

from __future__ import annotations

from importlib.resources import files

import click

from tui.terminal import emit

EPILOG = """\b
Example:
  choreoscope schema > report-schema.json
  choreoscope schema expectations > expectations-schema.json
"""
KINDS = ("report", "instance", "expectations")


@click.command("schema", epilog=EPILOG)
@click.argument("kind", default=KINDS[0], metavar=f"[{'|'.join(KINDS)}]")
def command(kind: str) -> int:
    """Print a JSON Schema: of reports, or of expectations.

    It is a JSON Schema 2020-12 of what `analyze --format json` prints, of what `show --format json`
    prints, or of what `analyze --expect` reads. Fields may join within a version; none is renamed
    or removed.
    """
    if kind not in KINDS:
        raise click.UsageError(f"no schema of {kind[:60]!r}; there are {', '.join(KINDS)}")
    emit(expectations_schema() if kind == "expectations" else schema_text(kind))
    return 0


def expectations_schema() -> str:
    """The schema of the expectations file, made of the shapes that read it."""
    from analyzer.conformance.file import schema
    from analyzer.escape import json_text

    return json_text(schema(), indent=2) + "\n"


def schema_text(kind: str = "report") -> str:
    """The schema of a report, or of an instance, as it is shipped."""
    return files("tui").joinpath(f"{kind}-schema.json").read_text(encoding="utf-8")
