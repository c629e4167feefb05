"""`choreoscope alert`: test the targets, silence, see what was delivered."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tui.exits import Exit, Stop
from tui.terminal import emit, note

if TYPE_CHECKING:
    from analyzer.alerts.silences import Silence
    from tui.alerting import Desk
    from tui.configuration import Configuration

F = TypeVar("F", bound=Callable[..., Any])

EPILOG = """\b
Examples:
  choreoscope alert test
  choreoscope alert test pager --dry-run
  choreoscope alert silence workflow='order*' --for 2h --reason 'stock is counted'
  choreoscope alert silences
  choreoscope alert log --connect http://127.0.0.1:4320

\b
Exit codes: 0 done, 2 a target that cannot be reached or is not configured, no such silence.
"""

_config = click.option(
    "--config", "file", type=click.Path(path_type=Path), help="This file instead of those found."
)


def _desk_options(command: F) -> F:
    """--config, --store, --connect, --token."""
    for decorate in (
        _config,
        click.option("--token", metavar="TOKEN",
                     help="Bearer token of that 'serve'. Default: the setting serve.token."),
        click.option("--connect", metavar="URL", help="Ask the 'serve' that runs there."),
        click.option("--store", metavar="DIR", help="The folder of 'serve --store'."),
    ):  # fmt: skip
        command = decorate(command)
    return command


@click.group("alert", epilog=EPILOG)
def command() -> None:
    """Test alert targets; silence alerts; see what was told."""


@command.command("test")
@click.argument("names", nargs=-1, metavar="[TARGET]...")
@click.option("--dry-run", is_flag=True, help="Print what would be sent; secrets are not shown.")
@_config
def test(names: tuple[str, ...], dry_run: bool, file: Path | None) -> int:
    """Send a sample alert, and its end, to these targets, or to all."""
    from tui.alert_sample import payload, send_sample
    from tui.configuration import configuration

    found = configuration(file=file)
    failed = False
    for target, settings in _chosen(found, names):
        if dry_run:
            emit(payload(target, settings))
            continue
        said = send_sample(target, link_local=found["alerts.allow_link_local"])
        failed = failed or bool(said)
        emit(f"{_safe(target.name)}: {_safe(said) if said else 'delivered'}\n")
    return Exit.USAGE if failed else Exit.CLEAN


@command.command("silence")
@click.argument("match", nargs=-1, required=True, metavar="FIELD=GLOB...")
@click.option("--for", "length", required=True, metavar="DURATION", help="How long, e.g. 2h.")
@click.option("--reason", required=True, help="Why; others will see it.")
@click.option("--by", help="Who. Default: your user name.")
@_desk_options
def silence(match: tuple[str, ...], length: str, reason: str, by: str | None, **place: Any) -> int:
    """Tell nothing of alerts that match every FIELD=GLOB, for a while.

    Fields: kind, workflow, service, step, cause, owner, severity.
    """
    from tui.alerting import user, wanted

    try:
        fields, seconds = wanted(match, length)
    except ValueError as error:
        raise click.UsageError(_safe(str(error))) from None
    made = _desk(**place).silence(fields, seconds, by or user(), reason)
    emit(f"{made.id}\n")
    note(f"until {_moment(made.until_ns)}; 'choreoscope alert unsilence {made.id}' ends it")
    return Exit.CLEAN


@command.command("silences")
@click.option("--all", "ended", is_flag=True, help="Also those that have ended.")
@_desk_options
def silences(ended: bool, **place: Any) -> int:
    """List the silences in force."""
    import time

    now, shown = time.time_ns(), 0
    for one in _desk(**place).silences():
        if ended or one.until_ns > now:
            emit(_silence_line(one, now))
            shown += 1
    note(f"{shown} silence{'s' * (shown != 1)}")
    return Exit.CLEAN


@command.command("unsilence")
@click.argument("name", metavar="ID")
@_desk_options
def unsilence(name: str, **place: Any) -> int:
    """End a silence now."""
    _desk(**place).unsilence(name)
    return Exit.CLEAN


@command.command("log")
@click.option(
    "--limit",
    type=click.IntRange(1, 10_000),
    default=50,
    show_default=True,
    help="At most so many, newest first.",
)
@_desk_options
def log(limit: int, **place: Any) -> int:  # fmt: skip
    """List what was delivered, refused, or is tried again."""
    for one in _desk(**place).log(limit):
        detail = f"  {_safe(one.detail)}" if one.detail else ""
        said = f"{one.outcome:<9}  {_safe(one.target)}  {one.change}  {_safe(one.key)}"
        emit(f"{_moment(one.at_ns)}  {said}{detail}\n")
    return Exit.CLEAN


def _chosen(found: Configuration, names: tuple[str, ...]) -> list[tuple[Any, Any]]:
    """(target, its settings), in the order of their names. Raises Stop."""
    from tui.serving import targets
    from tui.words import nearest

    if not found.targets:
        raise Stop(Exit.USAGE, "no target is configured; see [alerts.targets.NAME] in the docs")
    for name in names:
        if name not in found.targets:
            raise Stop(Exit.USAGE, f"no target {_safe(name)!r}; {nearest(name, found.targets)}")
    known = [(one, found.targets[one.name]) for one in targets(found)]
    return [pair for pair in known if not names or pair[0].name in names]


def _desk(store: str | None, connect: str | None, token: str | None, file: Path | None) -> Desk:
    from tui.alerting import Local, Remote
    from tui.configuration import configuration
    from tui.serving import ALERTS, folder, secret

    found = configuration({"store.folder": store, "serve.token": token}, file)
    if connect:
        return Remote(connect, secret(found["serve.token"]))
    return Local(folder(found), ALERTS)


def _silence_line(one: Silence, now: int) -> str:
    match = " ".join(f"{name}={_safe(glob)}" for name, glob in one.match)
    state = "until" if one.until_ns > now else "ended"
    said = f"{_safe(one.by)}: {_safe(one.reason)}"
    return f"{one.id}  {state} {_moment(one.until_ns)}  {match}  {said}\n"


def _moment(at_ns: int) -> str:
    from analyzer.reporters.units import moment

    return moment(at_ns)


def _safe(text: str) -> str:
    from analyzer.escape import escape

    return escape(text, limit=300)
