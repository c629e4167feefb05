"""`choreoscope config`: the settings, and where each comes from."""

from __future__ import annotations

from pathlib import Path

import click

from tui.configuration import configuration, places
from tui.terminal import emit

EPILOG = """\b
Examples:
  choreoscope config show
  choreoscope config show --origin
  choreoscope config locate
"""


@click.group("config", epilog=EPILOG)
def command() -> None:
    """Show the settings, and where each comes from."""


@command.command("show")
@click.option("--origin", is_flag=True, help="Say where each value comes from.")
@click.option(
    "--config", "file", type=click.Path(path_type=Path), help="This file instead of those found."
)
def show(origin: bool, file: Path | None) -> int:
    """Print every setting as TOML. Secrets are not shown."""
    from analyzer.escape import escape

    found = configuration(file=file)
    section = ""
    for name, value in found.values.items():
        table, _, key = name.partition(".")
        if table != section:
            emit(f"{chr(10) if section else ''}[{table}]\n")
            section = table
        hidden = value.setting.secret and value.value
        shown = '"(not shown)"' if hidden else _toml(value.value)
        told = f"  # {escape(value.origin)}" if origin else ""
        emit(f"{key} = {shown}{told}\n")
    if found.keys:
        emit("\n[watch.keys]\n")
        emit("".join(f"{_toml(id)} = {_toml(key)}\n" for id, key in found.keys.items()))
    for name, target in found.targets.items():
        emit(f"\n[alerts.targets.{escape(name)}]\ntype = {_toml(str(target.get('type', '')))}\n")
        emit("# the other settings of a target may be secrets and are not shown\n")
    return 0


@command.command("locate")
def locate() -> int:
    """Print the files that are looked at, nearest first."""
    from analyzer.escape import escape

    for path, table in places():
        there = "found" if path.is_file() else "not there"
        part = f" [{'.'.join(table)}]" if table else ""
        emit(f"{escape(str(path.absolute()))}{part}: {there}\n")
    return 0


def _toml(value: object) -> str:
    import json

    from analyzer.escape import escape

    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(one) for one in value) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(escape(value)) if isinstance(value, str) else str(value)
